// What one client does: an operation at a time on any user, judged by the model.
import { Connection } from "./http.mjs";
import { MEMBERS, Task, Violation, changed, shows, written } from "./model.mjs";

const TASKS_MAX = 30; // of a user; more are deleted rather than made
const ATTEMPTS = 4; // of what may safely be sent again
const JSON_TYPE = { "content-type": "application/json" };
const ORDERS = {
  created: (row) => row.created_at,
  updated: (row) => row.updated_at,
  title: (row) => row.title.toLowerCase(),
  due_date: (row) => row.due_date ?? "infinity",
  priority: (row) => String(["low", "medium", "high"].indexOf(row.priority)),
};
const TAGS = ["home", "work", "ünïcode", "100%", "a_b", "it's"];

const etag = (state) => `"${state.updated_at}"`;
const etagTime = (answer) => /^"(.+)"$/.exec(answer.headers.etag ?? "")?.[1];
const compare = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

export class Client {
  constructor(world) {
    Object.assign(this, world); // port (and host), users, ids, keys, faults, random, settleTime, count
    this.connection = new Connection(this.port, this.host);
    this.made = 0;
  }

  close() {
    this.connection.close();
  }

  // ---- asking ----

  // The answer with `way`: "" when it says what the operation's own table must explain; "refused": nothing was done;
  // "unknown": it may have been done, or be still under way. Anything that no open fault explains is a violation.
  async ask(request) {
    const answer = await this.connection.ask(request);
    this.count(request, answer);
    const fail = (what) => {
      throw new Violation(`${request.method} ${request.path}: ${what}\n  faults: ${this.faults.describe(answer.sent, answer.answered)}`);
    };
    if (answer.cut) {
      // A server may close an idle connection at any time; whether it saw what we sent, nobody knows.
      const idle = answer.reused && answer.cut === "ECONNRESET";
      if (!idle && !this.faults.allows("cut", answer.sent, answer.answered)) fail(`cut: ${answer.cut}`);
      return { ...answer, way: "unknown" };
    }
    const ours = answer.headers["x-request-id"] !== undefined;
    try {
      answer.json = answer.body.length ? JSON.parse(answer.body) : undefined;
    } catch {
      fail(`${answer.status} is no JSON: ${answer.body.toString().slice(0, 200)}`);
    }
    if (ours && answer.status < 500) {
      if (answer.headers["cache-control"] !== "no-store") fail("is not no-store");
      return { ...answer, way: "" };
    }
    // An answer to HEAD keeps its code to itself.
    if (ours && request.method === "HEAD") answer.json = { code: answer.status === 504 ? "database_timeout" : "database_unavailable" };
    const way = ours ? `${answer.status} ${answer.json?.code}` : `server ${answer.status}`;
    if (!this.faults.allows(way, answer.sent, answer.answered)) fail(`${way}: ${answer.body.toString().slice(0, 300)}`);
    if (!ours || answer.json.code === "outcome_unknown") return { ...answer, way: "unknown" };
    if (answer.headers["retry-after"] === undefined) fail(`${way} without Retry-After`);
    return { ...answer, way: "refused" };
  }

  headers(user, more) {
    return { authorization: `Bearer ${this.keys.token(user.id)}`, ...more };
  }

  // A read, again until it is answered by the program.
  async read(user, path, headers) {
    for (;;) {
      const answer = await this.ask({ method: "GET", path, headers: this.headers(user, headers) });
      if (answer.way === "") return answer;
    }
  }

  expect(answer, statuses, what) {
    if (!statuses.includes(answer.status)) throw new Violation(`${what}: ${answer.status} ${answer.body.toString().slice(0, 300)}\n  faults: ${this.faults.describe(answer.sent, answer.answered)}`);
  }

  // ---- contents ----

  title(user, word) {
    return `${user.id} ${this.random.pick(["milk", "Straße", "100% done", "naïve", "call"])} ${word}`;
  }

  word() {
    return `w${this.number}x${this.made++}`;
  }

  members(user, word) {
    const { random } = this;
    const all = {
      title: this.title(user, word),
      description: random.chance(0.3) ? null : `line ${random.below(1000)}\n\t"quoted" \\ ${"x".repeat(random.below(200))}`,
      completed: random.chance(0.3),
      priority: random.pick(["low", "medium", "high"]),
      due_date: random.chance(0.3) ? null : new Date(1.7e12 + random.below(1e9) * 100).toISOString().replace("Z", "000Z"),
      tags: TAGS.filter(() => random.chance(0.3)),
    };
    return all;
  }

