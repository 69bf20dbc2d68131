// The torture run: clients do everything that the contract offers while what serves them is killed at random, and a model
// remembers every answer. At the end nothing is lost, nothing was done twice, and nothing is left over.
//
//   node tests/torture/torture.mjs [--server lighttpd|apache] [--seconds N] [--seed N] [--clients N] [--users N]
import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { Client } from "./client.mjs";
import { Faults } from "./faults.mjs";
import { Key, KeyServer, ISSUER } from "./keys.mjs";
import { User, Violation } from "./model.mjs";
import { makeRandom } from "./random.mjs";
import { pause, run, say } from "./run.mjs";
import { Stack } from "./stack.mjs";
import { verify } from "./verify.mjs";

const DATABASE_TIMEOUT = 5; // seconds
const THINK_MAX = 300; // milliseconds between two operations of a client
// How long a write whose answer is missing may still be under way: the most that a statement is given, and the time to
// come to it.
const SETTLE_TIME = (DATABASE_TIMEOUT + 5) * 1000;
const STATE_FILES = /^(shared-.*|machine\.key|jwks-.*\.copy|.*\.lock|ready)$/;

const { values: options } = parseArgs({
  options: {
    server: { type: "string", default: "lighttpd" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1e9) },
    clients: { type: "string", default: "200" },
    users: { type: "string", default: "500" },
  },
});
const seed = Number(options.seed);
const random = makeRandom(seed);

// ---- keys ----

// Keys as Better Auth rotates them: the new one signs, the ones before stay in the set.
class Keys {
  server = new KeyServer();
  held = [new Key("key-0")];
  stranger = new Key("key-0"); // another's pair under our name
  tokens = new Map();
  early = 0; // requests under way with a token of a key that is not published yet

  published() {
    return this.held.slice(0, 3);
  }

  // The user's token, issued once under each key.
  token(user) {
    let token = this.tokens.get(user);
    if (!token) this.tokens.set(user, (token = this.held[0].token(user)));
    return token;
  }

  fresh = (user) => this.held[0].token(user);
  expired = (user) => this.held[0].token(user, { iat: 1000, exp: 2000 });
  foreign = (user) => this.stranger.token(user);
  unpublished = (user) => this.next?.token(user);

  // The key server dies, and comes back with a further key. Tokens under it are no good before, and good ever after.
  async rotate() {
    await this.server.kill();
    this.next = new Key(`key-${this.held.length}`);
    await pause(random.below(1500));
    const next = this.next;
    this.next = undefined;
    while (this.early > 0) await pause(20);
    await this.server.start([next, ...this.published()]);
    const end = performance.now() + 30_000;
    const bearer = { headers: { authorization: `Bearer ${next.token("nobody")}` } };
    while ((await fetch(`${stack.values.BASE_URL}/auth/me`, { ...bearer, signal: AbortSignal.timeout(10_000) }).then(({ status }) => status, () => 0)) !== 200) {
      if (performance.now() > end) throw new Violation("a new key is never taken over");
      await pause(100);
    }
    this.held.unshift(next);
    this.tokens.clear();
  }
}

// ---- the world ----

// Ids of every kind that Better Auth or a generator of one's own makes.
function userId(number) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  switch (number % 10) {
    case 0: return random.uuid();
    case 1: return String(number);
    case 2: return `üser ${number}%41+&;'"`;
    default: return Array.from({ length: 32 }, () => letters[random.below(letters.length)]).join("");
  }
}

const keys = new Keys();
const stack = new Stack("torture", options.server, {});
const statuses = {};
let operations = 0, requests = 0;
const clients = [];
let stop = false;

function count(request, answer) {
  requests++;
  const name = answer.cut ? (answer.reused ? "closed while idle" : "cut") : String(answer.status);
  statuses[name] = (statuses[name] ?? 0) + 1;
}

async function work(client) {
  while (!stop) {
    await client.step();
    operations++;
    await pause(client.random.below(THINK_MAX));
  }
}

// ---- what is left over ----

