/* One user's data is another's never: every row of routes.def by its guard, and
 * each of the three layers with the others switched off. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "db/db.h"
#include "db/value.h"
#include "support/database.h"
#include "support/postgres.h"
#include "support/principal.h"
#include "support/programs.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(isolation, .fini = api_end, .timeout = 240);

#define ID PROGRAMS_TASK

/* With nothing behind it that could be asked: what is refused is refused by the
 * token and the path alone. */
static struct programs start_without_database(void)
{
	return programs_start(api_settings((const char *const[]){NULL}));
}

/* ---- the guard of each row ---- */

Test(isolation, no_guarded_row_answers_without_a_token)
{
	struct programs programs = start_without_database();
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		if (route_row(route)->guard == GUARD_PUBLIC)
			continue;
		struct ask ask = programs_request(route, "anna");
		const struct answer *answer = programs_ask(&programs, route, &ask);
		expect_problem(answer, 401, "unauthorized", ask.target);
		cr_expect(view_equal(answer_header(answer, "WWW-Authenticate"), VIEW("Bearer realm=\"todo\"")), "%s",
		          ask.target);
	}
}

Test(isolation, no_guarded_row_answers_to_an_attack_token)
{
	struct programs programs = start_without_database();
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		struct attack attack;
		struct view first = ABSENT;
		if (route_row(route)->guard == GUARD_PUBLIC)
			continue;
		for (size_t i = 0; api_attack(i, "anna", &attack); i++) {
			struct ask ask = programs_request(route, "anna");
			ask.token = attack.token;
			const struct answer *answer = programs_ask(&programs, route, &ask);
			bool expired = attack.expired && route_row(route)->guard != GUARD_OPERATOR;
			expect_problem(answer, 401, expired ? "token_expired" : "unauthorized", attack.name);
			cr_expect(view_equal(answer_header(answer, "WWW-Authenticate"),
			                     VIEW("Bearer realm=\"todo\", error=\"invalid_token\"")),
			          "%s", attack.name);
			/* The answer tells nobody which check it was that failed. */
			if (i == 0)
				first = answer_without_id(answer);
			else if (!expired)
				cr_expect(view_equal(first, answer_without_id(answer)), "%s", attack.name);
		}
	}
}

Test(isolation, every_row_below_a_user_refuses_another_users_token)
{
	const char *name = api_name("isolation");
	const char *url = api_database(name);
	struct programs programs = programs_start(api_settings_for(url));
	postgres_run("postgres", name,
	             "INSERT INTO todo.task (user_id, id, title) VALUES ('berta', '" ID "', 'privatsache')");
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		if (route_row(route)->guard != GUARD_OWNER)
			continue;
		/* berta exists and has that task; nobody has ever heard of "nobody" */
		struct ask ask = programs_request(route, "berta");
		ask.token = api_token("anna");
		const struct answer *existing = programs_ask(&programs, route, &ask);
		expect_problem(existing, 403, "forbidden", ask.target);
		ask = programs_request(route, "nobody");
		ask.token = api_token("anna");
		const struct answer *missing = programs_ask(&programs, route, &ask);
		cr_expect(view_equal(answer_without_id(existing), answer_without_id(missing)), "%s", ask.target);
	}
	char *connections = postgres_value("postgres", name, "SELECT count(*) " POSTGRES_BACKENDS);
	cr_expect_str_eq(connections, "0", "a refused request has connected to the database");
	free(connections);
	char *left = postgres_value("postgres", name, "SELECT string_agg(user_id || ' ' || title, ',') FROM todo.task");
	cr_expect_str_eq(left, "berta privatsache");
	free(left);
}

