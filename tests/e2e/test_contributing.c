/* docs/CONTRIBUTING.md, followed to the letter in a copy of the tree, makes an endpoint that works. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/api.h"

TestSuite(contributing, .fini = api_end, .timeout = 300);

static char folder[] = "/tmp/contributing-XXXXXX";

/* Runs the command in the tree; the test fails when the command does. */
static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

static void copy_remove(void)
{
	run(ask_format("rm -rf %s", folder));
}

static const char *built(void)
{
	const char *build = getenv("BUILD");
	return build ? build : "build/release";
}

/* The copy has what is built already, so that only what the steps touch is built again. */
static void follow(void)
{
	const char *build = built();
	const char *mode = strrchr(build, '/') + 1;
	cr_assert_not_null(mkdtemp(folder));
	run(ask_format("cp -a --parents Makefile lib cgi-bin docs tests/openapi tests/support/npm-run "
	               "%s/lib %s/cgi-bin %s/libtodo.a %s",
	               build, build, build, folder));
	run(ask_format("mkdir -p build/openapi && ln -s \"$PWD/build/openapi\" %s/build/openapi", folder));
	run(ask_format("node tests/support/follow.mjs %s", folder));
	run(ask_format("env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory -C %s MODE=%s WERROR=-Werror "
	               "%s/cgi-bin/auth.fcgi >%s/log 2>&1 || "
	               "{ cat %s/log; exit 1; }",
	               folder, mode, build, folder, folder));
}

Test(contributing, makes_an_endpoint_of_one_row_and_one_handler, .fini = copy_remove)
{
	follow();
	const char *program = ask_format("%s/%s/cgi-bin/auth.fcgi", folder, built());
	struct responder *auth =
	        responder_start_file(program, api_settings((const char *const[]){"DATABASE_URL", NULL}));
	const struct ask good = {.target = "/auth/remaining", .token = api_token("anna")};
	const struct answer *answer = responder_ask(auth, &good);
	cr_expect_eq(answer->status, 200, "%d", answer->status);
	const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(answer_json(answer), "seconds");
	cr_expect(cJSON_IsNumber(seconds) && seconds->valuedouble > 0, "%.*s", VIEW_ARGS(answer->body));

	expect_problem(responder_ask(auth, &(struct ask){.target = "/auth/remaining"}), 401, "unauthorized",
	               "no token");
	const struct ask post = {.method = "POST", .target = "/auth/remaining", .token = good.token};
	expect_problem(responder_ask(auth, &post), 405, "method_not_allowed", "POST");
	run(ask_format("%s/tests/support/npm-run openapi check.mjs", folder));
}
