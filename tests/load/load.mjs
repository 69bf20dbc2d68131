// A thousand users at once: as many connections, kept alive where the server keeps them, each request with the next user's
// token, on a table of 10,000 users with 20 tasks each. No request may fail; latency and throughput are printed, for whoever compares.
//
//   node tests/load/load.mjs [--server lighttpd|apache|apache-proxy] [--seconds N] [--connections N]
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ISSUER, Key } from "../torture/keys.mjs";
import { run } from "../torture/run.mjs";
import { Stack } from "../torture/stack.mjs";

const USERS = 10_000, TASKS = 20;

const { values: options } = parseArgs({
  options: {
    server: { type: "string", default: "lighttpd" },
    seconds: { type: "string", default: "60" },
    connections: { type: "string", default: "1000" },
  },
});
const folder = mkdtempSync(`${tmpdir()}/load-`);
const stack = new Stack("load", options.server, {});
const userOf = (number) => `user${String(number).padStart(6, "0")}`;
const taskOf = (number) => `00000000-0000-4000-8000-${String(number).padStart(6, "0")}000000`;

async function fill() {
  await stack.query(`
    INSERT INTO todo.task (user_id, id, title, description, due_date, tags)
    SELECT 'user' || lpad(u::text, 6, '0'), ('00000000-0000-4000-8000-' || lpad(u::text, 6, '0') || lpad(t::text, 6, '0'))::uuid,
           'Task ' || t, repeat('words ', t), now() + t * interval '1 day', ARRAY['home', 'work']
    FROM generate_series(0, ${USERS - 1}) u, generate_series(0, ${TASKS - 1}) t;`);
  await stack.query("VACUUM ANALYZE todo.task");
}

// Runs wrk, and reads what load.lua says at its end.
async function load(seconds) {
  const child = spawn("wrk", ["-t", "1", "-c", options.connections, "-d", `${seconds}s`, "--timeout", "60s",
    "-s", fileURLToPath(new URL("load.lua", import.meta.url)), stack.values.BASE_URL], { env: { ...process.env, LOAD_TOKENS: `${folder}/tokens` }, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  await new Promise((resolve) => child.once("close", resolve));
  const line = /^LOAD (.*)$/m.exec(said);
  if (!line) throw new Error(`wrk says nothing:\n${said}`);
  return JSON.parse(line[1]);
}

async function main() {
  const key = new Key("load");
  writeFileSync(`${folder}/keys.json`, JSON.stringify({ keys: [key.jwk] }), { mode: 0o644 });
  writeFileSync(`${folder}/tokens`, Array.from({ length: Number(options.connections) }, (_, number) => `${userOf(number)} ${taskOf(number)} ${key.token(userOf(number))}\n`).join(""));
  Object.assign(stack.environment, { BETTER_AUTH_URL: ISSUER, JWKS_FILE: `${folder}/keys.json` });
  await stack.run("up");
  await fill();
  await load(3); // so that what is started at need has been
  const before = stack.memory();
  const found = await load(Number(options.seconds));
  const rate = Math.round(found.requests / found.seconds);
  console.log(`${options.server}: ${found.requests} requests by ${options.connections} connections, ${rate}/s, p50 ${found.p50} ms, p99 ${found.p99} ms, longest ${found.most} ms`);
  const after = stack.memory();
  console.log(`${options.server}: KiB of a process before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
  const grown = Stack.grown(before, after);
  if (grown.length) throw new Error(grown.join("\n"));
  const { connect, read, write, timeout, status } = found;
  if (connect + read + write + timeout + status > 0) throw new Error(`errors: ${JSON.stringify({ connect, read, write, timeout, status })}`);
}

await run(main, (failed) => stack.end(failed).finally(() => rmSync(folder, { recursive: true })));
