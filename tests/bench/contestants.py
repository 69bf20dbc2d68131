"""Who is measured: the product on each web server, what its users would pick instead, and the limits of both."""
import difflib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from database import CREATED, FIRST_USER, ORIGIN, OUT, ROOT, run, stack
from measure import pgbench, raw, wrk

RIVALS = ROOT / "tests/bench/rivals"
RUN = OUT / "run"
CREATE_BODY = json.dumps({"title": CREATED, "description": "What there is to say about it, in a sentence or two.",
                          "priority": "high", "tags": ["home", "week 7"]}, separators=(",", ":"))


def listed(name, default):
    """What the variable of that name names, by commas or blanks; else the default."""
    return os.environ[name].replace(",", " ").split() if os.environ.get(name) else default


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def requests_for(work, tokens, port, alg):
    """A thousand requests of one kind, each of another user."""
    def path(index, more=""):
        return f"/api/{tokens.users[index]}/tasks{more}"
    made = {
        "me": lambda i, token: raw(port, "GET", "/auth/me", token),
        "list": lambda i, token: raw(port, "GET", path(i), token),
        "page": lambda i, token: raw(port, "GET", path(i, "?limit=20"), token),
        "get": lambda i, token: raw(port, "GET", path(i, f"/{tokens.task(i)}"), token),
        "create": lambda i, token: raw(port, "POST", path(i), token, CREATE_BODY),
        "toggle": lambda i, token: raw(port, "PATCH", path(i, f"/{tokens.task(i)}/complete"), token),
        "reject": lambda i, token: raw(port, "GET", path(i), token),
        # What the constant program answers with a refusal.
        "constant-reject": lambda i, token: raw(port, "GET", "/api/0/tasks/reject", token),
        "static": lambda i, token: raw(port, "GET", "/index.html"),
    }[work]
    of = tokens.of["forged" if work.endswith("reject") else alg]
    return [made(i, of[i]) for i in range(len(of))]


def ask(port, request):
    """Sends one raw request: status and body."""
    with socket.create_connection(("127.0.0.1", port), 20) as one:
        one.sendall(request.encode())
        answer = http.client.HTTPResponse(one)
        answer.begin()
        return answer.status, answer.read()


class Contestant:
    """Brought up for a round and taken down again. `works`: which works, at how many connections."""
    kind = "limit"

    def __init__(self, name, works):
        self.name = name
        self.works = works
        self.port = 0
        self.roots = []

    def start(self, database, tokens):
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def request_work(self, work):
        """What stands in for that work here."""
        return work

    def measure(self, work, connections, seconds):
        name, _, alg = work.partition("-")
        requests = requests_for(self.request_work(name), self.tokens, self.port, alg or "hs256")
        return wrk(self.port, requests, connections, seconds, name == "reject", self.roots, self.database.pid)


class Product(Contestant):
    """The whole of it behind a web server, by its own configuration."""
    kind = "product"

    def __init__(self, name, server, works, mode="release", **settings):
        super().__init__(name, works)
        self.server = server
        self.mode = mode
        self.settings = settings

    def start(self, database, tokens):
        self.database, self.tokens = database, tokens
        values = stack("bench-web", "up", SERVER=self.server, MODE=self.mode, DATABASE_URL=database.url,
                       BETTER_AUTH_URL=ORIGIN, BETTER_AUTH_SECRET=tokens.secret, JWT_SHARED_SECRET=1,
                       JWKS_FILE=tokens.jwks_file, **self.settings)
        self.port = int(values["BASE_URL"].rsplit(":", 1)[1])
        self.roots = [int(pid) for pid in (values["WEB_PID"] + " " + values["RESPONDER_PIDS"]).split()]
        if self.server == "apache" and self.mode == "release":
            self.warm(values)

    def warm(self, values):
        """As an operator does after a start, as the user of the programs."""
        user = values["RUN_USER"]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if os.geteuid() == 0 else []
        run([*become, f"{values['PROGRAMS']}/bin/todoctl", "warm", values["BASE_URL"]], cwd="/",
            env={"PATH": os.environ["PATH"], "TODO_ENV_FILE": values["TODO_ENV_FILE"]})

    def stop(self):
        stack("bench-web", "down")


