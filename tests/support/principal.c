/* Makes principals for tests by the guard. */
#include "support/principal.h"

#include <criterion/criterion.h>

const struct principal *principal_of(const char *user)
{
	static struct arena arena;
	static const struct principal *last;
	const struct principal *principal = NULL;
	const struct claims claims = {.subject = view_of(user)};
	if (last && view_equal(principal_user(last), view_of(user)))
		return last;
	if (!arena.base)
		cr_assert(arena_init(&arena, 1 << 16));
	cr_assert_eq(guard_owner(&arena, &claims, view_of(user), &principal), OUTCOME_OK);
	last = principal;
	return principal;
}
