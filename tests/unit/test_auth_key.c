/* Keys: what they verify, what they refuse, and which keys are none. */
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "auth/key.h"
#include "support/arena.h"
#include "support/auth_keys.h"
#include "support/issuer.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MESSAGE VIEW("eyJhbGciOiJFUzI1NiJ9.e30")

TestSuite(key, .init = arena_begin, .fini = arena_end);

static struct key *key_of(const struct issuer *issuer, enum alg alg)
{
	struct buf jwk = buf_make(8192);
	const cJSON *tree = NULL;
	struct key *key = NULL;

	issuer_jwk(issuer, NULL, &jwk);
	cr_assert_eq(json_parse(&arena, buf_view(&jwk), &tree), JSON_OK);
	cr_assert(auth_key_read(&arena, tree, alg, &key));
	buf_destroy(&jwk);
	return key;
}

static void each_alg(void (*check)(enum alg alg, struct key *key, struct buf *signature))
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		struct issuer *issuer = issuer_new((enum alg)i, "k1");
		struct key *key = key_of(issuer, (enum alg)i);
		struct buf signature = buf_make(4096);

		issuer_sign(issuer, MESSAGE, &signature);
		check((enum alg)i, key, &signature);
		buf_destroy(&signature);
		key_free(key);
		issuer_free(issuer);
	}
}

static void expect_good(enum alg alg, struct key *key, struct buf *signature)
{
	for (int again = 0; again < 3; again++)
		cr_expect(key_verify(key, MESSAGE, buf_view(signature)), "%s", alg_row(alg)->spelling.ptr);
}

Test(key, verifies_its_own_signatures_again_and_again)
{
	each_alg(expect_good);
}

static void expect_no_change_passes(enum alg alg, struct key *key, struct buf *signature)
{
	for (size_t i = 0; i < signature->len; i++) {
		signature->ptr[i] = (char)(signature->ptr[i] ^ 1);
		cr_expect_not(key_verify(key, MESSAGE, buf_view(signature)), "%s byte %zu", alg_row(alg)->spelling.ptr,
		              i);
		signature->ptr[i] = (char)(signature->ptr[i] ^ 1);
	}
	cr_expect_not(key_verify(key, VIEW("eyJhbGciOiJFUzI1NiJ9.e31"), buf_view(signature)));
	cr_expect_not(key_verify(key, VIEW(""), buf_view(signature)));
	cr_expect_eq(ERR_peek_error(), 0, "a leftover error would be taken for its own by the next TLS connection");
	/* A refusal must leave the key as good as it was. */
	cr_expect(key_verify(key, MESSAGE, buf_view(signature)), "%s", alg_row(alg)->spelling.ptr);
}

Test(key, refuses_a_signature_with_any_byte_changed)
{
	each_alg(expect_no_change_passes);
}

static void expect_no_length_passes(enum alg alg, struct key *key, struct buf *signature)
{
	struct view whole = buf_view(signature);
	char longer[2048] = {0};

	cr_expect_not(key_verify(key, MESSAGE, ABSENT), "%s", alg_row(alg)->spelling.ptr);
	for (size_t len = 0; len < whole.len; len++)
		cr_expect_not(key_verify(key, MESSAGE, (struct view){whole.ptr, len}), "%s cut to %zu",
		              alg_row(alg)->spelling.ptr, len);
	memcpy(longer, whole.ptr, whole.len);
	for (size_t more = 1; more <= 8; more++)
		cr_expect_not(key_verify(key, MESSAGE, (struct view){longer, whole.len + more}), "%s and %zu more",
		              alg_row(alg)->spelling.ptr, more);
	memcpy(longer + 1, whole.ptr, whole.len);
	longer[0] = 0;
	cr_expect_not(key_verify(key, MESSAGE, (struct view){longer, whole.len + 1}), "%s after a zero",
	              alg_row(alg)->spelling.ptr);
}

Test(key, refuses_truncated_and_extended_signatures)
{
	each_alg(expect_no_length_passes);
}

