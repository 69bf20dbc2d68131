/* Workers: a small parent forks processes that share its listening socket and
 * replaces one that dies.
 */
#ifndef APP_WORKERS_H
#define APP_WORKERS_H

#include "base/view.h"

enum { WORKERS_MAX = 128 };

enum workers_role {
	WORKERS_CHILD,   /* this process is a worker: go and serve */
	WORKERS_STOPPED, /* this process is the parent, all workers have ended */
};

/* Forks `count` workers and looks after them until TERM or INT, which lets each
 * finish its request. HUP replaces the program: the parent executes the file it
 * was started from again, on the same socket, and lets the old workers finish.
 * Expects the stop signals blocked; returns with them blocked, in the child too. */
enum workers_role workers_run(size_t count);

#endif
