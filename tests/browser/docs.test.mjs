// /openapi.json and the page at /docs/, in a real browser behind the web server that SERVER names.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { Site, add } from "./browser.mjs";

const site = new Site();

before(() => site.open(900));
after(() => site.close());

const operation = (page, id) => page.locator(`.opblock[id$="-${id}"]`);

async function tryOut(page, id) {
  const block = operation(page, id);
  await block.locator(".opblock-summary-control").click();
  await block.getByRole("button", { name: "Execute" }).click();
  const answer = block.locator(".live-responses-table .response").first();
  await answer.waitFor();
  return { status: await answer.locator(".response-col_status").innerText(), body: await answer.locator(".highlight-code, .microlight").first().innerText() };
}

async function paste(page, token) {
  await page.getByRole("button", { name: "Authorize" }).first().click();
  const form = page.locator(".modal-ux form").filter({ hasText: "bearer" }).first();
  await form.locator("#auth-bearer-value").fill(token);
  await form.getByRole("button", { name: "Apply credentials" }).or(form.locator("button.authorize")).first().click();
  await page.locator(".modal-ux .close-modal").click();
}

describe(`the description behind ${site.server}`, { timeout: 120000 }, () => {
  it("is the document of the tree, as JSON", async () => {
    const answer = await fetch(`${site.url}/openapi.json`);
    assert.equal(answer.headers.get("Content-Type"), "application/json");
    assert.match(answer.headers.get("Content-Security-Policy"), /^default-src 'none'; script-src 'self'; style-src 'self';/);
    const document = await answer.json();
    const paths = [...readFileSync("lib/http/routes.def", "utf8").matchAll(/^ROUTE\(\w+, \w+, "([^"]+)"/gm)].map(([, path]) => path);
    assert.deepEqual(Object.keys(document.paths).sort(), [...new Set(paths)].sort());
    assert.equal(document.components.schemas.Task.additionalProperties, false);
  });

  it("sends requests with the session's token, for the user's own path", async () => {
    const context = await site.person();
    const { page } = await site.signUp(context);
    await add(page, "Seen in the description");
    const docs = await site.page(context, "/docs");
    await docs.getByRole("button", { name: "Use my session" }).click();
    await docs.getByText("As user").waitFor();
    const { status, body } = await tryOut(docs, "listTasks");
    assert.match(status, /^200/);
    assert.match(body, /Seen in the description/);
    assert.deepEqual(docs.faults, []);
    await context.close();
  });

  it("takes a pasted token, and forgets it with the page", async () => {
    const context = await site.person();
    const { page, email } = await site.signUp(context);
    const { token } = await (await page.request.get("/api/auth/token")).json();
    await context.clearCookies();
    const docs = await site.page(context, "/docs/");
    await docs.getByRole("button", { name: "Use my session" }).click();
    await docs.getByText("You are not signed in.").waitFor();
    await paste(docs, token);
    const mine = await tryOut(docs, "me");
    assert.match(mine.status, /^200/);
    assert.ok(mine.body.includes(email));
    assert.doesNotMatch(await docs.evaluate(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), document.cookie, location.href])), /eyJ/);
    await docs.reload();
    assert.match((await tryOut(docs, "me")).status, /^401/);
    assert.deepEqual(docs.faults, []);
    await context.close();
  });

  it("shows no other document, whatever the address says", async () => {
    let asked = 0;
    const stranger = createServer((request, response) => {
      asked++;
      response.writeHead(200, { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" });
      response.end(JSON.stringify({ openapi: "3.1.0", info: { title: "A stranger's", version: "1" }, paths: {}, url: "/openapi.json" }));
    });
    await new Promise((listening) => stranger.listen(0, "127.0.0.1", listening));
    stranger.unref();
    const there = encodeURIComponent(`http://127.0.0.1:${stranger.address().port}/openapi.json`);
    const context = await site.person();
    for (const query of [`url=${there}`, `configUrl=${there}`, `spec=${there}`, `urls=${there}&urls.primaryName=x`, `url=data:application/json,{}`]) {
      const docs = await site.page(context, `/docs/?${query}#/?${query}`);
      await operation(docs, "listTasks").waitFor();
      assert.equal((await docs.locator(".info .title").innerText()).split(/\s/)[0], "todo-fcgi");
      // Not even tried: a request that the policy stops would be a fault.
      assert.deepEqual(docs.faults, []);
      await docs.close();
    }
    await context.close();
    stranger.close();
    assert.equal(asked, 0);
  });
});
