/* auth/guard: one credential, one scheme, and a subject that owns the path. */
#include "auth/guard.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/issuer.h"
#include "support/leaks.h"

#define ORIGIN "https://todo.example"

static struct arena arena;
static struct keyring *keyring;
static struct issuer *issuer;
static char *token;

static struct keyring *open_keyring(bool with_cookie)
{
	struct config config = {
	        .better_auth_url = VIEW(ORIGIN),
	        .better_auth_secret = issuer_secret(issuer),
	        .jwt_shared_secret_alg = VIEW("HS256"),
	        .jwks_rsa_alg = VIEW("RS256"),
	        .jwt_leeway = 30,
	        .auth_cookie = with_cookie,
	        .auth_cookie_name = VIEW("data"),
	};
	struct keyring_parts parts = {.state_dir = -1};
	struct keyring *opened = NULL;
	struct buf error = buf_make(1024);
	cr_assert(keyring_open(&config, &parts, &opened, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	buf_destroy(&error);
	return opened;
}

static void setup(void)
{
	issuer = issuer_new(ALG_HS256, NULL);
	cr_assert(arena_init(&arena, 1024 * 1024));
	keyring = open_keyring(false);
	token = issuer_token_for(issuer, "u1", ORIGIN, clock_now());
}

static void teardown(void)
{
	free(token);
	keyring_close(keyring);
	issuer_free(issuer);
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(auth_guard, .init = setup, .fini = teardown);

static const struct claims *claims;
static const char *reason;

/* What becomes of that Authorization header; NULL: none. */
static enum outcome judge(const char *header)
{
	struct request request = {.authorization = view_of(header)};
	claims = NULL;
	reason = NULL;
	return guard_bearer(keyring, &arena, &request, &claims, &reason);
}

/* The header's text around the good token. */
static enum outcome judge_around(const char *before, const char *after)
{
	char header[4096];
	snprintf(header, sizeof header, "%s%s%s", before, token, after);
	return judge(header);
}

Test(auth_guard, admits_a_good_token_by_its_subject)
{
	cr_assert_eq(judge_around("Bearer ", ""), OUTCOME_OK, "%s", reason);
	cr_expect(view_equal(claims->subject, VIEW("u1")));
	cr_expect_null(reason);
}

/* RFC 9110 §11.1: the scheme's case does not matter. */
Test(auth_guard, takes_the_scheme_in_any_case_and_space_around_the_token)
{
	static const struct {
		const char *before;
		const char *after;
	} cases[] = {{"bearer ", ""},   {"BEARER ", ""},    {"bEaReR ", ""},
	             {"Bearer   ", ""}, {"  Bearer ", " "}, {"Bearer\t", "\t"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(judge_around(cases[i].before, cases[i].after), OUTCOME_OK, "row %zu", i);
}

Test(auth_guard, takes_a_request_without_a_bearer_token_for_one_without_credentials)
{
	static const char *const headers[] = {NULL,       "",       " ",       "Basic dXNlcjpwYXNz",
	                                      "Bearerx",  "Bear",   "Token x", "Bearer:",
	                                      "Bearer=x", "DPoP x", "Digest",  "Negotiate YII="};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		cr_expect_eq(judge(headers[i]), OUTCOME_UNAUTHENTICATED, "%s", headers[i] ? headers[i] : "(none)");
		cr_expect_null(claims);
	}
	cr_expect_eq(judge_around("", ""), OUTCOME_UNAUTHENTICATED, "a bare token");
	cr_expect_eq(judge_around("Bearer", ""), OUTCOME_UNAUTHENTICATED, "no space");
	cr_expect_eq(judge_around("JWT ", ""), OUTCOME_UNAUTHENTICATED, "another scheme");
}

Test(auth_guard, refuses_a_bearer_scheme_with_a_bad_token)
{
	static const char *const headers[] = {"Bearer",    "Bearer ",      "Bearer x",
	                                      "Bearer ..", "Bearer a.b.c", "Bearer null"};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		cr_expect_eq(judge(headers[i]), OUTCOME_TOKEN_INVALID, "%s", headers[i]);
		cr_expect_null(claims);
		cr_expect_not_null(reason, "%s", headers[i]);
	}
	cr_expect_eq(judge_around("Bearer ", "x"), OUTCOME_TOKEN_INVALID);
	cr_expect_eq(judge_around("Bearer ", "="), OUTCOME_TOKEN_INVALID);
	cr_expect_eq(judge_around("Bearer Bearer ", ""), OUTCOME_TOKEN_INVALID);
	cr_expect_eq(judge_around("Bearer \"", "\""), OUTCOME_TOKEN_INVALID);
	cr_expect_eq(judge_around("Bearer x ", ""), OUTCOME_TOKEN_INVALID);
	cr_expect_eq(judge_around("Bearer ", " x"), OUTCOME_TOKEN_INVALID);
}

/* Web servers join two headers with a comma. */
Test(auth_guard, refuses_two_credentials_even_if_both_are_good)
{
	char header[8192];
	snprintf(header, sizeof header, "Bearer %s, Bearer %s", token, token);
	cr_expect_eq(judge(header), OUTCOME_TWO_CREDENTIALS);
	snprintf(header, sizeof header, "Basic dXNlcjpwYXNz, Bearer %s", token);
	cr_expect_eq(judge(header), OUTCOME_TWO_CREDENTIALS);
	cr_expect_eq(judge_around("Bearer ", ", Basic dXNlcjpwYXNz"), OUTCOME_TWO_CREDENTIALS);
	cr_expect_eq(judge_around("Bearer ", ","), OUTCOME_TWO_CREDENTIALS);
	cr_expect_eq(judge_around(",Bearer ", ""), OUTCOME_TWO_CREDENTIALS);
}

Test(auth_guard, tells_an_expired_token_from_a_forged_one_that_says_it_expired)
{
	int64_t hour_ago = clock_now() - 3600 * CLOCK_SECOND;
	struct issuer *other = issuer_new(ALG_HS256, NULL);
	char *old = issuer_token_for(issuer, "u1", ORIGIN, hour_ago);
	char *forged = issuer_token_for(other, "u1", ORIGIN, hour_ago);
	char header[4096];
	snprintf(header, sizeof header, "Bearer %s", old);
	cr_expect_eq(judge(header), OUTCOME_TOKEN_EXPIRED);
	snprintf(header, sizeof header, "Bearer %s", forged);
	cr_expect_eq(judge(header), OUTCOME_TOKEN_INVALID);
	free(old);
	free(forged);
	issuer_free(other);
}

static bool key_set_update(struct source *source, int64_t now, enum source_need need, struct buf *notes)
{
	(void)source;
	(void)now;
	(void)need;
	(void)notes;
	return false;
}

static const struct jwks *key_set_keys(const struct source *source)
{
	(void)source;
	return NULL;
}

static void key_set_close(struct source *source)
{
	(void)source;
}

/* Nobody's token is bad because our keys can't be had. */
Test(auth_guard, does_not_blame_the_token_when_there_are_no_keys)
{
	static const struct source_type type = {key_set_update, key_set_keys, key_set_close};
	struct source source = {&type};
	struct config config = {
	        .better_auth_url = VIEW(ORIGIN), .jwks_rsa_alg = VIEW("RS256"), .jwt_shared_secret_alg = VIEW("HS256")};
	struct keyring_parts parts = {.state_dir = -1, .extra = &source};
	struct keyring *none;
	struct buf error = buf_make(1024);
	struct issuer *signer = issuer_new(ALG_EDDSA, "k1");
	char *signed_token = issuer_token_for(signer, "u1", ORIGIN, clock_now());
	char header[4096];
	cr_assert(keyring_open(&config, &parts, &none, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	snprintf(header, sizeof header, "Bearer %s", signed_token);
	struct request request = {.authorization = view_of(header)};
	cr_expect_eq(guard_bearer(none, &arena, &request, &claims, &reason), OUTCOME_KEYS_UNAVAILABLE);
	keyring_close(none);
	free(signed_token);
	issuer_free(signer);
	buf_destroy(&error);
}

Test(auth_guard, fails_closed_when_the_memory_of_a_request_is_used_up)
{
	struct arena small;
	struct request request = {.authorization = VIEW("Bearer x.y.z")};
	const struct principal *principal = NULL;
	struct claims own = {.subject = VIEW("u1")};
	cr_assert(arena_init(&small, 1));
	cr_expect_eq(guard_bearer(keyring, &small, &request, &claims, &reason), OUTCOME_INTERNAL);
	cr_expect_eq(guard_owner(&small, &own, VIEW("u1"), &principal), OUTCOME_INTERNAL);
	cr_expect_null(principal);
	arena_destroy(&small);
	/* Room for the claims, and none for the token: that is not the token's fault. */
	cr_assert(arena_init(&small, sizeof(struct claims)));
	cr_expect_eq(guard_bearer(keyring, &small, &request, &claims, &reason), OUTCOME_INTERNAL);
	arena_destroy(&small);
}

/* ---- a session in a cookie ---- */

#define COOKIE "__Secure-data=" /* the origin is https */

static struct keyring *with_cookie;

static void setup_session(void)
{
	setup();
	with_cookie = open_keyring(true);
}

static void teardown_session(void)
{
	keyring_close(with_cookie);
	teardown();
}

TestSuite(auth_guard_session, .init = setup_session, .fini = teardown_session);

static enum outcome judge_session_in(struct arena *room, enum method method, const char *cookie, const char *origin)
{
	const struct cors cors = {.origins = VIEW("https://front.example")};
	struct request request = {.method = method, .cookie = view_of(cookie), .origin = view_of(origin)};
	claims = NULL;
	reason = NULL;
	return guard_session(with_cookie, &cors, room, &request, &claims, &reason);
}

static enum outcome judge_session(enum method method, const char *cookie, const char *origin)
{
	return judge_session_in(&arena, method, cookie, origin);
}

/* The cookie of u1's session; `from_now` is when it is over. */
static const char *session(const struct issuer *signer, int64_t from_now)
{
	static char text[2048];
	char payload[512];
	snprintf(payload, sizeof payload,
	         "{\"session\":{\"userId\":\"u1\",\"expiresAt\":\"2999-01-01T00:00:00Z\"},\"user\":{\"id\":\"u1\"},"
	         "\"exp\":%lld}",
	         (long long)((clock_now() + from_now) / CLOCK_SECOND));
	char *signed_text = issuer_token(signer, "{\"alg\":\"HS256\"}", payload);
	snprintf(text, sizeof text, COOKIE "%s", signed_text);
	free(signed_text);
	return text;
}

Test(auth_guard_session, is_admitted_by_its_user)
{
	cr_assert_eq(judge_session(METHOD_GET, session(issuer, 300 * CLOCK_SECOND), NULL), OUTCOME_OK, "%s", reason);
	cr_expect(view_equal(claims->subject, VIEW("u1")));
	cr_expect_null(reason);
}

Test(auth_guard_session, is_none_and_says_why)
{
	struct issuer *other = issuer_new(ALG_HS256, NULL);
	char *good = strdup(session(issuer, 300 * CLOCK_SECOND));
	char *forged = strdup(session(other, 300 * CLOCK_SECOND));
	char *old = strdup(session(issuer, -300 * CLOCK_SECOND));
	char twice[4096];
	snprintf(twice, sizeof twice, "%s; %s", good, good);
	const struct {
		const char *cookie;
		enum outcome outcome;
		const char *reason;
	} cases[] = {
	        {NULL, OUTCOME_UNAUTHENTICATED, "no_token"},
	        {"other=1", OUTCOME_UNAUTHENTICATED, "no_token"},
	        {twice, OUTCOME_TOKEN_INVALID, "bad_cookie"},
	        {COOKIE "x", OUTCOME_TOKEN_INVALID, "not_three_parts"},
	        {forged, OUTCOME_TOKEN_INVALID, "bad_signature"},
	        {old, OUTCOME_TOKEN_EXPIRED, "expired"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_eq(judge_session(METHOD_GET, cases[i].cookie, NULL), cases[i].outcome, "row %zu", i);
		cr_expect_str_eq(reason, cases[i].reason, "row %zu", i);
		cr_expect_null(claims, "row %zu", i);
	}
	free(good);
	free(forged);
	free(old);
	issuer_free(other);
}

Test(auth_guard_session, is_not_looked_for_where_no_cookie_is_taken)
{
	const char *const cookies[] = {session(issuer, 300 * CLOCK_SECOND), "=a.b.c"};
	const struct cors cors = {0};
	for (size_t i = 0; i < sizeof cookies / sizeof *cookies; i++) {
		struct request request = {.method = METHOD_GET, .cookie = view_of(cookies[i])};
		cr_expect_eq(guard_session(keyring, &cors, &arena, &request, &claims, &reason), OUTCOME_UNAUTHENTICATED,
		             "%s", cookies[i]);
		cr_expect_str_eq(reason, "no_token");
	}
}

/* A browser sends the cookie along whoever asks. */
Test(auth_guard_session, changes_something_only_from_an_origin_of_ours)
{
	static const enum method safe[] = {METHOD_GET, METHOD_HEAD, METHOD_OPTIONS};
	static const enum method unsafe[] = {METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_OTHER};
	static const char *const ours[] = {ORIGIN, "https://front.example"};
	static const char *const others[] = {NULL, "", "null", "https://evil.example", ORIGIN "/"};
	const char *cookie = session(issuer, 300 * CLOCK_SECOND);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		for (size_t m = 0; m < sizeof safe / sizeof *safe; m++)
			cr_expect_eq(judge_session(safe[m], cookie, others[i]), OUTCOME_OK);
		for (size_t m = 0; m < sizeof unsafe / sizeof *unsafe; m++) {
			cr_expect_eq(judge_session(unsafe[m], cookie, others[i]), OUTCOME_ORIGIN_REFUSED);
			cr_expect_str_eq(reason, "bad_origin");
			cr_expect_null(claims);
		}
	}
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		for (size_t m = 0; m < sizeof unsafe / sizeof *unsafe; m++)
			cr_expect_eq(judge_session(unsafe[m], cookie, ours[i]), OUTCOME_OK);
}

Test(auth_guard_session, fails_closed_when_the_memory_of_a_request_is_used_up)
{
	struct arena small;
	cr_assert(arena_init(&small, 1));
	cr_expect_eq(judge_session_in(&small, METHOD_GET, session(issuer, 300 * CLOCK_SECOND), NULL), OUTCOME_INTERNAL);
	cr_expect_null(claims);
	arena_destroy(&small);
}

/* ---- the operator ---- */

Test(auth_guard, admits_the_operator_by_the_one_token)
{
	static const struct {
		const char *header;
		enum outcome outcome;
		const char *reason;
	} cases[] = {
	        {"Bearer the-operators-own", OUTCOME_OK, NULL},
	        {"Bearer the-operators-ow", OUTCOME_TOKEN_INVALID, "bad_operator_token"},
	        {"Bearer the-operators-own2", OUTCOME_TOKEN_INVALID, "bad_operator_token"},
	        {"Bearer The-operators-own", OUTCOME_TOKEN_INVALID, "bad_operator_token"},
	        {"Bearer ", OUTCOME_TOKEN_INVALID, "bad_operator_token"},
	        {"Basic the-operators-own", OUTCOME_UNAUTHENTICATED, "no_token"},
	        {NULL, OUTCOME_UNAUTHENTICATED, "no_token"},
	        {"Bearer the-operators-own, Bearer x", OUTCOME_TWO_CREDENTIALS, NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = {.authorization = view_of(cases[i].header)};
		reason = NULL;
		cr_expect_eq(guard_operator(&request, VIEW("the-operators-own"), &reason), cases[i].outcome, "row %zu",
		             i);
		cr_expect(view_equal(view_of(reason), view_of(cases[i].reason)), "row %zu", i);
	}
}

/* ---- whose path ---- */

Test(auth_guard, admits_a_subject_to_its_own_path_byte_for_byte)
{
	static const struct {
		const char *subject;
		const char *path_user;
		bool admitted;
	} cases[] = {
	        {"u1", "u1", true},
	        {"0189f7a0-1234-7abc-8def-0123456789ab", "0189f7a0-1234-7abc-8def-0123456789ab", true},
	        {"42", "42", true},
	        {"a b", "a b", true},
	        {"\xC3\xA9", "\xC3\xA9", true},
	        {"u1", "u2", false},
	        {"u1", "U1", false},
	        {"abc", "ABC", false},
	        {"u1", "u1 ", false},
	        {"u1", " u1", false},
	        {"u1", "u", false},
	        {"u", "u1", false},
	        {"u1", "", false},
	        {"1", "01", false},
	        {"1", "1.0", false},
	        {"10", "1e1", false},
	        {"a%62", "ab", false},
	        {"a+b", "a b", false},
	        {"\xC3\xA9", "e\xCC\x81", false}, /* the same letter, composed and not */
	        {"K", "\xE2\x84\xAA", false},     /* the Kelvin sign folds to K */
	        {"0189f7a0-1234-7abc-8def-0123456789ab", "0189F7A0-1234-7ABC-8DEF-0123456789AB", false},
	        {"*", "u1", false},
	        {"u1", "*", false},
	        {"u1", "%", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct claims own = {.subject = view_of(cases[i].subject)};
		const struct principal *principal = NULL;
		enum outcome outcome = guard_owner(&arena, &own, view_of(cases[i].path_user), &principal);
		cr_expect_eq(outcome, cases[i].admitted ? OUTCOME_OK : OUTCOME_FORBIDDEN, "%s at %s", cases[i].subject,
		             cases[i].path_user);
		cr_expect_eq(principal != NULL, cases[i].admitted, "%s at %s", cases[i].subject, cases[i].path_user);
		if (principal)
			cr_expect(view_equal(principal_user(principal), view_of(cases[i].subject)));
	}
}

/* A claim other than sub never makes anybody the owner. */
Test(auth_guard, looks_at_the_subject_alone)
{
	struct claims own = {.subject = VIEW("u1"), .email = VIEW("u2"), .name = VIEW("u2")};
	const struct principal *principal = NULL;
	cr_expect_eq(guard_owner(&arena, &own, VIEW("u2"), &principal), OUTCOME_FORBIDDEN);
}

/* By it the database knows a token that was revoked. */
Test(auth_guard, says_when_the_principals_token_was_issued)
{
	static const int64_t instants[] = {INT64_C(1800000000000000), 0, CLAIMS_NO_TIME};
	for (size_t i = 0; i < sizeof instants / sizeof *instants; i++) {
		struct claims own = {.subject = VIEW("u1"), .issued_at = instants[i]};
		const struct principal *principal = NULL;
		cr_assert_eq(guard_owner(&arena, &own, VIEW("u1"), &principal), OUTCOME_OK);
		cr_expect_eq(principal_issued_at(principal), instants[i]);
	}
}

Test(auth_guard, knows_a_token_of_the_operators_that_nobody_can_send)
{
	static const struct {
		const char *token;
		bool valid;
	} cases[] = {
	        {"", true},       {"Wq7-metrics_0Zt7bW2xLr8N", true},
	        {"a b", true},    {"a,b", false},
	        {",", false},     {"a,", false},
	        {" a", false},    {"a ", false},
	        {"a\t", false},   {"\ta", false},
	        {"Bearer", true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *header = NULL;
		const char *why = NULL;
		struct view expected = view_of(cases[i].token);
		cr_assert_gt(asprintf(&header, "Bearer %s", cases[i].token), 0);
		struct request request = {.authorization = view_of(header)};
		cr_expect_eq(guard_operator_valid(expected), cases[i].valid, "%s", cases[i].token);
		cr_expect_eq(guard_operator(&request, expected, &why) == OUTCOME_OK, cases[i].valid && expected.len > 0,
		             "%s", cases[i].token);
		free(header);
	}
}
