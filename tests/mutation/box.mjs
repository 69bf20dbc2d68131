// Runs a test program where it meets no other: with a /tmp and a /dev/shm of its own, and processes that end with it.
import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, rmSync } from "node:fs";

export const ROOT = new URL("../..", import.meta.url).pathname;
export const RINGS = ["unit", "fuzz", "api"];
const NOT_ISOLATED = 125;
// The shell stays, as the process that reaps what loses its parent.
const BOX = `set -e
for folder in /tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs $folder || exit ${NOT_ISOLATED}; done
[ -z "$MOUNT_FROM" ] || mount --bind "$MOUNT_FROM" "$MOUNT_AT" || exit ${NOT_ISOLATED}
set +e
"$@"
exit $?`;

const running = new Set();

export function killAll() {
  for (const child of running) child.kill("SIGKILL");
}

// Runs build/tests/NAME, with its output in `log`. Gives {ok, timedOut, seconds}.
// `from` is a folder that stands in the build's place meanwhile.
export async function runBoxed(build, name, log, { limit = 900, from = "", flags = [] } = {}) {
  const folder = `${ROOT}${from || build}/tests`;
  for (const left of readdirSync(folder)) if (!RINGS.includes(left)) rmSync(`${folder}/${left}`, { recursive: true });
  const out = openSync(log, "w");
  const began = performance.now();
  const child = spawn("unshare", ["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", BOX, "sh",
    `${build}/tests/${name}`, "--jobs", "2", "--color=never", ...flags],
  { cwd: ROOT, stdio: ["ignore", out, out], env: { ...process.env, BUILD: build, MOUNT_FROM: from, MOUNT_AT: build } });
  running.add(child);
  let timedOut = false;
  const timer = setTimeout(() => child.kill("SIGKILL", (timedOut = true)), limit * 1000);
  const status = await new Promise((resolve, reject) => child.once("close", resolve).once("error", reject));
  clearTimeout(timer);
  running.delete(child);
  closeSync(out);
  if (status === NOT_ISOLATED) throw new Error("test programs can't be kept apart: this takes root");
  return { ok: status === 0, timedOut, seconds: (performance.now() - began) / 1000 };
}

// `jobs` workers, each with a number of its own, until no item is left.
export async function inParallel(jobs, items, work) {
  const rest = [...items];
  await Promise.all(Array.from({ length: jobs }, async (_, slot) => {
    while (rest.length) await work(rest.shift(), slot);
  }));
}
