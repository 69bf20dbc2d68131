/* Percent-encoding: what is written is read back, and nothing half-read is taken. */
#include <criterion/criterion.h>

#include "base/percent.h"

Test(percent, encodes_every_byte_but_the_unreserved_and_decodes_it_back)
{
	static const struct {
		const char *text;
		const char *encoded;
	} cases[] = {
	        {"abcXYZ-._~019", "abcXYZ-._~019"},
	        {"a b", "a%20b"},
	        {"a+b", "a%2Bb"},
	        {"a/b", "a%2Fb"},
	        {"a\\b", "a%5Cb"},
	        {"100%", "100%25"},
	        {"a?b#c&d=e", "a%3Fb%23c%26d%3De"},
	        {"\r\nSet-Cookie: x", "%0D%0ASet-Cookie%3A%20x"},
	        {"\xC3\xA9", "%C3%A9"},
	        {"\"<>&'", "%22%3C%3E%26%27"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf encoded = buf_make(256);
		char decoded[256];
		struct view back;
		percent_encode(&encoded, view_of(cases[i].text));
		cr_expect(view_equal(buf_view(&encoded), view_of(cases[i].encoded)), "%.*s is not %s",
		          VIEW_ARGS(buf_view(&encoded)), cases[i].encoded);
		cr_expect(percent_decode(buf_view(&encoded), true, decoded, &back));
		cr_expect(view_equal(back, view_of(cases[i].text)));
		buf_destroy(&encoded);
	}
}

Test(percent, refuses_a_sign_without_two_hexadecimal_digits)
{
	static const char *const cases[] = {"%", "a%", "%4", "a%4", "%4g", "%g4", "% 41", "%%41"};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[16];
		struct view ret = VIEW("untouched");
		cr_expect(!percent_decode(view_of(cases[i]), false, out, &ret), "%s", cases[i]);
		cr_expect(view_equal(ret, VIEW("untouched")));
	}
}

Test(percent, reads_a_plus_as_a_space_in_forms_alone)
{
	char out[8];
	struct view ret;
	cr_assert(percent_decode(VIEW("a+b"), true, out, &ret));
	cr_expect(view_equal(ret, VIEW("a b")));
	cr_assert(percent_decode(VIEW("a+b"), false, out, &ret));
	cr_expect(view_equal(ret, VIEW("a+b")));
}

Test(percent, decodes_once)
{
	char out[16];
	struct view ret;
	cr_assert(percent_decode(VIEW("%2541"), false, out, &ret));
	cr_expect(view_equal(ret, VIEW("%41")));
}
