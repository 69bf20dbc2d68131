/* Seeing inside: what operators are told of requests, and what nobody is. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/api.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS

TestSuite(seeing, .fini = api_end);

static struct responder *start(const char *program, const char *const more[])
{
	return responder_start(program, api_settings(more));
}

static const char *const none[] = {NULL};

/* ---- the log ---- */

/* The last line that is the record of a request; NULL: there is none. */
static const cJSON *last_record(const struct responder *responder)
{
	struct view rest = responder_log(responder);
	const cJSON *last = NULL;
	while (rest.len > 0) {
		struct view line = view_cut(&rest, '\n');
		const cJSON *json = NULL;
		if (line.len == 0)
			continue;
		cr_assert_eq(json_parse(ask_arena(), line, &json), JSON_OK, "%.*s", VIEW_ARGS(line));
		if (json_member(json, "request_id"))
			last = json;
	}
	return last;
}

struct expected {
	const struct responder *responder;
	struct view request_id;
};

static bool is_recorded(void *context)
{
	const struct expected *expected = context;
	const cJSON *record = last_record(expected->responder);
	return record && view_equal(json_member_text(record, "request_id"), expected->request_id);
}

/* The record of this request. */
static const cJSON *record_of(const struct responder *responder, const struct answer *answer)
{
	struct expected expected = {responder, answer_header(answer, "X-Request-Id")};
	until(is_recorded, &expected, "the request is in the log");
	return last_record(responder);
}

static void expect_text(const cJSON *record, const char *member, const char *text)
{
	struct view value = json_member_text(record, member);
	cr_expect(view_equal(value, view_of(text)), "%s is %.*s", member, VIEW_ARGS(value));
}

static void expect_null(const cJSON *record, const char *member)
{
	cr_expect(cJSON_IsNull(json_member(record, member)), "%s", member);
}

static int64_t number_of(const cJSON *record, const char *member)
{
	int64_t number = -1;
	cr_expect(json_to_integer(json_member(record, member), &number), "%s", member);
	return number;
}

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"

Test(seeing, each_request_is_one_line)
{
	const char *url = api_database(api_name("seeing"));
	struct responder *tasks = responder_start("tasks", api_settings_for(url));
	const char *const params[] = {"REMOTE_ADDR=192.0.2.77", "HTTP_X_REQUEST_ID=front-end.1",
	                              "HTTP_TRACEPARENT=00-" TRACE_ID "-b7ad6b7169203331-01", NULL};
	const struct ask ask = {.method = "POST",
	                        .target = "/api/anna/tasks",
	                        .token = api_token("anna"),
	                        .body = api_task(PRIVATE, ""),
	                        .params = params};
	const cJSON *record = record_of(tasks, responder_ask(tasks, &ask));
	expect_text(record, "level", "info");
	expect_text(record, "program", "tasks");
	expect_text(record, "client_request_id", "front-end.1");
	expect_text(record, "trace_id", TRACE_ID);
	expect_text(record, "method", "POST");
	expect_text(record, "route", "/api/{user_id}/tasks");
	expect_text(record, "client", "192.0.2.0/24");
	expect_null(record, "reason");
	cr_expect_eq(number_of(record, "status"), 201);
	cr_expect_eq(json_member_text(record, "user").len, 16);
	int64_t total = number_of(record, "total_us");
	int64_t verification = number_of(record, "verification_us");
	int64_t database = number_of(record, "database_us");
	cr_expect(verification > 0 && database > 0 && verification + database <= total);
}

Test(seeing, a_user_has_one_pseudonym_on_a_machine)
{
	struct responder *auth = start("auth", none);
	struct responder *tasks = start("tasks", none);
	const struct ask me = {.target = "/auth/me", .token = api_token("anna")};
	const struct ask foreign = {.target = "/api/berta/tasks", .token = api_token("anna")};
	const struct ask other = {.target = "/auth/me", .token = api_token("berta")};
	struct view anna = json_member_text(record_of(auth, responder_ask(auth, &me)), "user");
	const cJSON *refused = record_of(tasks, responder_ask(tasks, &foreign));
	struct view berta = json_member_text(record_of(auth, responder_ask(auth, &other)), "user");
	cr_expect_eq(anna.len, 16);
	cr_expect(view_equal(json_member_text(refused, "user"), anna));
	expect_text(refused, "reason", "forbidden");
	cr_expect_not(view_equal(anna, berta));
}

