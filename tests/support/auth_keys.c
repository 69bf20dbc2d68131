/* Keys for tests from JWKs. */
#include "support/auth_keys.h"

#include <stdio.h>

#include "base/base64url.h"

enum { FILE_MAX = 64 * 1024 };

static bool read_symmetric(struct arena *arena, const cJSON *jwk, enum alg alg, struct key **ret)
{
	struct view named = json_member_text(jwk, "alg");
	struct view k = json_member_text(jwk, "k");
	unsigned char *secret = arena_alloc(arena, BASE64URL_DECODED(k.len) + 1);
	enum alg own = alg;
	size_t len;

	return secret && base64url_decode(k, secret, &len) && (view_is_absent(named) || alg_parse(named, &own)) &&
	       own == alg && alg_is_hmac(alg) &&
	       key_new_hmac(alg, json_member_text(jwk, "kid"), (struct view){(const char *)secret, len}, ret) == KEY_OK;
}

bool auth_key_read(struct arena *arena, const cJSON *jwk, enum alg alg, struct key **ret)
{
	struct key *key = NULL;

	if (view_equal(json_member_text(jwk, "kty"), VIEW("oct")))
		return read_symmetric(arena, jwk, alg, ret);
	if (jwk_parse(arena, jwk, alg, &key) != KEY_OK)
		return false;
	if (key_alg(key) != alg) {
		key_free(key);
		return false;
	}
	*ret = key;
	return true;
}

const cJSON *auth_json_file(struct arena *arena, const char *path)
{
	char *text = arena_alloc(arena, FILE_MAX);
	const cJSON *tree = NULL;
	FILE *file = fopen(path, "r");
	size_t len;

	if (!file)
		return NULL;
	len = text ? fread(text, 1, FILE_MAX, file) : 0;
	fclose(file);
	return json_parse(arena, (struct view){text, len}, &tree) == JSON_OK ? tree : NULL;
}
