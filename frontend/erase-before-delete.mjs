// A hook for Better Auth's user.deleteUser.beforeDelete: erases the user's tasks first, and keeps the account if that fails.
//
// docs/better-auth.md says how to use it in a server of your own.
import { APIError } from "better-auth/api";

// apiURL   where the tasks are, as this server reaches it, without a slash at its end
// signJWT  makes a token of the claims: those of an ordinary token, but for a minute and dated now
// timeout  milliseconds; more than the responders' own limit for the database (TODO_DATABASE_TIMEOUT)
export function eraseBeforeDelete({ apiURL, signJWT, timeout = 15000 }) {
  return async (user) => {
    const id = encodeURIComponent(user.id);
    const now = Math.floor(Date.now() / 1000);
    let reason;
    try {
      const token = await signJWT({ sub: String(user.id), iat: now, exp: now + 60 });
      const answer = await fetch(`${apiURL}/api/${id}`, {
        method: "DELETE",
        headers: { Authorization: `Bearer ${token}`, "X-Confirm-Erase": id },
        redirect: "error",
        signal: AbortSignal.timeout(timeout),
      });
      if (answer.status === 204) return;
      const problem = await answer.json().catch(() => ({}));
      reason = `${answer.status} ${problem.code ?? ""}`;
    } catch (error) {
      reason = error.cause?.code ?? error.name;
    }
    console.error(`erase-before-delete: the tasks of a user can't be erased: ${reason}`);
    // Whatever is thrown here, Better Auth deletes nothing. Erasing twice does no harm, so the user may try again.
    throw new APIError("SERVICE_UNAVAILABLE", { code: "ERASE_FAILED", message: "Your tasks can't be erased now, so your account stays. Try again." });
  };
}
