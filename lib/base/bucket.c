/* Finds a key's bucket among the words of its set, and takes a token by one
 * compare-and-swap. */
#include "base/bucket.h"

#include <stdatomic.h>

/* A word: the high bits of the key, then the instant in units, which comes round
 * again after 79 days. Half of that is ahead, half behind, and the deepest
 * bucket is 7 days. */
enum { INSTANT_BITS = 36, UNIT_MICROSECONDS = 100 };
#define INSTANT_MASK ((UINT64_C(1) << INSTANT_BITS) - 1)
#define UNITS_PER_MINUTE UINT64_C(600000)

_Static_assert(UNITS_PER_MINUTE *BUCKET_DEPTH_MAX < (UINT64_C(1) << (INSTANT_BITS - 1)), "the deepest bucket fits");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words are swapped without a lock");

/* Each failed swap is another process's success, so this many in a row mean
 * that the memory is not what it should be. */
enum { ATTEMPTS_MAX = 1000 };

struct bucket_rate bucket_rate(int64_t per_minute, int64_t burst)
{
	uint64_t interval = (UNITS_PER_MINUTE + (uint64_t)per_minute / 2) / (uint64_t)per_minute;

	return (struct bucket_rate){interval, interval * (uint64_t)burst};
}

/* No key's tag is 0: an empty word is nobody's. */
static uint64_t tag_of(uint64_t key)
{
	uint64_t tag = key >> INSTANT_BITS;

	return tag > 0 ? tag : 1;
}

/* How far from full: 0 is full. */
static uint64_t debt(uint64_t word, uint64_t now, struct bucket_rate rate)
{
	uint64_t ahead = (word - now) & INSTANT_MASK;

	return ahead <= rate.depth ? ahead : 0;
}

/* The key's own word, else a free one, else the one that owes least. */
static size_t find(const uint64_t words[BUCKET_WAYS], uint64_t tag, uint64_t now, struct bucket_rate rate)
{
	size_t least = 0;

	for (size_t i = 0; i < BUCKET_WAYS; i++) {
		if (words[i] >> INSTANT_BITS == tag)
			return i;
		if (debt(words[i], now, rate) < debt(words[least], now, rate))
			least = i;
	}
	return least;
}

bool bucket_take(struct bucket_table table, uint64_t key, struct bucket_rate rate, int64_t now, int64_t *ret_wait)
{
	_Atomic uint64_t *set = table.words + (key & (table.sets - 1)) * BUCKET_WAYS;
	uint64_t instant = ((uint64_t)now / UNIT_MICROSECONDS) & INSTANT_MASK;
	uint64_t tag = tag_of(key);
	uint64_t words[BUCKET_WAYS];

	for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		for (size_t i = 0; i < BUCKET_WAYS; i++)
			words[i] = atomic_load_explicit(&set[i], memory_order_relaxed);
		size_t place = find(words, tag, instant, rate);
		uint64_t owed = debt(words[place], instant, rate) + rate.interval;
		if (owed > rate.depth) {
			*ret_wait = (int64_t)(owed - rate.depth) * UNIT_MICROSECONDS;
			return false;
		}
		uint64_t word = tag << INSTANT_BITS | ((instant + owed) & INSTANT_MASK);
		if (atomic_compare_exchange_strong_explicit(&set[place], &words[place], word, memory_order_relaxed,
		                                            memory_order_relaxed))
			return true;
	}
	return true;
}

void bucket_give_back(struct bucket_table table, uint64_t key, struct bucket_rate rate, int64_t now)
{
	_Atomic uint64_t *set = table.words + (key & (table.sets - 1)) * BUCKET_WAYS;
	uint64_t instant = ((uint64_t)now / UNIT_MICROSECONDS) & INSTANT_MASK;
	uint64_t tag = tag_of(key);

	for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		size_t place = 0;
		uint64_t found = 0;

		while (place < BUCKET_WAYS) {
			found = atomic_load_explicit(&set[place], memory_order_relaxed);
			if (found >> INSTANT_BITS == tag)
				break;
			place++;
		}
		if (place == BUCKET_WAYS)
			return;
		uint64_t owed = debt(found, instant, rate);
		owed = owed > rate.interval ? owed - rate.interval : 0;
		uint64_t word = tag << INSTANT_BITS | ((instant + owed) & INSTANT_MASK);
		if (atomic_compare_exchange_strong_explicit(&set[place], &found, word, memory_order_relaxed,
		                                            memory_order_relaxed))
			return;
	}
}
