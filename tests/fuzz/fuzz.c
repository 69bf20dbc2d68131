/* The way into every target. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64url.h"

static struct arena arena;

void fuzz_find(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

struct arena *fuzz_arena(void)
{
	if (!arena.base)
		HOLDS(arena_init(&arena, FUZZ_ARENA));
	return &arena;
}

void *fuzz_alloc(size_t size)
{
	void *memory = arena_alloc(fuzz_arena(), size);
	HOLDS(memory != NULL);
	return memory;
}

struct view fuzz_copy(struct view text)
{
	char *copy = fuzz_alloc(text.len);
	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	return (struct view){copy, text.len};
}

char *fuzz_string(struct view text)
{
	char *copy = fuzz_alloc(text.len + 1);
	size_t len = view_find(text, '\0');
	if (len > 0)
		memcpy(copy, text.ptr, len);
	copy[len] = '\0';
	return copy;
}

struct view fuzz_base64url(struct view bytes)
{
	char *text = fuzz_alloc(BASE64URL_ENCODED(bytes.len));
	return (struct view){text, base64url_encode((const unsigned char *)bytes.ptr, bytes.len, text)};
}

struct view fuzz_join(struct view a, struct view b)
{
	char *joined = fuzz_alloc(a.len + b.len);
	if (a.len > 0)
		memcpy(joined, a.ptr, a.len);
	if (b.len > 0)
		memcpy(joined + a.len, b.ptr, b.len);
	return (struct view){joined, a.len + b.len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An empty input of libFuzzer's is a null pointer, which would be ABSENT. */
	fuzz_one(size > 0 ? (struct view){(const char *)data, size} : VIEW(""));
	if (arena.base)
		arena_reset(&arena);
	return 0;
}
