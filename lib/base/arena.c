/* The arena: one anonymous mapping, filled from the front. */
#include "base/arena.h"

#include <stdalign.h>
#include <sys/mman.h>

/* A sanitizer sees only whole mappings; told what is in use, it also finds an
 * overrun between two allocations and a use after reset. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#endif

/* What an ordinary request uses stays mapped, so that the next one faults in
 * no pages. */
enum { ARENA_KEEP = 256 * 1024, ARENA_ALIGN = alignof(max_align_t) };

_Static_assert(ARENA_KEEP % 65536 == 0, "ARENA_KEEP is whole pages on every machine");

bool arena_init(struct arena *arena, size_t limit)
{
	void *base = mmap(NULL, limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return false;
	ASAN_POISON_MEMORY_REGION(base, limit);
	*arena = (struct arena){.base = base, .limit = limit};
	return true;
}

void arena_destroy(struct arena *arena)
{
	if (!arena->base)
		return;
	arena_reset(arena);
	ASAN_UNPOISON_MEMORY_REGION(arena->base, arena->limit);
	munmap(arena->base, arena->limit);
	*arena = (struct arena){.base = NULL};
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t start = (arena->used + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;

	if (start > arena->limit || size > arena->limit - start)
		return NULL;
	arena->used = start + size;
	ASAN_UNPOISON_MEMORY_REGION(arena->base + start, size);
	return arena->base + start;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	void *memory = arena_alloc(arena, total);
	if (memory)
		memset(memory, 0, total);
	return memory;
}

char *arena_string(struct arena *arena, struct view v)
{
	if (v.len >= arena->limit)
		return NULL;
	char *copy = arena_alloc(arena, v.len + 1);
	if (!copy)
		return NULL;
	if (v.len > 0)
		memcpy(copy, v.ptr, v.len);
	copy[v.len] = '\0';
	return copy;
}

void arena_reset(struct arena *arena)
{
	if (arena->used == 0)
		return;
	ASAN_UNPOISON_MEMORY_REGION(arena->base, arena->limit);
	explicit_bzero(arena->base, arena->used);
	if (arena->used > ARENA_KEEP)
		madvise(arena->base + ARENA_KEEP, arena->used - ARENA_KEEP, MADV_DONTNEED);
	ASAN_POISON_MEMORY_REGION(arena->base, arena->limit);
	arena->used = 0;
}
