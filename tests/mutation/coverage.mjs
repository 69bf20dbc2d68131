// Which test programs execute which lines of lib/: each is run once, in a build that counts. What is known is kept in
// build/mutation/coverage.json for as long as the sources that it is of do not change.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { inParallel, RINGS, ROOT, runBoxed } from "./box.mjs";

const FOLDER = "build/mutation", BUILD = `${FOLDER}/coverage`, KEPT = `${FOLDER}/coverage.json`;
const SHARED = ["lib", "cgi-bin", "bin", "sql", "tests/support", "tests/fuzz", "tests/mutation/exit.c"];

function filesBelow(path) {
  return execFileSync("find", [path, "-type", "f"], { cwd: ROOT, encoding: "utf8" }).trim().split("\n").sort();
}

function hashOf(paths, before = "") {
  const hash = createHash("sha256").update(before);
  for (const path of paths.flatMap(filesBelow)) hash.update(`${path}\0`).update(readFileSync(ROOT + path));
  return hash.digest("hex");
}

export function testPrograms() {
  return RINGS.flatMap((ring) => readdirSync(`${ROOT}tests/${ring}`).filter((name) => /^(test|fuzz)_.*\.c$/.test(name)).map((name) => `${ring}/${name.slice(0, -2)}`));
}

// Lines by file that the counts in `folder` say were executed; the counts are taken away.
function takeLines(folder) {
  const counts = filesBelow(folder).filter((path) => path.endsWith(".gcda"));
  const ofLib = counts.filter((path) => path.startsWith(`${folder}/lib/`));
  const lines = {};
  if (ofLib.length) {
    const said = execFileSync("gcov", ["--json-format", "--stdout", ...ofLib], { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 30 });
    for (const { files } of said.trim().split("\n").map(JSON.parse)) {
      for (const { file, lines: counted } of files) {
        if (/^lib\/.*\.c$/.test(file)) lines[file] = counted.filter(({ count }) => count > 0).map((line) => line.line_number);
      }
    }
  }
  for (const path of counts) rmSync(ROOT + path);
  return lines;
}

// {program: {lines: {file: [line]}, seconds}}
export async function readCoverage(jobs) {
  const known = existsSync(ROOT + KEPT) ? JSON.parse(readFileSync(ROOT + KEPT, "utf8")) : {};
  const shared = hashOf(SHARED);
  const keys = new Map(testPrograms().map((name) => [name, hashOf([`tests/${name}.c`], shared)]));
  const stale = [...keys.keys()].filter((name) => known[name]?.key !== keys.get(name));
  if (stale.length) {
    console.log(`finding out which lines ${stale.length} test programs execute`);
    mkdirSync(ROOT + FOLDER, { recursive: true });
    execFileSync("gcc", ["-c", "tests/mutation/exit.c", "-o", `${FOLDER}/exit.o`], { cwd: ROOT });
    execFileSync("make", ["-s", "MODE=coverage", `BUILD=${BUILD}`, "CC=gcc", `LDFLAGS=-Wl,--wrap=_exit ${FOLDER}/exit.o`, "build", "tests"], { cwd: ROOT, stdio: "inherit" });
    const copies = Array.from({ length: jobs }, (_, slot) => `${FOLDER}/coverage-${slot}`);
    for (const copy of copies) execFileSync("sh", ["-c", `rm -rf ${copy} && cp -r ${BUILD} ${copy}`], { cwd: ROOT });
    await inParallel(jobs, stale, async (name, slot) => {
      const { ok, seconds } = await runBoxed(BUILD, name, `${ROOT}${copies[slot]}/log`, { from: copies[slot] });
      if (!ok) console.log(`${name} fails in this build: what it executes may be more than is seen`);
      known[name] = { key: keys.get(name), seconds, lines: takeLines(copies[slot]) };
      writeFileSync(ROOT + KEPT, JSON.stringify(known));
    });
    for (const copy of copies) rmSync(ROOT + copy, { recursive: true });
  }
  return Object.fromEntries([...keys.keys()].map((name) => [name, known[name]]));
}
