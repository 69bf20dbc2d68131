/* The chain of steps that every request goes through, in one array. */
#include "app/app.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "app/limits.h"
#include "app/record.h"
#include "app/reload.h"
#include "app/settings.h"
#include "app/tell.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/percent.h"
#include "base/random.h"
#include "base/state_dir.h"

enum {
	/* A body of the largest size, all of numbers, is a tree of half of this. */
	ARENA_MAX = 4 * 1024 * 1024,
	HEAD_MAX = 16 * 1024,
	REQUEST_ID_BYTES = 16,
	FILE_PIECE = 32 * 1024,
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
	struct view challenge = VIEW("Bearer realm=\"todo\", error=\"invalid_token\"");
	if (outcome == OUTCOME_UNAUTHENTICATED)
		challenge = VIEW("Bearer realm=\"todo\"");
	if (outcome == OUTCOME_TOKEN_TOO_OLD)
		challenge = view_of(x->app->fresh);
	response_header(x->response, VIEW("WWW-Authenticate"), challenge);
}

/* Headers that go with every answer, whatever becomes of the request. */
static void answer_begin(struct exchange *x)
{
	response_header(x->response, VIEW("X-Request-Id"), x->request_id);
	cors_answer(&x->app->cors, &x->request, x->response);
	if (x->request.tls && x->app->hsts[0] != '\0')
		response_header(x->response, VIEW("Strict-Transport-Security"), view_of(x->app->hsts));
}

/* What a PATCH may be, where there is one (RFC 5789 §3.1). */
static void answer_accept_patch(struct exchange *x)
{
	if (x->match.patch != BODY_NONE)
		response_header(x->response, VIEW("Accept-Patch"),
		                x->match.patch == BODY_PATCH ? VIEW("application/merge-patch+json, application/json")
		                                             : VIEW("application/json"));
}

/* Whole seconds, so that a client which waits them is let in (RFC 9110 §10.2.3). */
static void answer_retry_after(struct exchange *x)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRId64, (x->retry_wait + CLOCK_SECOND - 1) / CLOCK_SECOND);
	char *kept = arena_string(&x->app->arena, view_of(text));
	if (kept)
		response_header(x->response, VIEW("Retry-After"), view_of(kept));
}

static void answer_problem(struct exchange *x, enum outcome outcome)
{
	response_reset(x->response);
	answer_begin(x);
	int status = outcome_row(outcome)->status;
	if (status == 401)
		app_challenge(x, outcome);
	if (!view_is_absent(x->etag))
		response_header(x->response, VIEW("ETag"), x->etag);
	if (status == 405)
		response_header(x->response, VIEW("Allow"), response_methods(&x->app->arena, x->match.methods));
	if (status == 415 || status == 405)
		answer_accept_patch(x);
	if ((status == 503 || status == 504) && outcome != OUTCOME_OUTCOME_UNKNOWN)
		response_header(x->response, VIEW("Retry-After"), VIEW("1"));
	if (status == 429)
		answer_retry_after(x);
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
	if (x->match.row && x->match.row->guard == GUARD_OPERATOR && x->app->config.metrics_token.len == 0)
		x->match = (struct route_match){.route = ROUTE_COUNT};
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
	answer_accept_patch(x);
	return app_answer_empty(x, 204);
}

/* An access token in the address ends up in logs and histories; refused even
 * beside a good header (RFC 9700 §4.3.2). */
static bool query_holds_token(struct view query)
{
	const struct view wanted = VIEW("access_token");
	char text[3 * sizeof "access_token"];
	while (!view_is_absent(query)) {
		struct view pair = view_cut(&query, '&');
		struct view name = view_cut(&pair, '=');
		if (name.len <= sizeof text && percent_decode(name, true, text, &name) && view_equal(name, wanted))
			return true;
	}
	return false;
}

static enum outcome judge_bearer(struct exchange *x)
{
	if (query_holds_token(x->request.query))
		return OUTCOME_TOKEN_IN_QUERY;
	enum outcome outcome = guard_bearer(x->app->parts.keyring, &x->app->arena, &x->request, &x->claims, &x->reason);
	/* A bearer token, when sent, is the only credential that counts, good or bad. */
	if (outcome != OUTCOME_UNAUTHENTICATED)
		return outcome;
	return guard_session(x->app->parts.keyring, &x->app->cors, &x->app->arena, &x->request, &x->claims, &x->reason);
}

static enum outcome judge_operator(struct exchange *x)
{
	if (query_holds_token(x->request.query))
		return OUTCOME_TOKEN_IN_QUERY;
	return guard_operator(&x->request, x->app->config.metrics_token, &x->reason);
}

/* A limit is judged after the credential, since it decides whose limit it is. */
static enum outcome judge_limit(struct exchange *x, enum outcome verdict)
{
	if (verdict == OUTCOME_OK && !x->claims)
		return verdict;
	return limits_judge(x->app->machine, &x->app->config, verdict, x->claims ? x->claims->subject : ABSENT,
	                    &x->request.client, &x->retry_wait);
}

