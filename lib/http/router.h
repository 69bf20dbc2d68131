/* The router: which row of routes.def a request means. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/request.h"

/* The last has no rows: an authorizer is asked about other applications' paths. */
enum program { PROGRAM_HEALTH, PROGRAM_AUTH, PROGRAM_TASKS, PROGRAM_ACCOUNT, PROGRAM_AUTHORIZER };
enum route_guard { GUARD_PUBLIC, GUARD_BEARER, GUARD_OWNER, GUARD_OPERATOR };
enum route_body { BODY_NONE, BODY_JSON, BODY_MAY, BODY_PATCH };

enum route {
#define ROUTE(NAME, METHOD, path, PROGRAM, GUARD, BODY) ROUTE_##NAME,
#include "http/routes.def"
#undef ROUTE
	ROUTE_COUNT
};

struct route_row {
	enum method method;
	struct view path;
	enum program program;
	enum route_guard guard;
	enum route_body body;
};

const struct route_row *route_row(enum route route);

/* What a path says. */
struct route_match {
	enum route route;            /* for the request's method; ROUTE_COUNT when the path does not know it */
	unsigned methods;            /* every method of that path, HEAD and OPTIONS included; 0: no such path */
	const struct route_row *row; /* of that path, whatever its method; NULL: no such path */
	enum route_body patch;       /* what a PATCH of that path may be; BODY_NONE: it has none */
	struct view user_id;         /* {user_id}, ABSENT where the path has none */
	struct view id;              /* {id}, a UUID in its 36-character form */
};

/* Matches the request against the rows of one program. */
struct route_match router_match(enum program program, const struct request *request);

/* A UUID in its 36-character form, in either case (RFC 9562 §4). */
bool router_is_uuid(struct view text);

#endif
