/* todoctl: its tokens are what the keyring takes, and its refusals are clear. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "auth/keyring.h"
#include "base/clock.h"
#include "support/leaks.h"

TestSuite(todoctl, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* 64 bytes, enough for each algorithm. */
#define SECRET "BETTER_AUTH_SECRET=q8Zr2LmX5vTn0KcYw7HsJd4GfBp9EaUi6oRxNtVbQzMyWlCkPhSgDjFeA3u1I_-~"
#define GOOD "TODO_ENV=development " SECRET " BETTER_AUTH_URL=https://Auth.example:443/api/auth "

struct outcome_seen {
	int status;
	char text[32768]; /* standard output and error, in the order of writing */
};

/* Runs `build/…/bin/todoctl ARGUMENTS` with nothing but these variables. The
 * file TODO_ENV_FILE is made empty, so that no settings of the user count. */
static void run(const char *variables, const char *arguments, struct outcome_seen *ret)
{
	const char *build = getenv("BUILD");
	char command[2048];

	snprintf(command, sizeof(command),
	         "umask 077; file=$(mktemp) && env -i TODO_ENV_FILE=\"$file\" %s %s/bin/todoctl %s 2>&1; status=$?; "
	         "rm -f \"$file\"; exit $status",
	         variables, build ? build : "build/release", arguments);
	FILE *output = popen(command, "r");
	cr_assert_not_null(output);
	size_t len = fread(ret->text, 1, sizeof(ret->text) - 1, output);
	ret->text[len] = '\0';
	int status = pclose(output);
	cr_assert(WIFEXITED(status));
	ret->status = WEXITSTATUS(status);
}