enum outcome app_bearer(struct exchange *x)
{
	int64_t started = clock_monotonic();
	enum outcome verdict = judge_bearer(x);
	x->verification = clock_monotonic() - started;
	return judge_limit(x, verdict);
}

static enum outcome step_credential(struct exchange *x)
{
	switch (route_row(x->match.route)->guard) {
	case GUARD_PUBLIC:
		return OUTCOME_OK;
	case GUARD_OPERATOR:
		return judge_limit(x, judge_operator(x));
	case GUARD_BEARER:
	case GUARD_OWNER:
		break;
	}
	return app_bearer(x);
}

static enum outcome step_owner(struct exchange *x)
{
	if (route_row(x->match.route)->guard != GUARD_OWNER)
		return OUTCOME_OK;
	return guard_owner(&x->app->arena, x->claims, x->match.user_id, &x->principal);
}

static enum outcome step_query(struct exchange *x)
{
	if (route_row(x->match.route)->guard != GUARD_OWNER)
		return OUTCOME_OK;
	return query_read(&x->app->arena, x->request.query, x->match.route, &x->query);
}

/* An answer without content excludes nothing. */
static enum outcome step_accept(struct exchange *x)
{
	bool judged = route_row(x->match.route)->guard == GUARD_OWNER && x->request.method != METHOD_DELETE;
	return judged && !accept_takes_json(x->request.accept) ? OUTCOME_NOT_ACCEPTABLE : OUTCOME_OK;
}

static enum outcome step_conditions(struct exchange *x)
{
	return x->program->conditions ? x->program->conditions(x) : OUTCOME_OK;
}

static enum outcome step_body(struct exchange *x)
{
	enum route_body wanted = route_row(x->match.route)->body;
	if (wanted == BODY_NONE)
		return OUTCOME_OK;
	enum request_media media = wanted == BODY_PATCH ? REQUEST_MERGE_PATCH : REQUEST_JSON;
	enum outcome outcome = request_read_body(x->transport, &x->request, media, &x->app->body);
	/* Read all the same: one that nobody announced may come (RFC 9113 §8.1 has no need to), and
	 * where the end does not, the request is not whole. */
	if (outcome == OUTCOME_BODY_EMPTY && wanted == BODY_MAY && request_has_no_body(&x->request))
		return OUTCOME_OK;
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
        step_preflight, step_route, step_credential, step_owner, step_query, step_accept, step_conditions, step_body,
};

/* An authorizer is asked about a credential and nothing else. A preflight brings none, and is refused: whom the guarded
 * application answers from elsewhere is not known here. */
static enum outcome authorizer_run(struct exchange *x)
{
	enum outcome outcome = app_bearer(x);
	return outcome == OUTCOME_OK ? x->program->authorize(x) : outcome;
}

static enum outcome chain_run(struct exchange *x)
{
	if (x->program->authorize)
		return authorizer_run(x);
	for (size_t i = 0; i < sizeof chain / sizeof *chain; i++) {
		enum outcome outcome = chain[i](x);
		if (outcome != OUTCOME_OK || x->response->status != 0)
			return outcome;
	}
	return x->program->handlers[x->match.route](x);
}

/* ---- one request ---- */

static bool request_id_make(struct arena *arena, struct view *ret)
{
	unsigned char bytes[REQUEST_ID_BYTES];
	char *text = arena_alloc(arena, 2 * sizeof bytes);
	if (!text || !random_bytes(bytes, sizeof bytes))
		return false;
	for (size_t i = 0; i < sizeof bytes; i++) {
		text[2 * i] = HEX_DIGITS[bytes[i] >> 4];
		text[2 * i + 1] = HEX_DIGITS[bytes[i] & 15];
	}
	*ret = (struct view){text, 2 * sizeof bytes};
	return true;
}

/* False: the file can't be read. What was sent is then shorter than its
 * Content-Length, so nobody takes it for the whole. */
static bool file_send(const struct transport *transport, const struct response *response)
{
	char piece[FILE_PIECE];
	for (uint64_t sent = 0; sent < response->file_len;) {
		uint64_t left = response->file_len - sent;
		ssize_t got =
		        pread(response->file, piece, left < sizeof piece ? (size_t)left : sizeof piece, (off_t)sent);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		if (!transport->write(transport->context, (struct view){piece, (size_t)got}))
			return true;
		sent += (uint64_t)got;
	}
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
	if (!x->transport->write(x->transport->context, buf_view(head)) || x->request.method == METHOD_HEAD)
		return;
	if (x->response->file < 0)
		(void)x->transport->write(x->transport->context, buf_view(&x->response->body));
	else if (!file_send(x->transport, x->response))
		log_line(LOG_LEVEL_ERROR, VIEW("an answer could not be sent to its end"));
}

