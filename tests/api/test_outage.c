/* The database away, slow, full, elsewhere: what a client sees, and that nothing is
 * lost or done twice. test_db_run.c has the same without HTTP, and more of it. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/auth_server.h"
#include "support/issuer.h"
#include "support/postgres.h"
#include "support/relay.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(outage, .fini = api_end, .timeout = 240);

#define LIST "/api/anna/tasks"
#define TASK LIST "/0189f7a0-0000-7000-8000-000000000001"

/* Enough for a busy machine to connect. */
#define HASTE "TODO_DATABASE_TIMEOUT=3"

static bool creates(void *context)
{
	return api_ask(context, "POST", LIST, api_task("x", ""))->status == 201;
}

static void run_in(const char *database, const char *sql)
{
	postgres_run("postgres", database, sql);
}

static void expect_rows(const char *database, const char *count)
{
	char *value = postgres_value("postgres", database, "SELECT count(*) FROM todo.task");
	cr_expect_str_eq(value, count);
	free(value);
}

static void expect_logged(const struct responder *responder, const char *text)
{
	cr_expect(responder_has_logged(responder, text), "no \"%s\" in\n%s", text, responder_log(responder).ptr);
}

/* A database of the test's own, and a program on it. */
struct scene {
	const char *database;
	struct relay *relay; /* between the two, if there is one */
	struct responder *tasks;
};

/* `more`: further settings, up to a NULL. */
static struct scene scene_make(bool with_relay, const char *const more[])
{
	struct scene scene = {.database = api_name("outage")};
	const char *settings[16] = {NULL};
	size_t count = 0;
	postgres_database(scene.database);
	if (with_relay)
		scene.relay = relay_start(postgres_folder());
	settings[count++] = api_database_in(with_relay ? scene.relay->folder : postgres_folder(), scene.database);
	while (*more)
		settings[count++] = *more++;
	scene.tasks = responder_start("tasks", api_settings(settings));
	return scene;
}

static struct scene scene_on_the_cluster(void)
{
	struct scene scene = scene_make(false, (const char *const[]){NULL});
	api_until_lists(scene.tasks);
	return scene;
}

static struct scene scene_with_a_relay(void)
{
	struct scene scene = scene_make(true, (const char *const[]){NULL});
	api_until_lists(scene.tasks);
	return scene;
}

static struct scene scene_in_haste(void)
{
	struct scene scene = scene_make(true, (const char *const[]){HASTE, NULL});
	api_until_lists(scene.tasks);
	return scene;
}

/* ---- one budget: whatever is silent, the client has an answer of ours ---- */

/* Asked again and again, a request waits for the fetch at most once in a cooldown. */
Test(outage, keys_that_do_not_come_cost_no_more_than_the_request_has)
{
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	char *token = issuer_token_for(issuer, "anna", API_ORIGIN, clock_now());
	struct auth_server server = auth_server_start(NULL, NULL);
	auth_server_serve(&server, AUTH_SERVER_SILENT, VIEW(""));
	const char *const more[] = {ask_format("JWKS_URL=%s", server.url), "JWKS_INSECURE_LOOPBACK=1",
	                            "JWKS_TIMEOUT=60", "TODO_DATABASE_TIMEOUT=1", NULL};
	struct ask ask = {.target = LIST, .token = token};
	expect_try_again(responder_ask(responder_start("tasks", api_settings(more)), &ask), 503, "keys_unavailable",
	                 "a silent issuer");
	auth_server_stop(&server);
	free(token);
	issuer_free(issuer);
}

