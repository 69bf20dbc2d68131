/* The database while it runs: one round trip, and every way that it fails. */
#include "support/postgres.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/connection.h"
#include "support/database.h"
#include "support/leaks.h"
#include "support/principal.h"
#include "support/relay.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(db, .fini = leaks_check, .timeout = 120);

#define TASK_ID "00000000-0000-7000-8000-000000000001"

enum { LINE = 400 };

static void run_in(const char *database, const char *sql)
{
	postgres_run("postgres", database, sql);
}

static void add_task(const char *database)
{
	run_in(database, "INSERT INTO todo.task (user_id, id, title) VALUES ('anna', '" TASK_ID "', 'task')");
}

static enum outcome read_tasks(struct db *db)
{
	DB_RESULT result = NULL;
	return db_run(db, principal_of("anna"), STATEMENT_LIST_CREATED_DESC, database_everything, DATABASE_EVERYTHING,
	              &result);
}

static enum outcome write_task(struct db *db)
{
	DB_RESULT result = NULL;
	const struct view values[] = {VIEW(TASK_ID), VIEW("true"), ABSENT};
	return db_run(db, principal_of("anna"), STATEMENT_TASK_COMPLETE, values, 3, &result);
}

static bool is_completed(const char *database)
{
	char *value = postgres_value("postgres", database, "SELECT completed FROM todo.task");
	bool completed = value[0] == 't';
	free(value);
	return completed;
}

static struct db *open_at(const char *url, int64_t timeout)
{
	struct config config = database_config(url);
	config.database_timeout = timeout;
	return database_open(&config);
}

static struct db *open_through(const struct relay *relay, const char *database, int64_t timeout)
{
	char *url = postgres_url_in(relay->folder, "todo_app", database);
	struct db *db = open_at(url, timeout);
	free(url);
	return db;
}

/* A new database, and a handle that reaches it through a relay. */
static struct db *make_through(const char *name, int64_t timeout, struct relay **ret)
{
	postgres_database(name);
	*ret = relay_start(postgres_folder());
	return open_through(*ret, name, timeout);
}

/* The same without one, and with a second for each statement. */
static struct db *make_in_haste(const char *name)
{
	postgres_database(name);
	char *url = postgres_url("todo_app", name);
	struct db *db = open_at(url, 1);
	free(url);
	return db;
}

static void connect_to(const char *folder, const char *database, struct connection *ret)
{
	char *url = postgres_url_in(folder, "todo_app", database);
	struct config config = database_config(url);
	struct buf error = buf_make(1024);
	struct address address;
	struct connection_fault fault;
	cr_assert(address_make(&config, &address, &error));
	cr_assert(connection_open(ret, &address, clock_monotonic() + 20 * CLOCK_SECOND, &fault));
	address_destroy(&address);
	buf_destroy(&error);
	free(url);
}

static const struct connection_job read_job = {
        .prepare = true,
        .user = VIEW("anna"),
        .statement = STATEMENT_LIST_CREATED_DESC,
        .values = database_everything,
        .count = DATABASE_EVERYTHING,
};

/* ---- round trips ---- */

Test(db, a_request_is_one_round_trip)
{
	struct relay *relay;
	struct db *db = make_through("db_turns", 20, &relay);
	add_task("db_turns");
	cr_assert_eq(db_ready(db), OUTCOME_OK);
	/* The first of each kind prepares, in the same round trip. */
	for (int i = 0; i < 3; i++) {
		unsigned before = atomic_load(&relay->turns);
		cr_assert_eq(read_tasks(db), OUTCOME_OK);
		cr_expect_eq(atomic_load(&relay->turns) - before, 1, "read %d", i);
		before = atomic_load(&relay->turns);
		cr_assert_eq(write_task(db), OUTCOME_OK);
		cr_expect_eq(atomic_load(&relay->turns) - before, 1, "write %d", i);
	}
	cr_expect_eq(atomic_load(&relay->connections), 1);
	db_close(db);
	relay_stop(relay);
}

/* Waiting for one's turn is a step of the same pipeline. */
Test(db, a_create_within_a_limit_is_one_round_trip)
{
	struct relay *relay;
	struct db *db = make_through("db_within", 20, &relay);
	cr_assert_eq(db_ready(db), OUTCOME_OK);
	for (int i = 0; i < 3; i++) {
		DB_RESULT result = NULL;
		char id[] = "0189f7a0-1234-7abc-8def-00000000000?";
		id[35] = (char)('0' + i);
		const struct view values[] = {view_of(id),    VIEW("x"), ABSENT,   VIEW("false"),
		                              VIEW("medium"), ABSENT,    VIEW(""), VIEW("2")};
		unsigned before = atomic_load(&relay->turns);
		cr_assert_eq(db_run(db, principal_of("anna"), STATEMENT_TASK_CREATE_WITHIN, values, 8, &result),
		             OUTCOME_OK);
		cr_expect_eq(atomic_load(&relay->turns) - before, 1, "create %d", i);
		cr_expect_eq(db_rows(result), i < 2 ? 1 : 0, "create %d", i);
	}
	db_close(db);
	relay_stop(relay);
}

