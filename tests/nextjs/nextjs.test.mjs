// The application of docs/nextjs.md on a running stack.
// From the environment: BASE_URL, ISSUER_DATABASE_URL, ISSUER_SECRET of the stack, and BETTER_AUTH_URL as it was told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { register } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import pg from "pg";
import { Browser } from "./browser.mjs";
import { build } from "./document.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { BASE_URL, ISSUER_DATABASE_URL, ISSUER_SECRET, BETTER_AUTH_URL } = process.env;
const PASSWORD = "correct horse battery";
const TOKEN = "GET /api/auth/token";

let folder, application, browser, userId, tasks, code;

before(async () => {
  // Beside the packages, where Node looks for them.
  folder = await mkdtemp(join(here, "application-"));
  const { programs, settings } = await build(folder);
  assert.equal(settings.BETTER_AUTH_URL, BETTER_AUTH_URL, "the stack is of the origin that the document names");
  const given = { ...settings, API_URL: BASE_URL, DATABASE_URL: ISSUER_DATABASE_URL, BETTER_AUTH_SECRET: ISSUER_SECRET };
  application = spawn(process.execPath, ["--experimental-global-webcrypto", join(here, "application.mjs"), programs], {
    env: { PATH: process.env.PATH, NODE_ENV: "production", NEXT_RUNTIME: "nodejs", ...given },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const port = await Promise.race([
    once(application.stdout, "data").then(([line]) => Number(line)),
    once(application, "exit").then(([status]) => assert.fail(`the application ended with ${status}`)),
  ]);
  browser = new Browser(settings.BETTER_AUTH_URL, port);
  browser.open();
  register("./resolve.mjs", import.meta.url, { data: `${pathToFileURL(programs).href}/` });
  const load = (name) => import(pathToFileURL(join(programs, "lib", `${name}.js`)).href);
  code = { ...(await load("auth-client")), ...(await load("problem")), ...(await load("tasks")), ...(await load("rename")) };
  const { data, error } = await code.authClient.signUp.email({ name: "Ada", email: "ada@example.com", password: PASSWORD });
  assert.equal(error, null, "sign-up");
  userId = data.user.id;
  tasks = code.tasksOf(userId);
});

after(async () => {
  if (application) {
    application.stdin.end();
    if (application.exitCode === null) await once(application, "exit");
  }
  await rm(folder, { recursive: true, force: true });
});

async function all(filter) {
  const ret = [];
  for await (const task of tasks.all(filter)) ret.push(task);
  return ret;
}

const isProblem = (name) => (error) => code.Problem.is(error, name);

test("a task that is sent twice by one id is one task", async () => {
  const id = crypto.randomUUID();
  const made = await tasks.create(id, { title: "Buy milk", tags: ["shop"] });
  assert.deepEqual(await tasks.create(id, { title: "Buy milk", tags: ["shop"] }), made);
  assert.deepEqual(await all(), [made]);
});

test("a list comes page by page, each task once", async () => {
  for (const title of ["b", "c", "d", "e"]) await tasks.create(crypto.randomUUID(), { title });
  const before = browser.count(`GET /api/${userId}/tasks`);
  const titles = (await all({ sort: "title", limit: 2 })).map((task) => task.title);
  assert.deepEqual(titles, ["b", "Buy milk", "c", "d", "e"]);
  assert.equal(browser.count(`GET /api/${userId}/tasks`) - before, 3);
  assert.equal((await tasks.page({ limit: 2 })).total, 5);
  assert.deepEqual((await all({ search: "MILK", limit: 1 })).map((task) => task.title), ["Buy milk"]);
});

test("who changes a task that was changed meanwhile is told so, and nothing is lost", async () => {
  const stale = await tasks.create(crypto.randomUUID(), { title: "first" });
  const changed = await tasks.change(stale, { priority: "high", tags: ["now"] });
  await assert.rejects(tasks.change(stale, { title: "second" }), (error) => isProblem("precondition_failed")(error) && error.status === 412);
  await assert.rejects(tasks.remove(stale), isProblem("precondition_failed"));
  assert.deepEqual(await code.rename(tasks, stale, "second"), { task: changed, say: "It was changed elsewhere." });
  assert.equal((await code.rename(tasks, changed, "second")).task.title, "second");
});

test("each problem is known by its code", async () => {
  const task = await tasks.create(crypto.randomUUID(), { title: "short" });
  await assert.rejects(tasks.change(task, { title: "x".repeat(256) }), (error) =>
    isProblem("invalid")(error) && error.document.errors[0].loc.join() === "body,title" && /^[0-9a-f]{32}$/.test(error.document.request_id));
  assert.ok((await code.rename(tasks, task, "x".repeat(256))).say);
  await tasks.remove(task);
  await assert.rejects(tasks.get(task.id), isProblem("task_not_found"));
  const { port } = browser;
  browser.port = 1;
  await assert.rejects(tasks.get(task.id), isProblem("unreachable"));
  browser.port = port;
});

test("a token is asked for once by many, and anew before it ends", async (t) => {
  const fresh = code.tasksOf(userId);
  const before = browser.count(TOKEN);
  await Promise.all([fresh.page(), fresh.page(), fresh.page()]);
  await fresh.page();
  assert.equal(browser.count(TOKEN) - before, 1);
  const now = performance.now.bind(performance);
  t.mock.method(performance, "now", () => now() + 14 * 60_000 + 1);
  await fresh.page();
  assert.equal(browser.count(TOKEN) - before, 2);
});

test("a token that is refused is replaced once", async () => {
  const list = `GET /api/${userId}/tasks`;
  const made = `PUT /api/${userId}/tasks/`;
  await tasks.page();
  let [tokens, lists] = [browser.count(TOKEN), browser.count(list)];
  browser.spoil = 1;
  await tasks.page();
  assert.deepEqual([browser.count(TOKEN) - tokens, browser.count(list) - lists], [1, 2]);
  // With its body, too.
  const id = crypto.randomUUID();
  browser.spoil = 1;
  assert.equal((await tasks.create(id, { title: "again" })).title, "again");
  assert.equal(browser.count(`${made}${id}`), 2);
  [tokens, lists] = [browser.count(TOKEN), browser.count(list)];
  browser.spoil = 9;
  await assert.rejects(tasks.page(), isProblem("unauthorized"));
  browser.spoil = 0;
  assert.deepEqual([browser.count(TOKEN) - tokens, browser.count(list) - lists], [1, 2]);
});

test("nobody is taken for signed out while Better Auth's database is away", async () => {
  const database = new pg.Client(process.env.SUPERUSER_DATABASE_URL);
  await database.connect();
  try {
    await database.query("ALTER TABLE session RENAME TO session_away");
    await assert.rejects(code.tasksOf(userId).page(), isProblem("auth_unavailable"));
  } finally {
    await database.query("ALTER TABLE session_away RENAME TO session");
    await database.end();
  }
  await code.tasksOf(userId).page();
});

test("another user's tasks are not asked for with this user's token", async () => {
  const list = "GET /api/somebody/tasks";
  await assert.rejects(code.tasksOf("somebody").page(), isProblem("signed_out"));
  assert.equal(browser.count(list), 0);
});

test("another origin signs nobody out", async () => {
  const answer = await fetch("/api/auth/sign-out", { method: "POST", headers: { Origin: "https://evil.example", "Content-Type": "application/json" }, body: "{}" });
  assert.equal(answer.status, 403);
});

test("who guesses passwords is stopped, whatever address is claimed, and nobody else is", async () => {
  const { forwarded } = browser;
  const signIn = async (from, password) => {
    browser.forwarded = from;
    const body = JSON.stringify({ email: "ada@example.com", password });
    return (await fetch("/api/auth/sign-in/email", { method: "POST", headers: { "Content-Type": "application/json" }, body })).status;
  };
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, turn) => signIn(`198.51.100.${turn}, 203.0.113.66`, `guess ${turn}`)));
  assert.ok(statuses.includes(429), statuses.join());
  assert.ok(!statuses.includes(200));
  assert.equal(await signIn("198.51.100.1, 203.0.113.67", PASSWORD), 200);
  browser.forwarded = forwarded;
});

test("an account ends with its tasks, and not when these can't be erased", async () => {
  const database = new pg.Client(process.env.SUPERUSER_DATABASE_URL);
  await database.connect();
  const left = async () => (await database.query("SELECT count(*)::int AS n FROM todo.task WHERE user_id = $1", [userId])).rows[0].n;
  try {
    assert.ok((await left()) > 0);
    await database.query("REVOKE EXECUTE ON FUNCTION todo.erase(text, timestamptz) FROM todo_app");
    assert.equal((await code.authClient.deleteUser({ password: PASSWORD })).error.code, "ERASE_FAILED");
    assert.ok((await left()) > 0);
    await database.query("GRANT EXECUTE ON FUNCTION todo.erase(text, timestamptz) TO todo_app");
    assert.equal((await code.authClient.deleteUser({ password: PASSWORD })).error, null);
    assert.equal(await left(), 0);
    await assert.rejects(code.tasksOf(userId).page(), isProblem("signed_out"));
  } finally {
    await database.end();
  }
});
