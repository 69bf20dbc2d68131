/* A compact JWS (RFC 7515 §3.1) before its signature is checked: split, and its
 * header judged. Nothing of the payload is looked at here. */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include "auth/alg.h"
#include "base/arena.h"

enum jwt_error {
	JWT_OK,
#define JWT_ERROR(NAME, word) JWT_##NAME,
#include "auth/jwt_error.def"
#undef JWT_ERROR
	JWT_ERROR_COUNT
};

/* A stable word for the log: "bad_signature". */
const char *jwt_error_text(enum jwt_error error);

enum { JWT_MAX_BYTES = 7 * 1024, JWT_KID_MAX = 255 };

struct jwt {
	enum alg alg;
	struct view kid;         /* ABSENT when the header has none */
	bool is_access_token;    /* typ is at+jwt (RFC 9068 §2.1) */
	struct view signed_text; /* header "." payload, as they came (RFC 7515 §5.2) */
	struct view payload;     /* decoded, but not to be looked into before the signature is good; may be empty */
	struct view signature;   /* decoded */
};

/* Splits the token and judges its header: at most JWT_MAX_BYTES, three parts of
 * strict base64url, header and signature not empty; the header one strict JSON
 * object; `alg` a known one, spelled exactly; `typ` absent, JWT or at+jwt,
 * case-insensitive, with or without application/; no crit, no b64, no cty JWT;
 * `kid` absent or a string of 1..JWT_KID_MAX bytes. Members such as jwk, jku,
 * x5c and x5u are not read by anyone. The views of *ret point into the token or
 * live in the arena. */
CHECKED enum jwt_error jwt_parse(struct arena *arena, struct view token, struct jwt *ret);

#endif
