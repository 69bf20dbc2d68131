/* The key source JWKS_URL: a JWK Set fetched by HTTP (auth/source_shared.h).
 */
#ifndef AUTH_SOURCE_URL_H
#define AUTH_SOURCE_URL_H

#include "auth/source.h"

/* Times are microseconds. The views are copied. */
struct source_url_options {
	struct view url;
	struct view proxy; /* empty: none */
	struct view ca_file;
	bool insecure_loopback; /* admits http to a loopback address */
	enum alg rsa_alg;
	int64_t refresh;   /* age at which the set is fetched again */
	int64_t cooldown;  /* between fetches for unknown kids, and after a failed one */
	int64_t timeout;   /* of one fetch */
	int64_t max_stale; /* age at which an old set is used no more, if more than refresh */
	int state_dir;     /* borrowed; of base/state_dir.h */
};

/* Checks the options and fetches nothing yet. On failure `error` says why,
 * without the setting's name or value. */
CHECKED bool source_url_open(const struct source_url_options *options, struct source **ret, struct buf *error);

#endif
