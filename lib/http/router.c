/* Matches paths against the rows of routes.def. */
#include "http/router.h"

#include "base/hex.h"

static const struct route_row rows[] = {
#define ROUTE(NAME, METHOD, path, PROGRAM, GUARD, BODY) \
	[ROUTE_##NAME] = {METHOD_##METHOD, VIEW(path), PROGRAM_##PROGRAM, GUARD_##GUARD, BODY_##BODY},
#include "http/routes.def"
#undef ROUTE
};

const struct route_row *route_row(enum route route)
{
	return &rows[route];
}

bool router_is_uuid(struct view text)
{
	if (text.len != 36)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? c != '-' : hex_value(c) < 0)
			return false;
	}
	return true;
}

/* Does the row's path fit? Fills in what its braces stand for. `/api/auth/`
 * belongs to Better Auth, so no user is called that. */
static bool path_fits(struct view path, const struct request *request, struct route_match *match)
{
	struct view rest = view_from(path, 1);
	for (size_t i = 0; i < request->segment_count; i++) {
		if (view_is_absent(rest))
			return false;
		struct view expected = view_cut(&rest, '/');
		struct view actual = request->segments[i];
		if (view_equal(expected, VIEW("{user_id}"))) {
			if (view_equal(actual, VIEW("auth")))
				return false;
			match->user_id = actual;
		} else if (view_equal(expected, VIEW("{id}"))) {
			if (!router_is_uuid(actual))
				return false;
			match->id = actual;
		} else if (!view_equal(expected, actual)) {
			return false;
		}
	}
	return view_is_absent(rest) && request->segment_count > 0;
}

struct route_match router_match(enum program program, const struct request *request)
{
	struct route_match match = {.route = ROUTE_COUNT};
	enum method wanted = request->method == METHOD_HEAD ? METHOD_GET : request->method;
	for (unsigned i = 0; i < ROUTE_COUNT; i++) {
		if (rows[i].program != program || !path_fits(rows[i].path, request, &match))
			continue;
		match.row = &rows[i];
		match.methods |= rows[i].method | METHOD_OPTIONS;
		if (rows[i].method == METHOD_GET)
			match.methods |= METHOD_HEAD;
		if (rows[i].method == METHOD_PATCH)
			match.patch = rows[i].body;
		if (rows[i].method == wanted)
			match.route = (enum route)i;
	}
	return match;
}
