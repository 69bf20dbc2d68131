/* A clock that is stepped by an hour while programs serve: tokens are judged by
 * the new time at once, limits by neither, keys stay in use, and all is as before
 * when it is set right. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/auth_folder.h"
#include "support/auth_server.h"
#include "support/issuer.h"

#define HOUR (3600 * CLOCK_SECOND)

static struct auth_folder folder;
static struct auth_server server;
static struct issuer *issuer;

static void setup(void)
{
	folder = auth_folder_make();
	server = auth_server_start(NULL, NULL);
	issuer = issuer_new(ALG_EDDSA, "k1");
	struct buf jwks = buf_make(8192);
	issuer_jwks(&issuer, 1, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	buf_destroy(&jwks);
}

static void teardown(void)
{
	issuer_free(issuer);
	auth_server_stop(&server);
	auth_folder_remove(&folder);
	api_end();
}

TestSuite(clock_step, .init = setup, .fini = teardown, .timeout = 240);

/* Steps the clock of the programs to so many seconds from the real one. */
static void step(const char *seconds)
{
	auth_folder_write(&folder, "new", view_of(ask_format("%s\n", seconds)), 0600);
	cr_assert_eq(renameat(folder.fd, "new", folder.fd, "clock"), 0);
}

/* The library that steps the clock must come first, and so must a sanitizer's. */
static struct responder *start(const char *const more[])
{
#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("a sanitizer leaves no room for another library in front");
#endif
	if (access(API_FAKETIME, R_OK) != 0)
		cr_skip_test("there is no libfaketime for this architecture");
	const char *all[24] = {"LD_PRELOAD=" API_FAKETIME,
	                       ask_format("FAKETIME_TIMESTAMP_FILE=%s/clock", folder.path),
	                       "FAKETIME_NO_CACHE=1",
	                       "FAKETIME_DONT_FAKE_MONOTONIC=1",
	                       ask_format("JWKS_URL=%s", server.url),
	                       "JWKS_INSECURE_LOOPBACK=1",
	                       ask_format("STATE_DIR=%s/state", folder.path)};
	for (size_t i = 0, count = 7; more[i]; i++)
		all[count++] = more[i];
	step("+0");
	return responder_start("auth", api_settings(all));
}

static const char *token_of(int64_t from_now)
{
	char *token = issuer_token_for(issuer, "anna", API_ORIGIN, clock_now() + from_now);
	const char *kept = ask_keep(view_of(token));
	free(token);
	return kept;
}

static const struct answer *me(const struct responder *auth, const char *token)
{
	struct ask ask = {.target = "/auth/me", .token = token};
	return responder_ask(auth, &ask);
}

Test(clock_step, a_token_is_judged_by_the_time_that_it_is)
{
	struct responder *auth = start((const char *const[]){"WORKERS=2", NULL});
	const struct {
		const char *step;
		int64_t good;
		int64_t bad;
		const char *code;
	} cases[] = {
	        {"+0", 0, HOUR, "unauthorized"},   {"+3600", HOUR, 0, "token_expired"},
	        {"+0", 0, -HOUR, "token_expired"}, {"-3600", -HOUR, 0, "unauthorized"},
	        {"+0", 0, HOUR, "unauthorized"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		step(cases[i].step);
		for (int j = 0; j < 10; j++) {
			cr_expect_eq(me(auth, token_of(cases[i].good))->status, 200, "%s", cases[i].step);
			expect_problem(me(auth, token_of(cases[i].bad)), 401, cases[i].code, cases[i].step);
		}
	}
}

/* A day would be too old for a set that can't be had again; an hour either way is not. */
Test(clock_step, the_last_good_keys_stay_in_use)
{
	static const char *const steps[] = {"+0", "+3600", "-3600", "+0"};
	static const int64_t from_now[] = {0, HOUR, -HOUR, 0};
	struct responder *auth = start((const char *const[]){"WORKERS=2", "JWKS_COOLDOWN=1", NULL});
	cr_assert_eq(me(auth, token_of(0))->status, 200);
	server.state->manner = AUTH_SERVER_ERROR;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		step(steps[i]);
		for (int j = 0; j < 10; j++) {
			const struct answer *answer = me(auth, token_of(from_now[i]));
			cr_expect_eq(answer->status, 200, "%s: %d %.*s", steps[i], answer->status,
			             VIEW_ARGS(answer->body));
		}
	}
}

/* Neither is anybody let in by a step forward nor kept out by one back. */
Test(clock_step, a_limit_counts_the_time_that_passes)
{
	static const char *const steps[] = {"+3600", "+0", "-3600", "+0"};
	static const int64_t from_now[] = {HOUR, 0, -HOUR, 0};
	struct responder *auth = start((const char *const[]){"LIMIT_USER=1", "LIMIT_USER_BURST=2", NULL});
	cr_expect_eq(me(auth, token_of(0))->status, 200);
	cr_expect_eq(me(auth, token_of(0))->status, 200);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		uint64_t wait = 0;
		step(steps[i]);
		const struct answer *answer = me(auth, token_of(from_now[i]));
		expect_problem(answer, 429, "rate_limited", steps[i]);
		cr_expect(view_to_u64(answer_header(answer, "Retry-After"), 60, &wait), "%s: longer than it takes",
		          steps[i]);
	}
}
