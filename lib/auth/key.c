/* Keys: making them from their parts, and verifying with them. */
#include "auth/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdlib.h>

enum {
	COORDINATE_MAX = 66,
	POINT_MAX = 1 + 2 * COORDINATE_MAX,
	/* SEQUENCE of two INTEGERs of 67 bytes each, with their headers */
	ECDSA_DER_MAX = 3 + 2 * (2 + 1 + COORDINATE_MAX),
	NOTE_KID_MAX = 64,
};

struct key {
	enum alg alg;
	char *kid;
	size_t kid_len;
	bool has_kid;
	unsigned char thumbprint[crypto_hash_sha256_BYTES]; /* of algorithm and material */

	EVP_MAC_CTX *mac; /* HS*, its key inside */
	unsigned char ed25519[crypto_sign_ed25519_PUBLICKEYBYTES];
	EVP_PKEY_CTX *verifier; /* ES*, RS*, PS*, ready to verify */
	EVP_MD *hash;           /* of the three */
	size_t signature_len;
};

static const char *const error_texts[KEY_ERROR_COUNT] = {
        [KEY_OK] = "ok",
#define KEY_ERROR(NAME, text) [KEY_##NAME] = text,
#include "auth/key_error.def"
#undef KEY_ERROR
};

const char *key_error_text(enum key_error error)
{
	return error_texts[error];
}

static void free_evp_pkey(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void free_params(OSSL_PARAM **params)
{
	OSSL_PARAM_free(*params);
}

static void free_param_builder(OSSL_PARAM_BLD **builder)
{
	OSSL_PARAM_BLD_free(*builder);
}

static void free_bn(BIGNUM **bn)
{
	BN_free(*bn);
}

static void free_ecdsa(ECDSA_SIG **ecdsa)
{
	ECDSA_SIG_free(*ecdsa);
}

static void free_key(struct key **key)
{
	key_free(*key);
}

#define AUTO(cleaner) __attribute__((cleanup(cleaner)))

/* OpenSSL only reads the text; its parameter type merely lacks the const. */
static OSSL_PARAM text_param(const char *name, const char *text)
{
	return OSSL_PARAM_construct_utf8_string(name, (char *)(uintptr_t)text, 0);
}

static const unsigned char *bytes_of(struct view v)
{
	return (const unsigned char *)v.ptr;
}

void key_free(struct key *key)
{
	if (!key)
		return;
	EVP_MAC_CTX_free(key->mac);
	EVP_PKEY_CTX_free(key->verifier);
	EVP_MD_free(key->hash);
	free(key->kid);
	OPENSSL_cleanse(key, sizeof(*key));
	free(key);
}

/* The parts go in with their lengths, so that two keys never share a thumbprint
 * by moving a byte from one part to the other. */
static void set_thumbprint(struct key *key, struct view a, struct view b)
{
	crypto_hash_sha256_state state;
	uint64_t head[3] = {(uint64_t)key->alg, a.len, b.len};

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const unsigned char *)head, sizeof(head));
	crypto_hash_sha256_update(&state, bytes_of(a), a.len);
	crypto_hash_sha256_update(&state, bytes_of(b), b.len);
	crypto_hash_sha256_final(&state, key->thumbprint);
	OPENSSL_cleanse(&state, sizeof(state));
}

static struct key *make(enum alg alg, struct view kid, struct view a, struct view b)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key)
		return NULL;
	key->alg = alg;
	if (!view_is_absent(kid)) {
		key->kid = malloc(kid.len + 1);
		if (!key->kid) {
			key_free(key);
			return NULL;
		}
		memcpy(key->kid, kid.ptr, kid.len);
		key->kid_len = kid.len;
		key->has_kid = true;
	}
	set_thumbprint(key, a, b);
	return key;
}

static struct key *release(struct key **key)
{
	struct key *released = *key;

	*key = NULL;
	return released;
}

enum key_error key_new_hmac(enum alg alg, struct view kid, struct view secret, struct key **ret)
{
	AUTO(free_key) struct key *key = make(alg, kid, secret, ABSENT);
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	/* OpenSSL takes a NULL key for "the one before", so the empty key is a pointer too. */
	const unsigned char *bytes = secret.len > 0 ? bytes_of(secret) : (const unsigned char *)"";
	OSSL_PARAM params[] = {
	        text_param(OSSL_MAC_PARAM_DIGEST, alg_row(alg)->hash),
	        OSSL_PARAM_construct_end(),
	};

	if (key && hmac)
		key->mac = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	if (!key || !key->mac || !EVP_MAC_init(key->mac, bytes, secret.len, params))
		return KEY_NO_MEMORY;
	key->signature_len = alg_row(alg)->hash_len;
	*ret = release(&key);
	return KEY_OK;
}

enum key_error key_new_ed25519(struct view kid, struct view x, struct key **ret)
{
	AUTO(free_key) struct key *key = NULL;

