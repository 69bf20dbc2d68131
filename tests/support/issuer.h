/* An issuer for tests: makes keys of every algorithm and signs any header and payload with them. */
#ifndef SUPPORT_ISSUER_H
#define SUPPORT_ISSUER_H

#include "auth/alg.h"
#include "base/buf.h"

struct issuer;

/* An issuer with a fresh key for that algorithm; `kid` is NULL for none. HS*: a
 * random secret as long as the hash. A failure ends the program. */
struct issuer *issuer_new(enum alg alg, const char *kid);

/* The same with RSA keys of that many bits, and with a given HMAC secret. */
struct issuer *issuer_new_rsa(enum alg alg, const char *kid, unsigned int bits);
struct issuer *issuer_new_secret(enum alg alg, const char *secret);
struct issuer *issuer_new_secret_bytes(enum alg alg, struct view secret);

void issuer_free(struct issuer *issuer);

/* HS*: the secret. */
struct view issuer_secret(const struct issuer *issuer);

/* The public key in SubjectPublicKeyInfo, for attacks that use it as a secret. */
void issuer_public_pem(const struct issuer *issuer, struct buf *ret);
void issuer_public_der(const struct issuer *issuer, struct buf *ret);

/* The public JWK with kty, alg, kid and the key's members; HS*: kty oct. `more`
 * is further members, such as ,"use":"sig", or NULL. */
void issuer_jwk(const struct issuer *issuer, const char *more, struct buf *ret);

/* The JWK Set of so many issuers. */
void issuer_jwks(struct issuer *const *issuers, size_t count, struct buf *ret);

/* The JWS signature over these bytes (RFC 7518 §3): HS* a MAC, ES* r and s. */
void issuer_sign(const struct issuer *issuer, struct view message, struct buf *ret);

/* A token of any header and payload text, signed whatever they say. The caller
 * frees it with free(). */
char *issuer_token(const struct issuer *issuer, const char *header, const char *payload);

/* The same for raw bytes. */
char *issuer_token_bytes(const struct issuer *issuer, struct view header, struct view payload);

/* A token as Better Auth makes it: {"alg","kid"} and sub, iss, aud, iat = now,
 * exp = now + 900 s (`now` in microseconds). */
char *issuer_token_for(const struct issuer *issuer, const char *subject, const char *origin, int64_t now);

/* base64url of some bytes, in memory for free(). */
char *issuer_base64url(struct view bytes);

#endif
