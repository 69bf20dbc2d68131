// The site of many machines (tests/cluster/hosts) while one after the other dies: a host of responders, a web server's, the
// database's primary. Clients do everything that the contract offers, and a model remembers every answer. While a machine is
// missing nobody notices; in the moment of its death, and until there is a new primary, the answers are those of faults.mjs,
// each one of ours that may be repeated with Retry-After. At the end nothing acknowledged is lost, and nothing was done twice.
//
//   node tests/cluster/cluster.mjs [--seed N] [--clients N] [--users N]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { Client } from "../torture/client.mjs";
import { Faults } from "../torture/faults.mjs";
import { ISSUER, Key } from "../torture/keys.mjs";
import { User, Violation } from "../torture/model.mjs";
import { makeRandom } from "../torture/random.mjs";
import { pause, run, say } from "../torture/run.mjs";
import { Stack } from "../torture/stack.mjs";
import { verify } from "../torture/verify.mjs";

const LIMIT = 600; // seconds, for all of it
const DATABASE_TIMEOUT = 5; // seconds
const THINK_MAX = 300; // milliseconds between two operations of a client
// A write whose answer is missing may be done on the primary and wait there for a replica, which no time-out ends.
const SETTLE_TIME = 40_000;
const QUIET = 6_000; // how long the site is watched in each state
const FAILOVER_LIMIT = 90_000; // Patroni's ttl, an election, and a replica for the new primary, on a busy machine

const { values: options } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1e9) },
    clients: { type: "string", default: "40" },
    users: { type: "string", default: "100" },
  },
});
const seed = Number(options.seed);
const random = makeRandom(seed);

const key = new Key("cluster");
const stranger = new Key("cluster");
const tokens = new Map();
const keys = {
  token: (user) => tokens.get(user) ?? tokens.set(user, key.token(user)).get(user),
  fresh: (user) => key.token(user),
  expired: (user) => key.token(user, { iat: 1000, exp: 2000 }),
  foreign: (user) => stranger.token(user),
  unpublished: (user) => new Key("nowhere").token(user),
  early: 0,
};

const folder = mkdtempSync(`${tmpdir()}/cluster-`);
const stack = new Stack("cluster", "lighttpd", { BETTER_AUTH_URL: ISSUER, JWKS_FILE: `${folder}/keys.json`, TODO_DATABASE_TIMEOUT: String(DATABASE_TIMEOUT) }, "tests/cluster/hosts");
const clients = [];
const answers = {};
let stop = false;

function count(request, answer) {
  const code = answer.status >= 500 && (/"code":"(\w+)"/.exec(answer.body)?.[1] ?? "");
  const name = answer.cut ? "cut" : code ? `${answer.status} ${code}` : String(answer.status);
  answers[name] = (answers[name] ?? 0) + 1;
}

async function work(client) {
  while (!stop) {
    await client.step();
    await pause(client.random.below(THINK_MAX));
  }
}

async function until(what, limit, holds) {
  const end = performance.now() + limit;
  let found;
  while (!(found = await holds())) {
    if (performance.now() > end) throw new Violation(`never: ${what}`);
    await pause(200);
  }
  return found;
}

// ---- the database's nodes, as Patroni sees them ----

async function members() {
  for (const url of stack.values.PATRONIS.trim().split(" ")) {
    const text = await fetch(`${url}/cluster`, { signal: AbortSignal.timeout(3000) }).then((answer) => answer.text(), () => "");
    if (text) return JSON.parse(text).members;
  }
  return [];
}

// The node that takes writes, once another follows that each write waits for; `other` than this one.
const primary = async (other) => {
  const all = await members();
  const leader = all.find(({ role, state, name }) => role === "leader" && state === "running" && name !== other);
  return leader && all.some(({ role, state }) => role === "sync_standby" && ["running", "streaming"].includes(state)) ? leader.name : undefined;
};

const follows = async (name) => (await members()).some((member) => member.name === name && ["replica", "sync_standby"].includes(member.role)
  && ["running", "streaming"].includes(member.state) && member.lag === 0);

// ---- what is seen ----

// A program that is reached by TCP closes the connection of everybody but the web servers before it has read anything.
async function expectRefusal() {
  const [host, port] = stack.values.RESPONDER.split(":");
  const head = Buffer.from([1, 9, 0, 0, 0, 0, 0, 0]); // FCGI_GET_VALUES, which anybody let in is answered
  const ask = (localAddress) => new Promise((resolve) => {
    let length = 0;
    const socket = connect({ host, port, localAddress });
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("connect", () => socket.write(head));
    socket.on("data", (data) => {
      length += data.length;
      socket.destroy();
    });
    socket.on("close", () => resolve(length));
  });
  if ((await ask("127.0.0.1")) === 0) throw new Violation("a responder does not answer a web server");
  if ((await ask(stack.values.ELSEWHERE)) > 0) throw new Violation("a responder answers who is no web server");
}

