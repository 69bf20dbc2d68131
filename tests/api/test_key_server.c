/* JWKS_URL on running programs: what clients, the log and /ready are told while
 * the server of the key set is away, slow or wrong, and that nobody else's keys
 * are ever believed. What one process makes of one answer is in
 * tests/unit/test_auth_source_url.c. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/auth_folder.h"
#include "support/auth_server.h"
#include "support/certificate.h"
#include "support/issuer.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS

enum { PATH = 512 };

static struct auth_folder folder;
static struct auth_server server;
static struct issuer *good;
static struct issuer *foreign;

static void setup(void)
{
	folder = auth_folder_make();
	server = auth_server_start(NULL, NULL);
	good = issuer_new(ALG_EDDSA, "k1");
	foreign = issuer_new(ALG_EDDSA, "k1");
}

static void teardown(void)
{
	issuer_free(good);
	issuer_free(foreign);
	auth_server_stop(&server);
	auth_folder_remove(&folder);
	api_end();
}

TestSuite(key_server, .init = setup, .fini = teardown, .timeout = 240);

static void serve(struct auth_server *from, struct issuer *const *issuers, size_t count)
{
	struct buf jwks = buf_make(64 * 1024);
	issuer_jwks(issuers, count, &jwks);
	auth_server_serve(from, AUTH_SERVER_OK, buf_view(&jwks));
	buf_destroy(&jwks);
}

/* For that server, with a folder for what programs share, a refresh each second, and `more`. */
static const char *const *settings_for(const struct auth_server *from, const char *state, const char *const more[])
{
	const char *all[16] = {ask_format("JWKS_URL=%s", from->url),
	                       "JWKS_INSECURE_LOOPBACK=1",
	                       "JWKS_REFRESH=1",
	                       "JWKS_COOLDOWN=1",
	                       "JWKS_TIMEOUT=1",
	                       ask_format("STATE_DIR=%s/%s", folder.path, state)};
	for (size_t i = 0, count = 6; more[i]; i++)
		all[count++] = more[i];
	return api_settings(all);
}

static const char *const *settings(const char *const more[])
{
	return settings_for(&server, "state", more);
}

static int status_with(const struct responder *auth, const char *token)
{
	return api_status(auth, "/auth/me", token);
}

struct readiness {
	const struct responder *health;
	int status;
	const char *body; /* part of it */
};

static bool is_ready_so(void *context)
{
	const struct readiness *wanted = context;
	const struct answer *answer = responder_ask(wanted->health, &(struct ask){.target = "/ready"});
	return answer->status == wanted->status &&
	       memmem(answer->body.ptr, answer->body.len, wanted->body, strlen(wanted->body));
}

static void until_ready(const struct responder *health, int status, const char *body)
{
	struct readiness wanted = {health, status, body};
	until(is_ready_so, &wanted, body);
}

static void until_status(const struct responder *auth, const char *token, int status, const char *what)
{
	api_until_status(auth, "/auth/me", token, status, what);
}

struct wait_log {
	const struct responder *responder;
	const char *token;
	const char *text;
};

/* Keys are asked for when a token comes, which is good all the while. */
static bool is_logged(void *context)
{
	const struct wait_log *wait = context;
	cr_assert_eq(status_with(wait->responder, wait->token), 200);
	return responder_has_logged(wait->responder, wait->text);
}

/* A path of that file in the shared folder. */
static const char *shared_path(const char *suffix)
{
	static char path[PATH];
	const char *command = ask_format("ls '%s/state'/jwks-*%s", folder.path, suffix);
	FILE *list = popen(command, "r");
	cr_assert(list && fgets(path, sizeof path, list), "%s", command);
	pclose(list);
	path[strcspn(path, "\n")] = '\0';
	return path;
}

/* ---- a server that is no good ---- */

struct trouble {
	const char *what;
	enum auth_server_manner manner;
	const char *body;   /* NULL: the set that was served before */
	const char *logged; /* why it is not used */
};

static const struct trouble troubles[] = {
        {"answers 500", AUTH_SERVER_ERROR, NULL, "not a 200 but a 5xx"},
        {"is silent", AUTH_SERVER_SILENT, NULL, "imeout was reached"},
        {"answers 404", AUTH_SERVER_NOT_FOUND, NULL, "not a 200 but a 4xx"},
        {"redirects", AUTH_SERVER_REDIRECT, NULL, "not a 200 but a redirect"},
        {"answers half", AUTH_SERVER_CUT, NULL, "no key set fetched"},
        {"answers 10 MB", AUTH_SERVER_HUGE, "", "too large"},
        {"answers 10 MB in chunks", AUTH_SERVER_ENDLESS, "", "too large"},
        {"answers nothing", AUTH_SERVER_OK, "", "not a JWK Set"},
        {"answers HTML", AUTH_SERVER_OK, "<!doctype html><title>Sign in</title>", "not a JWK Set"},
        {"answers without a key", AUTH_SERVER_OK, "{\"keys\":[]}", "without a usable key"},
        {"answers with a secret", AUTH_SERVER_OK, "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k1\",\"k\":\"AAAA\"}]}",
         "without a usable key"},
};

