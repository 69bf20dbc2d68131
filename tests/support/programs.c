/* Starts all programs, and asks each for its rows. */
#include "support/programs.h"

static const char *const names[] = {
        [PROGRAM_HEALTH] = "health", [PROGRAM_AUTH] = "auth", [PROGRAM_TASKS] = "tasks", [PROGRAM_ACCOUNT] = "account"};
_Static_assert(sizeof names / sizeof *names == PROGRAMS_COUNT, "a name for each program");

const char *const programs_methods[PROGRAMS_METHODS] = {"GET",     "HEAD",  "POST",    "PUT",      "PATCH", "DELETE",
                                                        "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get",   "FOO"};

static const char *method_name(enum method method)
{
	static const enum method methods[] = {METHOD_GET,   METHOD_HEAD,   METHOD_POST,   METHOD_PUT,
	                                      METHOD_PATCH, METHOD_DELETE, METHOD_OPTIONS};
	size_t i = 0;
	while (methods[i] != method)
		i++;
	return programs_methods[i];
}

const char *programs_path(enum route route, const char *user)
{
	const char *path = "";
	for (struct view rest = view_from(route_row(route)->path, 1); !view_is_absent(rest);) {
		struct view part = view_cut(&rest, '/');
		if (view_equal(part, VIEW("{user_id}")))
			part = view_of(user);
		else if (view_equal(part, VIEW("{id}")))
			part = VIEW(PROGRAMS_TASK);
		path = ask_format("%s/%.*s", path, VIEW_ARGS(part));
	}
	return path;
}

struct ask programs_request(enum route route, const char *user)
{
	const struct route_row *row = route_row(route);
	return (struct ask){
	        .method = method_name(row->method),
	        .target = programs_path(route, user),
	        .body = row->body != BODY_JSON ? NULL : api_task("intruder", ""),
	};
}

struct programs programs_start(const char *const settings[])
{
	struct programs programs;
	for (size_t i = 0; i < PROGRAMS_COUNT; i++)
		programs.of[i] = responder_start(names[i], settings);
	return programs;
}

const struct answer *programs_ask(const struct programs *programs, enum route route, const struct ask *ask)
{
	return responder_ask(programs->of[route_row(route)->program], ask);
}
