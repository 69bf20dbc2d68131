// Makes what the page of the API's description is shown from: node docs.mjs OPENAPI.yaml DOCUMENT_ROOT
//
// openapi.json is the YAML document and nothing more; Swagger UI comes from its package as it is.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parse } from "yaml";

const [source, root] = process.argv.slice(2);
if (!root) {
  console.error("usage: node docs.mjs OPENAPI.yaml DOCUMENT_ROOT");
  process.exit(2);
}
const packaged = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
await mkdir(join(root, "docs"), { recursive: true });
await writeFile(join(root, "openapi.json"), `${JSON.stringify(parse(await readFile(source, "utf8")))}\n`);
for (const [from, to] of [["swagger-ui-bundle.js"], ["swagger-ui.css"], ["LICENSE", "swagger-ui.LICENSE.txt"]]) {
  await copyFile(join(packaged, from), join(root, "docs", to ?? from));
}
