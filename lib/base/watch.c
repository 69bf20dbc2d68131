/* Compares what stat(2) says of files with what it said before. */
#include "base/watch.h"

#include <stdlib.h>

#include "base/clock.h"

/* No file system's clock is coarser, and none lags behind ours by more. */
#define TICK CLOCK_SECOND

static struct stat look(const char *path)
{
	struct stat found;

	if (stat(path, &found) != 0)
		found = (struct stat){0};
	return found;
}

static int64_t changed_at(const struct stat *file)
{
	return (int64_t)file->st_ctim.tv_sec * CLOCK_SECOND + file->st_ctim.tv_nsec / 1000;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       changed_at(a) == changed_at(b);
}

bool watch_add(struct watch *watch, const char *path)
{
	char *copy = watch->count < WATCH_MAX ? strdup(path) : NULL;

	if (!copy)
		return false;
	watch->files[watch->count++] = (struct watch_file){copy, look(path), clock_now()};
	return true;
}

bool watch_changed(const struct watch *watch)
{
	int64_t now = clock_now();

	for (size_t i = 0; i < watch->count; i++) {
		const struct watch_file *file = &watch->files[i];
		struct stat found = look(file->path);

		if (!is_same(&found, &file->seen))
			return true;
		if (file->seen_at - changed_at(&found) < TICK && now - changed_at(&found) >= TICK)
			return true;
	}
	return false;
}

void watch_clear(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		free(watch->files[i].path);
	*watch = (struct watch){0};
}
