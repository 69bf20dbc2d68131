// How members of a task are written for a person.

const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const year = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const PRIORITIES = { low: "Low", medium: "Medium", high: "High" };

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

// An RFC 3339 instant as a day near today, or a date.
export function due(text) {
  const date = new Date(text), now = new Date();
  const days = Math.round((midnight(date) - midnight(now)) / 86400000);
  const clock = time.format(date);
  if (days === 0) return `Today, ${clock}`;
  if (days === 1) return `Tomorrow, ${clock}`;
  if (days === -1) return `Yesterday, ${clock}`;
  return `${date.getFullYear() === now.getFullYear() ? day.format(date) : year.format(date)}, ${clock}`;
}

export const overdue = (task) => Boolean(task.due_date) && !task.completed && new Date(task.due_date) < new Date();

export const priority = (name) => PRIORITIES[name];

// What an input of the type datetime-local holds for an instant, in this machine's time zone, and back.
export function toLocal(text) {
  if (!text) return "";
  const date = new Date(text);
  const two = (number) => String(number).padStart(2, "0");
  return `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

export const fromLocal = (text) => (text ? new Date(text).toISOString() : null);

export const toTags = (text) => [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];

const LABELS = { title: "Title", description: "Description", due_date: "Due", priority: "Priority", tags: "Tags", completed: "Done" };

export const label = (member) => LABELS[member];

export function member(name, value) {
  if (name === "due_date") return value ? due(value) : "none";
  if (name === "priority") return priority(value);
  if (name === "completed") return value ? "yes" : "no";
  if (name === "tags") return value.length ? value.join(", ") : "none";
  return value || "none";
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// A title in a sentence.
export const quoted = (title) => `“${title.length > 40 ? `${title.slice(0, 39)}…` : title}”`;
