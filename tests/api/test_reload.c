/* Live reload: secrets and key files that change while programs serve, and what HUP takes over. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/account.h"
#include "support/auth_folder.h"
#include "support/issuer.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS

#define OLD_SECRET "Xo3-old_secret_q0Zt7bW2xLr8Ny5Ju1"
#define NEW_SECRET "Yp4-new_secret_w1Au8cX3yMs9Oz6Kv2"

static struct auth_folder folder;

static void setup(void)
{
	folder = auth_folder_make();
	responder_forbid(VIEW(OLD_SECRET));
	responder_forbid(VIEW(NEW_SECRET));
}

static void teardown(void)
{
	auth_folder_remove(&folder);
	api_end();
}

TestSuite(reload, .init = setup, .fini = teardown, .timeout = 240);

/* ---- files ---- */

static const char *path_of(const char *name)
{
	return ask_format("%s/%s", folder.path, name);
}

/* As an editor does: a new file in the place of the old one. */
static void put(const char *name, const char *text)
{
	auth_folder_write(&folder, "new", view_of(text), 0600);
	cr_assert_eq(renameat(folder.fd, "new", folder.fd, name), 0);
}

/* Writes into the file that is there. */
static void overwrite(const char *name, const char *text)
{
	int fd = openat(folder.fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static const char *token_by(const char *secret)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, secret);
	const char *token = api_token_by(issuer);
	issuer_free(issuer);
	return token;
}

/* ---- programs ---- */

/* Without the secret and, unless `more` has one, the database that other tests have. */
static const char *const *settings(const char *const more[])
{
	const char *all[16] = {"BETTER_AUTH_SECRET", "LOG_REQUESTS=off"};
	size_t count = 2;
	bool has_database = false;
	for (size_t i = 0; more[i]; i++) {
		has_database = has_database || view_starts(view_of(more[i]), VIEW("DATABASE_URL"));
		all[count++] = more[i];
	}
	if (!has_database)
		all[count++] = "DATABASE_URL=postgresql:///none?host=/nowhere";
	return api_settings(all);
}

static struct responder *start(const char *name, const char *const more[])
{
	return responder_start(name, settings(more));
}

static struct responder *start_with_file(const char *workers)
{
	return start("auth",
	             (const char *const[]){ask_format("BETTER_AUTH_SECRET_FILE=%s", path_of("secret")), workers, NULL});
}

static struct responder *start_with_settings(const char *workers)
{
	return start("auth", (const char *const[]){ask_format("TODO_ENV_FILE=%s", path_of("env")), workers, NULL});
}

static int status_with(const struct responder *auth, const char *token)
{
	return api_status(auth, "/auth/me", token);
}

struct wait {
	const struct responder *responder;
	const char *target;
	const char *token;
	int status;
	const char *body; /* NULL: any */
};

static bool answers(void *context)
{
	const struct wait *wait = context;
	struct ask ask = {.target = wait->target, .token = wait->token};
	const struct answer *answer = responder_ask(wait->responder, &ask);
	return answer->status == wait->status && (!wait->body || view_equal(answer->body, view_of(wait->body)));
}

static void until_status(const struct responder *auth, const char *token, int status, const char *what)
{
	api_until_status(auth, "/auth/me", token, status, what);
}

static void until_ready(const struct responder *health, const char *body)
{
	struct wait wait = {health, "/ready", NULL, 200, body};
	until(answers, &wait, body);
}

static size_t times_logged(const struct responder *responder, const char *text)
{
	struct view log = responder_log(responder);
	size_t times = 0;
	for (const char *at; (at = memmem(log.ptr, log.len, text, strlen(text))); times++)
		log = view_from(log, (size_t)(at - log.ptr) + 1);
	return times;
}

struct wait_log {
	const struct responder *responder;
	const char *text;
	const char *token;
};

static bool is_logged(void *context)
{
	const struct wait_log *wait = context;
	/* files are looked at when a request comes, key files when a token does */
	responder_ask(wait->responder,
	              &(struct ask){.target = wait->token ? "/auth/me" : "/health", .token = wait->token});
	return responder_has_logged(wait->responder, wait->text);
}

static void until_logged(const struct responder *responder, const char *text)
{
	struct wait_log wait = {responder, text, NULL};
	until(is_logged, &wait, text);
}

#define KEPT "the changed settings are no good, the old ones stay in use"