/* The keys of before still count, and half of the request's time is the database's. */
Test(outage, keys_that_do_not_come_again_stand_in_nobodys_way)
{
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	char *token = issuer_token_for(issuer, "anna", API_ORIGIN, clock_now());
	struct auth_server server = auth_server_start(NULL, NULL);
	struct buf keys = buf_make(4096);
	const char *database = api_name("outage");
	postgres_database(database);
	issuer_jwks(&issuer, 1, &keys);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&keys));
	const char *const more[] = {api_database_in(postgres_folder(), database),
	                            ask_format("JWKS_URL=%s", server.url),
	                            "JWKS_INSECURE_LOOPBACK=1",
	                            "JWKS_TIMEOUT=60",
	                            "JWKS_REFRESH=1",
	                            "JWKS_COOLDOWN=1",
	                            "TODO_DATABASE_TIMEOUT=6",
	                            NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	struct ask ask = {.target = LIST, .token = token};
	cr_expect_eq(responder_ask(tasks, &ask)->status, 200);
	int before = atomic_load(&server.state->hits);
	auth_server_serve(&server, AUTH_SERVER_SILENT, VIEW(""));
	while (atomic_load(&server.state->hits) == before)
		cr_expect_eq(responder_ask(tasks, &ask)->status, 200);
	auth_server_stop(&server);
	buf_destroy(&keys);
	free(token);
	issuer_free(issuer);
}

/* The server is told how long it may work: nine tenths of what is left. */
Test(outage, what_the_keys_took_is_no_longer_the_databases)
{
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	char *token = issuer_token_for(issuer, "anna", API_ORIGIN, clock_now());
	struct auth_server server = auth_server_start(NULL, NULL);
	const char *database = api_name("outage");
	const char *file = api_path("jwks");
	struct buf keys = buf_make(4096);
	postgres_database(database);
	run_in(database, "CREATE TABLE public.seen (timeout text); GRANT INSERT ON public.seen TO todo_app;"
	                 "GRANT USAGE ON SCHEMA public TO todo_app;"
	                 "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
	                 " INSERT INTO public.seen VALUES (current_setting('statement_timeout')); RETURN NEW; END$$;"
	                 "CREATE TRIGGER see BEFORE INSERT ON todo.task FOR EACH ROW EXECUTE FUNCTION see()");
	issuer_jwks(&issuer, 1, &keys);
	FILE *out = fopen(file, "w");
	cr_assert(out && fwrite(keys.ptr, 1, keys.len, out) == keys.len && fclose(out) == 0);
	auth_server_serve(&server, AUTH_SERVER_SILENT, VIEW(""));
	const char *const more[] = {api_database_in(postgres_folder(), database),
	                            ask_format("JWKS_URL=%s", server.url),
	                            ask_format("JWKS_FILE=%s", file),
	                            "JWKS_INSECURE_LOOPBACK=1",
	                            "JWKS_TIMEOUT=2",
	                            "TODO_DATABASE_TIMEOUT=20",
	                            NULL};
	struct ask ask = {.method = "POST", .target = LIST, .token = token, .body = api_task("x", "")};
	cr_expect_eq(responder_ask(responder_start("tasks", api_settings(more)), &ask)->status, 201);
	char *in_time = postgres_value("postgres", database, "SELECT timeout::interval <= '16.2 s' FROM public.seen");
	cr_expect_str_eq(in_time, "t", "the database was given more than the 18 s that were left");
	free(in_time);
	unlink(file);
	auth_server_stop(&server);
	buf_destroy(&keys);
	free(token);
	issuer_free(issuer);
}

/* A listener whose queue is full leaves connections hanging, as a host that drops packets does. */
Test(outage, a_server_that_can_not_be_reached_is_given_up_in_time)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
	cr_assert_eq(listen(listener, 0), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(first, (const struct sockaddr *)&address, sizeof address), 0);
	const char *const more[] = {
	        ask_format("DATABASE_URL=postgresql://todo_app@127.0.0.1:%d/todo", ntohs(address.sin_port)),
	        "TODO_DATABASE_TIMEOUT=1", NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	expect_try_again(api_ask(tasks, "GET", LIST, NULL), 504, "database_timeout", "GET");
	expect_try_again(api_ask(tasks, "POST", LIST, api_task("x", "")), 504, "database_timeout", "POST");
	expect_logged(tasks, "no answer in time while reaching the server");
	close(first);
	close(listener);
}

