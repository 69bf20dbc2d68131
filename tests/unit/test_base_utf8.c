/* UTF-8: what is well-formed, how long it is, and its white space. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "support/leaks.h"

TestSuite(utf8, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Encodes any number below 2^21 in the shape of UTF-8 with `len` bytes. */
static void encode(unsigned int code, size_t len, char out[4])
{
	static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(heads[len] | code);
}

static size_t length_of(unsigned int code)
{
	return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

Test(utf8, accepts_every_code_point_but_surrogates)
{
	for (unsigned int code = 0; code < 0x110000; code++) {
		char text[4];

		encode(code, length_of(code), text);
		cr_assert_eq(utf8_valid((struct view){text, length_of(code)}), code < 0xd800 || code > 0xdfff, "U+%04X",
		             code);
	}
}

Test(utf8, refuses_values_above_the_last_code_point)
{
	for (unsigned int code = 0x110000; code < 0x200000; code++) {
		char text[4];

		encode(code, 4, text);
		cr_assert_not(utf8_valid((struct view){text, 4}), "%X", code);
	}
}

Test(utf8, refuses_every_overlong_form)
{
	for (size_t len = 2; len <= 4; len++) {
		unsigned int end = len == 2 ? 0x80 : len == 3 ? 0x800 : 0x10000;

		for (unsigned int code = 0; code < end; code++) {
			char text[4];

			encode(code, len, text);
			cr_assert_not(utf8_valid((struct view){text, len}), "U+%04X in %zu bytes", code, len);
		}
	}
}

Test(utf8, refuses_malformed_bytes_wherever_they_stand)
{
	static const struct view cases[] = {
	        {"\x80", 1},
	        {"\xbf", 1},
	        {"\xc0\x80", 2},
	        {"\xc1\xbf", 2},
	        {"\xc2", 1},
	        {"\xe2\x82", 2},
	        {"\xf0\x9f\x98", 3},
	        {"\xc2x", 2},
	        {"\xe2\x82x", 3},
	        {"\xe2x\x82", 3},
	        {"\xf0\x9f\x98x", 4},
	        {"\xf5\x80\x80\x80", 4},
	        {"\xff", 1},
	        {"\xfe", 1},
	        {"\xf8\x88\x80\x80\x80", 5},
	        {"\xed\xa0\xbd\xed\xb8\x80", 6},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t before = 0; before < 40; before++) {
			for (size_t after = 0; after < 20; after += 19) {
				/* Exactly as long as its text, so that a sanitizer sees a read past it. */
				size_t len = before + cases[i].len + after;
				char *text = malloc(len);

				memset(text, 'x', len);
				memcpy(text + before, cases[i].ptr, cases[i].len);
				cr_assert_not(utf8_valid((struct view){text, len}), "case %zu after %zu", i, before);
				free(text);
			}
		}
	}
}

Test(utf8, accepts_mixed_text_of_every_length)
{
	static const char text[] = "a\xc3\xa4 long ascii run of text \xe2\x82\xac\xf0\x9f\x98\x80 and one more run";

	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len + 1);
		bool whole = len == sizeof(text) - 1 || ((unsigned char)text[len] & 0xc0) != 0x80;

		memcpy(copy, text, len);
		cr_expect_eq(utf8_valid((struct view){copy, len}), whole, "%zu bytes", len);
		free(copy);
	}
	cr_expect(utf8_valid(ABSENT));
}

Test(utf8, counts_code_points)
{
	cr_expect_eq(utf8_count(ABSENT), 0);
	cr_expect_eq(utf8_count(VIEW("abc")), 3);
	cr_expect_eq(utf8_count(VIEW("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80!")), 4);
}

Test(utf8, trims_all_white_space_of_unicode_and_nothing_else)
{
	static const unsigned int spaces[] = {0x09,   0x0a,   0x0b,   0x0c,   0x0d,   0x20,   0x85,   0xa0,   0x1680,
	                                      0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
	                                      0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
	size_t found = 0;

	for (unsigned int code = 0; code < 0x110000; code++) {
		char text[9];
		size_t len = length_of(code);

		if (code >= 0xd800 && code <= 0xdfff)
			continue;
		encode(code, len, text);
		text[len] = 'x';
		encode(code, len, text + len + 1);
		struct view trimmed = utf8_trim((struct view){text, 2 * len + 1});
		bool space = found < COUNT(spaces) && spaces[found] == code;
		if (space)
			found++;
		else if (code == 'x')
			continue;
		cr_assert_eq(trimmed.len, space ? 1 : 2 * len + 1, "U+%04X", code);
	}
	cr_expect_eq(found, COUNT(spaces));
}

Test(utf8, trims_text_of_white_space_to_nothing)
{
	struct view trimmed = utf8_trim(VIEW(" \xc2\xa0\xe2\x80\x83\t\n"));

	cr_expect_eq(trimmed.len, 0);
	cr_expect_not(view_is_absent(trimmed));
	cr_expect(view_equal(utf8_trim(VIEW("\xe3\x80\x80 a b \xc2\x85")), VIEW("a b")));
}

Test(utf8, trims_no_character_that_goes_on_behind_the_text)
{
	static const struct view spaces[] = {VIEW("\xc2\xa0"), VIEW("\xe3\x80\x80")};

	for (size_t i = 0; i < COUNT(spaces); i++) {
		struct view cut = {spaces[i].ptr, spaces[i].len - 1};

		cr_expect(view_equal(utf8_trim(cut), cut), "case %zu", i);
	}
}
