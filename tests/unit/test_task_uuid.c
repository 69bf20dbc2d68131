/* New ids: version 7, and in order. */
#include <criterion/criterion.h>

#include "support/leaks.h"
#include "task/uuid.h"

TestSuite(uuid, .fini = leaks_check);

/* RFC 9562 §A.6: 2022-02-22T19:22:22Z is 017F22E279B0 in milliseconds. */
#define INSTANT INT64_C(1645557742000000)

Test(uuid, has_the_layout_of_version_7)
{
	char id[37];
	cr_assert(uuid_new(INSTANT, id));
	cr_expect_eq(strncmp(id, "017f22e2-79b0-7", 15), 0, "%s", id);
	cr_expect_not_null(strchr("89ab", id[19]), "%s", id);
	cr_expect_eq(strlen(id), 36);
	cr_expect_eq(strspn(id, "0123456789abcdef-"), 36, "%s", id);
}

Test(uuid, grows_while_the_clock_stands)
{
	char last[37], next[37];
	cr_assert(uuid_new(INSTANT, last));
	/* Past the counter's twelve bits. */
	for (int i = 0; i < 10000; i++) {
		cr_assert(uuid_new(INSTANT, next));
		cr_assert_gt(strcmp(next, last), 0, "%s after %s", next, last);
		memcpy(last, next, sizeof last);
	}
}

Test(uuid, grows_when_the_clock_steps_back)
{
	char last[37], next[37];
	cr_assert(uuid_new(INSTANT, last));
	cr_assert(uuid_new(INSTANT - 5000000, next));
	cr_expect_gt(strcmp(next, last), 0);
	memcpy(last, next, sizeof last);
	cr_assert(uuid_new(0, next));
	cr_expect_gt(strcmp(next, last), 0);
}

Test(uuid, follows_the_clock)
{
	char id[37];
	cr_assert(uuid_new(INSTANT, id));
	cr_assert(uuid_new(INSTANT + 1000, id));
	cr_expect_eq(strncmp(id, "017f22e2-79b1-7", 15), 0, "%s", id);
}

Test(uuid, does_not_tell_the_next_one)
{
	char one[37], other[37];
	cr_assert(uuid_new(INSTANT, one));
	cr_assert(uuid_new(INSTANT, other));
	cr_expect_neq(strcmp(one + 19, other + 19), 0);
}
