/* What clients see of a fault of ours or of the operator's, and what a refused request
 * costs. test_outage.c has the database away or slow. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/account.h"
#include "support/issuer.h"
#include "support/postgres.h"
#include "support/relay.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(faults, .fini = api_end, .timeout = 240);

#define MISSING "0189f7a0-0000-7000-8000-00000000dead"
#define LIST "/api/anna/tasks"

/* ---- what a refused request costs ---- */

Test(faults, no_request_that_fails_before_the_database_connects_to_it)
{
	const char *database = api_name("faults");
	postgres_database(database);
	struct relay *relay = relay_start(postgres_folder());
	const char *const more[] = {api_database_in(relay->folder, database), NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	const char *const two[] = {
	        ask_format("HTTP_AUTHORIZATION=Bearer %s, Bearer %s", api_token("anna"), api_token("anna")), NULL};
	const char *const text[] = {"CONTENT_TYPE=text/plain", NULL};
	const char *const large[] = {"CONTENT_LENGTH=65537", NULL};
	const char *const preflight[] = {"HTTP_ORIGIN=https://evil.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT",
	                                 NULL};
	const char *token = api_token("anna");
	const struct {
		struct ask ask;
		int status;
	} cases[] = {
	        {{.target = LIST}, 401},
	        {{.target = LIST, .params = two}, 400},
	        {{.target = LIST "?access_token=x", .token = token}, 400},
	        {{.target = LIST "?x=y", .token = token}, 400},
	        {{.target = "/api/berta/tasks", .token = token}, 403},
	        {{.target = "/api/anna/nothing", .token = token}, 404},
	        {{.target = "/api/anna/tasks/1", .token = token}, 404},
	        {{.method = "FOO", .target = LIST, .token = token}, 405},
	        {{.method = "OPTIONS", .target = LIST}, 204},
	        {{.method = "OPTIONS", .target = LIST, .params = preflight}, 204},
	        {{.method = "POST", .target = LIST, .token = token, .body = "x", .params = text}, 415},
	        {{.method = "POST", .target = LIST, .token = token, .body = "x", .params = large}, 413},
	        {{.method = "POST", .target = LIST, .token = token, .body = "{"}, 400},
	        {{.method = "POST", .target = LIST, .token = token, .body = "{}"}, 422},
	        {{.method = "POST", .target = LIST, .token = token}, 400},
	        {{.method = "PUT", .target = LIST "/" MISSING, .token = token, .body = "{\"title\":\"\"}"}, 422},
	        {{.method = "PATCH", .target = LIST "/" MISSING "/complete", .token = token, .body = "{}"}, 422},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct answer *answer = responder_ask(tasks, &cases[i].ask);
		cr_expect_eq(answer->status, cases[i].status, "row %zu: %d %.*s", i, answer->status,
		             VIEW_ARGS(answer->body));
	}
	struct attack attack;
	for (size_t i = 0; api_attack(i, "anna", &attack); i++) {
		struct ask bad = {.method = "POST", .target = LIST, .token = attack.token, .body = api_task("x", "")};
		cr_expect_eq(responder_ask(tasks, &bad)->status, 401, "%s", attack.name);
	}
	cr_expect_eq(atomic_load(&relay->connections), 0);
	/* the counter does count */
	cr_expect_eq(api_ask(tasks, "GET", LIST, NULL)->status, 200);
	cr_expect_eq(api_ask(tasks, "GET", LIST, NULL)->status, 200);
	cr_expect_eq(atomic_load(&relay->connections), 1, "one connection is kept for all");
	relay_stop(relay);
}

/* Each is refused by its head alone: the body beside it, which is no JSON, is not told of. */
Test(faults, what_the_head_refuses_costs_no_connection_and_no_reading_of_a_body)
{
	const char *database = api_name("faults");
	postgres_database(database);
	struct relay *relay = relay_start(postgres_folder());
	const char *own = api_database_in(relay->folder, database);
	struct responder *tasks = responder_start("tasks", api_settings((const char *const[]){own, NULL}));
	struct responder *account = responder_start("account", api_settings((const char *const[]){own, NULL}));
	struct responder *cookies =
	        responder_start("tasks", api_settings((const char *const[]){own, "AUTH_COOKIE=1", NULL}));
	struct responder *limited = responder_start(
	        "tasks", api_settings((const char *const[]){own, "LIMIT_USER=1", "LIMIT_USER_BURST=1",
	                                                    "LIMIT_ADDRESS=1", "LIMIT_ADDRESS_BURST=1", NULL}));
	const char *token = api_token("anna");
	const char *old = account_token("anna", -400);
	const char *const html[] = {"HTTP_ACCEPT=text/html", NULL};
	const char *const match[] = {"HTTP_IF_MATCH=nonsense", NULL};
	const char *const none_match[] = {"HTTP_IF_NONE_MATCH=nonsense", NULL};
	const char *const both[] = {"HTTP_IF_MATCH=*", "HTTP_IF_NONE_MATCH=*", NULL};
	const char *const confirmed[] = {"HTTP_X_CONFIRM_ERASE=anna", NULL};
	const char *const conditional[] = {"HTTP_X_CONFIRM_ERASE=anna", "HTTP_IF_MATCH=*", NULL};
	const char *const session[] = {
	        ask_format("HTTP_COOKIE=__Secure-better-auth.session_data=%s",
	                   api_token_of("{\"session\":{\"expiresAt\":\"2999-01-01T00:00:00Z\",\"userId\":\"anna\"},"
	                                "\"user\":{\"id\":\"anna\"},\"exp\":32472144000}")),
	        "HTTP_ORIGIN=https://evil.example", NULL};
	const char *const here[] = {"REMOTE_ADDR=192.0.2.7", NULL};
	const struct {
		const struct responder *program;
		struct ask ask;
		int status;
		const char *code;
	} cases[] = {
	        {tasks, {"GET", LIST, token, .params = html}, 406, "not_acceptable"},
	        {tasks, {"POST", LIST, token, .params = html}, 406, "not_acceptable"},
	        {tasks, {"PUT", LIST "/" MISSING, token, .params = html}, 406, "not_acceptable"},
	        {tasks, {"PATCH", LIST "/" MISSING, token, .params = html}, 406, "not_acceptable"},
	        {tasks, {"PATCH", LIST "/" MISSING "/complete", token, .params = html}, 406, "not_acceptable"},
	        {account, {"GET", "/api/anna/export", token, .params = html}, 406, "not_acceptable"},
	        {account, {"DELETE", "/api/anna", token}, 428, "not_confirmed"},
	        {account, {"DELETE", "/api/anna", old, .params = confirmed}, 401, "token_too_old"},
	        {account, {"DELETE", "/api/anna", token, .params = conditional}, 400, "bad_condition"},
	        {tasks, {"GET", LIST "/" MISSING, token, .params = none_match}, 400, "bad_condition"},
	        {tasks, {"POST", LIST, token, .params = match}, 400, "bad_condition"},
	        {tasks, {"POST", LIST, token, .params = none_match}, 400, "bad_condition"},
	        {tasks, {"DELETE", LIST "?status=completed", token, .params = match}, 400, "bad_condition"},
	        {tasks, {"PUT", LIST "/" MISSING, token, .params = match}, 400, "bad_condition"},
	        {tasks, {"PUT", LIST "/" MISSING, token, .params = none_match}, 400, "bad_condition"},
	        {tasks, {"PUT", LIST "/" MISSING, token, .params = both}, 400, "bad_condition"},
	        {tasks, {"PATCH", LIST "/" MISSING, token, .params = match}, 400, "bad_condition"},
	        {tasks, {"PATCH", LIST "/" MISSING "/complete", token, .params = match}, 400, "bad_condition"},
	        {tasks, {"DELETE", LIST "/" MISSING, token, .params = match}, 400, "bad_condition"},
	        {tasks, {"GET", LIST "?cursor=AAAA", token}, 400, "bad_cursor"},
	        {tasks, {"GET", LIST "?limit=0", token}, 400, "bad_query"},
	        {tasks, {"DELETE", LIST, token}, 400, "status_required"},
	        {cookies, {"POST", LIST, .params = session}, 403, "origin_refused"},
	        {cookies, {"DELETE", LIST "/" MISSING, .params = session}, 403, "origin_refused"},
	        {limited, {"POST", LIST "?x=y", token, .params = here}, 400, "bad_query"},
	        {limited, {"POST", LIST, token, .params = here}, 429, "rate_limited"},
	        {limited, {"POST", LIST, .token = "x", .params = here}, 401, "unauthorized"},
	        {limited, {"POST", LIST, .token = "x", .params = here}, 429, "rate_limited"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ask ask = cases[i].ask;
		ask.body = "{";
		expect_problem(responder_ask(cases[i].program, &ask), cases[i].status, cases[i].code,
		               ask_format("row %zu, %s %s", i, ask.method, ask.target));
	}
	/* nor does what asks for no data */
	struct responder *health = responder_start("health", api_settings((const char *const[]){own, NULL}));
	const struct ask alive = {.target = "/health", .body = "{"};
	cr_expect_eq(responder_ask(health, &alive)->status, 200);
	const struct ask metrics = {.target = "/metrics", .token = API_METRICS_TOKEN};
	cr_expect_eq(responder_ask(health, &metrics)->status, 200);
	cr_expect_eq(atomic_load(&relay->connections), 0);
	relay_stop(relay);
}

/* Were the body read first, its faults would be told first. */
Test(faults, no_body_is_judged_before_token_and_owner)
{
	static const char *const bodies[] = {"{", "{}", "", "\xff", "{\"title\":\"a\",\"title\":\"b\"}"};
	static const char *const types[] = {"CONTENT_TYPE=application/json", "CONTENT_TYPE=text/plain"};
	static const char *const lengths[] = {"CONTENT_LENGTH=2", "CONTENT_LENGTH=99999999", "CONTENT_LENGTH=x"};
	struct responder *tasks = responder_start("tasks", api_settings((const char *const[]){NULL}));
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		for (size_t j = 0; j < sizeof types / sizeof *types; j++)
			for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
				const char *const params[] = {types[j], lengths[k], NULL};
				struct ask ask = {
				        .method = "POST", .target = LIST, .body = bodies[i], .params = params};
				expect_problem(responder_ask(tasks, &ask), 401, "unauthorized", bodies[i]);
				ask.token = api_token("berta");
				expect_problem(responder_ask(tasks, &ask), 403, "forbidden", bodies[i]);
				ask.target = "/api/anna/nothing";
				expect_problem(responder_ask(tasks, &ask), 404, "not_found", bodies[i]);
				ask.target = LIST;
				ask.method = "DELETE";
				if (responder_ask(tasks, &ask)->status != 405)
					expect_problem(responder_ask(tasks, &ask), 403, "forbidden", bodies[i]);
			}
}

/* ---- our own faults ---- */

/* The client learns nothing but the request's id, by which the log tells the rest. */
static void expect_internal(const struct responder *responder, const struct answer *answer, const char *told)
{
	struct view id = answer_header(answer, "X-Request-Id");
	const char *silent = ask_format("{\"type\":\"/problems/internal\",\"title\":\"Internal Server Error\","
	                                "\"status\":500,\"detail\":\"The fault is ours and has been logged.\","
	                                "\"code\":\"internal\",\"request_id\":\"%.*s\"}",
	                                VIEW_ARGS(id));
	cr_expect_eq(answer->status, 500, "%s", told);
	cr_expect(view_equal(answer->body, view_of(silent)), "%s: %.*s", told, VIEW_ARGS(answer->body));
	cr_expect(view_is_absent(answer_header(answer, "Retry-After")), "%s", told);
	cr_expect(view_is_absent(answer_header(answer, "ETag")), "%s", told);
	const char *record = ask_format("\"request_id\":\"%.*s\"", VIEW_ARGS(id));
	responder_until_logged(responder, record);
	struct view log = responder_log(responder);
	const char *line = memmem(log.ptr, log.len, record, strlen(record));
	const char *start = line;
	while (start > log.ptr && start[-1] != '\n')
		start--;
	struct view rest = {line, (size_t)(log.ptr + log.len - line)};
	struct view end = view_cut(&rest, '\n');
	const char *whole = ask_format("%.*s%.*s", (int)(line - start), start, VIEW_ARGS(end));
	cr_expect(strstr(whole, "\"level\":\"error\"") && strstr(whole, "\"status\":500") &&
	                  strstr(whole, "\"reason\":\"internal\""),
	          "%s", whole);
	responder_until_logged(responder, told);
}

Test(faults, a_statement_that_the_role_may_not_run_is_logged_and_not_told)
{
	const char *database = api_name("faults");
	struct responder *tasks = responder_start("tasks", api_settings_for(api_database(database)));
	const struct answer *made = api_ask(tasks, "POST", LIST, api_task("x", ""));
	const char *task = ask_format(LIST "/%.*s", VIEW_ARGS(answer_text(made, "id")));
	postgres_run("todo_owner", database, "REVOKE UPDATE, DELETE ON todo.task FROM todo_app");
	expect_internal(tasks, api_ask(tasks, "PATCH", task, "{\"completed\":true}"),
	                "refused TASK_PATCH, SQLSTATE 42501");
	expect_internal(tasks, api_ask(tasks, "DELETE", task, NULL), "refused TASK_DELETE, SQLSTATE 42501");
	/* all else goes on, on the same connection */
	cr_expect(view_equal(api_ask(tasks, "GET", task, NULL)->body, made->body));
	postgres_run("todo_owner", database, "REVOKE SELECT ON todo.task FROM todo_app");
	expect_internal(tasks, api_ask(tasks, "GET", LIST, NULL), "refused LIST_CREATED_DESC, SQLSTATE 42501");
}

/* What RFC 3339 has no words for can only have been written by hand. */
Test(faults, a_row_that_has_no_form_in_an_answer_is_logged_and_not_told)
{
	const char *database = api_name("faults");
	const char *url = api_database(database);
	struct responder *tasks = responder_start("tasks", api_settings_for(url));
	struct responder *account = responder_start("account", api_settings_for(url));
	const struct answer *made = api_ask(tasks, "POST", LIST, api_task("x", ""));
	const char *task = ask_format(LIST "/%.*s", VIEW_ARGS(answer_text(made, "id")));
	postgres_run("postgres", database, "UPDATE todo.task SET due_date = 'infinity'");
	expect_internal(tasks, api_ask(tasks, "GET", task, NULL), "TASK_GET gave a row that has no form in an answer");
	expect_internal(tasks, api_ask(tasks, "GET", LIST, NULL),
	                "LIST_CREATED_DESC gave a row that has no form in an answer");
	expect_internal(tasks, api_ask(tasks, "PATCH", task, "{\"completed\":true}"),
	                "TASK_PATCH gave a row that has no form in an answer");
	expect_internal(account, api_ask(account, "GET", "/api/anna/export", NULL),
	                "TASK_EXPORT gave a row that has no form in an answer");
	/* it can still be mended by its owner */
	cr_expect_eq(api_ask(tasks, "PUT", task, api_task("y", ""))->status, 200);
	cr_expect_eq(api_ask(tasks, "GET", LIST, NULL)->status, 200);
}

Test(faults, a_dangerous_role_is_named_by_ready_and_serves_nobody)
{
	const char *database = api_name("faults");
	postgres_database(database);
	char *url = postgres_url("postgres", database);
	struct responder *health = responder_start("health", api_settings_for(url));
	struct responder *tasks = responder_start("tasks", api_settings_for(url));
	api_until_ready(health, 503, "database_role");
	expect_try_again(api_ask(tasks, "GET", LIST, NULL), 503, "database_role", "a superuser");
	const char *const off[] = {ask_format("DATABASE_URL=%s", url), "TODO_DATABASE_ROLE_CHECK=off", NULL};
	cr_expect_eq(api_ask(responder_start("tasks", api_settings(off)), "GET", LIST, NULL)->status, 200,
	             "for development");
	/* the one that is meant for us wins */
	char *own = postgres_url("todo_app", database);
	const char *const both[] = {ask_format("DATABASE_URL=%s", url), ask_format("TODO_DATABASE_URL=%s", own), NULL};
	cr_expect_eq(api_ask(responder_start("tasks", api_settings(both)), "GET", LIST, NULL)->status, 200);
	free(own);
	free(url);
}

/* One verdict holds for a second. */
static bool tells_of_no_schema(void *health)
{
	cr_assert_eq(responder_ask(health, &(struct ask){.target = "/ready"})->status, 503);
	return responder_has_logged(health, "this program works with: there is none that can be read");
}

Test(faults, a_schema_of_another_version_is_named_by_ready)
{
	const char *database = api_name("faults");
	const char *url = api_database(database);
	struct responder *health = responder_start("health", api_settings_for(url));
	api_until_ready(health, 200, NULL);
	postgres_run("todo_owner", database, "UPDATE todo.schema_version SET version = version + 1");
	api_until_ready(health, 503, "database_schema");
	/* Which of the two is behind decides what is to be done. */
	char *told = postgres_value("todo_owner", database,
	                            "SELECT format('the schema is not the one that this program works with: its version"
	                            " is %s, not %s', version, version - 1) FROM todo.schema_version");
	responder_until_logged(health, told);
	free(told);
	postgres_run("todo_owner", database, "REVOKE SELECT ON todo.schema_version FROM todo_app");
	until(tells_of_no_schema, health, "the log says that there is none");
}

/* docs/operations.md, "Upgrades": the old programs between a new schema and the new programs. */
Test(faults, a_connection_from_before_a_new_schema_serves_on_and_a_new_one_does_not)
{
	const char *database = api_name("faults");
	const char *url = api_database(database);
	struct responder *old = responder_start("tasks", api_settings_for(url));
	struct responder *late = responder_start("tasks", api_settings_for(url));
	cr_expect_eq(api_ask(old, "GET", LIST, NULL)->status, 200);
	postgres_run("todo_owner", database, "UPDATE todo.schema_version SET version = version + 1");
	cr_expect_eq(api_ask(old, "GET", LIST, NULL)->status, 200);
	cr_expect_eq(api_ask(old, "POST", LIST, api_task("one", ""))->status, 201);
	expect_try_again(api_ask(late, "GET", LIST, NULL), 503, "database_schema", "a new connection");
}

Test(faults, ready_tells_nothing_but_which_part_failed)
{
	const char *const more[] = {
	        "DATABASE_URL=postgresql://todo_app:" PRIVATE "-password@/" PRIVATE "?host=/nowhere/" PRIVATE, NULL};
	struct responder *health = responder_start("health", api_settings(more));
	struct ask ask = {.target = "/ready"};
	const struct answer *answer = responder_ask(health, &ask);
	expect_try_again(answer, 503, "database_unavailable", "/ready");
	cr_expect_null(memmem(answer->body.ptr, answer->body.len, PRIVATE, strlen(PRIVATE)));
	cr_expect_null(memmem(answer->body.ptr, answer->body.len, "nowhere", 7));
}

/* ---- the keys ---- */

static void write_keys(const char *path, struct issuer *const *issuers, size_t count)
{
	struct buf text = buf_make(64 * 1024);
	const char *fresh = ask_format("%s.new", path);
	issuer_jwks(issuers, count, &text);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len && rename(fresh, path) == 0);
	close(fd);
	buf_destroy(&text);
}

