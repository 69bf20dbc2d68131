/* Revocation: tokens of a user that count no more, without a session anywhere. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/account.h"
#include "support/database.h"
#include "support/postgres.h"
#include "support/principal.h"
#include "support/relay.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(revocation, .fini = api_end, .timeout = 240);

struct parts {
	const char *database;
	const char *const *settings;
	struct responder *tasks;
	struct responder *account;
};

static struct parts start(bool revocation)
{
	struct parts parts = {.database = api_name("revocation")};
	const char *url = api_database(parts.database);
	parts.settings = api_settings((const char *const[]){
	        ask_format("DATABASE_URL=%s", url), revocation ? "JWT_REVOCATION=1" : "JWT_REVOCATION=0", NULL});
	parts.tasks = responder_start("tasks", parts.settings);
	parts.account = responder_start("account", parts.settings);
	return parts;
}

static struct ask list_as(const char *token)
{
	return (struct ask){.target = "/api/anna/tasks", .token = token};
}

static struct ask create_as(const char *token)
{
	return (struct ask){.method = "POST", .target = "/api/anna/tasks", .token = token, .body = api_task("one", "")};
}

static int status_of(struct responder *responder, struct ask ask)
{
	return responder_ask(responder, &ask)->status;
}

static void expect_value(const char *database, const char *sql, const char *expected)
{
	cr_expect_str_eq(account_value(database, sql), expected, "%s", sql);
}

/* As todoctl does it. */
static void revoke_as_owner(const char *database, const char *user)
{
	postgres_run("todo_owner", database, ask_format("SELECT todo.revoke('%s')", user));
}

/* ---- who is refused ---- */

Test(revocation, is_off_by_default)
{
	const char *database = api_name("revocation");
	struct responder *tasks = responder_start("tasks", api_settings_for(api_database(database)));
	revoke_as_owner(database, "anna");
	cr_expect_eq(status_of(tasks, list_as(account_token("anna", -10))), 200);
	cr_expect_eq(status_of(tasks, list_as(account_token_undated("anna"))), 200);
}

Test(revocation, refuses_tokens_issued_before)
{
	struct parts parts = start(true);
	const char *old = account_token("anna", -10);
	cr_expect_eq(status_of(parts.tasks, list_as(old)), 200);
	cr_expect_eq(status_of(parts.tasks, create_as(old)), 201);
	revoke_as_owner(parts.database, "anna");
	cr_expect_eq(status_of(parts.tasks, list_as(old)), 401);
	cr_expect_eq(status_of(parts.tasks, create_as(old)), 401);
	cr_expect_eq(status_of(parts.account, (struct ask){.target = "/api/anna/export", .token = old}), 401);
	cr_expect_eq(status_of(parts.account, account_erase("anna", old)), 401);
	expect_value(parts.database, "SELECT count(*) FROM todo.task", "1");
}

Test(revocation, takes_tokens_issued_after)
{
	struct parts parts = start(true);
	const int64_t instant = clock_now() / CLOCK_SECOND - 100;
	postgres_run("postgres", parts.database,
	             ask_format("INSERT INTO todo.revocation VALUES ('anna', to_timestamp(%" PRId64 "))", instant));
	cr_expect_eq(status_of(parts.tasks, list_as(account_token_of("anna", instant - 1))), 401);
	cr_expect_eq(status_of(parts.tasks, list_as(account_token_of("anna", instant))), 401, "iat = revoked_before");
	cr_expect_eq(status_of(parts.tasks, list_as(account_token_of("anna", instant + 1))), 200);
}

Test(revocation, refuses_with_the_answer_of_every_bad_token)
{
	struct parts parts = start(true);
	const char *old = account_token("anna", -10);
	revoke_as_owner(parts.database, "anna");
	struct ask revoked = list_as(old);
	struct ask bad = list_as(ask_format("%sx", old));
	const struct answer *answer = responder_ask(parts.tasks, &revoked);
	expect_problem(answer, 401, "unauthorized", "revoked");
	cr_expect(view_equal(answer_header(answer, "WWW-Authenticate"),
	                     VIEW("Bearer realm=\"todo\", error=\"invalid_token\"")));
	cr_expect(view_equal(answer_without_id(answer), answer_without_id(responder_ask(parts.tasks, &bad))));
}

