/* The database away, seen through both web servers: the answer is always ours, whatever
 * the servers do by themselves. tests/api/test_outage.c has every fault at the socket. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/http.h"
#include "support/issuer.h"
#include "support/postgres.h"
#include "support/relay.h"
#include "support/stack.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(outage, .timeout = 300);

#define SECRET "2f1d7c9b4e8a60f3955b7c21d04ae86f"
#define LIST "/api/somebody/tasks"
#define TASK "{\"title\":\"x\"}"

enum { TEXT_MAX = 1024, ARENA_MAX = 1024 * 1024, PATIENCE = 60, CROWD = 200 };

struct scene {
	struct stack stack;
	struct relay *relay;
	const char *database;
	char url[TEXT_MAX];
	char *token;
};

/* `name` is the database's as well as the stack's: letters alone. */
static struct scene *scene_make(const char *name, const char *server, const char *workers)
{
	static struct scene scene;
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	char *socket = postgres_url("todo_app", name);
	const char *at = strstr(socket, "@/");
	scene.database = name;
	postgres_database(name);
	scene.relay = relay_start(postgres_folder());
	snprintf(scene.url, sizeof scene.url, "DATABASE_URL=%.*s@127.0.0.1:%d/%s", (int)(at - socket), socket,
	         scene.relay->port, name);
	scene.stack = stack_make(name, (const char *const[]){server, workers, "BETTER_AUTH_SECRET=" SECRET, scene.url,
	                                                     "TODO_DATABASE_TIMEOUT=4", NULL});
	cr_assert(stack_up(&scene.stack), "the stack does not start:\n%s", scene.stack.said.ptr);
	scene.token = issuer_token_for(issuer, "somebody", stack_value(&scene.stack, "BASE_URL"), clock_now());
	issuer_free(issuer);
	free(socket);
	return &scene;
}

static void scene_end(struct scene *scene)
{
	cr_expect(stack_down(&scene->stack), "the stack does not stop:\n%s", scene->stack.said.ptr);
	stack_destroy(&scene->stack);
	relay_stop(scene->relay);
	free(scene->token);
}

/* ---- asking ---- */

static struct http_answer ask(const struct scene *scene, const char *method, const char *body)
{
	struct http_answer answer;
	struct http_ask request = {.method = method, .target = LIST, .token = scene->token, .body = body};
	enum http_result result = http_ask(stack_port(&scene->stack), &request, &answer);
	cr_assert_eq(result, HTTP_OK, "%s: %s", method, http_result_text(result));
	return answer;
}

/* A problem of ours, not a page of the server's: it has our code and our request id. */
static void expect_problem(struct http_answer answer, int status, const char *code, bool may_be_repeated)
{
	struct arena arena;
	cr_assert(arena_init(&arena, ARENA_MAX));
	const cJSON *json = http_json(&answer, &arena);
	struct view request_id = http_header(&answer, VIEW("X-Request-Id"), 0);
	cr_expect_eq(answer.status, status, "%.*s", VIEW_ARGS(answer.body));
	cr_expect(json && view_equal(json_member_text(json, "code"), view_of(code)), "%s: %.*s", code,
	          VIEW_ARGS(answer.body));
	cr_expect(json && request_id.len > 0 && view_equal(json_member_text(json, "request_id"), request_id));
	cr_expect(view_equal(http_header(&answer, VIEW("Content-Type"), 0), VIEW("application/problem+json")));
	cr_expect_eq(!view_is_absent(http_header(&answer, VIEW("Retry-After"), 0)), may_be_repeated, "%s", code);
	arena_destroy(&arena);
	http_answer_destroy(&answer);
}

static void wait_until_served(const struct scene *scene)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	int status = 0;
	while (status != 200 && clock_monotonic() < end) {
		struct http_answer answer = ask(scene, "GET", NULL);
		status = answer.status;
		http_answer_destroy(&answer);
	}
	cr_assert_eq(status, 200, "it is not served again: %d", status);
}

static void expect_rows(const struct scene *scene, const char *count)
{
	char *value = postgres_value("postgres", scene->database, "SELECT count(*) FROM todo.task");
	cr_expect_str_eq(value, count);
	free(value);
}

/* ---- silence at each stage ---- */

/* Requests come one after the other, so one process serves them all. */
static void is_silent(const char *name, const char *server)
{
	struct scene *scene = scene_make(name, server, "WEB_TASKS_WORKERS=1");
	wait_until_served(scene);

	/* in the query … */
	atomic_store(&scene->relay->order, RELAY_SWALLOW_ANSWERS);
	expect_problem(ask(scene, "GET", NULL), 504, "database_timeout", true);
	/* … at the login, since that connection is given up … */
	expect_problem(ask(scene, "POST", TASK), 504, "database_timeout", true);
	atomic_store(&scene->relay->order, RELAY_PASS);
	wait_until_served(scene);
	expect_rows(scene, "0");

	/* … and at the COMMIT, which has happened. */
	atomic_store(&scene->relay->order, RELAY_SWALLOW_ANSWERS);
	expect_problem(ask(scene, "POST", TASK), 503, "outcome_unknown", false);
	atomic_store(&scene->relay->order, RELAY_PASS);
	wait_until_served(scene);
	expect_rows(scene, "1");

	/* A connection that is cut there: nobody between client and database sends the write again. */
	atomic_store(&scene->relay->order, RELAY_CUT_ANSWERS_ONCE);
	expect_problem(ask(scene, "POST", TASK), 503, "outcome_unknown", false);
	wait_until_served(scene);
	expect_rows(scene, "2");
	scene_end(scene);
}

