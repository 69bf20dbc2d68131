/* Shared secrets: which are refused at start, and for how long previous ones count. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "auth/secrets.h"
#include "base/clock.h"
#include "support/auth_config.h"
#include "support/issuer.h"
#include "support/leaks.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NOW (INT64_C(1800000000) * CLOCK_SECOND) /* 2027-01-15T08:00:00Z */

#define CURRENT "Zq3v8Kx1Lm5Np7Rt9Wy2Bc4Df6Gh0Js-current"
#define FIRST "Hj2k4Mn6Pq8Rs0Tv1Xz3Bd5Fg7Jl9Cw-first"
#define SECOND "Yt6r4Ew2Qa0Zx8Cv6Bn4Mj2Kl0Op8Iu-second"
#define THIRD "Mn0b9Vc8Xz7Lk6Jh5Gf4Ds3Aq2We1Rt-third"

static struct arena arena;
static struct buf error;

static void setup(void)
{
	cr_assert(arena_init(&arena, 1024 * 1024));
	error = buf_make(1024);
}

static void teardown(void)
{
	arena_destroy(&arena);
	buf_destroy(&error);
	leaks_check();
}

TestSuite(secrets, .init = setup, .fini = teardown);

static enum jwt_error verify(struct secrets *secrets, const char *secret, enum alg alg, const char *header, int64_t now)
{
	struct issuer *issuer = issuer_new_secret(alg, secret);
	char *token = issuer_token(issuer, header, "{}");
	struct jwt jwt;
	enum jwt_error result;

	cr_assert_eq(jwt_parse(&arena, view_of(token), &jwt), JWT_OK);
	result = secrets_verify(secrets, &jwt, now);
	free(token);
	issuer_free(issuer);
	return result;
}

static enum jwt_error verify_hs256(struct secrets *secrets, const char *secret, int64_t now)
{
	return verify(secrets, secret, ALG_HS256, "{\"alg\":\"HS256\"}", now);
}

Test(secrets, takes_random_ones)
{
	static const char *const good[] = {
	        CURRENT,
	        "dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5",
	        "5f4dcc3b5aa765d61d8327deb882cf99b1a2c3d4e5f60718293a4b5c6d7e8f90",
	        "0123456789abcdef0123456789abcdef",
	        "Xabcdefgabcdefgabcdefgabcdefgabc",    /* eight different bytes */
	        "changeZme-Hj2k4Mn6Pq8Rs0Tv1Xz3Bd5Fg", /* a letter is no mark to be passed over */
	};

	for (size_t i = 0; i < COUNT(good); i++)
		cr_expect_null(secret_fault(view_of(good[i]), ALG_HS256), "%s", good[i]);
}

Test(secrets, may_be_long)
{
	char text[4096];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "Zq3v8Kx1Lm5Np7Rt"[i % 16];
	cr_expect_null(secret_fault((struct view){text, sizeof(text)}, ALG_HS256));
}

