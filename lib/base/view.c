/* Views: comparing, cutting and reading bytes that somebody else owns. */
#include "base/view.h"

#include "base/word.h"

static unsigned char ascii_lower(char c)
{
	unsigned char byte = (unsigned char)c;

	return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

bool view_equal_nocase(struct view a, struct view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	}
	return true;
}

struct view view_cut(struct view *rest, char separator)
{
	struct view part = *rest;
	size_t at = view_find(part, separator);

	if (at == part.len) {
		*rest = ABSENT;
		return part;
	}
	*rest = view_from(part, at + 1);
	part.len = at;
	return part;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct view view_trim(struct view v)
{
	while (v.len > 0 && is_blank(v.ptr[v.len - 1]))
		v.len--;
	while (v.len > 0 && is_blank(v.ptr[0]))
		v = view_from(v, 1);
	return v;
}

size_t view_find(struct view v, char byte)
{
	const char *found = v.len > 0 ? memchr(v.ptr, byte, v.len) : NULL;

	return found ? (size_t)(found - v.ptr) : v.len;
}

/* The end of the front part in which every byte is printable ASCII. */
static size_t printable_words(struct view v, size_t from)
{
	for (; v.len - from >= WORD_BYTES; from += WORD_BYTES) {
		uint64_t word = word_load(v.ptr + from);

		if (word_has_high(word) || word_has_below(word, 0x20) || word_has(word, 0x7f))
			break;
	}
	return from;
}

bool view_has_control(struct view v)
{
	unsigned char before = 0;

	for (size_t i = printable_words(v, 0); i < v.len; i++) {
		unsigned char byte = (unsigned char)v.ptr[i];

		if (byte < 0x20 || byte == 0x7f)
			return true;
		if (before == 0xc2 && byte >= 0x80 && byte <= 0x9f)
			return true;
		before = byte;
	}
	return false;
}

bool view_to_u64(struct view v, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0;

	if (v.len == 0 || (v.len > 1 && v.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] < '0' || v.ptr[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(v.ptr[i] - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (number > max)
		return false;
	*ret = number;
	return true;
}
