/* Eight bytes at a time: does a word hold a byte of some kind.
 *
 * Each test looks at a whole word and only says whether such a byte is there,
 * so the answers do not depend on the byte order. The caller finds the place.
 */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include "base/view.h"

enum { WORD_BYTES = sizeof(uint64_t) };

#define WORD_ONES UINT64_C(0x0101010101010101)
#define WORD_HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t word_load(const char *ptr)
{
	uint64_t word;

	memcpy(&word, ptr, sizeof(word));
	return word;
}

/* Some byte is 0x80 or above. */
static inline bool word_has_high(uint64_t word)
{
	return (word & WORD_HIGHS) != 0;
}

/* Some byte is below `limit`, which is at most 0x80. */
static inline bool word_has_below(uint64_t word, unsigned char limit)
{
	return ((word - WORD_ONES * limit) & ~word & WORD_HIGHS) != 0;
}

/* Some byte equals `byte`. */
static inline bool word_has(uint64_t word, unsigned char byte)
{
	return word_has_below(word ^ (WORD_ONES * byte), 1);
}

/* How many bytes at the front can stand in a JSON string as they are: no C0
 * control, quote or backslash (RFC 8259 §7). */
static inline size_t word_json_plain(struct view text)
{
	size_t i = 0;

	for (; text.len - i >= WORD_BYTES; i += WORD_BYTES) {
		uint64_t word = word_load(text.ptr + i);

		if (word_has_below(word, 0x20) || word_has(word, '"') || word_has(word, '\\'))
			break;
	}
	while (i < text.len && (unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != '"' && text.ptr[i] != '\\')
		i++;
	return i;
}

#endif
