// The page: who is signed in decides what is shown, and each thing that a person does is one function here.
import * as api from "./api.js";
import { closeAll, confirm, edit, resolveConflict } from "./dialogs.js";
import { $, say, show } from "./dom.js";
import { draw } from "./list.js";
import { away, clearNotices, isAway, noLongerAway, notice } from "./notices.js";
import { Problem } from "./problems.js";
import * as session from "./session.js";
import { Conflict, Tasks, contentOf, newId } from "./tasks.js";
import { welcome } from "./welcome.js";
import { quoted } from "./words.js";

const filter = { status: "", priority: "", tag: "", search: "", sort: "", order: "" };
const tasks = new Tasks(render);
let typing = 0;

// ---- what is shown ----

function render() {
  const shown = tasks.shown;
  draw(shown, { complete, edit: editTask, remove, tag: (tag) => choose({ tag }) });
  const filtered = Boolean(filter.status || filter.priority || filter.tag || filter.search);
  const all = tasks.total ?? shown.length;
  say($("count"), tasks.total === null ? "" : `${all} ${all === 1 ? "task" : "tasks"}${filtered ? " found" : ""}`);
  show($("empty"), tasks.total !== null && shown.length === 0 && !tasks.loading);
  say($("empty-title"), filtered ? "Nothing found" : "Nothing to do");
  say($("empty-text"), filtered ? "No task fits this filter." : "Write down what is to be done, and press Enter.");
  show($("more"), Boolean(tasks.next));
  show($("clear"), shown.some((task) => task.completed));
  show($("loading"), tasks.loading && tasks.total === null);
}

function showPlace(place) {
  show($("welcome"), place === "welcome");
  show($("tasks"), place === "tasks");
  show($("account"), place === "tasks");
  show($("loading"), place === "loading");
}

// ---- coming and going ----

async function start() {
  const before = session.currentUser()?.id;
  try {
    const user = await session.resume();
    // In another window somebody else has signed in: neither tasks nor a chance to undo may pass to them.
    if (before && user && user.id !== before) leave("");
    if (user) await enter();
    else leave("");
  } catch (problem) {
    if (problem.code === "no_sign_in") leave(problem.message);
    else if (problem.away) trouble(problem);
    else leave(problem.message);
  }
}

async function enter() {
  showPlace("tasks");
  readFilter();
  await load();
  if (!document.querySelector("dialog[open]")) $("add-title").focus({ preventScroll: true });
}

function leave(note) {
  closeAll();
  clearNotices();
  noLongerAway();
  tasks.forget();
  showPlace("welcome");
  welcome(note, enter);
}

// What any failure does to the page; true when there is nothing left to say about it.
function trouble(problem) {
  if (problem.signedOut) leave(problem.message);
  else if (problem.code === "other_user") location.reload();
  else if (problem.away) away(problem, session.currentUser() ? load : start);
  else return false;
  return problem.signedOut || problem.code === "other_user";
}

function report(problem, action) {
  if (!(problem instanceof Problem)) throw problem;
  if (!trouble(problem)) notice(problem.message, action);
}

session.heard(() => start());

// ---- the list ----

async function load() {
  try {
    await tasks.load(filter);
    if (isAway()) noLongerAway();
  } catch (problem) {
    if (problem.code === "bad_query") return choose(Object.fromEntries(Object.keys(filter).map((name) => [name, ""])));
    if (!trouble(problem) && !problem.away) notice(problem.message);
  }
  return undefined;
}

async function more() {
  const last = $("list").lastElementChild;
  try {
    await tasks.more();
    last?.nextElementSibling?.querySelector("input").focus();
  } catch (problem) {
    if (problem.code === "bad_cursor") await load();
    report(problem);
  }
}

// The filter is kept behind the # of the address, which is sent to nobody.
function readFilter() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(filter)) filter[name] = given.get(name) ?? "";
  writeFilter();
}

function writeFilter() {
  const form = $("filter").elements;
  form.status.value = filter.status || "all";
  form.priority.value = filter.priority;
  form.sort.value = filter.sort || "created";
  if (form.search.value.trim() !== filter.search) form.search.value = filter.search;
  $("order").setAttribute("aria-pressed", String(filter.order !== ""));
  say($("tag-clear"), filter.tag ? `${filter.tag} ✕` : "");
  $("tag-clear").setAttribute("aria-label", `Tagged ${filter.tag}: show all tags again`);
  show($("tag-filter"), Boolean(filter.tag));
}

function choose(members) {
  Object.assign(filter, members);
  const kept = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  history.replaceState(null, "", kept.size === 0 || !String(kept) ? location.pathname : `#${kept}`);
  writeFilter();
  return load();
}

// Newest first, but the others from their small end: what the server does when it is told no order.
function reversed(sort) {
  return sort === "" || sort === "created" || sort === "updated" ? "asc" : "desc";
}

// ---- one task ----

