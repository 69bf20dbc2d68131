/* The tests' issuer, on OpenSSL throughout, so that it shares no code with the verifier. */
#include "support/issuer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { SECRET_MAX = 4096, RSA_BITS = 2048 };

struct issuer {
	enum alg alg;
	char *kid;
	EVP_PKEY *pkey;
	unsigned char secret[SECRET_MAX];
	size_t secret_len;
};

static void require(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "issuer: %s failed\n", what);
		abort();
	}
}

static struct issuer *make(enum alg alg, const char *kid)
{
	struct issuer *issuer = calloc(1, sizeof(*issuer));

	require(issuer != NULL, "memory");
	issuer->alg = alg;
	issuer->kid = kid ? strdup(kid) : NULL;
	return issuer;
}

struct issuer *issuer_new_rsa(enum alg alg, const char *kid, unsigned int bits)
{
	struct issuer *issuer = make(alg, kid);

	issuer->pkey = EVP_RSA_gen(bits);
	require(issuer->pkey != NULL, "RSA key");
	return issuer;
}

struct issuer *issuer_new_secret_bytes(enum alg alg, struct view secret)
{
	struct issuer *issuer = make(alg, NULL);

	require(secret.len <= SECRET_MAX, "secret");
	memcpy(issuer->secret, secret.ptr, secret.len);
	issuer->secret_len = secret.len;
	return issuer;
}

struct issuer *issuer_new_secret(enum alg alg, const char *secret)
{
	return issuer_new_secret_bytes(alg, view_of(secret));
}

struct issuer *issuer_new(enum alg alg, const char *kid)
{
	const struct alg_row *row = alg_row(alg);
	struct issuer *issuer;

	if (alg_is_rsa(alg))
		return issuer_new_rsa(alg, kid, RSA_BITS);
	issuer = make(alg, kid);
	if (alg_is_hmac(alg)) {
		issuer->secret_len = row->hash_len;
		require(RAND_bytes(issuer->secret, (int)row->hash_len) == 1, "random secret");
	} else if (row->kind == ALG_KIND_ED25519) {
		issuer->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else {
		issuer->pkey = EVP_EC_gen(row->curve);
	}
	require(alg_is_hmac(alg) || issuer->pkey, "key");
	return issuer;
}

void issuer_free(struct issuer *issuer)
{
	if (!issuer)
		return;
	EVP_PKEY_free(issuer->pkey);
	free(issuer->kid);
	free(issuer);
}

struct view issuer_secret(const struct issuer *issuer)
{
	return (struct view){(const char *)issuer->secret, issuer->secret_len};
}

void issuer_public_pem(const struct issuer *issuer, struct buf *ret)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	require(bio && PEM_write_bio_PUBKEY(bio, issuer->pkey) == 1, "PEM");
	len = BIO_get_mem_data(bio, &text);
	buf_add(ret, (struct view){text, (size_t)len});
	BIO_free(bio);
}

void issuer_public_der(const struct issuer *issuer, struct buf *ret)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(issuer->pkey, &der);

	require(len > 0, "DER");
	buf_add(ret, (struct view){(const char *)der, (size_t)len});
	OPENSSL_free(der);
}

char *issuer_base64url(struct view bytes)
{
	char *text = malloc(bytes.len * 4 / 3 + 8);
	size_t len;

	require(text != NULL, "memory");
	len = (size_t)EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes.ptr, (int)bytes.len);
	while (len > 0 && text[len - 1] == '=')
		len--;
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
	return text;
}

static void add_member(struct buf *ret, const char *name, const unsigned char *bytes, size_t len)
{
	char *text = issuer_base64url((struct view){(const char *)bytes, len});

	BUF_LIT(ret, ",\"");
	buf_add(ret, view_of(name));
	BUF_LIT(ret, "\":\"");
	buf_add(ret, view_of(text));
	BUF_LIT(ret, "\"");
	free(text);
}

/* `width` 0: the fewest bytes. */
static void add_number(const struct issuer *issuer, struct buf *ret, const char *name, const char *param, size_t width)
{
	unsigned char bytes[2048];
	BIGNUM *number = NULL;
	int len;

	require(EVP_PKEY_get_bn_param(issuer->pkey, param, &number) == 1, "key member");
	len = width > 0 ? BN_bn2binpad(number, bytes, (int)width) : BN_bn2bin(number, bytes);
	require(len > 0, "key member");
	BN_free(number);
	add_member(ret, name, bytes, (size_t)len);
}

static void add_key(const struct issuer *issuer, struct buf *ret)
{
	const struct alg_row *row = alg_row(issuer->alg);
	unsigned char x[32];
	size_t len = sizeof(x);

	switch (row->kind) {
	case ALG_KIND_HMAC:
		BUF_LIT(ret, "\"kty\":\"oct\"");
		add_member(ret, "k", issuer->secret, issuer->secret_len);
		break;
	case ALG_KIND_ED25519:
		require(EVP_PKEY_get_raw_public_key(issuer->pkey, x, &len) == 1, "raw key");
		BUF_LIT(ret, "\"kty\":\"OKP\",\"crv\":\"Ed25519\"");
		add_member(ret, "x", x, len);
		break;
	case ALG_KIND_ECDSA:
		BUF_LIT(ret, "\"kty\":\"EC\",\"crv\":\"");
		buf_add(ret, view_of(row->curve));
		BUF_LIT(ret, "\"");
		add_number(issuer, ret, "x", OSSL_PKEY_PARAM_EC_PUB_X, row->coordinate_len);
		add_number(issuer, ret, "y", OSSL_PKEY_PARAM_EC_PUB_Y, row->coordinate_len);
		break;
	case ALG_KIND_RSA_PKCS1:
	case ALG_KIND_RSA_PSS:
		BUF_LIT(ret, "\"kty\":\"RSA\"");
		add_number(issuer, ret, "n", OSSL_PKEY_PARAM_RSA_N, 0);
		add_number(issuer, ret, "e", OSSL_PKEY_PARAM_RSA_E, 0);
		break;
	}
}

