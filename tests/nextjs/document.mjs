// The code of docs/nextjs.md as an application in a folder of its own, compiled.
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const packages = createRequire(import.meta.url);

// A line with a path alone, and below it a fence.
const BLOCK = /^`([^`\n]+)`\n\n```\w+\n([\s\S]*?)^```$/gm;

// What create-next-app writes, as far as it is no matter of JSX.
const COMPILER = {
  target: "ES2017", lib: ["dom", "dom.iterable", "esnext"], types: ["node"], allowJs: true, skipLibCheck: true, strict: true,
  esModuleInterop: true, module: "esnext", moduleResolution: "bundler", resolveJsonModule: true, isolatedModules: true,
  paths: { "@/*": ["./*"] }, rootDir: ".", outDir: "out",
};

// The types refuse what the server would, and tsc complains where they do not.
const REFUSED = `
import { Problem } from "./lib/problem";
import { tasksOf } from "./lib/tasks";

const tasks = tasksOf("somebody");
void tasks.create("id", { title: "Only a title is wanted" });
// @ts-expect-error a title is wanted
void tasks.create("id", {});
// @ts-expect-error an unknown member
void tasks.create("id", { title: "Buy milk", user_id: "somebody" });
// @ts-expect-error no such priority
void tasks.page({ priority: "urgent" });
// @ts-expect-error no such code
Problem.is(null, "precondition_fialed");
`;

const source = await readFile("docs/nextjs.md", "utf8");

// The versions that the document tells to install are the ones that are tested.
async function checkVersions() {
  const { dependencies } = JSON.parse(await readFile("tests/nextjs/package.json", "utf8"));
  const told = Object.fromEntries([...source.matchAll(/ (@?[a-z][a-z0-9/-]*)@(\d+\.\d+\.\d+)/g)].map(([, name, version]) => [name, version]));
  for (const name of new Set([...Object.keys(dependencies), ...Object.keys(told)])) {
    if (dependencies[name] !== told[name]) throw new Error(`docs/nextjs.md installs ${name} ${told[name]}, its test ${dependencies[name]}`);
  }
}

async function compile(folder, command, what) {
  const [name, ...options] = command.split(" ");
  const manifest = packages.resolve(`${name}/package.json`);
  const { bin } = JSON.parse(await readFile(manifest, "utf8"));
  const program = join(dirname(manifest), typeof bin === "string" ? bin : bin[what]);
  await run(process.execPath, [program, ...options], { cwd: folder }).catch((error) => {
    throw new Error(`${command}: ${error.stdout}${error.stderr}`);
  });
}

// Writes the application into the folder; its programs are in the folder that this gives back, its settings beside them.
export async function build(folder) {
  await checkVersions();
  const blocks = new Map([...source.matchAll(BLOCK)].map(([, path, text]) => [path, text]));
  for (const [path, text] of blocks) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await copyFile("frontend/erase-before-delete.mjs", join(folder, "erase-before-delete.mjs"));
  await copyFile("docs/openapi.yaml", join(folder, "openapi.yaml"));
  await writeFile(join(folder, "refused.ts"), REFUSED);
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: COMPILER, include: ["**/*.ts", "**/*.mjs"] }));
  const [, generate] = /^npx (openapi-typescript .*)$/m.exec(source);
  await compile(folder, generate, "openapi-typescript");
  await compile(folder, "typescript -p .", "tsc");
  const settings = Object.fromEntries([...blocks.get(".env.local").matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
  return { programs: join(folder, "out"), settings };
}
