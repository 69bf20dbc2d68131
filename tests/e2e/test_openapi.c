/* docs/openapi.yaml passes its linter, describes what the tables say, and both servers answer as it
 * describes; tests/openapi/ asks, with packages of npm. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "support/stack.h"

#define SECRET "2f1d7c9b4e8a60f3955b7c21d04ae86f"
#define METRICS_TOKEN "Wq7-metrics_0Zt7bW2xLr8N"

TestSuite(openapi, .timeout = 300);

static void run(struct stack *stack, const char *const command[], const char *what)
{
	int status = stack_run(stack, command);
	cr_expect_eq(status, 0, "%s:\n%.*s", what, VIEW_ARGS(buf_view(&stack->said)));
}

Test(openapi, passes_the_linter_and_describes_the_tables)
{
	const char *const settings[] = {NULL};
	struct stack stack = stack_make("openapi", settings);
	run(&stack, (const char *const[]){"tests/support/npm-run", "openapi", "check.mjs", NULL}, "check");
	stack_destroy(&stack);
}

/* Asks what answers.mjs asks in that state of the database; NULL: all is well. */
static void ask(struct stack *stack, const char *base, const char *state)
{
	run(stack, (const char *const[]){"env", base, "tests/support/npm-run", "openapi", "answers.mjs", state, NULL},
	    base);
}

static void execute(PGconn *connection, const char *sql)
{
	PGresult *result = PQexec(connection, sql);
	cr_expect_eq(PQresultStatus(result), PGRES_COMMAND_OK, "%s: %s", sql, PQerrorMessage(connection));
	PQclear(result);
}

static void expect_answers(const char *server, const char *name)
{
	char setting[64], base[128];
	snprintf(setting, sizeof setting, "SERVER=%s", server);
	const char *const settings[] = {
	        setting,        "BETTER_AUTH_SECRET=" SECRET, "METRICS_TOKEN=" METRICS_TOKEN, "TODO_TASK_LIMIT=20",
	        "LIMIT_USER=6", "LIMIT_USER_BURST=1000",      "TODO_DATABASE_TIMEOUT=3",      NULL,
	};
	struct stack stack = stack_make(name, settings);
	cr_assert(stack_up(&stack), "%s does not start:\n%s", server, stack.said.ptr);
	snprintf(base, sizeof base, "BASE_URL=%s", stack_value(&stack, "BASE_URL"));
	ask(&stack, base, NULL);
	PGconn *owner = PQconnectdb(stack_value(&stack, "OWNER_DATABASE_URL"));
	execute(owner, "BEGIN; LOCK TABLE todo.task");
	ask(&stack, base, "locked");
	execute(owner, "ROLLBACK");
	execute(owner, "REVOKE ALL ON todo.task FROM todo_app;"
	               " REVOKE EXECUTE ON FUNCTION todo.erase(text, timestamptz) FROM todo_app");
	ask(&stack, base, "broken");
	PQfinish(owner);
	run(&stack, (const char *const[]){"bin/stack", "database", "stop", NULL}, "the database");
	ask(&stack, base, "down");
	cr_expect(stack_down(&stack), "%s does not stop:\n%s", server, stack.said.ptr);
	stack_destroy(&stack);
}

Test(openapi, lighttpd_answers_as_it_describes)
{
	expect_answers("lighttpd", "openapi-l");
}

Test(openapi, apache_answers_as_it_describes)
{
	expect_answers("apache", "openapi-a");
}
