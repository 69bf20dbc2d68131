// Requests for the signed-in user's tasks.
import { ask, Problem, problemOf } from "./problems.js";
import { bearer, currentUser } from "./session.js";

const home = () => `/api/${encodeURIComponent(currentUser()?.id ?? "")}`;
const task = (id) => `${home()}/tasks/${encodeURIComponent(id)}`;

// A task's entity tag, which a list carries too.
const tagOf = ({ updated_at }) => `"${updated_at}"`;

// With a fresh token once more when the first was refused, and never a third time.
async function request(method, address, { headers = {}, body } = {}) {
  const options = { method, credentials: "omit", headers: { ...headers } };
  if (body !== undefined) {
    options.headers["Content-Type"] ??= "application/json";
    options.body = JSON.stringify(body);
  }
  let token = await bearer();
  for (let again = true; ; again = false) {
    options.headers.Authorization = `Bearer ${token}`;
    const answer = await ask(address, options);
    if (answer.ok) return answer;
    if (answer.status !== 401 || !again) throw await problemOf(answer);
    token = await bearer(token);
  }
}

// An answer that breaks off is no answer.
const json = (answer) => answer.json().catch(() => { throw new Problem("unreachable"); });

function nextOf(answer) {
  const address = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get("Link") ?? "")?.[1];
  // Relative, as the server writes it: a token must not follow a link to anywhere else.
  return address?.startsWith(`${home()}/tasks?`) ? address : null;
}

async function page(address) {
  const answer = await request("GET", address);
  const total = answer.headers.get("X-Total-Count");
  return { tasks: await json(answer), next: nextOf(answer), total: total === null ? null : Number(total) };
}

// filter  { status, priority, tag, search, sort, order }; what is empty is left out
export function list(filter, limit) {
  const query = new URLSearchParams({ limit, count: "exact" });
  for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value);
  return page(`${home()}/tasks?${query}`);
}

export const listNext = (next) => page(next);

export const get = async (id) => json(await request("GET", task(id)));

// The id is the caller's, so that however often this is sent there is one task.
export async function create(id, content) {
  try {
    return await json(await request("PUT", task(id), { headers: { "If-None-Match": "*" }, body: content }));
  } catch (problem) {
    if (problem.code === "precondition_failed") return get(id); // an earlier try, whose answer was lost, has made it
    throw problem;
  }
}

export const change = async (known, members) =>
  json(await request("PATCH", task(known.id), { headers: { "If-Match": tagOf(known), "Content-Type": "application/merge-patch+json" }, body: members }));

export const remove = (known) => request("DELETE", task(known.id), { headers: { "If-Match": tagOf(known) } });

export const clearCompleted = async () => (await json(await request("DELETE", `${home()}/tasks?status=completed`))).deleted;

export const exportAll = async () => (await request("GET", `${home()}/export`)).blob();

export const eraseAll = () => request("DELETE", home(), { headers: { "X-Confirm-Erase": encodeURIComponent(currentUser().id) } });

// Could the service serve? Asked without a token, while it could not.
export const ready = async () => (await ask("/ready")).ok;
