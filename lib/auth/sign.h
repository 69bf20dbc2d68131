/* Signing with a shared secret, by libjwt: for todoctl and the tests, never linked into a responder. */
#ifndef AUTH_SIGN_H
#define AUTH_SIGN_H

#include "auth/alg.h"
#include "base/buf.h"

/* Appends the token of these claims, the text of one JSON object, to *ret. `alg`
 * is HS256, HS384 or HS512, its key the bytes of `secret` (RFC 7518 §3.2). False:
 * another algorithm, claims that are no object, or no memory. */
CHECKED bool sign_token(enum alg alg, struct view secret, struct view claims, struct buf *ret);

#endif
