/* The claims rules: times, issuer, audience and who the user is. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "auth/claims.h"
#include "base/buf.h"
#include "base/clock.h"
#include "support/arena.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NOW (INT64_C(1800000000) * CLOCK_SECOND)

/* What a good token says, to be put before one more claim. */
#define SUB "\"sub\":\"u1\""
#define ISS "\"iss\":\"https://app.example\""
#define AUD "\"aud\":\"https://app.example\""
#define EXP "\"exp\":1800000900"
#define REST "," SUB "," ISS "," AUD
#define ALL SUB "," ISS "," AUD "," EXP

TestSuite(claims, .init = arena_begin, .fini = arena_end);

static const struct claims_policy standard = {
        .issuer = {"https://app.example", 19},
        .audience = {"https://app.example", 19},
        .leeway = 30 * CLOCK_SECOND,
};

static enum jwt_error read_with(const struct claims_policy *policy, bool is_access_token, struct view payload,
                                int64_t now, struct claims *ret)
{
	struct jwt jwt = {.alg = ALG_HS256, .payload = payload, .is_access_token = is_access_token};

	return claims_read(&arena, &jwt, policy, now, ret);
}

static enum jwt_error read(const char *payload, struct claims *ret)
{
	return read_with(&standard, false, view_of(payload), NOW, ret);
}

struct case_of {
	const char *payload;
	enum jwt_error error;
};

static void expect_all(const struct case_of *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct claims claims;
		enum jwt_error error = read(cases[i].payload, &claims);

		cr_expect_eq(error, cases[i].error, "%s: %s", cases[i].payload, jwt_error_text(error));
	}
}

Test(claims, reads_what_better_auth_says)
{
	struct claims claims;

	cr_assert_eq(read("{\"iat\":1800000000,\"name\":\"J\xc3\xbcrgen\\u0001\",\"email\":\"j@app.example\","
	                  "\"emailVerified\":false,"
	                  "\"image\":null,\"createdAt\":\"2026-01-01T00:00:00.000Z\",\"id\":\"u1\"," ALL "}",
	                  &claims),
	             JWT_OK);
	cr_expect(view_equal(claims.subject, VIEW("u1")));
	cr_expect(view_equal(claims.email, VIEW("j@app.example")));
	cr_expect(view_equal(claims.name, VIEW("J\xc3\xbcrgen\x01")));
	cr_expect_eq(claims.expires_at, 1800000900 * CLOCK_SECOND);
	cr_expect_eq(claims.issued_at, 1800000000 * CLOCK_SECOND);
}

Test(claims, leaves_out_what_the_token_has_not)
{
	struct claims claims;

	cr_assert_eq(read("{" ALL "}", &claims), JWT_OK);
	cr_expect(view_is_absent(claims.email));
	cr_expect(view_is_absent(claims.name));
	cr_expect_eq(claims.issued_at, CLAIMS_NO_TIME);
	cr_assert_eq(read("{\"email\":1,\"name\":[\"x\"]," ALL "}", &claims), JWT_OK, "they are taken only as strings");
	cr_expect(view_is_absent(claims.email));
	cr_expect(view_is_absent(claims.name));
}

Test(claims, leaves_the_result_alone_on_failure)
{
	struct claims claims = {.expires_at = 7};

	cr_expect_neq(read("{" SUB "}", &claims), JWT_OK);
	cr_expect_eq(claims.expires_at, 7);
	cr_expect(view_is_absent(claims.subject));
}

