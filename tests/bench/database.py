"""The private PostgreSQL of a benchmark, the rows in it, and the tokens of their users."""
import fcntl
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "bench"
ORIGIN = "https://todo.example"
FIRST_USER = 100000000000000000
TOKENS = 1000
# Nobody's limit may be reached while a run lasts, and no token may end.
LIFETIME = 6 * 3600
CREATED = "Created by a benchmark"


def begin():
    """Makes build/bench; one measurement at a time has it. TERM takes down what is up, as Ctrl-C does."""
    OUT.mkdir(parents=True, exist_ok=True)
    lock = open(OUT / "lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return lock


def run(command, cwd=ROOT, **options):
    """Runs a command to its end; what it says is in build/bench/commands.log."""
    with open(OUT / "commands.log", "ab") as log:
        log.write(f"$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        status = subprocess.run(command, stdout=log, stderr=log, cwd=cwd, stdin=subprocess.DEVNULL, **options).returncode
    if status:
        raise SystemExit(f"bench: {' '.join(map(str, command[:3]))} failed, see build/bench/commands.log")


def stack(name, command, **settings):
    """bin/stack under a name of its own; for up what stack.env then says."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "STACK", "WORKERS"))}
    environment |= {"STACK": name} | {key: str(value) for key, value in settings.items()}
    run(["bin/stack", *command.split()], env=environment)
    if command != "up":
        return {}
    lines = (ROOT / "build" / f"run-{name}" / "stack.env").read_text().splitlines()
    return dict(line.replace("'", "").split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


# A user's tasks are made over weeks, beside those of everybody else, so they lie scattered over the table.
SEED = """
TRUNCATE todo.task;
INSERT INTO todo.task (user_id, id, title, description, completed, priority, due_date, tags, created_at, updated_at)
SELECT ({first} + u)::text,
       ('01930000-0000-7000-8000-' || (100000000000 + t * 10000000 + u))::uuid,
       'Task number ' || t || ' of the week, to be done soon',
       CASE WHEN t % 2 = 0 THEN 'What there is to say about it, in a sentence or two of ordinary length.' END,
       t % 3 = 0,
       (ARRAY['low', 'medium', 'high'])[1 + t % 3]::todo.priority,
       CASE WHEN t % 2 = 1 THEN timestamptz '2026-03-01 09:30Z' + t * interval '1 day' END,
       CASE t % 3 WHEN 0 THEN '{{}}'::text[] WHEN 1 THEN ARRAY['home'] ELSE ARRAY['work', 'week ' || t] END,
       timestamptz '2026-01-05 08:00Z' + t * interval '7 hours' + u * interval '1 millisecond',
       timestamptz '2026-01-05 08:00Z' + t * interval '7 hours' + u * interval '1 millisecond'
  FROM generate_series(0, {tasks} - 1) AS t, generate_series(0, {users} - 1) AS u;
"""


class Database:
    """Durable as PostgreSQL is by itself; what it forgets to do on a quiet machine (vacuum) is done between measurements."""

    def __init__(self, name="bench", **settings):
        self.name = name
        self.settings = settings
        self.values = stack(name, "up", SERVER="none", **settings)
        for line in ("shared_buffers = '512MB'", "max_connections = 300", "autovacuum = off", "max_wal_size = '4GB'"):
            self.run(f"ALTER SYSTEM SET {line}")
        stack(name, "database stop", **settings)
        stack(name, "database start", **settings)
        self.rival_password = secrets.token_hex(16)
        self.run(f"""
            DO $$ BEGIN CREATE ROLE bench_rival LOGIN BYPASSRLS; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
            ALTER ROLE bench_rival PASSWORD '{self.rival_password}';
            GRANT CONNECT ON DATABASE todo TO bench_rival;
            GRANT USAGE ON SCHEMA todo TO bench_rival;
            GRANT SELECT, INSERT, UPDATE, DELETE ON todo.task TO bench_rival;""")

    @property
    def socket(self):
        return parse_qs(urlsplit(self.values["DATABASE_URL"]).query)["host"][0]

    @property
    def pid(self):
        return int((Path(self.socket).parent / "pg" / "postmaster.pid").read_text().split("\n")[0])

    @property
    def url(self):
        """As the role of the programs, under row-level security."""
        return self.values["DATABASE_URL"]

    @property
    def rival_url(self):
        """As a role that row-level security does not hold up, as others do without it."""
        return f"postgresql://bench_rival:{self.rival_password}@/todo?host={self.socket}"

    def psql(self, sql):
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.values["SUPERUSER_DATABASE_URL"]],
                              input=sql, text=True, check=True, capture_output=True).stdout.strip()

    run = value = psql

    def fill(self, users, tasks):
        """The rows, unless they are there already."""
        if self.value("SELECT count(*) FROM todo.task") != str(users * tasks):
            print(f"making {users:,} users with {tasks} tasks", flush=True)
            # An index is made faster at once than row by row.
            indexes = self.value("SELECT string_agg(indexdef, ';') FROM pg_indexes"
                                 " WHERE schemaname = 'todo' AND tablename = 'task' AND indexname <> 'task_pkey'")
            names = self.value("SELECT string_agg('todo.' || indexname, ', ') FROM pg_indexes"
                               " WHERE schemaname = 'todo' AND tablename = 'task' AND indexname <> 'task_pkey'")
            self.run("BEGIN; SET LOCAL maintenance_work_mem = '1GB'; ALTER TABLE todo.task DROP CONSTRAINT task_pkey;"
                     f" DROP INDEX {names}; {SEED.format(first=FIRST_USER, users=users, tasks=tasks)}"
                     f" ALTER TABLE todo.task ADD CONSTRAINT task_pkey PRIMARY KEY (user_id, id); {indexes}; COMMIT;")
        self.tidy()

    def tidy(self):
        """What a measurement of writes has left behind: new tasks, and each user's first one, completed or not."""
        self.run(f"""DELETE FROM todo.task WHERE title = '{CREATED}';
                     UPDATE todo.task SET completed = true WHERE NOT completed AND title LIKE 'Task number 0 %';""")
        self.run("VACUUM ANALYZE todo.task; CHECKPOINT;")

    def close(self):
        stack(self.name, "down", **self.settings)


class Tokens:
    """Good and forged ones for a thousand users that are spread over all there are."""

    def __init__(self, users):
        self.folder = OUT / "tokens"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.secret = secrets.token_hex(32)
        self.step = users // TOKENS
        self.users = [str(FIRST_USER + i * self.step) for i in range(TOKENS)]
        run([ROOT / "build/release/tests/bench/tokens", self.folder, ORIGIN, self.secret, str(TOKENS), str(self.step),
             str(LIFETIME)])
        self.jwks_file = self.folder / "jwks.json"
        self.of = {name: (self.folder / f"{name}.txt").read_text().split() for name in ("hs256", "eddsa", "forged")}

    def task(self, index):
        """The id of a task of the user of that place."""
        return f"01930000-0000-7000-8000-{100000000000 + index * self.step}"