Test(revocation, refuses_a_token_without_iat_before_it_costs_a_connection)
{
	struct parts parts = start(true);
	struct ask ask = list_as(account_token_undated("anna"));
	expect_problem(responder_ask(parts.tasks, &ask), 401, "unauthorized", "no iat");
	expect_value(parts.database, "SELECT count(*) " POSTGRES_BACKENDS, "0");
}

Test(revocation, is_no_matter_of_other_users)
{
	struct parts parts = start(true);
	revoke_as_owner(parts.database, "berta");
	revoke_as_owner(parts.database, "Anna");
	cr_expect_eq(status_of(parts.tasks, list_as(account_token("anna", -10))), 200);
	cr_expect_eq(status_of(parts.tasks, create_as(account_token("anna", -10))), 201);
}

/* Documented: they ask no database. */
Test(revocation, leaves_the_token_endpoints_to_the_token_alone)
{
	struct parts parts = start(true);
	struct responder *auth = responder_start("auth", api_settings((const char *const[]){"JWT_REVOCATION=1", NULL}));
	revoke_as_owner(parts.database, "anna");
	cr_expect_eq(status_of(auth, (struct ask){.target = "/auth/me", .token = account_token("anna", -10)}), 200);
	cr_expect_eq(status_of(auth, (struct ask){.target = "/auth/me", .token = account_token_undated("anna")}), 401);
}

Test(revocation, only_moves_forward)
{
	const char *database = api_name("revocation");
	postgres_database(database);
	postgres_run("postgres", database, "INSERT INTO todo.revocation VALUES ('anna', '2200-01-01')");
	revoke_as_owner(database, "anna");
	expect_value(database, "SELECT revoked_before = '2200-01-01' FROM todo.revocation", "t");
}

/* ---- what it costs ---- */

static unsigned turns_of_a_request(bool revocation, bool prepare)
{
	const char *database = api_name("revocation");
	postgres_database(database);
	struct relay *relay = relay_start(postgres_folder());
	char *url = postgres_url_in(relay->folder, "todo_app", database);
	struct config config = database_config(url);
	config.jwt_revocation = revocation;
	config.database_prepare = prepare;
	struct db *db = database_open(&config);
	cr_assert_eq(db_ready(db), OUTCOME_OK);
	unsigned most = 0;
	for (int i = 0; i < 4; i++) {
		DB_RESULT result = NULL;
		const struct view values[] = {VIEW("00000000-0000-7000-8000-000000000001"), VIEW("true"), ABSENT};
		unsigned before = atomic_load(&relay->turns);
		if (i % 2)
			cr_assert_eq(db_run(db, principal_of("anna"), STATEMENT_TASK_COMPLETE, values, 3, &result),
			             OUTCOME_OK);
		else
			cr_assert_eq(db_run(db, principal_of("anna"), STATEMENT_TASK_GET, values, 1, &result),
			             OUTCOME_OK);
		unsigned turns = atomic_load(&relay->turns) - before;
		most = turns > most ? turns : most;
	}
	db_close(db);
	free(url);
	relay_stop(relay);
	return most;
}

Test(revocation, is_judged_in_the_round_trip_of_the_statement)
{
	for (int on = 0; on < 2; on++)
		for (int prepare = 0; prepare < 2; prepare++)
			cr_expect_eq(turns_of_a_request(on, prepare), 1, "revocation %d, prepared %d", on, prepare);
}

/* Counted by the server itself, which must be told to. */
Test(revocation, costs_nothing_when_off)
{
	for (int on = 0; on < 2; on++) {
		struct parts parts = {.database = api_name("revocation")};
		const char *url = api_database(parts.database);
		postgres_run("postgres", "postgres",
		             ask_format("ALTER DATABASE %s SET track_functions = 'all'", parts.database));
		const char *const *settings = api_settings((const char *const[]){
		        ask_format("DATABASE_URL=%s", url), on ? "JWT_REVOCATION=1" : "JWT_REVOCATION=0", NULL});
		parts.tasks = responder_start("tasks", settings);
		cr_assert_eq(status_of(parts.tasks, list_as(account_token("anna", -10))), 200);
		cr_assert_eq(status_of(parts.tasks, create_as(account_token("anna", -10))), 201);
		/* A backend tells what it has counted when it ends. */
		cr_assert_eq(responder_stop(parts.tasks), 0);
		postgres_wait_for("postgres", parts.database, "SELECT count(*) = 0 " POSTGRES_BACKENDS);
		expect_value(parts.database,
		             "SELECT coalesce(string_agg(funcname || ' ' || calls, ', ' ORDER BY funcname), '') FROM "
		             "pg_stat_user_functions",
		             on ? "admit 2, lock_user 1" : "");
	}
}