/* ---- secrets ---- */

/* One that has the old secret from a file, and serves with it. */
static struct responder *start_with_old_secret(const char *workers)
{
	put("secret", OLD_SECRET);
	struct responder *auth = start_with_file(workers);
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	return auth;
}

Test(reload, takes_a_secret_that_changed_in_its_file)
{
	put("secret", OLD_SECRET "\n");
	struct responder *auth = start_with_file("WORKERS=0");
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	cr_expect_eq(status_with(auth, token_by(NEW_SECRET)), 401);
	put("secret", NEW_SECRET "\n");
	until_status(auth, token_by(NEW_SECRET), 200, "the new secret is in use");
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 401);
	cr_expect_eq(times_logged(auth, "secrets were read again"), 1);
}

Test(reload, takes_a_secret_written_into_the_same_file)
{
	struct responder *auth = start_with_old_secret("WORKERS=0");
	overwrite("secret", NEW_SECRET);
	until_status(auth, token_by(NEW_SECRET), 200, "the new secret is in use");
}

Test(reload, takes_it_in_every_worker)
{
	struct responder *auth = start_with_old_secret("WORKERS=3");
	put("secret", NEW_SECRET);
	for (int i = 0; i < 50; i++)
		until_status(auth, token_by(OLD_SECRET), 401, "no worker takes the old secret");
	until_status(auth, token_by(NEW_SECRET), 200, "the new secret is in use");
}

/* The rotation that the documentation describes: not one good token is refused. */
Test(reload, refuses_no_good_token_during_a_rotation)
{
	const char *old = token_by(OLD_SECRET);
	put("env", "BETTER_AUTH_SECRET=" OLD_SECRET "\n");
	struct responder *auth = start_with_settings("WORKERS=2");
	cr_expect_eq(status_with(auth, old), 200);
	put("env", "BETTER_AUTH_SECRET=" NEW_SECRET "\nBETTER_AUTH_PREVIOUS_SECRETS=" OLD_SECRET
	           "\nBETTER_AUTH_PREVIOUS_SECRETS_UNTIL=2999-01-01T00:00:00Z\n");
	struct wait wait = {auth, "/auth/me", token_by(NEW_SECRET), 200, NULL};
	for (int good = 0; good < 20;) {
		cr_expect_eq(status_with(auth, old), 200);
		good = answers(&wait) ? good + 1 : 0;
	}
	cr_expect_eq(status_with(auth, old), 200);
}

Test(reload, leaves_other_settings_as_they_are)
{
	put("env", "BETTER_AUTH_SECRET=" OLD_SECRET "\nCORS_ORIGINS=https://one.example\n");
	struct responder *auth = start_with_settings("WORKERS=0");
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	put("env", "BETTER_AUTH_SECRET=" NEW_SECRET "\nCORS_ORIGINS=https://two.example\n");
	until_status(auth, token_by(NEW_SECRET), 200, "the new secret is in use");
	const struct {
		const char *origin;
		bool allowed;
	} cases[] = {{"https://one.example", true}, {"https://two.example", false}};
	for (size_t i = 0; i < 2; i++) {
		const char *const params[] = {ask_format("HTTP_ORIGIN=%s", cases[i].origin), NULL};
		struct ask ask = {.target = "/auth/me", .token = token_by(NEW_SECRET), .params = params};
		struct view allowed = answer_header(responder_ask(auth, &ask), "Access-Control-Allow-Origin");
		cr_expect_eq(!view_is_absent(allowed), cases[i].allowed, "%s", cases[i].origin);
	}
}

#define OLD_TOKEN "Old-metrics_token_0Zt7bW2xLr8N"

/* One that has the old token for metrics from a file. */
static struct responder *start_with_old_token(void)
{
	put("secret", OLD_SECRET);
	put("metrics", OLD_TOKEN);
	return start("health",
	             (const char *const[]){ask_format("BETTER_AUTH_SECRET_FILE=%s", path_of("secret")), "METRICS_TOKEN",
	                                   ask_format("METRICS_TOKEN_FILE=%s", path_of("metrics")), NULL});
}

Test(reload, takes_a_new_token_for_metrics)
{
	struct responder *health = start_with_old_token();
	struct wait old = {health, "/metrics", OLD_TOKEN, 401, NULL};
	struct wait new = {health, "/metrics", "New-metrics_token_0Zt7bW2xLr8N", 200, NULL};
	cr_expect_not(answers(&old));
	put("metrics", "New-metrics_token_0Zt7bW2xLr8N");
	until(answers, &new, "the new token is taken");
	cr_expect(answers(&old));
}