Test(isolation, a_subject_owns_only_the_path_that_is_its_own_name)
{
	static const struct {
		const char *subject;
		const char *segment; /* in the path, as it is sent */
		int status;
		const char *code;
	} cases[] = {
	        {"anna", "Anna", 403, "forbidden"},
	        {"anna", "anna%20", 403, "forbidden"},
	        {"anna", "ann", 403, "forbidden"},
	        {"anna", "annaa", 403, "forbidden"},
	        {"anna", "*", 403, "forbidden"},
	        {"anna", "%25", 403, "forbidden"},
	        {"42", "042", 403, "forbidden"},
	        {"42", "42.0", 403, "forbidden"},
	        {"a%62", "ab", 403, "forbidden"},
	        /* alike to the eye, or by the rules of Unicode */
	        {"anna", "%D0%B0nna", 403, "forbidden"},
	        {"anna", "%EF%BD%81nna", 403, "forbidden"},
	        {"anna", "anna%E2%80%8B", 403, "forbidden"},
	        {"anna", "%E2%80%AEanna", 403, "forbidden"},
	        {"\u00e9", "e%CC%81", 403, "forbidden"},
	        {"e\u0301", "%C3%A9", 403, "forbidden"},
	        {"\u212a", "K", 403, "forbidden"},
	        {"stra\u00dfe", "strasse", 403, "forbidden"},
	        {"\u0130", "i%CC%87", 403, "forbidden"},
	        /* no text at all */
	        {"anna", "anna%00", 404, "not_found"},
	        {"anna", "%C1%A1nna", 404, "not_found"},
	        {"anna", "anna%FF", 404, "not_found"},
	        {"anna", "anna%ED%A0%80", 404, "not_found"},
	        /* own no path at all */
	        {".", ".", 404, "not_found"},
	        {".", "%2e", 404, "not_found"},
	        {"..", "..", 404, "not_found"},
	        {"..", "%2E%2E", 404, "not_found"},
	        {"auth", "auth", 404, "not_found"},
	        {"auth", "%61uth", 404, "not_found"},
	        {"a/b", "a/b", 404, "not_found"},
	        {"a/b", "a%2Fb", 404, "not_found"},
	        {"a\\\\b", "a%5Cb", 404, "not_found"},
	        {"../berta", "..%2Fberta", 404, "not_found"},
	};
	struct programs programs = start_without_database();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ask ask = {.target = ask_format("/api/%s/tasks", cases[i].segment),
		                  .token = api_token(cases[i].subject)};
		expect_problem(responder_ask(programs.of[PROGRAM_TASKS], &ask), cases[i].status, cases[i].code,
		               ask.target);
	}
}

Test(isolation, every_row_refuses_methods_that_its_path_does_not_list)
{
	struct programs programs = start_without_database();
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		const char *target = programs_path(route, "anna");
		struct ask options = {.method = "OPTIONS", .target = target};
		const struct answer *listed = programs_ask(&programs, route, &options);
		cr_expect_eq(listed->status, 204, "OPTIONS %s", target);
		struct view allow = answer_header(listed, "Allow");
		cr_expect(allow.len > 0, "OPTIONS %s", target);
		for (size_t i = 0; i < PROGRAMS_METHODS; i++) {
			/* Whole words of the list: "GET, HEAD, OPTIONS". */
			const char *list = ask_format(", %.*s,", VIEW_ARGS(allow));
			if (strstr(list, ask_format(", %s,", programs_methods[i])))
				continue;
			/* The path and its methods are public: no token changes the answer. */
			for (int with_token = 0; with_token < 2; with_token++) {
				struct ask ask = {.method = programs_methods[i],
				                  .target = target,
				                  .token = with_token ? api_token("anna") : NULL};
				const struct answer *answer = programs_ask(&programs, route, &ask);
				const char *asked = ask_format("%s %s", ask.method, target);
				if (strcmp(ask.method, "HEAD") != 0)
					expect_problem(answer, 405, "method_not_allowed", asked);
				cr_expect_eq(answer->status, 405, "%s", asked);
				cr_expect(view_equal(answer_header(answer, "Allow"), allow), "%s", asked);
			}
		}
	}
}

Test(isolation, every_public_row_answers_without_a_token)
{
	const char *url = api_database(api_name("isolation"));
	struct programs programs = programs_start(api_settings_for(url));
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		if (route_row(route)->guard != GUARD_PUBLIC)
			continue;
		struct ask ask = programs_request(route, "anna");
		const struct answer *answer = programs_ask(&programs, route, &ask);
		/* A token is what /auth/validate judges: without one its verdict is 401. */
		cr_expect_eq(answer->status, route == ROUTE_VALIDATE ? 401 : 200, "%s", ask.target);
		cr_expect_neq(answer->body.len, 0, "%s", ask.target);
	}
}

/* ---- three layers, each alone ---- */

#define BERTAS "0189f7a0-0000-7000-8000-00000000000b"
#define ANNAS "0189f7a0-0000-7000-8000-00000000000a"

/* Anna and Berta have a task each. */
static const char *two_users(void)
{
	const char *name = api_name("layers");
	postgres_database(name);
	postgres_run("postgres", name,
	             "INSERT INTO todo.task (user_id, id, title) VALUES ('anna', '" ANNAS
	             "', 'annas'), ('berta', '" BERTAS "', 'bertas')");
	return name;
}