/* /ready takes a database, so it is asked about the first of them only. */
enum { TROUBLES = sizeof troubles / sizeof *troubles, TOLD_BY_READY = 2 };

/* A server and programs for each, so that all wait at once. */
struct affected {
	struct auth_server server;
	struct responder *auth;
	struct responder *health;
};

static struct affected affected[TROUBLES];

static void begin_trouble(size_t i)
{
	if (troubles[i].body)
		auth_server_serve(&affected[i].server, troubles[i].manner, view_of(troubles[i].body));
	else
		affected[i].server.state->manner = (int)troubles[i].manner;
}

static void start_affected(size_t i, const char *database)
{
	const char *const more[] = {ask_format("DATABASE_URL=%s", database), NULL};
	const char *const *all = settings_for(&affected[i].server, ask_format("state-%zu", i), more);
	affected[i].auth = responder_start("auth", all);
	if (i < TOLD_BY_READY)
		affected[i].health = responder_start("health", all);
}

/* The last good set serves, /ready warns and stays 200, the log says why. */
Test(key_server, in_trouble_is_told_and_harms_nobody)
{
	const char *database = api_database(api_name("keys"));
	const char *token = api_token_by(good);
	for (size_t i = 0; i < TROUBLES; i++) {
		affected[i].server = auth_server_start(NULL, NULL);
		serve(&affected[i].server, &good, 1);
		start_affected(i, database);
		cr_assert_eq(status_with(affected[i].auth, token), 200);
		begin_trouble(i);
	}
	for (size_t i = 0; i < TROUBLES; i++) {
		if (i < TOLD_BY_READY)
			until_ready(affected[i].health, 200, "\"warnings\":[\"keys\"]");
		struct wait_log wait = {affected[i].auth, token, troubles[i].logged};
		until(is_logged, &wait, troubles[i].what);
		cr_expect_eq(status_with(affected[i].auth, token), 200, "%s", troubles[i].what);
		cr_expect_eq(status_with(affected[i].auth, api_token_by(foreign)), 401, "%s", troubles[i].what);
		serve(&affected[i].server, &good, 1);
	}
	for (size_t i = 0; i < TROUBLES; i++) {
		if (i < TOLD_BY_READY)
			until_ready(affected[i].health, 200, "{\"status\":\"ready\"}");
		auth_server_stop(&affected[i].server);
	}
}

/* Whose first set never came: no fault of the token. */
Test(key_server, in_trouble_from_the_start_is_503_until_it_is_good)
{
	const char *database = api_database(api_name("keys"));
	struct ask ask = {.target = "/auth/me", .token = api_token_by(good)};
	for (size_t i = 0; i < TROUBLES; i++) {
		affected[i].server = auth_server_start(NULL, NULL);
		serve(&affected[i].server, &good, 1);
		begin_trouble(i);
		start_affected(i, database);
	}
	for (size_t i = 0; i < TROUBLES; i++) {
		expect_try_again(responder_ask(affected[i].auth, &ask), 503, "keys_unavailable", troubles[i].what);
		if (i < TOLD_BY_READY)
			until_ready(affected[i].health, 503, "keys_unavailable");
		serve(&affected[i].server, &good, 1);
	}
	for (size_t i = 0; i < TROUBLES; i++) {
		until_status(affected[i].auth, ask.token, 200, troubles[i].what);
		if (i < TOLD_BY_READY)
			until_ready(affected[i].health, 200, "ready");
		auth_server_stop(&affected[i].server);
	}
}

/* Two keys of one name: which was meant nobody knows, so neither is used. */
Test(key_server, with_two_keys_of_one_name_makes_neither_good)
{
	struct issuer *const both[] = {good, foreign};
	serve(&server, both, 2);
	struct responder *auth = responder_start("auth", settings((const char *const[]){NULL}));
	cr_expect_neq(status_with(auth, api_token_by(good)), 200);
	cr_expect_neq(status_with(auth, api_token_by(foreign)), 200);
	serve(&server, &good, 1);
	until_status(auth, api_token_by(good), 200, "one of them is known again");
	struct wait_log wait = {auth, api_token_by(good), "two different keys (kid k1) under one kid, neither is used"};
	until(is_logged, &wait, wait.text);
	cr_expect_eq(status_with(auth, api_token_by(foreign)), 401);
}

