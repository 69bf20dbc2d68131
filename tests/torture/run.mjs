// What runs against a whole stack have in common: a clock, a way to say things, and one to an exit status, whatever ends them.
import { Violation } from "./model.mjs";

const begun = performance.now();

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// A line, behind the seconds since the run began.
export const say = (text) => console.log(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)}  ${text}`);

// Runs main() until it ends, or a signal or `limit` seconds end it, then end(failed), and exits: with 0 if nothing was wrong.
// `again` says how to have the same run.
export async function run(main, end, { limit = 0, again = "" } = {}) {
  let status = 0;
  const report = (error) => {
    status = 1;
    console.error(error instanceof Violation ? `VIOLATION ${error.message}` : error);
  };
  const interrupted = new Promise((_, reject) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, () => reject(new Error(name)));
    if (limit) setTimeout(() => reject(new Error(`not done after ${limit} s`)), limit * 1000).unref();
  });
  await Promise.race([main(), interrupted]).catch(report);
  await end(status !== 0).catch(report);
  say(status ? `FAILED${again && `; again with ${again}`}` : "clean");
  process.exit(status);
}
