/* The shared secrets of Better Auth: the current one and, for a time, previous ones. */
#ifndef AUTH_SECRETS_H
#define AUTH_SECRETS_H

#include "auth/jwt.h"
#include "auth/key.h"
#include "base/buf.h"
#include "base/config.h"

enum { SECRETS_MAX = 3, SECRET_MIN_DIFFERENT_BYTES = 8 };

struct secrets {
	enum alg alg;                  /* JWT_SHARED_SECRET_ALG: the one that they verify */
	size_t count;                  /* 0: none is configured */
	struct key *keys[SECRETS_MAX]; /* the current one, then the previous ones, newest first */
	int64_t previous_until;        /* from this instant on only the current one counts */
};

/* NULL when `secret` is fit to sign with `alg`; otherwise what is wrong with it:
 * shorter than the hash (RFC 7518 §3.2), fewer than SECRET_MIN_DIFFERENT_BYTES
 * different bytes, Better Auth's published default, a well-known placeholder. */
const char *secret_fault(struct view secret, enum alg alg);

/* Reads BETTER_AUTH_SECRET, _PREVIOUS_SECRETS and _PREVIOUS_SECRETS_UNTIL. On
 * failure `error` holds one line that names the setting, never its value. The
 * caller frees *ret with secrets_close(). */
CHECKED bool secrets_open(const struct config *config, struct secrets *ret, struct buf *error);
void secrets_close(struct secrets *secrets);

/* Checks the token's signature. A secret has no kid, so a token that names one
 * is refused (JWT_UNKNOWN_KID), and so is any algorithm but ours
 * (JWT_ALG_MISMATCH). */
CHECKED enum jwt_error secrets_verify(struct secrets *secrets, const struct jwt *jwt, int64_t now);

#endif