/* ---- files that are no good ---- */

Test(reload, keeps_the_token_for_metrics_when_the_new_one_is_none_that_could_be_sent)
{
	struct responder *health = start_with_old_token();
	struct wait old = {health, "/metrics", OLD_TOKEN, 200, NULL};
	cr_expect(answers(&old));
	put("metrics", "New-metrics,token_0Zt7bW2xLr8N");
	until_logged(health, KEPT);
	until_logged(health, "METRICS_TOKEN: no bearer token has a comma");
	cr_expect(answers(&old));
}

Test(reload, keeps_the_old_secret_when_the_new_file_is_no_good)
{
	static const char *const bad[] = {"short", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	                                  "better-auth-secret-12345678901234567890", ("two\nlines of " NEW_SECRET)};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct responder *auth = start_with_old_secret("WORKERS=0");
		put("secret", bad[i]);
		until_logged(auth, KEPT);
		cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200, "%s", bad[i]);
		put("secret", NEW_SECRET);
		until_status(auth, token_by(NEW_SECRET), 200, "a good one is taken after a bad one");
	}
}

Test(reload, keeps_the_old_secret_when_the_file_is_gone_or_open_to_others)
{
	struct responder *auth = start_with_old_secret("WORKERS=0");
	cr_assert_eq(unlinkat(folder.fd, "secret", 0), 0);
	until_logged(auth, "does not exist");
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	put("secret", NEW_SECRET);
	until_status(auth, token_by(NEW_SECRET), 200, "the new secret is in use");
	cr_assert_eq(chmod(path_of("secret"), 0644), 0);
	until_logged(auth, "chmod 600");
	cr_expect_eq(status_with(auth, token_by(NEW_SECRET)), 200);
}

Test(reload, says_once_in_the_log_and_in_ready_that_settings_are_no_good)
{
	const char *url = api_database(api_name("reload"));
	put("env", ask_format("DATABASE_URL=%s\nBETTER_AUTH_SECRET=" OLD_SECRET "\n", url));
	struct responder *health =
	        start("health", (const char *const[]){"DATABASE_URL", ask_format("TODO_ENV_FILE=%s", path_of("env")),
	                                              ask_format("STATE_DIR=%s", path_of("state")), NULL});
	until_ready(health, "{\"status\":\"ready\"}");
	put("env", ask_format("DATABASE_URL=%s\nBETTER_AUTH_SECRET=" NEW_SECRET "\nJWT_LEEWAY=soon\n", url));
	until_ready(health, "{\"status\":\"ready\",\"warnings\":[\"settings\"]}");
	for (int64_t end = clock_monotonic() + 6 * CLOCK_SECOND; clock_monotonic() < end;)
		until_ready(health, "{\"status\":\"ready\",\"warnings\":[\"settings\"]}");
	cr_expect_eq(times_logged(health, KEPT), 1);
	cr_expect_eq(times_logged(health, "JWT_LEEWAY"), 1);
	put("env", ask_format("DATABASE_URL=%s\nBETTER_AUTH_SECRET=" NEW_SECRET "\nJWT_LEEWAY=10\n", url));
	until_ready(health, "{\"status\":\"ready\"}");
}

/* ---- key files ---- */

static void put_keys(const struct issuer *issuer)
{
	struct buf text = buf_make(4096);
	struct issuer *one = (struct issuer *)(uintptr_t)issuer;
	issuer_jwks(&one, 1, &text);
	put("keys", ask_keep(buf_view(&text)));
	buf_destroy(&text);
}

