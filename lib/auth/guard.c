/* Takes the bearer token out of a request, has it verified, compares its
 * subject with the path. */
#include "auth/guard.h"

#include "auth/cookie.h"
#include "base/clock.h"
#include "base/secret.h"

struct principal {
	struct view user;
	int64_t issued_at;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The credentials after the scheme (RFC 9110 §11.4); ABSENT: another scheme. */
static struct view bearer_credentials(struct view header)
{
	struct view value = view_trim(header);
	struct view scheme = VIEW("Bearer");
	if (!view_equal_nocase((struct view){value.ptr, value.len < scheme.len ? value.len : scheme.len}, scheme))
		return ABSENT;
	struct view rest = view_from(value, scheme.len);
	if (rest.len > 0 && !is_space(rest.ptr[0]))
		return ABSENT;
	return view_trim(rest);
}

/* Which of the token's faults a client may know, and which are none of its own. */
static enum outcome outcome_of(enum jwt_error error)
{
	if (error == JWT_EXPIRED)
		return OUTCOME_TOKEN_EXPIRED;
	if (error == JWT_NO_KEYS)
		return OUTCOME_KEYS_UNAVAILABLE;
	if (error == JWT_NO_MEMORY)
		return OUTCOME_INTERNAL;
	return OUTCOME_TOKEN_INVALID;
}

/* The one token that was sent. */
static enum outcome read_token(const struct request *request, struct view *ret, const char **ret_reason)
{
	/* Web servers join repeated fields with a comma (RFC 9110 §5.3), which no
	 * token can hold (RFC 6750 §2.1). */
	if (view_find(request->authorization, ',') < request->authorization.len)
		return OUTCOME_TWO_CREDENTIALS;
	struct view token = bearer_credentials(request->authorization);
	if (view_is_absent(token)) {
		*ret_reason = "no_token";
		return OUTCOME_UNAUTHENTICATED;
	}
	*ret = token;
	return OUTCOME_OK;
}

enum outcome guard_bearer(struct keyring *keyring, struct arena *arena, const struct request *request,
                          const struct claims **ret, const char **ret_reason)
{
	struct view token;
	enum outcome outcome = read_token(request, &token, ret_reason);
	if (outcome != OUTCOME_OK)
		return outcome;
	struct claims *claims = arena_calloc(arena, 1, sizeof *claims);
	if (!claims)
		return OUTCOME_INTERNAL;
	enum jwt_error error = keyring_verify(keyring, arena, token, clock_now(), claims);
	if (error != JWT_OK) {
		*ret_reason = jwt_error_text(error);
		return outcome_of(error);
	}
	*ret = claims;
	return OUTCOME_OK;
}

static bool may_change(const struct keyring *keyring, const struct cors *cors, const struct request *request)
{
	if (request->method & (METHOD_GET | METHOD_HEAD | METHOD_OPTIONS))
		return true;
	return request->origin.len > 0 &&
	       (view_equal(request->origin, keyring_origin(keyring)) || cors_allows(cors, request->origin));
}

static enum outcome judge_session(struct keyring *keyring, struct arena *arena, struct view token,
                                  struct claims *claims, const char **ret_reason)
{
	enum jwt_error error = keyring_verify_session(keyring, arena, token, clock_now(), claims);
	if (error == JWT_OK)
		return OUTCOME_OK;
	*ret_reason = jwt_error_text(error);
	return outcome_of(error);
}

enum outcome guard_session(struct keyring *keyring, const struct cors *cors, struct arena *arena,
                           const struct request *request, const struct claims **ret, const char **ret_reason)
{
	struct view name = keyring_cookie_name(keyring);
	struct view token = ABSENT;
	*ret_reason = "no_token";
	if (view_is_absent(name))
		return OUTCOME_UNAUTHENTICATED;
	struct claims *claims = arena_calloc(arena, 1, sizeof *claims);
	if (!claims)
		return OUTCOME_INTERNAL;
	switch (cookie_find(arena, request->cookie, name, &token)) {
	case COOKIE_OK:
		break;
	case COOKIE_NONE:
		return OUTCOME_UNAUTHENTICATED;
	case COOKIE_BAD:
		*ret_reason = "bad_cookie";
		return OUTCOME_TOKEN_INVALID;
	case COOKIE_NO_MEMORY:
		return OUTCOME_INTERNAL;
	}
	*ret_reason = NULL;
	enum outcome outcome = judge_session(keyring, arena, token, claims, ret_reason);
	if (outcome != OUTCOME_OK)
		return outcome;
	if (!may_change(keyring, cors, request)) {
		*ret_reason = "bad_origin";
		return OUTCOME_ORIGIN_REFUSED;
	}
	*ret = claims;
	return OUTCOME_OK;
}

enum outcome guard_operator(const struct request *request, struct view expected, const char **ret_reason)
{
	struct view token;
	enum outcome outcome = read_token(request, &token, ret_reason);
	if (outcome != OUTCOME_OK)
		return outcome;
	if (expected.len > 0 && secret_equal(token, expected))
		return OUTCOME_OK;
	*ret_reason = "bad_operator_token";
	return OUTCOME_TOKEN_INVALID;
}

bool guard_operator_valid(struct view expected)
{
	return view_find(expected, ',') == expected.len && view_equal(view_trim(expected), expected);
}

enum outcome guard_owner(struct arena *arena, const struct claims *claims, struct view path_user,
                         const struct principal **ret)
{
	if (!view_equal(claims->subject, path_user))
		return OUTCOME_FORBIDDEN;
	struct principal *principal = arena_calloc(arena, 1, sizeof *principal);
	if (!principal)
		return OUTCOME_INTERNAL;
	principal->user = claims->subject;
	principal->issued_at = claims->issued_at;
	*ret = principal;
	return OUTCOME_OK;
}

struct view principal_user(const struct principal *principal)
{
	return principal->user;
}

int64_t principal_issued_at(const struct principal *principal)
{
	return principal->issued_at;
}
