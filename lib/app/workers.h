/* Workers: a small parent forks processes that share its listening socket and
 * replaces one that dies.
 */
#ifndef APP_WORKERS_H
#define APP_WORKERS_H

#include <sys/types.h>

#include "base/view.h"

enum workers_role {
	WORKERS_CHILD,   /* this process is a worker: go and serve */
	WORKERS_STOPPED, /* this process is the parent, all workers have ended */
};

struct workers {
	size_t count; /* at most CONFIG_WORKERS_MAX */
	/* Called in the parent before a worker takes the place of one that ended, so
	 * that it starts from what is in force now. */
	void (*refresh)(void *context);
	/* Called in the parent when a worker has ended and nobody here had told it to; `status` is of waitpid(). */
	void (*ended)(void *context, pid_t pid, int status);
	void *context;
};

/* Forks the workers and looks after them until TERM or INT, which lets each finish
 * its request. HUP replaces the program by the file that it was started from: that
 * is first executed beside this one, with the variable WORKERS_TRIAL, and only if
 * it ends with WORKERS_TRIAL_PASSED the parent executes it on the same socket and
 * lets the old workers finish. Otherwise, and when it takes longer than half a
 * minute, everything goes on as it was, and the log says so. Expects the stop
 * signals blocked; returns with them blocked, in the child too. */
enum workers_role workers_run(const struct workers *workers);

/* True in a process that is such a trial: it checks whether it could start, serves
 * nothing, and ends. */
bool workers_is_trial(void);

/* No status that another program or a shell ends with by chance. */
enum { WORKERS_TRIAL_PASSED = 93 };

#endif
