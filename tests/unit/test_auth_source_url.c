/* JWKS_URL: what is fetched, how often, what is kept and what is shared. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/source_url.h"
#include "base/clock.h"
#include "base/state_dir.h"
#include "support/auth_folder.h"
#include "support/auth_server.h"
#include "support/certificate.h"
#include "support/issuer.h"
#include "support/leaks.h"

#define NOW (INT64_C(1800000000) * CLOCK_SECOND)
#define REFRESH (300 * CLOCK_SECOND)
#define COOLDOWN (30 * CLOCK_SECOND)
#define MAX_STALE (3600 * CLOCK_SECOND)
#define PATIENT (20 * CLOCK_SECOND)

static struct auth_folder folder;
static struct auth_server server;
static struct buf notes;
static struct buf error;

static void setup(void)
{
	folder = auth_folder_make();
	server = auth_server_start(NULL, NULL);
	notes = buf_make(64 * 1024);
	error = buf_make(1024);
}

static void teardown(void)
{
	auth_server_stop(&server);
	auth_folder_remove(&folder);
	buf_destroy(&notes);
	buf_destroy(&error);
	leaks_check();
}

TestSuite(source_url, .init = setup, .fini = teardown);

static struct source_url_options standard(void)
{
	return (struct source_url_options){
	        .url = view_of(server.url),
	        .ca_file = VIEW("/etc/ssl/certs/ca-certificates.crt"),
	        .insecure_loopback = true,
	        .rsa_alg = ALG_RS256,
	        .refresh = REFRESH,
	        .cooldown = COOLDOWN,
	        .timeout = PATIENT,
	        .max_stale = MAX_STALE,
	        .state_dir = folder.fd,
	};
}

static struct source *open_with(const struct source_url_options *options)
{
	struct source *source = NULL;

	cr_assert(source_url_open(options, &source, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	return source;
}

static struct source *open_standard(void)
{
	struct source_url_options options = standard();

	return open_with(&options);
}

/* A set of as many fresh keys as there are letters, each its kid. */
static void serve_keys(const char *kids)
{
	struct issuer *issuers[8] = {NULL};
	struct buf jwks = buf_make(8192);
	size_t count = strlen(kids);

	for (size_t i = 0; i < count; i++)
		issuers[i] = issuer_new(ALG_EDDSA, (char[]){kids[i], '\0'});
	issuer_jwks(issuers, count, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	for (size_t i = 0; i < count; i++)
		issuer_free(issuers[i]);
	buf_destroy(&jwks);
}

/* The kids that the source holds, in order; "-" for no set. */
static const char *kids(const struct source *source)
{
	static char text[64];
	const struct jwks *jwks = source->type->keys(source);
	size_t len = 0;

	if (!jwks)
		return "-";
	for (size_t i = 0; i < jwks->count; i++)
		text[len++] = key_kid(jwks->keys[i]).ptr[0];
	text[len] = '\0';
	return text;
}

static bool routine(struct source *source, int64_t now)
{
	return source->type->update(source, now, SOURCE_ROUTINE, &notes);
}

static bool unknown_kid(struct source *source, int64_t now)
{
	return source->type->update(source, now, SOURCE_UNKNOWN_KID, &notes);
}

static int hits(void)
{
	return server.state->hits;
}

static bool noted(const char *part)
{
	buf_add_char(&notes, '\0');
	notes.len--;
	return strstr(notes.ptr, part) != NULL;
}

/* Changes `text`, of a URL's copy or lock, into its path. */
static const char *path_of(const char *suffix)
{
	static char path[AUTH_FOLDER_PATH + NAME_MAX + 2];
	DIR *dir = opendir(folder.path);

	path[0] = '\0';
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (strstr(entry->d_name, suffix))
			snprintf(path, sizeof(path), "%s/%s", folder.path, entry->d_name);
	closedir(dir);
	return path;
}

/* ---- fetching and refreshing --------------------------------------------------- */

Test(source_url, fetches_when_first_asked_and_then_when_due)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect_str_eq(kids(source), "-");
	cr_expect_eq(hits(), 0, "opening fetches nothing");
	cr_expect(routine(source, NOW));
	cr_expect_str_eq(kids(source), "a");
	cr_expect_eq(notes.len, 0, "%.*s", VIEW_ARGS(buf_view(&notes)));
	cr_expect_not(routine(source, NOW + REFRESH - 1));
	cr_expect_eq(hits(), 1);
	serve_keys("b");
	cr_expect(routine(source, NOW + REFRESH));
	cr_expect_str_eq(kids(source), "b");
	cr_expect_eq(hits(), 2);
	source->type->close(source);
}

