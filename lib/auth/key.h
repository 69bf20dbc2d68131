/* One key that verifies signatures: parsed once, bound to one algorithm.
 *
 * Ed25519 is verified by libsodium (twice as fast as OpenSSL), everything else
 * by OpenSSL. HMAC is verified by OpenSSL's EVP_MAC and not by libjwt: libjwt
 * 1.10 reads the unverified payload with a JSON parser of its own before it
 * looks at the signature, and can verify neither a payload that is no JSON nor
 * a bare MAC. libjwt signs (auth/sign.h).
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include "auth/alg.h"
#include "base/buf.h"

struct key;

/* Why a key can't be used; key_error_text() says it in words. */
enum key_error {
	KEY_OK,
#define KEY_ERROR(NAME, text) KEY_##NAME,
#include "auth/key_error.def"
#undef KEY_ERROR
	KEY_ERROR_COUNT
};

const char *key_error_text(enum key_error error);

enum {
	KEY_RSA_MIN_BITS = 2048, /* RFC 7518 §3.3 */
	KEY_RSA_MAX_BITS = 8192,
	KEY_RSA_MAX_EXPONENT_LEN = 4,
	KEY_KID_MAX = 255,
};

/* All makers copy what they are given; `kid` may be ABSENT. The caller owns
 * *ret and frees it with key_free(). */

/* Any bytes as an HMAC key: whether they are a good secret is auth/secrets.h's
 * question. `alg` is one of HS256, HS384, HS512. */
CHECKED enum key_error key_new_hmac(enum alg alg, struct view kid, struct view secret, struct key **ret);

/* A public key of 32 bytes (RFC 8032 §5.1.5), a point of the prime-order group. */
CHECKED enum key_error key_new_ed25519(struct view kid, struct view x, struct key **ret);

/* A point of the algorithm's curve (RFC 7518 §6.2.1), coordinates of full length. */
CHECKED enum key_error key_new_ec(enum alg alg, struct view kid, struct view x, struct view y, struct key **ret);

/* Modulus and exponent, big-endian in the fewest bytes (RFC 7518 §6.3.1):
 * KEY_RSA_MIN_BITS to KEY_RSA_MAX_BITS, odd; an odd exponent of at least 3. */
CHECKED enum key_error key_new_rsa(enum alg alg, struct view kid, struct view n, struct view e, struct key **ret);

void key_free(struct key *key);

enum alg key_alg(const struct key *key);

/* Lives as long as the key; ABSENT: it has none. */
struct view key_kid(const struct key *key);

/* Adds " (kid NAME)" to a note, or nothing where the name is absent or not fit to be printed: it is somebody else's. */
void key_note_kid(struct view kid, struct buf *notes);

/* The same algorithm and the same key material, whatever the kid. */
bool key_same(const struct key *a, const struct key *b);

/* True when `signature` is this key's over exactly these bytes. HMAC: the full
 * tag, compared in constant time. ES*: r and s, each of full length (RFC 7518
 * §3.4). RS*, PS*: as long as the modulus; PS*: salt and MGF1 by the hash (RFC
 * 7518 §3.5). Not const: the key keeps its contexts. */
CHECKED bool key_verify(struct key *key, struct view message, struct view signature);

#endif
