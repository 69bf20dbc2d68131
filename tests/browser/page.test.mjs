// The page in a real browser, with real Better Auth and a real database, behind the web server that SERVER names.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { PASSWORD, Site, add, row, saved, tick, titles, told, violations } from "./browser.mjs";

const LIFETIME = 12; // seconds of a token
const MARKUP = `<img src=x onerror="alert(1)"><script>alert(2)</script>{{7*7}}&amp;<b>`;
const site = new Site();

before(() => site.open(LIFETIME));
after(() => site.close());

// A signed-in user's page in a browser of its own; whatever the test does, no policy is broken and no script fails.
function withUser(name, test, options) {
  it(name, async () => {
    const context = await site.person(options);
    try {
      const user = await site.signUp(context);
      await test({ context, ...user });
      for (const page of context.pages()) assert.deepEqual(page.faults ?? [], []);
    } finally {
      await context.close();
    }
  });
}

const editor = (page) => page.locator("#editor");
const field = (page, label) => editor(page).getByLabel(label, { exact: true });
const banner = (page) => page.locator("#banner p");

async function open(page, title) {
  await page.getByRole("button", { name: title, exact: true }).click();
  await editor(page).waitFor();
}

async function save(page) {
  await editor(page).getByRole("button", { name: "Save" }).click();
  await editor(page).waitFor({ state: "hidden" });
}

// A request as the page makes it, to prepare what a test needs.
async function asPage(page, method, path, body) {
  const token = (await (await page.request.get("/api/auth/token")).json()).token;
  const { sub } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  const answer = await page.request.fetch(`/api/${sub}${path}`, { method, data: body, headers: { Authorization: `Bearer ${token}` } });
  assert.ok(answer.ok(), `${method} ${path}: ${answer.status()}`);
  return answer.json();
}

// Node's own clock would not do: the server must have said that this token's time is over.
async function expired(page, token) {
  // On connections of its own, since a server closes one that was asked often.
  const headers = { Authorization: token, Connection: "close" };
  while ((await page.request.post("/auth/validate", { headers })).status() !== 401) await new Promise((again) => setTimeout(again, 100));
}

