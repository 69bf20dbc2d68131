/* What key sources have in common that ask elsewhere: one process of a machine asks, all have the answer.
 *
 * The last good answer lies in the state folder. When it is due, one process
 * asks and the others go on with the old set; one that has no set at all waits
 * for it. How often anybody may ask is kept in the state folder too, so that the
 * limits hold for the machine.
 */
#ifndef AUTH_SOURCE_SHARED_H
#define AUTH_SOURCE_SHARED_H

#include "auth/source.h"

enum source_answer {
	SOURCE_ANSWERED,  /* with a document, good or not */
	SOURCE_FAILED,    /* the last good set stays in use */
	SOURCE_WITHDRAWN, /* no set of this source may be used any more, by any process of the machine */
};

enum { SOURCE_ORIGIN_MAX = 2200, SOURCE_NAME_SIZE = 32, SOURCE_DIGEST_BYTES = 32 };

/* Times are microseconds. */
struct source_shared_options {
	const char *setting; /* what its notes begin with */
	struct view origin;  /* whose set it is, in one line without secrets; copied */
	enum alg rsa_alg;
	int64_t refresh;   /* age at which the set is asked for again */
	int64_t cooldown;  /* between questions for unknown kids, and after a failed one */
	int64_t timeout;   /* of one question */
	int64_t max_stale; /* age at which an old set is used no more, if more than refresh */
	int state_dir;     /* borrowed; of base/state_dir.h */
};

/* The first member of such a source. */
struct source_shared {
	struct source source;

	/* Appends a JWK Set to *ret, which is bounded, within `time`; otherwise
	 * *ret_fault says in words that live as long as the process what went wrong. */
	enum source_answer (*ask)(struct source_shared *shared, int64_t time, struct buf *ret, struct buf *notes,
	                          const char **ret_fault);

	/* The rest is the module's own. */
	struct source_shared_options options;
	char *origin;
	char copy_name[SOURCE_NAME_SIZE];
	char lock_name[SOURCE_NAME_SIZE];
	/* When somebody on this machine last asked, and for an unknown kid, as far as
	 * this process knows: the lock file's contents. */
	struct source_attempts {
		int64_t any;
		int64_t unknown_kid;
	} attempts;
	struct jwks *jwks;                         /* NULL: none so far, withdrawn, or too old */
	int64_t fetched_at;                        /* of jwks, by whichever process; or of its being withdrawn */
	unsigned char digest[SOURCE_DIGEST_BYTES]; /* of its document */
	bool is_new;                               /* not announced by update() yet */
};

/* Starts without a set. False: no memory. */
CHECKED bool source_shared_init(struct source_shared *shared, const struct source_shared_options *options);
void source_shared_destroy(struct source_shared *shared);

/* For struct source_type. */
bool source_shared_update(struct source *source, int64_t now, enum source_need need, struct buf *notes);
const struct jwks *source_shared_keys(const struct source *source);

#endif
