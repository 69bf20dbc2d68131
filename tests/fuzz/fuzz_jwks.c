/* Key sets: every key that is taken is one to OpenSSL too, is bound to the algorithm
 * that it names, and is public. */
#include "auth/jwk.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "fuzz/second.h"

/* The decoded member, in the arena; ABSENT: no base64url. */
static struct view decoded(json_t *jwk, const char *name)
{
	struct view text = second_text(json_object_get(jwk, name));
	unsigned char *bytes = fuzz_alloc(text.len + 1);
	size_t len = 0;
	if (text.len == 0 || !second_base64url(text, bytes, &len))
		return ABSENT;
	return (struct view){(const char *)bytes, len};
}

/* That a modulus is the product of two large primes is the word of whoever made the key,
 * and is looked into by nobody here; that a point is on its curve is. */
static void second_takes_params(const char *kind, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	EVP_PKEY *key = NULL;
	HOLDS(EVP_PKEY_fromdata_init(context) == 1);
	HOLDS(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(key);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
}

static void second_takes_rsa(json_t *jwk)
{
	struct view n = decoded(jwk, "n"), e = decoded(jwk, "e");
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.ptr, (int)n.len, NULL);
	BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.ptr, (int)e.len, NULL);
	HOLDS(BN_num_bits(modulus) >= KEY_RSA_MIN_BITS && BN_num_bits(modulus) <= KEY_RSA_MAX_BITS);
	HOLDS(BN_is_odd(modulus) && BN_is_odd(exponent) && !BN_is_one(exponent));
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent);
	second_takes_params("RSA", build);
	BN_free(modulus);
	BN_free(exponent);
}

static void second_takes_ec(json_t *jwk)
{
	struct view x = decoded(jwk, "x"), y = decoded(jwk, "y");
	struct view point = fuzz_join(fuzz_join(VIEW("\x04"), x), y);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
	                                json_string_value(json_object_get(jwk, "crv")), 0);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.ptr, point.len);
	HOLDS(x.len == y.len);
	second_takes_params("EC", build);
}

static void second_takes(json_t *jwk)
{
	static const char *const secret[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
	struct view kty = second_text(json_object_get(jwk, "kty"));
	for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
		HOLDS(!json_object_get(jwk, secret[i]));
	if (view_equal(kty, VIEW("RSA")))
		second_takes_rsa(jwk);
	else if (view_equal(kty, VIEW("EC")))
		second_takes_ec(jwk);
	else
		HOLDS(view_equal(kty, VIEW("OKP")) && decoded(jwk, "x").len == 32);
}

static void is_bound(const struct key *key, json_t *jwk)
{
	struct view alg = second_text(json_object_get(jwk, "alg"));
	HOLDS(!alg_is_hmac(key_alg(key)));
	HOLDS(view_is_absent(alg) || view_equal(alg, alg_row(key_alg(key))->spelling) ||
	      (key_alg(key) == ALG_EDDSA && view_equal(alg, VIEW("Ed25519"))));
	HOLDS(view_equal(second_text(json_object_get(jwk, "kid")), key_kid(key)));
}

/* How many keys there are in a set of this one alone. */
static size_t alone(json_t *jwk)
{
	json_t *document = json_pack("{s:[O]}", "keys", jwk);
	char *text = json_dumps(document, JSON_REAL_PRECISION(17));
	struct buf notes = buf_make(1 << 16);
	struct jwks *jwks = NULL;
	enum jwks_error error = jwks_parse(view_of(text), ALG_RS256, &notes, &jwks);
	HOLDS(error == JWKS_OK ? jwks->count == 1 : error == JWKS_EMPTY);
	if (error == JWKS_OK) {
		second_takes(jwk);
		is_bound(jwks->keys[0], jwk);
		HOLDS(!key_verify(jwks->keys[0], VIEW("message"), VIEW("signature")));
	}
	jwks_free(jwks);
	buf_destroy(&notes);
	free(text);
	json_decref(document);
	return error == JWKS_OK;
}

static void notes_are_lines(struct view notes)
{
	for (size_t i = 0; i < notes.len; i++)
		HOLDS(notes.ptr[i] == '\n' || (notes.ptr[i] >= ' ' && notes.ptr[i] <= '~'));
}

void fuzz_one(struct view input)
{
	struct buf notes = buf_make(1 << 20);
	struct jwks *jwks = NULL;
	enum jwks_error error = jwks_parse(input, ALG_RS256, &notes, &jwks);
	HOLDS(error != JWKS_NO_MEMORY);
	notes_are_lines(buf_view(&notes));
	if (error == JWKS_OK) {
		json_t *document = second_json(input);
		json_t *array = json_object_get(document, "keys");
		size_t count = 0;
		for (size_t i = 0; i < json_array_size(array); i++)
			count += alone(json_array_get(array, i));
		HOLDS(json_array_size(array) <= JWKS_MAX_KEYS && count == jwks->count);
		json_decref(document);
	}
	jwks_free(jwks);
	buf_destroy(&notes);
}
