// The real Better Auth over PostgreSQL, as a small server of its own: the web server hands it everything below /api/auth/.
//
// Settings, all from the environment (one of ISSUER_PORT, ISSUER_SOCKET); BETTER_AUTH_SECRET_FILE and
// ISSUER_DATABASE_URL_FILE name files that hold those two:
//   BETTER_AUTH_URL            public base URL of the web server; iss and aud of the tokens are its origin
//   BETTER_AUTH_SECRET         Better Auth's secret
//   ISSUER_DATABASE_URL        PostgreSQL, as the role that owns Better Auth's tables
//   ISSUER_PORT                port on 127.0.0.1; 0, or a port in use, means a free one
//   ISSUER_SOCKET              path of a Unix socket instead
//   ISSUER_ADDRESS_FILE        gets the address once requests are answered
//   ISSUER_ALG                 EdDSA (default), ES256/384/512, RS256/384/512, PS256/384/512: a key pair; HS256: the shared secret
//   ISSUER_ROTATION            seconds until a new key pair replaces the last (default: never)
//   ISSUER_TOKEN_LIFETIME      seconds a token lives (default 900)
//   ISSUER_COOKIE_CACHE        1: keep the session in a cookie as a JWT as well, under the secret; keys: under the key pair
//   ISSUER_TRUSTED_ORIGINS     further origins, separated by commas
//   ISSUER_RATE_LIMIT=off      for tests that sign many users up
//   ISSUER_OUTBOX              file that gets a line of JSON for each verification mail, since no mail is sent
//   ISSUER_ERASE_URL           where the tasks are: lets users delete their account, whose tasks are erased first
//   ISSUER_REQUEST_LOG         file that gets a line for each request: method and path
import { createHmac } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { appendFile, rename, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { bearer, createJwk, jwt } from "better-auth/plugins";
import pg from "pg";
import { eraseBeforeDelete } from "./erase-before-delete.mjs";

const env = process.env;

for (const name of ["BETTER_AUTH_SECRET", "ISSUER_DATABASE_URL"]) {
  const file = env[`${name}_FILE`];
  if (!file) continue;
  try {
    env[name] = readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    console.error(`auth-server: ${name}_FILE: ${error.message}`);
    process.exit(2);
  }
}

function required(name) {
  if (!env[name]) {
    console.error(`auth-server: ${name} is not set`);
    process.exit(2);
  }
  return env[name];
}

function seconds(name) {
  if (!env[name]) return undefined;
  const value = Number(env[name]);
  if (!Number.isSafeInteger(value) || value < 1) {
    console.error(`auth-server: ${name} is not a whole number of seconds`);
    process.exit(2);
  }
  return value;
}

const baseURL = required("BETTER_AUTH_URL");
const secret = required("BETTER_AUTH_SECRET");
const alg = env.ISSUER_ALG || "EdDSA";
const keyPairs = {
  EdDSA: { alg: "EdDSA", crv: "Ed25519" },
  ES256: { alg: "ES256" },
  ES384: { alg: "ES384" },
  ES512: { alg: "ES512" },
  RS256: { alg: "RS256", modulusLength: 2048 },
  RS384: { alg: "RS384", modulusLength: 2048 },
  RS512: { alg: "RS512", modulusLength: 2048 },
  PS256: { alg: "PS256", modulusLength: 2048 },
  PS384: { alg: "PS384", modulusLength: 2048 },
  PS512: { alg: "PS512", modulusLength: 2048 },
};

function signWithSecret(payload) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(payload)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function jwtOptions() {
  const lifetime = seconds("ISSUER_TOKEN_LIFETIME");
  const claims = lifetime ? { expirationTime: `${lifetime}s` } : {};
  if (alg === "HS256") {
    // Better Auth asks for the address of a key set elsewhere whenever it does not sign itself; nobody fetches this one.
    return { jwks: { remoteUrl: new URL("/no-key-set", baseURL).href, keyPairConfig: { alg: "EdDSA" } }, jwt: { ...claims, sign: signWithSecret } };
  }
  if (!Object.hasOwn(keyPairs, alg)) {
    console.error("auth-server: ISSUER_ALG names no algorithm that Better Auth signs with");
    process.exit(2);
  }
  return { jwks: { keyPairConfig: keyPairs[alg], rotationInterval: seconds("ISSUER_ROTATION") }, jwt: claims, sessionCookieCache: env.ISSUER_COOKIE_CACHE === "keys" };
}

const options = jwtOptions();
const pool = new pg.Pool({ connectionString: required("ISSUER_DATABASE_URL"), max: 5 });
// An idle connection that the database closes is replaced at the next query; unheard, the event would end the process.
pool.on("error", (error) => console.error(`auth-server: database: ${error.message}`));

const auth = betterAuth({
  baseURL,
  secret,
  database: pool,
  trustedOrigins: [new URL(baseURL).origin, ...(env.ISSUER_TRUSTED_ORIGINS || "").split(",").filter(Boolean)],
  emailAndPassword: { enabled: true },
  user: {
    deleteUser: env.ISSUER_ERASE_URL
      ? {
          enabled: true,
          beforeDelete: eraseBeforeDelete({
            apiURL: env.ISSUER_ERASE_URL,
            signJWT: async (payload) => (await auth.api.signJWT({ body: { payload } })).token,
          }),
        }
      : { enabled: false },
  },
  emailVerification: {
    sendVerificationEmail: async ({ user, url, token }) => {
      if (env.ISSUER_OUTBOX) await appendFile(env.ISSUER_OUTBOX, `${JSON.stringify({ to: user.email, url, token })}\n`, { mode: 0o600 });
    },
  },
  session: env.ISSUER_COOKIE_CACHE ? { cookieCache: { enabled: true, strategy: "jwt", maxAge: 300 } } : {},
  rateLimit: { enabled: env.ISSUER_RATE_LIMIT !== "off" },
  telemetry: { enabled: false },
  plugins: [jwt(options), bearer()],
});

await (await getMigrations(auth.options)).runMigrations();

// The first requests would each make a key of their own, and a key of another algorithm left from before would go on signing.
const context = await auth.$context;
if (alg !== "HS256") {
  const keys = await context.adapter.findMany({ model: "jwks" });
  if (!keys.some((key) => key.alg === alg && !(key.expiresAt && key.expiresAt < new Date()))) {
    await createJwk({ context }, options);
  }
}

const answer = toNodeHandler(auth);
const server = createServer((request, response) => {
  // Written before the answer goes out, so that whoever has the answer finds the line.
  if (env.ISSUER_REQUEST_LOG) appendFileSync(env.ISSUER_REQUEST_LOG, `${request.method} ${request.url.split("?")[0]}\n`, { mode: 0o600 });
  return answer(request, response);
});
server.on("error", (error) => {
  if (error.code === "EADDRINUSE" && !env.ISSUER_SOCKET && env.ISSUER_PORT !== "0") {
    env.ISSUER_PORT = "0";
    listen();
    return;
  }
  console.error(`auth-server: ${error.message}`);
  process.exit(1);
});
server.on("listening", async () => {
  const address = server.address();
  if (!env.ISSUER_ADDRESS_FILE) return;
  // Renamed into place, so that whoever waits for the file never reads half of it.
  await writeFile(`${env.ISSUER_ADDRESS_FILE}.new`, typeof address === "string" ? `${address}\n` : `${address.port}\n`);
  await rename(`${env.ISSUER_ADDRESS_FILE}.new`, env.ISSUER_ADDRESS_FILE);
});

function listen() {
  if (env.ISSUER_SOCKET) server.listen(env.ISSUER_SOCKET);
  else server.listen(Number(required("ISSUER_PORT")), "127.0.0.1");
}

// A socket left by a process that was killed would refuse the new one for ever.
if (env.ISSUER_SOCKET) await unlink(env.ISSUER_SOCKET).catch((error) => { if (error.code !== "ENOENT") throw error; });
listen();

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    server.close(() => pool.end().finally(() => process.exit(0)));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 2000).unref();
  });
}
