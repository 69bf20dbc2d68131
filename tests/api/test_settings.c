/* Settings that a program must not start with: one clear line that names the
 * setting and never tells its value. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/auth_folder.h"
#include "support/issuer.h"
#include "support/machine.h"

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
	        {"METRICS_TOKEN=" VALUE ",0123456789abcdef"},
	        {"METRICS_TOKEN=0123456789abcdef" VALUE " "},
	        {"METRICS_TOKEN=\t0123456789abcdef" VALUE},
	        {"TODO_ENV_FILE=/nowhere"},
	};
	expect_each_refused("tasks", EACH(cases));
}

/* Each program of the house, not only the one that was thought of. */
Test(settings, are_judged_alike_by_every_program)
{
	static const char *const programs[] = {"health", "auth", "tasks", "account"};
	static const char *const cases[][3] = {
	        {"JWT_LEEWAY=61"},       {"BETTER_AUTH_SECRET=short" VALUE},
	        {"TODO_UNKNOWN=" VALUE}, {"STATE_DIR=/tmp/" VALUE},
	        {"CORS_ORIGINS=*"},      {"WORKERS=" VALUE},
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

/* mod_fcgid multiplies processes itself. */
Test(settings, let_a_program_fork_only_when_workers_says_so)
{
	static const char *const none[] = {"LOG_REQUESTS=off", "WORKERS=0", "WORKERS="};
	struct ask ask = {.target = "/health"};
	pid_t workers[4];
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		struct responder *health =
		        responder_start("health", api_settings((const char *const[]){none[i], NULL}));
		cr_expect_eq(responder_ask(health, &ask)->status, 200);
		cr_expect_eq(responder_workers(health, workers, 4), 0, "%s", none[i]);
	}
	struct responder *health = responder_start("health", api_settings((const char *const[]){"WORKERS=2", NULL}));
	cr_expect_eq(responder_ask(health, &ask)->status, 200);
	cr_expect_gt(responder_workers(health, workers, 4), 0);
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

Test(settings, are_not_read_from_a_file_of_another_user)
{
	if (geteuid() != 0)
		cr_skip_test("only root can give files away");
	const char *path = file_of("foreign.env", "OTHER=" VALUE "\n", 0600);
	const char *const more[] = {ask_format("TODO_ENV_FILE=%s", path), NULL};
	cr_assert_eq(chown(path, 65534, 65534), 0);
	expect_refusal("auth", api_settings(more), "TODO_ENV_FILE", "another's file");
	unlink(path);
	path = file_of("secret", API_SECRET "\n", 0600);
	const char *const secret[] = {"BETTER_AUTH_SECRET", ask_format("BETTER_AUTH_SECRET_FILE=%s", path), NULL};
	cr_assert_eq(chown(path, 65534, 65534), 0);
	expect_refusal("auth", api_settings(secret), "BETTER_AUTH_SECRET_FILE", "another's secret");
	unlink(path);
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

/* ---- the default settings file ---- */

/* A folder of this test with a settings file where a home has one. */
static const char *home_with(const struct auth_folder *folder, const char *name, const char *text, mode_t mode)
{
	const char *home = ask_format("%s/%s", folder->path, name);
	const char *path = ask_format("%s/.config/todo-fcgi/env", home);
	cr_assert(mkdir(home, 0700) == 0 && mkdir(ask_format("%s/.config", home), 0700) == 0 &&
	          mkdir(ask_format("%s/.config/todo-fcgi", home), 0700) == 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
	close(fd);
	return home;
}

/* An empty TODO_ENV_FILE is none, and an empty STATE_DIR the default. */
#define NOTHING_CHOSEN "TODO_ENV_FILE=", "STATE_DIR="
#define GOOD "BETTER_AUTH_SECRET=" API_SECRET "\nBETTER_AUTH_URL=" API_ORIGIN "\n"
#define BAD "JWT_LEEWAY=" VALUE "\n"

/* The home is the password database's; HOME is whatever a web server left there. */
Test(settings, come_from_the_home_that_the_password_database_names)
{
	struct auth_folder folder = auth_folder_make();
	const char *home = home_with(&folder, "home", GOOD, 0600);
	const char *other = home_with(&folder, "other", BAD, 0600);
	if (!machine_own_files())
		cr_skip_test("only root can make namespaces");
	cr_assert(machine_set_home(home));
	responder_forbid(VIEW(API_SECRET));
	const char *const settings[] = {NOTHING_CHOSEN, ask_format("HOME=%s", other),
	                                ask_format("XDG_CONFIG_HOME=%s/.config", other),
	                                ask_format("XDG_STATE_HOME=%s", other), NULL};
	struct responder *auth = responder_start("auth", settings);
	struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna")};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200, "%.*s", VIEW_ARGS(responder_log(auth)));
	/* The shared folder is below the same home, every part of it closed to others. */
	struct stat stat_now;
	cr_assert_eq(stat(ask_format("%s/.local/state/todo-fcgi", home), &stat_now), 0);
	cr_expect_eq(stat_now.st_mode & 07777, 0700);
	cr_expect_neq(access(ask_format("%s/.local", other), F_OK), 0);
	cr_expect_neq(access(ask_format("%s/todo-fcgi", other), F_OK), 0);
	/* A file that was chosen, and the environment, win. */
	cr_assert_eq(rename(home, ask_format("%s/gone", folder.path)), 0);
	cr_assert_eq(rename(other, home), 0);
	expect_refusal("auth", api_settings((const char *const[]){NOTHING_CHOSEN, NULL}), "JWT_LEEWAY", "no choice");
	auth = responder_start("auth", api_settings((const char *const[]){"STATE_DIR=", NULL}));
	cr_expect_eq(responder_ask(auth, &ask)->status, 200, "chosen");
	auth = responder_start("auth", api_settings((const char *const[]){NOTHING_CHOSEN, "JWT_LEEWAY=5", NULL}));
	cr_expect_eq(responder_ask(auth, &ask)->status, 200, "environment");
	responders_close();
	auth_folder_remove(&folder);
}

Test(settings, are_not_read_from_a_home_where_others_can_read_them)
{
	static const mode_t modes[] = {0644, 0640, 0620};
	struct auth_folder folder = auth_folder_make();
	/* The group of root may read what is root's. */
	bool root = geteuid() == 0;
	if (!machine_own_files())
		cr_skip_test("only root can make namespaces");
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		const char *home = home_with(&folder, ask_format("%o", modes[i]), GOOD, modes[i]);
		cr_assert(machine_set_home(home));
		struct responder *auth = responder_start("auth", (const char *const[]){NOTHING_CHOSEN, NULL});
		if (modes[i] == 0640 && root) {
			struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna")};
			cr_expect_eq(responder_ask(auth, &ask)->status, 200);
			continue;
		}
		cr_expect_eq(responder_wait(auth), 1, "mode %o", modes[i]);
		struct view log = responder_log(auth);
		cr_expect(holds(log, home) && count_lines(log) == 1, "%.*s", VIEW_ARGS(log));
	}
	responders_close();
	auth_folder_remove(&folder);
}

Test(settings, need_no_file_at_all)
{
	struct auth_folder folder = auth_folder_make();
	if (!machine_own_files())
		cr_skip_test("only root can make namespaces");
	cr_assert(machine_set_home(folder.path));
	struct responder *auth = responder_start("auth", api_settings((const char *const[]){NOTHING_CHOSEN, NULL}));
	struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna")};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200, "%.*s", VIEW_ARGS(responder_log(auth)));
	/* But a folder for what processes share, which without a home must be named. */
	cr_assert(machine_set_home("/nonexistent"));
	expect_refusal("auth", api_settings((const char *const[]){NOTHING_CHOSEN, NULL}), "STATE_DIR", "no home");
	responders_close();
	auth_folder_remove(&folder);
}

/* ---- STATE_DIR ---- */

Test(settings, take_no_state_dir_that_others_could_meddle_with)
{
	static const mode_t modes[] = {0755, 0710, 0701, 0770, 0500};
	static const char *const programs[] = {"health", "auth", "tasks", "account"};
	struct auth_folder folder = auth_folder_make();
	const char *path = ask_format("STATE_DIR=%s/state", folder.path);
	const char *const settings[] = {path, NULL};
	const char *const *all = api_settings(settings);
	cr_assert_eq(mkdirat(folder.fd, "state", 0700), 0);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		cr_assert_eq(fchmodat(folder.fd, "state", modes[i], 0), 0);
		for (size_t j = 0; j < sizeof programs / sizeof *programs; j++)
			expect_refusal(programs[j], all, "STATE_DIR", ask_format("mode %o", modes[i]));
	}
	cr_assert_eq(fchmodat(folder.fd, "state", 0700, 0), 0);
	/* A link to what would be good, with a slash behind it as well. */
	cr_assert_eq(symlinkat("state", folder.fd, "link"), 0);
	expect_refusal("auth", api_settings((const char *const[]){ask_format("STATE_DIR=%s/link", folder.path), NULL}),
	               "STATE_DIR", "a link");
	expect_refusal("auth", api_settings((const char *const[]){ask_format("STATE_DIR=%s/link/", folder.path), NULL}),
	               "STATE_DIR", "a link with a slash");
	auth_folder_write(&folder, "file", VIEW(""), 0600);
	expect_refusal("auth", api_settings((const char *const[]){ask_format("STATE_DIR=%s/file", folder.path), NULL}),
	               "STATE_DIR", "a file");
	expect_refusal("auth",
	               api_settings((const char *const[]){path, ask_format("DOCUMENT_ROOT=%s", folder.path), NULL}),
	               "STATE_DIR", "published");
	if (geteuid() == 0) {
		cr_assert_eq(fchownat(folder.fd, "state", 65534, 0, 0), 0);
		expect_refusal("auth", all, "STATE_DIR", "another's");
		cr_assert_eq(fchownat(folder.fd, "state", 0, 0, 0), 0);
	}
	/* And as it must be, it is taken. */
	struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna")};
	cr_expect_eq(responder_ask(responder_start("auth", all), &ask)->status, 200);
	responders_close();
	auth_folder_remove(&folder);
}

Test(settings, make_a_state_dir_that_only_its_user_can_enter)
{
	struct auth_folder folder = auth_folder_make();
	const char *const more[] = {ask_format("STATE_DIR=%s/state", folder.path), NULL};
	mode_t before = umask(0);
	struct responder *auth = responder_start("auth", api_settings(more));
	umask(before);
	struct ask ask = {.method = "POST", .target = "/auth/validate", .token = api_token("anna")};
	struct stat stat_now;
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	cr_assert_eq(fstatat(folder.fd, "state", &stat_now, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect(S_ISDIR(stat_now.st_mode) && (stat_now.st_mode & 07777) == 0700 && stat_now.st_uid == geteuid());
	responders_close();
	auth_folder_remove(&folder);
}

/* ---- secrets of any script ---- */

/* The HMAC key is the raw UTF-8 bytes, wherever the secret is read from. */
Test(settings, take_a_secret_of_any_script_for_the_bytes_that_it_is)
{
#define FOREIGN "Schl\xc3\xbcssel-\xe5\xaf\x86\xe9\x92\xa5-\xf0\x9f\x97\x9d-q0Zt7bW2xLr8"
	const char *file = file_of("secret", FOREIGN "\n", 0600);
	const char *env = file_of("foreign.env", "BETTER_AUTH_SECRET=\"" FOREIGN "\"\n", 0600);
	const char *const sources[] = {"BETTER_AUTH_SECRET=" FOREIGN, ask_format("BETTER_AUTH_SECRET_FILE=%s", file),
	                               ask_format("TODO_ENV_FILE=%s", env)};
	struct issuer *issuer = issuer_new_secret_bytes(ALG_HS256, VIEW(FOREIGN));
	/* The same letters, one of them composed of two code points: other bytes, another key. */
	struct issuer *decomposed = issuer_new_secret_bytes(
	        ALG_HS256, VIEW("Schlu\xcc\x88ssel-\xe5\xaf\x86\xe9\x92\xa5-\xf0\x9f\x97\x9d-q0Zt7bW2xLr8"));
	char *good = issuer_token_for(issuer, "anna", API_ORIGIN, clock_now());
	char *bad = issuer_token_for(decomposed, "anna", API_ORIGIN, clock_now());
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		const char *const more[] = {"BETTER_AUTH_SECRET", sources[i], NULL};
		struct responder *auth = responder_start("auth", api_settings(more));
		struct ask ask = {.target = "/auth/me", .token = good};
		cr_expect_eq(responder_ask(auth, &ask)->status, 200, "%s", sources[i]);
		ask.token = bad;
		expect_problem(responder_ask(auth, &ask), 401, "unauthorized", sources[i]);
	}
	free(good);
	free(bad);
	issuer_free(issuer);
	issuer_free(decomposed);
	unlink(file);
	unlink(env);
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