Test(source_url, an_unchanged_set_is_no_change)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	cr_expect_not(routine(source, NOW + REFRESH));
	cr_expect_eq(hits(), 2);
	cr_expect_not(routine(source, NOW + REFRESH + 1));
	cr_expect_eq(hits(), 2);
	source->type->close(source);
}

Test(source_url, a_removed_key_is_gone)
{
	struct source *source = open_standard();

	serve_keys("ab");
	cr_expect(routine(source, NOW));
	cr_expect_str_eq(kids(source), "ab");
	serve_keys("b");
	cr_expect(routine(source, NOW + REFRESH));
	cr_expect_str_eq(kids(source), "b");
	source->type->close(source);
}

Test(source_url, asks_plainly)
{
	struct source *source = open_standard();
	char home[AUTH_FOLDER_PATH];

	snprintf(home, sizeof(home), "%s", folder.path);
	auth_folder_write(&folder, ".netrc", VIEW("machine 127.0.0.1 login someone password secret\n"), 0600);
	setenv("HOME", home, 1);
	serve_keys("a");
	cr_expect(routine(source, NOW));
	cr_expect(view_starts(view_of(server.state->request), VIEW("GET /api/auth/jwks HTTP/1.1\r\n")), "%s",
	          server.state->request);
	cr_expect_null(strcasestr(server.state->request, "\r\nAuthorization:"));
	cr_expect_null(strcasestr(server.state->request, "\r\nCookie:"));
	source->type->close(source);
}

/* ---- answers that are no good ---------------------------------------------------- */

struct bad_answer {
	enum auth_server_manner manner;
	const char *body;
	const char *note;
};

static const struct bad_answer bad_answers[] = {
        {AUTH_SERVER_ACCEPTED, NULL, "the answer is not a 200\n"},
        {AUTH_SERVER_REDIRECT, NULL, "not a 200 but a redirect, which is not followed"},
        {AUTH_SERVER_ERROR, NULL, "not a 200 but a 5xx"},
        {AUTH_SERVER_NOT_FOUND, NULL, "not a 200 but a 4xx"},
        {AUTH_SERVER_CUT, NULL, "no key set fetched"},
        {AUTH_SERVER_HUGE, "", "too large"},
        {AUTH_SERVER_ENDLESS, "", "too large"},
        {AUTH_SERVER_OK, "", "not a JWK Set"},
        {AUTH_SERVER_OK, "{}", "not a JWK Set"},
        {AUTH_SERVER_OK, "{\"keys\":[]}", "without a usable key"},
        {AUTH_SERVER_OK, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "without a usable key"},
        {AUTH_SERVER_OK, "<!doctype html><title>Sign in</title>", "not a JWK Set"},
};

static void serve_badly(const struct bad_answer *bad)
{
	if (bad->body)
		auth_server_serve(&server, bad->manner, view_of(bad->body));
	else
		server.state->manner = (int)bad->manner;
}

Test(source_url, keeps_the_last_good_set_when_the_answer_is_bad, .timeout = 120)
{
	for (size_t i = 0; i < sizeof(bad_answers) / sizeof(bad_answers[0]); i++) {
		struct source *source;
		int before;

		unlink(path_of(".copy"));
		unlink(path_of(".lock"));
		source = open_standard();
		serve_keys("a");
		cr_expect(routine(source, NOW));
		serve_badly(&bad_answers[i]);
		buf_reset(&notes, 0);
		before = hits();
		cr_expect_not(routine(source, NOW + REFRESH), "%zu", i);
		cr_expect_str_eq(kids(source), "a", "%zu", i);
		cr_expect_eq(hits(), before + 1, "%zu: one request, and no redirect followed", i);
		cr_expect(noted(bad_answers[i].note), "%zu: %.*s", i, VIEW_ARGS(buf_view(&notes)));
		source->type->close(source);
	}
}

