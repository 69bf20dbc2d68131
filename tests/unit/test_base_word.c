/* Eight bytes at a time: every byte is seen, and none that is not there. */
#include <criterion/criterion.h>

#include "base/word.h"
#include "support/leaks.h"

TestSuite(word, .fini = leaks_check);

Test(word, finds_every_byte_at_every_place_beside_every_neighbour)
{
	for (int byte = 0; byte < 256; byte++) {
		for (int filler = 0; filler < 256; filler++) {
			for (size_t at = 0; at < WORD_BYTES; at++) {
				char text[WORD_BYTES];

				memset(text, filler, sizeof(text));
				text[at] = (char)byte;
				uint64_t word = word_load(text);
				cr_assert_eq(word_has_high(word), byte >= 0x80 || filler >= 0x80);
				cr_assert_eq(word_has_below(word, 0x20), byte < 0x20 || filler < 0x20);
				cr_assert_eq(word_has_below(word, 0x80), byte < 0x80 || filler < 0x80);
				cr_assert_eq(word_has(word, (unsigned char)byte), true);
				cr_assert_eq(word_has(word, '"'), byte == '"' || filler == '"');
			}
		}
	}
}

Test(word, measures_what_json_takes_as_it_is)
{
	for (int byte = 0; byte < 256; byte++) {
		for (size_t at = 0; at < 24; at++) {
			char text[24];

			memset(text, 'x', sizeof(text));
			text[at] = (char)byte;
			bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
			cr_assert_eq(word_json_plain((struct view){text, sizeof(text)}), plain ? sizeof(text) : at);
		}
	}
	cr_expect_eq(word_json_plain(ABSENT), 0);
}
