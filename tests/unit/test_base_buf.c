/* The buffer: its maximum, its failure, and what its writers write. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "support/leaks.h"

TestSuite(buf, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

Test(buf, holds_its_maximum_and_not_a_byte_more)
{
	struct buf buf = buf_make(1000);

	for (int i = 0; i < 1000; i++)
		buf_add_char(&buf, 'x');
	cr_expect(buf_ok(&buf));
	cr_expect_eq(buf.len, 1000);
	buf_add_char(&buf, 'y');
	cr_expect_not(buf_ok(&buf));
	cr_expect_eq(buf.len, 1000);
	buf_destroy(&buf);
}

Test(buf, does_nothing_after_a_failure)
{
	struct buf buf = buf_make(4);

	BUF_LIT(&buf, "12345");
	BUF_LIT(&buf, "1");
	buf_add_char(&buf, '1');
	buf_add_u64(&buf, 1);
	buf_add_hex(&buf, (const unsigned char *)"1", 1);
	buf_add_json(&buf, VIEW(""));
	cr_expect_null(buf_reserve(&buf, 0));
	cr_expect_not(buf_ok(&buf));
	cr_expect_eq(buf.len, 0);
	buf_destroy(&buf);
}

Test(buf, refuses_a_size_that_overflows)
{
	struct buf buf = buf_make(SIZE_MAX);

	BUF_LIT(&buf, "1234");
	cr_expect_null(buf_reserve(&buf, SIZE_MAX - 2));
	cr_expect_not(buf_ok(&buf));
	buf_destroy(&buf);
}

Test(buf, without_room_at_all_takes_nothing)
{
	struct buf buf = buf_make(0);

	buf_add(&buf, ABSENT);
	BUF_LIT(&buf, "");
	cr_expect(buf_ok(&buf));
	BUF_LIT(&buf, "x");
	cr_expect_not(buf_ok(&buf));
	buf_destroy(&buf);
}

Test(buf, gives_room_that_can_be_written)
{
	struct buf buf = buf_make(100000);

	for (size_t size = 1; size <= 300; size++) {
		char *room = buf_reserve(&buf, size);

		cr_assert_not_null(room);
		memset(room, (int)('a' + size % 26), size);
		buf.len += size;
	}
	size_t at = 0;
	for (size_t size = 1; size <= 300; size++) {
		for (size_t i = 0; i < size; i++)
			cr_assert_eq(buf.ptr[at++], (char)('a' + size % 26));
	}
	cr_expect_eq(at, buf.len);
	buf_destroy(&buf);
}

Test(buf, reset_keeps_small_memory_and_wipes_it)
{
	struct buf buf = buf_make(100000);

	BUF_LIT(&buf, "secret");
	char *memory = buf.ptr;
	buf_reset(&buf, 4096);
	cr_expect_eq(buf.ptr, memory);
	cr_expect_eq(buf.len, 0);
	cr_expect_arr_eq(memory, "\0\0\0\0\0\0", 6);
	buf_destroy(&buf);
}

Test(buf, reset_frees_large_memory_and_forgives_a_failure)
{
	struct buf buf = buf_make(10000);

	cr_assert_not_null(buf_reserve(&buf, 5000));
	cr_assert_null(buf_reserve(&buf, 20000));
	buf_reset(&buf, 4096);
	cr_expect(buf_ok(&buf));
	cr_expect_eq(buf.capacity, 0);
	cr_expect_eq(buf.max, 10000);
	BUF_LIT(&buf, "again");
	cr_expect(view_equal(buf_view(&buf), VIEW("again")));
	buf_destroy(&buf);
}

Test(buf, writes_numbers)
{
	static const struct {
		uint64_t number;
		const char *text;
	} cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {1234567890, "1234567890"}, {UINT64_MAX, "18446744073709551615"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf = buf_make(100);

		buf_add_u64(&buf, cases[i].number);
		cr_expect(view_equal(buf_view(&buf), view_of(cases[i].text)), "%s", cases[i].text);
		buf_destroy(&buf);
	}
}

Test(buf, writes_hexadecimal)
{
	static const unsigned char bytes[] = {0x00, 0x0f, 0xf0, 0xa5, 0xff};
	struct buf buf = buf_make(10);

	buf_add_hex(&buf, bytes, sizeof(bytes));
	cr_expect(view_equal(buf_view(&buf), VIEW("000ff0a5ff")));
	buf_destroy(&buf);
}

Test(buf, escapes_what_json_asks_for_and_no_more)
{
	static const struct {
		struct view text;
		const char *json;
	} cases[] = {
	        {{NULL, 0}, "\"\""},
	        {{"plain", 5}, "\"plain\""},
	        {{"a \"b\" \\ c/d", 11}, "\"a \\\"b\\\" \\\\ c/d\""},
	        {{"\b\t\n\f\r", 5}, "\"\\b\\t\\n\\f\\r\""},
	        {{"\0\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\x7f\""},
	        {{"\xc3\xa4\xe2\x80\xa8\xf0\x9f\x98\x80", 9}, "\"\xc3\xa4\xe2\x80\xa8\xf0\x9f\x98\x80\""},
	        {{"12345678\"", 9}, "\"12345678\\\"\""},
	        {{"\"\"\"\"\"\"\"\"\"", 9}, "\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\""},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf = buf_make(strlen(cases[i].json));

		buf_add_json(&buf, cases[i].text);
		cr_expect(buf_ok(&buf) && view_equal(buf_view(&buf), view_of(cases[i].json)), "%s", cases[i].json);
		buf_destroy(&buf);
		buf = buf_make(strlen(cases[i].json) - 1);
		buf_add_json(&buf, cases[i].text);
		cr_expect_not(buf_ok(&buf), "%s fits into less", cases[i].json);
		buf_destroy(&buf);
	}
}

Test(buf, json_comes_back_for_every_byte_at_every_place)
{
	struct arena arena;

	cr_assert(arena_init(&arena, 65536));
	for (int byte = 1; byte < 0x80; byte++) {
		for (size_t at = 0; at < 20; at++) {
			char text[20];
			struct buf buf = buf_make(1000);
			const cJSON *node = NULL;

			memset(text, 'x', sizeof(text));
			text[at] = (char)byte;
			buf_add_json(&buf, (struct view){text, sizeof(text)});
			cr_assert_eq(json_parse(&arena, buf_view(&buf), &node), JSON_OK);
			cr_assert(view_equal(json_text(node), (struct view){text, sizeof(text)}), "%d at %zu", byte,
			          at);
			buf_destroy(&buf);
			arena_reset(&arena);
		}
	}
	arena_destroy(&arena);
}