Test(reload, takes_a_changed_key_file_and_keeps_the_last_good_one)
{
	const char *url = api_database(api_name("reload"));
	struct issuer *old = issuer_new(ALG_EDDSA, "old");
	struct issuer *new = issuer_new(ALG_EDDSA, "new");
	put_keys(old);
	const char *const more[] = {ask_format("DATABASE_URL=%s", url), ask_format("JWKS_FILE=%s", path_of("keys")),
	                            ask_format("STATE_DIR=%s", path_of("state")), NULL};
	struct responder *auth = start("auth", more);
	struct responder *health = start("health", more);
	until_ready(health, "{\"status\":\"ready\"}");
	cr_expect_eq(status_with(auth, api_token_by(old)), 200);
	put_keys(new);
	until_status(auth, api_token_by(old), 401, "the old key is dropped");
	cr_expect_eq(status_with(auth, api_token_by(new)), 200);
	put("keys", "{\"keys\":[");
	until_ready(health, "{\"status\":\"ready\",\"warnings\":[\"keys\"]}");
	struct wait_log kept = {auth, "the last good keys stay in use", api_token_by(new)};
	until(is_logged, &kept, kept.text);
	cr_expect_eq(status_with(auth, api_token_by(new)), 200);
	put_keys(old);
	until_ready(health, "{\"status\":\"ready\"}");
	until_status(auth, api_token_by(old), 200, "the key is back");
	issuer_free(old);
	issuer_free(new);
}

/* ---- the database's address ---- */

/* One that has the old secret and that address from files. */
static struct responder *start_with_address(const char *url)
{
	put("url", url);
	put("secret", OLD_SECRET);
	return start("tasks", (const char *const[]){"DATABASE_URL", ask_format("DATABASE_URL_FILE=%s", path_of("url")),
	                                            ask_format("BETTER_AUTH_SECRET_FILE=%s", path_of("secret")), NULL});
}

Test(reload, goes_to_another_database_only_if_that_serves)
{
	const char *first = api_name("reload");
	const char *second = api_name("reload");
	const char *first_url = api_database(first);
	const char *second_url = api_database(second);
	account_fill(second, "anna", 1, 10);
	struct responder *tasks = start_with_address(first_url);
	struct wait empty = {tasks, "/api/anna/tasks", token_by(OLD_SECRET), 200, "[]"};
	cr_expect(answers(&empty));
	put("url", "postgresql://todo_app:wrong@/none?host=/nowhere");
	until_logged(tasks, "the new database can't be used");
	cr_expect(answers(&empty));
	put("url", second_url);
	struct wait_log in_use = {tasks, "secrets were read again", NULL};
	until(is_logged, &in_use, "the other address is in use");
	cr_expect_not(answers(&empty));
}

Test(reload, tries_a_refused_change_again_without_another_one)
{
	const char *first = api_name("reload");
	const char *second = api_name("reload");
	char *second_url = postgres_url("todo_app", second);
	struct responder *tasks = start_with_address(api_database(first));
	struct wait empty = {tasks, "/api/anna/tasks", token_by(OLD_SECRET), 200, "[]"};
	cr_expect(answers(&empty));
	put("url", second_url);
	free(second_url);
	until_logged(tasks, "the new database can't be used");
	/* Past the second look at a file that has just been written. */
	for (int64_t end = clock_monotonic() + 3 * CLOCK_SECOND; clock_monotonic() < end;)
		cr_expect(answers(&empty));
	postgres_database(second);
	struct wait_log in_use = {tasks, "secrets were read again", NULL};
	until(is_logged, &in_use, "the database that came later is in use");
}

/* ---- workers and HUP ---- */

static bool is_replaced(void *context)
{
	const struct wait *wait = context;
	pid_t pid = 0;
	return responder_workers(wait->responder, &pid, 1) == 1 && pid != wait->status;
}

Test(reload, a_worker_that_dies_while_a_file_is_no_good_is_replaced_by_one_that_serves)
{
	struct responder *auth = start_with_old_secret("WORKERS=1");
	put("secret", "no good");
	until_logged(auth, KEPT);
	for (int i = 0; i < 3; i++) {
		pid_t worker = 0;
		cr_assert_eq(responder_workers(auth, &worker, 1), 1);
		kill(worker, SIGKILL);
		struct wait other = {.responder = auth, .status = worker};
		until(is_replaced, &other, "another worker is there");
		cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	}
}

