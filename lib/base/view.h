/* A view: bytes that somebody else owns, with their length.
 *
 * A view never owns memory and needs no terminating NUL. The empty view may
 * have a null pointer; ABSENT has one, and view_is_absent() tells a header or
 * a member that was not sent from one that was sent empty.
 */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
	const char *ptr;
	size_t len;
};

#define CHECKED __attribute__((warn_unused_result))

/* A view of a string literal, its length known to the compiler. */
#define VIEW(literal) ((struct view){("" literal), sizeof(literal) - 1})
#define ABSENT ((struct view){NULL, 0})
/* For printf's "%.*s". */
#define VIEW_ARGS(v) (int)(v).len, ((v).ptr ? (v).ptr : "")

static inline bool view_is_absent(struct view v)
{
	return v.ptr == NULL;
}

/* Views a C string; NULL gives ABSENT. */
static inline struct view view_of(const char *string)
{
	return (struct view){string, string ? strlen(string) : 0};
}

static inline bool view_equal(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The bytes from `from` to the end; `from` is at most v.len. */
static inline struct view view_from(struct view v, size_t from)
{
	return (struct view){v.ptr ? v.ptr + from : NULL, v.len - from};
}

static inline bool view_starts(struct view v, struct view prefix)
{
	return v.len >= prefix.len && (prefix.len == 0 || memcmp(v.ptr, prefix.ptr, prefix.len) == 0);
}

/* Equal without regard to the case of ASCII letters; other bytes as they are. */
bool view_equal_nocase(struct view a, struct view b);

/* Takes what stands before the first `separator` off the front of *rest, the
 * separator too. Without one it takes all and leaves *rest ABSENT, so a loop
 * `while (!view_is_absent(rest))` sees each part once, empty ones included. */
struct view view_cut(struct view *rest, char separator);

/* Without ASCII space and tab at both ends (RFC 9110 §5.6.3, OWS). */
struct view view_trim(struct view v);

/* Position of the first `byte`, or v.len. */
size_t view_find(struct view v, char byte);

/* True for C0 controls, DEL and, in UTF-8 text, C1 controls (U+0080..U+009F). */
bool view_has_control(struct view v);

/* Reads an unsigned decimal number: digits only, no sign, no leading zero but
 * "0" itself, at most `max`. */
CHECKED bool view_to_u64(struct view v, uint64_t max, uint64_t *ret);

#endif
