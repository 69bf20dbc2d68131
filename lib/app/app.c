/* The chain of steps that every request goes through, in one array. */
#include "app/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "base/state_dir.h"

enum {
	ARENA_MAX = 1024 * 1024,
	HEAD_MAX = 16 * 1024,
	NOTES_MAX = 16 * 1024,
	REQUEST_ID_BYTES = 16,
};

/* ---- answers ---- */

enum outcome app_answer_json(struct exchange *x, int status)
{
	if (!buf_ok(&x->response->body))
		return OUTCOME_INTERNAL;
	x->response->status = status;
	x->response->content_type = VIEW("application/json");
	return OUTCOME_OK;
}

enum outcome app_answer_empty(struct exchange *x, int status)
{
	x->response->status = status;
	return OUTCOME_OK;
}

void app_challenge(struct exchange *x, enum outcome outcome)
{
	response_header(x->response, VIEW("WWW-Authenticate"),
	                outcome == OUTCOME_UNAUTHENTICATED ? VIEW("Bearer realm=\"todo\"")
	                                                   : VIEW("Bearer realm=\"todo\", error=\"invalid_token\""));
}

/* Headers that go with every answer, whatever becomes of the request. */
static void answer_begin(struct exchange *x)
{
	response_header(x->response, VIEW("X-Request-Id"), x->request_id);
	cors_answer(&x->app->cors, &x->request, x->response);
	if (x->request.tls && x->app->hsts[0] != '\0')
		response_header(x->response, VIEW("Strict-Transport-Security"), view_of(x->app->hsts));
}

static void answer_problem(struct exchange *x, enum outcome outcome)
{
	response_reset(x->response);
	answer_begin(x);
	int status = outcome_row(outcome)->status;
	if (status == 401)
		app_challenge(x, outcome);
	if (status == 405)
		response_header(x->response, VIEW("Allow"), response_methods(&x->app->arena, x->match.methods));
	if ((status == 503 || status == 504) && outcome != OUTCOME_OUTCOME_UNKNOWN)
		response_header(x->response, VIEW("Retry-After"), VIEW("1"));
	problem_write(&x->response->body, outcome, x->request_id, &x->errors);
	x->response->status = status;
	x->response->content_type = VIEW("application/problem+json");
}

/* ---- the steps, in the order of judgement ---- */

static enum outcome step_preflight(struct exchange *x)
{
	return cors_is_preflight(&x->request) ? app_answer_empty(x, 204) : OUTCOME_OK;
}

static enum outcome step_route(struct exchange *x)
{
	x->match = router_match(x->app->program, &x->request);
	if (x->match.methods == 0)
		return OUTCOME_NO_SUCH_PATH;
	if (x->match.route != ROUTE_COUNT)
		return OUTCOME_OK;
	if (x->request.method != METHOD_OPTIONS)
		return OUTCOME_METHOD_NOT_ALLOWED;
	struct view allow = response_methods(&x->app->arena, x->match.methods);
	if (view_is_absent(allow))
		return OUTCOME_INTERNAL;
	response_header(x->response, VIEW("Allow"), allow);
	return app_answer_empty(x, 204);
}

/* An access token in the address ends up in logs and histories; refused even
 * beside a good header (RFC 9700 §4.3.2). */
static bool query_holds_token(struct view query)
{
	while (!view_is_absent(query)) {
		struct view pair = view_cut(&query, '&');
		if (view_equal(view_cut(&pair, '='), VIEW("access_token")))
			return true;
	}
	return false;
}

enum outcome app_bearer(struct exchange *x)
{
	if (query_holds_token(x->request.query))
		return OUTCOME_TOKEN_IN_QUERY;
	return guard_bearer(x->app->keyring, &x->app->arena, &x->request, &x->claims, &x->reason);
}

static enum outcome step_credential(struct exchange *x)
{
	return route_row(x->match.route)->guard == GUARD_PUBLIC ? OUTCOME_OK : app_bearer(x);
}

static enum outcome step_owner(struct exchange *x)
{
	if (route_row(x->match.route)->guard != GUARD_OWNER)
		return OUTCOME_OK;
	return guard_owner(&x->app->arena, x->claims, x->match.user_id, &x->principal);
}

static enum outcome step_query(struct exchange *x)
{
	bool strict = route_row(x->match.route)->guard == GUARD_OWNER;
	return strict && x->request.query.len > 0 ? OUTCOME_BAD_QUERY : OUTCOME_OK;
}

static enum outcome step_body(struct exchange *x)
{
	enum route_body wanted = route_row(x->match.route)->body;
	if (wanted == BODY_NONE || (wanted == BODY_MAY && request_has_no_body(&x->request)))
		return OUTCOME_OK;
	enum outcome outcome = request_read_body(x->transport, &x->request, &x->app->body);
	if (outcome != OUTCOME_OK)
		return outcome;
	switch (json_parse(&x->app->arena, buf_view(&x->app->body), &x->body)) {
	case JSON_OK:
		return OUTCOME_OK;
	case JSON_MALFORMED:
	case JSON_DUPLICATE:
	case JSON_TOO_COMPLEX:
		return OUTCOME_BODY_MALFORMED;
	case JSON_NO_MEMORY:
		break;
	}
	return OUTCOME_INTERNAL;
}

typedef enum outcome app_step(struct exchange *x);

