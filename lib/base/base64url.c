/* base64url without padding: one text for one value. */
#include "base/base64url.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* A character's six bits with VALID set; 0 for characters outside the alphabet. */
enum { VALID = 64 };

static const unsigned char SIXTETS[256] = {
        ['A'] = VALID | 0,  ['B'] = VALID | 1,  ['C'] = VALID | 2,  ['D'] = VALID | 3,  ['E'] = VALID | 4,
        ['F'] = VALID | 5,  ['G'] = VALID | 6,  ['H'] = VALID | 7,  ['I'] = VALID | 8,  ['J'] = VALID | 9,
        ['K'] = VALID | 10, ['L'] = VALID | 11, ['M'] = VALID | 12, ['N'] = VALID | 13, ['O'] = VALID | 14,
        ['P'] = VALID | 15, ['Q'] = VALID | 16, ['R'] = VALID | 17, ['S'] = VALID | 18, ['T'] = VALID | 19,
        ['U'] = VALID | 20, ['V'] = VALID | 21, ['W'] = VALID | 22, ['X'] = VALID | 23, ['Y'] = VALID | 24,
        ['Z'] = VALID | 25, ['a'] = VALID | 26, ['b'] = VALID | 27, ['c'] = VALID | 28, ['d'] = VALID | 29,
        ['e'] = VALID | 30, ['f'] = VALID | 31, ['g'] = VALID | 32, ['h'] = VALID | 33, ['i'] = VALID | 34,
        ['j'] = VALID | 35, ['k'] = VALID | 36, ['l'] = VALID | 37, ['m'] = VALID | 38, ['n'] = VALID | 39,
        ['o'] = VALID | 40, ['p'] = VALID | 41, ['q'] = VALID | 42, ['r'] = VALID | 43, ['s'] = VALID | 44,
        ['t'] = VALID | 45, ['u'] = VALID | 46, ['v'] = VALID | 47, ['w'] = VALID | 48, ['x'] = VALID | 49,
        ['y'] = VALID | 50, ['z'] = VALID | 51, ['0'] = VALID | 52, ['1'] = VALID | 53, ['2'] = VALID | 54,
        ['3'] = VALID | 55, ['4'] = VALID | 56, ['5'] = VALID | 57, ['6'] = VALID | 58, ['7'] = VALID | 59,
        ['8'] = VALID | 60, ['9'] = VALID | 61, ['-'] = VALID | 62, ['_'] = VALID | 63,
};

static unsigned int sixtet(char c)
{
	return SIXTETS[(unsigned char)c];
}

bool base64url_decode(struct view text, unsigned char *out, size_t *ret_len)
{
	const char *in = text.ptr;
	unsigned char *start = out;
	unsigned int valid = VALID;

	if (text.len % 4 == 1)
		return false;
	for (size_t groups = text.len / 4; groups > 0; groups--, in += 4, out += 3) {
		unsigned int a = sixtet(in[0]);
		unsigned int b = sixtet(in[1]);
		unsigned int c = sixtet(in[2]);
		unsigned int d = sixtet(in[3]);

		valid &= a & b & c & d;
		out[0] = (unsigned char)(a << 2 | (b & 63) >> 4);
		out[1] = (unsigned char)(b << 4 | (c & 63) >> 2);
		out[2] = (unsigned char)(c << 6 | (d & 63));
	}
	if (text.len % 4 >= 2) {
		unsigned int a = sixtet(in[0]);
		unsigned int b = sixtet(in[1]);
		unsigned int c = text.len % 4 == 3 ? sixtet(in[2]) : VALID;
		unsigned int unused = text.len % 4 == 3 ? c & 3 : b & 15;

		valid &= a & b & c;
		if (unused != 0)
			return false;
		*out++ = (unsigned char)(a << 2 | (b & 63) >> 4);
		if (text.len % 4 == 3)
			*out++ = (unsigned char)(b << 4 | (c & 63) >> 2);
	}
	if (!valid)
		return false;
	*ret_len = (size_t)(out - start);
	return true;
}

size_t base64url_encode(const unsigned char *bytes, size_t len, char *out)
{
	char *start = out;

	for (; len >= 3; len -= 3, bytes += 3) {
		*out++ = ALPHABET[bytes[0] >> 2];
		*out++ = ALPHABET[(bytes[0] & 3) << 4 | bytes[1] >> 4];
		*out++ = ALPHABET[(bytes[1] & 15) << 2 | bytes[2] >> 6];
		*out++ = ALPHABET[bytes[2] & 63];
	}
	if (len > 0) {
		unsigned int second = len == 2 ? bytes[1] : 0;

		*out++ = ALPHABET[bytes[0] >> 2];
		*out++ = ALPHABET[(bytes[0] & 3u) << 4 | second >> 4];
		if (len == 2)
			*out++ = ALPHABET[(second & 15) << 2];
	}
	return (size_t)(out - start);
}
