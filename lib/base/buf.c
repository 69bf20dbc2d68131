/* The buffer: growth up to its maximum, and what is written into it. */
#include "base/buf.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/word.h"

enum { BUF_FIRST = 256 };

/* Wipes the old memory, which realloc would leave behind in the heap. */
static void buf_release(struct buf *buf)
{
	if (!buf->ptr)
		return;
	explicit_bzero(buf->ptr, buf->len);
	free(buf->ptr);
}

void buf_destroy(struct buf *buf)
{
	buf_release(buf);
	*buf = buf_make(buf->max);
}

void buf_reset(struct buf *buf, size_t keep)
{
	if (buf->capacity > keep) {
		buf_destroy(buf);
		return;
	}
	if (buf->len > 0)
		explicit_bzero(buf->ptr, buf->len);
	buf->len = 0;
	buf->failed = false;
}

static bool buf_grow(struct buf *buf, size_t need)
{
	size_t capacity = buf->capacity > buf->max / 2 ? buf->max : buf->capacity * 2;

	if (capacity < BUF_FIRST)
		capacity = BUF_FIRST < buf->max ? BUF_FIRST : buf->max;
	if (capacity < need)
		capacity = need;

	char *memory = malloc(capacity > 0 ? capacity : 1);
	if (!memory)
		return false;
	if (buf->len > 0)
		memcpy(memory, buf->ptr, buf->len);
	buf_release(buf);
	buf->ptr = memory;
	buf->capacity = capacity;
	return true;
}

char *buf_reserve_slowly(struct buf *buf, size_t more)
{
	if (buf->failed)
		return NULL;
	if (more > buf->max - buf->len) {
		buf->failed = true;
		return NULL;
	}
	if ((more > buf->capacity - buf->len || !buf->ptr) && !buf_grow(buf, buf->len + more)) {
		buf->failed = true;
		return NULL;
	}
	return buf->ptr + buf->len;
}

void buf_add_u64(struct buf *buf, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	buf_add(buf, (struct view){digits + at, sizeof(digits) - at});
}

void buf_add_hex(struct buf *buf, const unsigned char *bytes, size_t count)
{
	char *out = buf_reserve(buf, count > SIZE_MAX / 2 ? SIZE_MAX : count * 2);

	if (!out)
		return;
	for (size_t i = 0; i < count; i++) {
		*out++ = HEX_DIGITS[bytes[i] >> 4];
		*out++ = HEX_DIGITS[bytes[i] & 15];
	}
	buf->len += count * 2;
}

enum { JSON_ESCAPE_MAX = 6 };

/* Writes the escape of one byte; returns its length, at most JSON_ESCAPE_MAX. */
static size_t json_escape(unsigned char byte, char out[JSON_ESCAPE_MAX])
{
	static const char letters[] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";

	out[0] = '\\';
	if (byte >= 0x20) {
		out[1] = (char)byte;
		return 2;
	}
	out[1] = letters[byte];
	if (letters[byte] != 'u')
		return 2;
	out[2] = '0';
	out[3] = '0';
	out[4] = HEX_DIGITS[byte >> 4];
	out[5] = HEX_DIGITS[byte & 15];
	return 6;
}

void buf_add_json(struct buf *buf, struct view text)
{
	/* At each step there is room for all that is left and the closing quote. */
	if (text.len > SIZE_MAX - 2 || !buf_reserve(buf, text.len + 2)) {
		buf->failed = true;
		return;
	}
	buf->ptr[buf->len++] = '"';
	for (;;) {
		size_t plain = word_json_plain(text);

		if (plain > 0)
			memcpy(buf->ptr + buf->len, text.ptr, plain);
		buf->len += plain;
		if (plain == text.len)
			break;
		char escape[JSON_ESCAPE_MAX];
		size_t len = json_escape((unsigned char)text.ptr[plain], escape);
		text = view_from(text, plain + 1);
		if (!buf_reserve(buf, len + text.len + 1))
			return;
		memcpy(buf->ptr + buf->len, escape, len);
		buf->len += len;
	}
	buf->ptr[buf->len++] = '"';
}
