/* Which roles, schemas and tables a new connection is refused for. */
#include "support/postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/database.h"
#include "support/leaks.h"
#include "support/principal.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(role, .fini = leaks_check, .timeout = 120);

enum { LINE = 400 };

static struct db *open_as(const char *role, const char *database, bool role_check)
{
	char *url = postgres_url(role, database);
	struct config config = database_config(url);
	config.database_role_check = role_check;
	struct db *db = database_open(&config);
	free(url);
	return db;
}

static enum outcome read_tasks(struct db *db)
{
	DB_RESULT result = NULL;
	return db_run(db, principal_of("anna"), STATEMENT_LIST_CREATED_DESC, database_everything, DATABASE_EVERYTHING,
	              &result);
}

static enum outcome ready_as(const char *role, const char *database)
{
	struct db *db = open_as(role, database, true);
	enum outcome outcome = db_ready(db);
	db_close(db);
	return outcome;
}

Test(role, the_responders_role_is_safe)
{
	postgres_database("role_safe");
	cr_expect_eq(ready_as("todo_app", "role_safe"), OUTCOME_OK);
}

Test(role, a_member_of_the_responders_role_is_safe)
{
	postgres_database("role_member");
	postgres_role("role_member_of_app", "IN ROLE todo_app");
	cr_expect_eq(ready_as("role_member_of_app", "role_member"), OUTCOME_OK);
}

Test(role, superuser_serves_nothing)
{
	postgres_database("role_super");
	struct db *db = open_as("postgres", "role_super", true);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_ROLE);
	cr_expect_eq(db_ready(db), OUTCOME_DATABASE_ROLE);
	cr_expect(database_noted(db, "row-level security"));
	db_close(db);
}

Test(role, the_owner_serves_nothing)
{
	postgres_database("role_owner");
	cr_expect_eq(ready_as("todo_owner", "role_owner"), OUTCOME_DATABASE_ROLE);
}

/* Each role has the rights of todo_app, and what stands here besides. */
Test(role, every_way_to_more_is_refused)
{
	static const struct {
		const char *name;
		const char *options;
		const char *more;
	} cases[] = {
	        {"role_bypass", "BYPASSRLS", ""},
	        {"role_creates", "CREATEROLE", ""},
	        {"role_is_super", "SUPERUSER", ""},
	        {"role_in_super", "IN ROLE postgres", ""},
	        {"role_in_owner", "IN ROLE todo_owner", ""},
	        {"role_in_owner_later", "NOINHERIT IN ROLE todo_owner", ""},
	        {"role_in_bypass", "",
	         "CREATE ROLE role_group_bypass BYPASSRLS; GRANT role_group_bypass TO role_in_bypass"},
	        {"role_in_bypass_later", "NOINHERIT",
	         "CREATE ROLE role_group_later BYPASSRLS; GRANT role_group_later TO role_in_bypass_later"},
	        {"role_two_steps", "NOINHERIT",
	         "CREATE ROLE role_step NOINHERIT; GRANT todo_owner TO role_step; GRANT role_step TO role_two_steps"},
	        {"role_in_creates", "",
	         "CREATE ROLE role_group_creates CREATEROLE; GRANT role_group_creates TO role_in_creates"},
	        {"role_runs_programs", "IN ROLE pg_execute_server_program", ""},
	        {"role_writes_files", "IN ROLE pg_write_server_files", ""},
	        {"role_reads_files", "IN ROLE pg_read_server_files", ""},
	        {"role_owns_schema", "", "ALTER SCHEMA todo OWNER TO role_owns_schema"},
	        {"role_owns_table", "", "ALTER TABLE todo.task OWNER TO role_owns_table"},
	        {"role_owns_version", "", "ALTER TABLE todo.schema_version OWNER TO role_owns_version"},
	        /* The session starts as a harmless role and may go back. */
	        {"role_disguised", "IN ROLE todo_owner", "ALTER ROLE role_disguised SET role = 'todo_app'"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char database[60], grant[LINE];
		snprintf(database, sizeof database, "in_%s", cases[i].name);
		postgres_database(database);
		postgres_role(cases[i].name, cases[i].options);
		snprintf(grant, sizeof grant, "GRANT todo_app TO %s", cases[i].name);
		postgres_run("postgres", database, grant);
		if (cases[i].more[0])
			postgres_run("postgres", database, cases[i].more);
		cr_expect_eq(ready_as(cases[i].name, database), OUTCOME_DATABASE_ROLE, "%s", cases[i].name);
	}
}

Test(role, a_table_without_row_level_security_is_refused)
{
	postgres_database("role_rls_off");
	postgres_run("todo_owner", "role_rls_off", "ALTER TABLE todo.task DISABLE ROW LEVEL SECURITY");
	cr_expect_eq(ready_as("todo_app", "role_rls_off"), OUTCOME_DATABASE_ROLE);
}

Test(role, a_table_that_spares_its_owner_is_refused)
{
	postgres_database("role_rls_not_forced");
	postgres_run("todo_owner", "role_rls_not_forced", "ALTER TABLE todo.task NO FORCE ROW LEVEL SECURITY");
	cr_expect_eq(ready_as("todo_app", "role_rls_not_forced"), OUTCOME_DATABASE_ROLE);
}

Test(role, a_check_that_the_server_refuses_passes_nobody)
{
	postgres_database("role_unseen");
	postgres_run("postgres", "role_unseen", "REVOKE SELECT ON pg_catalog.pg_roles FROM PUBLIC");
	struct db *db = open_as("todo_app", "role_unseen", true);
	cr_expect_eq(read_tasks(db), OUTCOME_INTERNAL);
	cr_expect(database_noted(db, "the check of the role failed, SQLSTATE 42501\n"));
	db_close(db);
}

Test(role, the_check_can_be_switched_off)
{
	postgres_database("role_unchecked");
	struct db *db = open_as("postgres", "role_unchecked", false);
	cr_expect_eq(db_ready(db), OUTCOME_OK);
	db_close(db);
}

Test(role, a_role_that_turns_dangerous_is_seen_by_ready_and_then_serves_nothing)
{
	postgres_database("role_turns");
	postgres_role("role_turning", "IN ROLE todo_app");
	struct db *db = open_as("role_turning", "role_turns", true);
	cr_assert_eq(read_tasks(db), OUTCOME_OK);
	postgres_run("postgres", "role_turns", "ALTER ROLE role_turning BYPASSRLS");
	cr_expect_eq(db_ready(db), OUTCOME_DATABASE_ROLE);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_ROLE);
	db_close(db);
}

