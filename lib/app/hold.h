/* Keeps requests of an operator's own in the programs until so many are there at once.
 *
 * A web server that starts processes as they are needed (mod_fcgid) starts the next
 * one only while all others are busy, and an ordinary request is over too soon for
 * that. So todoctl warm sends requests under a name that nobody else can know, and
 * each process that meets one stays with it until all have come.
 */
#ifndef APP_HOLD_H
#define APP_HOLD_H

#include <stdatomic.h>

#include "base/view.h"

/* The longest that a process can be kept, in microseconds, whatever the memory says. */
#define HOLD_MOST (INT64_C(3) * 1000000)

enum { HOLD_NAME_BYTES = 16, HOLD_ID_TEXT = 5 + 2 * HOLD_NAME_BYTES };

/* In memory that all processes share; zeroed: nobody is kept. */
struct hold {
	_Atomic uint64_t name[2];
	_Atomic uint64_t until; /* by clock_monotonic() */
	_Atomic uint64_t wanted;
	_Atomic uint64_t held;
};

/* From now until that instant, HOLD_MOST at the latest, requests with the request
 * id written to `id` are kept until `wanted` of them are there. False: no random
 * bytes. */
CHECKED bool hold_begin(struct hold *hold, uint64_t wanted, int64_t until, char id[HOLD_ID_TEXT + 1]);

/* How many were there at once. */
uint64_t hold_end(struct hold *hold);

/* Waits with a request of that id (ABSENT: none was sent), if it is one of those. */
void hold_wait(struct hold *hold, struct view id);

#endif
