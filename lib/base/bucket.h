/* Token buckets in shared memory, one word each, so that a killed process leaves
 * no half of one and no lock.
 *
 * A bucket is kept as the instant at which it will be full again (the generic
 * cell rate algorithm, ITU-T I.371): a token is there as long as that instant is
 * less than the whole bucket away. An instant further away than any bucket
 * reaches can't be ours, and counts as a full bucket.
 *
 * The table is of fixed size. A key has a place in one set of BUCKET_WAYS words,
 * a cache line. A full bucket is as good as none, so its place is free for
 * anybody. When none of the set is, the newcomer takes the place of the one that
 * is nearest to full, and takes over what that one owes: nobody gets a fresh
 * bucket by crowding out others, nor by having its own crowded out, and a bucket
 * that is refused at the moment is the last to go.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include "base/view.h"

enum { BUCKET_WAYS = 8, BUCKET_RATE_MAX = 60000, BUCKET_DEPTH_MAX = 10000 };

/* `words`: all zero at first, then whatever; `sets`, a power of two, has
 * BUCKET_WAYS of them each. */
struct bucket_table {
	_Atomic uint64_t *words;
	size_t sets;
};

struct bucket_rate {
	uint64_t interval; /* from one token to the next, in units of 100 microseconds */
	uint64_t depth;    /* the time from empty to full, in the same */
};

/* `per_minute` is 1 to BUCKET_RATE_MAX, `burst`, the tokens of a full bucket, 1
 * to BUCKET_DEPTH_MAX. */
struct bucket_rate bucket_rate(int64_t per_minute, int64_t burst);

/* Takes a token out of the bucket of `key`, a keyed hash, at `now`
 * (clock_monotonic()). False: there is none, nothing was taken, and *ret_wait is
 * the time until there is one, in microseconds. */
CHECKED bool bucket_take(struct bucket_table table, uint64_t key, struct bucket_rate rate, int64_t now,
                         int64_t *ret_wait);

/* Puts a token back that was taken a moment ago, if the bucket is still there. */
void bucket_give_back(struct bucket_table table, uint64_t key, struct bucket_rate rate, int64_t now);

#endif
