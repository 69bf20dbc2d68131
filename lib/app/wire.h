/* The wire: one FastCGI request on one connection, the program's side (FastCGI
 * Specification 1.0).
 *
 * Whoever reaches the socket may send anything, or nothing: memory and the time
 * that a peer can take are bounded, and a connection is closed over the first
 * record that makes no sense. One request at a time, and none after it on the
 * same connection: the caller closes it, FCGI_KEEP_CONN or not.
 */
#ifndef APP_WIRE_H
#define APP_WIRE_H

#include <signal.h>

#include "base/buf.h"

enum {
	WIRE_PARAMETERS_MAX = 1024 * 1024, /* Apache's own limits let a little less through */
	WIRE_PARAMETERS_KEPT = 16 * 1024,  /* of memory, from one request to the next */
	WIRE_INDEX = 64,                   /* parameters that are found without reading their lengths again */
	WIRE_SEND_RATE = 16 * 1024,        /* bytes of an answer that win back a second */
	WIRE_RECORD_MAX = 65528,           /* of content; a multiple of 8, as §3.3 recommends */
	WIRE_HEADER = 8,                   /* §3.3 */
	WIRE_TAIL = 7 + 3 * WIRE_HEADER,   /* padding, an empty record, the end of the request */
	WIRE_INPUT = 16 * 1024,
};

/* Microseconds that are left to a peer once a stop signal has come. */
#define WIRE_STOP_TIME INT64_C(2000000)

/* What ends a wait for the rest of a request's head. */
struct wire_stop {
	const sigset_t *open;                /* the mask while waiting: stop signals are let through */
	const volatile sig_atomic_t *wanted; /* set by their handler */
};

/* What the program is asked as (§6, §8). */
enum wire_role {
	WIRE_RESPONDER = 1,
	WIRE_AUTHORIZER = 2, /* without a body (§6.3) */
};

/* Belongs to one process and is used again and again; some 80 KiB. */
struct wire {
	enum wire_role role;
	int fd;
	bool begun;
	bool body_ended;
	bool broken;   /* the body */
	bool answered; /* some of an answer has been written */
	bool cut;      /* nothing more can be sent */
	unsigned int request;
	int64_t timeout;
	int64_t receiving; /* microseconds that the peer may still take */
	int64_t received;  /* when it last sent something, within the present call; 0: nothing yet */
	int64_t sending;
	struct buf parameters; /* as they came: §3.4 */
	struct wire_pair {
		struct view name;
		struct view value;
	} index[WIRE_INDEX]; /* the first of them … */
	size_t indexed;
	struct view unindexed; /* … and those behind these */
	size_t content;        /* of the present record, not yet read */
	size_t padding;
	size_t in_at;
	size_t in_len;
	size_t in_wipe;
	size_t out_len; /* content of the record that is being filled */
	size_t out_wipe;
	char in[WIRE_INPUT];
	char out[WIRE_HEADER + WIRE_RECORD_MAX + WIRE_TAIL];
};

/* To be called once for each struct wire. Who asks for another role is answered 500. */
void wire_init(struct wire *wire, enum wire_role role);
void wire_destroy(struct wire *wire);

/* Reads the beginning and the parameters of the request that comes on `fd`, which
 * stays the caller's. The peer may take `timeout` microseconds until they are here,
 * as much again for the body, and as much for the answer, of which WIRE_SEND_RATE
 * bytes win back a second; time spent between these calls is not counted.
 * False: no such request came. Whatever the result, wire_end() follows. */
CHECKED bool wire_begin(struct wire *wire, int fd, int64_t timeout, const struct wire_stop *stop);

/* The value of the first parameter of that name, or ABSENT; valid until wire_end(). */
struct view wire_parameter(const struct wire *wire, struct view name);

/* Up to `size` bytes of the body; *ret 0 at its end. False: it broke, and nothing more is
 * read of it. */
CHECKED bool wire_read(struct wire *wire, char *out, size_t size, size_t *ret);

/* Bytes of the answer; they leave in large pieces. False: nobody takes them. */
CHECKED bool wire_write(struct wire *wire, struct view bytes);

/* Sends what is left of the answer, and the request's end. Without an answer it has
 * none either: lighttpd takes a request that ends in order for one that an
 * authorizer lets through, if nothing was said of it. */
void wire_finish(struct wire *wire);

/* Forgets the request and wipes what it left. */
void wire_end(struct wire *wire);

#endif