  // All members, or some of the optional ones left out.
  body(user, word) {
    const all = this.members(user, word);
    return Object.fromEntries(Object.entries(all).filter(([name]) => name === "title" || this.random.chance(0.7)));
  }

  // ---- writes to one task ----

  // Sends a write and judges its answer. `outcome(state)` says what it does to a task in that state: { status, next };
  // `safe`: sending it again does no harm, whatever became of the first.
  async write(user, task, request, outcome, { safe = false, settled = safe } = {}) {
    task.busy = true;
    task.version++;
    try {
      for (let attempt = 1; ; attempt++) {
        const answer = await this.ask(request);
        task.note(`${attempt} ${request.method} ${request.path} ${JSON.stringify(request.headers, (key, value) => (key === "authorization" ? undefined : value))} ${request.body ?? ""} at ${answer.sent.toFixed(0)}: ${answer.status ?? answer.cut} ${answer.way} ${(answer.body ?? "").toString().slice(0, 400)}`);
        if (answer.way === "refused") return;
        if (answer.way === "unknown") {
          task.states = [...task.states, ...task.states.map((state) => outcome(state).next)]
            .filter((state, index, all) => all.findIndex((other) => JSON.stringify(other) === JSON.stringify(state)) === index);
          task.settles = performance.now() + this.settleTime;
          if (!safe || attempt === ATTEMPTS) return;
          continue;
        }
        this.wrote(user, task, request, answer, outcome);
        // What may still be under way can change nothing now.
        if (settled) task.settles = 0;
        return;
      }
    } finally {
      task.busy = false;
      task.version++;
    }
  }

  // Keeps what explains the answer to a write.
  wrote(user, task, request, answer, outcome) {
    const explained = task.states.map((state) => ({ state, ...outcome(state) })).filter(({ status }) => status === answer.status);
    if (explained.length === 0) task.fail(`${request.method} ${request.path} is answered ${answer.status}`);
    if (answer.status === 200 || answer.status === 201) {
      const row = answer.json;
      if (row.user_id !== user.id) throw new Violation(`${user.id} is given a row of ${row.user_id}`);
      if (!explained.some(({ next }) => shows(next, row))) task.fail(`${request.method} is answered ${JSON.stringify(row)}`);
      if (answer.headers.etag !== etag(row)) task.fail(`${answer.headers.etag} is no tag of ${JSON.stringify(row)}`);
      if (answer.status === 201) {
        if (row.created_at !== row.updated_at) task.fail("is new and changed");
        if (decodeURIComponent(answer.headers.location) !== `/api/${user.id}/tasks/${row.id}`) task.fail(`lies at ${answer.headers.location}`);
        if (task.id === null) {
          if (user.tasks.has(row.id)) task.fail(`gets an id that is taken`);
          user.nameless.delete(task.word);
          user.name(task, row.id);
        }
      }
      if (row.id !== task.id) task.fail(`is answered as ${row.id}`);
      task.states = [{ ...row }];
      return;
    }
    // A precondition that failed tells which one it was.
    const tag = answer.status === 412 ? etagTime(answer) : undefined;
    const states = explained.map(({ next }) => next)
      .filter((state) => !tag || state === null || (state.updated_at ? state.updated_at === tag : !state.after || tag > state.after))
      .map((state) => (tag && state ? { ...state, updated_at: tag, created_at: state.created_at ?? undefined } : state));
    if (states.length === 0) task.fail(`${request.method} is answered ${answer.status} with the tag ${tag}`);
    task.states = states;
  }

  async create(user) {
    if ([...user.all()].filter((task) => task.alive).length >= TASKS_MAX) return this.clear(user);
    const word = this.word();
    const body = this.body(user, word);
    const task = new Task(null, word, [null]);
    user.nameless.set(word, task);
    await this.write(user, task, { method: "POST", path: `${user.path}/tasks`, headers: this.headers(user, JSON_TYPE), body: JSON.stringify(body) },
      () => ({ status: 201, next: written(body) }));
    if (!task.alive) user.nameless.delete(word);
  }

  // Makes a task whose id the client chose, often one that other users chose as well.
  async make(user) {
    const id = this.random.chance(0.5) ? this.random.pick(this.ids) : this.random.uuid();
    const word = this.word();
    const task = user.tasks.get(id) ?? new Task(id, word, [null]);
    if (task.busy || task.settles > performance.now()) return;
    user.tasks.set(id, task);
    const body = this.body(user, word);
    await this.write(user, task, {
      method: "PUT", path: `${user.path}/tasks/${id}`, headers: this.headers(user, { ...JSON_TYPE, "if-none-match": "*" }), body: JSON.stringify(body),
    }, (state) => (state === null ? { status: 201, next: written(body) } : { status: 412, next: state }), { safe: true });
  }

