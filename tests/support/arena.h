/* An arena for each test of a suite.
 *
 * Say it once in a suite: .init = arena_begin, .fini = arena_end.
 */
#ifndef SUPPORT_ARENA_H
#define SUPPORT_ARENA_H

#include "base/arena.h"

/* The test's own, of a mebibyte at the most; whatever lies in it is gone at the test's end. */
extern struct arena arena;

/* Makes it; destroys it, and checks for leaks. */
void arena_begin(void);
void arena_end(void);

#endif
