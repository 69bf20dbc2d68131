/* An answer: status, headers and a body that is complete before its first byte
 * is sent, since a web server passes on a cut body as if it were whole. A body
 * too long for memory is a file.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/outcome.h"
#include "http/request.h"

enum { RESPONSE_HEADERS_MAX = 24, RESPONSE_BODY_MAX = 16 * 1024 * 1024 };

struct header {
	struct view name;
	struct view value;
};

struct response {
	int status; /* 0: nothing answered yet */
	bool bare;  /* its head is the status and its own headers, and nothing else */
	struct header headers[RESPONSE_HEADERS_MAX];
	size_t header_count;
	struct view content_type; /* of the body, where there is one */
	struct buf body;
	int file; /* the body in its place, from its first byte, and owned; -1: none */
	uint64_t file_len;
};

/* An empty response that owns nothing. */
struct response response_make(void);

/* Forgets the answer and closes its file; keeps the buffer for the next one. */
void response_reset(struct response *response);
void response_destroy(struct response *response);

/* Adds a header. Name and value live until the answer is sent; the value holds
 * no control characters. */
void response_header(struct response *response, struct view name, struct view value);

/* Bytes of the body, wherever it is. */
uint64_t response_body_len(const struct response *response);

/* The text of a mask of methods: "GET, HEAD, OPTIONS". ABSENT: the arena is full. */
CHECKED struct view response_methods(struct arena *arena, unsigned methods);

/* Writes the head as CGI has it (RFC 3875 §6) into *head: status, what every
 * answer carries, the response's own headers, then the empty line. A body of an
 * answer to HEAD is counted, not sent. */
void response_write_head(const struct response *response, struct buf *head);

#endif