Test(secrets, refuses_weak_ones)
{
	static const char *const bad[] = {
	        "",
	        "short",
	        "Zq3v8Kx1Lm5Np7Rt9Wy2Bc4Df6Gh0Js",     /* 31 bytes */
	        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",    /* one byte over and over */
	        "abcdefgabcdefgabcdefgabcdefgabcdefg", /* seven different ones */
	        "passwordpasswordpasswordpassword",
	        "secretsecretsecretsecretsecretsecret",
	        "better-auth-secret-12345678901234567890",
	        "BETTER_AUTH_SECRET_12345678901234567890",
	        "your-super-secret-jwt-key-change-it-please-now",
	        "your-secret-key-here-min-32-chars",
	        "your_secret_key_here_at_least_32_characters_long",
	        "YOUR-256-BIT-SECRET-YOUR-256-BIT-SECRET",
	        "change-me-to-a-long-random-string-please",
	        "change~me~to~a~long~random~string~please",
	        "change_this_secret_in_production_0123456789",
	        "replace-with-at-least-32-random-characters",
	        "generate-a-long-random-secret-for-this",
	        "a-string-secret-at-least-256-bits-long",
	        "a placeholder of thirty-two bytes or more",
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_not_null(secret_fault(view_of(bad[i]), ALG_HS256), "%s", bad[i]);
}

Test(secrets, must_be_as_long_as_the_hash)
{
	static const char text[] = "Zq3v8Kx1Lm5Np7Rt9Wy2Bc4Df6Gh0JsHj2k4Mn6Pq8Rs0Tv1Xz3Bd5Fg7Jl9Cw!!";
	static const enum alg algs[] = {ALG_HS256, ALG_HS384, ALG_HS512};
	char exact[32]; /* nothing behind it, which a sanitizer would tell */

	memcpy(exact, text, sizeof(exact));
	cr_expect_null(secret_fault((struct view){exact, sizeof(exact)}, ALG_HS256));
	for (size_t i = 0; i < COUNT(algs); i++) {
		size_t len = alg_row(algs[i])->hash_len;

		cr_expect_null(secret_fault((struct view){text, len}, algs[i]));
		cr_expect_not_null(secret_fault((struct view){text, len - 1}, algs[i]));
	}
}

Test(secrets, the_previous_ones_count_until_their_instant)
{
	struct config config = auth_config();
	struct secrets secrets;

	config.better_auth_secret = VIEW(CURRENT);
	config.better_auth_previous_secrets = VIEW(FIRST "," SECOND);
	config.better_auth_previous_secrets_until = VIEW("2027-01-15T09:00:00+01:00");
	cr_assert(secrets_open(&config, &secrets, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	cr_expect_eq(secrets.count, 3);
	cr_expect_eq(verify_hs256(&secrets, CURRENT, NOW - 1), JWT_OK);
	cr_expect_eq(verify_hs256(&secrets, FIRST, NOW - 1), JWT_OK);
	cr_expect_eq(verify_hs256(&secrets, SECOND, NOW - 1), JWT_OK);
	cr_expect_eq(verify_hs256(&secrets, THIRD, NOW - 1), JWT_BAD_SIGNATURE);
	cr_expect_eq(verify_hs256(&secrets, CURRENT, NOW), JWT_OK);
	cr_expect_eq(verify_hs256(&secrets, FIRST, NOW), JWT_BAD_SIGNATURE);
	cr_expect_eq(verify_hs256(&secrets, SECOND, NOW), JWT_BAD_SIGNATURE);
	secrets_close(&secrets);
}

Test(secrets, verify_one_algorithm_and_no_token_with_a_kid)
{
	struct config config = auth_config();
	struct secrets secrets;

	config.better_auth_secret = VIEW(CURRENT);
	cr_assert(secrets_open(&config, &secrets, &error));
	cr_expect_eq(verify(&secrets, CURRENT, ALG_HS384, "{\"alg\":\"HS384\"}", NOW), JWT_ALG_MISMATCH);
	cr_expect_eq(verify(&secrets, CURRENT, ALG_HS512, "{\"alg\":\"HS512\"}", NOW), JWT_ALG_MISMATCH);
	cr_expect_eq(verify(&secrets, CURRENT, ALG_HS256, "{\"alg\":\"HS256\",\"kid\":\"k1\"}", NOW), JWT_UNKNOWN_KID);
	secrets_close(&secrets);
}

Test(secrets, hs384_and_hs512_by_setting)
{
	static const enum alg algs[] = {ALG_HS384, ALG_HS512};
	static const char *const headers[] = {"{\"alg\":\"HS384\"}", "{\"alg\":\"HS512\"}"};

	for (size_t i = 0; i < COUNT(algs); i++) {
		struct config config = auth_config();
		struct secrets secrets;

		config.better_auth_secret = VIEW(CURRENT FIRST);
		config.jwt_shared_secret_alg = alg_row(algs[i])->spelling;
		cr_assert(secrets_open(&config, &secrets, &error));
		cr_expect_eq(verify(&secrets, CURRENT FIRST, algs[i], headers[i], NOW), JWT_OK);
		cr_expect_eq(verify_hs256(&secrets, CURRENT FIRST, NOW), JWT_ALG_MISMATCH);
		secrets_close(&secrets);
	}
}

Test(secrets, stop_the_start_with_the_setting_and_not_its_value)
{
	static const struct {
		const char *secret;
		const char *previous;
		const char *until;
		const char *alg;
		const char *expected;
	} cases[] = {
	        {"short-and-secret", "", "", "HS256", "BETTER_AUTH_SECRET is shorter than 32 bytes"},
	        {"changeme", "", "", "HS256", "BETTER_AUTH_SECRET is shorter than 32 bytes"},
	        {"x", "", "", "HS256", "BETTER_AUTH_SECRET is shorter than 32 bytes"},
	        {CURRENT, "x", "2027-01-15T08:00:00Z", "HS256",
	         "BETTER_AUTH_PREVIOUS_SECRETS is shorter than 32 bytes"},
	        {CURRENT, "x", "", "HS256", "BETTER_AUTH_PREVIOUS_SECRETS needs BETTER_AUTH_PREVIOUS_SECRETS_UNTIL"},
	        {CURRENT, "", "x", "HS256", "BETTER_AUTH_PREVIOUS_SECRETS_UNTIL is not an RFC 3339 date and time"},
	        {"", "x", "2027-01-15T08:00:00Z", "HS256", "BETTER_AUTH_PREVIOUS_SECRETS needs BETTER_AUTH_SECRET"},
	        {CURRENT, "", "", "HS384", "BETTER_AUTH_SECRET is shorter than 48 bytes"},
	        {CURRENT, "", "", "HS512", "BETTER_AUTH_SECRET is shorter than 64 bytes"},
	        {"better-auth-secret-12345678901234567890", "", "", "HS256",
	         "BETTER_AUTH_SECRET is a published default or a placeholder"},
	        {CURRENT, "short-and-secret", "2027-01-15T08:00:00Z", "HS256",
	         "BETTER_AUTH_PREVIOUS_SECRETS is shorter than 32 bytes"},
	        {CURRENT, FIRST ",," SECOND, "2027-01-15T08:00:00Z", "HS256",
	         "BETTER_AUTH_PREVIOUS_SECRETS is shorter than 32 bytes"},
	        {CURRENT, FIRST "," SECOND "," THIRD, "2027-01-15T08:00:00Z", "HS256",
	         "BETTER_AUTH_PREVIOUS_SECRETS holds more than two secrets"},
	        {CURRENT, FIRST, "", "HS256", "BETTER_AUTH_PREVIOUS_SECRETS needs BETTER_AUTH_PREVIOUS_SECRETS_UNTIL"},
	        {CURRENT, FIRST, "tomorrow", "HS256",
	         "BETTER_AUTH_PREVIOUS_SECRETS_UNTIL is not an RFC 3339 date and time"},
	        {"", FIRST, "2027-01-15T08:00:00Z", "HS256", "BETTER_AUTH_PREVIOUS_SECRETS needs BETTER_AUTH_SECRET"},
	        {CURRENT, "", "", "RS256", "JWT_SHARED_SECRET_ALG is not HS256, HS384 or HS512"},
	        {CURRENT, "", "", "none", "JWT_SHARED_SECRET_ALG is not HS256, HS384 or HS512"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config config = auth_config();
		struct secrets secrets;

		config.better_auth_secret = view_of(cases[i].secret);
		config.better_auth_previous_secrets = view_of(cases[i].previous);
		config.better_auth_previous_secrets_until = view_of(cases[i].until);
		config.jwt_shared_secret_alg = view_of(cases[i].alg);
		buf_reset(&error, 0);
		cr_assert_not(secrets_open(&config, &secrets, &error), "%zu", i);
		cr_expect(view_equal(buf_view(&error), view_of(cases[i].expected)), "%.*s",
		          VIEW_ARGS(buf_view(&error)));
	}
}

Test(secrets, none_is_no_failure)
{
	struct config config = auth_config();
	struct secrets secrets;

	cr_assert(secrets_open(&config, &secrets, &error));
	cr_expect_eq(secrets.count, 0);
	cr_expect_eq(verify_hs256(&secrets, CURRENT, NOW), JWT_BAD_SIGNATURE);
	secrets_close(&secrets);
}
