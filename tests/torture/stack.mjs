// The stack under test: brought up and down by bin/stack, and its processes, each known by number and time of birth.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Violation } from "./model.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
// What a responder may gain, in KiB: libpq and the answer's buffer keep the room that the longest answer took, here some 30
// tasks, and libc's allocator its slack. A leak of 100 bytes a request is above it after 10,000 requests.
const MEMORY_GAIN = 1024;
const PROGRAMS = ["tasks", "auth", "account", "health"];

function read(path) {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

// What /proc/PID/stat says: state, parent, time of birth; null when there is no such process, or only its remains.
function processOf(pid) {
  const text = read(`/proc/${pid}/stat`);
  if (!text) return null;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return null;
  return { pid, parent: Number(fields[1]), born: fields[19] };
}

export class Stack {
  // `program` knows up, down and whatever else is asked of it, and writes build/run-NAME/stack.env.
  constructor(name, server, settings, program = "bin/stack") {
    Object.assign(this, { name, program });
    this.environment = { PATH: process.env.PATH, HOME: process.env.HOME ?? "/", STACK: name, STACK_EPHEMERAL: "1", SERVER: server, ...settings };
  }

  // Runs bin/stack to its end; what it says is in the error when it fails.
  async run(...command) {
    // Node takes all the descriptors that it may have; others begin with a thousand.
    const child = spawn("bash", ["-c", 'ulimit -Sn 1024; exec "$@"', "bash", this.program, ...command], { cwd: ROOT, env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stdout.on("data", (text) => (said += text));
    child.stderr.on("data", (text) => (said += text));
    const status = await new Promise((resolve) => child.once("close", resolve));
    if (status !== 0) throw new Error(`${this.program} ${command.join(" ")}: status ${status}\n${said}`);
    if (command[0] !== "down") this.values = this.readValues();
  }

  readValues() {
    const values = {};
    for (const line of read(`${ROOT}/build/run-${this.name}/stack.env`).split("\n")) {
      const found = /^([A-Z_]+)='(.*)'$/.exec(line);
      if (found) values[found[1]] = found[2].replaceAll("'\\''", "'");
    }
    return values;
  }

  get port() {
    return Number(new URL(this.values.BASE_URL).port);
  }

  all() {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).map(processOf).filter(Boolean);
  }

  // The responders, by program: [{ pid, parent, born, program, leads }]; one that `leads` has the workers as its children.
  responders() {
    const folder = `${this.values.PROGRAMS}/cgi-bin/`;
    const found = [];
    for (const process of this.all()) {
      const file = read(`/proc/${process.pid}/cmdline`).split("\0")[0];
      const program = PROGRAMS.find((name) => file === `${folder}${name}.fcgi`);
      if (program) found.push({ ...process, program });
    }
    const numbers = new Set(found.map((process) => process.parent));
    return found.map((process) => ({ ...process, leads: numbers.has(process.pid) }));
  }

  children(pid) {
    return this.all().filter((process) => process.parent === pid);
  }

  // PostgreSQL's processes that serve the responders.
  backends() {
    return this.children(Number(this.values.DATABASE_PID)).filter((process) =>
      read(`/proc/${process.pid}/cmdline`).startsWith("postgres: todo_app todo "));
  }

  // Everything that was started from one of the stack's folders, or works in one.
  strays() {
    const home = this.values.PROGRAMS.replace(/programs$/, "");
    return this.all().filter(({ pid }) => {
      try {
        return read(`/proc/${pid}/cmdline`).includes(home) || readlinkSync(`/proc/${pid}/cwd`).startsWith(home);
      } catch {
        return false;
      }
    });
  }

  // True when it was sent to that very process.
  signal(process, name) {
    if (processOf(process.pid)?.born !== process.born) return false;
    try {
      globalThis.process.kill(process.pid, name);
      return true;
    } catch {
      return false;
    }
  }

  // Proportional set size of a program's serving processes on average, in KiB, by program; 0 where they hide it from us, as
  // they do from all but root.
  memory() {
    const sizes = {};
    for (const { pid, program, leads } of this.responders()) {
      if (!leads) (sizes[program] ??= []).push(Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0));
    }
    return Object.fromEntries(Object.entries(sizes).sort().map(([program, list]) => [program, Math.round(list.reduce((sum, size) => sum + size) / list.length)]));
  }

  // The programs that have grown since memory() said `before`, one sentence each.
  static grown(before, after) {
    return Object.keys(after).filter((program) => after[program] > (before[program] ?? Infinity) + MEMORY_GAIN)
      .map((program) => `${program} has grown from ${before[program]} to ${after[program]} KiB`);
  }

  // What a process has open, by the links of /proc; none where it hides them.
  descriptors(pid) {
    try {
      return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return [];
    }
  }

  // The last lines of each log that tell of more than a request.
  trouble() {
    return readdirSync(this.values.LOG_DIR).map((name) => {
      const lines = read(`${this.values.LOG_DIR}/${name}`).split("\n").filter((line) => line && !line.includes('"route"'));
      return lines.length ? `${name}:\n${lines.slice(-12).map((line) => `    ${line}\n`).join("")}` : "";
    }).join("");
  }

  // Brings it down; before that it tells what the logs say, where something has `failed`. Nothing of it may be left.
  async end(failed) {
    if (failed && this.values) console.error(this.trouble());
    await this.run("down");
    const left = this.values ? this.strays().map(({ pid }) => pid) : [];
    if (left.length) throw new Violation(`processes are left: ${left.join(" ")}`);
  }

  // Answers of psql as the superuser, a row a line.
  async query(text) {
    const child = spawn("psql", ["-X", "-A", "-t", "-q", "-c", text, this.values.SUPERUSER_DATABASE_URL], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "", wrong = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => (said += chunk));
    child.stderr.on("data", (chunk) => (wrong += chunk));
    if ((await new Promise((resolve) => child.once("close", resolve))) !== 0) throw new Error(`psql: ${wrong}`);
    return said.split("\n").filter(Boolean);
  }
}