/* ---- who may revoke ---- */

Test(revocation, is_read_and_not_written_by_the_responders)
{
	static const char *const statements[] = {
	        "INSERT INTO todo.revocation VALUES ('anna', now())",
	        "UPDATE todo.revocation SET revoked_before = '1970-01-01'",
	        "DELETE FROM todo.revocation",
	        "TRUNCATE todo.revocation",
	        "SELECT todo.revoke('anna')",
	        "SELECT todo.revoke_current(now())",
	        "CREATE OR REPLACE FUNCTION todo.admit(text, timestamptz, text) RETURNS void LANGUAGE sql AS ''",
	};
	const char *database = api_name("revocation");
	postgres_database(database);
	revoke_as_owner(database, "anna");
	revoke_as_owner(database, "berta");
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		PGconn *conn = postgres_connect("todo_app", database);
		PQclear(PQexec(conn, "SELECT set_config('todo.user_id', 'anna', false)"));
		PGresult *result = PQexec(conn, statements[i]);
		const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		cr_expect_str_eq(state ? state : "", "42501", "%s", statements[i]);
		PQclear(result);
		/* Of what it may read it sees the own row alone. */
		result = PQexec(conn, "SELECT string_agg(user_id, ',') FROM todo.revocation");
		cr_expect_str_eq(PQgetvalue(result, 0, 0), "anna");
		PQclear(result);
		PQfinish(conn);
	}
}

/* todo.erase runs as the owner: whatever it is told, it is bound to whom the transaction is for. */
Test(revocation, erase_is_bound_to_the_current_user)
{
	static const struct {
		const char *current; /* NULL: none was ever set */
		const char *erase;
	} cases[] = {{"anna", "'berta'"}, {"", "''"},        {"", "'berta'"},
	             {"anna", "NULL"},    {NULL, "'berta'"}, {NULL, "NULL"}};
	const char *database = api_name("revocation");
	postgres_database(database);
	account_fill(database, "berta", 1, 10);
	account_fill(database, "anna", 1, 10);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		PGconn *conn = postgres_connect("todo_app", database);
		if (cases[i].current)
			PQclear(PQexec(conn,
			               ask_format("SELECT set_config('todo.user_id', '%s', false)", cases[i].current)));
		PGresult *result = PQexec(conn, ask_format("SELECT todo.erase(%s, now())", cases[i].erase));
		const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		cr_expect_str_eq(state ? state : "", "42501", "case %zu", i);
		PQclear(result);
		PQfinish(conn);
	}
	expect_value(database,
	             "SELECT (SELECT count(*) FROM todo.task) || ' ' || (SELECT count(*) FROM todo.revocation)", "2 0");
}

/* Names that todo.erase uses are looked up where nobody else can put any. */
Test(revocation, erase_looks_no_name_up_where_others_write)
{
	const char *database = api_name("revocation");
	postgres_database(database);
	account_fill(database, "anna", 2, 10);
	postgres_run("postgres", database,
	             "CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO PUBLIC;"
	             "CREATE FUNCTION evil.nullif(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''berta''';"
	             "CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
	             "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same)");
	account_fill(database, "berta", 2, 10);
	PGconn *conn = postgres_connect("todo_app", database);
	PQclear(PQexec(conn, "SET search_path = evil, pg_catalog; SELECT set_config('todo.user_id', 'anna', false)"));
	PGresult *result = PQexec(conn, "SELECT todo.erase('anna', NULL)");
	cr_expect_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
	expect_value(database, "SELECT string_agg(DISTINCT user_id, ',') || count(*) FROM todo.task", "berta2");
}