Test(key_server, that_comes_and_goes_loses_nobody)
{
	serve(&server, &good, 1);
	struct responder *auth = responder_start("auth", settings((const char *const[]){"WORKERS=2", NULL}));
	const char *token = api_token_by(good);
	cr_assert_eq(status_with(auth, token), 200);
	int before = server.state->hits;
	for (int i = 0; server.state->hits < before + 4; i++) {
		server.state->manner = i % 2 ? AUTH_SERVER_OK : AUTH_SERVER_ERROR;
		for (int j = 0; j < 20; j++)
			cr_assert_eq(status_with(auth, token), 200);
	}
}

/* As Better Auth rotates: the new key beside the old one, then alone. */
Test(key_server, that_rotates_under_load_refuses_no_good_token)
{
	struct issuer *next = issuer_new(ALG_EDDSA, "k2");
	struct issuer *const both[] = {good, next};
	const char *old = api_token_by(good);
	const char *fresh = api_token_by(next);
	serve(&server, &good, 1);
	struct responder *auth = responder_start("auth", settings((const char *const[]){"WORKERS=3", NULL}));
	for (int i = 0; i < 50; i++)
		cr_assert_eq(status_with(auth, old), 200);
	serve(&server, both, 2);
	for (int known = 0; known < 50;) {
		cr_assert_eq(status_with(auth, old), 200);
		known = status_with(auth, fresh) == 200 ? known + 1 : 0;
	}
	serve(&server, &next, 1);
	for (int gone = 0; gone < 50;) {
		cr_assert_eq(status_with(auth, fresh), 200);
		gone = status_with(auth, old) == 401 ? gone + 1 : 0;
	}
	issuer_free(next);
}

Test(key_server, that_is_killed_and_started_again_is_found)
{
	serve(&server, &good, 1);
	struct responder *auth = responder_start("auth", settings((const char *const[]){NULL}));
	const char *token = api_token_by(good);
	cr_assert_eq(status_with(auth, token), 200);
	kill(server.pid, SIGSTOP);
	for (int64_t end = clock_monotonic() + 3 * CLOCK_SECOND; clock_monotonic() < end;)
		cr_expect_eq(status_with(auth, token), 200, "a server that hangs keeps nobody waiting for its keys");
	kill(server.pid, SIGCONT);
	int before = server.state->hits;
	while (server.state->hits == before)
		cr_assert_eq(status_with(auth, token), 200);
}

/* ---- keys that somebody else would like to be believed ---- */

struct planted {
	const char *what;
	const char *url; /* in the copy; NULL: the right one */
	mode_t mode;
	uid_t owner;
	bool link;
};

static void plant(const struct planted *planted)
{
	const char *path = shared_path(".copy");
	struct buf text = buf_make(64 * 1024);
	BUF_LIT(&text, "url ");
	buf_add(&text, view_of(planted->url ? planted->url : server.url));
	BUF_LIT(&text, "\nfetched ");
	buf_add_u64(&text, (uint64_t)clock_now());
	BUF_LIT(&text, "\n\n");
	issuer_jwks(&foreign, 1, &text);
	const char *elsewhere = auth_folder_write(&folder, "planted", buf_view(&text), 0600);
	buf_destroy(&text);
	cr_assert(chmod(elsewhere, planted->mode) == 0 && chown(elsewhere, planted->owner, (gid_t)-1) == 0);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(planted->link ? symlink(elsewhere, path) : rename(elsewhere, path), 0);
}

/* A program finds this in the place of the copy that another one has left. */
static struct responder *start_with_planted(const struct planted *planted)
{
	serve(&server, &good, 1);
	struct responder *first = responder_start("auth", settings((const char *const[]){NULL}));
	cr_assert_eq(status_with(first, api_token_by(good)), 200);
	cr_expect_eq(responder_stop(first), 0);
	plant(planted);
	unlink(shared_path(".lock"));
	return responder_start("auth", settings((const char *const[]){NULL}));
}

/* STATE_DIR lets nobody else in; these are what comes of a backup, a mistake, or
 * rights that were too wide for a while. */
