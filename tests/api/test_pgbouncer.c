/* Behind PgBouncer in transaction mode: many processes, few connections of the server,
 * and each transaction on whichever is free. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/account.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(pgbouncer, .fini = api_end, .timeout = 240);

enum { CLIENTS = 200, PROGRAMS = 2, SERVER_CONNECTIONS = 5 };

struct pooler {
	const char *folder; /* of its socket */
	pid_t process;
};

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
	/* The folder above is the server's user's alone, and PgBouncer runs as that one. */
	cr_assert_eq(chmod(path, 0644), 0);
}

static bool answers(void *folder)
{
	char *url = postgres_url_in(folder, "todo_app", "postgres");
	bool up = PQping(url) == PQPING_OK;
	free(url);
	return up;
}

/* PgBouncer 1.18 in front of the cluster, with so many connections to each database. Its
 * queue of 128 refuses the last ones of many that come at once. */
static struct pooler pooler_start(int connections)
{
	struct pooler pooler = {.folder = api_path("pool")};
	cr_assert_eq(mkdir(pooler.folder, 0700), 0);
	struct stat above;
	cr_assert(stat(postgres_folder(), &above) == 0 && chown(pooler.folder, above.st_uid, above.st_gid) == 0);
	const char *settings = ask_format("%s/ini", pooler.folder);
	const char *users = ask_format("%s/users", pooler.folder);
	/* What the server has of the password: a client's proof of it opens the server, too. */
	char *secret =
	        postgres_value("postgres", "postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'todo_app'");
	write_file(users, ask_format("\"todo_app\" \"%s\"\n", secret));
	free(secret);
	write_file(settings, ask_format("[databases]\n* = host=%s\n[pgbouncer]\nlisten_addr =\nlisten_port = 5432\n"
	                                "unix_socket_dir = %s\nauth_type = scram-sha-256\nauth_file = %s\n"
	                                "pool_mode = transaction\ndefault_pool_size = %d\nmax_client_conn = 1000\n"
	                                "listen_backlog = 1024\n"
	                                "max_db_connections = %d\n",
	                                postgres_folder(), pooler.folder, users, connections, connections));
	char *const arguments[] = {(char *)(uintptr_t)settings, NULL};
	pooler.process = postgres_launch("/usr/sbin/pgbouncer", arguments, ask_format("%s/log", pooler.folder));
	cr_assert_gt(pooler.process, 0);
	until(answers, (void *)(uintptr_t)pooler.folder, "PgBouncer answers");
	return pooler;
}

static void pooler_stop(struct pooler *pooler)
{
	kill(pooler->process, SIGTERM);
	waitpid(pooler->process, NULL, 0);
}

/* CLIENTS processes behind PROGRAMS sockets: one program has 128 at most. */
static void programs_start(const struct pooler *pooler, const char *database, struct responder *ret[PROGRAMS])
{
	const char *const more[] = {api_database_in(pooler->folder, database), "TODO_DATABASE_PREPARE=off",
	                            ask_format("WORKERS=%d", CLIENTS / PROGRAMS), NULL};
	for (size_t i = 0; i < PROGRAMS; i++) {
		ret[i] = responder_start("tasks", api_settings(more));
		api_until_lists(ret[i]);
	}
}

static const char *user_of(size_t number)
{
	return ask_format("user-%zu", number);
}

/* Every user asks at once; what was answered is in `ret`. */
static void ask_all(struct responder *const programs[PROGRAMS], const char *method, const char *const bodies[CLIENTS],
                    const struct answer *ret[CLIENTS])
{
	int fds[CLIENTS];
	for (size_t i = 0; i < CLIENTS; i++) {
		struct ask ask = {.method = method,
		                  .target = ask_format("/api/%s/tasks", user_of(i)),
		                  .token = api_token(user_of(i)),
		                  .body = bodies ? bodies[i] : NULL};
		fds[i] = responder_begin(programs[i % PROGRAMS], &ask);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		ret[i] = responder_answer(fds[i], false);
		close(fds[i]);
	}
}

static void expect_one_own_task(const struct answer *answer, size_t number)
{
	const cJSON *tasks = answer_json(answer);
	const cJSON *task = cJSON_GetArrayItem(tasks, 0);
	cr_expect_eq(answer->status, 200, "%s: %.*s", user_of(number), VIEW_ARGS(answer->body));
	cr_expect_eq(cJSON_GetArraySize(tasks), 1, "%s: %.*s", user_of(number), VIEW_ARGS(answer->body));
	cr_expect(view_equal(json_member_text(task, "user_id"), view_of(user_of(number))));
	cr_expect(view_equal(json_member_text(task, "title"), view_of(ask_format(PRIVATE " of %s", user_of(number)))),
	          "%.*s", VIEW_ARGS(answer->body));
}

