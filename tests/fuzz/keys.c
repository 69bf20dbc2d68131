/* The issuer of the fuzz targets, on OpenSSL and libsodium. */
#include "fuzz/keys.h"

#include <sodium.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "support/auth_config.h"
#include "support/issuer.h"

#define CLAIMS "\"iss\":\"" FUZZ_ORIGIN "\",\"aud\":\"" FUZZ_ORIGIN "\",\"exp\":7258118400"

/* ---- a key set without a place it comes from ---- */

/* The keys of RFC 7515 §A.3 and §A.2; that of Ed25519 is made from a seed. */
static const char set_start[] =
        "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"es\",\"crv\":\"P-256\","
        "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
        "{\"kty\":\"RSA\",\"kid\":\"rs\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
        "4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXnd"
        "S5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmou"
        "dF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"},"
        "{\"kty\":\"OKP\",\"kid\":\"ed\",\"crv\":\"Ed25519\",\"x\":\"";

static struct jwks *set;
static unsigned char ed25519_secret[crypto_sign_SECRETKEYBYTES];

static bool update(struct source *source, int64_t now, enum source_need need, struct buf *notes)
{
	(void)source;
	(void)now;
	(void)need;
	(void)notes;
	return true;
}

static const struct jwks *keys(const struct source *source)
{
	(void)source;
	return set;
}

static void close_none(struct source *source)
{
	(void)source;
}

static void set_make(void)
{
	static const unsigned char seed[32] = "todo-fcgi: a seed for the tests";
	unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
	struct buf text = buf_make(4096);
	struct buf notes = buf_make(4096);
	crypto_sign_seed_keypair(public_key, ed25519_secret, seed);
	char *x = issuer_base64url((struct view){(const char *)public_key, sizeof public_key});
	buf_add(&text, view_of(set_start));
	buf_add(&text, view_of(x));
	BUF_LIT(&text, "\"}]}");
	HOLDS(jwks_parse(buf_view(&text), ALG_RS256, &notes, &set) == JWKS_OK && set->count == 3);
	free(x);
	buf_destroy(&notes);
	buf_destroy(&text);
}

struct keyring *keys_ring(void)
{
	static const struct source_type type = {update, keys, close_none, "JWKS_FILE"};
	static struct source source = {.type = &type};
	static struct keyring *keyring;
	if (keyring)
		return keyring;
	struct config config = auth_config();
	const struct keyring_parts parts = {.state_dir = -1, .extra = &source};
	struct buf error = buf_make(1024);
	set_make();
	config.better_auth_secret = VIEW(FUZZ_SECRET);
	config.better_auth_url = VIEW(FUZZ_ORIGIN);
	config.jwt_shared_secret = true;
	config.auth_cookie = true;
	config.auth_cookie_name = VIEW("better-auth.session_data");
	HOLDS(keyring_open(&config, &parts, &keyring, &error));
	buf_destroy(&error);
	return keyring;
}

/* ---- tokens ---- */

struct view keys_sign_shared(struct view header, struct view payload)
{
	static struct issuer *issuer;
	if (!issuer)
		issuer = issuer_new_secret(ALG_HS256, FUZZ_SECRET);
	char *token = issuer_token_bytes(issuer, header, payload);
	struct view kept = fuzz_copy(view_of(token));
	free(token);
	return kept;
}

static struct view sign_ed25519(struct view header, struct view payload)
{
	unsigned char signature[crypto_sign_BYTES];
	struct view text = fuzz_join(fuzz_join(fuzz_base64url(header), VIEW(".")), fuzz_base64url(payload));
	(void)keys_ring();
	crypto_sign_detached(signature, NULL, (const unsigned char *)text.ptr, text.len, ed25519_secret);
	return fuzz_join(fuzz_join(text, VIEW(".")),
	                 fuzz_base64url((struct view){(const char *)signature, sizeof signature}));
}

struct view keys_issued(size_t number)
{
	switch (number) {
	case 0:
		return keys_sign_shared(VIEW("{\"alg\":\"HS256\"}"), VIEW("{\"sub\":\"u1\"," CLAIMS "}"));
	case 1:
		return sign_ed25519(
		        VIEW("{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"),
		        VIEW("{\"sub\":\"u1\",\"email\":\"a@b.example\",\"name\":\"A\",\"iat\":1767225600," CLAIMS
		             "}"));
	case 2:
		return sign_ed25519(VIEW("{\"typ\":\"JWT\",\"alg\":\"Ed25519\"}"), VIEW("{\"sub\":\"u1\"," CLAIMS "}"));
	default:
		return ABSENT;
	}
}
