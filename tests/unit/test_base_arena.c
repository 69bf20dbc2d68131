/* The arena: its limit, its alignment, and what a reset leaves behind. */
#include <criterion/criterion.h>
#include <stdalign.h>

#include "base/arena.h"
#include "support/leaks.h"

enum { LIMIT = 1024 * 1024 };

static struct arena arena;

static void setup(void)
{
	cr_assert(arena_init(&arena, LIMIT));
}

static void teardown(void)
{
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(arena, .init = setup, .fini = teardown);

Test(arena, aligns_for_any_object)
{
	for (size_t size = 1; size < 100; size++)
		cr_assert_eq((uintptr_t)arena_alloc(&arena, size) % alignof(max_align_t), 0, "size %zu", size);
}

Test(arena, gives_its_limit_and_not_a_byte_more)
{
	char *first = arena_alloc(&arena, LIMIT - 16);
	char *last = arena_alloc(&arena, 16);

	cr_assert_not_null(first);
	cr_assert_not_null(last);
	last[15] = 1;
	cr_expect_null(arena_alloc(&arena, 1));
	arena_reset(&arena);
	cr_expect_null(arena_alloc(&arena, LIMIT + 1));
	cr_expect_not_null(arena_alloc(&arena, LIMIT));
}

Test(arena, stays_usable_after_a_refusal)
{
	cr_expect_null(arena_alloc(&arena, SIZE_MAX));
	cr_expect_not_null(arena_alloc(&arena, 16));
	/* Together with what is used it is a small number again. */
	cr_expect_null(arena_alloc(&arena, SIZE_MAX - 15));
	cr_expect_not_null(arena_alloc(&arena, 16));
}

Test(arena, refuses_a_product_that_overflows)
{
	cr_expect_null(arena_calloc(&arena, SIZE_MAX / 4, 8));
	cr_expect_null(arena_calloc(&arena, 2, SIZE_MAX / 2 + 1));
}

Test(arena, clears_what_calloc_gives)
{
	/* Without a reset the memory is as its last user left it. */
	memset(arena_alloc(&arena, 300), 0xff, 300);
	arena.used = 0;
	unsigned char *bytes = arena_calloc(&arena, 100, 3);

	cr_assert_not_null(bytes);
	for (size_t i = 0; i < 300; i++)
		cr_assert_eq(bytes[i], 0);
}

Test(arena, copies_a_view_with_a_nul)
{
	char *copy = arena_string(&arena, (struct view){"abcdef", 3});

	cr_assert_not_null(copy);
	cr_expect_str_eq(copy, "abc");
	cr_expect_str_eq(arena_string(&arena, ABSENT), "");
	cr_expect_null(arena_string(&arena, (struct view){"x", LIMIT}));
	cr_expect_null(arena_string(&arena, (struct view){"x", SIZE_MAX}));
}

Test(arena, wipes_at_reset)
{
	char *secret = arena_alloc(&arena, LIMIT);

	cr_assert_not_null(secret);
	memset(secret, 's', LIMIT);
	arena_reset(&arena);
	char *again = arena_alloc(&arena, LIMIT);
	cr_assert_eq(again, secret);
	for (size_t i = 0; i < LIMIT; i++)
		cr_assert_eq(again[i], 0, "byte %zu", i);
}

Test(arena, can_be_destroyed_twice)
{
	arena_destroy(&arena);
	arena_destroy(&arena);
	cr_expect_null(arena.base);
}

Test(arena, reports_that_there_is_no_memory)
{
	struct arena huge;

	cr_expect_not(arena_init(&huge, SIZE_MAX / 2));
}
