// Verifies tokens with jose under the same policy as ours: verify.mjs FOLDER
// Reads cases.json and keys.json from the folder; writes a line for each case to verdicts.txt: "ok" and the subject in
// hexadecimal, or the code of jose's error.
import { readFileSync, writeFileSync } from "node:fs";
import { createLocalJWKSet, jwtVerify } from "jose";

const folder = process.argv[2];
const read = (name) => JSON.parse(readFileSync(`${folder}/${name}`, "utf8"));
const { origin, now, leeway, secret, algorithms, cases } = read("cases.json");
const keys = read("keys.json").keys;
// To jose a JWK of alg EdDSA is no key for a token of alg Ed25519, which is the same (RFC 9864 §2.2).
for (const key of keys) if (key.kty === "OKP") delete key.alg;
const set = createLocalJWKSet({ keys });
const shared = new TextEncoder().encode(secret);

async function verdict({ alg, token }) {
  try {
    const { payload } = await jwtVerify(token, (header, jws) => (header.alg.startsWith("HS") ? shared : set(header, jws)), {
      algorithms: [alg, ...algorithms],
      issuer: origin,
      audience: origin,
      clockTolerance: leeway,
      currentDate: new Date(now * 1000),
      requiredClaims: ["exp", "sub"],
    });
    return `ok ${Buffer.from(String(payload.sub)).toString("hex")}`;
  } catch (error) {
    return error.code ?? error.name;
  }
}

const lines = [];
for (const one of cases) lines.push(await verdict(one));
writeFileSync(`${folder}/verdicts.txt`, lines.join("\n") + "\n");
