/* todoctl warm: mod_fcgid starts all processes that it may, before a client needs them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/stack.h"

enum { TEXT_MAX = 1024 };

TestSuite(warm, .timeout = 300);

static struct stack stack;

static void up(const char *server, const char *name)
{
	static char setting[64];
	static const char *settings[] = {setting, "ISSUER=none", "WEB_PROCESSES=6", "WORKERS=3", NULL};
	snprintf(setting, sizeof setting, "SERVER=%s", server);
	stack = stack_make(name, settings);
	cr_assert(stack_up(&stack), "%s does not start:\n%s", server, stack.said.ptr);
}

static void down(void)
{
	cr_expect(stack_down(&stack), "it does not stop:\n%s", stack.said.ptr);
	stack_destroy(&stack);
}

/* Processes of that program in this stack, whoever started them. */
static int processes_of(const char *name)
{
	char program[TEXT_MAX];
	snprintf(program, sizeof program, "%s/cgi-bin/%s.fcgi", stack_value(&stack, "PROGRAMS"), name);
	const char *const command[] = {
	        "bash", "-c",
	        "for file in /proc/[0-9]*/cmdline; do { IFS= read -r -d '' name <\"$file\"; } 2>/dev/null; "
	        "[[ $name != \"$0\" ]] || echo; done | wc -l",
	        program, NULL};
	cr_assert_eq(stack_run(&stack, command), 0);
	buf_add_char(&stack.said, '\0');
	return (int)strtol(stack.said.ptr, NULL, 10);
}

Test(warm, starts_all_processes_of_mod_fcgid)
{
	static const char *const programs[] = {"health", "auth", "tasks", "account"};
	up("apache", "warm-a");
	cr_expect_lt(processes_of("auth"), 6, "mod_fcgid starts processes ahead of need by itself now");
	cr_expect_eq(stack_warm(&stack, "6", NULL), 0, "%s", stack.said.ptr);
	cr_expect(strstr(stack.said.ptr, "ok    tasks: 6 processes are up"), "%s", stack.said.ptr);
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		cr_expect_eq(processes_of(programs[i]), 6, "%s", programs[i]);
	down();
}

Test(warm, counts_the_workers_that_share_a_socket)
{
	up("lighttpd", "warm-l");
	cr_expect_eq(stack_warm(&stack, "3", NULL), 0, "%s", stack.said.ptr);
	cr_expect(strstr(stack.said.ptr, "ok    account: 3 processes are up"), "%s", stack.said.ptr);
	cr_expect_eq(stack_warm(&stack, "3", "http://127.0.0.1:1"), 1, "%s", stack.said.ptr);
	cr_expect(strstr(stack.said.ptr, "BAD   tasks: http://127.0.0.1:1 can't be asked"), "%s", stack.said.ptr);
	char elsewhere[TEXT_MAX];
	snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", stack_value(&stack, "BASE_URL"));
	cr_expect_eq(stack_warm(&stack, "3", elsewhere), 1, "%s", stack.said.ptr);
	cr_expect(strstr(stack.said.ptr, "BAD   tasks: none of its processes was reached"), "%s", stack.said.ptr);
	down();
}