/* The request's own id begins with the id of our part in its trace. */
static void trace_pass_on(const struct exchange *x)
{
	char text[TRACE_TEXT + 1];
	if (!x->app->parts.db)
		return;
	if (view_is_absent(x->request.trace.id)) {
		db_set_trace(x->app->parts.db, ABSENT);
		return;
	}
	trace_write(&x->request.trace, (struct view){x->request_id.ptr, TRACE_PARENT_ID_TEXT}, text);
	db_set_trace(x->app->parts.db, view_of(text));
}

void app_serve(struct app *app, const struct app_program *program, const struct transport *transport)
{
	struct exchange x = {
	        .app = app,
	        .program = program,
	        .transport = transport,
	        .request = {.method = METHOD_OTHER},
	        .match = {.route = ROUTE_COUNT},
	        .response = &app->response,
	        .started = clock_monotonic(),
	};
	/* One budget for all that this request waits for, so that the client has an
	 * answer of ours before its web server gives up. */
	app->deadline = x.started + app->config.database_timeout * CLOCK_SECOND;
	machine_refresh(app->machine, x.started);
	reload(app, x.started);
	parts_set_deadline(&app->parts, app->deadline);

	enum outcome outcome = OUTCOME_INTERNAL;
	if (request_id_make(&app->arena, &x.request_id) &&
	    request_read(transport, &app->arena, app->config.base_path, &x.request)) {
		hold_wait(machine_hold(app->machine), x.request.client_request_id);
		trace_pass_on(&x);
		answer_begin(&x);
		outcome = chain_run(&x);
		/* The guard has a reason for every token that it refuses; this one was the database's. */
		if (outcome == OUTCOME_TOKEN_INVALID && !x.reason) {
			x.reason = "revoked";
			outcome = limits_judge_revoked(app->machine, &app->config, x.claims->subject, &x.request.client,
			                               &x.retry_wait);
		}
	}
	if (outcome != OUTCOME_OK)
		answer_problem(&x, outcome);
	if (app->config.server_timing)
		tell_timing(&x, outcome);
	request_drain(transport);
	answer_send(&x);
	tell_request(&x, outcome);
	tell_notes(app);
	/* The next request may be long in coming: nothing of this one waits for it. */
	response_reset(x.response);
	buf_reset(&app->body, 0);
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

/* The settings, and what answers always say because of them. */
static bool settings_read(const struct config_source *source, struct app *app, struct buf *error)
{
	struct config *config = &app->config;
	if (!config_load_files(source, &app->files, config, error) || !settings_check(config, error))
		return false;
	app->cors.origins = config->cors_origins;
	app->cors.credentials = config->auth_cookie;
	app->cors.timing = config->server_timing;
	snprintf(app->cors.max_age, sizeof app->cors.max_age, "%d", (int)config->cors_max_age);
	if (config->hsts_max_age > 0)
		snprintf(app->hsts, sizeof app->hsts, "max-age=%d", (int)config->hsts_max_age);
	snprintf(app->fresh, sizeof app->fresh,
	         "Bearer realm=\"todo\", error=\"insufficient_user_authentication\", "
	         "error_description=\"a fresh token is required\", max_age=\"%d\"",
	         (int)config->erase_max_token_age);
	return true;
}

static bool memory_open(struct app *app, struct buf *error)
{
	if (arena_init(&app->arena, ARENA_MAX))
		return true;
	BUF_LIT(error, "out of memory");
	return false;
}

bool app_open(const struct app_program *program, const struct config_source *source, struct app *ret, struct buf *error)
{
	struct app app = {
	        .program = program->program,
	        .uses_database = program->uses_database,
	        .source = *source,
	        .looked_at = clock_monotonic(),
	        .state_dir = -1,
	        .response = response_make(),
	        .head = buf_make(HEAD_MAX),
	        .body = buf_make(REQUEST_BODY_MAX + 1),
	        .notes = buf_make(TELL_NOTES_MAX),
	        .line = buf_make(RECORD_MAX),
	        .refusal = buf_make(RELOAD_REFUSAL_MAX),
	};
	if (!handlers_complete(program, error) || !settings_read(source, &app, error) || !memory_open(&app, error) ||
	    !state_dir_open(app.config.state_dir, source->document_root, &app.state_dir, error) ||
	    !machine_open(app.state_dir, &app.machine, error) ||
	    !parts_open(&app.config, program->uses_database, app.state_dir, INT64_MAX, &app.parts, error)) {
		app_close(&app);
		return false;
	}
	*ret = app;
	return true;
}

void app_close(struct app *app)
{
	parts_close(&app->parts);
	machine_close(app->machine);
	if (app->state_dir >= 0)
		close(app->state_dir);
	watch_clear(&app->files);
	buf_destroy(&app->refusal);
	buf_destroy(&app->line);
	buf_destroy(&app->notes);
	buf_destroy(&app->body);
	buf_destroy(&app->head);
	response_destroy(&app->response);
	arena_destroy(&app->arena);
}