Test(reload, hup_takes_all_settings_over_without_dropping_a_request)
{
	put("env", "BETTER_AUTH_SECRET=" OLD_SECRET "\nHSTS_MAX_AGE=1\n");
	struct responder *auth = start_with_settings("WORKERS=2");
	const char *token = token_by(OLD_SECRET);
	const char *const params[] = {"HTTPS=on", NULL};
	struct ask ask = {.target = "/auth/me", .token = token, .params = params};
	cr_expect(view_equal(answer_header(responder_ask(auth, &ask), "Strict-Transport-Security"), VIEW("max-age=1")));
	put("env", "BETTER_AUTH_SECRET=" OLD_SECRET "\nHSTS_MAX_AGE=2\n");
	kill(responder_pid(auth), SIGHUP);
	int64_t end = clock_monotonic() + 30 * CLOCK_SECOND;
	for (int fresh = 0; fresh < 20;) {
		const struct answer *answer = responder_ask(auth, &ask);
		cr_assert_eq(answer->status, 200);
		cr_assert(clock_monotonic() < end);
		fresh = view_equal(answer_header(answer, "Strict-Transport-Security"), VIEW("max-age=2")) ? fresh + 1
		                                                                                          : 0;
	}
}

static bool has_two_workers(void *context)
{
	const struct wait *wait = context;
	pid_t pids[3];
	return responder_workers(wait->responder, pids, 3) == 2;
}

#define REFUSED "the new program can't start; the old one goes on"

Test(reload, hup_with_settings_that_are_no_good_leaves_the_old_program_serving)
{
	put("env", "BETTER_AUTH_SECRET=" OLD_SECRET "\n");
	struct responder *auth = start_with_settings("WORKERS=2");
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	pid_t before[2];
	pid_t after[2];
	struct wait both = {.responder = auth};
	until(has_two_workers, &both, "both workers are there");
	cr_assert_eq(responder_workers(auth, before, 2), 2);
	put("env", "BETTER_AUTH_SECRET=" OLD_SECRET "\nJWT_LEEWAY=soon\n");
	kill(responder_pid(auth), SIGHUP);
	until_logged(auth, REFUSED);
	cr_expect_eq(times_logged(auth, "does not start: JWT_LEEWAY"), 1);
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	cr_assert_eq(responder_workers(auth, after, 2), 2);
	cr_expect(before[0] == after[0] && before[1] == after[1], "no worker was stopped");
	put("env", "BETTER_AUTH_SECRET=" NEW_SECRET "\nJWT_LEEWAY=10\n");
	kill(responder_pid(auth), SIGHUP);
	until_status(auth, token_by(NEW_SECRET), 200, "the next order is carried out");
}

Test(reload, hup_with_a_broken_program_leaves_the_old_one_serving)
{
	static const char *const broken[] = {"",
	                                     "#!/bin/sh\nexit 0\n",
	                                     "#!/bin/sh\nexit 1\n",
	                                     "#!/nowhere\n",
	                                     "\177ELF and nothing more",
	                                     "#!/bin/sh\nkill -SEGV $$\n"};
	const char *file = path_of("program");
	struct responder *auth = NULL;
	put("secret", OLD_SECRET);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		cr_assert_eq(system(ask_format("cp '%s' '%s.new' && mv '%s.new' '%s'", responder_program("auth"), file,
		                               file, file)),
		             0);
		auth = responder_start_file(
		        file, settings((const char *const[]){
		                      ask_format("BETTER_AUTH_SECRET_FILE=%s", path_of("secret")), "WORKERS=1", NULL}));
		cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
		put("program", broken[i]);
		cr_assert_eq(chmod(file, 0700), 0);
		kill(responder_pid(auth), SIGHUP);
		until_logged(auth, REFUSED);
		cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200, "%s", broken[i]);
		cr_expect_eq(responder_stop(auth), 0);
	}
}

Test(reload, a_stop_does_not_wait_for_a_program_that_is_being_tried)
{
	const char *file = path_of("program");
	put("secret", OLD_SECRET);
	cr_assert_eq(system(ask_format("cp '%s' '%s'", responder_program("auth"), file)), 0);
	struct responder *auth = responder_start_file(
	        file, settings((const char *const[]){ask_format("BETTER_AUTH_SECRET_FILE=%s", path_of("secret")),
	                                             "WORKERS=1", NULL}));
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	put("program", ask_format("#!/bin/sh\necho tried >'%s'\nexec sleep 600\n", path_of("tried")));
	cr_assert_eq(chmod(file, 0700), 0);
	kill(responder_pid(auth), SIGHUP);
	struct stat stat_of;
	for (int64_t end = clock_monotonic() + 30 * CLOCK_SECOND; fstatat(folder.fd, "tried", &stat_of, 0) != 0;)
		cr_assert(clock_monotonic() < end);
	cr_expect_eq(status_with(auth, token_by(OLD_SECRET)), 200);
	cr_expect_eq(responder_stop(auth), 0);
}
