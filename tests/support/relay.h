/* A relay between libpq and the server: counts turns, and fails on demand.
 *
 * It is a process of its own that listens on a Unix socket in a folder of its
 * own, and on a port of 127.0.0.1; its orders and counts lie in memory shared with the test. */
#ifndef SUPPORT_RELAY_H
#define SUPPORT_RELAY_H

#include <stdatomic.h>
#include <sys/types.h>

enum relay_order {
	RELAY_PASS,
	RELAY_SWALLOW_REQUESTS,    /* the server never sees what is sent */
	RELAY_SWALLOW_ANSWERS,     /* the server works, nothing comes back */
	RELAY_CUT_REQUESTS,        /* the connection breaks before the server sees what is sent */
	RELAY_CUT_ANSWERS,         /* the server works, the connection breaks before its answer arrives */
	RELAY_CUT_ANSWERS_ONCE,    /* the same once, then RELAY_PASS */
	RELAY_GARBLE_ANSWERS_ONCE, /* what comes back is no answer, once, then RELAY_PASS */
	RELAY_HIDE_ENDS,           /* a connection that the server ends stays open for the client */
	RELAY_REFUSE,              /* whoever comes is sent away, and who is here is cut off */
};

struct relay {
	_Atomic int order;
	atomic_uint turns;       /* how often the talk went over from the client to the server */
	atomic_uint connections; /* accepted */
	pid_t process;
	char folder[64]; /* the host of its address, or … */
	int port;        /* … its port on 127.0.0.1 */
};

/* Starts one; *target_folder is the server's. A failure fails the test. Ends
 * with relay_stop(), or with the test. */
struct relay *relay_start(const char *target_folder);
void relay_stop(struct relay *relay);

#endif