Test(key, refuses_the_signature_of_another_key)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		struct issuer *issuer = issuer_new((enum alg)i, "k1");
		struct issuer *other = issuer_new((enum alg)i, "k1");
		struct key *key = key_of(issuer, (enum alg)i);
		struct buf signature = buf_make(4096);

		issuer_sign(other, MESSAGE, &signature);
		cr_expect_not(key_verify(key, MESSAGE, buf_view(&signature)), "%s", alg_row((enum alg)i)->spelling.ptr);
		buf_destroy(&signature);
		key_free(key);
		issuer_free(other);
		issuer_free(issuer);
	}
}

/* Psychic signatures (CVE-2022-21449): with r = s = 0 every message verified. */
Test(key, refuses_ecdsa_with_r_or_s_zero_or_the_order)
{
	static const enum alg algs[] = {ALG_ES256, ALG_ES384, ALG_ES512};

	for (size_t i = 0; i < COUNT(algs); i++) {
		size_t len = alg_row(algs[i])->coordinate_len;
		struct issuer *issuer = issuer_new(algs[i], "k1");
		struct key *key = key_of(issuer, algs[i]);
		struct buf good = buf_make(4096);
		EC_GROUP *group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid(alg_row(algs[i])->curve));
		char signature[132];
		char order[66];

		issuer_sign(issuer, MESSAGE, &good);
		cr_assert_eq(BN_bn2binpad(EC_GROUP_get0_order(group), (unsigned char *)order, (int)len), (int)len);
		for (unsigned int which = 0; which < 9; which++) {
			const char *r = which % 3 == 0 ? good.ptr : order;
			const char *s = which / 3 == 0 ? good.ptr + len : order;

			memcpy(signature, r, len);
			memcpy(signature + len, s, len);
			if (which % 3 == 2)
				memset(signature, 0, len);
			if (which / 3 == 2)
				memset(signature + len, 0, len);
			cr_expect_eq(key_verify(key, MESSAGE, (struct view){signature, 2 * len}), which == 0,
			             "%s case %u", alg_row(algs[i])->spelling.ptr, which);
		}
		EC_GROUP_free(group);
		buf_destroy(&good);
		key_free(key);
		issuer_free(issuer);
	}
}

Test(key, refuses_ecdsa_in_der)
{
	struct issuer *issuer = issuer_new(ALG_ES256, "k1");
	struct key *key = key_of(issuer, ALG_ES256);
	struct buf raw = buf_make(4096);
	ECDSA_SIG *ecdsa = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int len;

	issuer_sign(issuer, MESSAGE, &raw);
	cr_assert(ECDSA_SIG_set0(ecdsa, BN_bin2bn((unsigned char *)raw.ptr, 32, NULL),
	                         BN_bin2bn((unsigned char *)raw.ptr + 32, 32, NULL)));
	len = i2d_ECDSA_SIG(ecdsa, &der);
	cr_expect_not(key_verify(key, MESSAGE, (struct view){(char *)der, (size_t)len}));
	OPENSSL_free(der);
	ECDSA_SIG_free(ecdsa);
	buf_destroy(&raw);
	key_free(key);
	issuer_free(issuer);
}

static struct buf sign_pss(EVP_PKEY *pkey, int salt_len, const EVP_MD *mgf1)
{
	struct buf ret = buf_make(4096);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	size_t len = 512;

	cr_assert(EVP_DigestSignInit_ex(ctx, &pctx, "SHA256", NULL, NULL, pkey, NULL) == 1);
	cr_assert(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1);
	cr_assert(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt_len) == 1);
	cr_assert(EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, mgf1) == 1);
	cr_assert(EVP_DigestSign(ctx, (unsigned char *)buf_reserve(&ret, len), &len, (const unsigned char *)MESSAGE.ptr,
	                         MESSAGE.len) == 1);
	ret.len = len;
	EVP_MD_CTX_free(ctx);
	return ret;
}

static struct view number_of(EVP_PKEY *pkey, const char *name, unsigned char *room)
{
	BIGNUM *number = NULL;
	int len;

