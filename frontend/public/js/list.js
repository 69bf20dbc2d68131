// The rows of the list: one element a task, kept as long as the task is shown, so that focus stays where it is.
import { $, make, say, show } from "./dom.js";
import { due, overdue, priority } from "./words.js";

const rows = new Map();

function makeRow(id, on) {
  const checkbox = make("input", { type: "checkbox", id: `done-${id}`, aria: { labelledby: `done-label-${id} title-${id}` } });
  const label = make("span", { id: `done-label-${id}`, className: "unseen", textContent: "Done:" });
  const title = make("button", { type: "button", id: `title-${id}`, className: "title" });
  const description = make("p", { className: "description" });
  const when = make("span", { className: "due" });
  const rank = make("span", { className: "rank" });
  const tags = make("span", { className: "tags" });
  const remove = make("button", { type: "button", className: "icon remove", textContent: "✕", title: "Delete" });
  const row = make("li", { className: "task", id: `task-${id}` },
    checkbox, label, make("div", { className: "body" }, title, description, make("p", { className: "meta" }, when, rank, tags)), remove);
  checkbox.addEventListener("change", () => on.complete(id, checkbox.checked));
  title.addEventListener("click", () => on.edit(id));
  remove.addEventListener("click", () => on.remove(id));
  tags.addEventListener("click", (event) => {
    const tag = event.target.closest("button")?.dataset.tag;
    if (tag !== undefined) on.tag(tag);
  });
  return { row, checkbox, title, description, when, rank, tags, remove };
}

function fill(parts, task) {
  const late = overdue(task);
  parts.row.classList.toggle("done", task.completed);
  parts.row.classList.toggle("saving", task.saving);
  parts.checkbox.checked = task.completed;
  say(parts.title, task.title);
  say(parts.description, task.description ?? "");
  show(parts.description, Boolean(task.description));
  say(parts.when, task.due_date ? `${late ? "Overdue: " : ""}${due(task.due_date)}` : "");
  parts.when.classList.toggle("late", late);
  show(parts.when, Boolean(task.due_date));
  say(parts.rank, task.priority === "medium" ? "" : `${priority(task.priority)} priority`);
  parts.rank.dataset.priority = task.priority;
  show(parts.rank, task.priority !== "medium");
  const words = JSON.stringify(task.tags);
  if (parts.tags.dataset.words !== words) {
    parts.tags.dataset.words = words;
    parts.tags.replaceChildren(...task.tags.map((tag) =>
      make("button", { type: "button", className: "tag", textContent: tag, data: { tag }, title: "Show only this tag" })));
  }
  parts.remove.setAttribute("aria-label", `Delete ${task.title}`);
}

// on  { complete(id, done), edit(id), remove(id), tag(tag) }
export function draw(tasks, on) {
  const list = $("list");
  const wanted = new Set(tasks.map((task) => task.id));
  for (const [id, { row }] of rows) {
    if (wanted.has(id)) continue;
    // Focus goes on to the neighbour, not to the top of the page.
    if (row.contains(document.activeElement)) {
      const neighbour = row.nextElementSibling ?? row.previousElementSibling;
      (neighbour?.querySelector("input") ?? $("tasks-title")).focus();
    }
    row.remove();
    rows.delete(id);
  }
  let place = list.firstElementChild;
  for (const task of tasks) {
    if (!rows.has(task.id)) rows.set(task.id, makeRow(task.id, on));
    const parts = rows.get(task.id);
    fill(parts, task);
    if (parts.row === place) place = place.nextElementSibling;
    else list.insertBefore(parts.row, place);
  }
}