function measure() {
  const responders = stack.responders();
  return {
    count: responders.length,
    memory: stack.memory(),
    descriptors: Math.max(...responders.map(({ pid }) => stack.descriptors(pid).length)),
    backends: stack.backends().length,
  };
}

function leftovers(before, after, counts) {
  const found = [];
  const families = new Set([...stack.responders(), ...stack.children(Number(stack.values.WEB_PID))].map(({ pid }) => pid));
  for (const { pid, parent, program, leads } of stack.responders()) {
    if (!leads && !families.has(parent) && !counts.manager_killed) found.push(`${program} ${pid} has lost its parent`);
  }
  found.push(...Stack.grown(before.memory, after.memory));
  // Two more than ever before: the connection to the database and a lock may be held at one moment and not at the other.
  if (after.descriptors > before.descriptors + 2) found.push(`a responder has ${after.descriptors} descriptors, ${before.descriptors} before`);
  if (after.backends > after.count) found.push(`${after.backends} connections to the database of ${after.count} processes`);
  for (const { pid, program } of stack.responders()) {
    for (const target of stack.descriptors(pid)) {
      if (target.endsWith(" (deleted)") && target.includes("/state/")) found.push(`${program} ${pid} holds ${target}`);
    }
  }
  for (const name of readdirSync(stack.values.STATE_DIR)) if (!STATE_FILES.test(name)) found.push(`${name} is left in STATE_DIR`);
  return found;
}

async function main() {
  const seconds = Number(options.seconds);
  await keys.server.start(keys.published());
  Object.assign(stack.environment, {
    BETTER_AUTH_URL: ISSUER, JWKS_URL: `http://127.0.0.1:${keys.server.port}/jwks`, JWKS_INSECURE_LOOPBACK: "1",
    JWKS_REFRESH: "5", JWKS_COOLDOWN: "1", JWKS_TIMEOUT: "2", TODO_DATABASE_TIMEOUT: String(DATABASE_TIMEOUT),
  });
  await stack.run("up");
  const faults = new Faults(stack, keys, random, say);
  const users = Array.from({ length: Number(options.users) }, (_, number) => new User(userId(number)));
  const ids = Array.from({ length: 20 }, () => random.uuid());
  for (let number = 0; number < Number(options.clients); number++) {
    clients.push(new Client({ number, port: stack.port, users, ids, keys, faults, random: makeRandom(seed + 1 + number), settleTime: SETTLE_TIME, count }));
  }
  say(`${options.server} at ${stack.values.BASE_URL}, ${clients.length} clients of ${users.length} users for ${seconds} s; seed ${seed}`);

  const until = performance.now() + seconds * 1000;
  const working = clients.map(work);
  const failed = Promise.all(working); // rejects with the first violation
  failed.catch(() => (stop = true));
  // Nothing goes wrong at first, so that there is something to compare with.
  await Promise.race([failed, pause(Math.min(10, seconds / 4) * 1000)]);
  const before = measure();
  say(`before ${JSON.stringify(before)}`);
  if (before.descriptors === 0) say("the programs hide their memory and descriptors from this user: only root sees whether these grow");
  await Promise.race([failed, faults.run(until)]);
  await Promise.race([failed, pause(Math.max(0, until - performance.now()))]);
  stop = true;
  await failed;
  say(`${operations} operations, ${requests} requests, answers ${JSON.stringify(statuses)}`);
  say(`faults ${JSON.stringify(faults.counts)}`);

  await pause(SETTLE_TIME);
  await faults.healthy();
  const rows = await verify(clients, users, stack);
  const after = measure();
  say(`after ${JSON.stringify(after)}; ${rows} tasks, all as acknowledged`);
  const found = leftovers(before, after, faults.counts);
  if (found.length) throw new Violation(found.join("\n"));
}

async function end(failed) {
  stop = true;
  for (const client of clients) client.close();
  await keys.server.kill();
  await stack.end(failed);
}

await run(main, end, { again: `SEED=${seed}` });
