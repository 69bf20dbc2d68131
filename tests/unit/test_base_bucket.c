/* Token buckets: their arithmetic by given times, and what crowding can't do. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "support/leaks.h"

TestSuite(bucket, .fini = leaks_check);

#define START (INT64_C(1000) * CLOCK_SECOND)
/* Of the key: what chooses the set, and what is kept. */
#define KEY(set, number) (((uint64_t)(number) << 36) | (uint64_t)(set))

enum { SETS = 4 };

static _Atomic uint64_t words[SETS * BUCKET_WAYS];
static const struct bucket_table table = {words, SETS};

static bool take(uint64_t key, struct bucket_rate rate, int64_t now, int64_t *ret_wait)
{
	return bucket_take(table, key, rate, now, ret_wait);
}

/* How many tokens there are at this instant; takes them. */
static int drain(uint64_t key, struct bucket_rate rate, int64_t now)
{
	int64_t wait;
	int count = 0;

	while (take(key, rate, now, &wait))
		count++;
	return count;
}

Test(bucket, holds_as_many_tokens_as_its_burst)
{
	for (int burst = 1; burst <= 100; burst += 9)
		cr_expect_eq(drain(KEY(burst % SETS, burst), bucket_rate(60, burst), START), burst);
}

Test(bucket, tells_when_there_will_be_a_token_and_keeps_its_word)
{
	struct bucket_rate rate = bucket_rate(6, 3); /* one in ten seconds */
	int64_t wait = 0;

	cr_assert_eq(drain(KEY(0, 1), rate, START), 3);
	cr_expect_not(take(KEY(0, 1), rate, START, &wait));
	cr_expect_eq(wait, 10 * CLOCK_SECOND);
	cr_expect_not(take(KEY(0, 1), rate, START + 4 * CLOCK_SECOND, &wait));
	cr_expect_eq(wait, 6 * CLOCK_SECOND);
	cr_expect_not(take(KEY(0, 1), rate, START + 10 * CLOCK_SECOND - 100, &wait));
	cr_expect_eq(wait, 100);
	cr_expect_eq(drain(KEY(0, 1), rate, START + 10 * CLOCK_SECOND), 1);
}

Test(bucket, refusals_cost_nothing)
{
	struct bucket_rate rate = bucket_rate(60, 1);
	int64_t wait;

	cr_assert(take(KEY(0, 1), rate, START, &wait));
	for (int i = 0; i < 1000; i++)
		cr_expect_not(take(KEY(0, 1), rate, START + i * 900, &wait));
	cr_expect(take(KEY(0, 1), rate, START + CLOCK_SECOND, &wait));
}

Test(bucket, fills_up_to_its_burst_and_no_further)
{
	struct bucket_rate rate = bucket_rate(60, 5);

	cr_assert_eq(drain(KEY(0, 1), rate, START), 5);
	cr_expect_eq(drain(KEY(0, 1), rate, START + 2 * CLOCK_SECOND), 2);
	cr_expect_eq(drain(KEY(0, 1), rate, START + 3600 * CLOCK_SECOND), 5);
}

Test(bucket, keeps_the_rate_over_a_long_time)
{
	static const int64_t rates[] = {1, 7, 60, 450, 6000, BUCKET_RATE_MAX};

	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct bucket_rate rate = bucket_rate(rates[i], 10);
		int64_t wait;
		int64_t granted = 0;

		for (int64_t now = START; now < START + 600 * CLOCK_SECOND; now += 500)
			granted += take(KEY(0, i + 1), rate, now, &wait);
		int64_t due = rates[i] * 10 + 10;
		cr_expect(granted >= due * 98 / 100 - 1 && granted <= due * 102 / 100 + 1, "%d a minute: %d of %d",
		          (int)rates[i], (int)granted, (int)due);
	}
}

Test(bucket, keys_have_buckets_of_their_own)
{
	struct bucket_rate rate = bucket_rate(60, 2);

	for (unsigned set = 0; set < SETS; set++)
		for (unsigned number = 1; number <= BUCKET_WAYS; number++)
			cr_expect_eq(drain(KEY(set, number), rate, START), 2, "set %u, key %u", set, number);
}

