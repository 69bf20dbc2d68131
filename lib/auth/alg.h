/* The signature algorithms: which there are, and what each one takes. */
#ifndef AUTH_ALG_H
#define AUTH_ALG_H

#include "base/view.h"

enum alg {
#define ALG(NAME, spelling, KIND, hash, hash_len, curve, coordinate_len) ALG_##NAME,
#include "auth/alg.def"
#undef ALG
	ALG_COUNT
};

enum alg_kind { ALG_KIND_HMAC, ALG_KIND_ED25519, ALG_KIND_ECDSA, ALG_KIND_RSA_PKCS1, ALG_KIND_RSA_PSS };

struct alg_row {
	struct view spelling;
	enum alg_kind kind;
	const char *hash;      /* as OpenSSL calls it; NULL when the algorithm has its own */
	size_t hash_len;       /* bytes; for PSS the length of the salt too (RFC 7518 §3.5) */
	const char *curve;     /* `crv` of its JWK; NULL for none */
	size_t coordinate_len; /* bytes of x, of y, of r and of s */
};

const struct alg_row *alg_row(enum alg alg);

/* The algorithm of exactly that spelling (RFC 7515 §4.1.1: case-sensitive).
 * "Ed25519" (RFC 9864 §2.2) is another spelling of EdDSA. */
CHECKED bool alg_parse(struct view spelling, enum alg *ret);

static inline bool alg_is_hmac(enum alg alg)
{
	return alg_row(alg)->kind == ALG_KIND_HMAC;
}

static inline bool alg_is_rsa(enum alg alg)
{
	return alg_row(alg)->kind == ALG_KIND_RSA_PKCS1 || alg_row(alg)->kind == ALG_KIND_RSA_PSS;
}

#endif
