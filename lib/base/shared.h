/* Memory that all processes of a machine share: one mapped file in STATE_DIR, no
 * daemon.
 *
 * Whoever uses it must be lock-free and take every value for possible: any
 * process may be killed at any point, and nothing but the file's head is
 * checked here. An odd file (another size, another head) is replaced by an
 * empty one. Without room on the disk, or when the file is cut short, broken or
 * gone while it is mapped, the memory goes on as this process's own, and joins
 * the others again as soon as there is a good file: no access ever fails, and
 * none kills the process.
 */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <signal.h>

#include "base/view.h"

enum { SHARED_NAME_MAX = 40 };

struct shared {
	/* `size` bytes, aligned for a cache line, zero at first; they stay at this address. */
	void *memory;
	size_t size;

	/* The rest is the module's own. */
	struct shared *next;
	unsigned char *base;
	int dir;
	uint64_t layout;
	char name[SHARED_NAME_MAX];
	uint64_t device;
	uint64_t inode;
	int64_t checked_at;
	bool attached;
	volatile sig_atomic_t lost;
};

/* Maps the memory of the file of that name. Programs that use its bytes
 * differently say so by `layout`, and have files of their own. `dir` is borrowed
 * (base/state_dir.h). *shared must not move while it is open. False: no memory,
 * or no room for the name; no file is no failure. */
CHECKED bool shared_open(int dir, const char *name, uint64_t layout, size_t size, struct shared *shared);
void shared_close(struct shared *shared);

/* To be called before each use, `now` by clock_monotonic(): at most once a second
 * it looks whether the file is still the one that others find, and joins that.
 * True when it looked. */
CHECKED bool shared_refresh(struct shared *shared, int64_t now);

/* False: the memory is this process's own for the moment. */
bool shared_is_common(const struct shared *shared);

/* Replaces the file by an empty one, whatever it holds. */
void shared_renew(struct shared *shared);

#endif