/* Whose transaction a connection served before is nobody's business. */
Test(pgbouncer, two_hundred_processes_share_five_connections_and_each_user_sees_the_own_tasks)
{
	const char *database = api_name("pooled");
	const char *bodies[CLIENTS];
	const struct answer *answers[CLIENTS];
	struct responder *programs[PROGRAMS];
	postgres_database(database);
	struct pooler pooler = pooler_start(SERVER_CONNECTIONS);
	programs_start(&pooler, database, programs);
	for (size_t i = 0; i < CLIENTS; i++)
		bodies[i] = api_task(ask_format("of %s", user_of(i)), "");
	ask_all(programs, "POST", bodies, answers);
	for (size_t i = 0; i < CLIENTS; i++)
		cr_expect_eq(answers[i]->status, 201, "%s: %.*s", user_of(i), VIEW_ARGS(answers[i]->body));
	for (int round = 0; round < 3; round++) {
		ask_all(programs, "GET", NULL, answers);
		for (size_t i = 0; i < CLIENTS; i++)
			expect_one_own_task(answers[i], i);
	}
	char *backends =
	        postgres_value("postgres", database,
	                       ask_format("SELECT count(*) BETWEEN 1 AND %d " POSTGRES_BACKENDS, SERVER_CONNECTIONS));
	cr_expect_str_eq(backends, "t");
	free(backends);
	pooler_stop(&pooler);
}

/* What an operator reads who forgot the setting. */
Test(pgbouncer, prepared_statements_there_are_named_in_the_log)
{
	const char *database = api_name("pooled");
	postgres_database(database);
	struct pooler pooler = pooler_start(SERVER_CONNECTIONS);
	const char *const more[] = {api_database_in(pooler.folder, database), NULL};
	struct responder *first = responder_start("tasks", api_settings(more));
	struct responder *second = responder_start("tasks", api_settings(more));
	api_until_lists(first);
	/* The same connection of the server, which knows the name already. */
	(void)api_ask(second, "GET", "/api/anna/tasks", NULL);
	cr_expect_not_null(strstr(responder_log(second).ptr, "set TODO_DATABASE_PREPARE=off"), "%s",
	                   responder_log(second).ptr);
	pooler_stop(&pooler);
}

/* A pooler that ends takes every connection with it, and a new one is taken as it comes. */
Test(pgbouncer, a_pooler_that_is_restarted_is_found_again)
{
	const char *database = api_name("pooled");
	postgres_database(database);
	struct pooler pooler = pooler_start(SERVER_CONNECTIONS);
	const char *place = api_path("place");
	cr_assert_eq(symlink(pooler.folder, place), 0);
	const char *const more[] = {api_database_in(place, database), "TODO_DATABASE_PREPARE=off", NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	api_until_lists(tasks);
	pooler_stop(&pooler);
	expect_try_again(api_ask(tasks, "POST", "/api/anna/tasks", api_task("x", "")), 503, "database_unavailable",
	                 "POST");
	pooler = pooler_start(SERVER_CONNECTIONS);
	unlink(place);
	cr_assert_eq(symlink(pooler.folder, place), 0);
	api_until_lists(tasks);
	cr_expect_eq(api_ask(tasks, "POST", "/api/anna/tasks", api_task("x", ""))->status, 201);
	unlink(place);
	pooler_stop(&pooler);
}

/* What a session still knows of those whom it has served, as the next client would find it. */
static void expect_nothing_left(const struct pooler *pooler, const char *database, const char *after)
{
	PGconn *conn = postgres_connect_in(pooler->folder, "todo_app", database);
	PGresult *result =
	        PQexec(conn, "SELECT concat_ws(' ', coalesce(current_setting('todo.user_id', true), ''),"
	                     " current_setting('search_path'), current_setting('statement_timeout'),"
	                     " current_setting('enable_sort'), current_setting('enable_seqscan'),"
	                     " strpos(current_setting('application_name'), '0af7651916cd43dd8448eb211c80319c'),"
	                     " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),"
	                     " (SELECT count(*) FROM todo.task), (SELECT count(*) FROM todo.revocation))");
	cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQerrorMessage(conn));
	cr_expect_str_eq(PQgetvalue(result, 0, 0), " \"$user\", public 0 on on 0 0 0 0", "after %s", after);
	PQclear(result);
	PQfinish(conn);
}

