// Does what Next.js does with the application: starts it, answers by its route handler, and hands the rest to where its rewrites say.
//   node application.mjs FOLDER    prints its port
import { createServer } from "node:http";
import { register } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { setCookies } from "./cookies.mjs";

const folder = process.argv[2];
register("./resolve.mjs", import.meta.url, { data: `${pathToFileURL(folder).href}/` });
const load = (path) => import(pathToFileURL(join(folder, path)).href);

await (await load("instrumentation.js")).register();
const handlers = await load("app/api/auth/[...all]/route.js");
const { fallback } = await (await load("next.config.mjs")).default.rewrites();

// Only rewrites of a whole folder are known here.
function rewrite(target) {
  for (const { source, destination } of fallback) {
    const prefix = source.slice(0, source.indexOf(":path*"));
    if (target.startsWith(prefix)) return destination.replace(":path*", target.slice(prefix.length));
  }
  return null;
}

async function answer(request, target) {
  if (target.startsWith("/api/auth/")) return (await handlers[request.method]?.(request)) ?? new Response(null, { status: 405 });
  const destination = rewrite(target);
  return destination ? fetch(new Request(destination, request), { redirect: "manual" }) : new Response(null, { status: 404 });
}

const server = createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const { host, connection, ...headers } = incoming.headers;
  headers["x-forwarded-for"] ??= incoming.socket.remoteAddress;
  const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined;
  const request = new Request(new URL(incoming.url, process.env.BETTER_AUTH_URL), { method: incoming.method, headers, body });
  const response = await answer(request, incoming.url).catch((error) => {
    console.error(error);
    return new Response(null, { status: 500 });
  });
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) if (name !== "set-cookie") outgoing.setHeader(name, value);
  outgoing.setHeader("set-cookie", setCookies(response.headers));
  if (response.body) Readable.fromWeb(response.body).pipe(outgoing);
  else outgoing.end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
// Its standard input is held by the test: whatever ends that ends this.
process.stdin.resume().on("end", () => process.exit(0));
