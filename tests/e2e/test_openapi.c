/* docs/openapi.yaml passes its linter, describes what the tables say, and both servers answer as it
 * describes; tests/openapi/ asks, with packages of npm. */
#include <criterion/criterion.h>
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
	run(&stack, (const char *const[]){"tests/openapi/run", "check.mjs", NULL}, "check");
	stack_destroy(&stack);
}

static void expect_answers(const char *server, const char *name)
{
	char setting[64], base[128];
	snprintf(setting, sizeof setting, "SERVER=%s", server);
	const char *const settings[] = {
	        setting,
	        "BETTER_AUTH_SECRET=" SECRET,
	        "METRICS_TOKEN=" METRICS_TOKEN,
	        "TODO_TASK_LIMIT=20",
	        "LIMIT_USER=6",
	        "LIMIT_USER_BURST=1000",
	        NULL,
	};
	struct stack stack = stack_make(name, settings);
	cr_assert(stack_up(&stack), "%s does not start:\n%s", server, stack.said.ptr);
	snprintf(base, sizeof base, "BASE_URL=%s", stack_value(&stack, "BASE_URL"));
	run(&stack, (const char *const[]){"env", base, "tests/openapi/run", "answers.mjs", NULL}, server);
	run(&stack, (const char *const[]){"bin/stack", "database", "stop", NULL}, "the database");
	run(&stack, (const char *const[]){"env", base, "tests/openapi/run", "answers.mjs", "down", NULL}, server);
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
