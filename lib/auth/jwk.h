/* JWK Sets: from a JSON document to the keys in it that may be used. */
#ifndef AUTH_JWK_H
#define AUTH_JWK_H

#include "auth/key.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

enum { JWKS_MAX_KEYS = 256, JWKS_MAX_BYTES = 256 * 1024 };

/* The usable keys of one document. */
struct jwks {
	size_t count;
	struct key *keys[];
};

enum jwks_error {
	JWKS_OK,
	JWKS_TOO_LARGE, /* more than JWKS_MAX_BYTES or JWKS_MAX_KEYS */
	JWKS_MALFORMED, /* not strict JSON, or no object with an array `keys` */
	JWKS_EMPTY,     /* not one usable key */
	JWKS_NO_MEMORY,
};

const char *jwks_error_text(enum jwks_error error);

/* One key (RFC 7517 §4). It is bound to one algorithm by itself: its `alg`;
 * without that OKP and EC by their curve, RSA by `rsa_alg`. Refused: kty oct,
 * private members, use other than sig, key_ops without verify, and whatever
 * key.h refuses. The arena serves as scratch; the caller owns *ret. */
CHECKED enum key_error jwk_parse(struct arena *arena, const cJSON *jwk, enum alg rsa_alg, struct key **ret);

/* A whole set (RFC 7517 §5). Keys that can't be used are skipped, each with one
 * line in `notes`. The caller owns *ret and frees it with jwks_free(). */
CHECKED enum jwks_error jwks_parse(struct view document, enum alg rsa_alg, struct buf *notes, struct jwks **ret);

void jwks_free(struct jwks *jwks);

#endif
