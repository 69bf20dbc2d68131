/* Cross-origin requests: an exact allow list, never "*", never a reflection
 * (Fetch standard, CORS protocol).
 */
#ifndef HTTP_CORS_H
#define HTTP_CORS_H

#include "http/request.h"
#include "http/response.h"

struct cors {
	struct view origins; /* allowed ones, separated by commas; ABSENT or empty: none */
	char max_age[8];     /* seconds, as text */
	bool credentials;    /* their pages may send cookies along (Fetch standard, CORS protocol and credentials) */
	bool timing;         /* their pages may read Server-Timing (W3C Resource Timing §4.5.1) */
};

/* Checks the list: each an origin in the form that browsers send, scheme and
 * host in lower case, no path, no standard port. False: *ret_bad is the first
 * that is none. */
CHECKED bool cors_origins_valid(struct view origins, struct view *ret_bad);

/* Is the origin on the list? */
bool cors_allows(const struct cors *cors, struct view origin);

/* OPTIONS of a page that asks whether it may: with Origin and
 * Access-Control-Request-Method (Fetch standard, CORS-preflight request). */
bool cors_is_preflight(const struct request *request);

/* Adds to every answer its resource policy, and for an allowed origin what lets
 * its page read the answer; on a preflight, what that page may send. */
void cors_answer(const struct cors *cors, const struct request *request, struct response *response);

#endif