struct bearer {
	struct responder *auth;
	const char *token;
};

static bool is_believed(void *context)
{
	const struct bearer *bearer = context;
	struct ask ask = {.target = "/auth/me", .token = bearer->token};
	return responder_ask(bearer->auth, &ask)->status == 200;
}

Test(faults, keys_that_can_not_be_had_are_no_fault_of_the_token)
{
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	char *token = issuer_token_for(issuer, "anna", API_ORIGIN, clock_now());
	/* nothing listens on port 1 */
	const char *const more[] = {"JWKS_URL=http://127.0.0.1:1/jwks", "JWKS_INSECURE_LOOPBACK=1", "JWKS_COOLDOWN=1",
	                            NULL};
	struct responder *auth = responder_start("auth", api_settings(more));
	struct responder *tasks = responder_start("tasks", api_settings(more));
	struct responder *health = responder_start("health", api_settings(more));
	struct ask ask = {.target = "/auth/me", .token = token};
	expect_try_again(responder_ask(auth, &ask), 503, "keys_unavailable", "/auth/me");
	ask = (struct ask){.target = LIST, .token = token};
	expect_try_again(responder_ask(tasks, &ask), 503, "keys_unavailable", LIST);
	/* a secret is no way around them, unless it was said so */
	ask = (struct ask){.target = "/auth/me", .token = api_token("anna")};
	expect_problem(responder_ask(auth, &ask), 401, "unauthorized", "HS256 beside a key set");
	api_until_ready(health, 503, "keys_unavailable");
	free(token);
	issuer_free(issuer);
}