Test(revocation, leaves_the_owners_own_identity_as_it_was)
{
	const char *database = api_name("revocation");
	postgres_database(database);
	PGconn *conn = postgres_connect("todo_owner", database);
	PQclear(PQexec(conn, "BEGIN; SELECT set_config('todo.user_id', 'berta', true)"));
	PQclear(PQexec(conn, "SELECT todo.revoke('anna')"));
	PGresult *result = PQexec(conn, "SELECT current_setting('todo.user_id')");
	cr_expect_str_eq(PQgetvalue(result, 0, 0), "berta");
	PQclear(result);
	PQfinish(conn);
}

/* ---- erase ---- */

Test(revocation, erase_revokes_the_tokens_issued_up_to_now)
{
	struct parts parts = start(true);
	const char *other_tab = account_token("anna", -10);
	const char *used = api_token("anna");
	account_fill(parts.database, "anna", 3, 10);
	cr_expect_eq(status_of(parts.account, account_erase("anna", used)), 204);
	expect_value(parts.database, "SELECT count(*) FROM todo.task", "0");
	cr_expect_eq(status_of(parts.tasks, create_as(other_tab)), 401);
	cr_expect_eq(status_of(parts.tasks, create_as(used)), 401);
	expect_value(parts.database, "SELECT count(*) FROM todo.task", "0");
	expect_value(
	        parts.database,
	        "SELECT user_id || (revoked_before BETWEEN now() - interval '1 minute' AND now()) FROM todo.revocation",
	        "annatrue");
}

/* The issuer's clock may be ahead by the leeway. */
Test(revocation, erase_revokes_its_own_token_though_that_is_dated_ahead)
{
	struct parts parts = start(true);
	const char *ahead = account_token("anna", 20);
	cr_expect_eq(status_of(parts.account, account_erase("anna", ahead)), 204);
	cr_expect_eq(status_of(parts.tasks, create_as(ahead)), 401);
	cr_expect_eq(status_of(parts.tasks, create_as(account_token("anna", 25))), 201);
}

Test(revocation, erase_revokes_nothing_when_off)
{
	struct parts parts = start(false);
	const char *token = api_token("anna");
	account_fill(parts.database, "anna", 3, 10);
	cr_expect_eq(status_of(parts.account, account_erase("anna", token)), 204);
	expect_value(parts.database, "SELECT count(*) FROM todo.revocation", "0");
	cr_expect_eq(status_of(parts.tasks, create_as(token)), 201);
}

/* ---- races ---- */

#define GATE "7"

/* Statements of that kind on tasks wait at a gate that the test holds. */
static PGconn *gate(const char *database, const char *event)
{
	postgres_run("postgres", database,
	             ask_format("CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
	                        " 'BEGIN PERFORM pg_advisory_xact_lock_shared(" GATE
	                        "); RETURN coalesce(NEW, OLD); END';"
	                        "CREATE TRIGGER gate BEFORE %s ON todo.task FOR EACH ROW EXECUTE FUNCTION gate()",
	                        event));
	PGconn *holder = postgres_hold(database, "SELECT pg_advisory_lock(" GATE ")");
	return holder;
}

static void wait_for_waiters(const char *database, int count)
{
	postgres_wait_for("postgres", database,
	                  ask_format("SELECT count(*) = %d " POSTGRES_BACKENDS " AND wait_event_type = 'Lock'", count));
}

static void expect_answer(int fd, int status)
{
	const struct answer *answer = responder_answer(fd, false);
	cr_expect_eq(answer->status, status, "%.*s", VIEW_ARGS(answer->body));
	close(fd);
}

static const char nothing_left[] = "SELECT count(*) FROM todo.task";

struct turn {
	struct responder *responder;
	struct ask ask;
	int status;
};

/* The first waits at the gate, the second comes meanwhile, and the gate is opened: what each is answered. */
static void expect_turns(const char *database, const char *event, struct turn first, struct turn second)
{
	PGconn *holder = gate(database, event);
	int one = responder_begin(first.responder, &first.ask);
	wait_for_waiters(database, 1);
	int other = responder_begin(second.responder, &second.ask);
	wait_for_waiters(database, 2);
	PQfinish(holder);
	expect_answer(one, first.status);
	expect_answer(other, second.status);
}

