/* base64url: one text for one value (RFC 4648 §5). */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/base64url.h"
#include "support/leaks.h"

TestSuite(base64url, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Decodes from and into memory of exactly the promised size. */
static bool decode(struct view text, char *ret, size_t *ret_len)
{
	char *in = malloc(text.len);
	unsigned char *out = malloc(BASE64URL_DECODED(text.len));
	size_t len = 0;

	if (text.len > 0)
		memcpy(in, text.ptr, text.len);
	bool good = base64url_decode((struct view){in, text.len}, out, &len);
	if (good) {
		memcpy(ret, out, len);
		*ret_len = len;
	}
	free(in);
	free(out);
	return good;
}

Test(base64url, knows_the_published_vectors)
{
	/* RFC 4648 §10 without padding, and RFC 7515 §C. */
	static const struct {
		struct view bytes;
		const char *text;
	} cases[] = {
	        {{"", 0}, ""},
	        {{"f", 1}, "Zg"},
	        {{"fo", 2}, "Zm8"},
	        {{"foo", 3}, "Zm9v"},
	        {{"foob", 4}, "Zm9vYg"},
	        {{"fooba", 5}, "Zm9vYmE"},
	        {{"foobar", 6}, "Zm9vYmFy"},
	        {{"\x03\xec\xff\xe0\xc1", 5}, "A-z_4ME"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[16];
		char bytes[16];
		size_t len = 99;

		size_t text_len = base64url_encode((const unsigned char *)cases[i].bytes.ptr, cases[i].bytes.len, text);
		cr_expect_eq(text_len, BASE64URL_ENCODED(cases[i].bytes.len));
		cr_expect(view_equal((struct view){text, text_len}, view_of(cases[i].text)), "%s", cases[i].text);
		cr_expect(decode(view_of(cases[i].text), bytes, &len), "%s", cases[i].text);
		cr_expect(view_equal((struct view){bytes, len}, cases[i].bytes), "%s", cases[i].text);
		cr_expect_eq(BASE64URL_DECODED(strlen(cases[i].text)), cases[i].bytes.len);
	}
}

Test(base64url, comes_back_at_every_length)
{
	unsigned char bytes[256];
	char text[BASE64URL_ENCODED(sizeof(bytes))];
	char back[sizeof(bytes)];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		size_t back_len = 0;
		size_t text_len = base64url_encode(bytes, len, text);

		cr_assert(decode((struct view){text, text_len}, back, &back_len));
		cr_assert_eq(back_len, len);
		cr_assert_eq(memcmp(back, bytes, len), 0);
	}
}

Test(base64url, refuses_every_foreign_character_at_every_place)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (int byte = 0; byte < 256; byte++) {
		bool known = byte != 0 && strchr(alphabet, byte);

		for (size_t at = 0; at < 8; at++) {
			char text[8] = {'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A'};
			char out[8];
			size_t len = 0;

			text[at] = (char)byte;
			cr_assert_eq(decode((struct view){text, 8}, out, &len), known, "byte %d at %zu", byte, at);
			if (at >= 4 && at < 6 && !known)
				cr_assert_not(decode((struct view){text, 6}, out, &len), "byte %d in the tail", byte);
			if (at >= 4 && at < 7 && !known)
				cr_assert_not(decode((struct view){text, 7}, out, &len), "byte %d in the tail", byte);
		}
	}
}

Test(base64url, accepts_only_last_bits_that_are_zero)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t i = 0; i < 64; i++) {
		char two[] = {'A', alphabet[i]};
		char three[] = {'A', 'A', alphabet[i]};
		char out[4];
		size_t len;

		cr_expect_eq(decode((struct view){two, 2}, out, &len), i % 16 == 0, "A%c", alphabet[i]);
		cr_expect_eq(decode((struct view){three, 3}, out, &len), i % 4 == 0, "AA%c", alphabet[i]);
	}
}

Test(base64url, refuses_padding_space_and_odd_lengths)
{
	static const char *const cases[] = {"A",   "AAAAA", "Zg==", "Zm8=",   "Zg=",      "Zm9v====", " Zg",
	                                    "Zg ", "Z g",   "Zg\n", "Zm9v\n", "Zm9v\r\n", "Zm9+",     "Zm9/"};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[16];
		size_t len = 4711;

		cr_expect_not(decode(view_of(cases[i]), out, &len), "%s", cases[i]);
		cr_expect_eq(len, 4711);
	}
}
