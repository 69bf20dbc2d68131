/* A key source: an interface, so that a file, an URL and a table are the same to the keyring.
 *
 * A source owns its keys; they stay valid until the next call of update() or
 * close(). Time is always given as `now`, microseconds since 1970.
 */
#ifndef AUTH_SOURCE_H
#define AUTH_SOURCE_H

#include "auth/jwk.h"

enum source_need {
	SOURCE_ROUTINE,     /* bring the set up to date if it is due */
	SOURCE_UNKNOWN_KID, /* a token names a key that is not there: look again, within the cooldown */
};

struct source;

struct source_type {
	/* Brings the set up to date. True when it is not the one of the call before
	 * (or this is the first call). What went wrong is told in `notes`. */
	bool (*update)(struct source *source, int64_t now, enum source_need need, struct buf *notes);

	/* The current set, as of the last update; NULL for none. */
	const struct jwks *(*keys)(const struct source *source);

	void (*close)(struct source *source);

	const char *setting; /* that names where the keys are */
};

/* How often a source asked elsewhere for its keys, and how often in vain. */
struct source_counts {
	uint64_t fetches;
	uint64_t failures;
};

/* The first member of every source. */
struct source {
	const struct source_type *type;
	struct source_counts counts;
	int64_t deadline;    /* of whoever is served, by clock_monotonic(): nothing goes on after it; 0: none */
	bool is_outdated;    /* what it was given last is no good or can't be had: an older set is in use */
	const char *refusal; /* why no key of it may be used, whatever it holds; NULL: nothing is wrong */
};

#endif
