/* A small FastCGI client: the web server's side of the protocol (FastCGI
 * Specification 1.0), able to speak it wrongly too.
 *
 * What is sent is composed in a buffer first, so that a test can cut it, bend
 * it or send half of it. Every wait ends after FASTCGI_PATIENCE seconds.
 */
#ifndef SUPPORT_FASTCGI_H
#define SUPPORT_FASTCGI_H

#include "base/buf.h"

enum { FASTCGI_PATIENCE = 30, FASTCGI_RECORD_MAX = 65535 };

/* Types of records (§8). */
enum fastcgi_type {
	FASTCGI_BEGIN = 1,
	FASTCGI_ABORT = 2,
	FASTCGI_END = 3,
	FASTCGI_PARAMS = 4,
	FASTCGI_STDIN = 5,
	FASTCGI_STDOUT = 6,
	FASTCGI_STDERR = 7,
};

/* Appends one record of request 1; `content` is at most FASTCGI_RECORD_MAX. */
void fastcgi_record(struct buf *out, enum fastcgi_type type, struct view content);

/* Appends the record that begins a request, role responder. `keep`: the
 * responder leaves the connection open afterwards. */
void fastcgi_begin(struct buf *out, bool keep);

/* Appends one name and value in the form of §3.4, to be the content of PARAMS. */
void fastcgi_pair(struct buf *out, struct view name, struct view value);

/* Appends a stream: records of at most `chunk` bytes (0: as large as can be),
 * then the empty one that ends it. */
void fastcgi_stream(struct buf *out, enum fastcgi_type type, struct view content, size_t chunk);

/* Connects to the listening socket of that abstract name (unix(7)). -1: nobody
 * listens there. The caller closes it. */
int fastcgi_connect(struct view name);

/* Sends all bytes, reading nothing. False: the other side is gone or silent. */
CHECKED bool fastcgi_send(int fd, struct view bytes);

enum fastcgi_result {
	FASTCGI_OK,
	FASTCGI_CLOSED,    /* before the first byte of an answer */
	FASTCGI_CUT,       /* within an answer */
	FASTCGI_MALFORMED, /* no FastCGI */
	FASTCGI_SILENT,    /* nothing came in time */
};

const char *fastcgi_result_text(enum fastcgi_result result);

/* Reads until the request's end and appends its standard output to *out. */
CHECKED enum fastcgi_result fastcgi_receive(int fd, struct buf *out);

#endif
