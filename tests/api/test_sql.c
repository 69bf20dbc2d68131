/* The schema as an operator gets it: each change can be deployed, verified and taken back, and leaves the responders'
 * role the rights that their statements need and no others. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/account.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(sql, .fini = api_end, .timeout = 240);

enum { NAME_MAX_LEN = 63, CHANGES_MAX = 32 };

/* The changes of sql/sqitch.plan, in their order. */
static size_t plan(const char *ret[CHANGES_MAX])
{
	char line[1024], name[NAME_MAX_LEN + 1];
	size_t count = 0;
	FILE *file = fopen("sql/sqitch.plan", "r");
	cr_assert_not_null(file);
	while (fgets(line, sizeof line, file))
		if (line[0] != '%' && line[0] != '\n' && line[0] != '@' && sscanf(line, "%63[^ \n]", name) == 1) {
			cr_assert(count < CHANGES_MAX);
			ret[count++] = ask_keep(view_of(name));
		}
	fclose(file);
	cr_assert(count > 0);
	return count;
}

static const char *database_make(void)
{
	const char *database = api_name("sql");
	postgres_database(database);
	return database;
}

static bool verify(const char *database, const char *change)
{
	return postgres_script("todo_owner", database, ask_format("sql/verify/%s.sql", change));
}

