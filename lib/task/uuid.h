/* New ids: UUIDs of version 7 (RFC 9562 §5.7). */
#ifndef TASK_UUID_H
#define TASK_UUID_H

#include "base/view.h"

/* Writes a new UUID in lower case with a NUL. Within a process each one is
 * greater than the one before, also while the clock stands or steps back
 * (RFC 9562 §6.2, method 1). `now` is in microseconds since 1970.
 * False: the system has no random bytes. */
CHECKED bool uuid_new(int64_t now, char ret[37]);

#endif
