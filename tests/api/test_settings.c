/* Settings that a program must not start with: one clear line that names the
 * setting and never tells its value. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/api.h"

TestSuite(settings, .fini = api_end, .timeout = 240);

/* Stands in every value that must not be told. */
#define VALUE "Xq7"

/* Lines of a log that end. */
static size_t count_lines(struct view log)
{
	size_t count = 0;
	while (log.len > 0) {
		view_cut(&log, '\n');
		count++;
	}
	return count;
}

static bool holds(struct view text, const char *part)
{
	return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part));
}

/* It does not start, and says so in one line that names `setting`. */
static void expect_refusal(const char *program, const char *const settings[], const char *setting, const char *tried)
{
	struct responder *responder = responder_start(program, settings);
	int status = responder_wait(responder);
	struct view log = responder_log(responder);
	cr_expect_eq(status, 1, "%s: it ended with %d, having logged %.*s", tried, status, VIEW_ARGS(log));
	cr_expect_eq(count_lines(log), 1, "%s: %.*s", tried, VIEW_ARGS(log));
	cr_expect(holds(log, " error: does not start: "), "%s: %.*s", tried, VIEW_ARGS(log));
	cr_expect(holds(log, setting), "%s: no word of %s: %.*s", tried, setting, VIEW_ARGS(log));
	cr_expect_not(holds(log, VALUE), "%s: the line tells the value: %.*s", tried, VIEW_ARGS(log));
}

static void expect_each_refused(const char *program, const char *const cases[][3], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *more[] = {cases[i][0], cases[i][1], NULL};
		const char *setting =
		        cases[i][2] ? cases[i][2] : ask_format("%.*s", (int)strcspn(cases[i][0], "="), cases[i][0]);
		expect_refusal(program, api_settings(more), setting, cases[i][0]);
	}
}

#define EACH(cases) (cases), sizeof(cases) / sizeof *(cases)

Test(settings, refuses_names_of_ours_that_do_not_exist)
{
	static const char *const cases[][3] = {
	        {"JWT_LEEWAYS=" VALUE},     {"JWT_SECRET=" VALUE VALUE VALUE},
	        {"JWKS_URI=" VALUE},        {"TODO_DATABASE=" VALUE},
	        {"AUTH_SECRET=" VALUE},     {"TODO_=" VALUE},
	        {"JWT_leeway=" VALUE},      {"TODO_DATABASE_URL_=" VALUE},
	        {"JWT_ISSUER_FILE=" VALUE},
	};
	expect_each_refused("tasks", EACH(cases));
}

