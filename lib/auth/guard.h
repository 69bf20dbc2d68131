/* The guard: who is asking, and may they enter this path.
 *
 * Only this file makes a struct principal, and only with a principal can a
 * statement on user data be run (db/db.h): it is the proof of a verified token
 * whose subject owns the path.
 */
#ifndef AUTH_GUARD_H
#define AUTH_GUARD_H

#include "auth/claims.h"
#include "auth/keyring.h"
#include "base/arena.h"
#include "http/cors.h"
#include "http/outcome.h"
#include "http/request.h"

struct principal;

/* Verifies the request's bearer token (RFC 6750 §2.1). *ret lives in the arena.
 * OUTCOME_UNAUTHENTICATED: none was sent; OUTCOME_TOKEN_EXPIRED: its signature
 * is good, its time is over; OUTCOME_KEYS_UNAVAILABLE: no key could be had yet;
 * OUTCOME_TOKEN_INVALID: any other fault. The reason for the log is in
 * *ret_reason after every failure that has one. */
CHECKED enum outcome guard_bearer(struct keyring *keyring, struct arena *arena, const struct request *request,
                                  const struct claims **ret, const char **ret_reason);

/* Where cookies are taken (AUTH_COOKIE) and no bearer token was sent: verifies the
 * session in the request's cookie. Since a browser sends it along whoever asks, a
 * method that is not safe (RFC 9110 §9.2.1) also takes an Origin that is our own or
 * on the list of `cors`: OUTCOME_ORIGIN_REFUSED. Otherwise as guard_bearer();
 * OUTCOME_UNAUTHENTICATED also where no cookie is taken. */
CHECKED enum outcome guard_session(struct keyring *keyring, const struct cors *cors, struct arena *arena,
                                   const struct request *request, const struct claims **ret, const char **ret_reason);

/* Is the bearer token the operator's own `expected` one? OUTCOME_UNAUTHENTICATED:
 * none was sent; OUTCOME_TOKEN_INVALID: another, or an empty one is expected.
 * *ret_reason as above. */
CHECKED enum outcome guard_operator(const struct request *request, struct view expected, const char **ret_reason);

/* Can a client send that token to guard_operator()? Empty: none is expected. */
bool guard_operator_valid(struct view expected);

/* Admits the token's subject to the path of `path_user`, byte for byte the same.
 * *ret lives in the arena. */
CHECKED enum outcome guard_owner(struct arena *arena, const struct claims *claims, struct view path_user,
                                 const struct principal **ret);

/* The user whose rows this principal may see. */
struct view principal_user(const struct principal *principal);

/* When the principal's token was issued: microseconds since 1970, or CLAIMS_NO_TIME. */
int64_t principal_issued_at(const struct principal *principal);

#endif
