/* Keys for tests from JWKs, symmetric ones too. */
#ifndef SUPPORT_AUTH_KEYS_H
#define SUPPORT_AUTH_KEYS_H

#include "auth/jwk.h"

/* The key of one JWK under which only `alg` is allowed. A key set never holds
 * kty oct, so such a key is loaded here the way a secret is, but with its kid.
 * False: the key can't be used, or not with `alg`. */
CHECKED bool auth_key_read(struct arena *arena, const cJSON *jwk, enum alg alg, struct key **ret);

/* The JSON of a whole file, in the arena; NULL: there is none. */
const cJSON *auth_json_file(struct arena *arena, const char *path);

#endif