Test(settings, refuses_values_that_are_none)
{
	static const char *const cases[][3] = {
	        {"JWT_LEEWAY=61"},
	        {"JWT_LEEWAY=-1"},
	        {"JWT_LEEWAY=" VALUE},
	        {"JWT_LEEWAY=3.5"},
	        {"JWT_LEEWAY=030"},
	        {"JWT_LEEWAY=99999999999999999999"},
	        {"JWT_SHARED_SECRET=maybe" VALUE},
	        {"JWT_SHARED_SECRET_ALG=" VALUE},
	        {"JWT_SHARED_SECRET_ALG=none"},
	        {"JWT_SHARED_SECRET_ALG=RS256"},
	        {"JWT_SHARED_SECRET_ALG=hs256"},
	        {"JWT_REQUIRED_SCOPE=two " VALUE},
	        {"JWKS_RSA_ALG=HS256"},
	        {"JWKS_RSA_ALG=" VALUE},
	        {"JWKS_REFRESH=0"},
	        {"JWKS_COOLDOWN=0"},
	        {"JWKS_TIMEOUT=61"},
	        {"JWKS_MAX_STALE=" VALUE},
	        {"JWKS_INSECURE_LOOPBACK=2"},
	        {"JWKS_URL=ftp://" VALUE ".example/jwks"},
	        {"JWKS_URL=http://" VALUE ".example/jwks"},
	        {"JWKS_URL=http://127.0.0.1:1/" VALUE},
	        {"JWKS_URL=http://" VALUE ".example/jwks", "JWKS_INSECURE_LOOPBACK=1"},
	        {"JWKS_URL=http://127.0.0.1." VALUE ".example/jwks", "JWKS_INSECURE_LOOPBACK=1"},
	        {"JWKS_URL=http://localhost@" VALUE ".example/jwks", "JWKS_INSECURE_LOOPBACK=1"},
	        {"JWKS_URL=https://user:" VALUE "@a.example/jwks"},
	        {"JWKS_URL=file:///" VALUE},
	        {"JWKS_FILE=/nowhere/" VALUE},
	        {"BETTER_AUTH_URL=" VALUE},
	        {"BETTER_AUTH_URL=ftp://" VALUE ".example"},
	        {"BETTER_AUTH_PREVIOUS_SECRETS_UNTIL=" VALUE},
	        {"CORS_ORIGINS=*"},
	        {"CORS_ORIGINS=https://" VALUE ".example/"},
	        {"CORS_ORIGINS=https://a.example,null"},
	        {"CORS_MAX_AGE=86401"},
	        {"CORS_MAX_AGE=" VALUE},
	        {"HSTS_MAX_AGE=" VALUE},
	        {"TODO_DATABASE_TLS=" VALUE},
	        {"TODO_DATABASE_ROLE_CHECK=" VALUE},
	        {"TODO_DATABASE_TIMEOUT=0"},
	        {"TODO_DATABASE_TIMEOUT=31"},
	        {"TODO_DATABASE_PREPARE=" VALUE},
	        {"TODO_ENV=" VALUE},
	        {"WORKERS=-1"},
	        {"WORKERS=129"},
	        {"WORKERS=" VALUE},
	        {"WORKERS=1.5"},
	        {"STATE_DIR=relative/" VALUE},
	        {"STATE_DIR=/tmp/" VALUE},
	        {"STATE_DIR=/dev/shm/" VALUE},
	        {"STATE_DIR=/nowhere/" VALUE "/x"},
	        {"BASE_PATH=no-slash-" VALUE},
	        {"BASE_PATH=/" VALUE "/"},
	        {"BASE_PATH=/" VALUE "//x"},
	        {"BASE_PATH=/" VALUE "/../x"},
	        {"BASE_PATH=/%zz" VALUE},
	        {"TODO_ENV_FILE=/nowhere"},
	};
	expect_each_refused("tasks", EACH(cases));
}

/* Each program of the house, not only the one that was thought of. */
Test(settings, are_judged_alike_by_every_program)
{
	static const char *const programs[] = {"health", "auth", "tasks"};
	static const char *const cases[][3] = {
	        {"JWT_LEEWAY=61"},       {"BETTER_AUTH_SECRET=short" VALUE},
	        {"TODO_UNKNOWN=" VALUE}, {"STATE_DIR=/tmp/" VALUE},
	        {"CORS_ORIGINS=*"},
	};
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		expect_each_refused(programs[i], EACH(cases));
}

