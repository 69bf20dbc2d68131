// What the tasks of every user must be, from the answers alone.
//
// A task is known by its id, or, while the answer to its creation is missing, by the word in its title that no other
// creation has. It has one state, or several while it is unknown which of them holds: null where there is no such task,
// else its members. An answer keeps the states that explain it; when none does, the product has broken its word.
//
// A write whose outcome is unknown may still be under way. Until it can be no more (`settles`), reads must show one of the
// states but decide nothing, and nothing else is written to that task but the same again, where that is safe.

export const MEMBERS = ["title", "description", "completed", "priority", "due_date", "tags"];
const DEFAULTS = { description: null, completed: false, priority: "medium", due_date: null, tags: [] };

// The state that a creation or a replacement with this body makes; `after` is what its updated_at must exceed.
export function written(body, { created_at, after } = {}) {
  return { ...DEFAULTS, ...body, created_at, after };
}

// The state that a change of some members makes.
export function changed(state, members) {
  return { ...state, ...members, updated_at: undefined, after: state.updated_at ?? state.after };
}

// The word by which a creation is known: the last of a title.
const wordOf = (title) => title.slice(title.lastIndexOf(" ") + 1);

// Does the row of an answer show this state?
export function shows(state, row) {
  return state !== null
    && MEMBERS.every((member) => JSON.stringify(state[member]) === JSON.stringify(row[member]))
    && (state.created_at === undefined || state.created_at === row.created_at)
    && (state.updated_at !== undefined ? state.updated_at === row.updated_at : state.after === undefined || row.updated_at > state.after);
}

export class Violation extends Error {}

export class Task {
  constructor(id, word, states) {
    this.id = id; // null: the answer that would name it never came
    this.word = word;
    this.states = states;
    this.settles = 0; // performance.now() from which no write can still be under way
    this.busy = false;
    this.version = 0; // counts beginnings and ends of writes
    this.history = [];
  }

  note(text) {
    this.history.push(text);
    if (this.history.length > 30) this.history.shift();
  }

  get alive() {
    return this.states.some((state) => state !== null);
  }

  fail(what) {
    throw new Violation(`${what}\n  task ${this.id ?? this.word}, states ${JSON.stringify(this.states)}\n  ${this.history.join("\n  ")}`);
  }

  // Keeps the states that `fits`, since a read that was sent at `sent` showed something.
  keep(fits, sent, what) {
    const left = this.states.filter(fits);
    if (left.length === 0) this.fail(what);
    if (sent >= this.settles) this.states = left;
  }

  // A row was read.
  saw(row, sent) {
    this.keep((state) => shows(state, row), sent, `reads ${JSON.stringify(row)}`);
    if (sent >= this.settles) this.states = [{ ...row }];
  }
}

export class User {
  constructor(id) {
    this.id = id;
    this.tasks = new Map(); // by id
    this.nameless = new Map(); // by word: those whose id is not known
    this.words = new Map(); // word of a creation by POST → id, so that a second row of it is seen
    this.active = 0; // requests in flight
    this.exclusive = false; // one that concerns all tasks is in flight, or about to be
  }

  get path() {
    return `/api/${encodeURIComponent(this.id)}`;
  }

  *all() {
    yield* this.tasks.values();
    yield* this.nameless.values();
  }

  // The task of a row that was read; a nameless one gets its name by that.
  taskOf(row) {
    if (row.user_id !== this.id || !row.title.startsWith(`${this.id} `)) throw new Violation(`${this.id} sees a row of another user: ${JSON.stringify(row)}`);
    const known = this.tasks.get(row.id);
    if (known) return known;
    const word = wordOf(row.title);
    const nameless = this.nameless.get(word);
    if (!nameless) {
      const twin = this.words.get(word);
      throw new Violation(twin ? `${this.id}: one creation made two tasks, ${twin} and ${row.id}` : `${this.id}: nobody made ${JSON.stringify(row)}`);
    }
    this.nameless.delete(word);
    this.name(nameless, row.id);
    return nameless;
  }

  name(task, id) {
    task.id = id;
    this.tasks.set(id, task);
    this.words.set(task.word, id);
  }

  // What lies still at this moment, so that a list can be compared with it: read() takes it along.
  snapshot() {
    return new Map([...this.all()].filter((task) => !task.busy).map((task) => [task, task.version]));
  }

  // Rows of a list, of one page or of all pages of a walk, sent at `sent`: those that lay still must be as they were, those
  // that are missing must be gone or no match for the filter. `whole`: nothing was left for another page.
  read(rows, sent, snapshot, { matches = () => true, whole = true } = {}) {
    const seen = new Set();
    const still = (task) => snapshot.get(task) === task.version && !task.busy;
    for (const row of rows) {
      const task = this.taskOf(row);
      if (seen.has(task) && still(task)) task.fail(`is listed twice`);
      seen.add(task);
      if (!still(task)) continue;
      if (!matches(row)) task.fail(`is listed, but does not match: ${JSON.stringify(row)}`);
      task.saw(row, sent);
    }
    if (whole) {
      for (const task of this.all()) {
        if (!seen.has(task) && still(task)) task.keep((state) => state === null || !matches(state), sent, `is not listed at ${sent.toFixed(0)}`);
      }
    }
    // Creations that never happened.
    for (const [word, task] of this.nameless) if (!task.busy && !task.alive) this.nameless.delete(word);
  }
}