Test(db, what_it_did_is_counted)
{
	struct relay *relay;
	struct db *db = make_through("db_counts", 1, &relay);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	struct db_counts counts = db_counts(db);
	cr_expect_eq(counts.connections, 1);
	cr_expect_eq(counts.retries, 0);
	cr_expect_eq(counts.timeouts, 0);
	cr_expect_gt(counts.waited, 0);
	atomic_store(&relay->order, RELAY_CUT_REQUESTS);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_UNAVAILABLE);
	cr_expect_eq(db_counts(db).retries, 1);
	cr_expect_eq(db_counts(db).connections, 2);
	db_close(db);
	db = open_through(relay, "db_counts", 1);
	atomic_store(&relay->order, RELAY_PASS);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_SWALLOW_ANSWERS);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect_eq(db_counts(db).timeouts, 1);
	db_close(db);
	relay_stop(relay);
}

Test(db, opening_a_handle_connects_not_yet)
{
	struct db *db = database_make("db_lazy");
	cr_expect_eq(db_counts(db).connections, 0);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 1);
	db_close(db);
}

Test(db, statements_are_prepared_only_when_that_is_on)
{
	/* Only a prepared statement minds that its columns change, and then takes a new connection. */
	for (int prepare = 0; prepare < 2; prepare++) {
		const char *name = prepare ? "db_prepared" : "db_unprepared";
		postgres_database(name);
		char *url = postgres_url("todo_app", name);
		struct config config = database_config(url);
		config.database_prepare = prepare;
		struct db *db = database_open(&config);
		cr_assert_eq(read_tasks(db), OUTCOME_OK);
		run_in(name, "ALTER TABLE todo.task ALTER COLUMN description TYPE varchar(2000)");
		cr_expect_eq(read_tasks(db), OUTCOME_OK);
		cr_expect_eq(db_counts(db).connections, prepare ? 2 : 1);
		db_close(db);
		free(url);
	}
}

Test(db, settings_of_the_role_do_not_reach_the_statements)
{
	postgres_database("db_search_path");
	/* A schema in front of all others, with an operator and a function that lie. */
	run_in("db_search_path", "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;"
	                         "CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
	                         "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);"
	                         "CREATE ROLE db_search_path_role LOGIN PASSWORD 'x' IN ROLE todo_app;"
	                         "ALTER ROLE db_search_path_role SET search_path = evil, pg_catalog");
	/* Row-level security would hide it: its policy keeps the operators it was made with. */
	run_in("db_search_path", "ALTER TABLE todo.task DISABLE ROW LEVEL SECURITY");
	add_task("db_search_path");
	char *url = NULL;
	cr_assert_geq(asprintf(&url, "postgresql://db_search_path_role:x@/db_search_path?host=%s", postgres_folder()),
	              0);
	struct config config = database_config(url);
	config.database_role_check = false;
	struct db *db = database_open(&config);
	DB_RESULT result = NULL;
	cr_assert_eq(db_run(db, principal_of("bert"), STATEMENT_LIST_CREATED_DESC, database_everything,
	                    DATABASE_EVERYTHING, &result),
	             OUTCOME_OK);
	cr_expect_eq(db_rows(result), 0);
	db_close(db);
	free(url);
}

Test(db, what_a_transaction_sets_ends_with_it)
{
	postgres_database("db_identity");
	struct connection connection;
	connect_to(postgres_folder(), "db_identity", &connection);
	struct pipeline_fault fault;
	PGresult *result = NULL;
	cr_assert_eq(connection_run(&connection, &read_job, clock_monotonic() + 20 * CLOCK_SECOND, &result, &fault),
	             PIPELINE_DONE);
	PQclear(result);
	/* As the next client of a shared session would find it. */
	cr_assert_eq(PQexitPipelineMode(connection.conn), 1);
	result = PQexec(connection.conn, "SELECT current_setting('todo.user_id', true), current_setting('search_path'),"
	                                 " current_setting('statement_timeout')");
	cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK);
	cr_expect_str_eq(PQgetvalue(result, 0, 0), "");
	cr_expect_str_eq(PQgetvalue(result, 0, 1), "\"$user\", public");
	cr_expect_str_eq(PQgetvalue(result, 0, 2), "0");
	PQclear(result);
	connection_close(&connection);
}

