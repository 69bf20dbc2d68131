/* Random bytes. */
#include <criterion/criterion.h>

#include "base/random.h"
#include "support/leaks.h"

TestSuite(random, .fini = leaks_check);

Test(random, fills_all_of_the_memory_and_no_more)
{
	/* A byte that stays zero in 40 tries is one that is not written. */
	unsigned char seen[600] = {0};

	for (int i = 0; i < 40; i++) {
		unsigned char bytes[600] = {0};

		cr_assert(random_bytes(bytes, 599));
		cr_assert_eq(bytes[599], 0);
		for (size_t at = 0; at < 599; at++)
			seen[at] |= bytes[at];
	}
	for (size_t at = 0; at < 599; at++)
		cr_assert_neq(seen[at], 0, "byte %zu", at);
}

Test(random, differs_each_time)
{
	unsigned char first[16];
	unsigned char second[16];

	cr_assert(random_bytes(first, sizeof(first)));
	cr_assert(random_bytes(second, sizeof(second)));
	cr_expect_arr_neq(first, second, sizeof(first));
}

Test(random, gives_nothing_when_nothing_is_asked)
{
	cr_expect(random_bytes(NULL, 0));
}