Test(outage, a_server_that_says_nothing_at_the_door_is_given_up_in_time)
{
	struct scene scene = scene_make(true, (const char *const[]){HASTE, NULL});
	atomic_store(&scene.relay->order, RELAY_SWALLOW_REQUESTS);
	expect_try_again(api_ask(scene.tasks, "POST", LIST, api_task("x", "")), 504, "database_timeout", "POST");
	expect_logged(scene.tasks, "no answer in time while logging in");
	atomic_store(&scene.relay->order, RELAY_PASS);
	until(creates, scene.tasks, "a task is created");
	expect_rows(scene.database, "1");
	relay_stop(scene.relay);
}

Test(outage, a_server_that_says_nothing_to_a_write_leaves_its_outcome_unknown)
{
	struct scene scene = scene_in_haste();
	atomic_store(&scene.relay->order, RELAY_SWALLOW_ANSWERS);
	expect_outcome_unknown(api_ask(scene.tasks, "POST", LIST, api_task("x", "")), "POST");
	relay_stop(scene.relay);
}

Test(outage, a_server_that_says_nothing_to_a_read_is_given_up_in_time)
{
	struct scene scene = scene_in_haste();
	atomic_store(&scene.relay->order, RELAY_SWALLOW_ANSWERS);
	expect_try_again(api_ask(scene.tasks, "GET", LIST, NULL), 504, "database_timeout", "GET");
	atomic_store(&scene.relay->order, RELAY_PASS);
	api_until_lists(scene.tasks);
	relay_stop(scene.relay);
}

/* Whether it is slow or away, it can't be reached: /ready is 200 or 503 and nothing else. */
Test(outage, a_server_that_says_nothing_is_not_ready)
{
	const char *database = api_name("outage");
	postgres_database(database);
	struct relay *relay = relay_start(postgres_folder());
	const char *const more[] = {api_database_in(relay->folder, database), HASTE, NULL};
	struct responder *health = responder_start("health", api_settings(more));
	api_until_ready(health, 200, NULL);
	atomic_store(&relay->order, RELAY_SWALLOW_ANSWERS);
	api_until_ready(health, 503, "database_unavailable");
	atomic_store(&relay->order, RELAY_PASS);
	api_until_ready(health, 200, NULL);
	relay_stop(relay);
}

/* statement_timeout ends before the COMMIT, which may still wait for a lock or a replica. */
Test(outage, a_commit_that_does_not_end_leaves_its_outcome_unknown)
{
	struct scene scene = scene_in_haste();
	run_in(scene.database, "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
	                       " $$BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END$$;"
	                       "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON todo.task"
	                       " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()");
	PGconn *blocker = postgres_hold(scene.database, "SELECT pg_advisory_lock(7)");
	expect_outcome_unknown(api_ask(scene.tasks, "POST", LIST, api_task("x", "")), "POST");
	PQfinish(blocker);
	/* It has happened after all, once. */
	postgres_wait_for("postgres", scene.database, "SELECT count(*) = 1 FROM todo.task");
	relay_stop(scene.relay);
}