	cr_assert(EVP_PKEY_get_bn_param(pkey, name, &number) == 1);
	len = BN_bn2bin(number, room);
	BN_free(number);
	return (struct view){(const char *)room, (size_t)len};
}

Test(key, takes_pss_with_a_salt_as_long_as_the_hash_and_mgf1_of_the_same_hash_only)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	unsigned char n[512];
	unsigned char e[8];
	struct key *key = NULL;
	static const struct {
		int salt_len;
		const char *mgf1;
		bool good;
	} cases[] = {{32, "SHA256", true},   {0, "SHA256", false},  {31, "SHA256", false}, {33, "SHA256", false},
	             {222, "SHA256", false}, {32, "SHA512", false}, {32, "SHA1", false}};

	cr_assert_eq(key_new_rsa(ALG_PS256, ABSENT, number_of(pkey, "n", n), number_of(pkey, "e", e), &key), KEY_OK);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf signature = sign_pss(pkey, cases[i].salt_len, EVP_get_digestbyname(cases[i].mgf1));

		cr_expect_eq(key_verify(key, MESSAGE, buf_view(&signature)), cases[i].good, "salt %d, MGF1 %s",
		             cases[i].salt_len, cases[i].mgf1);
		buf_destroy(&signature);
	}
	key_free(key);
	EVP_PKEY_free(pkey);
}

Test(key, does_not_mix_pkcs1_and_pss_nor_their_hashes)
{
	static const enum alg algs[] = {ALG_RS256, ALG_RS384, ALG_RS512, ALG_PS256, ALG_PS384, ALG_PS512};

	for (size_t i = 0; i < COUNT(algs); i++) {
		struct issuer *issuer = issuer_new(algs[i], "k1");
		struct buf signature = buf_make(4096);
		struct buf jwk = buf_make(8192);
		const cJSON *tree = NULL;

		issuer_sign(issuer, MESSAGE, &signature);
		issuer_jwk(issuer, NULL, &jwk);
		cr_assert_eq(json_parse(&arena, buf_view(&jwk), &tree), JSON_OK);
		for (size_t k = 0; k < COUNT(algs); k++) {
			struct key *key = NULL;
			cJSON *named = cJSON_GetObjectItemCaseSensitive(tree, "alg");

			named->valuestring = arena_string(&arena, alg_row(algs[k])->spelling);
			cr_assert_eq(jwk_parse(&arena, tree, ALG_RS256, &key), KEY_OK);
			cr_expect_eq(key_verify(key, MESSAGE, buf_view(&signature)), i == k, "%s with a key for %s",
			             alg_row(algs[i])->spelling.ptr, alg_row(algs[k])->spelling.ptr);
			key_free(key);
		}
		buf_destroy(&jwk);
		buf_destroy(&signature);
		issuer_free(issuer);
	}
}

/* ---- keys that are none -------------------------------------------------------- */

static enum key_error rsa_error(struct view n, struct view e)
{
	struct key *key = NULL;
	enum key_error error = key_new_rsa(ALG_RS256, ABSENT, n, e, &key);

	key_free(key);
	return error;
}

Test(key, bounds_rsa)
{
	unsigned char n[2048];

	memset(n, 0xff, sizeof(n));
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\1\0\1")), KEY_OK);
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\3")), KEY_OK);
	cr_expect_eq(rsa_error((struct view){(char *)n, 1024}, VIEW("\1\0\1")), KEY_OK, "8192 bits");
	cr_expect_eq(rsa_error((struct view){(char *)n, 1025}, VIEW("\1\0\1")), KEY_BAD_MODULUS, "8200 bits");
	cr_expect_eq(rsa_error((struct view){(char *)n, 255}, VIEW("\1\0\1")), KEY_BAD_MODULUS, "2040 bits");
	cr_expect_eq(rsa_error((struct view){(char *)n, 128}, VIEW("\1\0\1")), KEY_BAD_MODULUS, "1024 bits");
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\1")), KEY_BAD_EXPONENT, "one");
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\2")), KEY_BAD_EXPONENT, "two");
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\1\0\0")), KEY_BAD_EXPONENT, "even");
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\1\0\0\0\1")), KEY_BAD_EXPONENT, "over 32 bits");
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, ABSENT), KEY_BAD_LENGTH);
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\0\1\0\1")), KEY_BAD_LENGTH, "a leading zero");
	cr_expect_eq(rsa_error(ABSENT, VIEW("\1\0\1")), KEY_BAD_LENGTH);
	n[255] = 0xfe;
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\1\0\1")), KEY_BAD_MODULUS, "an even modulus");
	n[0] = 0x7f;
	n[255] = 0xff;
	cr_expect_eq(rsa_error((struct view){(char *)n, 256}, VIEW("\1\0\1")), KEY_BAD_MODULUS, "2047 bits");
}

