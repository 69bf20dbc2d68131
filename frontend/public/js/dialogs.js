// The dialogs: each is opened with what it needs, and resolves to what came of it.
import { $, make, say, show, showErrors } from "./dom.js";
import { Problem, fieldErrors } from "./problems.js";
import { MEMBERS } from "./tasks.js";
import { fromLocal, label, member, same, toLocal, toTags } from "./words.js";

for (const button of document.querySelectorAll("dialog [data-close]")) button.addEventListener("click", () => button.closest("dialog").close());

// Resolves when the dialog is closed, however that comes about.
function opened(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

// While `work` runs the form takes no second click.
async function working(form, work) {
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  try {
    await work();
  } finally {
    form.ariaBusy = "false";
  }
}

const EMPTY = { title: "", description: null, due_date: null, priority: "medium", tags: [], completed: false };

function contentOf(fields, before) {
  const due = fields.due_date.value;
  return {
    title: fields.title.value.trim(),
    description: fields.description.value.trim() || null,
    // Minutes are all that the field shows: an instant that reads the same is the same.
    due_date: due === toLocal(before.due_date) ? before.due_date : fromLocal(due),
    priority: fields.priority.value,
    tags: toTags(fields.tags.value),
    completed: fields.completed.checked,
  };
}

// task    to be edited; for a new one what is known of it, without an id
// save    (members that differ) → promise; a Problem about them is shown beside the fields
// remove  called for Delete
export function edit(task, { save, remove }) {
  const dialog = $("editor"), form = $("editor-form"), fields = form.elements;
  const before = { ...EMPTY, ...task };
  const isNew = !task.id;
  say($("editor-title"), isNew ? "New task" : "Edit task");
  show($("editor-delete"), !isNew);
  for (const name of ["title", "priority"]) fields[name].value = before[name];
  fields.description.value = before.description ?? "";
  fields.due_date.value = toLocal(before.due_date);
  fields.tags.value = before.tags.join(", ");
  fields.completed.checked = before.completed;
  showErrors(form, {});
  say($("editor-error"), "");

  form.onsubmit = (event) => {
    event.preventDefault();
    if (!fields.title.value.trim()) return showErrors(form, { title: "A task needs a title." });
    if (fields.due_date.validity.badInput) return showErrors(form, { due_date: "This is not a whole date and time." });
    const content = contentOf(fields, before);
    const changed = Object.fromEntries(MEMBERS.filter((name) => isNew || !same(content[name], before[name])).map((name) => [name, content[name]]));
    return working(form, async () => {
      say($("editor-error"), "");
      try {
        if (Object.keys(changed).length) await save(changed);
        dialog.close("saved");
      } catch (problem) {
        if (!(problem instanceof Problem)) return dialog.close(); // a conflict has a dialog of its own
        const placed = showErrors(form, fieldErrors(problem));
        if (!problem.errors.length || !placed) say($("editor-error"), problem.message);
      }
    });
  };
  $("editor-delete").onclick = () => { dialog.close(); remove(); };
  const end = opened(dialog);
  fields.title.focus();
  return end;
}

// Shows what changed; resolves to true when ours is to be saved all the same. wanted null: it was to be deleted.
export async function resolveConflict({ before, now, wanted }) {
  const names = MEMBERS.filter((name) => !same(before[name], now[name]) || (wanted && name in wanted));
  $("conflict-rows").replaceChildren(...names.map((name) => make("tr", {},
    make("th", { scope: "row", textContent: label(name) }),
    make("td", { textContent: member(name, before[name]) }),
    make("td", { textContent: member(name, now[name]), className: same(before[name], now[name]) ? "" : "differs" }),
    make("td", { textContent: wanted ? member(name, { ...now, ...wanted }[name]) : "deleted" }))));
  say($("conflict-mine"), wanted ? "Save mine" : "Delete it anyway");
  return (await opened($("conflict"))) === "mine";
}

// Asks before something that cannot be undone; `work` gets what was typed, and a Problem of it is shown.
//   ask   { label, type, expected }: something to be typed first; expected: just this
export function confirm({ title, text, button, ask = null, work }) {
  const dialog = $("confirm"), form = $("confirm-form"), input = $("confirm-input");
  say($("confirm-title"), title);
  say($("confirm-text"), text);
  say($("confirm-button"), button);
  say($("confirm-error"), "");
  show($("confirm-field"), Boolean(ask));
  say($("confirm-label"), ask?.label ?? "");
  input.type = ask?.type ?? "text";
  input.autocomplete = ask?.type === "password" ? "current-password" : "off";
  input.value = "";
  form.onsubmit = (event) => {
    event.preventDefault();
    if (ask && (ask.expected ? input.value !== ask.expected : !input.value)) {
      say($("confirm-error"), ask.expected ? `Type ${ask.expected} to go on.` : "Type it to go on.");
      return input.focus();
    }
    return working(form, async () => {
      say($("confirm-error"), "");
      try {
        await work(input.value);
        dialog.close("done");
      } catch (problem) {
        say($("confirm-error"), problem.message);
      } finally {
        input.value = "";
      }
    });
  };
  return opened(dialog);
}

export function closeAll() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}
