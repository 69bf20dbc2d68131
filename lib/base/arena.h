/* An arena: all memory of one request, with a hard limit, wiped at reset.
 *
 * Allocations live until arena_reset(); nobody frees one. Memory is one
 * anonymous mapping, so an arena costs only the pages that were used. After a
 * request that used much the pages go back to the system.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/view.h"

struct arena {
	unsigned char *base;
	size_t used;
	size_t limit;
};

/* Maps an arena of at most `limit` bytes. False: no memory. */
CHECKED bool arena_init(struct arena *arena, size_t limit);
void arena_destroy(struct arena *arena);

/* `size` bytes, aligned for any object and not cleared; NULL beyond the limit. */
CHECKED void *arena_alloc(struct arena *arena, size_t size);

/* `count` objects of `size` bytes, cleared; NULL beyond the limit or on overflow. */
CHECKED void *arena_calloc(struct arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of `v`; NULL beyond the limit. */
CHECKED char *arena_string(struct arena *arena, struct view v);

/* Wipes what was used and starts again. */
void arena_reset(struct arena *arena);

#endif
