"""What is measured, and how: wrk and pgbench for speed, /proc for processor time and memory."""
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
SERVERS = {"lighttpd", "apache2"}


@dataclass
class Sample:
    """One measurement of one work; times in microseconds."""
    requests: int
    seconds: float
    errors: int
    p50: float
    p99: float
    mean: float
    worst: float
    cpu: dict = field(default_factory=dict)  # a request, by who spent it: server, program, database, client

    @property
    def rate(self):
        return self.requests / self.seconds


# ---- processes ----

def processes():
    """Every process: pid, parent, name, ticks spent by itself and by its children that ended."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        values = text[text.rindex(")") + 2:].split()
        yield int(stat.parent.name), int(values[1]), name, sum(map(int, values[11:15]))


def tree(roots):
    """The processes below these, and themselves: pid, name, ticks."""
    everything = {pid: (parent, name, ticks) for pid, parent, name, ticks in processes()}
    wanted = set(roots)
    for pid in everything:
        line, at = [], pid
        while at in everything and at not in wanted:
            line.append(at)
            at = everything[at][0]
        if at in wanted:
            wanted.update(line)
    return [(pid, *everything[pid][1:]) for pid in wanted if pid in everything]


def spent(roots, database):
    """Microseconds of processor time so far, by who spent them."""
    sums = {"server": 0.0, "program": 0.0, "database": 0.0}
    for _, name, ticks in tree(roots):
        sums["server" if name in SERVERS else "program"] += ticks * TICK
    for _, _, ticks in tree([database]):
        sums["database"] += ticks * TICK
    return sums


def wait_for_end(root, those):
    """Waits until no process but those is left below this one, so that the time of the others is counted as its children's."""
    end = time.monotonic() + 30
    while {pid for pid, *_ in tree([root])} - those:
        if time.monotonic() > end:
            raise SystemExit("bench: PostgreSQL keeps processes of clients that have ended")
        time.sleep(0.01)


def memory(roots, without=()):
    """MiB of proportional set size; None where that may not be read."""
    total = 0
    for pid, name, _ in tree(roots):
        if name in without:
            continue
        try:
            total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
        except PermissionError:
            return None
        except (OSError, TypeError):
            continue
    return total / 1024


# ---- load ----

# What makes the load lives on the cores of what it measures. A client on another machine pushes nobody aside, so this one
# waits for its turn as well (sched(7)): else the answers that lighttpd writes stop it, where the two share a core.
GIVES_WAY = ("chrt", "--batch", "0")


def raw(port, method, path, token=None, body=None):
    """A request as wrk sends it."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    elif method not in ("GET", "HEAD"):
        lines.append("Content-Length: 0")
    return "\r\n".join(lines) + "\r\n\r\n" + (body or "")


def wrk(port, requests, connections, seconds, refused, roots, database):
    """Sends these requests in turn. `refused`: every answer must be a refusal, else none may."""
    file = HERE.parents[1] / "build/bench/requests"
    file.write_text("\0".join(requests))
    before = spent(roots, database)
    said = subprocess.run(
        [*GIVES_WAY, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", HERE / "wrk.lua",
         f"http://127.0.0.1:{port}/", "--", file, str(time.time_ns() // 1000 % len(requests))],
        capture_output=True, text=True)
    after = spent(roots, database)
    found = re.search(r"^RESULT (.*)$", said.stdout, re.M)
    if not found:
        raise SystemExit(f"bench: wrk failed: {said.stderr or said.stdout}")
    number, micros, refusals, broken, p50, p99, mean, worst = map(float, found[1].split())
    wrong = (number - refusals if refused else refusals) + broken
    return Sample(int(number), micros / 1e6, int(wrong), p50, p99, mean, worst,
                  {key: (after[key] - before[key]) / max(number, 1) for key in after})


def pgbench(url, script, connections, seconds, variables, database):
    """The same statements with nothing in front of them. Its own processor time is the client's."""
    log = HERE.parents[1] / "build/bench/pgbench"
    for old in log.parent.glob("pgbench.*"):
        old.unlink()
    server = {pid for pid, *_ in tree([database])}
    before, children = spent([], database), os.times()
    said = subprocess.run(
        [*GIVES_WAY, "pgbench", "-n", "-M", "prepared", f"-c{connections}", f"-j{min(2, connections)}", f"-T{seconds}", "-l",
         f"--log-prefix={log}", "-f", script, *(f"-D{name}={value}" for name, value in variables.items()), url],
        capture_output=True, text=True)
    ended = os.times()
    wait_for_end(database, server)
    after = spent([], database)
    done = re.search(r"number of transactions actually processed: (\d+)", said.stdout)
    rate = re.search(r"^tps = ([\d.]+)", said.stdout, re.M)
    if said.returncode or not done:
        raise SystemExit(f"bench: pgbench failed: {said.stderr or said.stdout}")
    times = sorted(int(line.split()[2]) for file in log.parent.glob("pgbench.*") for line in file.open())
    number = int(done[1])
    client = (ended.children_user + ended.children_system - children.children_user - children.children_system) * 1e6
    return Sample(number, number / float(rate[1]), 0, times[number // 2], times[number * 99 // 100],
                  sum(times) / number, times[-1],
                  {"server": 0, "program": 0, "client": client / number,
                   "database": (after["database"] - before["database"]) / number})