static void expect_value(const char *role, const char *database, const char *sql, const char *expected)
{
	char *value = postgres_value(role, database, sql);
	cr_expect_str_eq(value, expected, "%s", sql);
	free(value);
}

static void expect_untouched(const char *database)
{
	expect_value(
	        "postgres", database,
	        "SELECT string_agg(user_id || ' ' || title || ' ' || completed, ', ' ORDER BY user_id) FROM todo.task",
	        "anna annas false, berta bertas false");
}

/* What each statement finds of Berta's task when Anna asks for it by its id. */
static void expect_anna_to_find_nothing_of_berta(struct db *db)
{
	static const struct {
		enum db_statement statement;
		size_t count;
		struct view values[9];
	} cases[] = {
	        {STATEMENT_TASK_GET, 1, {VIEW(BERTAS)}},
	        {STATEMENT_TASK_REPLACE,
	         8,
	         {VIEW(BERTAS), VIEW("changed"), ABSENT, VIEW("true"), VIEW("low"), ABSENT, VIEW(""), ABSENT}},
	        {STATEMENT_TASK_PATCH,
	         9,
	         {VIEW(BERTAS), VIEW("changed"), ABSENT, VIEW("true"), VIEW("low"), ABSENT, VIEW(""), ABSENT,
	          VIEW("tdcpug")}},
	        {STATEMENT_TASK_COMPLETE, 3, {VIEW(BERTAS), VIEW("true"), ABSENT}},
	        {STATEMENT_TASK_DELETE, 2, {VIEW(BERTAS), ABSENT}},
	};
	/* First pages and later ones take turns; these are the first ones of every order, with a filter and without. */
	for (unsigned i = STATEMENT_LIST_CREATED_ASC; i < STATEMENT_LIST_COUNT; i += 2) {
		DB_RESULT list = NULL;
		cr_assert_eq(db_run(db, principal_of("anna"), (enum db_statement)i, database_everything,
		                    DATABASE_EVERYTHING, &list),
		             OUTCOME_OK);
		cr_expect_eq(db_rows(list), 1, "statement %u", i);
		cr_expect(view_equal(db_value(list, 0, 2), VIEW("annas")));
	}
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		DB_RESULT result = NULL;
		cr_assert_eq(
		        db_run(db, principal_of("anna"), cases[i].statement, cases[i].values, cases[i].count, &result),
		        OUTCOME_OK);
		cr_expect_eq(db_rows(result), 0, "statement %d", cases[i].statement);
	}
	/* Removing what is completed takes Anna's alone; Berta's would be counted. */
	DB_RESULT cleared = NULL;
	int64_t count = -1;
	cr_assert_eq(db_run(db, principal_of("anna"), STATEMENT_TASK_CLEAR, NULL, 0, &cleared), OUTCOME_OK);
	cr_assert(value_to_int64(db_value(cleared, 0, 0), &count));
	cr_expect_eq(count, 0);
}

/* The guard switched off: a principal of Anna stands before Berta's rows, and
 * statement and policy both hold. */
Test(isolation, statements_and_policy_hold_without_the_guard)
{
	const char *name = two_users();
	char *url = postgres_url("todo_app", name);
	struct config config = database_config(url);
	struct db *db = database_open(&config);
	expect_anna_to_find_nothing_of_berta(db);
	db_close(db);
	free(url);
	expect_untouched(name);
}

/* The statements' condition switched off: queries without user_id, as a
 * careless change would write them, meet the policy alone. */
Test(isolation, the_policy_holds_without_the_statements_condition)
{
	static const struct {
		const char *identity; /* NULL: none was ever set */
		const char *sql;
		const char *expected;
	} cases[] = {
	        {"anna", "SELECT string_agg(title, ',') FROM todo.task", "annas"},
	        {"berta", "SELECT string_agg(title, ',') FROM todo.task", "bertas"},
	        {"nobody", "SELECT count(*) FROM todo.task", "0"},
	        {"Anna", "SELECT count(*) FROM todo.task", "0"},
	        {"", "SELECT count(*) FROM todo.task", "0"},
	        {NULL, "SELECT count(*) FROM todo.task", "0"},
	        {"anna", "SELECT count(*) FROM todo.task WHERE id = '" BERTAS "'", "0"},
	        {"anna",
	         "WITH hit AS (UPDATE todo.task SET title = 'x' WHERE id = '" BERTAS
	         "' RETURNING 1) SELECT count(*) FROM hit",
	         "0"},
	        {"anna",
	         "WITH hit AS (DELETE FROM todo.task WHERE id = '" BERTAS "' RETURNING 1) SELECT count(*) FROM hit",
	         "0"},
	        {NULL, "WITH hit AS (UPDATE todo.task SET title = 'x' RETURNING 1) SELECT count(*) FROM hit", "0"},
	        {"", "WITH hit AS (DELETE FROM todo.task RETURNING 1) SELECT count(*) FROM hit", "0"},
	};
	const char *name = two_users();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		PGconn *conn = postgres_connect("todo_app", name);
		if (cases[i].identity) {
			const char *values[] = {cases[i].identity};
			PQclear(PQexecParams(conn, "SELECT set_config('todo.user_id', $1, false)", 1, NULL, values,
			                     NULL, NULL, 0));
		}
		PGresult *result = PQexec(conn, cases[i].sql);
		cr_expect_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQerrorMessage(conn));
		cr_expect_str_eq(PQgetvalue(result, 0, 0), cases[i].expected, "row %zu", i);
		PQclear(result);
		PQfinish(conn);
	}
	expect_untouched(name);
}