/* Without sequential scans and sorts a plan may look so expensive that PostgreSQL compiles
 * it: the check of the role, half a millisecond of work, took most of a second that way. */
Test(db, no_statement_is_compiled)
{
	struct db *db = database_make("db_jit");
	add_task("db_jit");
	run_in("db_jit", "CREATE FUNCTION mind() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
	                 " IF current_setting('jit')::boolean THEN RAISE EXCEPTION 'jit'; END IF; RETURN NEW; END$$;"
	                 "CREATE TRIGGER mind BEFORE UPDATE ON todo.task FOR EACH ROW EXECUTE FUNCTION mind()");
	cr_expect_eq(write_task(db), OUTCOME_OK);
	db_close(db);
}

/* ---- connections that die ---- */

Test(db, a_dead_idle_connection_is_replaced_unseen)
{
	struct db *db = database_make("db_idle");
	add_task("db_idle");
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(write_task(db), OUTCOME_OK, "round %d", i);
		run_in("db_idle", POSTGRES_TERMINATE);
	}
	cr_expect_eq(db_counts(db).connections, 3);
	cr_expect_not(database_noted(db, "broke"));
	db_close(db);
}

Test(db, an_idle_connection_that_ended_without_a_word_takes_no_write)
{
	struct relay *relay;
	struct db *db = make_through("db_idle_cut", 20, &relay);
	cr_assert_eq(write_task(db), OUTCOME_OK);
	relay_stop(relay);
	/* Nothing was sent, so the outcome is known. */
	cr_expect_eq(write_task(db), OUTCOME_DATABASE_UNAVAILABLE);
	cr_expect(database_noted(db, "connecting failed while reaching the server: nobody listens there\n"));
	db_close(db);
}

/* The server's word comes before its end, which a write may meet too late. */
Test(db, an_idle_connection_is_stale_as_soon_as_the_server_has_said_good_bye)
{
	postgres_database("db_good_bye");
	struct relay *relay = relay_start(postgres_folder());
	struct connection connection;
	connect_to(relay->folder, "db_good_bye", &connection);
	cr_expect_not(connection_stale(&connection));
	atomic_store(&relay->order, RELAY_HIDE_ENDS);
	run_in("db_good_bye", POSTGRES_TERMINATE);
	int64_t end = clock_monotonic() + 30 * CLOCK_SECOND;
	bool stale = false;
	while (!stale && clock_monotonic() < end)
		stale = connection_stale(&connection);
	cr_expect(stale);
	connection_close(&connection);
	relay_stop(relay);
}

Test(db, ready_connects_where_nothing_is_connected_and_has_nothing_to_say_of_that)
{
	struct db *db = database_make("db_ready_first");
	cr_expect_eq(db_ready(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 1);
	cr_expect_not(database_noted(db, "database: "));
	db_close(db);
}

Test(db, a_connection_that_breaks_in_the_check_of_ready_is_replaced)
{
	struct relay *relay;
	struct db *db = make_through("db_ready_broken", 20, &relay);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_CUT_ANSWERS_ONCE);
	cr_expect_eq(db_ready(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 2);
	cr_expect(database_noted(db, "the connection broke in the check of the role\n"));
	db_close(db);
	relay_stop(relay);
}

Test(db, ready_keeps_a_connection_that_is_good)
{
	struct db *db = database_make("db_ready_twice");
	for (int i = 0; i < 3; i++)
		cr_expect_eq(db_ready(db), OUTCOME_OK);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 1);
	db_close(db);
}

/* That it took too long says nothing of the schema. */
Test(db, a_check_that_waits_is_ended_by_the_server)
{
	struct db *db = make_in_haste("db_check_waits");
	PGconn *blocker =
	        postgres_hold("db_check_waits", "BEGIN; LOCK TABLE todo.schema_version IN ACCESS EXCLUSIVE MODE");
	cr_expect_eq(db_ready(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect(database_noted(db, "the check of the role failed, SQLSTATE 57014\n"));
	PQfinish(blocker);
	db_close(db);
}

Test(db, a_prepared_statement_is_prepared_again_on_a_new_connection)
{
	struct db *db = database_make("db_prepared_again");
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	run_in("db_prepared_again", POSTGRES_TERMINATE);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	db_close(db);
}

Test(db, a_read_that_breaks_is_tried_again)
{
	struct db *db = database_make("db_read_broken");
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	PGconn *blocker = postgres_hold("db_read_broken", "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	/* The second try would wait for the lock as well, so it goes with the first one's backend. */
	char then[LINE];
	snprintf(then, sizeof then, POSTGRES_TERMINATE "; SELECT pg_terminate_backend(%d, 10000)",
	         PQbackendPID(blocker));
	pid_t child = postgres_meanwhile("db_read_broken", POSTGRES_LOCK_AWAITED, then);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 2);
	cr_expect(database_noted(db, "broke in LIST_CREATED_DESC, SQLSTATE 57P01"));
	waitpid(child, NULL, 0);
	PQfinish(blocker);
	db_close(db);
}

Test(db, an_answer_that_is_none_ends_the_connection)
{
	struct relay *relay;
	struct db *db = make_through("db_garbled", 20, &relay);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_GARBLE_ANSWERS_ONCE);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 2);
	cr_expect(database_noted(db, "the connection broke in LIST_CREATED_DESC\n"));
	db_close(db);
	relay_stop(relay);
}