Test(source_url, keeps_it_for_so_long_and_no_longer)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	server.state->manner = AUTH_SERVER_ERROR;
	cr_expect_not(routine(source, NOW + MAX_STALE - 1));
	cr_expect_str_eq(kids(source), "a");
	cr_expect(routine(source, NOW + MAX_STALE));
	cr_expect_str_eq(kids(source), "-");
	server.state->manner = AUTH_SERVER_OK;
	cr_expect(routine(source, NOW + MAX_STALE + COOLDOWN));
	cr_expect_str_eq(kids(source), "a");
	source->type->close(source);
}

Test(source_url, gives_up_on_a_silent_server, .timeout = 60)
{
	struct source_url_options options = standard();
	struct source *source;

	options.timeout = CLOCK_SECOND / 5;
	source = open_with(&options);
	server.state->manner = AUTH_SERVER_SILENT;
	cr_expect_not(routine(source, NOW));
	cr_expect_str_eq(kids(source), "-");
	cr_expect(noted("JWKS_URL: no key set fetched: "));
	source->type->close(source);
}

Test(source_url, survives_a_server_that_is_not_there)
{
	struct source *source = open_standard();

	auth_server_stop(&server);
	cr_expect_not(routine(source, NOW));
	cr_expect_str_eq(kids(source), "-");
	source->type->close(source);
}

Test(source_url, tries_a_failed_fetch_again_after_the_cooldown_only)
{
	struct source *source = open_standard();

	serve_keys("a");
	server.state->manner = AUTH_SERVER_ERROR;
	for (int i = 0; i < 50; i++) {
		cr_expect_not(routine(source, NOW + i));
		cr_expect_not(unknown_kid(source, NOW + i));
	}
	cr_expect_eq(hits(), 1);
	server.state->manner = AUTH_SERVER_OK;
	cr_expect_not(routine(source, NOW + COOLDOWN - 1));
	cr_expect(routine(source, NOW + COOLDOWN));
	cr_expect_eq(hits(), 2);
	source->type->close(source);
}

/* ---- unknown kids ------------------------------------------------------------------ */

Test(source_url, an_unknown_kid_fetches_once_per_cooldown)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	cr_expect_not(unknown_kid(source, NOW), "the set is as new as the request");
	cr_expect_eq(hits(), 1);
	serve_keys("ab");
	cr_expect(unknown_kid(source, NOW + 1));
	cr_expect_str_eq(kids(source), "ab");
	cr_expect_eq(hits(), 2);
	for (int i = 2; i < 100; i++)
		cr_expect_not(unknown_kid(source, NOW + i));
	cr_expect_not(unknown_kid(source, NOW + COOLDOWN));
	cr_expect_eq(hits(), 2);
	cr_expect_not(unknown_kid(source, NOW + 1 + COOLDOWN));
	cr_expect_eq(hits(), 3);
	source->type->close(source);
}

Test(source_url, a_failed_fetch_for_an_unknown_kid_counts_as_well)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	server.state->manner = AUTH_SERVER_ERROR;
	for (int i = 1; i < 100; i++)
		cr_expect_not(unknown_kid(source, NOW + i));
	cr_expect_eq(hits(), 2);
	cr_expect_str_eq(kids(source), "a");
	source->type->close(source);
}

/* Runs the same in so many processes at once; each says 0 when it saw what it expected. */
static int run_processes(int count, bool (*child)(int number))
{
	int failures = 0;
	int gate[2];
	char byte;

	cr_assert_eq(pipe(gate), 0);
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		cr_assert_geq(pid, 0);
		if (pid == 0) {
			close(gate[1]);
			_exit(read(gate[0], &byte, 1) == 0 && child(i) ? 0 : 1);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < count; i++) {
		int status;

		cr_assert_gt(wait(&status), 0);
		failures += status != 0;
	}
	return failures;
}

static bool ask_for_unknown_kids(int number)
{
	struct source *source = open_standard();
	bool good = routine(source, NOW + 1) && strcmp(kids(source), "a") == 0;

	for (int i = 0; i < 20; i++)
		(void)unknown_kid(source, NOW + 2 + 20 * number + i);
	source->type->close(source);
	return good;
}

