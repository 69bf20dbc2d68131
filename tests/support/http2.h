/* A small HTTP/2 client for tests (RFC 9113), in the clear and by prior knowledge: it sends exactly the fields that it
 * is told, good or bad, and of the answer it reads the content alone. The fields would take the whole of HPACK, and
 * whoever answers says the status in the content as well: a problem document.
 */
#ifndef SUPPORT_HTTP2_H
#define SUPPORT_HTTP2_H

#include "support/http.h"

struct http2_field {
	struct view name; /* begins with ":" where it is a pseudo-header (RFC 9113 §8.3) */
	struct view value;
};

/* Asks on a connection of its own and appends the answer's content to *ret. `content` ABSENT: the fields end the
 * request. HTTP_CLOSED: the stream or the connection was ended without an answer. */
CHECKED enum http_result http2_ask(int port, const struct http2_field *fields, size_t count, struct view content,
                                   struct buf *ret);

#endif
