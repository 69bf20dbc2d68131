/* A request as the handlers see it: checked once, here, and then believed.
 *
 * All views point into the transport's parameters or into the arena.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/client.h"
#include "http/outcome.h"
#include "http/trace.h"
#include "http/transport.h"

/* One bit each, so that a set of methods is a mask. OTHER is every word that
 * the program does not know. */
enum method {
	METHOD_GET = 1 << 0,
	METHOD_HEAD = 1 << 1,
	METHOD_POST = 1 << 2,
	METHOD_PUT = 1 << 3,
	METHOD_PATCH = 1 << 4,
	METHOD_DELETE = 1 << 5,
	METHOD_OPTIONS = 1 << 6,
	METHOD_OTHER = 1 << 7,
};

enum { REQUEST_SEGMENTS_MAX = 8, REQUEST_BODY_MAX = 64 * 1024, REQUEST_ID_MAX = 64 };

struct request {
	enum method method;

	/* The path's segments, each decoded once, without the base path. No
	 * segments: the path is not one of ours, whatever it says. */
	struct view segments[REQUEST_SEGMENTS_MAX];
	size_t segment_count;
	struct view query; /* raw, after the "?"; ABSENT without one */

	/* Headers; ABSENT when not sent. */
	struct view authorization;
	struct view cookie;
	struct view content_type;
	struct view content_encoding;
	struct view transfer_encoding;
	struct view content_length;
	struct view accept;
	struct view if_match;
	struct view if_none_match;
	struct view confirm_erase; /* X-Confirm-Erase */
	struct view origin;
	struct view preflight_method;  /* Access-Control-Request-Method */
	struct view client_request_id; /* ABSENT unless of the form that may go to a log */
	struct trace trace;            /* of traceparent; its id is ABSENT without a valid one */
	struct client client;          /* REMOTE_ADDR */
	bool tls;
};

/* "GET", or "OTHER". */
struct view request_method_name(enum method method);

/* Can it stand before our paths: "", or "/" and segments as a request has them,
 * without a "/" at the end. What it took of the arena stays taken. */
CHECKED bool request_base_path_valid(struct arena *arena, struct view base_path);

/* Reads everything but the body. `base_path` is BASE_PATH, "" for none; its
 * segments are compared decoded. False: the arena is full. */
CHECKED bool request_read(const struct transport *transport, struct arena *arena, struct view base_path,
                          struct request *ret);

/* True when the request announces no body at all: no Content-Type, no
 * Transfer-Encoding, Content-Length absent or 0. */
bool request_has_no_body(const struct request *request);

/* Which media types a body may have. */
enum request_media { REQUEST_JSON, REQUEST_MERGE_PATCH };

/* Reads the body to its end into *body. OUTCOME_BODY_TOO_LARGE past
 * REQUEST_BODY_MAX, OUTCOME_BODY_INCOMPLETE when it is not as long as its
 * Content-Length, OUTCOME_BODY_EMPTY, OUTCOME_MEDIA_TYPE unless it is
 * application/json (REQUEST_MERGE_PATCH: or application/merge-patch+json) in
 * UTF-8 without a content coding. */
CHECKED enum outcome request_read_body(const struct transport *transport, const struct request *request,
                                       enum request_media media, struct buf *body);

/* Reads and forgets what is left of the body: a web server takes an answer for
 * a failure when its request was not read to the end. */
void request_drain(const struct transport *transport);

#endif
