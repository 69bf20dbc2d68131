/* The query of a request, read by the rows of parameters.def. */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/outcome.h"
#include "http/router.h"

enum parameter {
#define PARAMETER(NAME, spelling, routes) PARAMETER_##NAME,
#include "http/parameters.def"
#undef PARAMETER
	PARAMETERS
};

struct query {
	struct view values[PARAMETERS]; /* decoded, valid UTF-8; ABSENT when not sent */
};

/* Reads a raw query (form encoding: %XX, and + for a space). OUTCOME_BAD_QUERY:
 * a parameter that the route does not know or that comes twice, a broken escape,
 * text that is not UTF-8 or holds a control character. *ret lives in the arena. */
CHECKED enum outcome query_read(struct arena *arena, struct view raw, enum route route, struct query *ret);

/* Appends "name=value" for every parameter that is there, "&" between. */
void query_write(struct buf *out, const struct query *query);

/* One bit for each parameter that `route` knows. */
unsigned query_known(enum route route);

/* The parameter's name in a query. */
struct view query_spelling(enum parameter parameter);

#endif
