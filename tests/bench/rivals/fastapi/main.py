"""The same application as its users first wrote it: FastAPI, python-jose, SQLModel on psycopg2."""
import os
from datetime import datetime, timezone
from typing import List, Optional
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException, Query, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JWTError, jwt
from pydantic import conint, constr
from sqlalchemy import ARRAY, Column, DateTime, Enum, Text
from sqlalchemy.dialects.postgresql import UUID as PostgresUUID
from sqlmodel import Field, Session, SQLModel, create_engine, select

SECRET = os.environ["BETTER_AUTH_SECRET"]
ORIGIN = os.environ["BETTER_AUTH_URL"]

engine = create_engine(os.environ["DATABASE_URL"], pool_size=10)
app = FastAPI()
bearer = HTTPBearer(auto_error=False)


class TaskBase(SQLModel):
    title: constr(strip_whitespace=True, min_length=1, max_length=255)
    description: Optional[constr(max_length=1000)] = None
    completed: bool = False
    priority: str = Field(default="medium", regex="^(low|medium|high)$",
                          sa_column=Column(Enum("low", "medium", "high", name="priority", schema="todo")))
    due_date: Optional[datetime] = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    tags: List[str] = Field(default_factory=list, sa_column=Column(ARRAY(Text)))


class Task(TaskBase, table=True):
    __tablename__ = "task"
    __table_args__ = {"schema": "todo"}
    user_id: str = Field(primary_key=True)
    id: UUID = Field(default_factory=uuid4, sa_column=Column(PostgresUUID(as_uuid=True), primary_key=True))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True)))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True)))


class TaskCreate(SQLModel):
    title: constr(strip_whitespace=True, min_length=1, max_length=255)
    description: Optional[constr(max_length=1000)] = None
    completed: bool = False
    priority: str = Field(default="medium", regex="^(low|medium|high)$")
    due_date: Optional[datetime] = None
    tags: List[constr(min_length=1, max_length=50)] = Field(default_factory=list, max_items=20)


class TaskRead(TaskCreate):
    id: UUID
    user_id: str
    created_at: datetime
    updated_at: datetime


def get_session():
    with Session(engine) as session:
        yield session


def get_claims(credentials: Optional[HTTPAuthorizationCredentials] = Depends(bearer)) -> dict:
    try:
        if credentials is None:
            raise JWTError
        claims = jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"], audience=ORIGIN, issuer=ORIGIN,
                            options={"require_exp": True, "require_sub": True})
    except JWTError:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Invalid token",
                            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return claims


def get_owner(user_id: str, claims: dict = Depends(get_claims)) -> str:
    if claims["sub"] != user_id:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Not your tasks")
    return user_id


def find_task(session: Session, user_id: str, task_id: UUID) -> Task:
    task = session.exec(select(Task).where(Task.user_id == user_id, Task.id == task_id)).first()
    if task is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Task not found")
    return task


@app.get("/auth/me")
def me(claims: dict = Depends(get_claims)):
    return {
        "user": {"id": claims["sub"], "email": claims.get("email"), "name": claims.get("name")},
        "expires_at": datetime.fromtimestamp(claims["exp"], timezone.utc),
    }


@app.get("/api/{user_id}/tasks", response_model=List[TaskRead])
def list_tasks(limit: conint(ge=1, le=1000) = Query(1000), user_id: str = Depends(get_owner),
               session: Session = Depends(get_session)):
    return session.exec(
        select(Task).where(Task.user_id == user_id).order_by(Task.created_at.desc(), Task.id.desc()).limit(limit)
    ).all()


@app.post("/api/{user_id}/tasks", response_model=TaskRead, status_code=status.HTTP_201_CREATED)
def create_task(body: TaskCreate, user_id: str = Depends(get_owner), session: Session = Depends(get_session)):
    now = datetime.now(timezone.utc)
    task = Task(user_id=user_id, created_at=now, updated_at=now, **body.dict())
    session.add(task)
    session.commit()
    session.refresh(task)
    return task


@app.get("/api/{user_id}/tasks/{task_id}", response_model=TaskRead)
def get_task(task_id: UUID, user_id: str = Depends(get_owner), session: Session = Depends(get_session)):
    return find_task(session, user_id, task_id)


@app.patch("/api/{user_id}/tasks/{task_id}/complete", response_model=TaskRead)
def complete_task(task_id: UUID, user_id: str = Depends(get_owner), session: Session = Depends(get_session)):
    task = find_task(session, user_id, task_id)
    task.completed = not task.completed
    task.updated_at = datetime.now(timezone.utc)
    session.add(task)
    session.commit()
    session.refresh(task)
    return task