/* The server gives up first, so that the write is known not to have happened. */
Test(outage, a_slow_write_is_undone_and_may_be_tried_again)
{
	struct scene scene = scene_in_haste();
	PGconn *blocker = postgres_hold(scene.database, "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	expect_try_again(api_ask(scene.tasks, "POST", LIST, api_task("x", "")), 504, "database_timeout", "POST");
	expect_try_again(api_ask(scene.tasks, "GET", LIST, NULL), 504, "database_timeout", "GET");
	PQfinish(blocker);
	expect_rows(scene.database, "0");
	until(creates, scene.tasks, "a task is created");
	expect_rows(scene.database, "1");
	relay_stop(scene.relay);
}

/* The server has ended it and told so: it is undone, and may be tried again. */
Test(outage, a_write_that_waits_too_long_is_504_and_undone)
{
	static const struct {
		const char *method;
		const char *body;
	} writes[] = {{"PUT", "{\"title\":\"" PRIVATE "\"}"}, {"PATCH", "{\"completed\":true}"}, {"DELETE", NULL}};
	enum { WRITES = sizeof writes / sizeof *writes };
	const char *database = api_name("outage");
	const char *url = api_database(database);
	const char *const more[] = {ask_format("DATABASE_URL=%s", url), HASTE, NULL};
	struct responder *tasks = responder_start("tasks", api_settings_for(url));
	struct responder *hurried[WRITES];
	int waiting[WRITES];
	const struct answer *made = api_ask(tasks, "POST", LIST, api_task("x", ""));
	const char *task = ask_format(LIST "/%.*s", VIEW_ARGS(answer_text(made, "id")));
	for (size_t i = 0; i < WRITES; i++) {
		hurried[i] = responder_start("tasks", api_settings(more));
		api_until_lists(hurried[i]);
	}
	PGconn *blocker = postgres_hold(database, "BEGIN; SELECT FROM todo.task FOR UPDATE");
	/* all at once, so that they wait at the same time */
	for (size_t i = 0; i < WRITES; i++) {
		struct ask write = {
		        .method = writes[i].method, .target = task, .token = api_token("anna"), .body = writes[i].body};
		waiting[i] = responder_begin(hurried[i], &write);
	}
	for (size_t i = 0; i < WRITES; i++) {
		const struct answer *answer = responder_answer(waiting[i], false);
		close(waiting[i]);
		expect_problem(answer, 504, "database_timeout", writes[i].method);
		cr_expect(view_equal(answer_header(answer, "Retry-After"), VIEW("1")), "%s", writes[i].method);
	}
	PQclear(PQexec(blocker, "ROLLBACK"));
	PQfinish(blocker);
	cr_expect(view_equal(api_ask(tasks, "GET", task, NULL)->body, made->body), "it is as it was");
	cr_expect_eq(api_ask(tasks, "DELETE", task, NULL)->status, 204);
}

/* ---- a connection that ends ---- */

Test(outage, a_request_never_notices_that_its_connection_was_ended)
{
	const char *database = api_name("outage");
	const char *url = api_database(database);
	struct responder *tasks = responder_start("tasks", api_settings_for(url));
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(api_ask(tasks, "GET", LIST, NULL)->status, 200);
		postgres_run("postgres", database, POSTGRES_TERMINATE);
		cr_expect_eq(api_ask(tasks, i % 2 ? "GET" : "POST", LIST, i % 2 ? NULL : api_task("x", ""))->status,
		             i % 2 ? 200 : 201);
	}
}

