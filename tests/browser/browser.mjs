// A real Chromium against a stack of its own, and what every test of the page needs: users, and words for what a person does.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

// This file runs as a copy beside its packages, with the root of the tree as its folder.
const { Stack } = await import(pathToFileURL(resolve("tests/torture/stack.mjs")).href);

export const PASSWORD = "correct horse battery";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

export class Site {
  #browser;
  #count = 0;
  server = process.env.SERVER || "lighttpd";

  // lifetime  seconds of a token: short, so that all tests live with tokens that are replaced
  async open(lifetime) {
    this.stack = new Stack(`browser-${this.server}`, this.server, {
      ISSUER_RATE_LIMIT: "off", ISSUER_TOKEN_LIFETIME: String(lifetime), JWT_LEEWAY: "0", TODO_DATABASE_TIMEOUT: "3",
    });
    await this.stack.run("up");
    this.url = this.stack.values.BASE_URL;
    this.#browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
  }

  async close() {
    await this.#browser?.close();
    await this.stack?.run("down");
  }

  // A browser of somebody's own: no cookie is shared with another. `page.faults` fills with what must never happen.
  async person(options = {}) {
    const context = await this.#browser.newContext({ baseURL: this.url, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
    context.setDefaultTimeout(20000);
    return context;
  }

  async page(context, path = "/") {
    const page = await context.newPage();
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(`error: ${error.message}`));
    page.on("console", (message) => {
      if (/Content Security Policy|Trusted/i.test(message.text())) page.faults.push(message.text());
    });
    page.on("dialog", (dialog) => {
      page.faults.push(`a script of a stranger asks: ${dialog.message()}`);
      dialog.dismiss();
    });
    await page.goto(path);
    return page;
  }

  // Signs a new user up, as a person does.
  async signUp(context) {
    const name = `User ${++this.#count}`, email = `user${this.#count}@example.com`;
    const page = await this.page(context);
    await page.getByRole("button", { name: "Create an account" }).click();
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("E-mail").fill(email);
    await page.locator("#password").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("heading", { name: "Your tasks" }).waitFor();
    await page.getByText("Nothing to do").waitFor();
    return { page, name, email };
  }
}

// ---- what a person does ----

export async function add(page, title) {
  await page.getByRole("textbox", { name: "New task" }).fill(title);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await saved(row(page, title));
}

export const row = (page, title) => page.locator("li.task").filter({ has: page.getByRole("button", { name: title, exact: true }) });

// The server has said that it is so.
export const saved = (task) => task.and(task.page().locator(":not(.saving)")).waitFor();

export const titles = (page) => page.locator("li.task button.title").allTextContents();

export const tick = (page, title) => row(page, title).getByRole("checkbox").click();

export const told = (page, text) => page.locator(".toast").filter({ hasText: text }).last();

// What axe finds against WCAG 2.2 and good practice: [] where all is well.
export async function violations(page) {
  // Not by a script element, which the page's policy would refuse.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 150)).join("  ")}`);
}
