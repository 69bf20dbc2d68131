/* The code of docs/nextjs.md compiles, and works on a running stack; tests/nextjs/ takes it out of there. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "support/stack.h"

enum { VALUE_MAX = 512 };

TestSuite(nextjs, .timeout = 300);

Test(nextjs, the_documents_code_compiles_and_works)
{
	/* The origin that the document's settings name: nobody listens there, which no part of the stack needs. */
	const char *const settings[] = {"BETTER_AUTH_URL=http://localhost:3000", NULL};
	static const char *const names[] = {"BASE_URL", "ISSUER_DATABASE_URL", "ISSUER_SECRET",
	                                    "SUPERUSER_DATABASE_URL"};
	enum { NAMES = sizeof names / sizeof *names };
	char values[NAMES][VALUE_MAX];
	const char *command[NAMES + 5] = {"env"};
	struct stack stack = stack_make("nextjs", settings);
	cr_assert(stack_up(&stack), "the stack does not start:\n%s", stack.said.ptr);
	for (size_t i = 0; i < NAMES; i++) {
		snprintf(values[i], sizeof values[i], "%s=%s", names[i], stack_value(&stack, names[i]));
		command[1 + i] = values[i];
	}
	command[NAMES + 1] = "tests/support/npm-run";
	command[NAMES + 2] = "nextjs";
	command[NAMES + 3] = "nextjs.test.mjs";
	int status = stack_run(&stack, command);
	cr_expect_eq(status, 0, "%.*s", VIEW_ARGS(buf_view(&stack.said)));
	cr_expect(stack_down(&stack), "the stack does not stop:\n%s", stack.said.ptr);
	stack_destroy(&stack);
}