  // One that can be written to now, mostly one that is there.
  idle(user, { named = true } = {}) {
    const now = performance.now();
    const free = [...user.all()].filter((task) => !task.busy && task.settles <= now && (!named || task.id));
    const alive = free.filter((task) => task.alive);
    return this.random.pick(alive.length && this.random.chance(0.95) ? alive : free);
  }

  // A change of a task that is there, sometimes on the condition that it is as we know it, or as it is not.
  async change(user, method, suffix, body, next, { type = JSON_TYPE, status = 200 } = {}) {
    const task = this.idle(user);
    if (!task) return;
    const headers = this.headers(user, body === undefined ? {} : type);
    const known = task.states.length === 1 && task.states[0];
    let tag;
    if (known && this.random.chance(0.4)) {
      tag = this.random.chance(0.8) && known.updated_at ? known.updated_at : "2001-01-01T00:00:00.000000Z";
      headers["if-match"] = `"${tag}"`;
    }
    // The mark of a condition that still holds is on one state alone.
    const outcome = (state) => {
      if (state === null) return { status: 404, next: null };
      if (tag && state.updated_at !== tag) return { status: 412, next: state };
      return { status, next: next(state) };
    };
    await this.write(user, task, { method, path: `${user.path}/tasks/${task.id}${suffix}`, headers, body: body === undefined ? undefined : JSON.stringify(body) }, outcome, {
      safe: tag !== undefined || method === "DELETE", settled: tag !== undefined,
    });
  }

  async replace(user) {
    const body = this.body(user, this.word());
    await this.change(user, "PUT", "", body, (state) => written(body, { created_at: state.created_at, after: state.updated_at ?? state.after }));
  }

  async patch(user) {
    const all = this.members(user, this.word());
    const body = Object.fromEntries(MEMBERS.filter(() => this.random.chance(0.4)).map((name) => [name, all[name]]));
    const defaults = { completed: false, priority: "medium", tags: [] };
    for (const name of Object.keys(defaults)) if (name in body && this.random.chance(0.2)) body[name] = null;
    const members = Object.fromEntries(Object.entries(body).map(([name, value]) => [name, value ?? defaults[name] ?? null]));
    // A patch without members is no change, so updated_at stays as well.
    const next = Object.keys(body).length ? (state) => changed(state, members) : (state) => state;
    await this.change(user, "PATCH", "", body, next, { type: { "content-type": "application/merge-patch+json" } });
  }

  async mark(user) {
    const completed = this.random.chance(0.5);
    await this.change(user, "PATCH", "/complete", { completed }, (state) => changed(state, { completed }));
  }

  async toggle(user) {
    await this.change(user, "PATCH", "/complete", undefined, (state) => changed(state, { completed: !state.completed }));
  }

  async remove(user) {
    await this.change(user, "DELETE", "", undefined, () => null, { status: 204 });
  }

  // ---- writes to all tasks of a user ----

  // True when nothing else of that user is under way; then it is ours alone until release().
  seize(user) {
    const now = performance.now();
    if (user.active > 1 || user.nameless.size > 0 || [...user.all()].some((task) => task.busy || task.settles > now)) return false;
    user.exclusive = true;
    return true;
  }

  async all(user, request, next, judge) {
    if (!this.seize(user)) return;
    try {
      const answer = await this.ask(request);
      for (const task of user.all()) {
        if (!task.alive) continue;
        task.version++;
        task.note(`${request.method} ${request.path} at ${answer.sent.toFixed(0)}: ${answer.status ?? answer.cut} ${answer.way}`);
        if (answer.way === "unknown") {
          task.states = [...task.states, ...task.states.map(next)].filter((state, index, states) => states.indexOf(state) === index);
          task.settles = performance.now() + this.settleTime;
        }
      }
      if (answer.way !== "") return;
      judge(answer);
      for (const task of user.all()) task.states = task.states.map(next);
    } finally {
      user.exclusive = false;
    }
  }

  async clear(user) {
    await this.all(user, { method: "DELETE", path: `${user.path}/tasks?status=completed`, headers: this.headers(user) },
      (state) => (state?.completed ? null : state),
      (answer) => {
        this.expect(answer, [200], "clear");
        const tasks = [...user.all()];
        const least = tasks.filter((task) => task.states.every((state) => state?.completed)).length;
        const most = tasks.filter((task) => task.states.some((state) => state?.completed)).length;
        if (answer.json.deleted < least || answer.json.deleted > most) throw new Violation(`${user.id}: clears ${answer.json.deleted} tasks, there were ${least} to ${most}`);
      });
  }

