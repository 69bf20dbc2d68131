/* Files that may change while the process runs: which were read, and whether they
 * are still what they were then.
 */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

#include <sys/stat.h>

#include "base/view.h"

enum { WATCH_MAX = 16 };

/* Zeroed: none. */
struct watch {
	size_t count;
	struct watch_file {
		char *path;
		struct stat seen; /* all 0: it was not there */
		int64_t seen_at;  /* microseconds since 1970 */
	} files[WATCH_MAX];
};

/* Remembers how the file is now, to be called before it is read. It need not be
 * there. False: no memory, or more than WATCH_MAX files. */
CHECKED bool watch_add(struct watch *watch, const char *path);

/* Has one of them been changed, replaced, made or removed? A file that had just been
 * written when it was read counts as changed once more after a second, since a
 * second change within one tick of the file system's clock leaves no trace. */
CHECKED bool watch_changed(const struct watch *watch);

void watch_clear(struct watch *watch);

#endif