Test(outage, a_silent_database_is_a_problem_of_ours_at_every_stage_with_lighttpd)
{
	is_silent("silentlighttpd", "SERVER=lighttpd");
}

Test(outage, a_silent_database_is_a_problem_of_ours_at_every_stage_with_apache)
{
	is_silent("silentapache", "SERVER=apache");
}

/* ---- many at once ---- */

/* All ask before any answer is read; how many answers have that status. */
static int crowd(const struct scene *scene, int status)
{
	static struct http all[CROWD];
	char request[8192];
	int found = 0;
	int len = snprintf(request, sizeof request,
	                   "GET " LIST
	                   " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n",
	                   scene->token);
	for (int i = 0; i < CROWD; i++) {
		cr_assert(http_open(stack_port(&scene->stack), &all[i]));
		http_send(&all[i], (struct view){request, (size_t)len});
	}
	for (int i = 0; i < CROWD; i++) {
		struct http_answer answer;
		enum http_result result = http_receive(&all[i], false, &answer);
		cr_expect_eq(result, HTTP_OK, "%s", http_result_text(result));
		if (result == HTTP_OK) {
			found += answer.status == status;
			http_answer_destroy(&answer);
		}
		http_close(&all[i]);
	}
	return found;
}

/* `processes`: of tasks.fcgi, at most. */
static void is_restarted(const char *name, const char *server, unsigned processes)
{
	struct scene *scene = scene_make(name, server, "WEB_TASKS_WORKERS=4");
	atomic_store(&scene->relay->order, RELAY_REFUSE);
	postgres_run("postgres", scene->database, POSTGRES_TERMINATE);
	cr_expect_eq(crowd(scene, 503), CROWD, "while it is away everybody is told so");
	atomic_store(&scene->relay->order, RELAY_PASS);
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	while (crowd(scene, 200) < CROWD)
		cr_assert(clock_monotonic() < end, "not all are served again");
	unsigned before = atomic_load(&scene->relay->connections);
	postgres_run("postgres", scene->database, POSTGRES_TERMINATE);
	cr_expect_eq(crowd(scene, 200), CROWD, "a restart between two requests is seen by nobody");
	unsigned made = atomic_load(&scene->relay->connections) - before;
	cr_expect_leq(made, processes, "%u", made);
	scene_end(scene);
}

Test(outage, a_crowd_after_a_restart_opens_one_connection_a_process_with_lighttpd)
{
	is_restarted("crowdlighttpd", "SERVER=lighttpd", 4);
}

Test(outage, a_crowd_after_a_restart_opens_one_connection_a_process_with_apache)
{
	is_restarted("crowdapache", "SERVER=apache", 16);
}

/* ---- who gives up first ---- */

/* The number after a directive, in seconds; 0: it is not there. */
static long directive(const char *file, const char *name)
{
	char line[TEXT_MAX];
	long value = 0;
	FILE *in = fopen(file, "r");
	cr_assert_not_null(in, "%s", file);
	while (fgets(line, sizeof line, in)) {
		const char *text = line + strspn(line, " \t");
		size_t len = strlen(name);
		if (strncmp(text, name, len) == 0 && text[len] == ' ')
			value = strtol(text + len, NULL, 10);
	}
	fclose(in);
	return value;
}

enum {
#define SETTING(NAME, member, KIND, standard, lowest, highest, help) HIGHEST_##NAME = (highest),
#include "base/config.def"
#undef SETTING
};

/* lighttpd waits for as long as a program works. mod_fcgid, where it is told nothing, for 40 s. */
Test(outage, no_web_server_gives_up_before_a_program_does)
{
	enum { MOD_FCGID = 40 };
	static const char *const limits[] = {"Timeout", "FcgidIOTimeout", "FcgidBusyTimeout"};
	cr_expect_lt((long)HIGHEST_TODO_DATABASE_TIMEOUT, MOD_FCGID);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		cr_expect_gt(directive("apache/server.conf", limits[i]), HIGHEST_TODO_DATABASE_TIMEOUT, "%s",
		             limits[i]);
		long elsewhere = directive("apache/vhost.conf.sample", limits[i]);
		cr_expect(elsewhere == 0 || elsewhere > HIGHEST_TODO_DATABASE_TIMEOUT, "%s", limits[i]);
	}
}