Test(seeing, the_log_knows_why_a_token_was_refused)
{
	struct responder *auth = start("auth", none);
	struct attack attack;
	for (size_t i = 0; api_attack(i, "anna", &attack); i++) {
		const struct ask ask = {.target = "/auth/me", .token = attack.token};
		const cJSON *record = record_of(auth, responder_ask(auth, &ask));
		struct view reason = json_member_text(record, "reason");
		cr_expect(reason.len > 0 && !view_equal(reason, VIEW("unauthorized")), "%s", attack.name);
		expect_null(record, "user");
		if (attack.expired)
			expect_text(record, "reason", "expired");
	}
	const struct ask validate = {.method = "POST", .target = "/auth/validate"};
	expect_text(record_of(auth, responder_ask(auth, &validate)), "reason", "no_token");
	const struct ask nowhere = {.target = "/auth/" PRIVATE "/no?" PRIVATE "=1"};
	const cJSON *record = record_of(auth, responder_ask(auth, &nowhere));
	expect_text(record, "reason", "not_found");
	expect_text(record, "route", "-");
	expect_text(record, "method", "GET");
}

Test(seeing, no_client_can_write_a_line_of_its_own)
{
	static const char *const forged[] = {
	        "\"}\n{\"level\":\"error\",\"request_id\":\"forged\"}\n",
	        "x\r\ny",
	        "\xe2\x80\xa8\xff\xfe",
	        "a\",\"status\":200,\"x\":\"",
	};
	struct responder *auth = start("auth", none);
	for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
		const char *const params[] = {ask_format("HTTP_X_REQUEST_ID=%s", forged[i]),
		                              ask_format("HTTP_TRACEPARENT=%s", forged[i]),
		                              ask_format("REMOTE_ADDR=%s", forged[i]),
		                              ask_format("HTTP_USER_AGENT=%s", forged[i]),
		                              ask_format("HTTP_ORIGIN=%s", forged[i]),
		                              ask_format("HTTP_AUTHORIZATION=Bearer %s", forged[i]),
		                              NULL};
		const struct ask ask = {
		        .method = ask_format("GET%s", forged[i]), .target = "/auth/me", .params = params};
		const cJSON *record = record_of(auth, responder_ask(auth, &ask));
		expect_text(record, "method", "OTHER");
		expect_null(record, "client_request_id");
		expect_null(record, "trace_id");
		expect_null(record, "client");
		cr_expect_eq(number_of(record, "status"), 405);
		const struct ask token = {.target = ask_format("/auth/me?%s", forged[i]), .params = params};
		/* A comma is where a server joins two headers. */
		cr_expect_eq(number_of(record_of(auth, responder_ask(auth, &token)), "status"),
		             strchr(forged[i], ',') ? 400 : 401);
	}
	struct view log = responder_log(auth);
	cr_expect_not(memmem(log.ptr, log.len, "forged", 6));
	size_t lines = 0;
	for (size_t i = 0; i < log.len; i++)
		lines += log.ptr[i] == '\n';
	cr_expect_eq(lines, 2 * sizeof forged / sizeof *forged);
}

Test(seeing, an_address_is_told_as_far_as_the_operator_wants)
{
	static const struct {
		const char *setting;
		const char *told;
	} cases[] = {{"LOG_CLIENT=full", "2001:db8:1:2::3"},
	             {"LOG_CLIENT=prefix", "2001:db8:1::/48"},
	             {"LOG_CLIENT=none", NULL}};
	const char *const params[] = {"REMOTE_ADDR=2001:db8:1:2::3", NULL};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct responder *auth = start("auth", (const char *const[]){cases[i].setting, NULL});
		const struct ask ask = {.target = "/auth/me", .params = params};
		const cJSON *record = record_of(auth, responder_ask(auth, &ask));
		if (cases[i].told)
			expect_text(record, "client", cases[i].told);
		else
			expect_null(record, "client");
	}
}

Test(seeing, requests_are_not_logged_when_that_is_off)
{
	struct responder *auth = start("auth", (const char *const[]){"LOG_REQUESTS=off", NULL});
	cr_expect_eq(responder_ask(auth, &(struct ask){.target = "/auth/me"})->status, 401);
	cr_expect_eq(responder_stop(auth), 0);
	cr_expect_null(last_record(auth));
}

/* ---- the trace goes on to the database ---- */

