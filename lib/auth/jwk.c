/* The reader of JWK Sets. */
#include "auth/jwk.h"

#include <stdlib.h>

#include "base/base64url.h"

/* A tree of JSON takes many times its text; a document that needs more is no key set. */
enum { PARSE_MEMORY = 8 * 1024 * 1024 };

const char *jwks_error_text(enum jwks_error error)
{
	static const char *const texts[] = {
	        [JWKS_OK] = "ok",
	        [JWKS_TOO_LARGE] = "larger than 256 KiB or more than 256 keys",
	        [JWKS_MALFORMED] = "not a JWK Set",
	        [JWKS_EMPTY] = "without a usable key",
	        [JWKS_NO_MEMORY] = "no memory",
	};

	return texts[error];
}

/* The decoded member of that name. An absent one is no base64url either. */
static enum key_error decode(struct arena *arena, const cJSON *jwk, const char *name, struct view *ret)
{
	struct view text = json_member_text(jwk, name);
	unsigned char *bytes;
	size_t len;

	if (view_is_absent(text))
		return KEY_BAD_ENCODING;
	bytes = arena_alloc(arena, BASE64URL_DECODED(text.len) + 1);
	if (!bytes)
		return KEY_NO_MEMORY;
	if (!base64url_decode(text, bytes, &len))
		return KEY_BAD_ENCODING;
	*ret = (struct view){(const char *)bytes, len};
	return KEY_OK;
}

static bool has_private_member(const cJSON *jwk)
{
	/* RFC 7518 §6.2.2, §6.3.2, §6.4.1 */
	static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (json_member(jwk, names[i]))
			return true;
	return false;
}

/* RFC 7517 §4.3 */
static bool may_verify(const cJSON *key_ops)
{
	const cJSON *op;
	bool found = false;

	if (!key_ops)
		return true;
	if (!cJSON_IsArray(key_ops))
		return false;
	cJSON_ArrayForEach(op, key_ops)
	{
		if (!cJSON_IsString(op))
			return false;
		found = found || view_equal(json_text(op), VIEW("verify"));
	}
	return found;
}

/* What RFC 7517 §4 says of every kind of key. */
static enum key_error check_common(const cJSON *jwk, struct view *ret_kid)
{
	const cJSON *kid = json_member(jwk, "kid");
	const cJSON *use = json_member(jwk, "use");

	if (has_private_member(jwk))
		return KEY_PRIVATE;
	if (kid && (!cJSON_IsString(kid) || json_text(kid).len == 0 || json_text(kid).len > KEY_KID_MAX))
		return KEY_BAD_KID;
	if (use && !view_equal(json_text(use), VIEW("sig")))
		return KEY_BAD_USE;
	if (!may_verify(json_member(jwk, "key_ops")))
		return KEY_BAD_KEY_OPS;
	*ret_kid = json_text(kid);
	return KEY_OK;
}

/* The algorithm that has this curve: of OKP and EC keys there is exactly one. */
static bool find_curve(struct view crv, bool elliptic, enum alg *ret)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		const struct alg_row *row = alg_row((enum alg)i);

		if (row->curve && (row->kind == ALG_KIND_ECDSA) == elliptic && view_equal(crv, view_of(row->curve))) {
			*ret = (enum alg)i;
			return true;
		}
	}
	return false;
}

static enum key_error parse_curve(struct arena *arena, const cJSON *jwk, bool elliptic, const enum alg *alg,
                                  struct view kid, struct key **ret)
{
	enum alg curve_alg;
	struct view x;
	struct view y;
	enum key_error error;

	if (!find_curve(json_member_text(jwk, "crv"), elliptic, &curve_alg))
		return KEY_BAD_CURVE;
	if (alg && *alg != curve_alg)
		return KEY_BAD_ALG;
	error = decode(arena, jwk, "x", &x);
	if (error != KEY_OK)
		return error;
	if (!elliptic)
		return key_new_ed25519(kid, x, ret);
	error = decode(arena, jwk, "y", &y);
	if (error != KEY_OK)
		return error;
	return key_new_ec(curve_alg, kid, x, y, ret);
}

