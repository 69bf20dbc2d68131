// What the page tells without being asked: short notices that may be undone, and a bar while the service is away.
import { $, make, say } from "./dom.js";
import { ready } from "./api.js";

const STAY = 10000; // milliseconds; longer while somebody points at it or has the focus in it

// action  { label, run }, such as Undo
export function notice(text, action) {
  const toast = make("div", { className: "toast" }, make("span", { textContent: text }));
  const close = () => toast.remove();
  if (action) {
    const button = make("button", { type: "button", className: "link", textContent: action.label });
    button.addEventListener("click", () => { close(); action.run(); });
    toast.append(button);
  }
  const dismiss = make("button", { type: "button", className: "icon", textContent: "✕", aria: { label: "Dismiss" } });
  dismiss.addEventListener("click", close);
  toast.append(dismiss);
  let timer = setTimeout(close, STAY);
  const wait = () => clearTimeout(timer);
  const go = () => { wait(); timer = setTimeout(close, STAY); };
  for (const [event, act] of [["pointerenter", wait], ["focusin", wait], ["pointerleave", go], ["focusout", go]]) toast.addEventListener(event, act);
  $("toasts").append(toast);
  while ($("toasts").children.length > 3) $("toasts").firstElementChild.remove();
}

export function clearNotices() { $("toasts").replaceChildren(); }

let timer = 0, tries = 0, resume = null, reason = null;

const banner = make("p", { className: "width" }, make("span"));
const again = make("button", { type: "button", textContent: "Try now" });
banner.append(again);
again.addEventListener("click", () => attempt());

export const isAway = () => resume !== null;

// away(problem, back): shows the bar, asks from time to time whether the service is there again, and then calls `back`.
export function away(problem, back) {
  resume = back;
  reason = problem;
  say(banner.firstElementChild, `${navigator.onLine ? problem.message : "You are offline."} What you see may be old, and changes cannot be saved.`);
  if (!banner.isConnected) $("banner").append(banner);
  clearTimeout(timer);
  const wait = Math.min(10, Math.max(problem.retryAfter ?? 0, 2 ** tries++));
  timer = setTimeout(attempt, wait * 1000);
}

async function attempt() {
  clearTimeout(timer);
  const back = resume;
  if (!back) return;
  if (!(await ready().catch(() => false))) {
    if (resume === back) away(reason, back);
    return;
  }
  if (resume === back) {
    resume = null;
    banner.remove();
    await back();
    if (!resume) tries = 0;
  }
}

export function noLongerAway() {
  clearTimeout(timer);
  resume = null;
  tries = 0;
  banner.remove();
}

addEventListener("online", attempt);