// Programs know who asks, past balancer and web server, and no header makes them believe in somebody else.
async function expectAddress() {
  const request = (await fetch(`${stack.values.BASE_URL}/auth/me`, { headers: { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.1" } })).headers.get("x-request-id");
  const line = await until("a line in the log", 10_000, () => [1, 2]
    .flatMap((number) => readFileSync(`${stack.values.LOG_DIR}/auth-app-${number}.log`, "utf8").split("\n"))
    .find((text) => text.includes(request)));
  if (!JSON.parse(line).client.startsWith("127.0.0.")) throw new Violation(`the client is not 127.0.0.1: ${line}`);
}

// The machine dies, and is missed by nobody: from when the site has answered once, every answer must be a good one. Then
// it comes back, which nobody notices either.
async function die(faults, name, host) {
  await faults.during(name, () => stack.run("kill", host));
  await pause(QUIET);
  await stack.run("start", host);
  say(`${host} is back`);
  await pause(QUIET);
}

async function failover(faults) {
  const old = await until("a primary with a replica", FAILOVER_LIMIT, () => primary());
  let next;
  await faults.during("primary_killed", async () => {
    await stack.run("kill", old);
    next = await until("a new primary with a replica", FAILOVER_LIMIT, () => primary(old));
  });
  say(`${next} follows upon ${old}`);
  if (!Object.keys(answers).some((answer) => /^50[34] (database|outcome)/.test(answer))) throw new Violation("the primary was missed by nobody");
  await pause(QUIET);
  await stack.run("start", old);
  await until(`${old} follows`, FAILOVER_LIMIT, () => follows(old));
  say(`${old} follows ${next}`);
  await pause(QUIET);
}

// Where the balancer reaches no web server it says itself when to come again, in the words of all our errors.
async function expectApology() {
  await stack.run("kill", "web-1");
  await stack.run("kill", "web-2");
  const answer = await fetch(`${stack.values.BASE_URL}/health`);
  const { code } = await answer.json();
  const said = [answer.status, answer.headers.get("content-type"), answer.headers.get("retry-after"), code].join(" ");
  if (said !== "503 application/problem+json 2 unavailable") throw new Violation(`without web servers the balancer says ${said}`);
}

async function main() {
  writeFileSync(`${folder}/keys.json`, JSON.stringify({ keys: [key.jwk] }), { mode: 0o644 });
  await stack.run("up");
  await expectRefusal();
  await expectAddress();
  const faults = new Faults(stack, keys, random, say);
  const { hostname: host } = new URL(stack.values.BASE_URL);
  const users = Array.from({ length: Number(options.users) }, (_, number) => new User(`user ${number}`));
  const ids = Array.from({ length: 20 }, () => random.uuid());
  for (let number = 0; number < Number(options.clients); number++) {
    clients.push(new Client({ number, host, port: stack.port, users, ids, keys, faults, random: makeRandom(seed + 1 + number), settleTime: SETTLE_TIME, count }));
  }
  say(`at ${stack.values.BASE_URL}, ${clients.length} clients of ${users.length} users; seed ${seed}`);

  const failed = Promise.all(clients.map(work)); // rejects with the first violation
  failed.catch(() => (stop = true));
  const faulty = async () => {
    await pause(QUIET);
    await die(faults, "app_killed", random.pick(["app-1", "app-2"]));
    await die(faults, "web_killed", random.pick(["web-1", "web-2"]));
    await failover(faults);
  };
  await Promise.race([failed, faulty()]);
  stop = true;
  await failed;
  say(`answers ${JSON.stringify(answers)}`);

  const settles = Math.max(0, ...users.flatMap((user) => [...user.all()]).map((task) => task.settles));
  await pause(Math.max(0, settles - performance.now()));
  const rows = await verify(clients, users, stack);
  say(`${rows} tasks, all as acknowledged`);
  await expectApology();
}

async function end(failed) {
  stop = true;
  for (const client of clients) client.close();
  await stack.end(failed).finally(() => rmSync(folder, { recursive: true }));
}

await run(main, end, { limit: LIMIT, again: `SEED=${seed}` });
