// Keys of users' tokens, and the server of the key set: a process of its own, so that it can be killed, stopped and replaced.
// Run as a program it is that server: keys.mjs PORT, the set as JSON on standard input; it prints the port it listens on.
import { spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import http from "node:http";
import { fileURLToPath } from "node:url";

export const ISSUER = "https://torture.example";
const LIFETIME = 900;

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class Key {
  constructor(kid) {
    const pair = generateKeyPairSync("ed25519");
    this.kid = kid;
    this.secret = pair.privateKey;
    this.jwk = { ...pair.publicKey.export({ format: "jwk" }), kid, alg: "EdDSA" };
  }

  // A token as Better Auth issues it; `claims` add to its own, or take their place.
  token(user, claims = {}) {
    const now = Math.floor(Date.now() / 1000);
    const payload = { sub: user, iss: ISSUER, aud: ISSUER, iat: now, exp: now + LIFETIME, email: "u@torture.example", name: "U", ...claims };
    const signed = `${encode({ alg: "EdDSA", kid: this.kid })}.${encode(payload)}`;
    return `${signed}.${sign(null, Buffer.from(signed), this.secret).toString("base64url")}`;
  }
}

export class KeyServer {
  port = 0;
  process = null;

  async start(keys) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), String(this.port)], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.end(JSON.stringify({ keys: keys.map((key) => key.jwk) }));
    this.process = child;
    this.port = await new Promise((resolve, reject) => {
      child.stdout.once("data", (text) => resolve(Number(text)));
      child.once("exit", () => reject(new Error("the key server does not start")));
    });
  }

  signal(name) {
    this.process?.kill(name);
  }

  async kill() {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    this.process = null;
  }
}

async function serve(port) {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const server = http.createServer((request, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(text);
  });
  server.listen(port, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
  // Whoever started this one may be killed as well.
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(), 500);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(Number(process.argv[2]));
