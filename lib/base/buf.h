/* A growing byte buffer that cannot be made without its maximum.
 *
 * A failed append (maximum or memory) marks the buffer and later appends do
 * nothing, so a writer checks buf_ok() once, at its end. Contents are then
 * incomplete and must not be used.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/view.h"

struct buf {
	char *ptr;
	size_t len;
	size_t capacity;
	size_t max;
	bool failed;
};

/* An empty buffer that owns no memory yet. */
static inline struct buf buf_make(size_t max)
{
	return (struct buf){.max = max};
}

void buf_destroy(struct buf *buf);
#define BUF __attribute__((cleanup(buf_destroy))) struct buf

/* Empties the buffer, wiping its contents; memory over `keep` bytes is freed. */
void buf_reset(struct buf *buf, size_t keep);

static inline bool buf_ok(const struct buf *buf)
{
	return !buf->failed;
}

static inline struct view buf_view(const struct buf *buf)
{
	return (struct view){buf->ptr, buf->len};
}

/* What buf_reserve() does where the room is not there already. */
char *buf_reserve_slowly(struct buf *buf, size_t more);

/* Room for `more` bytes at ptr + len; NULL (and failed) when there is none.
 * The caller adds to len what it wrote. */
static inline char *buf_reserve(struct buf *buf, size_t more)
{
	bool there = !buf->failed && buf->ptr && more <= buf->capacity - buf->len;
	return there ? buf->ptr + buf->len : buf_reserve_slowly(buf, more);
}

static inline void buf_add(struct buf *buf, struct view v)
{
	char *out = v.len > 0 ? buf_reserve(buf, v.len) : NULL;
	if (!out)
		return;
	memcpy(out, v.ptr, v.len);
	buf->len += v.len;
}

static inline void buf_add_char(struct buf *buf, char c)
{
	char *out = buf_reserve(buf, 1);
	if (!out)
		return;
	*out = c;
	buf->len++;
}

void buf_add_u64(struct buf *buf, uint64_t number);
void buf_add_hex(struct buf *buf, const unsigned char *bytes, size_t count);

/* `text`, valid UTF-8, as a JSON string with its quotes (RFC 8259 §7). */
void buf_add_json(struct buf *buf, struct view text);

#define BUF_LIT(buf, literal) buf_add((buf), VIEW(literal))

#endif
