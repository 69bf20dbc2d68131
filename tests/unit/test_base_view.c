/* Views: comparing, cutting, trimming and reading numbers. */
#include <criterion/criterion.h>

#include "base/view.h"
#include "support/leaks.h"

TestSuite(view, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

Test(view, tells_absent_from_empty)
{
	cr_expect(view_is_absent(ABSENT));
	cr_expect(view_is_absent(view_of(NULL)));
	cr_expect_not(view_is_absent(VIEW("")));
	cr_expect_not(view_is_absent(view_of("")));
}

Test(view, equals_by_bytes_and_length)
{
	cr_expect(view_equal(VIEW("a\0b"), VIEW("a\0b")));
	cr_expect_not(view_equal(VIEW("a\0b"), VIEW("a\0c")));
	cr_expect_not(view_equal(VIEW("ab"), VIEW("abc")));
	cr_expect_not(view_equal(VIEW("a"), VIEW("A")));
	cr_expect(view_equal(VIEW(""), ABSENT));
}

Test(view, ignores_the_case_of_ascii_letters_only)
{
	cr_expect(view_equal_nocase(VIEW("BeArEr-1"), VIEW("bEaReR-1")));
	cr_expect_not(view_equal_nocase(VIEW("@[`{"), VIEW("`{@[")));
	cr_expect_not(view_equal_nocase(VIEW("\xc3\x84"), VIEW("\xc3\xa4")));
	cr_expect_not(view_equal_nocase(VIEW("ab"), VIEW("abc")));
	cr_expect(view_equal_nocase(ABSENT, VIEW("")));
}

Test(view, starts_with_a_prefix)
{
	cr_expect(view_starts(VIEW("JWT_LEEWAY"), VIEW("JWT_")));
	cr_expect(view_starts(VIEW("x"), VIEW("")));
	cr_expect(view_starts(ABSENT, ABSENT));
	cr_expect_not(view_starts(VIEW("JWT"), VIEW("JWT_")));
	cr_expect_not(view_starts(VIEW("jwt_"), VIEW("JWT_")));
}

Test(view, cuts_every_part_once)
{
	static const struct {
		struct view text;
		const char *parts[5];
	} cases[] = {
	        {{"a,b,c", 5}, {"a", "b", "c"}},    {{"a", 1}, {"a"}},   {{"", 0}, {""}}, {{",", 1}, {"", ""}},
	        {{"a,,b,", 5}, {"a", "", "b", ""}}, {{NULL, 0}, {NULL}},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct view rest = cases[i].text;
		size_t part = 0;

		while (!view_is_absent(rest)) {
			struct view got = view_cut(&rest, ',');

			cr_assert_not_null(cases[i].parts[part], "case %zu has too many parts", i);
			cr_expect(view_equal(got, view_of(cases[i].parts[part])), "case %zu part %zu", i, part);
			part++;
		}
		cr_expect_null(cases[i].parts[part], "case %zu has too few parts", i);
	}
}

Test(view, cuts_an_absent_view_into_nothing)
{
	struct view rest = ABSENT;

	cr_expect(view_is_absent(view_cut(&rest, ',')));
	cr_expect(view_is_absent(rest));
}

Test(view, trims_space_and_tab_only)
{
	cr_expect(view_equal(view_trim(VIEW(" \t a b\t ")), VIEW("a b")));
	cr_expect(view_equal(view_trim(VIEW("\n a \r")), VIEW("\n a \r")));
	cr_expect(view_equal(view_trim(VIEW(" \t ")), VIEW("")));
	cr_expect_not(view_is_absent(view_trim(VIEW(" "))));
	cr_expect(view_is_absent(view_trim(ABSENT)));
}

Test(view, finds_the_first_byte)
{
	cr_expect_eq(view_find(VIEW("a=b=c"), '='), 1);
	cr_expect_eq(view_find(VIEW("abc"), '='), 3);
	cr_expect_eq(view_find(VIEW("ab\xff"), '\xff'), 2);
	cr_expect_eq(view_find(ABSENT, 'x'), 0);
}

Test(view, sees_every_control_character_at_every_place)
{
	char text[40];

	for (unsigned int code = 0; code < 0x100; code++) {
		bool control = code < 0x20 || (code >= 0x7f && code <= 0x9f);

		for (size_t at = 0; at < 32; at++) {
			memset(text, 'x', sizeof(text));
			if (code < 0x80) {
				text[at] = (char)code;
			} else {
				text[at] = (char)(0xc0 | code >> 6);
				text[at + 1] = (char)(0x80 | (code & 0x3f));
			}
			cr_assert_eq(view_has_control((struct view){text, 33}), control, "U+%04X at %zu", code, at);
		}
	}
}

Test(view, takes_no_other_script_for_controls)
{
	/* Each holds a byte of 0x80..0x9f that is no C1 control. */
	cr_expect_not(view_has_control(VIEW("\xc4\x80\xc5\x9f")));
	cr_expect_not(view_has_control(VIEW("\xe2\x82\x80\xe3\x81\x82")));
	cr_expect_not(view_has_control(VIEW("\xf0\x9f\x98\x80")));
	cr_expect_not(view_has_control(ABSENT));
}

Test(view, reads_plain_numbers)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool good;
		uint64_t number;
	} cases[] = {
	        {"0", 10, true, 0},
	        {"10", 10, true, 10},
	        {"11", 10, false, 0},
	        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
	        {"18446744073709551616", UINT64_MAX, false, 0},
	        {"28446744073709551615", UINT64_MAX, false, 0},
	        {"99999999999999999999999", UINT64_MAX, false, 0},
	        {"", 10, false, 0},
	        {"00", 10, false, 0},
	        {"01", 10, false, 0},
	        {"+1", 10, false, 0},
	        {"-1", 10, false, 0},
	        {" 1", 10, false, 0},
	        {"1 ", 10, false, 0},
	        {"1a", 10, false, 0},
	        {"0x1", 10, false, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t number = 4711;
		bool good = view_to_u64(view_of(cases[i].text), cases[i].max, &number);

		cr_expect_eq(good, cases[i].good, "%s", cases[i].text);
		cr_expect_eq(number, cases[i].good ? cases[i].number : 4711, "%s", cases[i].text);
	}
}