static enum key_error parse_rsa(struct arena *arena, const cJSON *jwk, enum alg alg, struct view kid, struct key **ret)
{
	struct view n;
	struct view e;
	enum key_error error;

	if (!alg_is_rsa(alg))
		return KEY_BAD_ALG;
	error = decode(arena, jwk, "n", &n);
	if (error != KEY_OK)
		return error;
	error = decode(arena, jwk, "e", &e);
	if (error != KEY_OK)
		return error;
	return key_new_rsa(alg, kid, n, e, ret);
}

enum key_error jwk_parse(struct arena *arena, const cJSON *jwk, enum alg rsa_alg, struct key **ret)
{
	struct view kty = json_member_text(jwk, "kty");
	const cJSON *named = json_member(jwk, "alg");
	enum alg alg = rsa_alg;
	struct view kid = ABSENT;
	enum key_error error;

	if (!cJSON_IsObject(jwk))
		return KEY_NOT_AN_OBJECT;
	if (view_equal(kty, VIEW("oct")))
		return KEY_SYMMETRIC;
	error = check_common(jwk, &kid);
	if (error != KEY_OK)
		return error;
	if (named && !alg_parse(json_text(named), &alg))
		return KEY_BAD_ALG;
	if (view_equal(kty, VIEW("EC")))
		return parse_curve(arena, jwk, true, named ? &alg : NULL, kid, ret);
	if (view_equal(kty, VIEW("OKP")))
		return parse_curve(arena, jwk, false, named ? &alg : NULL, kid, ret);
	if (view_equal(kty, VIEW("RSA")))
		return parse_rsa(arena, jwk, alg, kid, ret);
	return KEY_BAD_KTY;
}

/* The key by its number and, if its kid is fit to be printed, by that. */
static void add_note(struct buf *notes, size_t number, const cJSON *jwk, enum key_error error)
{
	BUF_LIT(notes, "key set: key ");
	buf_add_u64(notes, number);
	key_note_kid(json_member_text(jwk, "kid"), notes);
	BUF_LIT(notes, " skipped: ");
	buf_add(notes, view_of(key_error_text(error)));
	BUF_LIT(notes, "\n");
}

static enum jwks_error parse_keys(struct arena *arena, const cJSON *array, enum alg rsa_alg, struct buf *notes,
                                  struct jwks **ret)
{
	size_t length = (size_t)cJSON_GetArraySize(array);
	struct jwks *jwks;
	const cJSON *jwk;
	size_t number = 0;

	if (length > JWKS_MAX_KEYS)
		return JWKS_TOO_LARGE;
	jwks = calloc(1, sizeof(*jwks) + length * sizeof(jwks->keys[0]));
	if (!jwks)
		return JWKS_NO_MEMORY;
	cJSON_ArrayForEach(jwk, array)
	{
		enum key_error error = jwk_parse(arena, jwk, rsa_alg, &jwks->keys[jwks->count]);

		number++;
		if (error == KEY_OK) {
			jwks->count++;
		} else if (error == KEY_NO_MEMORY) {
			jwks_free(jwks);
			return JWKS_NO_MEMORY;
		} else {
			add_note(notes, number, jwk, error);
		}
	}
	if (jwks->count == 0) {
		jwks_free(jwks);
		return JWKS_EMPTY;
	}
	*ret = jwks;
	return JWKS_OK;
}

enum jwks_error jwks_parse(struct view document, enum alg rsa_alg, struct buf *notes, struct jwks **ret)
{
	struct arena arena;
	const cJSON *root;
	const cJSON *array;
	enum jwks_error error = JWKS_MALFORMED;

	if (document.len > JWKS_MAX_BYTES)
		return JWKS_TOO_LARGE;
	if (!arena_init(&arena, PARSE_MEMORY))
		return JWKS_NO_MEMORY;
	if (json_parse(&arena, document, &root) == JSON_OK) {
		array = json_member(root, "keys");
		if (cJSON_IsArray(array))
			error = parse_keys(&arena, array, rsa_alg, notes, ret);
	}
	arena_destroy(&arena);
	return error;
}

void jwks_free(struct jwks *jwks)
{
	if (!jwks)
		return;
	for (size_t i = 0; i < jwks->count; i++)
		key_free(jwks->keys[i]);
	free(jwks);
}