Test(source_url, unknown_kids_fetch_once_per_cooldown_on_the_whole_machine, .timeout = 120)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	cr_expect_eq(run_processes(8, ask_for_unknown_kids), 0);
	cr_expect_eq(hits(), 2);
	source->type->close(source);
}

/* ---- the shared copy ---------------------------------------------------------------- */

static bool start_cold(int number)
{
	struct source *source = open_standard();
	bool good = routine(source, NOW + number) && strcmp(kids(source), "a") == 0;

	source->type->close(source);
	return good;
}

Test(source_url, processes_that_start_together_fetch_once, .timeout = 120)
{
	serve_keys("a");
	cr_expect_eq(run_processes(8, start_cold), 0);
	cr_expect_eq(hits(), 1);
}

Test(source_url, takes_a_fresh_copy_instead_of_fetching)
{
	struct source *first = open_standard();
	struct source *second = open_standard();

	serve_keys("a");
	cr_expect(routine(first, NOW));
	cr_expect(routine(second, NOW + REFRESH - 1));
	cr_expect_str_eq(kids(second), "a");
	cr_expect_eq(hits(), 1);
	first->type->close(first);
	second->type->close(second);
}

Test(source_url, an_unknown_kid_takes_a_newer_copy_instead_of_fetching)
{
	struct source *first = open_standard();
	struct source *second = open_standard();

	serve_keys("a");
	cr_expect(routine(first, NOW));
	cr_expect(routine(second, NOW));
	serve_keys("ab");
	cr_expect(unknown_kid(first, NOW + 1));
	cr_expect(unknown_kid(second, NOW + COOLDOWN + 2));
	cr_expect_str_eq(kids(second), "ab");
	cr_expect_eq(hits(), 2);
	first->type->close(first);
	second->type->close(second);
}

Test(source_url, a_copy_outlives_the_process_while_fetches_fail)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	source->type->close(source);
	server.state->manner = AUTH_SERVER_ERROR;
	source = open_standard();
	cr_expect(routine(source, NOW + MAX_STALE - 1));
	cr_expect_str_eq(kids(source), "a");
	cr_expect_eq(hits(), 2, "it is due, so a fetch was tried");
	source->type->close(source);
	source = open_standard();
	cr_expect_not(routine(source, NOW + MAX_STALE));
	cr_expect_str_eq(kids(source), "-");
	source->type->close(source);
}

Test(source_url, the_copy_is_private_and_names_its_url)
{
	struct source *source = open_standard();
	struct buf copy = buf_make(64 * 1024);
	struct stat stat_now;

	serve_keys("a");
	cr_expect(routine(source, NOW));
	cr_assert_eq(lstat(path_of(".copy"), &stat_now), 0);
	cr_expect(S_ISREG(stat_now.st_mode));
	cr_expect_eq(stat_now.st_mode & 07777, 0600);
	cr_assert_eq(lstat(path_of(".lock"), &stat_now), 0);
	cr_expect_eq(stat_now.st_mode & 07777, 0600);
	cr_assert(state_file_read(folder.fd, strrchr(path_of(".copy"), '/') + 1, &copy));
	cr_expect(view_starts(buf_view(&copy), VIEW("url ")));
	cr_expect(view_starts(view_from(buf_view(&copy), 4), view_of(server.url)));
	buf_destroy(&copy);
	source->type->close(source);
}

/* Fetches once to learn the copy's name, then plants this in its place, and
 * expects the next process not to believe it. */
static void expect_copy_is_refused(const char *what, const char *url, int64_t fetched_at, mode_t mode)
{
	struct source *source = open_standard();
	struct issuer *evil = issuer_new(ALG_EDDSA, "x");
	struct buf planted = buf_make(64 * 1024);
	char path[AUTH_FOLDER_PATH + NAME_MAX + 2];
	int before;

	serve_keys("a");
	cr_assert(routine(source, NOW), "%s", what);
	source->type->close(source);
	snprintf(path, sizeof(path), "%s", path_of(".copy"));
	BUF_LIT(&planted, "url ");
	buf_add(&planted, view_of(url));
	BUF_LIT(&planted, "\nfetched ");
	buf_add_u64(&planted, (uint64_t)fetched_at);
	BUF_LIT(&planted, "\n\n");
	issuer_jwks(&evil, 1, &planted);
	auth_folder_write(&folder, strrchr(path, '/') + 1, buf_view(&planted), mode);
	unlink(path_of(".lock"));
	before = hits();
	source = open_standard();
	cr_expect(routine(source, NOW + 1), "%s", what);
	cr_expect_str_eq(kids(source), "a", "%s", what);
	cr_expect_eq(hits(), before + 1, "%s", what);
	source->type->close(source);
	unlink(path);
	unlink(path_of(".lock"));
	buf_destroy(&planted);
	issuer_free(evil);
}

