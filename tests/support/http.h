/* A small HTTP/1.1 client for tests: it sends exactly the bytes it is told and
 * reads answers strictly (RFC 9112), so that a sloppy one is seen.
 *
 * Every wait ends after HTTP_PATIENCE seconds at the latest; that is a failure,
 * never a measurement.
 */
#ifndef SUPPORT_HTTP_H
#define SUPPORT_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

enum { HTTP_PATIENCE = 30 };

/* One connection. */
struct http {
	int fd;
	struct buf in; /* received … */
	size_t taken;  /* … and already given out as answers */
	bool ended;    /* the server sends no more */
};

enum http_result {
	HTTP_OK,
	HTTP_CLOSED,    /* closed, or reset, before the first byte of an answer */
	HTTP_CUT,       /* closed inside an answer */
	HTTP_MALFORMED, /* not HTTP, or framed in two ways at once */
	HTTP_SILENT,    /* nothing came in time */
};

struct http_answer {
	int status;
	struct view head; /* the header lines, each with its CR LF, without the status line */
	struct view body; /* without its chunks */
	struct buf bytes; /* what the views point into */
};

/* The result in a word, for messages. */
const char *http_result_text(enum http_result result);

/* Connects to 127.0.0.1. False: nobody listens there. */
CHECKED bool http_open(int port, struct http *ret);
void http_close(struct http *http);

/* Sends all of `bytes`, and keeps what the server says meanwhile. A server that
 * answers and closes early is no failure: the answer tells. */
void http_send(struct http *http, struct view bytes);

/* Tells the server that no more will come. What it has sent can still be read. */
void http_shut(struct http *http);

/* The next `count` bytes, whatever they mean; *ret is good until more is asked for. */
CHECKED enum http_result http_take(struct http *http, size_t count, struct view *ret);

/* Reads the next answer; interim ones (1xx) are skipped. `to_head`: it answers
 * HEAD, and so has no body. Destroy *ret after HTTP_OK. */
CHECKED enum http_result http_receive(struct http *http, bool to_head, struct http_answer *ret);
void http_answer_destroy(struct http_answer *answer);

/* The value of the `index`th header of that name, whatever its case; ABSENT: there are not so many. */
struct view http_header(const struct http_answer *answer, struct view name, size_t index);

/* The body as strict JSON, in the arena; NULL: it is none. */
const cJSON *http_json(const struct http_answer *answer, struct arena *arena);

/* An ordinary request on a connection of its own. Absent members are not sent. */
struct http_ask {
	const char *method;
	const char *target;
	const char *token;   /* sent as Authorization: Bearer */
	const char *body;    /* sent as application/json */
	const char *headers; /* further header lines, each with its CR LF */
};

CHECKED enum http_result http_ask(int port, const struct http_ask *ask, struct http_answer *ret);

#endif