static app_step *const chain[] = {
        step_preflight, step_route, step_credential, step_owner, step_query, step_body,
};

static enum outcome chain_run(const struct app_program *program, struct exchange *x)
{
	for (size_t i = 0; i < sizeof chain / sizeof *chain; i++) {
		enum outcome outcome = chain[i](x);
		if (outcome != OUTCOME_OK || x->response->status != 0)
			return outcome;
	}
	return program->handlers[x->match.route](x);
}

/* ---- one request ---- */

static bool request_id_make(struct arena *arena, struct view *ret)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[REQUEST_ID_BYTES];
	char *text = arena_alloc(arena, 2 * sizeof bytes);
	if (!text || !random_bytes(bytes, sizeof bytes))
		return false;
	for (size_t i = 0; i < sizeof bytes; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	*ret = (struct view){text, 2 * sizeof bytes};
	return true;
}

static void answer_send(struct exchange *x)
{
	struct buf *head = &x->app->head;
	buf_reset(head, HEAD_MAX);
	response_write_head(x->response, head);
	if (!buf_ok(head)) {
		log_line(LOG_LEVEL_ERROR, VIEW("an answer's head was too large"));
		return;
	}
	/* A client that went away is no fault of ours. */
	if (x->transport->write(x->transport->context, buf_view(head)) && x->request.method != METHOD_HEAD)
		(void)x->transport->write(x->transport->context, buf_view(&x->response->body));
}

/* Logs what keys and database had to say: neither logs by itself. */
static void notes_log(struct app *app)
{
	buf_reset(&app->notes, NOTES_MAX);
	keyring_take_notes(app->keyring, &app->notes);
	if (app->db)
		db_take_notes(app->db, &app->notes);
	for (struct view rest = buf_view(&app->notes); rest.len > 0;) {
		struct view line = view_cut(&rest, '\n');
		if (line.len > 0)
			log_line(LOG_LEVEL_WARNING, line);
	}
}

void app_serve(struct app *app, const struct app_program *program, const struct transport *transport)
{
	struct exchange x = {.app = app, .transport = transport, .response = &app->response};
	response_reset(x.response);
	buf_reset(&app->body, 0);

	enum outcome outcome = OUTCOME_INTERNAL;
	if (request_id_make(&app->arena, &x.request_id) &&
	    request_read(transport, &app->arena, app->config.base_path, &x.request)) {
		answer_begin(&x);
		outcome = chain_run(program, &x);
	}
	if (outcome != OUTCOME_OK)
		answer_problem(&x, outcome);
	request_drain(transport);
	answer_send(&x);
	notes_log(app);
	arena_reset(&app->arena);
}

/* ---- start and end ---- */

static bool handlers_complete(const struct app_program *program, struct buf *error)
{
	for (enum route route = 0; route < ROUTE_COUNT; route++)
		if (route_row(route)->program == program->program && !program->handlers[route]) {
			BUF_LIT(error, "no handler for the route ");
			buf_add(error, route_row(route)->path);
			return false;
		}
	return true;
}

bool app_open(const struct app_program *program, const struct config_source *source, struct app *ret, struct buf *error)
{
	struct app app = {
	        .program = program->program,
	        .state_dir = -1,
	        .response = response_make(),
	        .head = buf_make(HEAD_MAX),
	        .body = buf_make(REQUEST_BODY_MAX + 1),
	        .notes = buf_make(NOTES_MAX),
	};
	struct view bad;
	if (!handlers_complete(program, error) || !config_load(source, &app.config, error))
		return false;
	if (!cors_origins_valid(app.config.cors_origins, &bad)) {
		BUF_LIT(error, "CORS_ORIGINS: every entry is an origin such as https://app.example");
		return false;
	}
	app.cors.origins = app.config.cors_origins;
	snprintf(app.cors.max_age, sizeof app.cors.max_age, "%d", (int)app.config.cors_max_age);
	if (app.config.hsts_max_age > 0)
		snprintf(app.hsts, sizeof app.hsts, "max-age=%d", (int)app.config.hsts_max_age);
	if (!arena_init(&app.arena, ARENA_MAX)) {
		BUF_LIT(error, "out of memory");
		return false;
	}
	bool base_path_valid = request_base_path_valid(&app.arena, app.config.base_path);
	arena_reset(&app.arena);
	if (!base_path_valid) {
		BUF_LIT(error, "BASE_PATH: must be a path such as /~user/todo, without a slash at its end");
		app_close(&app);
		return false;
	}
	struct keyring_parts parts = {.state_dir = -1};
	if (!state_dir_open(app.config.state_dir, source->document_root, &parts.state_dir, error)) {
		app_close(&app);
		return false;
	}
	app.state_dir = parts.state_dir;
	if (!keyring_open(&app.config, &parts, &app.keyring, error) ||
	    (program->uses_database && !db_open(&app.config, &app.db, error))) {
		app_close(&app);
		return false;
	}
	*ret = app;
	return true;
}

void app_close(struct app *app)
{
	if (app->db)
		db_close(app->db);
	if (app->keyring)
		keyring_close(app->keyring);
	if (app->state_dir >= 0)
		close(app->state_dir);
	buf_destroy(&app->notes);
	buf_destroy(&app->body);
	buf_destroy(&app->head);
	response_destroy(&app->response);
	arena_destroy(&app->arena);
}