Test(db, a_read_that_breaks_twice_is_given_up)
{
	struct relay *relay;
	struct db *db = make_through("db_read_twice", 20, &relay);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_CUT_REQUESTS);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_UNAVAILABLE);
	cr_expect_eq(db_counts(db).connections, 2);
	db_close(db);
	relay_stop(relay);
}

Test(db, a_write_terminated_while_it_waits_is_unknown)
{
	struct db *db = database_make("db_write_broken");
	add_task("db_write_broken");
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	PGconn *blocker = postgres_hold("db_write_broken", "BEGIN; SELECT FROM todo.task FOR UPDATE");
	pid_t child = postgres_meanwhile("db_write_broken", POSTGRES_LOCK_AWAITED, POSTGRES_TERMINATE);
	cr_expect_eq(write_task(db), OUTCOME_OUTCOME_UNKNOWN);
	cr_expect_eq(db_counts(db).connections, 1);
	waitpid(child, NULL, 0);
	PQfinish(blocker);
	cr_expect_not(is_completed("db_write_broken"));
	db_close(db);
}

Test(db, a_committed_write_whose_answer_is_lost_is_unknown_and_not_repeated)
{
	struct relay *relay;
	struct db *db = make_through("db_write_lost", 20, &relay);
	add_task("db_write_lost");
	run_in("db_write_lost", "ALTER TABLE todo.task ADD COLUMN writes integer DEFAULT 0;"
	                        "CREATE FUNCTION count_writes() RETURNS trigger LANGUAGE plpgsql AS"
	                        " 'BEGIN NEW.writes := OLD.writes + 1; RETURN NEW; END';"
	                        "CREATE TRIGGER count_writes BEFORE UPDATE ON todo.task"
	                        " FOR EACH ROW EXECUTE FUNCTION count_writes()");
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_CUT_ANSWERS_ONCE);
	cr_expect_eq(write_task(db), OUTCOME_OUTCOME_UNKNOWN);
	postgres_wait_for("postgres", "db_write_lost", "SELECT completed FROM todo.task");
	char *writes = postgres_value("postgres", "db_write_lost", "SELECT writes FROM todo.task");
	cr_expect_str_eq(writes, "1");
	free(writes);
	/* The next request does not suffer. */
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	db_close(db);
	relay_stop(relay);
}

Test(db, a_read_whose_answer_is_lost_is_tried_again)
{
	struct relay *relay;
	struct db *db = make_through("db_read_lost", 20, &relay);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_CUT_ANSWERS_ONCE);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 2);
	db_close(db);
	relay_stop(relay);
}

Test(db, recovers_when_the_database_comes)
{
	struct relay *relay;
	struct db *db = make_through("db_absent", 20, &relay);
	char moved[100], socket[100];
	snprintf(socket, sizeof socket, "%s/.s.PGSQL.5432", relay->folder);
	snprintf(moved, sizeof moved, "%s/away", relay->folder);
	cr_assert_eq(rename(socket, moved), 0);
	cr_expect_eq(db_ready(db), OUTCOME_DATABASE_UNAVAILABLE);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_UNAVAILABLE);
	cr_expect_eq(write_task(db), OUTCOME_DATABASE_UNAVAILABLE);
	cr_assert_eq(rename(moved, socket), 0);
	int64_t end = clock_monotonic() + 30 * CLOCK_SECOND;
	enum outcome outcome;
	while ((outcome = read_tasks(db)) == OUTCOME_DATABASE_UNAVAILABLE && clock_monotonic() < end)
		clock_wait(CLOCK_SECOND / 100);
	cr_expect_eq(outcome, OUTCOME_OK);
	db_close(db);
	relay_stop(relay);
}

Test(db, a_database_that_is_away_is_not_hammered)
{
	struct db *db = open_at("postgresql://todo_app@/none?host=/nonexistent", 20);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(read_tasks(db), OUTCOME_DATABASE_UNAVAILABLE);
	/* Two, should the machine take a second for the hundred. */
	cr_expect_leq(db_counts(db).connections, 2);
	cr_expect(database_noted(db, "connecting failed while reaching the server: its socket is not there\n"));
	db_close(db);
}