Test(role, a_dangerous_role_is_checked_again_but_not_at_every_request)
{
	postgres_database("role_again");
	postgres_role("role_mending", "BYPASSRLS IN ROLE todo_app");
	struct db *db = open_as("role_mending", "role_again", true);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(read_tasks(db), OUTCOME_DATABASE_ROLE);
	cr_expect_leq(db_counts(db).connections, 2);
	postgres_run("postgres", "role_again", "ALTER ROLE role_mending NOBYPASSRLS");
	int64_t end = clock_monotonic() + 30 * CLOCK_SECOND;
	enum outcome outcome;
	do
		outcome = read_tasks(db);
	while (outcome == OUTCOME_DATABASE_ROLE && clock_monotonic() < end);
	cr_expect_eq(outcome, OUTCOME_OK);
	db_close(db);
}

Test(schema, only_the_current_version_is_served, .fini = leaks_check)
{
	static const struct {
		const char *sql;
		enum outcome outcome;
	} cases[] = {
	        {"SELECT 1", OUTCOME_OK},
	        {"UPDATE todo.schema_version SET version = version + 1", OUTCOME_DATABASE_SCHEMA},
	        {"DELETE FROM todo.schema_version", OUTCOME_DATABASE_SCHEMA},
	        {"DROP TABLE todo.schema_version", OUTCOME_DATABASE_SCHEMA},
	        {"REVOKE ALL ON todo.schema_version FROM todo_app", OUTCOME_DATABASE_SCHEMA},
	        {"ALTER TABLE todo.schema_version RENAME COLUMN version TO number", OUTCOME_DATABASE_SCHEMA},
	        {"DROP TABLE todo.task CASCADE", OUTCOME_DATABASE_SCHEMA},
	        {"DROP SCHEMA todo CASCADE", OUTCOME_DATABASE_SCHEMA},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char database[40];
		snprintf(database, sizeof database, "schema_%zu", i);
		postgres_database(database);
		postgres_run("todo_owner", database, cases[i].sql);
		struct db *db = open_as("todo_app", database, true);
		cr_expect_eq(db_ready(db), cases[i].outcome, "%s", cases[i].sql);
		cr_expect_eq(read_tasks(db), cases[i].outcome, "%s", cases[i].sql);
		db_close(db);
	}
}