	if (x.len != crypto_sign_ed25519_PUBLICKEYBYTES)
		return KEY_BAD_LENGTH;
	if (sodium_init() < 0)
		return KEY_NO_MEMORY;
	if (!crypto_core_ed25519_is_valid_point(bytes_of(x)))
		return KEY_BAD_POINT;
	key = make(ALG_EDDSA, kid, x, ABSENT);
	if (!key)
		return KEY_NO_MEMORY;
	memcpy(key->ed25519, x.ptr, x.len);
	key->signature_len = crypto_sign_ed25519_BYTES;
	*ret = release(&key);
	return KEY_OK;
}

/* Makes the context that verifies with `pkey`, which it keeps alive. */
static bool set_verifier(struct key *key, EVP_PKEY *pkey)
{
	const struct alg_row *row = alg_row(key->alg);

	key->hash = EVP_MD_fetch(NULL, row->hash, NULL);
	key->verifier = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	if (!key->hash || !key->verifier || EVP_PKEY_verify_init(key->verifier) <= 0)
		return false;
	if (row->kind == ALG_KIND_RSA_PKCS1 && EVP_PKEY_CTX_set_rsa_padding(key->verifier, RSA_PKCS1_PADDING) <= 0)
		return false;
	if (row->kind == ALG_KIND_RSA_PSS && EVP_PKEY_CTX_set_rsa_padding(key->verifier, RSA_PKCS1_PSS_PADDING) <= 0)
		return false;
	if (EVP_PKEY_CTX_set_signature_md(key->verifier, key->hash) <= 0)
		return false;
	if (row->kind == ALG_KIND_RSA_PSS && (EVP_PKEY_CTX_set_rsa_mgf1_md(key->verifier, key->hash) <= 0 ||
	                                      EVP_PKEY_CTX_set_rsa_pss_saltlen(key->verifier, (int)row->hash_len) <= 0))
		return false;
	return true;
}

/* Makes a public key of OpenSSL's; *ret is NULL when the parameters are none. */
static enum key_error make_pkey(const char *type, OSSL_PARAM *params, EVP_PKEY **ret)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0) {
		EVP_PKEY_CTX_free(ctx);
		return KEY_NO_MEMORY;
	}
	if (EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	*ret = pkey;
	return KEY_OK;
}

static bool is_valid_public(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool valid = ctx && EVP_PKEY_public_check(ctx) > 0;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return valid;
}

enum key_error key_new_ec(enum alg alg, struct view kid, struct view x, struct view y, struct key **ret)
{
	const struct alg_row *row = alg_row(alg);
	AUTO(free_key) struct key *key = NULL;
	AUTO(free_evp_pkey) EVP_PKEY *pkey = NULL;
	unsigned char point[POINT_MAX];
	size_t len = row->coordinate_len;
	enum key_error error;
	OSSL_PARAM params[] = {
	        text_param(OSSL_PKEY_PARAM_GROUP_NAME, row->curve),
	        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * len),
	        OSSL_PARAM_construct_end(),
	};

	if (x.len != len || y.len != len)
		return KEY_BAD_LENGTH;
	point[0] = POINT_CONVERSION_UNCOMPRESSED;
	memcpy(point + 1, x.ptr, len);
	memcpy(point + 1 + len, y.ptr, len);
	error = make_pkey("EC", params, &pkey);
	if (error != KEY_OK)
		return error;
	if (!pkey || !is_valid_public(pkey))
		return KEY_BAD_POINT;
	key = make(alg, kid, x, y);
	if (!key || !set_verifier(key, pkey))
		return KEY_NO_MEMORY;
	key->signature_len = 2 * len;
	*ret = release(&key);
	return KEY_OK;
}

static bool is_odd(struct view number)
{
	return number.len > 0 && (number.ptr[number.len - 1] & 1) != 0;
}

static size_t bits_of(struct view number)
{
	size_t bits = number.len * 8;

	for (unsigned char top = bytes_of(number)[0]; (top & 0x80) == 0 && bits > 0; top = (unsigned char)(top << 1))
		bits--;
	return bits;
}

enum key_error key_new_rsa(enum alg alg, struct view kid, struct view n, struct view e, struct key **ret)
{
	AUTO(free_key) struct key *key = NULL;
	AUTO(free_evp_pkey) EVP_PKEY *pkey = NULL;
	AUTO(free_param_builder) OSSL_PARAM_BLD *builder = NULL;
	AUTO(free_params) OSSL_PARAM *params = NULL;
	AUTO(free_bn) BIGNUM *modulus = NULL;
	AUTO(free_bn) BIGNUM *exponent = NULL;
	enum key_error error;

