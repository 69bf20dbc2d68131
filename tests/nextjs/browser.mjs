// A browser, as far as the application's code sees one: the origin, cookies, and which origin a request comes from.
import { setCookies } from "./cookies.mjs";

export class Browser {
  #cookies = new Map();

  // origin  what the page believes; port  where that is
  constructor(origin, port) {
    this.origin = origin;
    this.port = port;
    this.asked = [];
    this.spoil = 0; // so many of the next tokens are spoilt on their way
    this.forwarded = "203.0.113.7"; // what the web server in front says of the client
  }

  // Becomes what the code of a page takes for granted.
  open() {
    this.#send = globalThis.fetch;
    globalThis.location = { origin: this.origin };
    globalThis.fetch = (input, init) => this.fetch(input, init);
  }

  #send;

  async fetch(input, init = {}) {
    const request = input instanceof Request ? new Request(input, init) : new Request(new URL(input, this.origin), init);
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    if (request.credentials !== "omit") headers.set("Cookie", [...this.#cookies].map((pair) => pair.join("=")).join("; "));
    if (!["GET", "HEAD"].includes(request.method) && !headers.has("Origin")) headers.set("Origin", this.origin);
    headers.set("X-Forwarded-For", this.forwarded);
    if (this.spoil > 0 && headers.has("Authorization")) {
      this.spoil--;
      headers.set("Authorization", `${headers.get("Authorization").slice(0, -6)}AAAAAA`);
    }
    this.asked.push(`${request.method} ${pathname}`);
    // None where there is nothing, since Debian's Node 18 does not send an empty one with a DELETE.
    const body = ["GET", "HEAD"].includes(request.method) ? undefined : (await request.text()) || undefined;
    const answer = await this.#send(`http://127.0.0.1:${this.port}${pathname}${search}`, { method: request.method, headers, body, redirect: "manual" });
    for (const line of setCookies(answer.headers)) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/;\s*max-age=0/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return answer;
  }

  // How many requests `what` meant.
  count(what) {
    return this.asked.filter((line) => line === what).length;
  }
}
