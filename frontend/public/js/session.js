// Who is signed in: Better Auth's session cookie, which no script sees, and the token made from it, kept in memory alone.
import { Problem, ask, problemOf } from "./problems.js";

let user = null; // { id, name, email }
let token = null; // { text, owner, born, life }, in milliseconds of this page's own clock: a wrong date of the machine does no harm
let asking = null;
// Other windows of this browser share the cookie, but hear of no change to it by themselves.
const windows = new BroadcastChannel("session");

export const currentUser = () => user;

// heard(listener): another window has signed in or out.
export const heard = (listener) => { windows.onmessage = listener; };

async function auth(path, body) {
  const answer = await ask(`/api/auth${path}`, body === undefined
    ? { credentials: "same-origin" }
    : { method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (answer.ok) return answer.json().catch(() => null);
  const problem = await problemOf(answer);
  if (problem.code === "not_found" || (answer.status === 404 && !problem.code)) throw new Problem("no_sign_in", { status: 404 });
  if (answer.status === 429) throw new Problem("rate_limited", { status: 429 });
  // Better Auth says nothing about a database that is away but 500,
  if (answer.status >= 500 && problem.code !== "ERASE_FAILED") throw new Problem("sign_in_away", { status: answer.status });
  // or 401, as of a session that is over; asked for the session itself, it tells the two apart.
  if (problem.code === "UNAUTHORIZED") throw new Problem((await auth("/get-session")) ? "sign_in_away" : "unauthorized", { status: 401 });
  throw problem;
}

function forget() {
  user = null;
  token = null;
}

// The signed-in user, or null.
export async function resume() {
  const session = await auth("/get-session");
  if (user?.id !== session?.user?.id) forget();
  user = session?.user ?? null;
  return user;
}

async function enter(path, body) {
  forget();
  await auth(path, body);
  windows.postMessage("in");
  return resume();
}

export const signIn = (email, password) => enter("/sign-in/email", { email, password });
export const signUp = (name, email, password) => enter("/sign-up/email", { name, email, password });

export async function signOut() {
  await auth("/sign-out", {});
  forget();
  windows.postMessage("out");
}

export async function deleteAccount(password) {
  await auth("/delete-user", { password });
  forget();
  windows.postMessage("out");
}

// What a token says of itself; the server judges it, this page only wants to know how long it will be good.
function claimsOf(text) {
  const bytes = Uint8Array.from(atob(text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

async function fetchToken() {
  const born = performance.now();
  const answer = await auth("/token");
  const claims = claimsOf(answer.token);
  if (claims.sub !== user?.id) throw new Problem("other_user");
  token = { text: answer.token, born, life: (claims.exp - claims.iat) * 1000 };
  return token.text;
}

// The token to send: a new one in the last quarter of its life, a minute before its end at most, or when the server did not want `refused`.
export async function bearer(refused) {
  const left = token ? token.born + token.life - performance.now() : 0;
  if (token && token.text !== refused && left > Math.min(60000, token.life / 4)) return token.text;
  asking ??= fetchToken().finally(() => { asking = null; });
  return asking;
}