/* What responders with these variables make of the token. */
static void expect_accepted(char *const *environment, const char *line, const char *user, const char *email,
                            const char *name, int64_t ttl)
{
	struct config_source source = {environment, ABSENT};
	struct keyring_parts parts = {.state_dir = -1};
	struct buf error = buf_make(4096);
	struct keyring *keyring = NULL;
	struct config config;
	struct claims claims;
	struct arena arena;

	cr_assert(arena_init(&arena, 1024 * 1024));
	cr_assert(config_load(&source, &config, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	cr_assert(keyring_open(&config, &parts, &keyring, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	struct view token = {line, strlen(line) - 1};
	cr_assert_eq(line[token.len], '\n');
	int64_t now = clock_now();
	enum jwt_error result = keyring_verify(keyring, &arena, token, now, &claims);
	cr_assert_eq(result, JWT_OK, "%s", jwt_error_text(result));
	cr_expect(view_equal(claims.subject, view_of(user)));
	cr_expect(view_equal(claims.email, view_of(email)));
	cr_expect(view_equal(claims.name, view_of(name)));
	cr_expect_eq(claims.expires_at - claims.issued_at, ttl * CLOCK_SECOND);
	cr_expect(claims.issued_at <= now);
	cr_expect_eq(keyring_verify(keyring, &arena, token, claims.expires_at + 61 * CLOCK_SECOND, &claims),
	             JWT_EXPIRED);
	keyring_close(keyring);
	buf_destroy(&error);
	arena_destroy(&arena);
}

Test(todoctl, makes_tokens_that_the_keyring_takes)
{
	static const char *const algorithms[] = {"HS256", "HS384", "HS512"};

	for (size_t i = 0; i < COUNT(algorithms); i++) {
		char variables[512];
		char algorithm[64];
		struct outcome_seen seen;
		char *environment[] = {(char *)"TODO_ENV_FILE=", algorithm, (char *)SECRET,
		                       (char *)"BETTER_AUTH_URL=https://auth.example", NULL};

		snprintf(algorithm, sizeof(algorithm), "JWT_SHARED_SECRET_ALG=%s", algorithms[i]);
		snprintf(variables, sizeof(variables), GOOD "%s", algorithm);
		run(variables, "token --user 'u \"1\" \xc3\xa9' --email a@b.example --name 'A \\ B' --ttl 60", &seen);
		cr_assert_eq(seen.status, 0, "%s", seen.text);
		expect_accepted(environment, seen.text, "u \"1\" \xc3\xa9", "a@b.example", "A \\ B", 60);
		run(variables, "token --user u1", &seen);
		cr_assert_eq(seen.status, 0, "%s", seen.text);
		expect_accepted(environment, seen.text, "u1", NULL, NULL, 3600);
	}
}

Test(todoctl, follows_the_issuer_and_audience_of_the_settings)
{
	struct outcome_seen seen;
	char *own[] = {(char *)"TODO_ENV_FILE=", (char *)SECRET, (char *)"JWT_ISSUER=the issuer",
	               (char *)"JWT_AUDIENCE=the audience", NULL};
	char *none[] = {(char *)"TODO_ENV_FILE=", (char *)SECRET, (char *)"JWT_ISSUER=none",
	                (char *)"JWT_AUDIENCE=none", NULL};

	run(GOOD "JWT_ISSUER='the issuer' JWT_AUDIENCE='the audience'", "token --user u", &seen);
	cr_assert_eq(seen.status, 0, "%s", seen.text);
	expect_accepted(own, seen.text, "u", NULL, NULL, 3600);
	run("TODO_ENV=development " SECRET " JWT_ISSUER=none JWT_AUDIENCE=none", "token --user u", &seen);
	cr_assert_eq(seen.status, 0, "%s", seen.text);
	expect_accepted(none, seen.text, "u", NULL, NULL, 3600);
}

Test(todoctl, refuses_tokens_that_it_must_not_make)
{
	static const struct {
		const char *variables;
		const char *line;
	} cases[] = {
	        {SECRET " BETTER_AUTH_URL=https://a.example", "tokens are made with TODO_ENV=development only"},
	        {GOOD "TODO_ENV=production", "tokens are made with TODO_ENV=development only"},
	        {"TODO_ENV=development BETTER_AUTH_URL=https://a.example", "BETTER_AUTH_SECRET is not set"},
	        {GOOD "JWKS_FILE=/keys", "with JWKS_URL, JWKS_FILE or JWKS_TABLE the shared secret verifies no token, "
	                                 "unless JWT_SHARED_SECRET=1"},
	        {"TODO_ENV=development " SECRET, "set BETTER_AUTH_URL, or both JWT_ISSUER and JWT_AUDIENCE"},
	        {"TODO_ENV=development " SECRET " JWT_ISSUER=x",
	         "set BETTER_AUTH_URL, or both JWT_ISSUER and JWT_AUDIENCE"},
	        {GOOD "BETTER_AUTH_URL=ftp://x", "BETTER_AUTH_URL is not an http or https URL"},
	        {GOOD "TODO_ENV=test", "TODO_ENV (environment): must be one of production|development"},
	        {GOOD "JWT_LEEWAY=61", "JWT_LEEWAY (environment): must be a whole number from 0 to 60"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct outcome_seen seen;
		char line[256];

		snprintf(line, sizeof(line), "todoctl token: %s\n", cases[i].line);
		run(cases[i].variables, "token --user u", &seen);
		cr_expect_eq(seen.status, 1, "%s", line);
		cr_expect_str_eq(seen.text, line);
	}
}

Test(todoctl, signs_with_no_weak_secret)
{
	struct outcome_seen seen;

	run(GOOD "BETTER_AUTH_SECRET=better-auth-secret-12345678901234567890", "token --user u", &seen);
	cr_expect_eq(seen.status, 1);
	run(GOOD "BETTER_AUTH_SECRET=short", "token --user u", &seen);
	cr_expect_eq(seen.status, 1);
	cr_expect_null(strstr(seen.text, "short-"));
}

Test(todoctl, explains_wrong_use)
{
	static const char *const cases[] = {
	        "",
	        "nothing",
	        "token",
	        "token --user ''",
	        "token --user ' '",
	        "token --user \"$(printf 'a\\tb')\"",
	        "token --user \"$(printf '\\377')\"",
	        "token --user \"$(printf '%0256d' 1)\"",
	        "token --user u extra",
	        "token --user",
	        "token --user u --ttl 3601",
	        "token --user u --ttl 0",
	        "token --user u --ttl -1",
	        "token --user u --ttl 1h",
	        "token --user u --email ''",
	        "token --user u --name ''",
	        "token --user u --admin",
	        "settings all",
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct outcome_seen seen;

		run(GOOD, cases[i], &seen);
		cr_expect_eq(seen.status, 2, "%s", cases[i]);
		cr_expect_not_null(strstr(seen.text, "usage: todoctl"), "%s", cases[i]);
	}
}

Test(todoctl, prints_a_sample_of_the_settings)
{
	struct outcome_seen seen;

	run("", "settings", &seen);
	cr_expect_eq(seen.status, 0);
	cr_expect_not_null(strstr(seen.text, "\n#BETTER_AUTH_SECRET=\n"));
	cr_expect_not_null(strstr(seen.text, "\n#JWT_LEEWAY=30\n"));
}

Test(todoctl, tells_its_version_and_its_commands)
{
	struct outcome_seen seen;

	run("", "--version", &seen);
	cr_expect_eq(seen.status, 0);
	cr_expect_eq(strncmp(seen.text, "todoctl ", 8), 0);
	run("", "--help", &seen);
	cr_expect_eq(seen.status, 0);
	cr_expect_not_null(strstr(seen.text, "todoctl token --user ID"));
	cr_expect_not_null(strstr(seen.text, "todoctl settings\n"));
}

Test(todoctl, fails_when_nobody_reads)
{
	struct outcome_seen seen;

	run("", "settings >/dev/full", &seen);
	cr_expect_eq(seen.status, 1);
}