Test(source_url, does_not_believe_a_copy_that_is_doubtful)
{
	expect_copy_is_refused("another URL's", "https://elsewhere.example/jwks", NOW, 0600);
	expect_copy_is_refused("no URL's", "", NOW, 0600);
	expect_copy_is_refused("one that others may write", server.url, NOW, 0622);
	expect_copy_is_refused("one that others may read", server.url, NOW, 0644);
	expect_copy_is_refused("one from the future", server.url, NOW + 3600 * CLOCK_SECOND, 0600);
	expect_copy_is_refused("one that is too old", server.url, NOW - MAX_STALE, 0600);
}

Test(source_url, follows_no_link_to_a_copy)
{
	struct source *source = open_standard();
	char path[AUTH_FOLDER_PATH + NAME_MAX + 2];
	struct stat stat_now;

	serve_keys("a");
	cr_assert(routine(source, NOW));
	source->type->close(source);
	snprintf(path, sizeof(path), "%s", path_of(".copy"));
	cr_assert_eq(renameat(folder.fd, strrchr(path, '/') + 1, folder.fd, "elsewhere"), 0);
	cr_assert_eq(symlink("elsewhere", path), 0);
	unlink(path_of(".lock"));
	source = open_standard();
	cr_expect(routine(source, NOW + 1));
	cr_expect_eq(hits(), 2);
	cr_assert_eq(lstat(path, &stat_now), 0);
	cr_expect(S_ISREG(stat_now.st_mode), "the link was replaced, not written through");
	source->type->close(source);
}

Test(source_url, a_damaged_copy_is_told_and_replaced)
{
	struct source *source = open_standard();
	char path[AUTH_FOLDER_PATH + NAME_MAX + 2];
	struct buf planted = buf_make(4096);

	serve_keys("a");
	cr_assert(routine(source, NOW));
	source->type->close(source);
	snprintf(path, sizeof(path), "%s", path_of(".copy"));
	BUF_LIT(&planted, "url ");
	buf_add(&planted, view_of(server.url));
	BUF_LIT(&planted, "\nfetched 1800000000000000\n\n{\"keys\":");
	auth_folder_write(&folder, strrchr(path, '/') + 1, buf_view(&planted), 0600);
	unlink(path_of(".lock"));
	source = open_standard();
	cr_expect(routine(source, NOW + 1));
	cr_expect_str_eq(kids(source), "a");
	cr_expect(noted("damaged"));
	source->type->close(source);
	buf_destroy(&planted);
}

Test(source_url, others_go_on_with_the_old_set_while_one_fetches)
{
	struct source *source = open_standard();
	int lock = -1;

	serve_keys("a");
	cr_expect(routine(source, NOW));
	serve_keys("b");
	cr_assert_eq(state_file_lock(folder.fd, strrchr(path_of(".lock"), '/') + 1, 0, &lock), STATE_LOCKED);
	cr_expect_not(routine(source, NOW + REFRESH));
	cr_expect_str_eq(kids(source), "a");
	cr_expect_eq(hits(), 1);
	close(lock);
	cr_expect(routine(source, NOW + REFRESH));
	cr_expect_str_eq(kids(source), "b");
	source->type->close(source);
}

