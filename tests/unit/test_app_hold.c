/* Who is kept waiting for an operator, and who never is. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>

#include "app/hold.h"
#include "base/clock.h"

/* A request that should be kept and is not, or the other way round, is seen by the count: with one wanted nobody waits.
 */
static uint64_t held_by(struct hold *hold, struct view id)
{
	hold_wait(hold, id);
	return hold_end(hold);
}

static int64_t soon(void)
{
	return clock_monotonic() + 2 * CLOCK_SECOND;
}

Test(hold, keeps_a_request_of_its_name_until_all_are_there)
{
	struct hold hold = {0};
	char id[HOLD_ID_TEXT + 1];
	cr_assert(hold_begin(&hold, 1, soon(), id));
	cr_expect_eq(held_by(&hold, view_of(id)), 1);
}

Test(hold, counts_each_that_comes)
{
	struct hold hold = {0};
	char id[HOLD_ID_TEXT + 1];
	cr_assert(hold_begin(&hold, 1, soon(), id));
	hold_wait(&hold, view_of(id));
	hold_wait(&hold, view_of(id));
	cr_expect_eq(held_by(&hold, view_of(id)), 3);
}

Test(hold, gives_each_beginning_a_name_of_its_own)
{
	struct hold hold = {0};
	char first[HOLD_ID_TEXT + 1], second[HOLD_ID_TEXT + 1];
	cr_assert(hold_begin(&hold, 1, soon(), first));
	cr_assert(hold_begin(&hold, 1, soon(), second));
	cr_expect_str_neq(first, second);
	cr_expect_eq(held_by(&hold, view_of(first)), 0);
}

/* With more wanted than come, whoever were kept would wait for seconds. */
Test(hold, keeps_no_other_request)
{
	struct hold hold = {0};
	char id[HOLD_ID_TEXT + 1], other[HOLD_ID_TEXT + 1];
	cr_assert(hold_begin(&hold, 1, soon(), id));
	memcpy(other, id, sizeof other);
	other[HOLD_ID_TEXT - 1] = other[HOLD_ID_TEXT - 1] == '0' ? '1' : '0';
	const struct view others[] = {ABSENT, VIEW(""), VIEW("hold-"), view_of(other), {id, HOLD_ID_TEXT - 1}};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		hold_wait(&hold, others[i]);
	cr_expect_eq(hold_end(&hold), 0);
}

Test(hold, keeps_nobody_before_it_begins_or_after_its_end)
{
	struct hold hold = {0};
	char id[HOLD_ID_TEXT + 1];
	cr_expect_eq(held_by(&hold, VIEW("hold-00000000000000000000000000000000")), 0);
	cr_assert(hold_begin(&hold, 1, soon(), id));
	cr_expect_eq(hold_end(&hold), 0);
	cr_expect_eq(held_by(&hold, view_of(id)), 0);
	cr_assert(hold_begin(&hold, 1, clock_monotonic() - 1, id));
	cr_expect_eq(held_by(&hold, view_of(id)), 0);
}

/* The memory may be anybody's remains: of a program that was killed, or of the machine's last start. */
Test(hold, keeps_nobody_longer_than_it_may)
{
	struct hold hold = {0};
	char id[HOLD_ID_TEXT + 1];
	cr_assert(hold_begin(&hold, 1000, clock_monotonic() + HOLD_MOST + CLOCK_SECOND, id));
	cr_expect_eq(held_by(&hold, view_of(id)), 0);
	cr_assert(hold_begin(&hold, 1000, INT64_MAX, id));
	cr_expect_eq(held_by(&hold, view_of(id)), 0);
	cr_assert(hold_begin(&hold, 1000, -1, id));
	cr_expect_eq(held_by(&hold, view_of(id)), 0);
}
