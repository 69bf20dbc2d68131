/* The claims of a verified token that the program uses, and the rules that they must keep. */
#ifndef AUTH_CLAIMS_H
#define AUTH_CLAIMS_H

#include "auth/jwt.h"
#include "base/view.h"

struct claims {
	struct view subject; /* 1..255 bytes, no control characters, not blank */
	struct view email;   /* ABSENT when the token has none */
	struct view name;    /* ABSENT when the token has none */
	int64_t expires_at;  /* microseconds since 1970, within the years 0001 to 9999 */
	int64_t issued_at;   /* the same; CLAIMS_NO_TIME when the token has none */
};

#define CLAIMS_NO_TIME INT64_MIN

enum { CLAIMS_SUBJECT_MAX = 255 };

/* What a token must say. */
struct claims_policy {
	struct view issuer;         /* ABSENT: not checked */
	struct view audience;       /* ABSENT: not checked */
	struct view required_scope; /* ABSENT: tokens of type at+jwt are refused */
	int64_t leeway;             /* microseconds that clocks may differ */
	bool dated;                 /* a token without iat is refused */
};

/* Judges the payload of a token whose signature has proved good, at instant
 * `now` (RFC 7519 §4.1, §7.2). `sub` alone is the user. That the time is over is
 * judged last: JWT_EXPIRED means that nothing else is wrong. *ret and its views
 * live in the arena. */
CHECKED enum jwt_error claims_read(struct arena *arena, const struct jwt *jwt, const struct claims_policy *policy,
                                   int64_t now, struct claims *ret);

/* The same for the session that Better Auth keeps in a cookie (its cookie cache by
 * the strategy jwt: `session`, `user`, iat, exp). `user.id` alone is the user, and
 * must be the `userId` of the session; it ends with the session's `expiresAt` or
 * with exp, whichever is earlier. What has sub, iss, aud or cnf is a token, and no
 * session. Of the policy, leeway and dated count. */
CHECKED enum jwt_error claims_read_session(struct arena *arena, const struct jwt *jwt,
                                           const struct claims_policy *policy, int64_t now, struct claims *ret);

#endif