  async erase(user) {
    const headers = { authorization: `Bearer ${this.keys.fresh(user.id)}`, "x-confirm-erase": encodeURIComponent(user.id) };
    await this.all(user, { method: "DELETE", path: user.path, headers }, () => null, (answer) => this.expect(answer, [204], "erase"));
  }

  // ---- reads ----

  async get(user) {
    const tasks = [...user.all()].filter((task) => task.id && !task.busy);
    const task = this.random.pick(tasks);
    if (!task) return;
    const version = task.version;
    const known = task.states.length === 1 && task.states[0]?.updated_at;
    const conditional = known && this.random.chance(0.3);
    const answer = await this.read(user, `${user.path}/tasks/${task.id}`, conditional ? { "if-none-match": `W/"${known}"` } : {});
    this.expect(answer, [200, 304, 404], "get");
    if (answer.status === 200) user.taskOf(answer.json);
    if (task.busy || task.version !== version) return;
    if (answer.status === 200) task.saw(answer.json, answer.sent);
    else if (answer.status === 404) task.keep((state) => state === null, answer.sent, "is not found");
    else task.keep((state) => conditional && state?.updated_at === known, answer.sent, "is unchanged");
  }

  filter() {
    const { random } = this;
    const query = {};
    const tests = [];
    if (random.chance(0.4)) {
      query.status = random.pick(["pending", "completed", "all"]);
      if (query.status !== "all") tests.push((row) => row.completed === (query.status === "completed"));
    }
    if (random.chance(0.3)) {
      query.priority = random.pick(["low", "medium", "high"]);
      tests.push((row) => row.priority === query.priority);
    }
    if (random.chance(0.3)) {
      query.tag = random.pick(TAGS);
      tests.push((row) => row.tags.includes(query.tag));
    }
    if (random.chance(0.3)) {
      query.search = random.pick(["100%", "_", "MILK", "naïve", "\\", "quoted"]);
      const text = query.search.toLowerCase();
      tests.push((row) => [row.title, row.description].some((part) => part?.toLowerCase().includes(text)));
    }
    return { query, matches: (row) => tests.every((test) => test(row)) };
  }

  // A list, with a filter, in an order, in pages.
  async list(user, { plain = false } = {}) {
    const { query, matches } = plain ? { query: {}, matches: () => true } : this.filter();
    const order = this.random.pick(Object.keys(ORDERS));
    const descends = this.random.chance(0.5);
    if (!plain) Object.assign(query, { sort: order, order: descends ? "desc" : "asc" });
    if (!plain && this.random.chance(0.6)) query.limit = String(1 + this.random.below(10));
    const snapshot = user.snapshot();
    const rows = [];
    let sent = Infinity;
    let next = `${user.path}/tasks?${new URLSearchParams(query)}`;
    while (next) {
      const answer = await this.read(user, next);
      this.expect(answer, [200], next);
      sent = Math.min(sent, answer.sent);
      if (!plain) this.ordered(answer.json, ORDERS[order], descends, next);
      rows.push(...answer.json);
      const link = /^<(.+)>; rel="next"$/.exec(answer.headers.link ?? "")?.[1];
      next = link && new URL(link, `http://x${next}`).href.slice("http://x".length);
      if (rows.length > 10_000) throw new Violation(`${user.id}: a list without an end`);
    }
    user.read(rows, sent, snapshot, { matches });
  }

  ordered(rows, key, descends, what) {
    for (let at = 1; at < rows.length; at++) {
      const [before, after] = descends ? [rows[at], rows[at - 1]] : [rows[at - 1], rows[at]];
      const difference = compare(key(before), key(after)) || compare(before.id, after.id);
      if (difference >= 0) throw new Violation(`${what}: out of order: ${JSON.stringify(before)} ${JSON.stringify(after)}`);
    }
  }

  async export(user) {
    const snapshot = user.snapshot();
    const answer = await this.read(user, `${user.path}/export`);
    this.expect(answer, [200], "export");
    if (answer.json.user_id !== user.id) throw new Violation(`${user.id} is given the export of ${answer.json.user_id}`);
    user.read(answer.json.tasks, answer.sent, snapshot);
  }

  async head(user) {
    const answer = await this.ask({ method: "HEAD", path: `${user.path}/tasks`, headers: this.headers(user) });
    if (answer.way === "") this.expect(answer, [200], "HEAD");
    if (answer.way === "" && answer.body.length > 0) throw new Violation("HEAD has a body");
  }