Test(outage, a_read_whose_backend_is_terminated_is_tried_once_more_unseen)
{
	struct scene scene = scene_on_the_cluster();
	struct responder *health =
	        responder_start("health", api_settings((const char *const[]){"JWT_LEEWAY=30", NULL}));
	PGconn *blocker = postgres_hold(scene.database, "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	/* The second try would wait as well, so what it would wait for goes too. */
	const char *then =
	        ask_format(POSTGRES_TERMINATE "; SELECT pg_terminate_backend(%d, 10000)", PQbackendPID(blocker));
	pid_t child = postgres_meanwhile(scene.database, POSTGRES_LOCK_AWAITED, then);
	cr_expect_eq(api_ask(scene.tasks, "GET", LIST, NULL)->status, 200);
	waitpid(child, NULL, 0);
	cr_expect_eq(api_metric(health, "todo_database_retries_total"), 1);
	expect_logged(scene.tasks, "the connection broke in LIST_CREATED_DESC, SQLSTATE 57P01");
	PQfinish(blocker);
}

Test(outage, a_write_whose_backend_is_terminated_is_not_repeated)
{
	struct scene scene = scene_on_the_cluster();
	PGconn *blocker = postgres_hold(scene.database, "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	pid_t child = postgres_meanwhile(scene.database, POSTGRES_LOCK_AWAITED, POSTGRES_TERMINATE);
	expect_outcome_unknown(api_ask(scene.tasks, "POST", LIST, api_task("x", "")), "POST");
	waitpid(child, NULL, 0);
	PQfinish(blocker);
	expect_rows(scene.database, "0");
	cr_expect_eq(api_ask(scene.tasks, "GET", LIST, NULL)->status, 200);
}

/* The COMMIT has arrived and is done; only its answer is lost on the way. */
Test(outage, a_write_whose_answer_is_lost_is_done_once)
{
	struct scene scene = scene_with_a_relay();
	atomic_store(&scene.relay->order, RELAY_CUT_ANSWERS_ONCE);
	expect_outcome_unknown(api_ask(scene.tasks, "POST", LIST, api_task("x", "")), "POST");
	postgres_wait_for("postgres", scene.database, "SELECT count(*) > 0 FROM todo.task");
	cr_expect_eq(api_ask(scene.tasks, "GET", LIST, NULL)->status, 200);
	expect_rows(scene.database, "1");
	relay_stop(scene.relay);
}

Test(outage, a_read_whose_answer_is_lost_is_tried_once_more_unseen)
{
	struct scene scene = scene_with_a_relay();
	atomic_store(&scene.relay->order, RELAY_CUT_ANSWERS_ONCE);
	cr_expect_eq(api_ask(scene.tasks, "GET", LIST, NULL)->status, 200);
	relay_stop(scene.relay);
}

/* What a careful client does: it names the task itself, and so may repeat whatever happened. */
Test(outage, a_task_that_the_client_named_can_be_made_again_without_being_made_twice)
{
	struct scene scene = scene_with_a_relay();
	const char *const none[] = {"HTTP_IF_NONE_MATCH=*", NULL};
	struct ask make = {
	        .method = "PUT", .target = TASK, .token = api_token("anna"), .body = api_task("x", ""), .params = none};
	atomic_store(&scene.relay->order, RELAY_CUT_ANSWERS_ONCE);
	expect_outcome_unknown(responder_ask(scene.tasks, &make), "PUT");
	postgres_wait_for("postgres", scene.database, "SELECT count(*) > 0 FROM todo.task");
	expect_problem(responder_ask(scene.tasks, &make), 412, "precondition_failed", "the same once more");
	expect_rows(scene.database, "1");
	relay_stop(scene.relay);
}

/* ---- what the server refuses ---- */

Test(outage, a_server_without_a_free_connection_is_busy)
{
	const char *database = api_name("outage");
	const char *role = api_name("role");
	postgres_database(database);
	postgres_role(role, "IN ROLE todo_app CONNECTION LIMIT 1");
	char *address = postgres_url(role, database);
	const char *const *settings = api_settings_for(address);
	PGconn *other = postgres_connect(role, database);
	struct responder *tasks = responder_start("tasks", settings);
	struct responder *account = responder_start("account", settings);
	struct responder *health = responder_start("health", settings);
	struct ask ready = {.target = "/ready"};
	expect_try_again(api_ask(tasks, "GET", LIST, NULL), 503, "database_busy", "GET");
	expect_try_again(api_ask(tasks, "POST", LIST, api_task("x", "")), 503, "database_busy", "POST");
	expect_try_again(api_ask(account, "GET", "/api/anna/export", NULL), 503, "database_busy", "export");
	expect_try_again(responder_ask(health, &ready), 503, "database_busy", "/ready");
	expect_logged(tasks, "connecting failed while logging in, SQLSTATE 53300");
	PQfinish(other);
	until(creates, tasks, "a task is created");
	expect_rows(database, "1");
	free(address);
}

/* For real: under repeatable read a change by somebody else since the first statement is 40001. */
Test(outage, a_serialization_failure_is_tried_again_unseen)
{
	struct scene scene = scene_make(false, (const char *const[]){NULL});
	run_in(scene.database,
	       ask_format("ALTER DATABASE %s SET default_transaction_isolation = 'repeatable read'", scene.database));
	const char *const none[] = {"HTTP_IF_NONE_MATCH=*", NULL};
	struct ask make = {
	        .method = "PUT", .target = TASK, .token = api_token("anna"), .body = api_task("x", ""), .params = none};
	cr_assert_eq(responder_ask(scene.tasks, &make)->status, 201);
	PGconn *other = postgres_hold(scene.database, "BEGIN; UPDATE todo.task SET title = 'other'");
	pid_t child = fork();
	if (child == 0) {
		postgres_wait_for("postgres", scene.database, POSTGRES_LOCK_AWAITED);
		_exit(PQresultStatus(PQexec(other, "COMMIT")) == PGRES_COMMAND_OK ? 0 : 1);
	}
	const struct answer *answer = api_ask(scene.tasks, "PATCH", TASK, "{\"completed\":true}");
	cr_expect_eq(answer->status, 200);
	/* Both changes are there: the second try has seen the first one's. */
	cr_expect(view_equal(answer_text(answer, "title"), VIEW("other")));
	expect_logged(scene.tasks, "refused TASK_PATCH, SQLSTATE 40001");
	waitpid(child, NULL, 0);
	PQfinish(other);
}

/* For real: each holds a row that the other one wants. */
Test(outage, a_deadlock_is_tried_again_unseen)
{
	struct scene scene = scene_make(false, (const char *const[]){NULL});
	/* Whoever looks first is the one that is rolled back. */
	run_in(scene.database, ask_format("ALTER DATABASE %s SET deadlock_timeout = '1s'", scene.database));
	run_in(scene.database, "INSERT INTO todo.task (user_id, id, title, completed)"
	                       " SELECT 'anna', gen_random_uuid(), n, true FROM generate_series(1, 2) n");
	PGconn *other = postgres_hold(scene.database, "SET deadlock_timeout = '60s'; BEGIN;"
	                                              "UPDATE todo.task SET title = 'held' WHERE title = '2'");
	pid_t child = fork();
	if (child == 0) {
		postgres_wait_for("postgres", scene.database, POSTGRES_LOCK_AWAITED);
		bool done =
		        PQresultStatus(PQexec(other, "UPDATE todo.task SET title = 'too' WHERE title = '1'; COMMIT")) ==
		        PGRES_COMMAND_OK;
		_exit(done ? 0 : 1);
	}
	const struct answer *answer = api_ask(scene.tasks, "DELETE", LIST "?status=completed", NULL);
	cr_expect_eq(answer->status, 200);
	cr_expect(view_equal(answer->body, VIEW("{\"deleted\":2}")), "%.*s", VIEW_ARGS(answer->body));
	expect_logged(scene.tasks, "refused TASK_CLEAR, SQLSTATE 40P01");
	waitpid(child, NULL, 0);
	PQfinish(other);
}

/* Two writers that keep each other from going on: tried once more, then given back to the client. */
Test(outage, a_write_that_meets_its_like_again_and_again_is_busy)
{
	const char *database = api_name("outage");
	struct responder *tasks = responder_start("tasks", api_settings_for(api_database(database)));
	postgres_run("postgres", database,
	             "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
	             " $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END$$;"
	             "CREATE TRIGGER refuse BEFORE INSERT ON todo.task FOR EACH ROW EXECUTE FUNCTION refuse()");
	expect_try_again(api_ask(tasks, "POST", LIST, api_task("x", "")), 503, "database_busy", "POST");
	postgres_run("postgres", database, "DROP TRIGGER refuse ON todo.task");
	cr_expect_eq(api_ask(tasks, "POST", LIST, api_task("x", ""))->status, 201);
}

/* ---- a server that goes and comes, or another one in its place ---- */

Test(outage, a_program_starts_without_its_database_and_finds_it_when_it_comes)
{
	const char *database = api_name("outage");
	const char *folder = api_path("later");
	const char *const more[] = {api_database_in(folder, database), NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	struct responder *health = responder_start("health", api_settings(more));
	for (int i = 0; i < 3; i++) {
		expect_try_again(api_ask(tasks, "GET", LIST, NULL), 503, "database_unavailable", "GET");
		expect_try_again(api_ask(tasks, "POST", LIST, api_task("x", "")), 503, "database_unavailable", "POST");
	}
	api_until_ready(health, 503, "database_unavailable");
	/* what needs no database goes on */
	expect_problem(api_ask(tasks, "GET", "/api/berta/tasks", NULL), 403, "forbidden", "another's");
	postgres_database(database);
	cr_assert_eq(symlink(postgres_folder(), folder), 0);
	api_until_lists(tasks);
	api_until_ready(health, 200, NULL);
	cr_expect_eq(api_ask(tasks, "POST", LIST, api_task("x", ""))->status, 201);
	unlink(folder);
}

Test(outage, a_server_that_breaks_down_in_a_write_is_used_again_when_it_is_back)
{
	const char *database = api_name("outage");
	struct postgres_server server;
	postgres_database(database);
	postgres_standby(&server);
	PGconn *blocker = postgres_connect_in(server.folder, "postgres", database);
	PQclear(PQexec(blocker, "SELECT pg_promote()"));
	struct responder *tasks = responder_start(
	        "tasks", api_settings((const char *const[]){api_database_in(server.folder, database), NULL}));
	cr_expect_eq(api_ask(tasks, "POST", LIST, api_task("kept", ""))->status, 201);
	PQclear(PQexec(blocker, "CHECKPOINT; BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE"));
	pid_t child = fork();
	if (child == 0) {
		PGconn *watcher = postgres_connect_in(server.folder, "postgres", database);
		bool waits = false;
		while (!waits) {
			PGresult *result = PQexec(watcher, POSTGRES_LOCK_AWAITED);
			waits = PQgetvalue(result, 0, 0)[0] == 't';
			PQclear(result);
		}
		kill(server.process, SIGQUIT);
		_exit(0);
	}
	expect_outcome_unknown(api_ask(tasks, "POST", LIST, api_task("lost", "")), "POST");
	waitpid(child, NULL, 0);
	postgres_server_stop(&server, SIGQUIT);
	PQfinish(blocker);
	expect_try_again(api_ask(tasks, "GET", LIST, NULL), 503, "database_unavailable", "GET");
	int64_t failed_at = clock_monotonic();
	postgres_server_start(&server);
	while (clock_monotonic() < failed_at + CLOCK_SECOND)
		clock_wait(CLOCK_SECOND / 100);
	/* The second of patience is over: nobody has to do anything for it. */
	const struct answer *answer = api_ask(tasks, "GET", LIST, NULL);
	cr_expect_eq(answer->status, 200);
	cr_expect_eq(cJSON_GetArraySize(answer_json(answer)), 1, "%.*s", VIEW_ARGS(answer->body));
	postgres_server_stop(&server, SIGINT);
}

Test(outage, a_standby_is_read_and_written_as_soon_as_it_is_promoted)
{
	const char *database = api_name("outage");
	struct postgres_server server;
	postgres_database(database);
	postgres_standby(&server);
	struct responder *tasks = responder_start(
	        "tasks", api_settings((const char *const[]){api_database_in(server.folder, database), NULL}));
	cr_expect_eq(api_ask(tasks, "GET", LIST, NULL)->status, 200);
	expect_try_again(api_ask(tasks, "POST", LIST, api_task("x", "")), 503, "database_unavailable", "POST");
	expect_logged(tasks, "refused TASK_CREATE_WITHIN, SQLSTATE 25006");
	cr_expect_eq(api_ask(tasks, "GET", LIST, NULL)->status, 200, "reading goes on");
	PGconn *operator= postgres_connect_in(server.folder, "postgres", database);
	PQclear(PQexec(operator, "SELECT pg_promote()"));
	cr_expect_eq(api_ask(tasks, "POST", LIST, api_task("x", ""))->status, 201);
	PQfinish(operator);
	postgres_server_stop(&server, SIGINT);
}

/* Two hosts in the address, as libpq's documentation has it. The first one goes for good. */
Test(outage, a_program_follows_a_failover_by_itself)
{
	const char *database = api_name("outage");
	struct postgres_server standby;
	postgres_database(database);
	postgres_standby(&standby);
	struct relay *primary = relay_start(postgres_folder());
	const char *hosts = ask_format("%s,%s", primary->folder, standby.folder);
	const char *const more[] = {ask_format("%s&target_session_attrs=read-write", api_database_in(hosts, database)),
	                            NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	cr_expect_eq(api_ask(tasks, "POST", LIST, api_task("before", ""))->status, 201);
	postgres_wait_for_standby(&standby);
	relay_stop(primary);
	expect_try_again(api_ask(tasks, "POST", LIST, api_task("between", "")), 503, "database_unavailable", "POST");
	PGconn *operator= postgres_connect_in(standby.folder, "postgres", database);
	PQclear(PQexec(operator, "SELECT pg_promote()"));
	until(creates, tasks, "a task is created on the standby");
	const struct answer *answer = api_ask(tasks, "GET", LIST, NULL);
	cr_expect_eq(cJSON_GetArraySize(answer_json(answer)), 2, "%.*s", VIEW_ARGS(answer->body));
	PQfinish(operator);
	postgres_server_stop(&standby, SIGINT);
}

/* As with an address that moves from one machine to the other. */
Test(outage, another_server_at_the_same_address_is_used_from_the_next_request_on)
{
	const char *database = api_name("outage");
	const char *place = api_path("place");
	struct postgres_server standby;
	postgres_database(database);
	postgres_standby(&standby);
	cr_assert_eq(symlink(postgres_folder(), place), 0);
	struct responder *tasks =
	        responder_start("tasks", api_settings((const char *const[]){api_database_in(place, database), NULL}));
	cr_expect_eq(api_ask(tasks, "POST", LIST, api_task("before", ""))->status, 201);
	postgres_wait_for_standby(&standby);
	PGconn *operator= postgres_connect_in(standby.folder, "postgres", database);
	PQclear(PQexec(operator, "SELECT pg_promote()"));
	unlink(place);
	cr_assert_eq(symlink(standby.folder, place), 0);
	run_in(database, POSTGRES_TERMINATE);
	cr_expect_eq(api_ask(tasks, "POST", LIST, api_task("after", ""))->status, 201);
	PGresult *result = PQexec(operator, "SELECT count(*) FROM todo.task");
	cr_expect_str_eq(PQgetvalue(result, 0, 0), "2");
	PQclear(result);
	expect_rows(database, "1");
	PQfinish(operator);
	unlink(place);
	postgres_server_stop(&standby, SIGINT);
}

/* ---- many at once ---- */

enum { STORM = 1000, STORM_WORKERS = 8 };

/* Sends `count` requests on connections of their own before any answer is read. */
static void send_all(const struct responder *responder, const struct ask *ask, int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fds[i] = responder_begin(responder, ask);
}

static size_t count_status(int *fds, size_t count, int status)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		found += responder_answer(fds[i], false)->status == status;
		close(fds[i]);
	}
	return found;
}

static void allow_descriptors(rlim_t count)
{
	struct rlimit limit;
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < count)
		limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static bool serves_all(void *context)
{
	int fds[8 * STORM_WORKERS];
	size_t count = sizeof fds / sizeof *fds;
	send_all(context, &(struct ask){.target = LIST, .token = api_token("anna")}, fds, count);
	return count_status(fds, count, 200) == count;
}

Test(outage, a_thousand_waiting_requests_open_no_more_connections_than_there_are_processes)
{
	int fds[STORM];
	allow_descriptors(STORM + 100);
	struct scene scene = scene_make(true, (const char *const[]){ask_format("WORKERS=%d", STORM_WORKERS), NULL});
	struct ask ask = {.target = LIST, .token = api_token("anna")};
	/* While the database is gone each process asks for it once in a second, not once a request … */
	atomic_store(&scene.relay->order, RELAY_REFUSE);
	send_all(scene.tasks, &ask, fds, STORM);
	cr_expect_eq(count_status(fds, STORM, 503), STORM);
	unsigned refused = atomic_load(&scene.relay->connections);
	cr_expect_lt(refused, STORM / 2, "%u", refused);
	/* … when it is back, each gets one connection … */
	atomic_store(&scene.relay->order, RELAY_PASS);
	until(serves_all, scene.tasks, "all processes serve");
	unsigned before = atomic_load(&scene.relay->connections);
	/* … and when all of these end at once, one more. Nobody sees it. */
	run_in(scene.database, POSTGRES_TERMINATE);
	send_all(scene.tasks, &ask, fds, STORM);
	cr_expect_eq(count_status(fds, STORM, 200), STORM);
	cr_expect_leq(atomic_load(&scene.relay->connections) - before, STORM_WORKERS);
	relay_stop(scene.relay);
}
