// What goes wrong, and what a client may get to see while it does.
//
// Each fault is open from before it is done until its traces are gone, and a request that overlaps it may end in one of the
// ways its row names; with no fault open every answer is one that the contract gives a healthy service.
import { pause } from "./run.mjs";

// Ways to end, other than well: `cut`, no whole answer; `server 5xx`, the web server answered by itself; otherwise status
// and code of a problem of ours.
const DATABASE_AWAY = ["503 database_unavailable", "503 database_busy", "503 outcome_unknown", "504 database_timeout"];
const RESPONDER_GONE = ["cut", "server 500", "server 502", "server 503", "server 504"];

// name → ways, and how many seconds after its end a trace of it may still show. DATABASE: a process whose connecting
// failed asks again a second later. WEB: a server takes a moment to see who is gone.
export const TABLE = {
  worker_killed: { ways: RESPONDER_GONE, trace: 3 },
  // A worker that is told to stop ends its request first, and its siblings hold the socket.
  worker_told: { ways: [], trace: 0 },
  // Under mod_fcgid each process has a socket of its own, and what waits there when it stops is lost.
  process_told: { ways: RESPONDER_GONE, trace: 3 },
  parent_killed: { ways: RESPONDER_GONE, trace: 3 },
  programs_replaced: { ways: [], trace: 0 },
  web_child_killed: { ways: RESPONDER_GONE, trace: 3 },
  // Apache's graceful restart.
  web_replaced: { ways: [], trace: 0 },
  // mod_fcgid's: a new one starts new processes, and those of the old one serve nobody any more.
  manager_killed: { ways: RESPONDER_GONE, trace: 3 },
  backends_ended: { ways: DATABASE_AWAY, trace: 3 },
  commits_unanswered: { ways: DATABASE_AWAY, trace: 3 },
  backend_killed: { ways: DATABASE_AWAY, trace: 3 },
  database_stopped: { ways: DATABASE_AWAY, trace: 3 },
  keys_down: { ways: [], trace: 0 },
  keys_slow: { ways: [], trace: 0 },
  keys_rotated: { ways: [], trace: 0 },
  // Of a site of many machines (tests/cluster): what the dead one had begun is lost, and everything else goes on elsewhere.
  app_killed: { ways: [...RESPONDER_GONE, ...DATABASE_AWAY], trace: 3 },
  web_killed: { ways: RESPONDER_GONE, trace: 3 },
  primary_killed: { ways: DATABASE_AWAY, trace: 3 },
};

export class Faults {
  open = []; // { name, from, to }: `to` Infinity while it lasts
  counts = {};

  constructor(stack, keys, random, log) {
    Object.assign(this, { stack, keys, random, log });
  }

  // May a request that lasted from `sent` to `answered` have ended that way?
  allows(way, sent, answered) {
    return this.open.some((fault) => fault.from <= answered && sent <= fault.to && TABLE[fault.name].ways.includes(way));
  }

  describe(sent, answered) {
    const near = this.open.filter((fault) => fault.from <= answered && sent <= fault.to);
    return near.length ? near.map((fault) => fault.name).join(", ") : "none";
  }

  async during(name, work) {
    const fault = { name, from: performance.now(), to: Infinity };
    this.open.push(fault);
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    await work();
    await this.healthy();
    fault.to = performance.now() + TABLE[name].trace * 1000;
    this.log(`${name} (${((fault.to - fault.from) / 1000).toFixed(1)} s)`);
  }

  // Until every program answers again; that it never does is a defect like any other.
  async healthy() {
    const end = performance.now() + 60_000;
    for (const path of ["/ready", "/auth/me", "/api/-/tasks", "/api/-/export"]) {
      for (;;) {
        const signal = AbortSignal.timeout(10_000); // a request that a dead process took along is asked again
        const [status, text] = await fetch(`${this.stack.values.BASE_URL}${path}`, { signal }).then(async (answer) => [answer.status, await answer.text()], (error) => [0, String(error)]);
        if (status === (path === "/ready" ? 200 : 401)) break;
        if (performance.now() > end) throw new Error(`GET ${path} does not recover: ${status} ${text}`);
        await pause(50);
      }
    }
  }

