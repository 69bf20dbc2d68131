/* Tokens: one is taken only if it is, byte for byte, one that was issued; and what is
 * split is put together again from its decoded parts. */
#include "fuzz/fuzz.h"
#include "fuzz/keys.h"
#include "fuzz/second.h"

static bool is_issued(struct view token)
{
	struct view issued;
	for (size_t i = 0; !view_is_absent(issued = keys_issued(i)); i++)
		if (view_equal(issued, token))
			return true;
	return false;
}

static void splits(struct view token)
{
	struct jwt jwt;
	struct view rest = token;
	if (jwt_parse(fuzz_arena(), token, &jwt) != JWT_OK)
		return;
	HOLDS(token.len <= JWT_MAX_BYTES);
	struct view header = view_cut(&rest, '.');
	unsigned char *bytes = fuzz_alloc(header.len);
	size_t len;
	HOLDS(view_equal(fuzz_base64url(jwt.payload), view_cut(&rest, '.')));
	HOLDS(view_equal(fuzz_base64url(jwt.signature), rest));
	HOLDS(second_base64url(header, bytes, &len));
	json_t *theirs = second_json((struct view){(const char *)bytes, len});
	struct view spelling = second_text(json_object_get(theirs, "alg"));
	HOLDS(view_equal(spelling, alg_row(jwt.alg)->spelling) ||
	      (jwt.alg == ALG_EDDSA && view_equal(spelling, VIEW("Ed25519"))));
	HOLDS(view_equal(second_text(json_object_get(theirs, "kid")), jwt.kid));
	HOLDS(!json_object_get(theirs, "crit") && !json_object_get(theirs, "b64"));
	json_decref(theirs);
}

void fuzz_one(struct view input)
{
	struct claims claims;
	splits(input);
	enum jwt_error error = keyring_verify(keys_ring(), fuzz_arena(), input, FUZZ_NOW, &claims);
	HOLDS((error == JWT_OK) == is_issued(input));
	if (error == JWT_OK)
		HOLDS(view_equal(claims.subject, VIEW(FUZZ_USER)));
	HOLDS(keyring_verify_session(keys_ring(), fuzz_arena(), input, FUZZ_NOW, &claims) != JWT_OK);
}
