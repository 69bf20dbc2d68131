/* What every fuzz target has: it defines fuzz_one() and says in it what must hold.
 *
 * Each fuzz_NAME.c is one program. Built with clang's libFuzzer it makes up inputs
 * (`make fuzz`); built without, tests/fuzz/replay.c gives it those of
 * tests/fuzz/corpus/NAME.txt (`make test`).
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/arena.h"

enum { FUZZ_ARENA = 16 * 1024 * 1024 };

/* One input, of any bytes, in memory of exactly its length. */
void fuzz_one(struct view input);

/* The entry that libFuzzer and replay.c call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, which is a find, unless it holds. */
#define HOLDS(condition) ((condition) ? (void)0 : fuzz_find(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_find(const char *condition, const char *file, int line);

/* Memory that is given back after each input. Never NULL. */
struct arena *fuzz_arena(void);
void *fuzz_alloc(size_t size);

/* A copy of exactly that length, so that a sanitizer sees an overrun. */
struct view fuzz_copy(struct view text);

/* A copy with a NUL, cut at the first one that the text holds. */
char *fuzz_string(struct view text);

/* Its base64url. */
struct view fuzz_base64url(struct view bytes);

/* The two texts as one. */
struct view fuzz_join(struct view a, struct view b);

#endif