  // ---- what is refused, whatever else goes wrong ----

  // Asks for something that has one answer, without the database; only the way there may fail.
  async certain(status, request, check = () => true) {
    const answer = await this.ask(request);
    if (answer.way !== "") {
      if (answer.way === "refused") throw new Violation(`${request.method} ${request.path}: ${answer.body} to what takes no database`);
      return;
    }
    this.expect(answer, [status], `${request.method} ${request.path}`);
    if (!check(answer)) throw new Violation(`${request.method} ${request.path}: ${answer.body}`);
  }

  async me(user) {
    if (this.random.chance(0.5)) await this.certain(200, { method: "GET", path: "/auth/me", headers: this.headers(user) }, (answer) => answer.json.user.id === user.id);
    else await this.certain(200, { method: "POST", path: "/auth/validate", headers: this.headers(user, { "content-length": "0" }) }, (answer) => answer.json.valid && answer.json.user_id === user.id);
  }

  async options(user) {
    await this.certain(204, { method: "OPTIONS", path: `${user.path}/tasks` }, (answer) => answer.headers.allow.includes("POST"));
  }

  // Every one of these writes would be seen if it were done: its title belongs to nobody.
  async intrude(user) {
    const other = this.random.pick(this.users.filter((candidate) => candidate !== user));
    const body = JSON.stringify({ title: `${user.id} was here` });
    const [method, path, more] = this.random.pick([
      ["GET", `${other.path}/tasks`, {}], ["POST", `${other.path}/tasks`, JSON_TYPE], ["GET", `${other.path}/export`, {}],
      ["DELETE", `${other.path}/tasks?status=completed`, {}], ["DELETE", other.path, { "x-confirm-erase": encodeURIComponent(other.id) }],
      ["PUT", `${other.path}/tasks/${this.random.pick(this.ids)}`, { ...JSON_TYPE, "if-none-match": "*" }],
      ["DELETE", `${other.path}/tasks/${this.random.pick(this.ids)}`, {}],
    ]);
    await this.certain(403, { method, path, headers: this.headers(user, more), body: more === JSON_TYPE || more["if-none-match"] ? body : undefined });
  }

  async forge(user) {
    const good = this.keys.token(user.id);
    const [head, claims, signature] = good.split(".");
    const other = this.random.pick(this.users.filter((candidate) => candidate !== user));
    const flipped = Buffer.from(signature, "base64url");
    flipped[this.random.below(flipped.length)] ^= 1 << this.random.below(8);
    const unpublished = () => this.keys.unpublished(user.id);
    const make = this.random.pick([
      () => `${head}.${this.keys.token(other.id).split(".")[1]}.${signature}`,
      () => `${head}.${claims}.${flipped.toString("base64url")}`,
      () => `${head}.${claims}.`,
      () => `${Buffer.from('{"alg":"none"}').toString("base64url")}.${claims}.`,
      () => this.keys.expired(user.id),
      () => this.keys.foreign(user.id),
      unpublished,
    ]);
    const token = make();
    const early = make === unpublished && token ? 1 : 0;
    this.keys.early += early;
    try {
      await this.certain(401, { method: this.random.pick(["GET", "DELETE"]), path: `${user.path}/tasks?status=completed`, headers: token ? { authorization: `Bearer ${token}` } : {} });
    } finally {
      this.keys.early -= early;
    }
  }

  async blunder(user) {
    const [status, body] = this.random.pick([[422, "{}"], [422, '{"title":" "}'], [400, '{"title":"x"'], [422, '{"title":"x","user_id":"y"}'], [400, '{"title":"x","title":"y"}'], [422, `{"title":"${"x".repeat(256)}"}`]]);
    await this.certain(status, { method: "POST", path: `${user.path}/tasks`, headers: this.headers(user, JSON_TYPE), body });
  }

  // ---- the mix ----

  static MIX = [
    [14, "create"], [10, "make"], [10, "get"], [8, "replace"], [10, "patch"], [6, "mark"], [10, "toggle"], [6, "remove"],
    [14, "list"], [2, "export"], [2, "clear"], [0.5, "erase"], [3, "me"], [1, "head"], [1, "options"], [3, "intrude"], [3, "forge"], [2, "blunder"],
  ];

  async step() {
    const user = this.random.pick(this.users);
    if (user.exclusive) return;
    const operation = this.random.weigh(Client.MIX);
    user.active++;
    try {
      await this[operation](user);
    } finally {
      user.active--;
    }
  }
}