	if (n.len == 0 || e.len == 0 || n.ptr[0] == 0 || e.ptr[0] == 0)
		return KEY_BAD_LENGTH;
	if (!is_odd(n) || n.len > KEY_RSA_MAX_BITS / 8 || bits_of(n) < KEY_RSA_MIN_BITS)
		return KEY_BAD_MODULUS;
	if (!is_odd(e) || e.len > KEY_RSA_MAX_EXPONENT_LEN || (e.len == 1 && e.ptr[0] == 1))
		return KEY_BAD_EXPONENT;
	modulus = BN_bin2bn(bytes_of(n), (int)n.len, NULL);
	exponent = BN_bin2bn(bytes_of(e), (int)e.len, NULL);
	builder = OSSL_PARAM_BLD_new();
	if (!modulus || !exponent || !builder || !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) ||
	    !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent))
		return KEY_NO_MEMORY;
	params = OSSL_PARAM_BLD_to_param(builder);
	if (!params)
		return KEY_NO_MEMORY;
	error = make_pkey("RSA", params, &pkey);
	if (error != KEY_OK)
		return error;
	if (!pkey)
		return KEY_BAD_MODULUS;
	key = make(alg, kid, n, e);
	if (!key || !set_verifier(key, pkey))
		return KEY_NO_MEMORY;
	key->signature_len = n.len;
	*ret = release(&key);
	return KEY_OK;
}

enum alg key_alg(const struct key *key)
{
	return key->alg;
}

struct view key_kid(const struct key *key)
{
	return key->has_kid ? (struct view){key->kid, key->kid_len} : ABSENT;
}

void key_note_kid(struct view kid, struct buf *notes)
{
	bool printable = kid.len > 0 && kid.len <= NOTE_KID_MAX;

	for (size_t i = 0; i < kid.len && printable; i++)
		printable = kid.ptr[i] > ' ' && kid.ptr[i] <= '~';
	if (!printable)
		return;
	BUF_LIT(notes, " (kid ");
	buf_add(notes, kid);
	buf_add_char(notes, ')');
}

bool key_same(const struct key *a, const struct key *b)
{
	return memcmp(a->thumbprint, b->thumbprint, sizeof(a->thumbprint)) == 0;
}

static bool verify_hmac(struct key *key, struct view message, struct view signature)
{
	unsigned char tag[EVP_MAX_MD_SIZE];
	size_t tag_len = 0;

	return EVP_MAC_init(key->mac, NULL, 0, NULL) && EVP_MAC_update(key->mac, bytes_of(message), message.len) &&
	       EVP_MAC_final(key->mac, tag, &tag_len, sizeof(tag)) && tag_len == signature.len &&
	       CRYPTO_memcmp(tag, signature.ptr, tag_len) == 0;
}

/* OpenSSL takes ECDSA signatures in DER only. Of r and s it checks itself that
 * each is at least 1 and below the order. */
static size_t ecdsa_der(struct view signature, unsigned char der[ECDSA_DER_MAX])
{
	AUTO(free_ecdsa) ECDSA_SIG *ecdsa = ECDSA_SIG_new();
	int half = (int)(signature.len / 2);
	BIGNUM *r = BN_bin2bn(bytes_of(signature), half, NULL);
	BIGNUM *s = BN_bin2bn(bytes_of(signature) + half, half, NULL);
	int len;

	if (!ecdsa || !r || !s || !ECDSA_SIG_set0(ecdsa, r, s)) {
		BN_free(r);
		BN_free(s);
		return 0;
	}
	len = i2d_ECDSA_SIG(ecdsa, &der);
	return len > 0 ? (size_t)len : 0;
}

static bool verify_evp(struct key *key, struct view message, struct view signature)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned char der[ECDSA_DER_MAX];
	const unsigned char *bytes = bytes_of(signature);
	size_t len = signature.len;
	unsigned int hash_len = 0;

	if (alg_row(key->alg)->kind == ALG_KIND_ECDSA) {
		len = ecdsa_der(signature, der);
		bytes = der;
	}
	return len > 0 && EVP_Digest(message.ptr, message.len, hash, &hash_len, key->hash, NULL) &&
	       EVP_PKEY_verify(key->verifier, bytes, len, hash, hash_len) == 1;
}

bool key_verify(struct key *key, struct view message, struct view signature)
{
	bool good = false;

	if (signature.len != key->signature_len)
		return false;
	switch (alg_row(key->alg)->kind) {
	case ALG_KIND_HMAC:
		good = verify_hmac(key, message, signature);
		break;
	case ALG_KIND_ED25519:
		good = crypto_sign_ed25519_verify_detached(bytes_of(signature), bytes_of(message), message.len,
		                                           key->ed25519) == 0;
		break;
	case ALG_KIND_ECDSA:
	case ALG_KIND_RSA_PKCS1:
	case ALG_KIND_RSA_PSS:
		good = verify_evp(key, message, signature);
		break;
	}
	/* A leftover error would be taken for its own by the next TLS connection of this process. */
	if (!good)
		ERR_clear_error();
	return good;
}