class Constant(Product):
    """The same web server by the same configuration, before a program that has no work to do."""
    kind = "limit"
    PROGRAM = "constant"

    def __init__(self, name, server, works, **settings):
        super().__init__(name, server, works, mode=f"bench/{self.PROGRAM}", **settings)

    def start(self, database, tokens):
        folder = ROOT / "build" / self.mode / "cgi-bin"
        folder.mkdir(parents=True, exist_ok=True)
        for program in ("tasks", "auth", "account", "health"):
            shutil.copy(ROOT / "build/release/tests/bench" / self.PROGRAM, folder / f"{program}.fcgi")
        super().start(database, tokens)

    def request_work(self, work):
        return "constant-reject" if work == "reject" else work


class Least(Constant):
    """That program with what none can leave out: the signature, the claims, an id, a line of the log, an end by a signal."""
    PROGRAM = "least"


class Rival(Contestant):
    """What somebody would pick instead; its processes are ours. `listeners`: how many sockets share its port."""
    kind = "rival"

    def __init__(self, name, works, prepare, listeners=1):
        super().__init__(name, works)
        self.prepare = prepare
        self.listeners = listeners
        self.running = []

    def is_up(self):
        """Do all of it listen, and does it answer?"""
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        listening = [one for one in sockets if one[1].endswith(f":{self.port:04X}") and one[3] == "0A"]
        if len(listening) < self.listeners:
            return False
        try:
            return ask(self.port, raw(self.port, "GET", "/auth/me", self.tokens.of["hs256"][0]))[0] == 200
        except OSError:
            return False

    def start(self, database, tokens):
        shutil.rmtree(RUN, ignore_errors=True)
        RUN.mkdir(parents=True)
        self.database, self.tokens = database, tokens
        self.port = free_port()
        environment = {
            "PATH": os.environ["PATH"] + ":/usr/sbin", "HOME": str(RUN), "PORT": str(self.port), "BENCH_RUN": str(RUN),
            "DATABASE_URL": database.rival_url, "DATABASE_SOCKET": database.socket, "DATABASE_USER": "bench_rival",
            "DATABASE_PASSWORD": database.rival_password, "DATABASE_DSN": f"pgsql:host={database.socket};dbname=todo",
            "BETTER_AUTH_SECRET": tokens.secret, "BETTER_AUTH_URL": ORIGIN, "PYTHONDONTWRITEBYTECODE": "1",
        }
        with open(OUT / f"{self.name}.log", "ab") as log:
            for folder, command, more in self.prepare():
                self.running.append(subprocess.Popen(
                    [str(part) for part in command], cwd=folder, stdout=log, stderr=log,
                    stdin=subprocess.DEVNULL, env=environment | more, start_new_session=True))
        self.roots = [one.pid for one in self.running]
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.is_up():
                return
            time.sleep(0.1)
        self.stop()
        raise SystemExit(f"bench: {self.name} does not answer, see build/bench/{self.name}.log")

    def stop(self):
        for one in reversed(self.running):
            one.send_signal(signal.SIGTERM)
        for one in self.running:
            try:
                one.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()
        self.running = []


class Bare(Contestant):
    """pgbench: the very statements of the product, with as many clients, and nothing in front of them."""

    SCRIPTS = {
        "list": (["IDENTITY", "LIST_CREATED_DESC"], {2: ":nothing", 3: ":nothing", 4: ":nothing", 5: ":nothing", 6: ":limit"}),
        "get": (["IDENTITY", "TASK_GET"], {2: ":task"}),
        "create": (["IDENTITY", "TURN", "TASK_CREATE_WITHIN"],
                   {2: "gen_random_uuid()", 3: ":title", 4: ":description", 5: ":no", 6: ":priority", 7: ":nothing",
                    8: ":tags", 9: ":most"}),
        "toggle": (["IDENTITY", "TASK_COMPLETE"], {2: ":task", 3: ":nothing", 4: ":nothing"}),
    }
    # A variable that pgbench does not know is sent as NULL: :nothing.
    VARIABLES = {"timeout": 9000, "limit": 1001, "no": "f", "most": 10000, "tags": "home\nweek 7",
                 **{key: json.loads(CREATE_BODY)[key] for key in ("title", "description", "priority")}}

    def start(self, database, tokens):
        self.database, self.tokens = database, tokens
        lines = subprocess.run([ROOT / "build/release/tests/bench/statements"], check=True, capture_output=True, text=True)
        self.statements = dict(line.split("\t", 1) for line in lines.stdout.splitlines())

    def stop(self):
        pass

    def script(self, work):
        """Writes the script of one work and says where it is."""
        names, values = self.SCRIPTS[work]
        task = "('01930000-0000-7000-8000-' || :number)"
        lines = [f"\\set index random(0, {len(self.tokens.users) - 1}) * {self.tokens.step}",
                 f"\\set user {FIRST_USER} + :index", "\\set number 100000000000 + :index", "\\startpipeline"]
        for name in names:
            known = {1: ":user"} | ({2: ":timeout", 3: ":nothing"} if name == "IDENTITY" else values)
            # Every parameter is a text, as the product declares them.
            sql = re.sub(r"\$(\d+)", lambda found: known[int(found[1])] + "::text", self.statements[name])
            lines.append(sql.replace(":task", task) + ";")
        file = OUT / f"{work}.sql"
        file.write_text("\n".join([*lines, "\\endpipeline"]) + "\n")
        return file

    def measure(self, work, connections, seconds):
        return pgbench(self.database.url, self.script(work), connections, seconds, self.VARIABLES, self.database.pid)