/* True when the process has the lock file open. */
static bool is_at_the_lock(pid_t pid)
{
	char path[64];
	char target[PATH_MAX];
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (len > 0) {
			target[len] = '\0';
			found = found || strstr(target, ".lock");
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

Test(source_url, a_process_without_a_set_waits_for_the_one_that_fetches, .timeout = 120)
{
	struct source *source;
	pid_t fetching;
	pid_t opener;
	pid_t self = getpid();

	serve_keys("a");
	server.state->manner = AUTH_SERVER_GATED;
	fetching = fork();
	if (fetching == 0)
		_exit(start_cold(0) ? 0 : 1);
	while (hits() == 0)
		sched_yield();
	opener = fork();
	if (opener == 0) {
		while (!is_at_the_lock(self))
			sched_yield();
		server.state->open = 1;
		_exit(0);
	}
	source = open_standard();
	cr_expect(routine(source, NOW));
	cr_expect_str_eq(kids(source), "a");
	cr_expect_eq(hits(), 1);
	source->type->close(source);
	cr_expect_eq(waitpid(fetching, &(int){0}, 0), fetching);
	cr_expect_eq(waitpid(opener, &(int){0}, 0), opener);
}

Test(source_url, a_clock_that_was_set_back_makes_it_fetch)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	serve_keys("b");
	cr_expect(routine(source, NOW - 3600 * CLOCK_SECOND));
	cr_expect_str_eq(kids(source), "b");
	source->type->close(source);
}

/* How old the set is nobody knows then, but not that it is too old. */
Test(source_url, a_clock_that_was_set_back_takes_no_set_away)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	server.state->manner = AUTH_SERVER_ERROR;
	cr_expect_not(routine(source, NOW - 3600 * CLOCK_SECOND));
	cr_expect_str_eq(kids(source), "a");
	cr_expect_eq(hits(), 2);
	source->type->close(source);
}

Test(source_url, a_clock_that_was_set_back_makes_a_copy_no_worse_than_none)
{
	static const int64_t now = NOW - MAX_STALE + 1;
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	source->type->close(source);
	server.state->manner = AUTH_SERVER_ERROR;
	source = open_standard();
	cr_expect_not(routine(source, now - 1));
	cr_expect_str_eq(kids(source), "-", "further ahead than a set is used");
	source->type->close(source);
	source = open_standard();
	cr_expect(routine(source, now + COOLDOWN));
	cr_expect_str_eq(kids(source), "a");
	cr_expect_eq(hits(), 3, "it is due, so a fetch was tried");
	cr_expect_not(routine(source, now + COOLDOWN + MAX_STALE - REFRESH - 1));
	cr_expect_str_eq(kids(source), "a");
	cr_expect(routine(source, now + COOLDOWN + MAX_STALE - REFRESH));
	cr_expect_str_eq(kids(source), "-", "its age counts from when it was read");
	source->type->close(source);
}

Test(source_url, a_failed_fetch_counts_for_the_whole_machine)
{
	struct source *first = open_standard();
	struct source *second = open_standard();

	server.state->manner = AUTH_SERVER_ERROR;
	cr_expect_not(routine(first, NOW));
	cr_expect_not(routine(second, NOW + COOLDOWN - 1));
	cr_expect_eq(hits(), 1);
	cr_expect_not(routine(second, NOW + COOLDOWN));
	cr_expect_eq(hits(), 2);
	first->type->close(first);
	second->type->close(second);
}

Test(source_url, without_a_usable_lock_it_does_not_fetch)
{
	struct source *source = open_standard();

	serve_keys("a");
	cr_expect(routine(source, NOW));
	cr_assert_eq(chmod(path_of(".lock"), 0666), 0);
	cr_expect_not(routine(source, NOW + REFRESH));
	cr_expect_eq(hits(), 1);
	cr_expect_str_eq(kids(source), "a");
	cr_expect(noted("the lock in STATE_DIR can't be had"));
	source->type->close(source);
}

/* ---- where it connects to -------------------------------------------------------------- */

Test(source_url, ignores_the_environments_proxies)
{
	static const char *const names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
	                                    "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};
	struct source *source = open_standard();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	serve_keys("a");
	cr_expect(routine(source, NOW));
	cr_expect_str_eq(kids(source), "a");
	source->type->close(source);
}

Test(source_url, uses_its_own_proxy_whatever_no_proxy_says)
{
	struct source_url_options options = standard();
	struct source *source;
	char proxy[64];

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", server.port);
	setenv("no_proxy", "*", 1);
	options.url = VIEW("https://127.0.0.1:1/jwks");
	options.proxy = view_of(proxy);
	source = open_with(&options);
	server.state->manner = AUTH_SERVER_ERROR;
	cr_expect_not(routine(source, NOW));
	cr_expect(view_starts(view_of(server.state->request), VIEW("CONNECT 127.0.0.1:1 ")), "%s",
	          server.state->request);
	source->type->close(source);
}

