/* One pipeline: some statements and one Sync, hence one implicit transaction
 * in one round trip. */
#ifndef DB_PIPELINE_H
#define DB_PIPELINE_H

#include <libpq-fe.h>

#include "base/view.h"

enum { PIPELINE_STEPS_MAX = 4, STEP_VALUES_MAX = 12 };

/* One statement; all its parameters are of type text. */
struct step {
	const char *sql;
	const char *name; /* under which it is prepared on first use; NULL: it is not prepared */
	bool *prepared;   /* whether this connection knows the name by now; kept right whatever happens */
	const struct view *values;
	size_t count;
	/* Takes each row as it arrives, a result of its own that lives for the call;
	 * NULL: the rows stay together in the step's result. */
	void (*take)(void *context, PGresult *row);
	void *context;
};

enum pipeline_end {
	PIPELINE_DONE,    /* committed */
	PIPELINE_REFUSED, /* the server said no: rolled back, the connection still serves */
	PIPELINE_LOST,    /* the connection is of no more use */
	PIPELINE_LATE,    /* the deadline has passed; the connection is of no more use */
};

struct pipeline_fault {
	bool synced;      /* the Sync may have left: without it nothing was committed, with it nobody knows */
	char sqlstate[6]; /* "" when the server sent none */
};

void result_release(PGresult **result);
#define RESULT __attribute__((cleanup(result_release))) PGresult *

/* Waits until the socket is ready for `events` (poll(2)) or `deadline` passes,
 * by clock_monotonic(). PIPELINE_DONE: ready. */
CHECKED enum pipeline_end pipeline_wait(int fd, short events, int64_t deadline);

/* Runs `count` steps, at most PIPELINE_STEPS_MAX, on a non-blocking connection
 * in pipeline mode; values come back in binary. ret_results[i] is the result
 * of step i when that one succeeded, else NULL, and the caller's to clear even
 * after a failure; they are cleared first. *ret_fault is set on failure. */
CHECKED enum pipeline_end pipeline_run(PGconn *conn, const struct step *steps, size_t count, int64_t deadline,
                                       PGresult **ret_results, struct pipeline_fault *ret_fault);

#endif