Test(key_server, is_asked_when_a_copy_in_the_shared_folder_is_doubtful)
{
	const struct planted cases[] = {
	        {"of another URL", "http://127.0.0.1:9/api/auth/jwks", 0600, geteuid(), false},
	        {"that others may write", NULL, 0622, geteuid(), false},
	        {"that others may read", NULL, 0644, geteuid(), false},
	        {"behind a link", NULL, 0600, geteuid(), true},
	        {"of another user", NULL, 0600, 65534, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (cases[i].owner != geteuid() && geteuid() != 0)
			continue; /* only root can give a file away */
		struct responder *auth = start_with_planted(&cases[i]);
		cr_expect_eq(status_with(auth, api_token_by(foreign)), 401, "a copy %s", cases[i].what);
		cr_expect_eq(status_with(auth, api_token_by(good)), 200, "a copy %s", cases[i].what);
		cr_expect_eq(responder_stop(auth), 0);
		unlink(shared_path(".copy"));
		unlink(shared_path(".lock"));
	}
	/* were it a good copy, its keys would be taken: the above can fail */
	struct responder *auth = start_with_planted(&(struct planted){"as it should be", NULL, 0600, geteuid(), false});
	server.state->manner = AUTH_SERVER_ERROR;
	cr_expect_eq(status_with(auth, api_token_by(foreign)), 200);
}

/* Whoever tidies up removes it under the programs, whose locks for asking lie in it. */
Test(key_server, is_asked_when_the_shared_folder_was_removed)
{
	struct issuer *other = issuer_new(ALG_EDDSA, "k2");
	struct stat stat_now;
	serve(&server, &good, 1);
	struct responder *auth = responder_start("auth", settings((const char *const[]){NULL}));
	cr_assert_eq(status_with(auth, api_token_by(good)), 200);
	cr_assert_eq(system(ask_format("rm -r '%s/state'", folder.path)), 0);
	serve(&server, &other, 1);
	until_status(auth, api_token_by(other), 200, "the new key is fetched");
	cr_assert_eq(fstatat(folder.fd, "state", &stat_now, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect_eq(stat_now.st_mode & 07777, 0700);
	struct wait_log wait = {auth, api_token_by(other), "the folder was removed and has been made anew"};
	until(is_logged, &wait, wait.text);
	issuer_free(other);
}

/* A client's `Proxy:` header is HTTP_PROXY to a CGI program (httpoxy), and an
 * environment may name other proxies: nobody of them is asked for keys. */
Test(key_server, is_asked_without_any_proxy_of_the_environment_or_a_client)
{
	struct auth_server evil = auth_server_start(NULL, NULL);
	const char *proxy = ask_format("http://127.0.0.1:%d", evil.port);
	const char *const more[] = {ask_format("HTTP_PROXY=%s", proxy),
	                            ask_format("http_proxy=%s", proxy),
	                            ask_format("ALL_PROXY=%s", proxy),
	                            ask_format("all_proxy=%s", proxy),
	                            ask_format("HTTPS_PROXY=%s", proxy),
	                            ask_format("https_proxy=%s", proxy),
	                            NULL};
	const char *const header[] = {ask_format("HTTP_PROXY=%s", proxy), NULL};
	struct ask ask = {.target = "/auth/me", .token = api_token_by(good), .params = header};
	struct ask forged = {.target = "/auth/me", .token = api_token_by(foreign), .params = header};
	serve(&server, &good, 1);
	serve(&evil, &foreign, 1);
	struct responder *auth = responder_start("auth", settings(more));
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	cr_expect_eq(responder_ask(auth, &forged)->status, 401);
	unlink(shared_path(".copy"));
	unlink(shared_path(".lock"));
	cr_expect_eq(responder_cgi("auth", settings((const char *const[]){NULL}), &ask)->status, 200);
	cr_expect_eq(responder_cgi("auth", settings((const char *const[]){NULL}), &forged)->status, 401);
	cr_expect_eq(evil.state->hits, 0);
	auth_server_stop(&evil);
}

/* The same over TLS, where a proxy would be asked to connect. */
Test(key_server, is_asked_by_tls_and_directly)
{
	struct certificate own =
	        certificate_make(folder.path, "server", &(struct certificate_ask){.names = "IP:127.0.0.1"});
	struct auth_server evil = auth_server_start(NULL, NULL);
	struct auth_server tls = auth_server_start(own.file, own.key);
	const char *proxy = ask_format("http://127.0.0.1:%d", evil.port);
	const char *const more[] = {ask_format("JWKS_URL=%s", tls.url),
	                            ask_format("JWKS_CA_FILE=%s", own.file),
	                            ask_format("STATE_DIR=%s/state", folder.path),
	                            ask_format("HTTPS_PROXY=%s", proxy),
	                            ask_format("ALL_PROXY=%s", proxy),
	                            ask_format("https_proxy=%s", proxy),
	                            NULL};
	serve(&tls, &good, 1);
	serve(&evil, &foreign, 1);
	struct responder *auth = responder_start("auth", api_settings(more));
	cr_expect_eq(status_with(auth, api_token_by(good)), 200);
	cr_expect_eq(status_with(auth, api_token_by(foreign)), 401);
	cr_expect_eq(evil.state->hits, 0);
	cr_expect_gt(tls.state->hits, 0);
	auth_server_stop(&evil);
	auth_server_stop(&tls);
}