/* Nor can Anna write a row into Berta's list, or give hers away, even with a right to that column. */
Test(isolation, the_policy_lets_nobody_write_for_another)
{
	static const char *const statements[] = {
	        "INSERT INTO todo.task (user_id, id, title) VALUES ('berta', gen_random_uuid(), 'x')",
	        "UPDATE todo.task SET user_id = 'berta'",
	        "SELECT set_config('row_security', 'off', false); SELECT * FROM todo.task",
	};
	const char *name = two_users();
	postgres_run("todo_owner", name, "GRANT UPDATE ON todo.task TO todo_app");
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		PGconn *conn = postgres_connect("todo_app", name);
		PQclear(PQexec(conn, "SELECT set_config('todo.user_id', 'anna', false)"));
		PGresult *result = PQexec(conn, statements[i]);
		const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		cr_expect_str_eq(state ? state : "", "42501", "%s", statements[i]);
		PQclear(result);
		PQfinish(conn);
	}
	expect_untouched(name);
}

/* Row-level security switched off by the owner: the statements' own condition
 * holds, and the responders' role still may not do more than they need. */
Test(isolation, statements_hold_without_the_policy)
{
	const char *name = two_users();
	char *url = postgres_url("todo_app", name);
	struct config config = database_config(url);
	postgres_run("todo_owner", name, "ALTER TABLE todo.task NO FORCE ROW LEVEL SECURITY");
	postgres_run("todo_owner", name, "ALTER TABLE todo.task DISABLE ROW LEVEL SECURITY");
	expect_value("todo_app", name, "SELECT count(*) FROM todo.task", "2");
	config.database_role_check = false;
	struct db *db = database_open(&config);
	expect_anna_to_find_nothing_of_berta(db);
	db_close(db);
	free(url);
	expect_untouched(name);
}

/* A role that no policy binds would silently make three layers two. */
Test(isolation, a_role_that_bypasses_the_policy_serves_nothing)
{
	const char *name = two_users();
	static const char *const options[] = {"SUPERUSER", "BYPASSRLS", "IN ROLE todo_owner",
	                                      "NOINHERIT IN ROLE todo_owner"};
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		const char *role = api_name("bypass");
		postgres_role(role, options[i]);
		char *url = postgres_url(role, name);
		struct responder *tasks = responder_start("tasks", api_settings_for(url));
		struct ask ask = {.target = "/api/anna/tasks", .token = api_token("anna")};
		const struct answer *answer = responder_ask(tasks, &ask);
		expect_problem(answer, 503, "database_role", options[i]);
		free(url);
	}
	char *owner = postgres_url("todo_owner", name);
	struct responder *tasks = responder_start("tasks", api_settings_for(owner));
	struct ask ask = {.target = "/api/anna/tasks", .token = api_token("anna")};
	expect_problem(responder_ask(tasks, &ask), 503, "database_role", "the owner");
	free(owner);
	expect_untouched(name);
}

Test(isolation, a_table_without_its_policy_serves_nothing)
{
	static const char *const changes[] = {"DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"};
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		const char *name = two_users();
		char *url = postgres_url("todo_app", name);
		postgres_run("todo_owner", name, ask_format("ALTER TABLE todo.task %s", changes[i]));
		struct responder *tasks = responder_start("tasks", api_settings_for(url));
		struct ask ask = {.target = "/api/anna/tasks", .token = api_token("anna")};
		expect_problem(responder_ask(tasks, &ask), 503, "database_role", changes[i]);
		free(url);
	}
}