describe(`the page behind ${site.server}`, { timeout: 300000 }, () => {
  withUser("keeps two users in two browsers apart", async ({ page, email }) => {
    await add(page, "Mine alone");
    const other = await site.person();
    const stranger = await site.signUp(other);
    await add(stranger.page, "Somebody else's");
    await stranger.page.reload();
    await row(stranger.page, "Somebody else's").waitFor();
    assert.deepEqual(await titles(stranger.page), ["Somebody else's"]);
    await page.reload();
    await row(page, "Mine alone").waitFor();
    assert.deepEqual(await titles(page), ["Mine alone"]);

    // One browser, one user after the other: nothing is left of the first.
    await stranger.page.getByRole("button", { name: "Sign out" }).click();
    await stranger.page.getByText("You are signed out.").waitFor();
    assert.deepEqual(await titles(stranger.page), []);
    await stranger.page.getByLabel("E-mail").fill(email);
    await stranger.page.locator("#password").fill(PASSWORD);
    await stranger.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await row(stranger.page, "Mine alone").waitFor();
    assert.deepEqual(await titles(stranger.page), ["Mine alone"]);
    await other.close();
  });

  withUser("shows a title full of markup as text", async ({ page }) => {
    await add(page, MARKUP);
    await open(page, MARKUP);
    await field(page, "Description").fill(MARKUP);
    await field(page, "Tags").fill("<b>bold</b>");
    await save(page);
    await page.reload();
    await saved(row(page, MARKUP));
    assert.equal(await row(page, MARKUP).locator(".description").textContent(), MARKUP);
    assert.equal(await page.locator("#list img, #list script, #list b").count(), 0);
    await row(page, MARKUP).getByRole("button", { name: "Delete" }).click();
    await told(page, "<img src=x").waitFor();
    assert.equal(await page.locator("#toasts img").count(), 0);
  });

  withUser("writes and reads every member of a task", async ({ page }) => {
    await page.getByRole("button", { name: "Details…" }).click();
    await field(page, "Title").fill("Plan the trip");
    await field(page, "Description").fill("Trains.\nNo planes.");
    await field(page, "Due").fill("2031-12-24T18:00");
    await field(page, "Priority").selectOption("high");
    await field(page, "Tags").fill("travel, family, travel");
    await save(page);
    await page.reload();
    await open(page, "Plan the trip");
    assert.equal(await field(page, "Description").inputValue(), "Trains.\nNo planes.");
    assert.equal(await field(page, "Due").inputValue(), "2031-12-24T18:00");
    assert.equal(await field(page, "Priority").inputValue(), "high");
    assert.equal(await field(page, "Tags").inputValue(), "travel, family");
    await field(page, "Due").fill("");
    await field(page, "Done").check();
    await save(page);
    const [task] = await asPage(page, "GET", "/tasks");
    assert.deepEqual([task.due_date, task.completed, task.tags], [null, true, ["travel", "family"]]);
  });

  withUser("says beside the field what the server does not take", async ({ page }) => {
    await add(page, "Tagged");
    await open(page, "Tagged");
    await field(page, "Title").fill("");
    await editor(page).getByRole("button", { name: "Save" }).click();
    await editor(page).getByText("A task needs a title.").waitFor();
    await field(page, "Title").fill("Tagged");
    await field(page, "Tags").fill(Array.from({ length: 21 }, (_, number) => `tag ${number}`).join(","));
    await editor(page).getByRole("button", { name: "Save" }).click();
    await editor(page).locator("#edit-tags-error:not(:empty)").waitFor();
    assert.equal(await field(page, "Tags").getAttribute("aria-invalid"), "true");
    await editor(page).getByRole("button", { name: "Cancel" }).click();
    assert.equal(await row(page, "Tagged").locator(".tag").count(), 0, "what was refused is not shown");
  });

  it("has a sentence for every code of a problem", async () => {
    // A module of the page has no package.json that tells Node that it is one.
    const { MESSAGES } = await import(`data:text/javascript,${encodeURIComponent(readFileSync("frontend/public/js/problems.js", "utf8"))}`);
    const codes = [...readFileSync("lib/http/errors.def", "utf8").matchAll(/^OUTCOME\(\w+, \d+, "(\w+)"/gm)].map(([, code]) => code);
    assert.ok(codes.length > 30);
    assert.deepEqual(codes.filter((code) => !MESSAGES[code]), []);
  });

  withUser("filters, searches, sorts and goes on to the next page", async ({ page }) => {
    for (let number = 0; number < 60; number++) {
      await asPage(page, "POST", "/tasks", { title: `Number ${String(number).padStart(2, "0")}`, priority: number % 2 ? "high" : "low", completed: number % 3 === 0, tags: number === 7 ? ["lucky"] : [] });
    }
    await page.reload();
    await page.getByText("60 tasks").waitFor();
    assert.equal(await page.locator("li.task").count(), 50);
    await page.getByRole("button", { name: "Show more" }).click();
    await row(page, "Number 00").waitFor();
    assert.equal(new Set(await titles(page)).size, 60);
    assert.equal(await page.getByRole("button", { name: "Show more" }).isVisible(), false);
    await page.waitForFunction(() => document.activeElement.type === "checkbox"); // the first that is new

    await page.getByRole("radio", { name: "Done" }).check();
    await page.getByText("20 tasks found").waitFor();
    await page.getByLabel("Priority", { exact: true }).first().selectOption("high");
    await page.getByText("10 tasks found").waitFor();
    await page.getByLabel("Sort by").selectOption("title");
    await page.waitForFunction(() => document.querySelector("li.task .title").textContent === "Number 03");
    await page.getByRole("button", { name: "Reverse the order" }).click();
    await page.waitForFunction(() => document.querySelector("li.task .title").textContent === "Number 57");
    await page.reload(); // the address remembers
    await page.waitForFunction(() => document.querySelector("li.task .title")?.textContent === "Number 57");
    await page.getByRole("radio", { name: "All" }).check();
    await page.getByLabel("Priority", { exact: true }).first().selectOption("");
    await page.getByLabel("Search title").fill("BER 07");
    await page.getByText("1 task found").waitFor();
    await page.getByLabel("Search title").fill("");
    await page.getByText("60 tasks").waitFor();
    await row(page, "Number 07").or(page.getByRole("button", { name: "Show more" })).first().waitFor();
    await page.getByLabel("Search title").fill("07");
    await page.getByText("1 task found").waitFor();
    await row(page, "Number 07").getByRole("button", { name: "lucky" }).click();
    await page.getByLabel("Search title").fill("");
    await page.getByRole("button", { name: "Tagged lucky" }).waitFor();
    await page.getByText("1 task found").waitFor();
  });

  withUser("makes one task of a double click, and of a try whose answer was lost", async ({ page }) => {
    await page.getByRole("textbox", { name: "New task" }).fill("Only once");
    await page.getByRole("button", { name: "Add", exact: true }).dblclick();
    await saved(row(page, "Only once"));

    await page.getByRole("button", { name: "Details…" }).click();
    await field(page, "Title").fill("Once by its details");
    await editor(page).getByRole("button", { name: "Save" }).dblclick();
    await saved(row(page, "Once by its details"));

    await page.route("**/tasks/*", async (route) => {
      await route.fetch();
      await route.abort();
    }, { times: 1 });
    await page.getByRole("textbox", { name: "New task" }).fill("Lost on its way");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await told(page, "cannot be reached").getByRole("button", { name: "Try again" }).click();
    await saved(row(page, "Lost on its way"));
    // A change that was made and not heard of is no conflict with oneself.
    await page.route("**/tasks/*", async (route) => {
      await route.fetch();
      await route.abort();
    }, { times: 1 });
    await tick(page, "Only once");
    await told(page, "cannot be reached").getByRole("button", { name: "Try again" }).click();
    await told(page, "“Only once” is done.").waitFor();
    const there = await asPage(page, "GET", "/tasks");
    assert.deepEqual(there.map((task) => task.title).sort(), ["Lost on its way", "Once by its details", "Only once"]);
  });

  withUser("takes a deletion and a tick back", async ({ page }) => {
    await add(page, "Keep me");
    await tick(page, "Keep me");
    await told(page, "is done").getByRole("button", { name: "Undo" }).click();
    await told(page, "is open again").waitFor();
    assert.equal(await row(page, "Keep me").getByRole("checkbox").isChecked(), false);
    const [task] = await asPage(page, "GET", "/tasks");
    await row(page, "Keep me").getByRole("button", { name: "Delete" }).click();
    await told(page, "is deleted").getByRole("button", { name: "Undo" }).click();
    await saved(row(page, "Keep me"));
    assert.deepEqual((await asPage(page, "GET", "/tasks")).map(({ id, title }) => ({ id, title })), [{ id: task.id, title: "Keep me" }]);
  });

  withUser("shows what changed when another window was quicker", async ({ context, page }) => {
    await add(page, "Paint the door");
    const second = await site.page(context);
    await row(second, "Paint the door").waitFor();
    await open(page, "Paint the door");
    await field(page, "Title").fill("Paint the door blue");
    await save(page);
    await open(second, "Paint the door");
    await field(second, "Title").fill("Paint the door red");
    await editor(second).getByRole("button", { name: "Save" }).click();
    const conflict = second.getByRole("dialog", { name: "Changed elsewhere" });
    await conflict.waitFor();
    assert.deepEqual(await conflict.locator("tbody tr").first().locator("th, td").allTextContents(), ["Title", "Paint the door", "Paint the door blue", "Paint the door red"]);
    await conflict.getByRole("button", { name: "Save mine" }).click();
    await saved(row(second, "Paint the door red"));

    // The first window still has its own word for it, and gives way this time.
    await row(page, "Paint the door blue").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog", { name: "Changed elsewhere" }).getByRole("button", { name: "Keep it as it is now" }).click();
    await saved(row(page, "Paint the door red"));
    assert.equal((await asPage(page, "GET", "/tasks")).length, 1);

    await row(second, "Paint the door red").getByRole("button", { name: "Delete" }).click();
    await told(second, "is deleted").waitFor();
    await tick(page, "Paint the door red");
    await told(page, "This task is gone").waitFor();
    assert.deepEqual(await titles(page), []);
  });

  it("is used by keyboard alone", async () => {
    const context = await site.person();
    const page = await site.page(context);
    const { keyboard } = page;
    const type = async (text) => keyboard.type(text);
    const focused = (selector) => page.waitForFunction((wanted) => document.activeElement.matches(wanted), selector);
    await focused("#email");
    await keyboard.press("Shift+Tab");
    await keyboard.press("Tab");
    for (let press = 0; press < 3; press++) await keyboard.press("Tab"); // password, Sign in, Create an account
    await focused("#switch");
    await keyboard.press("Enter");
    await focused("#name");
    await type("Keys Only");
    await keyboard.press("Tab");
    await type(`keys-${site.server}@example.com`);
    await keyboard.press("Tab");
    await type(PASSWORD);
    await keyboard.press("Enter");
    await focused("#add-title");
    for (const title of ["First", "Second"]) {
      await type(title);
      await keyboard.press("Enter");
      await saved(row(page, title));
    }
    await page.reload();
    await focused("#add-title");
    await row(page, "First").waitFor();
    while (!(await page.evaluate(() => document.activeElement.matches("li.task input")))) {
      await keyboard.press("Tab");
      const ring = await page.evaluate(() => {
        const visible = (element) => element && getComputedStyle(element).outlineStyle !== "none";
        return visible(document.activeElement) || visible(document.activeElement.nextElementSibling);
      });
      assert.ok(ring, "what has the focus shows it");
    }
    await keyboard.press("Space");
    await told(page, "“Second” is done.").waitFor();
    await keyboard.press("Tab");
    await keyboard.press("Enter");
    await focused("#edit-title");
    await keyboard.press("End");
    await type(" edited");
    await keyboard.press("Enter");
    await saved(row(page, "Second edited"));
    await focused("button.title"); // back where it came from
    await keyboard.press("Tab");
    await focused("button.remove");
    await keyboard.press("Enter");
    await told(page, "is deleted").waitFor();
    await focused("li.task input"); // the neighbour
    assert.deepEqual(await titles(page), ["First"]);
    assert.deepEqual(page.faults, []);
    await context.close();
  });

  withUser("has nothing that axe finds, light, dark and on a phone", async ({ context, page }) => {
    const stranger = await site.page(await site.person());
    await stranger.getByRole("heading", { name: "Sign in" }).waitFor();
    await add(page, "Plain");
    await add(page, "With everything");
    await open(page, "With everything");
    await field(page, "Description").fill("Two\nlines");
    await field(page, "Due").fill("2020-01-01T10:00");
    await field(page, "Priority").selectOption("high");
    await field(page, "Tags").fill("one, two");
    await save(page);
    await tick(page, "Plain");
    await told(page, "is done").waitFor();
    await page.emulateMedia({ reducedMotion: "reduce" });

    for (const [colorScheme, width] of [["light", 1200], ["dark", 1200], ["light", 390], ["dark", 320]]) {
      const look = async (one, place) => assert.deepEqual(await violations(one), [], `${place}, ${colorScheme}, ${width} wide`);
      for (const one of [page, stranger]) {
        await one.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await one.setViewportSize({ width, height: 800 });
        assert.ok(await one.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out sideways");
      }
      await look(stranger, "signing in");
      await look(page, "the list");
      await open(page, "With everything");
      await look(page, "the editor");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Settings" }).click();
      await look(page, "settings");
      await page.getByRole("button", { name: "Erase all tasks…" }).click();
      await page.locator("#confirm-button").click();
      await look(page, "a question");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Escape");
    }
    await stranger.context().close();
    assert.equal(context.pages().length, 1);
  });

  withUser("keeps the token out of every storage", async ({ context, page }) => {
    await add(page, "Stored on the server");
    const kept = await page.evaluate(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), await caches.keys(), document.cookie, location.href]));
    assert.doesNotMatch(kept, /eyJ/);
    assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
    for (const cookie of await context.cookies()) assert.ok(cookie.httpOnly && !cookie.value.includes("eyJ"), cookie.name);
  });

  for (const how of ["its token is refused", "another window says so"]) withUser(`leaves nothing of one user to the next, when ${how}`, async ({ context, page }) => {
    await add(page, "Of the first user");
    await tick(page, "Of the first user");
    await told(page, "is done").waitFor();
    const other = await site.person();
    const { email } = await site.signUp(other);
    await other.close();
    const answer = await page.request.post("/api/auth/sign-in/email", { data: { email, password: PASSWORD }, headers: { Origin: site.url } });
    assert.equal(answer.status(), 200);
    if (how === "its token is refused") {
      await page.route("**/tasks/*", (route) => route.continue({ headers: { ...route.request().headers(), authorization: "Bearer refused" } }), { times: 1 });
      await tick(page, "Of the first user");
    } else {
      const second = await site.page(context);
      await second.evaluate(() => new BroadcastChannel("session").postMessage("in"));
    }
    await page.getByText("Nothing to do").waitFor();
    assert.equal(await page.locator(".toast").count(), 0);
    assert.equal(await page.locator("#list").innerText(), "");
  });

  withUser("signs out everywhere when one window does", async ({ context, page }) => {
    const second = await site.page(context);
    await add(second, "Of the first user");
    await page.getByRole("button", { name: "Sign out" }).click();
    await second.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.deepEqual(await titles(second), []);
  });

  withUser("downloads everything, erases everything, and deletes the account", async ({ page, email }) => {
    await add(page, "To take along");
    await page.getByRole("button", { name: "Settings" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download my tasks" }).click()]);
    const content = JSON.parse(readFileSync(await download.path(), "utf8"));
    assert.deepEqual(content.tasks.map((task) => task.title), ["To take along"]);

    await page.getByRole("button", { name: "Erase all tasks…" }).click();
    await page.getByLabel("Type ERASE to confirm").fill("erase");
    await page.getByRole("button", { name: "Erase everything" }).click();
    await page.getByText("Type ERASE to go on.").waitFor();
    await page.getByLabel("Type ERASE to confirm").fill("ERASE");
    await page.getByRole("button", { name: "Erase everything" }).click();
    await page.getByText("Nothing to do").waitFor();

    await add(page, "Gone with me");
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("button", { name: "Delete my account…" }).click();
    await page.getByLabel("Your password").fill("not my password");
    await page.getByRole("button", { name: "Delete my account", exact: true }).click();
    await page.getByText("The password is not right.").waitFor();
    await page.getByLabel("Your password").fill(PASSWORD);
    await page.getByRole("button", { name: "Delete my account", exact: true }).click();
    await page.getByText("Your account and all of your tasks are gone.").waitFor();
    await page.getByLabel("E-mail").fill(email);
    await page.locator("#password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByText("E-mail or password is not right.").waitFor();
    assert.deepEqual(await site.stack.query("SELECT title FROM todo.task WHERE title = 'Gone with me'"), []);
  });

  withUser("replaces a token before it expires, a refused one once, and then asks to sign in", async ({ page }) => {
    const asked = [];
    page.on("response", (answer) => {
      const { pathname } = new URL(answer.url());
      if (/^\/api\/(?!auth\/(?!token))/.test(pathname)) asked.push({ what: pathname.startsWith("/api/auth/") ? "token" : answer.request().method(), status: answer.status(), token: answer.request().headers().authorization });
    });
    await add(page, "Outlives its token");
    const first = asked.find((one) => one.token).token;
    await expired(page, first);
    asked.length = 0;
    await tick(page, "Outlives its token");
    await told(page, "is done").waitFor();
    assert.deepEqual(asked.map(({ what, status }) => [what, status]), [["token", 200], ["PATCH", 200]]);

    // As if the page had not seen how late it is: once with what is over, then with a new one.
    const late = (route) => route.continue({ headers: { ...route.request().headers(), authorization: first } });
    await page.route("**/tasks/*", late, { times: 1 });
    asked.length = 0;
    await tick(page, "Outlives its token");
    await told(page, "is open again").waitFor();
    assert.deepEqual(asked.map(({ what, status }) => [what, status]), [["PATCH", 401], ["token", 200], ["PATCH", 200]]);

    await page.route("**/tasks/*", late);
    asked.length = 0;
    await tick(page, "Outlives its token");
    await page.getByText("Your session has ended.").waitFor();
    assert.deepEqual(asked.map(({ what, status }) => [what, status]), [["PATCH", 401], ["token", 200], ["PATCH", 401]]);
    assert.deepEqual(await titles(page), []);
  });

  withUser("says that it is offline, and goes on when it is no longer", async ({ context, page }) => {
    await add(page, "Written before");
    await context.setOffline(true);
    await banner(page).getByText("You are offline.").waitFor();
    await tick(page, "Written before");
    await told(page, "cannot be reached").waitFor();
    assert.equal(await row(page, "Written before").getByRole("checkbox").isChecked(), false, "what was not saved is not shown as if it were");
    await context.setOffline(false);
    await banner(page).waitFor({ state: "detached" });
    await told(page, "cannot be reached").getByRole("button", { name: "Try again" }).click();
    await told(page, "is done").waitFor();
  });

  withUser("outlives a lost database, and takes nobody for signed out whose token ends meanwhile", async ({ page }) => {
    let token;
    page.on("request", (request) => { token = request.headers().authorization ?? token; });
    await add(page, "Written before");
    await site.stack.run("database", "stop");
    await expired(page, token);
    await page.getByRole("textbox", { name: "New task" }).fill("Written meanwhile");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await banner(page).waitFor();
    const again = page.locator(".toast").getByRole("button", { name: "Try again" });
    await again.waitFor();
    await row(page, "Written meanwhile").waitFor({ state: "detached" });
    assert.deepEqual(await titles(page), ["Written before"], "what was seen before is still there");
    const late = await site.page(page.context());
    await banner(late).waitFor();

    await site.stack.run("database", "start");
    await banner(page).waitFor({ state: "detached" });
    await again.click();
    await saved(row(page, "Written meanwhile"));
    await row(late, "Written before").waitFor(); // by itself
    assert.deepEqual((await titles(page)).sort(), ["Written before", "Written meanwhile"]);
  });
});
