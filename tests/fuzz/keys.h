/* One issuer for all targets, the same in every run: a shared secret and a key set
 * of an EdDSA, an ES256 and an RS256 key. */
#ifndef FUZZ_KEYS_H
#define FUZZ_KEYS_H

#include "auth/keyring.h"

#define FUZZ_ORIGIN "https://todo.example"
#define FUZZ_SECRET "k3V9-q0Zt7_bW2xLr8Ny5Ju1Hd4Gf6Sa"
#define FUZZ_USER "u1"

/* The instant at which tokens are judged where a target may choose it: 2027-01-15T08:00:00Z. */
#define FUZZ_NOW (INT64_C(1800000000) * 1000000)

/* A keyring of all of these; it takes cookies too. Opened once. */
struct keyring *keys_ring(void);

/* A token of that header and payload, signed with HS256 whatever they say, in the arena. */
struct view keys_sign_shared(struct view header, struct view payload);

/* Tokens that were issued for FUZZ_USER, for as long as 2200. ABSENT: there is none of that number. */
struct view keys_issued(size_t number);

#endif