/* It began before and has not committed when the erase comes: the erase waits for it, and takes its row along. */
Test(revocation, a_create_under_way_leaves_nothing_behind_an_erase)
{
	struct parts parts = start(true);
	struct turn create = {parts.tasks, create_as(account_token("anna", -10)), 201};
	struct turn erase = {parts.account, account_erase("anna", api_token("anna")), 204};
	expect_turns(parts.database, "INSERT", create, erase);
	expect_value(parts.database, nothing_left, "0");
}

/* It comes while the erase deletes: it waits, and is then judged by what the erase has set. */
Test(revocation, a_create_during_an_erase_is_refused)
{
	struct parts parts = start(true);
	account_fill(parts.database, "anna", 1, 10);
	struct turn erase = {parts.account, account_erase("anna", api_token("anna")), 204};
	struct turn create = {parts.tasks, create_as(account_token("anna", -10)), 401};
	expect_turns(parts.database, "DELETE", erase, create);
	expect_value(parts.database, nothing_left, "0");
}

/* Two at once do not lock each other out: the second is simply too late. */
Test(revocation, two_erases_at_once_end)
{
	struct parts parts = start(true);
	struct responder *second = responder_start("account", parts.settings);
	account_fill(parts.database, "anna", 1, 10);
	struct ask erase = account_erase("anna", api_token("anna"));
	expect_turns(parts.database, "DELETE", (struct turn){parts.account, erase, 204},
	             (struct turn){second, erase, 401});
}

/* Once revoke has come back, no write of an old token can still be under way. */
Test(revocation, revoke_waits_for_writes_under_way)
{
	struct parts parts = start(true);
	PGconn *holder = gate(parts.database, "INSERT");
	struct ask create = create_as(account_token("anna", -10));
	int creating = responder_begin(parts.tasks, &create);
	wait_for_waiters(parts.database, 1);
	PGconn *owner = postgres_connect("todo_owner", parts.database);
	cr_assert_eq(PQsendQuery(owner, "SELECT todo.revoke('anna')"), 1);
	postgres_wait_for("postgres", parts.database,
	                  "SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'todo_owner' AND datname = "
	                  "current_database() AND wait_event_type = 'Lock'");
	PQfinish(holder);
	expect_answer(creating, 201);
	PGresult *result = PQgetResult(owner);
	cr_expect_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQerrorMessage(owner));
	PQclear(result);
	PQfinish(owner);
	cr_expect_eq(status_of(parts.tasks, create), 401);
}

/* A wait for the lock is not longer than any other. */
Test(revocation, a_create_that_waits_too_long_gives_up)
{
	struct parts parts = {.database = api_name("revocation")};
	const char *url = ask_format("DATABASE_URL=%s", api_database(parts.database));
	const char *const *settings =
	        api_settings((const char *const[]){url, "JWT_REVOCATION=1", "TODO_DATABASE_TIMEOUT=2", NULL});
	parts.tasks = responder_start("tasks", settings);
	PGconn *owner = postgres_connect("todo_owner", parts.database);
	PQclear(PQexec(owner, "BEGIN; SELECT todo.revoke('anna')"));
	struct ask create = create_as(account_token("anna", -10));
	expect_problem(responder_ask(parts.tasks, &create), 504, "database_timeout", "create");
	/* Reading waits for nobody. */
	cr_expect_eq(status_of(parts.tasks, list_as(account_token("anna", -10))), 200);
	PQclear(PQexec(owner, "ROLLBACK"));
	PQfinish(owner);
	cr_expect_eq(status_of(parts.tasks, create), 201);
}

/* Under another isolation level the judgement would be by an old snapshot: rather none. */
Test(revocation, decides_nothing_by_an_old_snapshot)
{
	struct parts parts = {.database = api_name("revocation")};
	const char *url = ask_format("DATABASE_URL=%s", api_database(parts.database));
	postgres_run(
	        "postgres", "postgres",
	        ask_format("ALTER DATABASE %s SET default_transaction_isolation = 'repeatable read'", parts.database));
	parts.tasks = responder_start("tasks", api_settings((const char *const[]){url, "JWT_REVOCATION=1", NULL}));
	struct ask create = create_as(account_token("anna", -10));
	expect_problem(responder_ask(parts.tasks, &create), 500, "internal", "create");
	expect_value(parts.database, nothing_left, "0");
}
