// Mutation testing: small faults are put into a source file of lib/ one at a time, and a test should turn red by each. One that none
// sees survives, and is shown. Each runs against the programs of tests/ that execute its line, until the first that fails. As root,
// since test programs are kept apart by namespaces; what is built is used, the tree itself is not touched.
//
//   node tests/mutation/mutate.mjs [options] lib/db/value.c…
//     --lines A[-[B]]          mutants of these lines alone
//     --only-survivors FILE    those alone that survived in FILE, the output of an earlier run
//     --rings "unit fuzz api"  programs of these folders alone
//     --tests "unit/test_x …"  these programs, instead of those that execute the line
//     --asan                   survivors once more under the sanitizers
//     --jobs N                 mutants at once (2)
//     --list                   say which mutants there are, and no more
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { inParallel, killAll, RINGS, ROOT, runBoxed } from "./box.mjs";
import { readCoverage } from "./coverage.mjs";
import { mutantsOf } from "./mutants.mjs";

const { values: options, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    lines: { type: "string", default: "1-" },
    "only-survivors": { type: "string" },
    rings: { type: "string", default: RINGS.join(" ") },
    tests: { type: "string" },
    asan: { type: "boolean" },
    jobs: { type: "string", default: "2" },
    list: { type: "boolean" },
  },
});
const jobs = Number(options.jobs);
const rings = options.rings.split(/\s+/);
const [, firstLine, dash, lastLine] = /^(\d+)(?:(-)(\d*))?$/.exec(options.lines);
const wanted = options["only-survivors"] && new Set([...readFileSync(options["only-survivors"], "utf8").matchAll(/^(lib\/.*?): survived/gm)].map(([, id]) => id));

// True when the command succeeds.
const shell = (command) => new Promise((resolve) => execFile("sh", ["-c", command], { cwd: ROOT, env: { ...process.env, CCACHE_DISABLE: "1" } }, (error) => resolve(!error)));

// How a file is compiled and linked into programs: what make would do if it changed. A changed copy of the file is compiled in a
// folder of its own, and its object put before the library, where the linker then looks for no other.
class Builder {
  linked = new Set();

  constructor(mode, file, slot) {
    Object.assign(this, { mode, file, folder: `build/mutation/${slot}` });
    this.usual = `build/${mode}`;
    this.source = `${this.folder}/${file}`;
    this.object = `${this.folder}/mutant.o`;
    for (const folder of [dirname(this.source), `${this.folder}/cgi-bin`, `${this.folder}/bin`, ...RINGS.map((ring) => `${this.folder}/tests/${ring}`)]) {
      mkdirSync(ROOT + folder, { recursive: true });
    }
  }

  static commands = new Map();

  get commands() {
    const key = `${this.mode} ${this.file}`;
    if (!Builder.commands.has(key)) {
      execFileSync("make", ["-s", `MODE=${this.mode}`, "build", "tests"], { cwd: ROOT, stdio: "inherit" });
      const lines = execFileSync("make", ["-n", "-W", this.file, `MODE=${this.mode}`, "build", "tests"], { cwd: ROOT, encoding: "utf8" }).split("\n");
      const links = lines.filter((line) => line.includes(`${this.usual}/libtodo.a -l`));
      Builder.commands.set(key, {
        compile: lines.find((line) => line.includes(` -c ${this.file} -o `)),
        links: new Map(links.map((line) => [line.split(` -o ${this.usual}/`)[1], line])),
      });
    }
    return Builder.commands.get(key);
  }

  // What the object is, without the names of lines; undefined when the text can't be compiled.
  async compile(text) {
    this.linked.clear();
    writeFileSync(ROOT + this.source, text);
    const command = this.commands.compile.replace(/ -c \S+ -o \S+/, ` -c ${this.source} -o ${this.object}`);
    if (!(await shell(`${command} && objcopy --strip-debug ${this.object} ${this.object}.bare`))) return undefined;
    return createHash("sha256").update(readFileSync(`${ROOT}${this.object}.bare`)).digest("hex");
  }

  async link(program) {
    if (this.linked.has(program)) return true;
    const archive = `${this.usual}/libtodo.a`;
    const command = this.commands.links.get(program).replace(archive, `${this.object} ${archive}`).replace(` -o ${this.usual}/`, ` -o ${this.folder}/`);
    if (!(await shell(command))) return false;
    this.linked.add(program);
    return true;
  }