Test(seeing, the_database_sees_the_trace_while_it_works_and_not_after)
{
	const char *database = api_name("seeing");
	struct responder *tasks = responder_start("tasks", api_settings_for(api_database(database)));
	const char *const params[] = {"HTTP_TRACEPARENT=00-" TRACE_ID "-b7ad6b7169203331-01", NULL};
	const struct ask ask = {.target = "/api/anna/tasks", .token = api_token("anna"), .params = params};
	cr_assert_eq(responder_ask(tasks, &ask)->status, 200);
	PGconn *blocker = postgres_hold(database, "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	int fd = responder_begin(tasks, &ask);
	postgres_wait_for("postgres", database,
	                  "SELECT count(*) = 1 " POSTGRES_BACKENDS " AND wait_event_type = 'Lock' AND"
	                  " application_name ~ '^00-" TRACE_ID "-[0-9a-f]{16}-01$'");
	char *span =
	        postgres_value("postgres", database, "SELECT split_part(application_name, '-', 3) " POSTGRES_BACKENDS);
	PQclear(PQexec(blocker, "COMMIT"));
	const struct answer *answer = responder_answer(fd, false);
	close(fd);
	cr_expect_eq(answer->status, 200);
	/* Our part in it is named after the request's id. */
	cr_expect(view_starts(answer_header(answer, "X-Request-Id"), view_of(span)), "%s", span);
	free(span);
	postgres_wait_for("postgres", database,
	                  "SELECT count(*) = 1 " POSTGRES_BACKENDS " AND application_name !~ '" TRACE_ID "'");
	PQfinish(blocker);
}

/* ---- times for clients ---- */

Test(seeing, clients_are_told_times_only_when_that_is_on)
{
	struct responder *silent = start("auth", (const char *const[]){"CORS_ORIGINS=https://app.example", NULL});
	struct responder *auth =
	        start("auth", (const char *const[]){"CORS_ORIGINS=https://app.example", "SERVER_TIMING=on", NULL});
	const char *const allowed[] = {"HTTP_ORIGIN=https://app.example", NULL};
	const char *const foreign[] = {"HTTP_ORIGIN=https://evil.example", NULL};
	struct ask ask = {.target = "/auth/me", .token = api_token("anna"), .params = allowed};
	const struct answer *answer = responder_ask(silent, &ask);
	cr_expect(view_is_absent(answer_header(answer, "Server-Timing")));
	cr_expect(view_is_absent(answer_header(answer, "Timing-Allow-Origin")));
	answer = responder_ask(auth, &ask);
	struct view timing = answer_header(answer, "Server-Timing");
	double total = -1, verification = -1, database = -1;
	cr_assert_eq(sscanf(ask_keep(timing), "total;dur=%lf, verification;dur=%lf, database;dur=%lf", &total,
	                    &verification, &database),
	             3, "%.*s", VIEW_ARGS(timing));
	cr_expect(total >= verification && verification > 0 && database == 0);
	cr_expect(view_equal(answer_header(answer, "Timing-Allow-Origin"), VIEW("https://app.example")));
	ask.params = foreign;
	answer = responder_ask(auth, &ask);
	cr_expect(view_is_absent(answer_header(answer, "Timing-Allow-Origin")));
	/* A problem took time as well. */
	ask.token = NULL;
	cr_expect_not(view_is_absent(answer_header(responder_ask(auth, &ask), "Server-Timing")));
}

/* ---- metrics ---- */

static const struct ask metrics_ask = {.target = "/metrics", .token = API_METRICS_TOKEN};

Test(seeing, metrics_are_counted_across_all_processes_and_outlive_them)
{
	const char *url = api_database(api_name("seeing"));
	const char *const more[] = {ask_format("DATABASE_URL=%s", url), "LIMIT_ADDRESS=1", "LIMIT_ADDRESS_BURST=3",
	                            NULL};
	struct responder *health = start("health", more);
	struct responder *first = start("auth", more);
	struct responder *tasks = start("tasks", more);
	struct ask ask = {.target = "/auth/me", .token = api_token("anna")};
	for (int i = 0; i < 3; i++)
		cr_expect_eq(responder_ask(first, &ask)->status, 200);
	kill(responder_pid(first), SIGKILL);
	cr_assert_eq(responder_wait(first), RESPONDER_BY_SIGNAL + SIGKILL);
	struct responder *second = start("auth", more);
	cr_expect_eq(responder_ask(second, &ask)->status, 200);
	ask.token = "no.good.token";
	for (int i = 0; i < 5; i++)
		cr_expect_eq(responder_ask(second, &ask)->status, i < 3 ? 401 : 429);
	ask = (struct ask){.target = "/api/anna/tasks", .token = api_token("anna")};
	cr_expect_eq(responder_ask(tasks, &ask)->status, 200);
	cr_expect_eq(responder_ask(tasks, &ask)->status, 200);
	cr_expect_eq(api_metric(health, "todo_requests_total{method=\"GET\",route=\"/auth/me\",status=\"2xx\"}"), 4);
	cr_expect_eq(api_metric(health, "todo_requests_total{method=\"GET\",route=\"/auth/me\",status=\"4xx\"}"), 5);
	cr_expect_eq(
	        api_metric(health, "todo_requests_total{method=\"GET\",route=\"/api/{user_id}/tasks\",status=\"2xx\"}"),
	        2);
	cr_expect_eq(api_metric(health, "todo_request_duration_seconds_count{method=\"GET\",route=\"/auth/me\"}"), 9);
	cr_expect_eq(api_metric(health, "todo_credentials_refused_total{reason=\"bad_header\"}") +
	                     api_metric(health, "todo_credentials_refused_total{reason=\"bad_base64url\"}"),
	             5);
	cr_expect_eq(api_metric(health, "todo_problems_total{code=\"rate_limited\"}"), 2);
	cr_expect_eq(api_metric(health, "todo_rate_limited_total{limit=\"address\"}"), 2);
	cr_expect_eq(api_metric(health, "todo_database_connections_total"), 1);
	/* The question itself is counted once it is answered. */
	cr_expect_geq(api_metric(health, "todo_requests_total{method=\"GET\",route=\"/metrics\",status=\"2xx\"}"), 8);
}

Test(seeing, metrics_are_for_whoever_has_the_token)
{
	struct responder *health = start("health", none);
	static const char *const wrong[] = {"Wq7-metrics_0Zt7bW2xLr8M", "Wq7-metrics_0Zt7bW2xLr8NN", "Wq7", ""};
	struct ask ask = {.target = "/metrics"};
	const struct answer *answer = responder_ask(health, &ask);
	expect_problem(answer, 401, "unauthorized", "no token");
	cr_expect(view_equal(answer_header(answer, "WWW-Authenticate"), VIEW("Bearer realm=\"todo\"")));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ask.token = wrong[i];
		expect_problem(responder_ask(health, &ask), 401, "unauthorized", wrong[i]);
	}
	ask.token = api_token("anna");
	expect_problem(responder_ask(health, &ask), 401, "unauthorized", "a user's token");
	ask = metrics_ask;
	ask.target = "/metrics?access_token=x";
	expect_problem(responder_ask(health, &ask), 400, "token_in_query", ask.target);
	ask = metrics_ask;
	ask.method = "HEAD";
	cr_expect_eq(responder_ask(health, &ask)->status, 200);
	ask.method = "POST";
	expect_problem(responder_ask(health, &ask), 405, "method_not_allowed", "POST");
}

Test(seeing, without_a_token_there_is_no_such_path)
{
	struct responder *health = start("health", (const char *const[]){"METRICS_TOKEN=", NULL});
	static const char *const methods[] = {"GET", "HEAD", "POST", "OPTIONS"};
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		const struct ask ask = {.method = methods[i], .target = "/metrics", .token = API_METRICS_TOKEN};
		cr_expect_eq(responder_ask(health, &ask)->status, 404, "%s", methods[i]);
	}
}

Test(seeing, the_token_may_lie_in_a_file_that_is_private)
{
	const char *path = ask_format("%s.metrics-token", responder_state_folder());
	for (int loose = 0; loose < 2; loose++) {
		FILE *file = fopen(path, "w");
		cr_assert_not_null(file, "%s", path);
		fputs(API_METRICS_TOKEN "\n", file);
		fclose(file);
		chmod(path, loose ? 0644 : 0600);
		struct responder *health =
		        start("health",
		              (const char *const[]){"METRICS_TOKEN", ask_format("METRICS_TOKEN_FILE=%s", path), NULL});
		if (loose)
			cr_expect_eq(responder_wait(health), 1);
		else
			cr_expect_eq(responder_ask(health, &metrics_ask)->status, 200);
		unlink(path);
	}
}