Test(sql, every_change_of_the_plan_can_be_verified_and_taken_back)
{
	const char *changes[CHANGES_MAX];
	size_t count = plan(changes);
	const char *database = database_make();
	for (size_t i = 0; i < count; i++)
		cr_expect(verify(database, changes[i]), "%s", changes[i]);
	for (size_t i = count; i-- > 0;) {
		cr_expect(postgres_script("todo_owner", database, ask_format("sql/revert/%s.sql", changes[i])), "%s",
		          changes[i]);
		cr_expect_not(verify(database, changes[i]), "%s is verified where it is not", changes[i]);
		for (size_t j = 0; j < i; j++)
			cr_expect(verify(database, changes[j]), "%s without %s", changes[j], changes[i]);
	}
	cr_expect_str_eq(account_value(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'todo'"), "0");
}

/* By sqitch itself, which also keeps a registry and runs each verify script after its change. */
static bool sqitch(const char *command, const char *option, const char *database)
{
	const char *const arguments[] = {
	        "sqitch", "--chdir", "sql", command, option, ask_format("db:pg://todo_owner@/%s", database), NULL};
	return postgres_client(arguments);
}

Test(sql, sqitch_deploys_verifies_and_reverts_all_of_it)
{
	const char *database = api_name("sqitch");
	postgres_run("postgres", "postgres", ask_format("CREATE DATABASE %s TEMPLATE template0", database));
	postgres_run("postgres", "postgres", ask_format("GRANT CREATE ON DATABASE %s TO todo_owner", database));
	setenv("SQITCH_FULLNAME", "todo-fcgi", 1);
	setenv("SQITCH_EMAIL", "todo-fcgi@localhost", 1);
	cr_assert(sqitch("deploy", "--verify", database));
	cr_expect(sqitch("verify", "--quiet", database));
	postgres_run("postgres", database, "GRANT TRUNCATE ON todo.task TO todo_app");
	cr_expect_not(sqitch("verify", "--quiet", database), "a right too many");
	cr_expect(sqitch("revert", "-y", database));
	cr_expect_str_eq(account_value(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'todo'"), "0");
	cr_expect(sqitch("deploy", "--verify", database), "once more");
}

/* Each script is run where one promise of its own is broken, in a transaction that the script itself rolls back. */
Test(sql, verifying_sees_what_is_broken)
{
	static const struct {
		const char *change;
		const char *harm;
	} cases[] = {
	        {"schema", "REVOKE USAGE ON SCHEMA todo FROM todo_app"},
	        {"schema", "GRANT CREATE ON SCHEMA todo TO todo_app"},
	        {"schema", "GRANT USAGE ON SCHEMA todo TO PUBLIC"},
	        {"schema", "GRANT todo_owner TO todo_app"},
	        {"schema", "ALTER ROLE todo_app BYPASSRLS"},
	        {"schema", "ALTER ROLE todo_app CREATEROLE"},
	        {"schema_version", "DELETE FROM todo.schema_version"},
	        {"schema_version", "ALTER TABLE todo.schema_version DROP CONSTRAINT schema_version_pkey"},
	        {"schema_version", "ALTER TABLE todo.schema_version DROP CONSTRAINT schema_version_only_row"},
	        {"schema_version", "REVOKE SELECT ON todo.schema_version FROM todo_app"},
	        {"schema_version", "GRANT UPDATE ON todo.schema_version TO todo_app"},
	        {"task", "ALTER TABLE todo.task ALTER COLUMN completed DROP DEFAULT"},
	        {"task", "ALTER TABLE todo.task ADD COLUMN more text"},
	        {"task", "ALTER TYPE todo.priority RENAME VALUE 'low' TO 'lower'"},
	        {"task", "DROP INDEX todo.task_by_creation"},
	        {"task", "ALTER DOMAIN todo.task_title DROP CONSTRAINT task_title_length"},
	        {"task", "ALTER DOMAIN todo.task_description DROP CONSTRAINT task_description_length"},
	        {"task", "ALTER DOMAIN todo.task_tags DROP CONSTRAINT task_tags_count"},
	        {"task", "ALTER DOMAIN todo.task_tags DROP CONSTRAINT task_tags_no_null"},
	        {"task", "ALTER TABLE todo.task DROP CONSTRAINT task_user_id_length"},
	        {"task", "REVOKE SELECT ON todo.task FROM todo_app"},
	        {"task", "REVOKE INSERT ON todo.task FROM todo_app"},
	        {"task", "REVOKE UPDATE ON todo.task FROM todo_app"},
	        {"task", "REVOKE DELETE ON todo.task FROM todo_app"},
	        {"task", "GRANT TRUNCATE ON todo.task TO todo_app"},
	        {"task", "GRANT TRIGGER ON todo.task TO todo_app"},
	        {"task", "GRANT SELECT ON todo.task TO PUBLIC"},
	        {"task", "GRANT USAGE ON TYPE todo.priority TO PUBLIC"},
	        {"task_rights", "GRANT UPDATE ON todo.task TO todo_app"},
	        {"task_rights", "GRANT UPDATE (user_id) ON todo.task TO todo_app"},
	        {"task_rights", "REVOKE UPDATE (tags) ON todo.task FROM todo_app"},
	        {"task_domains", "ALTER TABLE todo.task ALTER COLUMN description TYPE text"},
	        {"task_domains", "ALTER TABLE todo.task ALTER COLUMN tags TYPE text[]"},
	        {"task_domains", "GRANT USAGE ON TYPE todo.task_title TO PUBLIC"},
	        {"task_domains", "ALTER TABLE todo.task ADD CONSTRAINT more CHECK (title <> 'more')"},
	        {"task_short_rules", "DROP INDEX todo.task_by_priority"},
	        {"task_short_rules", "ALTER TABLE todo.task ALTER COLUMN priority_rank DROP EXPRESSION"},
	        {"task_short_rules", "ALTER TABLE todo.task DROP CONSTRAINT task_user_id_length,"
	                             " ADD CONSTRAINT task_user_id_length CHECK (octet_length(user_id) <= 255)"},
	        {"task_isolation", "ALTER TABLE todo.task NO FORCE ROW LEVEL SECURITY"},
	        {"task_isolation", "ALTER TABLE todo.task DISABLE ROW LEVEL SECURITY"},
	        {"task_isolation", "ALTER POLICY task_of_user ON todo.task USING (true)"},
	        {"task_isolation", "ALTER POLICY task_of_user ON todo.task WITH CHECK (true)"},
	        {"task_isolation", "CREATE POLICY another ON todo.task USING (true)"},
	        {"task_order", "DROP INDEX todo.task_by_update"},
	        {"task_order", "DROP INDEX todo.task_by_title"},
	        {"task_order", "ALTER TABLE todo.task DROP COLUMN due_key"},
	        {"task_order", "UPDATE todo.schema_version SET version = 1"},
	        {"revocation", "GRANT INSERT ON todo.revocation TO todo_app"},
	        {"revocation", "REVOKE SELECT ON todo.revocation FROM todo_app"},
	        {"revocation", "GRANT EXECUTE ON FUNCTION todo.revoke TO todo_app"},
	        {"revocation", "GRANT EXECUTE ON FUNCTION todo.erase TO PUBLIC"},
	        {"revocation", "REVOKE EXECUTE ON FUNCTION todo.admit FROM todo_app"},
	        {"revocation", "ALTER FUNCTION todo.erase RESET search_path"},
	        {"revocation", "ALTER FUNCTION todo.admit SECURITY DEFINER"},
	        {"revocation", "ALTER TABLE todo.revocation NO FORCE ROW LEVEL SECURITY"},
	        {"revocation", "UPDATE todo.schema_version SET version = 2"},
	};
	const char *database = database_make();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const arguments[] = {"psql",
		                                 "-X",
		                                 "-q",
		                                 "-v",
		                                 "ON_ERROR_STOP=1",
		                                 "-v",
		                                 "app_role=todo_app",
		                                 "-U",
		                                 "postgres",
		                                 "-d",
		                                 database,
		                                 "-c",
		                                 "BEGIN",
		                                 "-c",
		                                 cases[i].harm,
		                                 "-c",
		                                 "SET LOCAL ROLE todo_owner",
		                                 "-f",
		                                 ask_format("sql/verify/%s.sql", cases[i].change),
		                                 NULL};
		cr_expect_not(postgres_client(arguments), "%s after %s", cases[i].change, cases[i].harm);
	}
	const char *changes[CHANGES_MAX];
	size_t count = plan(changes);
	for (size_t i = 0; i < count; i++)
		cr_expect(verify(database, changes[i]), "%s, since nothing of it was kept", changes[i]);
}

/* What a cluster of the locale C makes unless told otherwise. */
Test(sql, verifying_sees_a_database_that_takes_bytes_for_characters)
{
	const char *database = api_name("bytes");
	const char *changes[CHANGES_MAX];
	size_t count = plan(changes);
	postgres_run(
	        "postgres", "postgres",
	        ask_format("CREATE DATABASE %s TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
	                   database));
	postgres_run("postgres", "postgres", ask_format("GRANT CREATE ON DATABASE %s TO todo_owner", database));
	for (size_t i = 0; i < count; i++)
		cr_assert(postgres_script("todo_owner", database, ask_format("sql/deploy/%s.sql", changes[i])), "%s",
		          changes[i]);
	cr_expect_not(verify(database, "task"));
}

/* ---- the responders' role ---- */

/* Who has a right to something of ours or of everybody's schema: "kind name right", sorted. What the owner has is left
 * out. */
#define RIGHTS                                                                                                        \
	"WITH acl(kind, name, acl, owner) AS ("                                                                       \
	" SELECT 'schema', nspname::text, coalesce(nspacl, acldefault('n', nspowner)), nspowner FROM pg_namespace"    \
	"  WHERE nspname IN ('todo', 'public')"                                                                       \
	" UNION ALL SELECT 'table', relname::text, coalesce(relacl, acldefault('r', relowner)), relowner FROM "       \
	"pg_class"                                                                                                    \
	"  WHERE relnamespace = 'todo'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"                        \
	" UNION ALL SELECT 'sequence', relname, coalesce(relacl, acldefault('s', relowner)), relowner FROM pg_class"  \
	"  WHERE relnamespace = 'todo'::regnamespace AND relkind = 'S'"                                               \
	" UNION ALL SELECT 'column', relname || '.' || attname, attacl, relowner FROM pg_attribute"                   \
	"  JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'todo'::regnamespace AND attacl IS NOT NULL" \
	" UNION ALL SELECT 'function', proname, coalesce(proacl, acldefault('f', proowner)), proowner FROM pg_proc"   \
	"  WHERE pronamespace = 'todo'::regnamespace"                                                                 \
	" UNION ALL SELECT 'type', typname, coalesce(typacl, acldefault('T', typowner)), typowner FROM pg_type"       \
	"  WHERE typnamespace = 'todo'::regnamespace AND typtype = 'e'"                                               \
	" UNION ALL SELECT 'database', datname, coalesce(datacl, acldefault('d', datdba)), datdba FROM pg_database"   \
	"  WHERE datname = 'todo')"                                                                                   \
	" SELECT string_agg(line, E'\\n' ORDER BY line COLLATE \"C\") FROM (SELECT concat_ws(' ', kind, name,"        \
	"  string_agg(lower(privilege_type), ',' ORDER BY privilege_type),"                                           \
	"  CASE WHEN grantee = 0 THEN 'by everybody' END) AS line"                                                    \
	"  FROM acl, aclexplode(acl) WHERE grantee IN (0, 'todo_app'::regrole) AND grantee <> owner"                  \
	"  GROUP BY kind, name, grantee) AS lines"

Test(sql, the_responders_role_has_the_rights_that_statements_need_and_no_others)
{
	/* The database is the one of sql/bootstrap.sql, seen from another. */
	cr_expect_str_eq(account_value(database_make(), RIGHTS), "column task.completed update\n"
	                                                         "column task.description update\n"
	                                                         "column task.due_date update\n"
	                                                         "column task.priority update\n"
	                                                         "column task.tags update\n"
	                                                         "column task.title update\n"
	                                                         "column task.updated_at update\n"
	                                                         "database todo connect\n"
	                                                         "function admit execute\n"
	                                                         "function erase execute\n"
	                                                         "function lock_user execute\n"
	                                                         "schema todo usage\n"
	                                                         "table revocation select\n"
	                                                         "table schema_version select\n"
	                                                         "table task delete,insert,select");
}

/* The list above is what a catalogue says; this is what happens. */
Test(sql, the_responders_role_is_refused_whatever_no_statement_does)
{
	static const char *const statements[] = {
	        "TRUNCATE todo.task",
	        "UPDATE todo.task SET user_id = 'anna'",
	        "UPDATE todo.task SET id = gen_random_uuid()",
	        "UPDATE todo.task SET created_at = now()",
	        "INSERT INTO todo.schema_version (version) VALUES (9)",
	        "UPDATE todo.schema_version SET version = version + 1",
	        "DELETE FROM todo.schema_version",
	        "TRUNCATE todo.schema_version",
	        "INSERT INTO todo.revocation (user_id, revoked_before) VALUES ('anna', now())",
	        "UPDATE todo.revocation SET revoked_before = '1970-01-01'",
	        "DELETE FROM todo.revocation",
	        "TRUNCATE todo.revocation",
	        "SELECT todo.revoke('anna')",
	        "SELECT todo.revoke_current(now())",
	        "ALTER TABLE todo.task NO FORCE ROW LEVEL SECURITY",
	        "ALTER TABLE todo.task DISABLE ROW LEVEL SECURITY",
	        "DROP POLICY task_of_user ON todo.task",
	        "CREATE POLICY another ON todo.task USING (true)",
	        "DROP TABLE todo.task",
	        "CREATE INDEX ON todo.task (title)",
	        "CREATE TRIGGER t BEFORE UPDATE ON todo.task EXECUTE FUNCTION suppress_redundant_updates_trigger()",
	        "CREATE RULE r AS ON UPDATE TO todo.task DO INSTEAD NOTHING",
	        "CREATE TABLE todo.another (id integer)",
	        "CREATE FUNCTION todo.another() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
	        "CREATE TABLE public.another (id integer)",
	        "CREATE TEMPORARY TABLE another (id integer)",
	        "CREATE SCHEMA another",
	        "CREATE ROLE another",
	        "CREATE DATABASE another",
	        "ALTER ROLE todo_app BYPASSRLS",
	        "ALTER SYSTEM SET row_security = off",
	        "SET ROLE todo_owner",
	        "SET ROLE postgres",
	        "SET SESSION AUTHORIZATION todo_owner",
	        "SET session_replication_role = replica",
	        "GRANT todo_owner TO todo_app",
	        "COPY todo.task TO '/dev/null'",
	        "COPY todo.task TO PROGRAM 'true'",
	        "SELECT pg_read_file('PG_VERSION')",
	        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
	};
	const char *database = database_make();
	/* Another's connection, so that there is one to end. */
	PGconn *superuser = postgres_connect("postgres", database);
	account_fill(database, "anna", 1, 1);
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		PGconn *conn = postgres_connect("todo_app", database);
		PQclear(PQexec(conn, "SELECT set_config('todo.user_id', 'anna', false)"));
		PGresult *result = PQexec(conn, statements[i]);
		const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		cr_expect_str_eq(state ? state : "done", "42501", "%s", statements[i]);
		PQclear(result);
		PQfinish(conn);
	}
	cr_expect_eq(PQstatus(superuser), CONNECTION_OK);
	PQfinish(superuser);
	cr_expect_str_eq(account_value(database, "SELECT count(*) FROM todo.task WHERE user_id = 'anna'"), "1");
}

/* ---- docs/operations.md, "Backup and restore" ---- */

static bool dump(const char *role, const char *database, const char *file, const char *option)
{
	const char *const command[] = {"pg_dump", "-Fc", "--schema=todo", "-U",   role,
	                               "-f",      file,  database,        option, NULL};
	return postgres_client(command);
}

static bool restore(const char *role, const char *database, const char *file, const char *option)
{
	const char *const command[] = {
	        "pg_restore", "--exit-on-error", "--single-transaction", "-U", role, "-d", database, file, option,
	        NULL};
	return postgres_client(command);
}

/* A database for todo_owner with nothing in it. */
static const char *database_make_empty(void)
{
	const char *database = api_name("empty");
	postgres_run(
	        "postgres", "postgres",
	        ask_format("CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
	                   database));
	postgres_run("postgres", "postgres", ask_format("GRANT CREATE ON DATABASE %s TO todo_owner", database));
	return database;
}

static const char *tasks_in(const char *database)
{
	return account_value(database, "SELECT count(*) FROM todo.task");
}

/* The owner is bound by row-level security; a backup of its would be one without a task in it. */
Test(sql, a_backup_by_the_owner_is_refused_or_empty)
{
	char file[] = "/tmp/todo-dump-XXXXXX";
	close(mkstemp(file));
	const char *database = database_make();
	const char *empty = database_make_empty();
	account_fill(database, "anna", 3, 1);
	cr_expect_not(dump("todo_owner", database, file, NULL));
	cr_expect(dump("todo_owner", database, file, "--enable-row-security"));
	cr_expect(restore("todo_owner", empty, file, NULL));
	cr_expect_str_eq(tasks_in(empty), "0");
	unlink(file);
}

Test(sql, a_backup_by_a_role_of_its_own_is_whole_and_the_owner_restores_it)
{
	char file[] = "/tmp/todo-dump-XXXXXX";
	const char *changes[CHANGES_MAX];
	size_t count = plan(changes);
	close(mkstemp(file));
	const char *role = api_name("backup");
	const char *database = database_make();
	const char *empty = database_make_empty();
	account_fill(database, "anna", 3, 1);
	account_fill(database, "berta", 2, 1);
	postgres_role(role, "BYPASSRLS IN ROLE pg_read_all_data");
	cr_assert(dump(role, database, file, NULL));
	cr_assert(restore("todo_owner", empty, file, NULL));
	cr_expect_str_eq(tasks_in(empty), "5");
	for (size_t i = 0; i < count; i++)
		cr_expect(verify(empty, changes[i]), "%s", changes[i]);

	/* Where the policies are in force already, the owner puts nothing in. */
	postgres_run("postgres", empty, "TRUNCATE todo.task");
	cr_expect_not(restore("todo_owner", empty, file, "--data-only"));
	cr_expect_str_eq(tasks_in(empty), "0");
	unlink(file);
}