void issuer_jwk(const struct issuer *issuer, const char *more, struct buf *ret)
{
	BUF_LIT(ret, "{");
	add_key(issuer, ret);
	BUF_LIT(ret, ",\"alg\":\"");
	buf_add(ret, alg_row(issuer->alg)->spelling);
	BUF_LIT(ret, "\"");
	if (issuer->kid) {
		BUF_LIT(ret, ",\"kid\":");
		buf_add_json(ret, view_of(issuer->kid));
	}
	buf_add(ret, view_of(more));
	BUF_LIT(ret, "}");
	require(buf_ok(ret), "JWK");
}

void issuer_jwks(struct issuer *const *issuers, size_t count, struct buf *ret)
{
	BUF_LIT(ret, "{\"keys\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			BUF_LIT(ret, ",");
		issuer_jwk(issuers[i], NULL, ret);
	}
	BUF_LIT(ret, "]}");
	require(buf_ok(ret), "JWK Set");
}

static void sign_pkey(const struct issuer *issuer, struct view message, struct buf *ret)
{
	const struct alg_row *row = alg_row(issuer->alg);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	unsigned char signature[2048];
	size_t len = sizeof(signature);
	const unsigned char *der = signature;

	require(ctx && EVP_DigestSignInit_ex(ctx, &pctx, row->hash, NULL, NULL, issuer->pkey, NULL) == 1, "signing");
	if (row->kind == ALG_KIND_RSA_PSS)
		require(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		                EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1,
		        "PSS");
	require(EVP_DigestSign(ctx, signature, &len, (const unsigned char *)message.ptr, message.len) == 1, "signing");
	EVP_MD_CTX_free(ctx);
	if (row->kind == ALG_KIND_ECDSA) {
		ECDSA_SIG *ecdsa = d2i_ECDSA_SIG(NULL, &der, (long)len);
		int width = (int)row->coordinate_len;

		require(ecdsa && BN_bn2binpad(ECDSA_SIG_get0_r(ecdsa), signature, width) == width &&
		                BN_bn2binpad(ECDSA_SIG_get0_s(ecdsa), signature + width, width) == width,
		        "r and s");
		ECDSA_SIG_free(ecdsa);
		len = 2 * row->coordinate_len;
	}
	buf_add(ret, (struct view){(const char *)signature, len});
}

void issuer_sign(const struct issuer *issuer, struct view message, struct buf *ret)
{
	unsigned char tag[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (issuer->pkey) {
		sign_pkey(issuer, message, ret);
		return;
	}
	require(HMAC(EVP_get_digestbyname(alg_row(issuer->alg)->hash), issuer->secret, (int)issuer->secret_len,
	             (const unsigned char *)message.ptr, message.len, tag, &len) != NULL,
	        "HMAC");
	buf_add(ret, (struct view){(const char *)tag, len});
}

char *issuer_token_bytes(const struct issuer *issuer, struct view header, struct view payload)
{
	struct buf token = buf_make(1 << 20);
	struct buf signature = buf_make(4096);
	char *part = issuer_base64url(header);

	buf_add(&token, view_of(part));
	free(part);
	BUF_LIT(&token, ".");
	part = issuer_base64url(payload);
	buf_add(&token, view_of(part));
	free(part);
	issuer_sign(issuer, buf_view(&token), &signature);
	part = issuer_base64url(buf_view(&signature));
	BUF_LIT(&token, ".");
	buf_add(&token, view_of(part));
	free(part);
	buf_destroy(&signature);
	buf_add_char(&token, '\0');
	require(buf_ok(&token), "token");
	return token.ptr;
}

char *issuer_token(const struct issuer *issuer, const char *header, const char *payload)
{
	return issuer_token_bytes(issuer, view_of(header), view_of(payload));
}

char *issuer_token_for(const struct issuer *issuer, const char *subject, const char *origin, int64_t now)
{
	struct buf header = buf_make(4096);
	struct buf payload = buf_make(4096);
	uint64_t seconds = (uint64_t)(now / CLOCK_SECOND);
	char *token;

	BUF_LIT(&header, "{\"alg\":\"");
	buf_add(&header, alg_row(issuer->alg)->spelling);
	BUF_LIT(&header, "\"");
	if (issuer->kid) {
		BUF_LIT(&header, ",\"kid\":");
		buf_add_json(&header, view_of(issuer->kid));
	}
	BUF_LIT(&header, "}");
	BUF_LIT(&payload, "{\"sub\":");
	buf_add_json(&payload, view_of(subject));
	BUF_LIT(&payload, ",\"iss\":");
	buf_add_json(&payload, view_of(origin));
	BUF_LIT(&payload, ",\"aud\":");
	buf_add_json(&payload, view_of(origin));
	BUF_LIT(&payload, ",\"iat\":");
	buf_add_u64(&payload, seconds);
	BUF_LIT(&payload, ",\"exp\":");
	buf_add_u64(&payload, seconds + 900);
	BUF_LIT(&payload, "}");
	require(buf_ok(&header) && buf_ok(&payload), "token");
	token = issuer_token_bytes(issuer, buf_view(&header), buf_view(&payload));
	buf_destroy(&header);
	buf_destroy(&payload);
	return token;
}