  // A program of tests/, with the programs that it starts.
  async run(name, limit) {
    const started = name.startsWith("api/") ? [...this.commands.links.keys()].filter((program) => /^(cgi-)?bin\//.test(program)) : [];
    for (const program of [`tests/${name}`, ...started]) if (!(await this.link(program))) return undefined;
    return runBoxed(this.folder, name, `${ROOT}${this.folder}/log`, { limit, flags: ["--fail-fast"] });
  }
}

// ---- test programs ----

const kills = new Map();
const unchanged = new Map();

// How a program does on the file as it is, {ok, seconds}; undefined when it has something of its own in the file's place.
function runUnchanged(mode, file, name) {
  const key = `${mode} ${file} ${name}`;
  if (!unchanged.has(key)) {
    unchanged.set(key, (async () => {
      const builder = new Builder(mode, file, `unchanged/${mode}/${name}`);
      await builder.compile(readFileSync(ROOT + file, "utf8"));
      const result = await builder.run(name);
      if (!result?.ok) console.log(`${name} is left out: it ${result ? "fails" : "has something of its own"} with the file as it is`);
      rmSync(ROOT + builder.folder, { recursive: true });
      return result;
    })());
  }
  return unchanged.get(key);
}

// Programs that execute a line of the mutant's statement, those first that are likeliest to fail soon.
function testsOf(coverage, file, { lines: [first, last] }) {
  if (options.tests) return options.tests.split(/\s+/);
  const order = (name) => [rings.indexOf(name.split("/")[0]), -(kills.get(`${file} ${name}`) ?? 0), coverage[name].seconds];
  return Object.keys(coverage)
    .filter((name) => coverage[name].lines[file]?.some((line) => line >= first && line <= last))
    .map((name) => ({ name, order: order(name) }))
    .filter(({ order: [ring] }) => ring >= 0)
    .sort(({ order: a }, { order: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
    .map(({ name }) => name);
}

// ---- mutants ----

// The lines that differ, as a diff shows them.
function difference(before, after) {
  const now = after.split("\n");
  const changed = before.split("\n").map((line, at) => [line, now[at]]).filter(([line, other]) => line !== other);
  return [...changed.map(([line]) => `-${line}`), ...changed.map(([, line]) => `+${line}`)].join("\n");
}

// What becomes of the mutant that the builder has compiled.
async function judge(builder, coverage, mutant) {
  const { mode, file } = builder;
  const names = testsOf(coverage, file, mutant);
  for (const name of names) {
    // What counts lines is slower than what does not.
    const { seconds } = coverage[name] ?? (await runUnchanged(mode, file, name)) ?? {};
    const result = await builder.run(name, 5 + 5 * seconds * (mode === "asan" ? 3 : 1));
    if (!result || result.ok || !(await runUnchanged(mode, file, name))?.ok) continue;
    kills.set(`${file} ${name}`, (kills.get(`${file} ${name}`) ?? 0) + 1);
    return `${result.timedOut ? "timeout of" : "killed by"} ${name}`;
  }
  return names.length ? "survived" : "survived: no test executes it";
}

async function mutate(file, coverage) {
  const source = readFileSync(ROOT + file, "utf8");
  const mutants = mutantsOf(source).map((mutant) => ({ ...mutant, id: `${file}:${mutant.line}:${mutant.column} ${mutant.operator}` }))
    .filter(({ line, id }) => line >= firstLine && (dash ? line <= (lastLine || Infinity) : line <= firstLine) && (!wanted || wanted.has(id)));
  if (options.list) return void mutants.forEach(({ id }) => console.log(id));
  const builders = (mode) => Array.from({ length: jobs }, (_, slot) => new Builder(mode, file, slot));
  const textOf = ({ start, end, text }) => source.slice(0, start) + text + source.slice(end);
  const began = performance.now();
  const objects = new Map([[await builders("release")[0].compile(source), "no change to the object"]]);
  const figures = { killed: 0, timeout: 0, survived: 0, "no change": 0, "same as": 0, "does not compile": 0 };
  let survivors = [];

  const release = builders("release");
  await inParallel(jobs, mutants, async (mutant, slot) => {
    const text = textOf(mutant);
    const object = await release[slot].compile(text);
    const same = object && objects.get(object);
    if (object && !same) objects.set(object, `same as ${mutant.id}`);
    const verdict = !object ? "does not compile" : same ?? await judge(release[slot], coverage, mutant);
    figures[Object.keys(figures).find((name) => verdict.startsWith(name))]++;
    if (verdict.startsWith("survived")) survivors.push({ mutant, text, verdict });
    console.log(`${mutant.id}: ${verdict}`);
  });
  if (options.asan) {
    const asan = builders("asan");
    const left = [];
    await inParallel(jobs, survivors, async (survivor, slot) => {
      await asan[slot].compile(survivor.text);
      const verdict = await judge(asan[slot], coverage, survivor.mutant);
      console.log(`${survivor.mutant.id}: under the sanitizers ${verdict}`);
      if (verdict.startsWith("survived")) return void left.push(survivor);
      figures.survived--;
      figures.killed++;
    });
    survivors = left;
  }
  for (const { mutant, text, verdict } of survivors.sort((a, b) => a.mutant.start - b.mutant.start)) {
    console.log(`\n${mutant.id}${verdict.slice("survived".length)}\n${difference(source, text)}`);
  }
  const found = figures.killed + figures.timeout, all = found + figures.survived;
  console.log(`\n${file}: ${found} of ${all} mutants found (${all ? ((100 * found) / all).toFixed(1) : 100} %), ${figures.timeout} of them by a timeout; ${figures.survived} survived; ` +
    `${figures["no change"]} change nothing, ${figures["same as"]} are the same as another, ${figures["does not compile"]} do not compile; ${Math.round((performance.now() - began) / 1000)} s\n`);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => (killAll(), process.exit(1)));
if (!files.length) throw new Error("which files of lib/?");
if (/^\/(tmp|dev\/shm)\//.test(ROOT)) throw new Error("a clone below /tmp would not be seen by tests that have a /tmp of their own");
const coverage = options.tests || options.list ? {} : await readCoverage(jobs);
for (const file of files) await mutate(file, coverage);
