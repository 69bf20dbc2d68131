/* Makes an arena before a test and destroys it after. */
#include "support/arena.h"

#include <criterion/criterion.h>

#include "support/leaks.h"

enum { ARENA_MAX = 1024 * 1024 };

struct arena arena;

void arena_begin(void)
{
	cr_assert(arena_init(&arena, ARENA_MAX));
}

void arena_end(void)
{
	arena_destroy(&arena);
	leaks_check();
}
