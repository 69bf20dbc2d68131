/* Trace context: the traceparent of a request (W3C Trace Context §3.2).
 */
#ifndef HTTP_TRACE_H
#define HTTP_TRACE_H

#include "base/view.h"

enum { TRACE_ID_TEXT = 32, TRACE_PARENT_ID_TEXT = 16, TRACE_TEXT = 55 };

struct trace {
	struct view id;     /* of the trace */
	struct view parent; /* of the caller's part in it */
	struct view flags;
};

/* Reads a traceparent; the views point into it. False: absent or malformed (a
 * sender of a later version may say more behind what is known here). */
CHECKED bool trace_read(struct view field, struct trace *ret);

/* Writes, with a NUL, the traceparent for whom we call in turn: the same trace and
 * flags, version 00; `span`, 16 hexadecimal digits, is our own part. */
void trace_write(const struct trace *trace, struct view span, char ret[TRACE_TEXT + 1]);

#endif
