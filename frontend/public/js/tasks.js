// The list that is shown: what the server last said of each task, and on top of it the changes that are on their way.
import * as api from "./api.js";
import { Problem } from "./problems.js";
import { same } from "./words.js";

const PAGE = 50;

export const MEMBERS = ["title", "description", "due_date", "priority", "tags", "completed"];

// What a client may write of a task.
export const contentOf = (task) => Object.fromEntries(MEMBERS.map((name) => [name, task[name]]));

// A version 4 UUID (RFC 9562 §5.4); crypto.randomUUID is there on https alone.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Somebody else was quicker: the task as this page knew it, as it is now (null: gone), and what was to become of it.
export class Conflict extends Error {
  constructor(before, now, wanted) {
    super("conflict");
    Object.assign(this, { before, now, wanted });
  }
}

export class Tasks {
  #known = new Map(); // id → the server's last word
  #pending = new Map(); // id → [{ members } or { removed: true }], in their order
  #turns = new Map(); // id → the last of its requests, which the next one waits for
  #gone = new Map(); // id → updated_at when it was deleted here, since a list on its way may still hold it
  #order = []; // ids as they are shown
  #round = 0; // of loading the list
  #era = 0; // of the user: what was sent for one says nothing to the next
  next = null;
  total = null;
  loading = false;

  // changed()  called whenever something is to be drawn anew
  constructor(changed) {
    this.changed = changed;
  }

  get(id) {
    const known = this.#known.get(id);
    const pending = this.#pending.get(id) ?? [];
    if (!known && !pending.length) return null;
    if (pending.some((change) => change.removed)) return null;
    return Object.assign({ id }, known, ...pending.map((change) => change.members), { saving: pending.length > 0 });
  }

  get shown() {
    return this.#order.map((id) => this.get(id)).filter(Boolean);
  }

  forget() {
    this.#round++;
    this.#era++;
    for (const map of [this.#known, this.#pending, this.#turns, this.#gone]) map.clear();
    this.#order = [];
    this.next = this.total = null;
    this.loading = false;
    this.changed();
  }

  // updated_at grows with every change of a task and is always written alike, so that text order is its order.
  #learn(task) {
    const known = this.#known.get(task.id);
    if (!known || known.updated_at <= task.updated_at) this.#known.set(task.id, task);
  }

  #unlearn(id) {
    const known = this.#known.get(id);
    if (known) this.#gone.set(id, known.updated_at);
    this.#known.delete(id);
    this.#order = this.#order.filter((other) => other !== id);
  }

  #take(tasks, order) {
    for (const task of tasks) {
      if (this.#gone.has(task.id) && task.updated_at <= this.#gone.get(task.id)) continue;
      this.#learn(task);
      if (!order.includes(task.id)) order.push(task.id);
    }
    this.#order = order;
  }

  async load(filter) {
    const round = ++this.#round;
    this.loading = true;
    this.changed();
    try {
      const page = await api.list(filter, PAGE);
      if (round !== this.#round) return;
      // What is being made here stays on top until the server has it.
      this.#take(page.tasks, this.#order.filter((id) => this.#pending.has(id) && !this.#known.has(id)));
      this.next = page.next;
      this.total = page.total;
    } finally {
      if (round === this.#round) {
        this.loading = false;
        this.changed();
      }
    }
  }

  async more() {
    const round = this.#round;
    const page = await api.listNext(this.next);
    if (round !== this.#round) return;
    this.#take(page.tasks, [...this.#order]);
    this.next = page.next;
    this.changed();
  }

  // Shows `change` at once and sends it when earlier ones of that task have been answered; undone if `send` fails.
  async #attempt(id, change, send) {
    const era = this.#era, pending = this.#pending;
    pending.set(id, [...(pending.get(id) ?? []), change]);
    this.changed();
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(send);
    this.#turns.set(id, turn.catch(() => {}));
    try {
      return await turn;
    } finally {
      if (era !== this.#era) throw new Problem("other_user");
      const rest = (pending.get(id) ?? []).filter((other) => other !== change);
      if (rest.length) pending.set(id, rest);
      else pending.delete(id);
      if (!this.#known.has(id) && !rest.length) this.#order = this.#order.filter((other) => other !== id);
      this.changed();
    }
  }

  create(id, content) {
    if (this.#pending.has(id)) return Promise.resolve(this.get(id)); // the same click twice
    if (!this.#order.includes(id)) this.#order = [id, ...this.#order];
    return this.#attempt(id, { members: { ...content } }, async () => {
      const made = await api.create(id, content);
      this.#gone.delete(id);
      this.#learn(made);
      if (this.total !== null) this.total++;
      return made;
    });
  }

  // Resolves to the task before the change.
  change(id, members) {
    return this.#attempt(id, { members }, async () => {
      const before = this.#known.get(id);
      if (!before) throw new Problem("task_not_found", { status: 404 });
      try {
        this.#learn(await api.change(before, members));
      } catch (problem) {
        await this.#explain(problem, before, members);
      }
      return before;
    });
  }

  // Resolves to the task that is gone.
  remove(id) {
    return this.#attempt(id, { removed: true }, async () => {
      const before = this.#known.get(id);
      if (!before) throw new Problem("task_not_found", { status: 404 });
      try {
        await api.remove(before);
      } catch (problem) {
        if (problem.code !== "task_not_found") await this.#explain(problem, before, null);
      }
      this.#unlearn(id);
      if (this.total !== null) this.total--;
      return before;
    });
  }

  async #explain(problem, before, wanted) {
    if (problem.code === "task_not_found") this.#unlearn(before.id);
    if (problem.code !== "precondition_failed") throw problem;
    const now = await api.get(before.id).catch((reason) => {
      if (reason.code !== "task_not_found") throw reason;
      this.#unlearn(before.id);
      throw reason;
    });
    this.#learn(now);
    // An earlier try, whose answer was lost, has done it.
    if (wanted && MEMBERS.every((name) => same(now[name], { ...before, ...wanted }[name]))) return;
    throw new Conflict(before, now, wanted);
  }
}