Test(claims, requires_exp_to_be_a_finite_number)
{
	static const struct case_of cases[] = {
	        {"{" SUB "," ISS "," AUD "}", JWT_BAD_EXP},
	        {"{\"exp\":\"1800000900\"" REST "}", JWT_BAD_EXP},
	        {"{\"exp\":\"\"" REST "}", JWT_BAD_EXP},
	        {"{\"exp\":null" REST "}", JWT_BAD_EXP},
	        {"{\"exp\":true" REST "}", JWT_BAD_EXP},
	        {"{\"exp\":[1800000900]" REST "}", JWT_BAD_EXP},
	        {"{\"exp\":{}" REST "}", JWT_BAD_EXP},
	        {"{\"Exp\":1800000900" REST "}", JWT_BAD_EXP},
	        {"{\"exp\":1e400" REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":-1e400" REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":NaN" REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":Infinity" REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":01800000900" REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":+1800000900" REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":1800000900." REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":0x6B49D200" REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":1800000900,\"exp\":1800000901" REST "}", JWT_BAD_PAYLOAD},
	        {"{\"exp\":1800000900.5" REST "}", JWT_OK},
	        {"{\"exp\":1.8000009e9" REST "}", JWT_OK},
	        {"{\"exp\":9007199254740993" REST "}", JWT_OK},
	        {"{\"exp\":1e300" REST "}", JWT_OK},
	        {"{\"exp\":0" REST "}", JWT_EXPIRED},
	        {"{\"exp\":-0.0" REST "}", JWT_EXPIRED},
	        {"{\"exp\":-1" REST "}", JWT_EXPIRED},
	        {"{\"exp\":-1e300" REST "}", JWT_EXPIRED},
	        {"{\"exp\":1e-300" REST "}", JWT_EXPIRED},
	};

	expect_all(cases, COUNT(cases));
}

Test(claims, expires_at_the_second_exp_plus_leeway)
{
	static const struct case_of cases[] = {
	        {"{\"exp\":1799999971" REST "}", JWT_OK},
	        {"{\"exp\":1799999970.000001" REST "}", JWT_OK},
	        {"{\"exp\":1799999970" REST "}", JWT_EXPIRED},
	        {"{\"exp\":1799999969.999999" REST "}", JWT_EXPIRED},
	};

	expect_all(cases, COUNT(cases));
}

Test(claims, without_leeway_accepts_until_the_last_microsecond)
{
	struct claims_policy policy = standard;
	struct claims claims;

	policy.leeway = 0;
	cr_expect_eq(read_with(&policy, false, VIEW("{\"exp\":1800000000" REST "}"), NOW - 1, &claims), JWT_OK);
	cr_expect_eq(read_with(&policy, false, VIEW("{\"exp\":1800000000" REST "}"), NOW, &claims), JWT_EXPIRED);
}

Test(claims, keeps_times_within_what_text_can_show)
{
	char text[CLOCK_TEXT_SECONDS + 1];
	struct claims claims;

	cr_assert_eq(read("{\"iat\":-1e300,\"exp\":1e300" REST "}", &claims), JWT_OK);
	clock_format_seconds(claims.expires_at, text);
	cr_expect_str_eq(text, "9999-12-31T23:59:59Z");
	clock_format_seconds(claims.issued_at, text);
	cr_expect_str_eq(text, "0001-01-01T00:00:00Z");
}

Test(claims, refuses_what_is_not_yet)
{
	static const struct case_of cases[] = {
	        {"{\"nbf\":1800000030," ALL "}", JWT_OK},
	        {"{\"nbf\":1800000030.000001," ALL "}", JWT_NOT_YET},
	        {"{\"nbf\":1800000031," ALL "}", JWT_NOT_YET},
	        {"{\"nbf\":1e300," ALL "}", JWT_NOT_YET},
	        {"{\"nbf\":-5," ALL "}", JWT_OK},
	        {"{\"nbf\":\"1800000000\"," ALL "}", JWT_BAD_NBF},
	        {"{\"nbf\":null," ALL "}", JWT_BAD_NBF},
	        {"{\"nbf\":1e400," ALL "}", JWT_BAD_PAYLOAD},
	        {"{\"iat\":1800000030," ALL "}", JWT_OK},
	        {"{\"iat\":1800000031," ALL "}", JWT_NOT_YET},
	        {"{\"iat\":1e300," ALL "}", JWT_NOT_YET},
	        {"{\"iat\":\"1800000000\"," ALL "}", JWT_BAD_IAT},
	        {"{\"iat\":null," ALL "}", JWT_BAD_IAT},
	        {"{\"iat\":false," ALL "}", JWT_BAD_IAT},
	};

	expect_all(cases, COUNT(cases));
}

