"""The same application on FastAPI by somebody who has looked at a profile: asyncpg, one statement a request, no model
around what the database is already sure of."""
import json
import os
from datetime import datetime, timezone
from typing import List, Optional
from uuid import UUID, uuid4

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, status
from jose import JWTError, jwt
from pydantic import BaseModel, Field, conint, constr

SECRET = os.environ["BETTER_AUTH_SECRET"]
ORIGIN = os.environ["BETTER_AUTH_URL"]
COLUMNS = "id, user_id, title, description, completed, priority, due_date, tags, created_at, updated_at"

app = FastAPI()
pool: asyncpg.Pool


class TaskCreate(BaseModel):
    title: constr(strip_whitespace=True, min_length=1, max_length=255)
    description: Optional[constr(max_length=1000)] = None
    completed: bool = False
    priority: str = Field("medium", regex="^(low|medium|high)$")
    due_date: Optional[datetime] = None
    tags: List[constr(min_length=1, max_length=50)] = Field(default_factory=list, max_items=20)


@app.on_event("startup")
async def open_pool():
    global pool
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8)


async def get_claims(request: Request) -> dict:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise JWTError
        return jwt.decode(token, SECRET, algorithms=["HS256"], audience=ORIGIN, issuer=ORIGIN,
                          options={"require_exp": True, "require_sub": True})
    except JWTError:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Invalid token",
                            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


async def get_owner(user_id: str, claims: dict = Depends(get_claims)) -> str:
    if claims["sub"] != user_id:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Not your tasks")
    return user_id


def instant(value: Optional[datetime]) -> Optional[str]:
    return value and value.isoformat().replace("+00:00", "Z")


def task_of(row: asyncpg.Record) -> dict:
    return {
        "id": str(row[0]), "user_id": row[1], "title": row[2], "description": row[3], "completed": row[4],
        "priority": row[5], "due_date": instant(row[6]), "tags": row[7], "created_at": instant(row[8]),
        "updated_at": instant(row[9]),
    }


def answer(content, status_code: int = 200) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status_code, media_type="application/json")


def answer_task(row: Optional[asyncpg.Record], status_code: int = 200) -> Response:
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Task not found")
    return answer(task_of(row), status_code)


@app.get("/auth/me")
async def me(claims: dict = Depends(get_claims)):
    return answer({
        "user": {"id": claims["sub"], "email": claims.get("email"), "name": claims.get("name")},
        "expires_at": instant(datetime.fromtimestamp(claims["exp"], timezone.utc)),
    })


@app.get("/api/{user_id}/tasks")
async def list_tasks(limit: conint(ge=1, le=1000) = Query(1000), user_id: str = Depends(get_owner)):
    rows = await pool.fetch(
        f"SELECT {COLUMNS} FROM todo.task WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2", user_id, limit)
    return answer([task_of(row) for row in rows])


@app.post("/api/{user_id}/tasks")
async def create_task(body: TaskCreate, user_id: str = Depends(get_owner)):
    row = await pool.fetchrow(
        "INSERT INTO todo.task (user_id, id, title, description, completed, priority, due_date, tags)"
        f" VALUES ($1, $2, $3::text, $4::text, $5, $6, $7, $8::text[]) RETURNING {COLUMNS}",
        user_id, uuid4(), body.title, body.description, body.completed, body.priority, body.due_date, body.tags)
    return answer_task(row, status.HTTP_201_CREATED)


@app.get("/api/{user_id}/tasks/{task_id}")
async def get_task(task_id: UUID, user_id: str = Depends(get_owner)):
    return answer_task(await pool.fetchrow(
        f"SELECT {COLUMNS} FROM todo.task WHERE user_id = $1 AND id = $2", user_id, task_id))


@app.patch("/api/{user_id}/tasks/{task_id}/complete")
async def complete_task(task_id: UUID, user_id: str = Depends(get_owner)):
    return answer_task(await pool.fetchrow(
        "UPDATE todo.task SET completed = NOT completed, updated_at = clock_timestamp()"
        f" WHERE user_id = $1 AND id = $2 RETURNING {COLUMNS}", user_id, task_id))
