/* UTF-8: validity, length in code points, white space at the ends. */
#include "base/utf8.h"

#include "base/word.h"

/* The length of the ASCII run at the front, in steps of a word. */
static size_t ascii_words(struct view text)
{
	size_t i = 0;

	while (text.len - i >= 2 * WORD_BYTES &&
	       !word_has_high(word_load(text.ptr + i) | word_load(text.ptr + i + WORD_BYTES)))
		i += 2 * WORD_BYTES;
	return i;
}

/* The length of the well-formed sequence at the front of `text`, which is not
 * empty; 0 when there is none (RFC 3629 §4). */
static size_t sequence_length(struct view text)
{
	const unsigned char *byte = (const unsigned char *)text.ptr;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t len;

	if (byte[0] < 0x80)
		return 1;
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 0;
	if (byte[0] < 0xe0) {
		len = 2;
	} else if (byte[0] < 0xf0) {
		len = 3;
		low = byte[0] == 0xe0 ? 0xa0 : low;
		high = byte[0] == 0xed ? 0x9f : high;
	} else {
		len = 4;
		low = byte[0] == 0xf0 ? 0x90 : low;
		high = byte[0] == 0xf4 ? 0x8f : high;
	}
	if (text.len < len || byte[1] < low || byte[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

bool utf8_valid(struct view text)
{
	while (text.len > 0) {
		text = view_from(text, ascii_words(text));
		/* Text of another script has few long ASCII runs: look for one only
		 * now and then. */
		for (int i = 0; i < 16 && text.len > 0; i++) {
			size_t len = sequence_length(text);

			if (len == 0)
				return false;
			text = view_from(text, len);
		}
	}
	return true;
}

size_t utf8_count(struct view text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
	return count;
}

/* The length of the white-space character that `text` starts with, or 0. */
static size_t space_length(struct view text)
{
	const unsigned char *byte = (const unsigned char *)text.ptr;

	if (text.len >= 1 && (byte[0] == ' ' || (byte[0] >= '\t' && byte[0] <= '\r')))
		return 1;
	if (text.len >= 2 && byte[0] == 0xc2 && (byte[1] == 0x85 || byte[1] == 0xa0))
		return 2;
	if (text.len < 3)
		return 0;

	unsigned int code = (unsigned int)(byte[0] << 16 | byte[1] << 8 | byte[2]);
	bool is_space = code == 0xe19a80                          /* U+1680 */
	                || (code >= 0xe28080 && code <= 0xe2808a) /* U+2000..U+200A */
	                || code == 0xe280a8 || code == 0xe280a9   /* U+2028, U+2029 */
	                || code == 0xe280af || code == 0xe2819f   /* U+202F, U+205F */
	                || code == 0xe38080;                      /* U+3000 */
	return is_space ? 3 : 0;
}

/* The length of the white-space character that `text` ends with, or 0. */
static size_t last_space_length(struct view text)
{
	for (size_t len = 1; len <= 3 && len <= text.len; len++) {
		if (space_length(view_from(text, text.len - len)) == len)
			return len;
	}
	return 0;
}

struct view utf8_trim(struct view text)
{
	for (size_t len; (len = space_length(text)) > 0;)
		text = view_from(text, len);
	for (size_t len; (len = last_space_length(text)) > 0;)
		text.len -= len;
	return text;
}