static bool is_disbelieved(void *context)
{
	return !is_believed(context);
}

Test(faults, keys_that_come_and_go_are_taken_up_and_dropped)
{
	struct issuer *first = issuer_new(ALG_EDDSA, "k1");
	struct issuer *second = issuer_new(ALG_ES256, "k2");
	struct issuer *const both[] = {first, second};
	const char *path = api_path("jwks");
	char *old = issuer_token_for(first, "anna", API_ORIGIN, clock_now());
	char *fresh = issuer_token_for(second, "anna", API_ORIGIN, clock_now());
	write_keys(path, &first, 1);
	const char *const more[] = {ask_format("JWKS_FILE=%s", path), "JWKS_REFRESH=1", NULL};
	struct bearer by_old = {responder_start("auth", api_settings(more)), old};
	struct bearer by_fresh = {by_old.auth, fresh};
	cr_expect(is_believed(&by_old), "the first key's token");
	cr_expect_not(is_believed(&by_fresh), "a key that nobody knows");
	write_keys(path, both, 2);
	until(is_believed, &by_fresh, "the second key's token is believed");
	cr_expect(is_believed(&by_old), "an old token still works");
	write_keys(path, &second, 1);
	until(is_disbelieved, &by_old, "the first key's token is refused");
	cr_expect(is_believed(&by_fresh));
	/* nothing good in it: the last good set goes on */
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, "{", 1) == 1);
	close(fd);
	cr_expect(is_believed(&by_fresh));
	unlink(path);
	free(old);
	free(fresh);
	issuer_free(first);
	issuer_free(second);
}