Test(key, refuses_points_off_the_curve)
{
	static const enum alg algs[] = {ALG_ES256, ALG_ES384, ALG_ES512};

	for (size_t i = 0; i < COUNT(algs); i++) {
		char x[67] = {0};
		char y[67] = {0};
		size_t len = alg_row(algs[i])->coordinate_len;
		struct key *key = NULL;

		cr_expect_eq(key_new_ec(algs[i], ABSENT, (struct view){x, len}, (struct view){y, len}, &key),
		             KEY_BAD_POINT);
		x[len - 1] = 5;
		y[len - 1] = 1;
		cr_expect_eq(key_new_ec(algs[i], ABSENT, (struct view){x, len}, (struct view){y, len}, &key),
		             KEY_BAD_POINT);
		memset(x, 0xff, sizeof(x));
		cr_expect_eq(key_new_ec(algs[i], ABSENT, (struct view){x, len}, (struct view){y, len}, &key),
		             KEY_BAD_POINT);
		cr_expect_eq(key_new_ec(algs[i], ABSENT, (struct view){x, len - 1}, (struct view){y, len}, &key),
		             KEY_BAD_LENGTH);
		cr_expect_eq(key_new_ec(algs[i], ABSENT, (struct view){x, len}, (struct view){y, len + 1}, &key),
		             KEY_BAD_LENGTH);
		cr_expect_null(key);
	}
}

/* With a public key of small order one signature fits many messages. */
Test(key, refuses_ed25519_keys_of_small_order_and_non_canonical_ones)
{
	static const unsigned char points[][32] = {
	        {0},
	        {1},
	        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	        {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
	         0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	};
	struct key *key = NULL;

	for (size_t i = 0; i < COUNT(points); i++)
		cr_expect_eq(key_new_ed25519(ABSENT, (struct view){(const char *)points[i], 32}, &key), KEY_BAD_POINT,
		             "%zu", i);
	cr_expect_eq(key_new_ed25519(ABSENT, (struct view){(const char *)points[2], 31}, &key), KEY_BAD_LENGTH);
	cr_expect_null(key);
}

Test(key, is_the_same_by_algorithm_and_material_not_by_kid)
{
	struct key *a = NULL;
	struct key *b = NULL;
	struct key *c = NULL;
	struct key *d = NULL;

	cr_assert_eq(key_new_hmac(ALG_HS256, VIEW("a"), VIEW("one secret"), &a), KEY_OK);
	cr_assert_eq(key_new_hmac(ALG_HS256, ABSENT, VIEW("one secret"), &b), KEY_OK);
	cr_assert_eq(key_new_hmac(ALG_HS512, VIEW("a"), VIEW("one secret"), &c), KEY_OK);
	cr_assert_eq(key_new_hmac(ALG_HS256, VIEW("a"), VIEW("another secret"), &d), KEY_OK);
	cr_expect(key_same(a, b));
	cr_expect_not(key_same(a, c));
	cr_expect_not(key_same(a, d));
	cr_expect(view_equal(key_kid(a), VIEW("a")));
	cr_expect(view_is_absent(key_kid(b)));
	key_free(a);
	key_free(b);
	key_free(c);
	key_free(d);
	key_free(NULL);
}