/* ---- time ---- */

Test(db, a_slow_read_is_ended_by_the_server)
{
	struct db *db = make_in_haste("db_slow_read");
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	PGconn *blocker = postgres_hold("db_slow_read", "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect(database_noted(db, "SQLSTATE 57014"));
	PQclear(PQexec(blocker, "ROLLBACK"));
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 1);
	cr_expect_eq(db_counts(db).timeouts, 1);
	PQfinish(blocker);
	db_close(db);
}

Test(db, a_slow_write_is_ended_by_the_server_and_known_to_be_undone)
{
	struct db *db = make_in_haste("db_slow_write");
	add_task("db_slow_write");
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	PGconn *blocker = postgres_hold("db_slow_write", "BEGIN; SELECT FROM todo.task FOR UPDATE");
	cr_expect_eq(write_task(db), OUTCOME_DATABASE_TIMEOUT);
	PQclear(PQexec(blocker, "ROLLBACK"));
	cr_expect_not(is_completed("db_slow_write"));
	PQfinish(blocker);
	db_close(db);
}

Test(db, a_silent_server_is_a_timeout_for_a_read)
{
	struct relay *relay;
	struct db *db = make_through("db_silent_read", 1, &relay);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_SWALLOW_ANSWERS);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
	/* The answer, should it still come, must not meet the next request. */
	atomic_store(&relay->order, RELAY_PASS);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 2);
	db_close(db);
	relay_stop(relay);
}

Test(db, a_silent_server_leaves_a_write_unknown)
{
	struct relay *relay;
	struct db *db = make_through("db_silent_write", 1, &relay);
	add_task("db_silent_write");
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_SWALLOW_ANSWERS);
	cr_expect_eq(write_task(db), OUTCOME_OUTCOME_UNKNOWN);
	db_close(db);
	relay_stop(relay);
}

Test(db, a_server_that_never_greets_is_given_up)
{
	struct relay *relay;
	struct db *db = make_through("db_no_greeting", 1, &relay);
	atomic_store(&relay->order, RELAY_SWALLOW_REQUESTS);
	/* Nothing was sent of the write, so its outcome is known. */
	cr_expect_eq(write_task(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect_eq(db_counts(db).connections, 1);
	cr_expect_eq(db_counts(db).timeouts, 1);
	cr_expect(database_noted(db, "no answer in time while logging in"));
	db_close(db);
	relay_stop(relay);
}

/* Its queue is full, so the system does not answer either: libpq gives up, or is given up. */
Test(db, a_server_that_takes_nobody_in_is_given_up)
{
	static const struct {
		int milliseconds; /* libpq's patience */
		int64_t timeout;
		enum outcome outcome;
		const char *note;
	} cases[] = {
	        {200, 30, OUTCOME_DATABASE_UNAVAILABLE, "connecting failed while reaching the server\n"},
	        {60000, 1, OUTCOME_DATABASE_TIMEOUT, "no answer in time while reaching the server\n"},
	};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int queued = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 0) == 0 &&
	          getsockname(listener, (struct sockaddr *)&address, &size) == 0 &&
	          connect(queued, (struct sockaddr *)&address, size) == 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char url[LINE];
		snprintf(url, sizeof url, "postgresql://todo_app@127.0.0.1:%d/none?tcp_user_timeout=%d",
		         ntohs(address.sin_port), cases[i].milliseconds);
		struct db *db = open_at(url, cases[i].timeout);
		cr_expect_eq(read_tasks(db), cases[i].outcome, "%s", cases[i].note);
		cr_expect(database_noted(db, cases[i].note), "%s", cases[i].note);
		db_close(db);
	}
	close(queued);
	close(listener);
}