/* ---- plain CGI ---- */

static void expect_same(const char *program, struct responder *responder, const char *const settings[],
                        const struct ask *ask)
{
	const struct answer *fast = responder_ask(responder, ask);
	const struct answer *plain = responder_cgi(program, settings, ask);
	cr_expect(view_equal(answer_without_id(fast), answer_without_id(plain)), "%s\n%.*s\nis not\n%.*s", ask->target,
	          VIEW_ARGS(answer_without_id(plain)), VIEW_ARGS(answer_without_id(fast)));
}

Test(faults, plain_cgi_answers_like_fastcgi)
{
	const char *url = api_database(api_name("faults"));
	const char *const *settings = api_settings_for(url);
	struct responder *tasks = responder_start("tasks", settings);
	struct responder *auth = responder_start("auth", settings);
	struct responder *health = responder_start("health", settings);
	const struct answer *made = api_ask(tasks, "POST", LIST, api_task("x", ""));
	const char *task = ask_format(LIST "/%.*s", VIEW_ARGS(answer_text(made, "id")));
	const char *token = api_token("anna");
	const char *const cut[] = {"CONTENT_LENGTH=100", NULL};
	const struct ask asks[] = {
	        {.target = LIST},
	        {.target = LIST, .token = token},
	        {.method = "HEAD", .target = LIST, .token = token},
	        {.target = task, .token = token},
	        {.target = "/api/berta/tasks", .token = token},
	        {.target = "/api//tasks", .token = token},
	        {.method = "POST", .target = LIST, .token = token, .body = "{"},
	        {.method = "POST", .target = LIST, .token = token, .body = "{}"},
	        {.method = "POST", .target = LIST, .token = token, .body = "{}", .params = cut},
	        {.method = "POST", .target = LIST, .token = token},
	        {.method = "FOO", .target = LIST, .token = token},
	        {.method = "OPTIONS", .target = LIST},
	        {.method = "PUT", .target = LIST "/" MISSING, .token = token, .body = "{\"title\":\"x\"}"},
	};
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
		expect_same("tasks", tasks, settings, &asks[i]);
	const struct ask me = {.target = "/auth/me", .token = token};
	const struct ask validate = {.method = "POST", .target = "/auth/validate"};
	const struct ask alive = {.target = "/health"};
	expect_same("auth", auth, settings, &me);
	expect_same("auth", auth, settings, &validate);
	expect_same("health", health, settings, &alive);
	const struct ask create = {.method = "POST", .target = LIST, .token = token, .body = api_task("by CGI", "")};
	cr_expect_eq(responder_cgi("tasks", settings, &create)->status, 201);
	const struct ask toggle = {.method = "PATCH", .target = ask_format("%s/complete", task), .token = token};
	cr_expect_eq(responder_cgi("tasks", settings, &toggle)->status, 200);
}

/* Its standard input may stay open, and hold more (RFC 3875 §4.2). */
Test(faults, plain_cgi_reads_no_further_than_the_announced_length)
{
	const char *url = api_database(api_name("faults"));
	const char *task = api_task("by CGI", "");
	const char *const length[] = {ask_format("CONTENT_LENGTH=%zu", strlen(task)), NULL};
	const struct ask ask = {.method = "POST",
	                        .target = LIST,
	                        .token = api_token("anna"),
	                        .body = ask_format("%sGET / HTTP/1.1\r\n\r\n", task),
	                        .params = length};
	cr_expect_eq(responder_cgi("tasks", api_settings_for(url), &ask)->status, 201);
}
