/* The order in which a request is judged (docs/openapi.yaml): what comes first is told, whatever else is wrong. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "support/api.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(judgement, .fini = api_end, .timeout = 240);

#define LIST "/api/anna/tasks"
#define MISSING "/0189f7a0-0000-7000-8000-00000000dead"

/* A request with every fault but those that were mended so far. */
struct trial {
	const char *method;
	const char *target;
	const char *credential;
	const char *type;
	const char *length;
	const char *body;
	int status;
	const char *code;
};

static void expect_verdict(struct responder *tasks, const struct trial *trial)
{
	const char *params[8];
	size_t count = 0;
	params[count++] = "HTTP_ORIGIN=https://evil.example";
	params[count++] = "HTTP_IF_MATCH=\"nothing\"";
	params[count++] = trial->type;
	if (trial->credential)
		params[count++] = ask_format("HTTP_AUTHORIZATION=%s", trial->credential);
	if (trial->length)
		params[count++] = ask_format("CONTENT_LENGTH=%s", trial->length);
	params[count] = NULL;
	struct ask ask = {.method = trial->method, .target = trial->target, .body = trial->body, .params = params};
	expect_problem(responder_ask(tasks, &ask), trial->status, trial->code,
	               ask_format("%s %s", trial->method, trial->target));
}

Test(judgement, goes_from_the_path_to_the_database_and_tells_the_first_fault)
{
	const char *bearer = ask_format("Bearer %s", api_token("anna"));
	const char *two = ask_format("Bearer %s, Bearer x", api_token("anna"));
#define TEXT "CONTENT_TYPE=text/plain"
#define JSON "CONTENT_TYPE=application/json"
	const struct trial trials[] = {
	        {"FOO", "/api/berta/nothing", two, TEXT, "65537", "{", 404, "not_found"},
	        {"FOO", "/api/berta/tasks", two, TEXT, "65537", "{", 405, "method_not_allowed"},
	        {"PUT", "/api/berta/tasks" MISSING, two, TEXT, "65537", "{", 400, "two_credentials"},
	        {"PUT", "/api/berta/tasks" MISSING, NULL, TEXT, "65537", "{", 401, "unauthorized"},
	        {"PUT", "/api/berta/tasks" MISSING, "Bearer x", TEXT, "65537", "{", 401, "unauthorized"},
	        {"PUT", "/api/berta/tasks" MISSING, bearer, TEXT, "65537", "{", 403, "forbidden"},
	        {"PUT", LIST MISSING, bearer, TEXT, "65537", "{", 413, "body_too_large"},
	        {"PUT", LIST MISSING, bearer, TEXT, NULL, "{", 415, "media_type"},
	        {"PUT", LIST MISSING, bearer, JSON, NULL, "{", 400, "body_malformed"},
	        {"PUT", LIST MISSING, bearer, JSON, NULL, "{}", 422, "invalid"},
	};
	struct responder *tasks = responder_start("tasks", api_settings((const char *const[]){NULL}));
	for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
		expect_verdict(tasks, &trials[i]);
	/* Nothing is left but the database, which is away, and then answers for the task before its condition. */
	const struct trial good = {"PUT", LIST MISSING,        bearer, JSON,
	                           NULL,  "{\"title\":\"x\"}", 503,    "database_unavailable"};
	struct trial missing = good;
	missing.status = 404;
	missing.code = "task_not_found";
	expect_verdict(tasks, &good);
	tasks = responder_start("tasks", api_settings_for(api_database(api_name("judgement"))));
	expect_verdict(tasks, &missing);
	struct ask create = {.method = "POST", .target = LIST, .token = api_token("anna"), .body = "{\"title\":\"x\"}"};
	struct trial other = good;
	other.target = ask_format(LIST "/%.*s", VIEW_ARGS(answer_text(responder_ask(tasks, &create), "id")));
	other.status = 412;
	other.code = "precondition_failed";
	expect_verdict(tasks, &other);
}

/* Before everything: a browser sends neither token nor body with it. */
Test(judgement, answers_a_preflight_before_any_credential)
{
	const char *const params[] = {"HTTP_ORIGIN=https://evil.example",
	                              "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT",
	                              "HTTP_AUTHORIZATION=Bearer x, Bearer y",
	                              TEXT,
	                              "CONTENT_LENGTH=65537",
	                              NULL};
	struct responder *tasks = responder_start("tasks", api_settings((const char *const[]){NULL}));
	struct ask ask = {.method = "OPTIONS", .target = "/api/berta/tasks", .params = params, .body = "{"};
	const struct answer *answer = responder_ask(tasks, &ask);
	cr_expect_eq(answer->status, 204);
	cr_expect(view_is_absent(answer_header(answer, "Access-Control-Allow-Origin")), "a foreign origin");
}
