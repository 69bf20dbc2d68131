// Every way a request can fail, as one kind of error with a sentence for a person.

// By `code` of a problem document (lib/http/errors.def); a test holds the two to each other.
export const MESSAGES = {
  bad_request: "The server could not understand the request.",
  bad_query: "This filter or sort order is not known to the server.",
  bad_cursor: "The list has changed; it is loaded again from its start.",
  status_required: "The server does not remove tasks without being told which.",
  bad_condition: "The server could not understand what the change is based on.",
  token_in_query: "A token must not stand in an address.",
  two_credentials: "The request carried two credentials.",
  body_malformed: "The server could not read what was sent.",
  body_empty: "Nothing was sent.",
  body_incomplete: "The connection broke while sending. Try again.",
  unauthorized: "Your session has ended. Sign in again.",
  token_expired: "Your session has ended. Sign in again.",
  token_too_old: "This needs a fresh sign-in: sign out, sign in, and try again.",
  forbidden: "These tasks belong to somebody else.",
  origin_refused: "The server does not take changes from this address.",
  not_found: "There is nothing at this address.",
  task_not_found: "This task is gone. Somebody, maybe you in another window, has deleted it.",
  method_not_allowed: "The server does not know how to do this.",
  not_acceptable: "The server cannot answer in a form that this page reads.",
  task_exists: "This task exists already.",
  task_limit: "You have as many tasks as one person may have. Delete some that are done.",
  precondition_failed: "This task was changed elsewhere after you saw it.",
  body_too_large: "That is too much text.",
  media_type: "The server does not take this kind of data.",
  invalid: "Some of this is not valid.",
  not_confirmed: "Erasing everything must be confirmed.",
  rate_limited: "Too many requests. Wait a moment.",
  internal: "Something went wrong on the server. It has been logged.",
  database_unavailable: "The database cannot be reached.",
  database_busy: "The database is busy.",
  database_role: "The server's database is not set up safely.",
  database_schema: "The server is being upgraded.",
  outcome_unknown: "The connection to the database broke: the change may or may not have happened. Look before you try again.",
  storage_full: "The server has no room for this now. Try again later.",
  keys_unavailable: "The server cannot check who you are just now.",
  database_timeout: "The database took too long.",

  // Of this page itself.
  unreachable: "The server cannot be reached.",
  no_sign_in: "Nobody signs users in here: this server runs without Better Auth.",
  sign_in_away: "The sign-in service cannot be reached.",
  other_user: "Somebody else has signed in in another window.",

  // Of Better Auth, as far as a person can do something about them.
  INVALID_EMAIL_OR_PASSWORD: "E-mail or password is not right.",
  INVALID_PASSWORD: "The password is not right.",
  INVALID_EMAIL: "This is no e-mail address.",
  USER_ALREADY_EXISTS: "There is an account with this e-mail address already.",
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: "There is an account with this e-mail address already.",
  PASSWORD_TOO_SHORT: "The password is too short.",
  PASSWORD_TOO_LONG: "The password is too long.",
  SESSION_EXPIRED: "Sign in again first.",
  ERASE_FAILED: "Your tasks cannot be erased now, so your account stays. Try again.",
};

const AWAY = new Set(["unreachable", "sign_in_away", "database_unavailable", "database_busy", "database_role", "database_schema", "keys_unavailable", "database_timeout"]);
const SIGNED_OUT = new Set(["unauthorized", "token_expired"]);

export class Problem extends Error {
  // status      of the answer, 0 when there was none
  // errors      of a 422: [{ loc, msg }]
  // retryAfter  seconds, where the server says
  constructor(code, { status = 0, detail = "", errors = [], retryAfter = 0 } = {}) {
    super(MESSAGES[code] ?? (detail || `The server answered ${status}.`));
    Object.assign(this, { code, status, errors, retryAfter });
  }

  // The service is not there now, and will be again without anybody changing the request.
  get away() { return AWAY.has(this.code) || (this.code === "" && this.status >= 502); }

  get signedOut() { return SIGNED_OUT.has(this.code); }
}

// A member of the task by its name, with what the server says about it.
export function fieldErrors(problem) {
  const found = {};
  for (const { loc, msg } of problem.errors) {
    const member = loc.find((part) => part !== "body");
    if (typeof member === "string") found[member] ??= `${msg.charAt(0).toUpperCase()}${msg.slice(1)}.`.replace("..", ".");
  }
  return found;
}

// ask(request…): fetch, where having no answer at all is a Problem too.
export async function ask(address, options) {
  try {
    return await fetch(address, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(20000), ...options });
  } catch {
    throw new Problem("unreachable");
  }
}

// The Problem that an answer other than 2xx tells of.
export async function problemOf(answer) {
  const text = await answer.text().catch(() => "");
  let said = {};
  try { said = JSON.parse(text) ?? {}; } catch { /* a page of something in between: the status must do */ }
  return new Problem(said.code ?? "", {
    status: answer.status,
    detail: said.detail ?? said.message ?? "",
    errors: Array.isArray(said.errors) ? said.errors : [],
    retryAfter: Number(answer.headers.get("Retry-After")) || 0,
  });
}
