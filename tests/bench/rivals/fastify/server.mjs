// The same application on Node: Fastify with its serializers, fast-jwt, postgres.js, a process for each core.
import cluster from "node:cluster";
import fastify from "fastify";
import { createVerifier } from "fast-jwt";
import postgres from "postgres";
import { randomUUID } from "node:crypto";

const { BETTER_AUTH_SECRET, BETTER_AUTH_URL, DATABASE_SOCKET, DATABASE_USER, DATABASE_PASSWORD, PORT, PROCESSES } = process.env;

const task = {
	type: "object",
	properties: {
		id: { type: "string" },
		user_id: { type: "string" },
		title: { type: "string" },
		description: { type: "string", nullable: true },
		completed: { type: "boolean" },
		priority: { type: "string" },
		due_date: { type: "string", format: "date-time", nullable: true },
		tags: { type: "array", items: { type: "string" } },
		created_at: { type: "string", format: "date-time" },
		updated_at: { type: "string", format: "date-time" },
	},
};
const body = {
	type: "object",
	required: ["title"],
	additionalProperties: false,
	properties: {
		title: { type: "string", minLength: 1, maxLength: 255 },
		description: { type: "string", nullable: true, maxLength: 1000 },
		completed: { type: "boolean", default: false },
		priority: { type: "string", enum: ["low", "medium", "high"], default: "medium" },
		due_date: { type: "string", format: "date-time", nullable: true },
		tags: { type: "array", maxItems: 20, items: { type: "string", minLength: 1, maxLength: 50 }, default: [] },
	},
};
const me = {
	type: "object",
	properties: {
		user: { type: "object", properties: { id: { type: "string" }, email: { type: "string" }, name: { type: "string" } } },
		expires_at: { type: "string" },
	},
};
const query = { type: "object", properties: { limit: { type: "integer", minimum: 1, maximum: 1000, default: 1000 } } };

async function serve() {
	const sql = postgres({ host: DATABASE_SOCKET, user: DATABASE_USER, password: DATABASE_PASSWORD, database: "todo", max: 8 });
	const verify = createVerifier({
		key: BETTER_AUTH_SECRET,
		algorithms: ["HS256"],
		allowedIss: BETTER_AUTH_URL,
		allowedAud: BETTER_AUTH_URL,
		requiredClaims: ["exp", "sub"],
	});
	const columns = sql`id, user_id, title, description, completed, priority, due_date, tags, created_at, updated_at`;
	const app = fastify({ logger: false });

	app.decorateRequest("claims", null);
	const authenticate = async (request, reply) => {
		const [scheme, token] = (request.headers.authorization ?? "").split(" ");
		try {
			if (scheme.toLowerCase() !== "bearer") throw new Error("no token");
			request.claims = verify(token);
		} catch {
			reply.code(401).header("WWW-Authenticate", 'Bearer error="invalid_token"').send({ error: "Invalid token" });
			return reply;
		}
		if (request.params.user_id !== undefined && request.params.user_id !== request.claims.sub) {
			reply.code(403).send({ error: "Not your tasks" });
			return reply;
		}
	};
	const found = (reply, rows) => rows[0] ?? reply.code(404).send({ error: "Task not found" });

	app.get("/auth/me", { onRequest: authenticate, schema: { response: { 200: me } } }, async ({ claims }) => ({
		user: { id: claims.sub, email: claims.email, name: claims.name },
		expires_at: new Date(claims.exp * 1000).toISOString(),
	}));
	app.get(
		"/api/:user_id/tasks",
		{ onRequest: authenticate, schema: { querystring: query, response: { 200: { type: "array", items: task } } } },
		({ params, query }) =>
			sql`SELECT ${columns} FROM todo.task WHERE user_id = ${params.user_id}
				ORDER BY created_at DESC, id DESC LIMIT ${query.limit}`,
	);
	app.post(
		"/api/:user_id/tasks",
		{ onRequest: authenticate, schema: { body, response: { 201: task } } },
		async ({ params, body }, reply) => {
			const [row] = await sql`
				INSERT INTO todo.task (user_id, id, title, description, completed, priority, due_date, tags)
				VALUES (${params.user_id}, ${randomUUID()}, ${body.title.trim()}, ${body.description ?? null},
					${body.completed}, ${body.priority}, ${body.due_date ?? null}, ${body.tags}::text[])
				RETURNING ${columns}`;
			return reply.code(201).send(row);
		},
	);
	app.get(
		"/api/:user_id/tasks/:task_id",
		{ onRequest: authenticate, schema: { response: { 200: task } } },
		async ({ params }, reply) =>
			found(
				reply,
				await sql`SELECT ${columns} FROM todo.task WHERE user_id = ${params.user_id} AND id = ${params.task_id}`,
			),
	);
	app.patch(
		"/api/:user_id/tasks/:task_id/complete",
		{ onRequest: authenticate, schema: { response: { 200: task } } },
		async ({ params }, reply) =>
			found(
				reply,
				await sql`UPDATE todo.task SET completed = NOT completed, updated_at = clock_timestamp()
					WHERE user_id = ${params.user_id} AND id = ${params.task_id} RETURNING ${columns}`,
			),
	);
	await app.listen({ host: "127.0.0.1", port: Number(PORT), backlog: 4096 });
}

if (cluster.isPrimary) {
	for (let i = 0; i < Number(PROCESSES); i++) cluster.fork();
	process.on("SIGTERM", () => process.exit(0));
} else {
	await serve();
}