static const struct answer *ask_traced(struct responder *tasks, const char *method, const char *target,
                                       const char *body, int64_t issued)
{
	static const char *const params[] = {"HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	                                     NULL};
	struct ask ask = {.method = method,
	                  .target = target,
	                  .token = account_token("anna", issued),
	                  .body = body,
	                  .params = params};
	return responder_ask(tasks, &ask);
}

#define TASK "/api/anna/tasks/0189f7a0-1234-7abc-8def-0123456789ab"

static bool nobody_waits(void *database)
{
	return strcmp(account_value(database, "SELECT count(*) " POSTGRES_BACKENDS " AND state <> 'idle'"), "0") == 0;
}

/* One session of the server for all: however a transaction ends, the next one is nobody's. */
Test(pgbouncer, nothing_of_a_transaction_is_left_to_the_next_client)
{
	const char *database = api_name("pooled");
	postgres_database(database);
	struct pooler pooler = pooler_start(1);
	const char *const more[] = {api_database_in(pooler.folder, database), "TODO_DATABASE_PREPARE=off",
	                            "TODO_DATABASE_TIMEOUT=2", "JWT_REVOCATION=1", NULL};
	struct responder *annas = responder_start("tasks", api_settings(more));
	struct responder *bertas = responder_start("tasks", api_settings(more));
	struct ask ask = {.target = "/api/berta/tasks", .token = account_token("berta", -10)};
	const char *const put[] = {"HTTP_IF_NONE_MATCH=*", NULL};
	struct ask make = {.method = "PUT",
	                   .target = TASK,
	                   .token = account_token("anna", -10),
	                   .body = api_task("x", ""),
	                   .params = put};
	cr_assert_eq(responder_ask(annas, &make)->status, 201);
	expect_nothing_left(&pooler, database, "a create");
	cr_expect_eq(ask_traced(annas, "GET", TASK, NULL, -10)->status, 200);
	expect_nothing_left(&pooler, database, "a read");
	cr_expect(view_equal(responder_ask(bertas, &ask)->body, VIEW("[]")));

	/* refused by the server, in the statement and at its commit */
	postgres_run("postgres", database,
	             "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
	             " $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END$$;"
	             "CREATE TRIGGER refuse BEFORE DELETE ON todo.task FOR EACH ROW EXECUTE FUNCTION refuse();"
	             "CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT ON todo.task DEFERRABLE INITIALLY DEFERRED"
	             " FOR EACH ROW EXECUTE FUNCTION refuse()");
	expect_problem(ask_traced(annas, "DELETE", TASK, NULL, -10), 500, "internal", "DELETE");
	expect_nothing_left(&pooler, database, "a refused statement");
	expect_problem(ask_traced(annas, "POST", "/api/anna/tasks", api_task("x", ""), -10), 500, "internal", "POST");
	expect_nothing_left(&pooler, database, "a refused commit");

	/* too slow, then abandoned by a process that dies */
	PGconn *blocker = postgres_hold(database, "BEGIN; SELECT FROM todo.task FOR UPDATE");
	expect_problem(ask_traced(annas, "PUT", TASK, api_task("x", ""), -10), 504, "database_timeout", "PUT");
	expect_nothing_left(&pooler, database, "a slow statement");
	struct ask change = {
	        .method = "PUT", .target = TASK, .token = account_token("anna", -10), .body = api_task("x", "")};
	int abandoned = responder_begin(annas, &change);
	postgres_wait_for("postgres", database, POSTGRES_LOCK_AWAITED);
	kill(responder_pid(annas), SIGKILL);
	cr_assert_eq(responder_wait(annas), RESPONDER_BY_SIGNAL + SIGKILL);
	close(abandoned);
	PQfinish(blocker);
	until(nobody_waits, (void *)(uintptr_t)database, "the abandoned transaction is over");
	expect_nothing_left(&pooler, database, "an abandoned one");
	cr_expect(view_equal(responder_ask(bertas, &ask)->body, VIEW("[]")));

	/* refused by ourselves, in the midst of the pipeline */
	postgres_run("todo_owner", database, "SELECT todo.revoke('berta')");
	expect_problem(responder_ask(bertas, &ask), 401, "unauthorized", "GET");
	expect_nothing_left(&pooler, database, "a revoked token");
	pooler_stop(&pooler);
}
