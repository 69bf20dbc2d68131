/* The one reader of claims. */
#include "auth/claims.h"

#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

/* The first and last second that RFC 3339 text can show as a year of four
 * digits. A NumericDate beyond them is as good as they are: no clock gets there. */
#define FIRST_SECOND (-62135596800.0)
#define LAST_SECOND 253402300799.0

/* A NumericDate: any finite number, fractions too (RFC 7519 §2). The whole
 * seconds are exact, the fraction is rounded to microseconds. */
static bool read_time(const cJSON *node, int64_t *ret)
{
	double seconds;
	double whole;

	if (!cJSON_IsNumber(node) || !isfinite(node->valuedouble))
		return false;
	seconds = fmin(fmax(node->valuedouble, FIRST_SECOND), LAST_SECOND);
	whole = floor(seconds);
	*ret = (int64_t)whole * CLOCK_SECOND + (int64_t)round((seconds - whole) * (double)CLOCK_SECOND);
	return true;
}

/* `name`, when present, must be a time that is not ahead of ours. */
static enum jwt_error read_past(const cJSON *claims, const char *name, enum jwt_error bad, int64_t latest, int64_t *ret)
{
	const cJSON *node = json_member(claims, name);
	int64_t time = CLAIMS_NO_TIME;

	if (node && !read_time(node, &time))
		return bad;
	if (node && time > latest)
		return JWT_NOT_YET;
	*ret = time;
	return JWT_OK;
}

static bool is_good_subject(struct view subject)
{
	return subject.len > 0 && subject.len <= CLAIMS_SUBJECT_MAX && !view_has_control(subject) &&
	       utf8_trim(subject).len > 0;
}

/* An empty value never matches, not even an empty setting. */
static bool is_expected(const cJSON *node, struct view expected)
{
	struct view text = json_text(node);

	return text.len > 0 && view_equal(text, expected);
}

/* A string, or an array of nothing but strings that contains ours (RFC 7519 §4.1.3). */
static bool has_audience(const cJSON *aud, struct view expected)
{
	const cJSON *element;
	bool found = false;

	if (!cJSON_IsArray(aud))
		return is_expected(aud, expected);
	cJSON_ArrayForEach(element, aud)
	{
		if (!cJSON_IsString(element))
			return false;
		found = found || is_expected(element, expected);
	}
	return found;
}

/* One word of `scope`, which is separated by spaces (RFC 8693 §4.2). */
static bool has_scope(const cJSON *claims, struct view required)
{
	struct view rest = json_member_text(claims, "scope");

	while (!view_is_absent(rest))
		if (view_equal(view_cut(&rest, ' '), required))
			return true;
	return false;
}

/* When it counts: nbf and iat, and exp, whose being over is for the caller to judge,
 * last of all. */
static enum jwt_error read_window(const cJSON *claims, const struct claims_policy *policy, int64_t now,
                                  struct claims *ret)
{
	int64_t not_before;
	enum jwt_error error = read_past(claims, "nbf", JWT_BAD_NBF, now + policy->leeway, &not_before);

	if (error != JWT_OK)
		return error;
	error = read_past(claims, "iat", JWT_BAD_IAT, now + policy->leeway, &ret->issued_at);
	if (error != JWT_OK)
		return error;
	/* A token without a date can't be told from one that was revoked. */
	if (policy->dated && ret->issued_at == CLAIMS_NO_TIME)
		return JWT_BAD_IAT;
	return read_time(json_member(claims, "exp"), &ret->expires_at) ? JWT_OK : JWT_BAD_EXP;
}

