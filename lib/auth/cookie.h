/* The session cookie in a Cookie header (RFC 6265 §4.2): whole, or in the numbered
 * chunks that Better Auth makes of one that is too long.
 */
#ifndef AUTH_COOKIE_H
#define AUTH_COOKIE_H

#include "base/arena.h"

enum { COOKIE_NAME_MAX = 128, COOKIE_CHUNKS_MAX = 8 };

enum cookie_result {
	COOKIE_OK,
	COOKIE_NONE,      /* there is none of that name */
	COOKIE_BAD,       /* two of one name, chunks beside a whole, a chunk missing, or a value that is no token */
	COOKIE_NO_MEMORY, /* the arena's limit */
};

/* Finds the token in the cookie `name`, or in `name`.0, `name`.1 and on, in whatever
 * order they come. Other cookies may hold anything. *ret points into the header or
 * lives in the arena. */
CHECKED enum cookie_result cookie_find(struct arena *arena, struct view header, struct view name, struct view *ret);

/* May a cookie have this name? RFC 6265 §4.1.1; without "__", which begins the
 * prefixes that browsers know, and at most COOKIE_NAME_MAX bytes. */
bool cookie_name_valid(struct view name);

#endif