Test(bucket, crowding_out_gives_nobody_a_fresh_bucket)
{
	struct bucket_rate rate = bucket_rate(60, 4);
	int64_t wait;

	/* The set is full of keys that have nothing left. */
	for (unsigned number = 1; number <= BUCKET_WAYS; number++)
		cr_assert_eq(drain(KEY(0, number), rate, START), 4);
	/* A newcomer takes over what the one owes whose place it takes. */
	for (unsigned number = 100; number < 200; number++)
		cr_expect_not(take(KEY(0, number), rate, START, &wait), "newcomer %u", number);
	cr_expect(take(KEY(0, 200), rate, START + CLOCK_SECOND, &wait));
	/* Another set is not touched by that. */
	cr_expect_eq(drain(KEY(1, 1), rate, START), 4);
}

Test(bucket, the_one_who_owes_most_is_the_last_to_be_forgotten)
{
	struct bucket_rate rate = bucket_rate(60, 10);
	int64_t wait;

	cr_assert_eq(drain(KEY(0, 1), rate, START), 10);
	/* Ten times as many others as the set has places ask once each. */
	for (unsigned number = 2; number < 10 * BUCKET_WAYS; number++)
		cr_assert(take(KEY(0, number), rate, START, &wait) || number > BUCKET_WAYS);
	cr_expect_not(take(KEY(0, 1), rate, START, &wait));
}

Test(bucket, an_odd_word_counts_as_a_full_bucket)
{
	struct bucket_rate rate = bucket_rate(60, 3);

	for (unsigned number = 1; number <= 4; number++) {
		/* No bucket of this depth is that far from full. */
		atomic_store(&words[0], KEY(0, number) | ((START / 100 + 1000000 * number) & 0xfffffffff));
		cr_expect_eq(drain(KEY(0, number), rate, START), 3);
	}
	for (size_t i = 0; i < BUCKET_WAYS; i++)
		atomic_store(&words[i], UINT64_MAX);
	cr_expect_eq(drain(KEY(0, 9), rate, START), 3);
}

Test(bucket, the_deepest_bucket_is_counted_right)
{
	struct bucket_rate rate = bucket_rate(1, BUCKET_DEPTH_MAX);
	int64_t wait = 0;

	cr_assert_eq(drain(KEY(0, 1), rate, START), BUCKET_DEPTH_MAX);
	cr_expect_not(take(KEY(0, 1), rate, START, &wait));
	cr_expect_eq(wait, 60 * CLOCK_SECOND);
	/* Past the point where the kept instants begin anew. */
	int64_t far = START + (INT64_C(1) << 36) * 100;
	cr_expect_eq(drain(KEY(1, 1), rate, far), BUCKET_DEPTH_MAX);
}

Test(bucket, what_is_given_back_can_be_taken_again)
{
	struct bucket_rate rate = bucket_rate(60, 3);

	cr_assert_eq(drain(KEY(0, 1), rate, START), 3);
	bucket_give_back(table, KEY(0, 1), rate, START);
	bucket_give_back(table, KEY(0, 1), rate, START);
	cr_expect_eq(drain(KEY(0, 1), rate, START), 2);
	/* Never more than the burst, and nobody else's. */
	for (int i = 0; i < 10; i++)
		bucket_give_back(table, KEY(0, 1), rate, START);
	cr_expect_eq(drain(KEY(0, 1), rate, START), 3);
	bucket_give_back(table, KEY(0, 2), rate, START);
	cr_expect_eq(drain(KEY(0, 1), rate, START), 0);
	cr_expect_eq(drain(KEY(0, 2), rate, START), 3);
}

Test(bucket, processes_share_one_bucket)
{
	enum { PROCESSES = 4, TRIES = 2000, BURST = 1000 };
	struct {
		_Atomic uint64_t words[BUCKET_WAYS];
		_Atomic int granted;
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(shared != MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		for (int j = 0; j < TRIES; j++) {
			int64_t wait;
			struct bucket_table one = {shared->words, 1};

			if (bucket_take(one, KEY(0, 7), bucket_rate(1, BURST), START, &wait))
				atomic_fetch_add(&shared->granted, 1);
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		continue;
	cr_expect_eq(atomic_load(&shared->granted), BURST);
	munmap(shared, sizeof(*shared));
}