static void expect_refusal(const char *url, bool insecure_loopback, const char *expected)
{
	struct source_url_options options = standard();
	struct source *source = NULL;

	options.url = view_of(url);
	options.insecure_loopback = insecure_loopback;
	buf_reset(&error, 0);
	cr_expect_not(source_url_open(&options, &source, &error), "%s", url);
	cr_expect(view_equal(buf_view(&error), view_of(expected)), "%s: %.*s", url, VIEW_ARGS(buf_view(&error)));
}

Test(source_url, takes_https_and_on_demand_http_to_loopback)
{
	static const char not_https[] = "is not https; JWKS_INSECURE_LOOPBACK admits http to a loopback address";
	static const char no_url[] = "is not an http or https URL";

	expect_refusal("http://127.0.0.1:3000/jwks", false, not_https);
	expect_refusal("http://localhost:3000/jwks", false, not_https);
	expect_refusal("http://app.example/jwks", true, not_https);
	expect_refusal("http://10.0.0.1/jwks", true, not_https);
	expect_refusal("http://127.0.0.1.app.example/jwks", true, not_https);
	expect_refusal("http://0.0.0.0/jwks", true, not_https);
	expect_refusal("file:///etc/passwd", true, no_url);
	expect_refusal("ftp://127.0.0.1/jwks", true, no_url);
	expect_refusal("https://user:password@app.example/jwks", true, no_url);
	expect_refusal("https://app.example/jwks#part", true, no_url);
	expect_refusal("app.example/jwks", true, no_url);
}

Test(source_url, takes_a_url_of_2048_bytes_and_not_one_more)
{
	struct source_url_options options = standard();
	char url[2050] = "https://app.example/";

	memset(url + strlen(url), 'a', sizeof(url) - 1 - strlen(url));
	expect_refusal(url, false, "is not an http or https URL");
	options.url = (struct view){url, 2048};
	struct source *source = open_with(&options);
	source->type->close(source);
}

Test(source_url, needs_a_state_folder)
{
	struct source_url_options options = standard();
	struct source *source = NULL;

	options.state_dir = -1;
	cr_expect_not(source_url_open(&options, &source, &error));
	cr_expect(view_equal(buf_view(&error), VIEW("needs STATE_DIR")));
	options.url = VIEW("ftp://app.example/jwks");
	buf_reset(&error, 0);
	cr_expect_not(source_url_open(&options, &source, &error));
	cr_expect(view_equal(buf_view(&error), VIEW("is not an http or https URL")), "the URL is looked at first");
}

/* ---- TLS ---------------------------------------------------------------------------------- */

static struct certificate make_tls(const char *name, const char *names)
{
	return certificate_make(folder.path, name, &(struct certificate_ask){.names = names});
}

static const char *kids_by_tls(const struct certificate *files, const char *ca_file)
{
	struct source_url_options options;
	struct source *source;
	const char *found;

	auth_server_stop(&server);
	server = auth_server_start(files->file, files->key);
	serve_keys("a");
	options = standard();
	options.insecure_loopback = false;
	options.ca_file = view_of(ca_file);
	source = open_with(&options);
	(void)routine(source, NOW);
	found = kids(source);
	source->type->close(source);
	return found;
}

Test(source_url, trusts_the_ca_file_and_nothing_else, .timeout = 120)
{
	struct certificate ours = make_tls("ours", "IP:127.0.0.1");
	struct certificate other = make_tls("other", "IP:127.0.0.1");

	cr_expect_str_eq(kids_by_tls(&ours, ours.file), "a");
	cr_expect_str_eq(kids_by_tls(&ours, other.file), "-");
	cr_expect_eq(hits(), 0, "nothing was asked of a server that could not prove itself");
	cr_expect_str_eq(kids_by_tls(&ours, "/etc/ssl/certs/ca-certificates.crt"), "-");
	cr_expect_str_eq(kids_by_tls(&ours, "/nowhere/ca.crt"), "-");
}

Test(source_url, wants_the_certificate_to_name_the_host, .timeout = 120)
{
	struct certificate files = make_tls("elsewhere", "IP:127.0.0.2");

	cr_expect_str_eq(kids_by_tls(&files, files.file), "-");
}