/* Less than a millisecond is left: as a limit in whole milliseconds that would be 0, which means none. */
Test(db, a_statement_without_time_does_not_stay_in_the_server)
{
	postgres_database("db_no_time");
	struct connection connection;
	connect_to(postgres_folder(), "db_no_time", &connection);
	PGconn *blocker = postgres_hold("db_no_time", "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	struct pipeline_fault fault;
	PGresult *result = NULL;
	cr_expect_neq(connection_run(&connection, &read_job, clock_monotonic() + CLOCK_SECOND / 2000, &result, &fault),
	              PIPELINE_DONE);
	postgres_wait_for("postgres", "db_no_time",
	                  "SELECT count(*) > 0 " POSTGRES_BACKENDS " AND state LIKE 'idle%' AND query <> ''");
	connection_close(&connection);
	PQfinish(blocker);
}

Test(db, a_server_that_reads_nothing_does_not_hold_up_a_large_request)
{
	struct relay *relay;
	struct db *db = make_through("db_deaf", 1, &relay);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	cr_assert_eq(kill(relay->process, SIGSTOP), 0);
	/* More than the buffers on the way take. */
	size_t size = 1 << 22;
	char *text = malloc(size);
	memset(text, 'x', size);
	const struct view values[] = {VIEW(TASK_ID),  {text, size}, ABSENT,  VIEW("false"),
	                              VIEW("medium"), ABSENT,       VIEW("")};
	DB_RESULT none = NULL;
	cr_expect_eq(db_run(db, principal_of("anna"), STATEMENT_TASK_CREATE, values, 7, &none),
	             OUTCOME_OUTCOME_UNKNOWN);
	cr_expect_eq(db_counts(db).timeouts, 1);
	free(text);
	db_close(db);
	relay_stop(relay);
}

/* A request's own deadline stands before what each statement may take. */
Test(db, all_calls_of_a_request_share_its_deadline)
{
	struct relay *relay;
	struct db *db = make_through("db_deadline", 300, &relay);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	atomic_store(&relay->order, RELAY_SWALLOW_ANSWERS);
	db_set_deadline(db, clock_monotonic() + CLOCK_SECOND);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
	/* Its time is over: nothing more is sent, nothing is connected, and the next request does not pay. */
	unsigned turns = atomic_load(&relay->turns);
	atomic_store(&relay->order, RELAY_PASS);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect_eq(write_task(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect_eq(db_ready(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect_eq(atomic_load(&relay->turns), turns);
	db_set_deadline(db, clock_monotonic() + 20 * CLOCK_SECOND);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	db_close(db);
	relay_stop(relay);
}

/* Whatever room the last line finds. */
Test(db, notes_that_nobody_takes_keep_whole_lines_up_to_their_limit)
{
	for (size_t rows = 0; rows < 8; rows++) {
		struct db *db = open_at("postgresql://todo_app@/none?host=/nonexistent", 20);
		struct buf notes = buf_make(8192);
		db_set_deadline(db, clock_monotonic());
		for (size_t i = 0; i < rows; i++)
			db_note_row(db, STATEMENT_TASK_GET);
		for (int i = 0; i < 200; i++)
			cr_assert_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
		db_take_notes(db, &notes);
		cr_assert_gt(notes.len, 4000, "%zu", rows);
		cr_expect_eq(notes.ptr[notes.len - 1], '\n', "%zu", rows);
		/* Then there is room again. */
		cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
		cr_expect(database_noted(db, "no time is left for it"));
		buf_destroy(&notes);
		db_close(db);
	}
}

/* ---- what the server refuses ---- */

/* A trigger on todo.task that raises this SQLSTATE, `times` times. */
static void make_trigger(const char *database, const char *timing, const char *sqlstate, int times)
{
	char sql[4 * LINE];
	snprintf(sql, sizeof sql,
	         "CREATE SEQUENCE tried; GRANT ALL ON SEQUENCE tried TO PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC;"
	         "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
	         " IF nextval('public.tried') <= %d THEN RAISE EXCEPTION 'secret words' USING ERRCODE = '%s'; END IF;"
	         " RETURN NEW; END$$;"
	         "CREATE %s ON todo.task %s FOR EACH ROW EXECUTE FUNCTION refuse()",
	         times, sqlstate,
	         strcmp(timing, "COMMIT") == 0 ? "CONSTRAINT TRIGGER refuse AFTER UPDATE"
	                                       : "TRIGGER refuse BEFORE UPDATE",
	         strcmp(timing, "COMMIT") == 0 ? "DEFERRABLE INITIALLY DEFERRED" : "");
	run_in(database, sql);
}

Test(db, each_sqlstate_has_its_outcome)
{
	static const struct {
		const char *sqlstate;
		int times;
		enum outcome outcome;
		uint64_t connections;
	} cases[] = {
	        {"40001", 1, OUTCOME_OK, 1},
	        {"40001", 2, OUTCOME_DATABASE_BUSY, 1},
	        {"40P01", 1, OUTCOME_OK, 1},
	        {"40P01", 2, OUTCOME_DATABASE_BUSY, 1},
	        {"53100", 1, OUTCOME_DATABASE_BUSY, 1},
	        {"53200", 1, OUTCOME_DATABASE_BUSY, 1},
	        {"55P03", 1, OUTCOME_DATABASE_BUSY, 1},
	        {"57014", 1, OUTCOME_DATABASE_TIMEOUT, 1},
	        {"25006", 1, OUTCOME_DATABASE_UNAVAILABLE, 1},
	        {"23505", 1, OUTCOME_TASK_EXISTS, 1},
	        {"23514", 1, OUTCOME_INTERNAL, 1},
	        {"42501", 1, OUTCOME_INTERNAL, 1},
	        {"XX000", 1, OUTCOME_INTERNAL, 1},
	        {"26000", 1, OUTCOME_OK, 2},
	        {"42P05", 1, OUTCOME_OK, 2},
	        {"0A000", 2, OUTCOME_INTERNAL, 2},
	        {"08006", 1, OUTCOME_DATABASE_UNAVAILABLE, 1},
	        {"57P01", 1, OUTCOME_DATABASE_UNAVAILABLE, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char name[40], word[40];
		snprintf(name, sizeof name, "db_state_%zu", i);
		struct db *db = database_make(name);
		add_task(name);
		make_trigger(name, "ROW", cases[i].sqlstate, cases[i].times);
		cr_expect_eq(write_task(db), cases[i].outcome, "%s %d", cases[i].sqlstate, cases[i].times);
		cr_expect_eq(db_counts(db).connections, cases[i].connections, "%s", cases[i].sqlstate);
		struct buf notes = buf_make(8192);
		db_take_notes(db, &notes);
		snprintf(word, sizeof word, "TASK_COMPLETE, SQLSTATE %s\n", cases[i].sqlstate);
		buf_add_char(&notes, '\0');
		cr_expect_not_null(strstr(notes.ptr, word), "%s", notes.ptr);
		cr_expect_null(strstr(notes.ptr, "secret"), "%s", notes.ptr);
		/* What a shared session says of prepared statements. */
		bool shared = strcmp(cases[i].sqlstate, "26000") == 0 || strcmp(cases[i].sqlstate, "42P05") == 0;
		cr_expect_eq(strstr(notes.ptr, "set TODO_DATABASE_PREPARE=off") != NULL, shared, "%s", notes.ptr);
		buf_destroy(&notes);
		db_close(db);
	}
}

Test(db, a_refused_commit_is_no_success)
{
	struct db *db = database_make("db_commit");
	add_task("db_commit");
	make_trigger("db_commit", "COMMIT", "23514", 1);
	cr_expect_eq(write_task(db), OUTCOME_INTERNAL);
	cr_expect_not(is_completed("db_commit"));
	/* The connection is still in step. */
	cr_expect_eq(write_task(db), OUTCOME_OK);
	cr_expect(is_completed("db_commit"));
	cr_expect_eq(db_counts(db).connections, 1);
	db_close(db);
}

Test(db, a_serialization_failure_at_commit_is_tried_again)
{
	struct db *db = database_make("db_commit_again");
	add_task("db_commit_again");
	make_trigger("db_commit_again", "COMMIT", "40001", 1);
	cr_expect_eq(write_task(db), OUTCOME_OK);
	cr_expect(is_completed("db_commit_again"));
	db_close(db);
}

Test(db, a_failed_first_run_leaves_the_prepared_names_right)
{
	struct db *db = database_make("db_prepare_failed");
	/* Parsing fails, so the name is not known to the server … */
	cr_assert_eq(db_ready(db), OUTCOME_OK);
	run_in("db_prepare_failed", "ALTER TABLE todo.task RENAME COLUMN completed TO finished");
	cr_expect_eq(write_task(db), OUTCOME_INTERNAL);
	/* … or execution does, and it is known. */
	run_in("db_prepare_failed", "ALTER TABLE todo.task RENAME COLUMN finished TO completed");
	add_task("db_prepare_failed");
	make_trigger("db_prepare_failed", "ROW", "23514", 1);
	cr_expect_eq(write_task(db), OUTCOME_INTERNAL);
	cr_expect_eq(write_task(db), OUTCOME_OK);
	cr_expect_eq(db_counts(db).connections, 1);
	db_close(db);
}

Test(db, a_read_only_server_takes_no_write)
{
	struct db *db = database_make("db_read_only");
	run_in("db_read_only", "ALTER DATABASE db_read_only SET default_transaction_read_only = on");
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(write_task(db), OUTCOME_DATABASE_UNAVAILABLE);
	db_close(db);
}

Test(db, a_full_server_is_busy)
{
	postgres_database("db_full");
	postgres_role("db_full_role", "IN ROLE todo_app CONNECTION LIMIT 1");
	char *url = postgres_url("db_full_role", "db_full");
	struct db *first = open_at(url, 20);
	struct db *second = open_at(url, 20);
	cr_assert_eq(read_tasks(first), OUTCOME_OK);
	cr_expect_eq(read_tasks(second), OUTCOME_DATABASE_BUSY);
	cr_expect(database_noted(second, "connecting failed while logging in, SQLSTATE 53300"));
	db_close(first);
	db_close(second);
	free(url);
}

Test(db, a_wrong_password_is_noted_without_words)
{
	char *url = NULL;
	cr_assert_geq(asprintf(&url, "postgresql://todo_app:wrong@/todo?host=%s", postgres_folder()), 0);
	struct db *db = open_at(url, 20);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_UNAVAILABLE);
	struct buf notes = buf_make(1024);
	db_take_notes(db, &notes);
	cr_expect(view_equal(buf_view(&notes), VIEW("database: connecting failed while logging in, SQLSTATE 28P01\n")));
	buf_destroy(&notes);
	db_close(db);
	free(url);
}

static void expect_own_task(struct db *db, const char *user)
{
	DB_RESULT result = NULL;
	cr_assert_eq(db_run(db, principal_of(user), STATEMENT_LIST_CREATED_DESC, database_everything,
	                    DATABASE_EVERYTHING, &result),
	             OUTCOME_OK);
	cr_assert_eq(db_rows(result), 1, "%s", user);
	cr_expect(view_equal(db_value(result, 0, 1), view_of(user)), "%s", user);
}

static void add_tasks_of_two(const char *database)
{
	add_task(database);
	run_in(database, "INSERT INTO todo.task (user_id, id, title) VALUES ('bert', '" TASK_ID "', 'task')");
}

/* One connection serves all users, prepared once: neither the plan nor what a refusal leaves is of the user before. */
Test(db, a_statement_is_of_the_user_it_runs_for_whoever_was_there_before)
{
	static const char *const modes[] = {"auto", "force_generic_plan", "force_custom_plan"};
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		char name[40], sql[LINE];
		snprintf(name, sizeof name, "db_plan_%zu", i);
		struct db *db = database_make(name);
		add_tasks_of_two(name);
		make_trigger(name, "ROW", "23514", 1000);
		snprintf(sql, sizeof sql, "ALTER DATABASE %s SET plan_cache_mode = '%s'", name, modes[i]);
		run_in(name, sql);
		for (int round = 0; round < 8; round++) {
			expect_own_task(db, "anna");
			cr_expect_eq(write_task(db), OUTCOME_INTERNAL);
			expect_own_task(db, "bert");
		}
		cr_expect_eq(db_counts(db).connections, 1);
		db_close(db);
	}
}

Test(db, a_large_answer_and_a_large_request_pass)
{
	struct db *db = database_make("db_large");
	run_in("db_large",
	       "INSERT INTO todo.task (user_id, id, title, description)"
	       " SELECT 'anna', gen_random_uuid(), 't', repeat('\u00fc', 1000) FROM generate_series(1, 1000)");
	DB_RESULT result = NULL;
	cr_assert_eq(db_run(db, principal_of("anna"), STATEMENT_LIST_CREATED_DESC, database_everything,
	                    DATABASE_EVERYTHING, &result),
	             OUTCOME_OK);
	cr_expect_eq(db_rows(result), 1000);
	/* Larger than every buffer on the way: libpq must wait for room, and the server then refuses it. */
	size_t size = 1 << 22;
	char *text = malloc(size);
	memset(text, 'x', size);
	const struct view values[] = {VIEW(TASK_ID),  {text, size}, ABSENT,  VIEW("false"),
	                              VIEW("medium"), ABSENT,       VIEW("")};
	DB_RESULT none = NULL;
	cr_expect_eq(db_run(db, principal_of("anna"), STATEMENT_TASK_CREATE, values, 7, &none), OUTCOME_INTERNAL);
	cr_expect(database_noted(db, "SQLSTATE 23514"));
	free(text);
	db_close(db);
}

Test(db, a_wrong_number_of_values_runs_nothing)
{
	struct db *db = database_make("db_values");
	DB_RESULT result = NULL;
	cr_expect_eq(db_run(db, principal_of("anna"), STATEMENT_TASK_GET, NULL, 0, &result), OUTCOME_INTERNAL);
	cr_expect_eq(db_counts(db).connections, 0);
	db_close(db);
}

Test(db, the_server_writes_nothing_to_standard_error)
{
	/* libpq prints notices unless told otherwise, and Apache would log them. */
	struct db *db = database_make("db_notice");
	add_task("db_notice");
	run_in("db_notice", "CREATE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS"
	                    " $$BEGIN RAISE WARNING 'secret words'; RETURN NEW; END$$;"
	                    "CREATE TRIGGER speak BEFORE UPDATE ON todo.task FOR EACH ROW EXECUTE FUNCTION speak()");
	int ends[2], kept = dup(STDERR_FILENO);
	char byte;
	cr_assert_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	enum outcome outcome = write_task(db);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	cr_expect_eq(outcome, OUTCOME_OK);
	cr_expect_eq(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	db_close(db);
}
