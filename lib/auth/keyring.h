/* All keys that may verify a token, and the policy they are used under.
 *
 * Keys come from key sources (auth/source.h): shared secrets, a file, an URL, a table.
 * Key sets add up. Every key is parsed once and bound to one algorithm.
 */
#ifndef AUTH_KEYRING_H
#define AUTH_KEYRING_H

#include "auth/claims.h"
#include "auth/jwt.h"
#include "auth/source.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/config.h"

struct keyring;

/* What the keyring is given beside the settings. */
struct keyring_parts {
	int state_dir;        /* the folder of base/state_dir.h, borrowed; -1: none, and JWKS_URL is refused */
	struct source *extra; /* one more key set, asked at once, closed with the keyring; NULL: none */
};

/* Checks all settings of keys, issuer and audience (weak secrets, URLs) and
 * loads what can be loaded without the network; a key set that can't be
 * fetched yet is no failure. On failure `error` holds one line that names the
 * setting, never its value, and `extra` remains the caller's. The caller owns
 * *ret. */
CHECKED bool keyring_open(const struct config *config, const struct keyring_parts *parts, struct keyring **ret,
                          struct buf *error);
void keyring_close(struct keyring *keyring);

/* From now on nothing that is asked of key sources goes on after that instant, by
 * clock_monotonic(); without one each question has its own timeout. */
void keyring_set_deadline(struct keyring *keyring, int64_t deadline);

/* Verifies one token at instant `now` (microseconds since 1970): the rules of
 * RFC 7519 §7.2 under RFC 8725. May fetch a key set when one is due, or when
 * `kid` is unknown, at most once per cooldown on a machine. *ret and its views
 * live in the arena. JWT_NO_KEYS: no key set could be had so far, which is no
 * fault of the token. */
CHECKED enum jwt_error keyring_verify(struct keyring *keyring, struct arena *arena, struct view token, int64_t now,
                                      struct claims *ret);

/* The cookie that a session may come in: ABSENT unless AUTH_COOKIE is on. */
struct view keyring_cookie_name(const struct keyring *keyring);

/* The origin of BETTER_AUTH_URL; empty without one. */
struct view keyring_origin(const struct keyring *keyring);

/* Verifies what came in that cookie: HS256 by the shared secret, the current one or
 * an earlier one that still counts, and the rules of claims_read_session(). */
CHECKED enum jwt_error keyring_verify_session(struct keyring *keyring, struct arena *arena, struct view token,
                                              int64_t now, struct claims *ret);

/* True when at least one key is usable now, fetching one if due. */
CHECKED bool keyring_ready(struct keyring *keyring, int64_t now);

/* One key that verifies bearer tokens, as far as it may be told. */
struct keyring_key {
	const char *setting; /* where it is from */
	struct view kid;     /* ABSENT: it has none */
	enum alg alg;
	bool is_disputed; /* another key has the same kid: neither is used */
	int64_t until;    /* from this instant on it counts no more; INT64_MAX: none is known */
};

/* The keys of all sources, each brought up to date if it is due: `max` at most.
 * Returns how many were written. Views live until the keyring is used again. */
size_t keyring_list(struct keyring *keyring, int64_t now, struct keyring_key *out, size_t max);

/* True when a key set is in use whose successor is no good or can't be had. */
bool keyring_is_outdated(const struct keyring *keyring);

/* What all sources have asked for since the keyring was opened. */
struct source_counts keyring_counts(const struct keyring *keyring);

/* What the sources had to say since the last call (skipped keys, failed
 * fetches), one line each, for the log; appended to *ret. */
void keyring_take_notes(struct keyring *keyring, struct buf *ret);

#endif