#define SUBJECT_REST "," ISS "," AUD "," EXP

Test(claims, takes_sub_alone_for_the_user)
{
	static const struct case_of cases[] = {
	        {"{\"sub\":\"u\"" SUBJECT_REST "}", JWT_OK},
	        {"{\"sub\":\"7\"" SUBJECT_REST "}", JWT_OK},
	        {"{\"sub\":\"0190b5d2-0c5e-7d5e-8d0c-0123456789ab\"" SUBJECT_REST "}", JWT_OK},
	        {"{\"sub\":\"a b\"" SUBJECT_REST "}", JWT_OK},
	        {"{\"sub\":\"\xc3\xa9/\\\\..\"" SUBJECT_REST "}", JWT_OK},
	        {"{" ISS "," AUD "," EXP "}", JWT_BAD_SUB},
	        {"{\"id\":\"u1\",\"userId\":\"u1\",\"user_id\":\"u1\",\"email\":\"u1\"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"Sub\":\"u1\"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":\"\"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":\" \"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":\"\\u00a0\\u3000\"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":7" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":null" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":true" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":[\"u1\"]" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":{\"u1\":1}" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":\"u1\\u0001\"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":\"u1\\n\"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":\"u1\\u007f\"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":\"u1\\u0085\"" SUBJECT_REST "}", JWT_BAD_SUB},
	        {"{\"sub\":\"u1\\u0000u2\"" SUBJECT_REST "}", JWT_BAD_PAYLOAD},
	        {"{\"sub\":\"u1\n\"" SUBJECT_REST "}", JWT_BAD_PAYLOAD},
	        {"{\"sub\":\"u1\xff\"" SUBJECT_REST "}", JWT_BAD_PAYLOAD},
	        {"{\"sub\":\"u1\\ud800\"" SUBJECT_REST "}", JWT_BAD_PAYLOAD},
	        {"{\"sub\":\"u1\",\"sub\":\"u2\"" SUBJECT_REST "}", JWT_BAD_PAYLOAD},
	        {"{\"sub\":\"u1\",\"s\\u0075b\":\"u2\"" SUBJECT_REST "}", JWT_BAD_PAYLOAD},
	};

	expect_all(cases, COUNT(cases));
}

Test(claims, bounds_sub_at_255_bytes)
{
	struct buf payload = buf_make(4096);
	struct claims claims;

	cr_assert_eq(CLAIMS_SUBJECT_MAX, 255);
	for (size_t len = CLAIMS_SUBJECT_MAX; len <= CLAIMS_SUBJECT_MAX + 1; len++) {
		buf_reset(&payload, 0);
		BUF_LIT(&payload, "{\"sub\":\"");
		for (size_t i = 0; i < len; i++)
			buf_add_char(&payload, 'u');
		BUF_LIT(&payload, "\"" SUBJECT_REST "}");
		cr_expect_eq(read_with(&standard, false, buf_view(&payload), NOW, &claims),
		             len <= CLAIMS_SUBJECT_MAX ? JWT_OK : JWT_BAD_SUB);
	}
	buf_destroy(&payload);
}

#define ISSUER_REST "," SUB "," AUD "," EXP
#define AUDIENCE_REST "," SUB "," ISS "," EXP

Test(claims, checks_iss_byte_for_byte)
{
	static const struct case_of cases[] = {
	        {"{\"iss\":\"https://app.example\"" ISSUER_REST "}", JWT_OK},
	        {"{" SUB "," AUD "," EXP "}", JWT_BAD_ISS},
	        {"{\"iss\":\"https://app.example/\"" ISSUER_REST "}", JWT_BAD_ISS},
	        {"{\"iss\":\"https://App.example\"" ISSUER_REST "}", JWT_BAD_ISS},
	        {"{\"iss\":\"https://app.example.evil\"" ISSUER_REST "}", JWT_BAD_ISS},
	        {"{\"iss\":\"https://app.exampl\"" ISSUER_REST "}", JWT_BAD_ISS},
	        {"{\"iss\":\"\"" ISSUER_REST "}", JWT_BAD_ISS},
	        {"{\"iss\":null" ISSUER_REST "}", JWT_BAD_ISS},
	        {"{\"iss\":[\"https://app.example\"]" ISSUER_REST "}", JWT_BAD_ISS},
	};

	expect_all(cases, COUNT(cases));
}

Test(claims, checks_aud_in_each_of_its_shapes)
{
	static const struct case_of cases[] = {
	        {"{\"aud\":\"https://app.example\"" AUDIENCE_REST "}", JWT_OK},
	        {"{\"aud\":[\"https://app.example\"]" AUDIENCE_REST "}", JWT_OK},
	        {"{\"aud\":[\"other\",\"https://app.example\",\"more\"]" AUDIENCE_REST "}", JWT_OK},
	        {"{" SUB "," ISS "," EXP "}", JWT_BAD_AUD},
	        {"{\"aud\":\"other\"" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":\"\"" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":\"other https://app.example\"" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":\"https://app.example/\"" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":\"better-auth:session-cache\"" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":[]" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":[\"\"]" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":[\"other\"]" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":[\"https://app.example\",1]" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":[null,\"https://app.example\"]" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":[[\"https://app.example\"]]" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":{\"https://app.example\":\"https://app.example\"}" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":null" AUDIENCE_REST "}", JWT_BAD_AUD},
	        {"{\"aud\":true" AUDIENCE_REST "}", JWT_BAD_AUD},
	};

	expect_all(cases, COUNT(cases));
}

Test(claims, empty_settings_match_nothing)
{
	struct claims_policy policy = standard;
	struct claims claims;

	policy.issuer = VIEW("");
	cr_expect_eq(read_with(&policy, false, VIEW("{\"iss\":\"\"" ISSUER_REST "}"), NOW, &claims), JWT_BAD_ISS);
	policy = standard;
	policy.audience = VIEW("");
	cr_expect_eq(read_with(&policy, false, VIEW("{\"aud\":[\"\"]" AUDIENCE_REST "}"), NOW, &claims), JWT_BAD_AUD);
	policy.audience = VIEW("t");
	cr_expect_eq(read_with(&policy, false, VIEW("{\"aud\":\"t\"" AUDIENCE_REST "}"), NOW, &claims), JWT_OK);
}

Test(claims, checks_iss_and_aud_each_unless_switched_off)
{
	struct claims_policy policy = standard;
	struct claims claims;

	policy.issuer = ABSENT;
	cr_expect_eq(read_with(&policy, false, VIEW("{" SUB "," AUD "," EXP "}"), NOW, &claims), JWT_OK);
	cr_expect_eq(read_with(&policy, false, VIEW("{" SUB "," EXP "}"), NOW, &claims), JWT_BAD_AUD);
	policy = standard;
	policy.audience = ABSENT;
	cr_expect_eq(read_with(&policy, false, VIEW("{" SUB "," ISS "," EXP "}"), NOW, &claims), JWT_OK);
	cr_expect_eq(read_with(&policy, false, VIEW("{" SUB "," EXP "}"), NOW, &claims), JWT_BAD_ISS);
}

Test(claims, refuses_tokens_that_are_bound_to_a_key)
{
	static const struct case_of cases[] = {
	        {"{\"cnf\":{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}," ALL "}", JWT_CNF},
	        {"{\"cnf\":null," ALL "}", JWT_CNF},
	};

	expect_all(cases, COUNT(cases));
}

Test(claims, takes_one_strict_json_object)
{
	static const struct case_of cases[] = {
	        {"", JWT_BAD_PAYLOAD},
	        {"null", JWT_BAD_PAYLOAD},
	        {"[{" ALL "}]", JWT_BAD_PAYLOAD},
	        {"\"sub\"", JWT_BAD_PAYLOAD},
	        {"{" ALL "} x", JWT_BAD_PAYLOAD},
	        {"{" ALL "}{" ALL "}", JWT_BAD_PAYLOAD},
	        {"\xef\xbb\xbf{" ALL "}", JWT_BAD_PAYLOAD},
	        {"{" ALL ",}", JWT_BAD_PAYLOAD},
	        {"{" ALL ",\"a\":{\"b\":1,\"b\":2}}", JWT_BAD_PAYLOAD},
	        {"{" ALL ",\"a\":\"\xc0\xaf\"}", JWT_BAD_PAYLOAD},
	        {" \t\r\n{" ALL "}\n", JWT_OK},
	};

	expect_all(cases, COUNT(cases));
}

/* Better Auth's verification-mail token is signed with the same secret. */
Test(claims, refuses_the_verification_mail_token)
{
	struct claims claims;

	cr_expect_eq(
	        read("{\"email\":\"j@app.example\",\"userId\":\"u1\",\"iat\":1800000000,\"exp\":1800003600}", &claims),
	        JWT_BAD_SUB);
}

/* And so is the session cookie's. */
Test(claims, refuses_the_session_cookie_token)
{
	struct claims claims;

	cr_expect_eq(read("{\"session\":{\"token\":\"t\",\"userId\":\"u1\"},\"user\":{\"id\":\"u1\"},\"updatedAt\":1,"
	                  "\"version\":\"1\","
	                  "\"iat\":1800000000,\"exp\":1800000300}",
	                  &claims),
	             JWT_BAD_SUB);
}

Test(claims, judges_expiry_last)
{
	static const struct case_of cases[] = {
	        {"{\"exp\":1" REST "}", JWT_EXPIRED},
	        {"{\"exp\":1," SUB "," ISS ",\"aud\":\"other\"}", JWT_BAD_AUD},
	        {"{\"exp\":1," SUB "," AUD ",\"iss\":\"other\"}", JWT_BAD_ISS},
	        {"{\"exp\":1," ISS "," AUD "}", JWT_BAD_SUB},
	        {"{\"exp\":1,\"cnf\":{}" REST "}", JWT_CNF},
	        {"{\"exp\":1,\"nbf\":1800000900" REST "}", JWT_NOT_YET},
	};

	expect_all(cases, COUNT(cases));
}

Test(claims, admits_access_tokens_only_with_the_required_scope)
{
	static const struct {
		const char *scope;
		enum jwt_error error;
	} cases[] = {
	        {"\"scope\":\"tasks\"", JWT_OK},
	        {"\"scope\":\"openid tasks email\"", JWT_OK},
	        {"\"scope\":\"tasks:read\"", JWT_BAD_SCOPE},
	        {"\"scope\":\"nottasks\"", JWT_BAD_SCOPE},
	        {"\"scope\":\"Tasks\"", JWT_BAD_SCOPE},
	        {"\"scope\":\"\"", JWT_BAD_SCOPE},
	        {"\"scope\":[\"tasks\"]", JWT_BAD_SCOPE},
	        {"\"scp\":\"tasks\"", JWT_BAD_SCOPE},
	};
	struct claims_policy policy = standard;
	struct claims claims;

	policy.required_scope = VIEW("tasks");
	for (size_t i = 0; i < COUNT(cases); i++) {
		char payload[512];

		snprintf(payload, sizeof(payload), "{%s," ALL "}", cases[i].scope);
		cr_expect_eq(read_with(&policy, true, view_of(payload), NOW, &claims), cases[i].error, "%s",
		             cases[i].scope);
		cr_expect_eq(read_with(&standard, true, view_of(payload), NOW, &claims), JWT_BAD_TYP, "%s",
		             cases[i].scope);
		cr_expect_eq(read_with(&policy, false, view_of(payload), NOW, &claims), JWT_OK, "%s", cases[i].scope);
	}
}

/* Where tokens can be revoked, one without a date could never be. */
Test(claims, wants_a_date_where_that_is_asked_for)
{
	struct claims claims;
	struct claims_policy dated = standard;
	cr_expect_eq(read("{" ALL "}", &claims), JWT_OK);
	cr_expect_eq(claims.issued_at, CLAIMS_NO_TIME);
	dated.dated = true;
	cr_expect_eq(read_with(&dated, false, VIEW("{" ALL "}"), NOW, &claims), JWT_BAD_IAT);
	cr_expect_eq(read_with(&dated, false, VIEW("{\"iat\":1800000000," ALL "}"), NOW, &claims), JWT_OK);
	cr_expect_eq(claims.issued_at, NOW);
}

/* ---- a session ---- */

struct session {
	const char *user;       /* NULL: u1 */
	const char *user_id;    /* whose session it is; NULL: the user's */
	const char *expires_at; /* NULL: in centuries */
	const char *more;       /* further members, or NULL */
	bool is_access_token;
};

static enum jwt_error read_session(struct session session, int64_t now, struct claims *ret)
{
	struct jwt jwt = {.alg = ALG_HS256, .is_access_token = session.is_access_token};
	const char *user = session.user ? session.user : "u1";
	char payload[512];

	snprintf(payload, sizeof(payload),
	         "{\"session\":{\"userId\":\"%s\",\"expiresAt\":\"%s\"},\"user\":{\"id\":\"%s\"}," EXP "%s}",
	         session.user_id ? session.user_id : user,
	         session.expires_at ? session.expires_at : "2999-01-01T00:00:00Z", user,
	         session.more ? session.more : "");
	jwt.payload = view_of(payload);
	return claims_read_session(&arena, &jwt, &standard, now, ret);
}

Test(claims, a_session_ends_at_the_microsecond_and_with_exp_at_the_latest)
{
	const int64_t minute = NOW + 60 * CLOCK_SECOND;
	const int64_t exp = NOW + 900 * CLOCK_SECOND;
	const struct session earlier = {.expires_at = "2027-01-15T08:01:00Z"};
	struct claims claims;

	cr_expect_eq(read_session(earlier, minute + standard.leeway - 1, &claims), JWT_OK);
	cr_expect_eq(claims.expires_at, minute);
	cr_expect_eq(read_session(earlier, minute + standard.leeway, &claims), JWT_EXPIRED);
	cr_expect_eq(read_session((struct session){0}, exp + standard.leeway - 1, &claims), JWT_OK);
	cr_expect_eq(claims.expires_at, exp);
	cr_expect_eq(read_session((struct session){0}, exp + standard.leeway, &claims), JWT_EXPIRED);
}

Test(claims, a_session_is_its_users_and_no_token)
{
	static const struct {
		struct session session;
		enum jwt_error error;
	} cases[] = {
	        {{0}, JWT_OK},
	        {{.user_id = "u2"}, JWT_BAD_SESSION},
	        {{.user_id = ""}, JWT_BAD_SESSION},
	        {{.user = ""}, JWT_BAD_SUB},
	        {{.user = " "}, JWT_BAD_SUB},
	        {{.user = "u1\\n"}, JWT_BAD_SUB},
	        {{.expires_at = ""}, JWT_BAD_SESSION},
	        {{.expires_at = "tomorrow"}, JWT_BAD_SESSION},
	        {{.more = ",\"sub\":\"u1\""}, JWT_BAD_SESSION},
	        {{.more = ",\"sub\":null"}, JWT_BAD_SESSION},
	        {{.more = ",\"iss\":\"https://app.example\""}, JWT_BAD_SESSION},
	        {{.more = ",\"aud\":[]"}, JWT_BAD_SESSION},
	        {{.more = ",\"cnf\":{}"}, JWT_BAD_SESSION},
	        {{.more = ",\"nbf\":1800000031"}, JWT_NOT_YET},
	        {{.more = ",\"iat\":1800000031"}, JWT_NOT_YET},
	        {{.more = ",\"iat\":\"\""}, JWT_BAD_IAT},
	        {{.is_access_token = true}, JWT_BAD_TYP},
	};
	struct claims claims;

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum jwt_error error = read_session(cases[i].session, NOW, &claims);

		cr_expect_eq(error, cases[i].error, "row %zu: %s", i, jwt_error_text(error));
	}
	cr_expect_eq(claims_read_session(&arena, &(struct jwt){.payload = VIEW("[]")}, &standard, NOW, &claims),
	             JWT_BAD_PAYLOAD);
}
