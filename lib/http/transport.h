/* A transport: where a request comes from and its answer goes to.
 *
 * FastCGI and plain CGI stand behind it in app/, plain buffers in tests. The
 * parameters are those of RFC 3875 §4.1.
 */
#ifndef HTTP_TRANSPORT_H
#define HTTP_TRANSPORT_H

#include "base/view.h"

struct transport {
	void *context;
	/* The value of the parameter of that name, a literal, or ABSENT; lives as long as the request. */
	struct view (*parameter)(void *context, struct view name);
	/* Up to `size` bytes of the body into `out`; *ret 0 at its end. False: it broke. */
	bool (*read)(void *context, char *out, size_t size, size_t *ret);
	/* Sends bytes of the answer. False: nobody listens any more. */
	bool (*write)(void *context, struct view bytes);
};

#endif