Test(settings, refuses_weak_secrets)
{
#define LONG "abcdefghijklmnopqrstuvwxyz012345"
	static const char *const cases[][3] = {
	        {"BETTER_AUTH_SECRET=better-auth-secret-12345678901234567890"},
	        {"BETTER_AUTH_SECRET=" VALUE "-short"},
	        {"BETTER_AUTH_SECRET=" VALUE "9-t0o-sh0rt-by-one-byte-31by"},
	        {"BETTER_AUTH_SECRET=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	        {"BETTER_AUTH_SECRET=abcdefgabcdefgabcdefgabcdefgabcdefgabcdefg"},
	        {"BETTER_AUTH_SECRET=your-super-secret-key-change-me-please-" VALUE},
	        {"BETTER_AUTH_SECRET=change-me-in-production-0123456789-" VALUE},
	        {"BETTER_AUTH_SECRET=YOUR_SECRET_KEY_0123456789_abcdefghij" VALUE},
	        {"BETTER_AUTH_SECRET=", NULL, "BETTER_AUTH_SECRET"},
	        {"BETTER_AUTH_SECRET", NULL, "BETTER_AUTH_SECRET"},
	        {"BETTER_AUTH_SECRET=" LONG VALUE, "JWT_SHARED_SECRET_ALG=HS384", "BETTER_AUTH_SECRET"},
	        {"BETTER_AUTH_SECRET=" LONG VALUE "0123456789abcde", "JWT_SHARED_SECRET_ALG=HS512",
	         "BETTER_AUTH_SECRET"},
	        {"BETTER_AUTH_PREVIOUS_SECRETS=" VALUE "-short",
	         "BETTER_AUTH_PREVIOUS_SECRETS_UNTIL=2099-01-01T00:00:00Z"},
	        {"BETTER_AUTH_PREVIOUS_SECRETS=" LONG VALUE, NULL, "BETTER_AUTH_PREVIOUS_SECRETS_UNTIL"},
	        {"BETTER_AUTH_PREVIOUS_SECRETS=" LONG "1," LONG "2," LONG VALUE,
	         "BETTER_AUTH_PREVIOUS_SECRETS_UNTIL=2099-01-01T00:00:00Z"},
	};
	expect_each_refused("auth", EACH(cases));
}

/* An issuer or audience is switched off by a word, never by silence. */
Test(settings, refuses_to_check_neither_issuer_nor_audience_by_oversight)
{
	static const char *const cases[][3] = {
	        {"BETTER_AUTH_URL", NULL, "JWT_ISSUER"},
	        {"BETTER_AUTH_URL=", NULL, "JWT_ISSUER"},
	        {"BETTER_AUTH_URL", "JWT_ISSUER=https://a.example", "JWT_AUDIENCE"},
	        {"BETTER_AUTH_URL", "JWT_AUDIENCE=https://a.example", "JWT_ISSUER"},
	};
	expect_each_refused("auth", EACH(cases));
	struct responder *open = responder_start(
	        "auth",
	        api_settings((const char *const[]){"BETTER_AUTH_URL", "JWT_ISSUER=none", "JWT_AUDIENCE=none", NULL}));
	struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna")};
	cr_expect_eq(responder_ask(open, &ask)->status, 200);
}

Test(settings, refuses_a_bad_database_url_and_tells_none_of_it)
{
	static const char *const cases[][3] = {
	        {"DATABASE_URL", NULL, "DATABASE_URL"},
	        {"DATABASE_URL=", NULL, "DATABASE_URL"},
	        {"DATABASE_URL=" VALUE},
	        {"DATABASE_URL=postgresql://user:" VALUE "secret-password@host:port/db"},
	        {"DATABASE_URL=postgresql://user:" VALUE "secret-password@/db?nosuch=" VALUE},
	        {"DATABASE_URL=postgresql://user:" VALUE "secret-password@/db?service=" VALUE},
	        {"DATABASE_URL=mysql://user:" VALUE "secret-password@/db"},
	        {"TODO_DATABASE_URL=" VALUE "/x", NULL, "DATABASE_URL"},
	};
	expect_each_refused("tasks", EACH(cases));
	expect_each_refused("health", EACH(cases));
}

/* ---- the settings file ---- */

static const char *file_of(const char *name, const char *text, mode_t mode)
{
	const char *build = getenv("BUILD");
	char *root = realpath(build ? build : "build/release", NULL);
	cr_assert_not_null(root);
	const char *path = ask_format("%s/%s-%d", root, name, getpid());
	free(root);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
	close(fd);
	return path;
}

Test(settings, come_from_a_better_auth_env_file_as_it_is)
{
	const char *path = file_of("good.env",
	                           "# the application's own\n"
	                           "NODE_ENV=production\n"
	                           "NEXT_PUBLIC_API_URL=\"https://todo.example\"\n"
	                           "BETTER_AUTH_SECRET=\"" API_SECRET "\"\n"
	                           "export BETTER_AUTH_URL=" API_ORIGIN "/api/auth # the base\n"
	                           "GITHUB_CLIENT_SECRET='" VALUE "'\n",
	                           0600);
	struct responder *auth =
	        responder_start("auth", (const char *const[]){ask_format("TODO_ENV_FILE=%s", path), NULL});
	struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna")};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	unlink(path);
}

Test(settings, name_file_and_line_of_what_is_wrong_in_a_file)
{
	static const struct {
		const char *line;
		const char *setting;
	} cases[] = {
	        {"JWT_LEEWAY=" VALUE, "JWT_LEEWAY"},
	        {"TODO_NOTHING=" VALUE, "TODO_NOTHING"},
	        {"WORKERS=4", "WORKERS"},
	        {"TODO_ENV_FILE=/" VALUE, "TODO_ENV_FILE"},
	        {"JWT_ISSUER=\"" VALUE, "JWT_ISSUER"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *path = file_of("bad.env", ask_format("# one\nOTHER=1\n%s\n", cases[i].line), 0600);
		const char *const more[] = {ask_format("TODO_ENV_FILE=%s", path), NULL};
		struct responder *auth = responder_start("auth", api_settings(more));
		cr_expect_eq(responder_wait(auth), 1, "%s", cases[i].line);
		struct view log = responder_log(auth);
		cr_expect(holds(log, cases[i].setting) && holds(log, path) && holds(log, "3"), "%s: %.*s",
		          cases[i].line, VIEW_ARGS(log));
		cr_expect_not(holds(log, VALUE), "%s: %.*s", cases[i].line, VIEW_ARGS(log));
		cr_expect_eq(count_lines(log), 1, "%.*s", VIEW_ARGS(log));
		unlink(path);
	}
}

Test(settings, are_not_read_from_a_file_that_others_can_read)
{
	static const mode_t modes[] = {0644, 0604, 0666, 0602};
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		const char *path = file_of("open.env", "OTHER=" VALUE "\n", modes[i]);
		const char *const more[] = {ask_format("TODO_ENV_FILE=%s", path), NULL};
		struct responder *auth = responder_start("auth", api_settings(more));
		cr_expect_eq(responder_wait(auth), 1, "mode %o", modes[i]);
		unlink(path);
	}
}

Test(settings, are_not_read_from_a_file_in_the_document_root)
{
	const char *path = file_of("published.env", "OTHER=1\n", 0600);
	const char *root = ask_format("%.*s", (int)(strrchr(path, '/') - path), path);
	const char *const more[] = {ask_format("TODO_ENV_FILE=%s", path), ask_format("DOCUMENT_ROOT=%s", root), NULL};
	struct responder *auth = responder_start("auth", api_settings(more));
	cr_expect_eq(responder_wait(auth), 1);
	unlink(path);
}

Test(settings, take_a_secret_from_a_file_of_its_own)
{
	const char *path = file_of("secret", API_SECRET "\n", 0600);
	const char *const more[] = {"BETTER_AUTH_SECRET", ask_format("BETTER_AUTH_SECRET_FILE=%s", path), NULL};
	struct responder *auth = responder_start("auth", api_settings(more));
	struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna")};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	const char *const both[] = {ask_format("BETTER_AUTH_SECRET_FILE=%s", path), NULL};
	expect_refusal("auth", api_settings(both), "BETTER_AUTH_SECRET", "both");
	unlink(path);
}

/* A client of a web server can set parameters, and under plain CGI they are
 * the environment: only those that CGI itself makes of a header, HTTP_*. */
Test(settings, are_never_read_from_parameters_of_a_request)
{
	struct responder *auth = responder_start("auth", api_settings((const char *const[]){NULL}));
	const char *const params[] = {"JWT_ISSUER=none", "JWT_LEEWAY=" VALUE, "BETTER_AUTH_SECRET=short",
	                              "BASE_PATH=/x",    "TODO_UNKNOWN=1",    NULL};
	struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna"), .params = params};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
}