static enum jwt_error read_token(const cJSON *claims, const struct jwt *jwt, const struct claims_policy *policy,
                                 int64_t now, struct claims *ret)
{
	struct claims read = {
	        .subject = json_member_text(claims, "sub"),
	        .email = json_member_text(claims, "email"),
	        .name = json_member_text(claims, "name"),
	};
	enum jwt_error error;

	if (!is_good_subject(read.subject))
		return JWT_BAD_SUB;
	if (!view_is_absent(policy->issuer) && !is_expected(json_member(claims, "iss"), policy->issuer))
		return JWT_BAD_ISS;
	if (!view_is_absent(policy->audience) && !has_audience(json_member(claims, "aud"), policy->audience))
		return JWT_BAD_AUD;
	/* Bound to a key that the sender must prove to hold (RFC 7800 §3.1); nobody here asks for the proof. */
	if (json_member(claims, "cnf"))
		return JWT_CNF;
	if (jwt->is_access_token && !has_scope(claims, policy->required_scope))
		return JWT_BAD_SCOPE;
	error = read_window(claims, policy, now, &read);
	if (error != JWT_OK)
		return error;
	if (now >= read.expires_at + policy->leeway)
		return JWT_EXPIRED;
	*ret = read;
	return JWT_OK;
}

static enum jwt_error read_session(const cJSON *claims, const struct claims_policy *policy, int64_t now,
                                   struct claims *ret)
{
	static const char *const of_tokens[] = {"sub", "iss", "aud", "cnf"};
	const cJSON *user = json_member(claims, "user");
	const cJSON *session = json_member(claims, "session");
	struct claims read = {
	        .subject = json_member_text(user, "id"),
	        .email = json_member_text(user, "email"),
	        .name = json_member_text(user, "name"),
	};
	int64_t session_ends = 0;
	enum jwt_error error;

	/* The secret signs tokens as well: what could be one is no session. */
	for (size_t i = 0; i < sizeof(of_tokens) / sizeof(of_tokens[0]); i++)
		if (json_member(claims, of_tokens[i]))
			return JWT_BAD_SESSION;
	if (!is_good_subject(read.subject))
		return JWT_BAD_SUB;
	if (!view_equal(read.subject, json_member_text(session, "userId")) ||
	    !clock_parse(json_member_text(session, "expiresAt"), &session_ends))
		return JWT_BAD_SESSION;
	error = read_window(claims, policy, now, &read);
	if (error != JWT_OK)
		return error;
	if (session_ends < read.expires_at)
		read.expires_at = session_ends;
	if (now >= read.expires_at + policy->leeway)
		return JWT_EXPIRED;
	*ret = read;
	return JWT_OK;
}

static enum jwt_error read_payload(struct arena *arena, const struct jwt *jwt, const cJSON **ret)
{
	const cJSON *claims;

	switch (json_parse(arena, jwt->payload, &claims)) {
	case JSON_OK:
		break;
	case JSON_NO_MEMORY:
		return JWT_NO_MEMORY;
	case JSON_MALFORMED:
	case JSON_DUPLICATE:
	case JSON_TOO_COMPLEX:
		return JWT_BAD_PAYLOAD;
	}
	if (!cJSON_IsObject(claims))
		return JWT_BAD_PAYLOAD;
	*ret = claims;
	return JWT_OK;
}

enum jwt_error claims_read(struct arena *arena, const struct jwt *jwt, const struct claims_policy *policy, int64_t now,
                           struct claims *ret)
{
	const cJSON *claims = NULL;
	enum jwt_error error;

	if (jwt->is_access_token && view_is_absent(policy->required_scope))
		return JWT_BAD_TYP;
	error = read_payload(arena, jwt, &claims);
	return error == JWT_OK ? read_token(claims, jwt, policy, now, ret) : error;
}

enum jwt_error claims_read_session(struct arena *arena, const struct jwt *jwt, const struct claims_policy *policy,
                                   int64_t now, struct claims *ret)
{
	const cJSON *claims = NULL;
	enum jwt_error error;

	if (jwt->is_access_token)
		return JWT_BAD_TYP;
	error = read_payload(arena, jwt, &claims);
	return error == JWT_OK ? read_session(claims, policy, now, ret) : error;
}
