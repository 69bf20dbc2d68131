/* Problem documents: what an error looks like to a client (RFC 9457). */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "base/buf.h"
#include "http/outcome.h"

enum { FIELD_ERRORS_MAX = 16, FIELD_NO_INDEX = -1 };

/* One bad member of a body: loc is ["body", member] or ["body", member, index]. */
struct field_error {
	struct view member; /* ABSENT: the body itself */
	int index;          /* of an array's element, or FIELD_NO_INDEX */
	const char *message;
	const char *type; /* a stable word */
};

/* Those that a 422 lists; past the maximum further ones are not kept. */
struct field_errors {
	struct field_error items[FIELD_ERRORS_MAX];
	size_t count;
};

/* Adds one; the texts live until the document is written. */
void field_errors_add(struct field_errors *errors, struct view member, int index, const char *message,
                      const char *type);

/* Writes the document. `errors` may be NULL or empty. */
void problem_write(struct buf *out, enum outcome outcome, struct view request_id, const struct field_errors *errors);

#endif