async function create(id, content) {
  try {
    await tasks.create(id, content);
  } catch (problem) {
    if (problem.code === "invalid") {
      notice(problem.message);
      return editNew(content);
    }
    report(problem, { label: "Try again", run: () => create(id, content) });
  }
  return undefined;
}

// change(id, members): as often as somebody else is quicker and this user insists.
async function change(id, members) {
  for (;;) {
    try {
      return await tasks.change(id, members);
    } catch (problem) {
      if (!(problem instanceof Conflict)) throw problem;
      if (!(await resolveConflict(problem))) return null;
    }
  }
}

async function complete(id, completed) {
  const { title } = tasks.get(id);
  const back = { label: "Undo", run: () => complete(id, !completed) };
  try {
    if (await change(id, { completed })) notice(completed ? `${quoted(title)} is done.` : `${quoted(title)} is open again.`, back);
  } catch (problem) {
    report(problem, { label: "Try again", run: () => complete(id, completed) });
  }
}

async function remove(id) {
  for (;;) {
    try {
      const before = await tasks.remove(id);
      notice(`${quoted(before.title)} is deleted.`, { label: "Undo", run: () => create(id, contentOf(before)) });
      return;
    } catch (problem) {
      if (!(problem instanceof Conflict)) return void report(problem, { label: "Try again", run: () => remove(id) });
      if (!(await resolveConflict(problem))) return;
    }
  }
}

function editTask(id) {
  const task = tasks.get(id);
  if (task) edit(task, { save: (members) => saving(() => change(id, members)), remove: () => remove(id) });
}

function editNew(known) {
  const id = newId();
  return edit(known, {
    save: async (content) => {
      await saving(() => tasks.create(id, content));
      if ($("add-title").value.trim() === known.title) $("add-title").value = "";
    },
  });
}

// What stands in a dialog stays there; only what concerns the whole page is shown behind it.
async function saving(work) {
  try {
    return await work();
  } catch (problem) {
    if (problem instanceof Problem) trouble(problem);
    throw problem;
  }
}

$("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = $("add-title"), title = field.value.trim();
  field.focus();
  if (!title) return;
  field.value = "";
  create(newId(), { title, description: null, due_date: null, priority: "medium", tags: [], completed: false });
});
$("add-more").addEventListener("click", () => editNew({ title: $("add-title").value.trim() }));

// ---- filter and more ----

$("filter").addEventListener("submit", (event) => event.preventDefault());
$("filter").addEventListener("change", (event) => {
  const { name, value } = event.target;
  if (name === "status") choose({ status: value === "all" ? "" : value });
  if (name === "priority") choose({ priority: value });
  if (name === "sort") choose({ sort: value === "created" ? "" : value, order: "" });
});
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => choose({ search: $("search").value.trim() }), 250);
});
$("order").addEventListener("click", () => choose({ order: filter.order ? "" : reversed(filter.sort) }));
$("tag-clear").addEventListener("click", () => {
  choose({ tag: "" });
  $("search").focus();
});
$("more").addEventListener("click", more);
$("clear").addEventListener("click", () => confirm({
  title: "Delete completed tasks",
  text: "All tasks that are done are deleted, also those that are not shown. This cannot be undone.",
  button: "Delete them",
  work: () => saving(async () => {
    const deleted = await api.clearCompleted();
    notice(`${deleted} ${deleted === 1 ? "task is" : "tasks are"} deleted.`);
    await load();
  }),
}));

// ---- the account ----

$("sign-out").addEventListener("click", async () => {
  try {
    await session.signOut();
    leave("You are signed out.");
  } catch (problem) {
    report(problem);
  }
});

$("open-settings").addEventListener("click", () => {
  const { name, email } = session.currentUser();
  say($("settings-name"), name);
  say($("settings-email"), email);
  say($("settings-error"), "");
  $("settings").showModal();
});

$("export").addEventListener("click", async () => {
  say($("settings-error"), "");
  try {
    const address = URL.createObjectURL(await api.exportAll());
    const link = Object.assign(document.createElement("a"), { href: address, download: "tasks.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  } catch (problem) {
    if (!trouble(problem)) say($("settings-error"), problem.message);
  }
});

$("erase").addEventListener("click", () => confirm({
  title: "Erase all tasks",
  text: "Every one of your tasks is erased for good. Your account stays.",
  button: "Erase everything",
  ask: { label: "Type ERASE to confirm", expected: "ERASE" },
  work: () => saving(async () => {
    await api.eraseAll();
    $("settings").close();
    notice("All of your tasks are erased.");
    await load();
  }),
}));

$("delete-account").addEventListener("click", async () => {
  const end = await confirm({
    title: "Delete your account",
    text: "Your tasks are erased first, then your account is deleted. This cannot be undone.",
    button: "Delete my account",
    ask: { label: "Your password", type: "password" },
    work: (password) => session.deleteAccount(password),
  });
  if (end === "done") leave("Your account and all of your tasks are gone.");
});

addEventListener("offline", () => trouble(new Problem("unreachable")));

showPlace("loading");
start();
