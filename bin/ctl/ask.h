/* HTTP requests to a web server, as any client would send them. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include "base/buf.h"

enum { ASK_BODY_MAX = 1024 * 1024, ASK_HEAD_MAX = 64 * 1024 };

struct question {
	const char *method;
	const char *url;
	const char *token; /* sent as Authorization: Bearer; NULL: none */
	struct view body;  /* sent as application/json; ABSENT: none */
	const char *ca_file;
};

struct reply {
	int status;
	struct buf head; /* the header lines of the last answer */
	struct buf body;
};

/* Neither redirects nor proxies are followed. NULL: there is an answer; otherwise
 * why there is none. The caller destroys *ret in either case. */
CHECKED const char *ask(const struct question *question, struct reply *ret);
void reply_destroy(struct reply *reply);
#define REPLY __attribute__((cleanup(reply_destroy))) struct reply

/* Asks the same so many times at once, each on a connection of its own, with this
 * header line besides, and waits for all. NULL: at least one was answered. */
CHECKED const char *ask_together(const struct question *question, const char *header, uint64_t count);

/* The value of the first header of that name; ABSENT when there is none. */
struct view reply_header(const struct reply *reply, const char *name);

/* The Date of the answer in microseconds since 1970. False: none that can be read. */
CHECKED bool reply_date(const struct reply *reply, int64_t *ret);

#endif
