/* All keys of all key sets together, and which of them a token may use. */
#ifndef AUTH_KEYSET_H
#define AUTH_KEYSET_H

#include "auth/jwk.h"
#include "auth/jwt.h"

enum { KEYSET_MAX = 3 * JWKS_MAX_KEYS };

/* Borrows its keys from their owners. */
struct keyset {
	size_t count;
	struct keyset_entry {
		struct key *key;
		bool disputed; /* another key has the same kid: neither is used */
	} entries[KEYSET_MAX];
};

/* Empties the set. */
void keyset_clear(struct keyset *set);

/* Adds a key. The same key under the same kid counts once; two different keys
 * under one kid are both disputed, with a line in `notes`. Beyond KEYSET_MAX
 * keys are left out, with a line too. */
void keyset_add(struct keyset *set, struct key *key, struct buf *notes);

/* True when some key of the set can be used. */
bool keyset_is_usable(const struct keyset *set);

/* The key for this token. With a kid: exactly the one of that kid, bound to the
 * token's algorithm (JWT_UNKNOWN_KID, JWT_DISPUTED_KID, JWT_ALG_MISMATCH).
 * Without: the only one of that algorithm (JWT_NO_SUCH_KEY, JWT_AMBIGUOUS_KEY). */
CHECKED enum jwt_error keyset_find(const struct keyset *set, const struct jwt *jwt, struct key **ret);

#endif