def uvicorn(folder, loop, http, backlog):
    """Two processes that share the connections evenly."""
    command = ["/usr/bin/python3", RIVALS / "serve.py", loop, http, backlog]
    return [(RIVALS / folder, command, {})] * 2


def fastapi():
    # As `pip install uvicorn` brings it: asyncio's own loop, h11, and its backlog.
    return uvicorn("fastapi", "asyncio", "h11", "2048")


def fastapi_tuned():
    return uvicorn("fastapi-tuned", "uvloop", "httptools", "4096")


def fastify():
    source, target = RIVALS / "fastify", OUT / "fastify"
    lock = (source / "package-lock.json").read_bytes()
    if not (target / "installed").exists() or (target / "package-lock.json").read_bytes() != lock:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(source / name, target)
        run(["npm", "ci", "--prefix", target])
        (target / "installed").touch()
    shutil.copy(source / "server.mjs", target)
    return [(target, ["node", "server.mjs"], {"PROCESSES": "2", "NODE_ENV": "production"})]


def php(processes="2", one_round_trip=""):
    shutil.copy(RIVALS / "php/index.php", RUN)
    root = ["-R"] if os.geteuid() == 0 else []
    settings = (RIVALS / "php/fpm.conf").read_text()
    if root:
        settings += "user = root\ngroup = root\n"
    (RUN / "fpm.conf").write_text(settings)
    return [(RUN, ["php-fpm8.2", *root, "-F", "-y", RUN / "fpm.conf"], {"PROCESSES": processes, "ONE_ROUND_TRIP": one_round_trip}),
            (RUN, ["lighttpd", "-D", "-f", RIVALS / "php/lighttpd.conf"], {})]


def php_tuned():
    return php("8", "1")


# ---- the same answers ----

def plain(value):
    """An answer in a form in which equal means equal: instants without their spelling, the last change without its time."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: len(plain(one)) if key == "updated_at" else plain(one) for key, one in value.items()}
    if isinstance(value, str) and len(value) >= 20 and value[10] == "T" and value[-1] in "Z0":
        head = value.removesuffix("+00:00").removesuffix("Z")
        whole, _, part = head.partition(".")
        return f"{whole}.{part:0<6}"
    return value


def answers(contestant, tokens):
    """What a contestant says to one of each work, of some users; what no two runs have alike is left out."""
    said = {}
    for work in ("me", "list", "get", "create", "toggle", "reject"):
        for index in (0, 7, 999):
            request = requests_for(work, tokens, contestant.port, "hs256")[index]
            status, body = ask(contestant.port, request)
            content = plain(json.loads(body)) if work != "reject" else None
            if work == "create":
                content = {key: len(one) if key in ("id", "created_at") else one for key, one in content.items()}
            said[work, index] = status, content
            if work == "toggle":
                ask(contestant.port, request)
        foreign = raw(contestant.port, "GET", f"/api/{tokens.users[1]}/tasks", tokens.of["hs256"][0])
        said["foreign", 0] = ask(contestant.port, foreign)[0]
    return said


def compare(contestant, said, expected):
    """Ends the run when somebody is measured doing less, or something else."""
    for key, answer in expected.items():
        if said[key] != answer:
            ours, theirs = ([f"{one}," for one in str(text).split(", ")] for text in (answer, said[key]))
            differing = "\n".join(line for line in difflib.unified_diff(ours, theirs, "the product", contestant.name, "", "", 1))
            raise SystemExit(f"bench: {contestant.name} answers {key[0]} otherwise:\n{differing}")