  // The rows that this server's processes make possible: [weight, name, work].
  kinds() {
    const { stack, keys, random } = this;
    const fcgid = stack.values.SERVER === "apache";
    const lighttpd = stack.values.SERVER === "lighttpd";
    const some = (list, most) => {
      const rest = [...list];
      return Array.from({ length: Math.min(rest.length, 1 + random.below(most)) }, () => rest.splice(random.below(rest.length), 1)[0]);
    };
    const workers = () => stack.responders().filter((process) => !process.leads);
    const parents = () => stack.responders().filter((process) => process.leads);
    const send = (list, name) => list.forEach((process) => stack.signal(process, name));
    // Past a database that may be away at this moment.
    const insist = async (text) => {
      while (!(await stack.query(text).then(() => true, () => false))) await pause(100);
    };
    const stopped = async (name) => {
      const postmaster = stack.all().find(({ pid }) => pid === Number(stack.values.DATABASE_PID));
      stack.signal(postmaster, name);
      while (stack.all().some(({ pid, born }) => pid === postmaster.pid && born === postmaster.born)) await pause(20);
      await pause(random.below(2000));
      await stack.run("database", "start");
    };
    return [
      [4, "worker_killed", async () => send(some(workers(), 3), "SIGKILL")],
      [2, fcgid ? "process_told" : "worker_told", async () => send(some(workers(), 3), "SIGTERM")],
      ...(fcgid ? [] : [[1, "programs_replaced", async () => send(parents(), "SIGHUP")]]),
      // Apache's threads live in one child; mod_fcgid's manager is another, and has children itself.
      ...(lighttpd ? [] : [[1, "web_child_killed", async () => send(stack.children(Number(stack.values.WEB_PID)).filter((child) => !stack.children(child.pid).length), "SIGKILL")]]),
      ...(lighttpd ? [] : [[2, "web_replaced", async () => send(stack.all().filter(({ pid }) => pid === Number(stack.values.WEB_PID)), "SIGUSR1")]]),
      ...(fcgid ? [[1, "manager_killed", async () => send(stack.children(Number(stack.values.WEB_PID)).filter((child) => stack.children(child.pid).length), "SIGKILL")]] : []),
      [4, "backends_ended", async () => send(some(stack.backends(), 4), "SIGTERM")],
      // Commits wait for a standby that there is not, and end, done but without an answer, with their backend. At any other
      // time a backend that ends takes its transaction along, but for some microseconds.
      [3, "commits_unanswered", async () => {
        await insist("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        await insist("SELECT pg_reload_conf()");
        await pause(200 + random.below(500));
        send(stack.backends(), "SIGTERM");
        await insist("ALTER SYSTEM RESET synchronous_standby_names");
        await insist("SELECT pg_reload_conf()");
        await insist("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
      }],
      [1, "backend_killed", async () => send(some(stack.backends(), 1), "SIGKILL")],
      [2, "database_stopped", () => stopped("SIGQUIT")],
      [1, "database_stopped", () => stopped("SIGINT")],
      [1, "keys_down", async () => {
        await keys.server.kill();
        await pause(random.below(3000));
        await keys.server.start(keys.published());
      }],
      [1, "keys_slow", async () => {
        keys.server.signal("SIGSTOP");
        await pause(random.below(3000));
        keys.server.signal("SIGCONT");
      }],
      [2, "keys_rotated", () => keys.rotate()],
    ];
  }

  // One to three at once, then quiet, so that both are seen: what faults may do, and that nothing is left of them.
  async run(until) {
    while (performance.now() < until - 8000) {
      const kinds = this.kinds();
      const chosen = new Map();
      for (let count = 1 + this.random.below(3); count > 0; count--) {
        const [, name, work] = this.random.weigh(kinds.map((row) => [row[0], row]));
        chosen.set(name.split("_")[0], [name, work]);
      }
      await Promise.all([...chosen.values()].map(async ([name, work]) => {
        await pause(this.random.below(1000));
        await this.during(name, work);
      }));
      await pause(this.random.below(2000) + 500);
      // What no request can overlap any more is forgotten.
      this.open = this.open.filter((fault) => fault.to > performance.now() - 120_000);
    }
  }
}
