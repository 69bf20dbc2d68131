/* http/router: which row of routes.def a request means. */
#include "http/router.h"

#include <criterion/criterion.h>

#include "support/leaks.h"

TestSuite(http_router, .fini = leaks_check);

#define ID "0189f7a0-1234-7abc-8def-0123456789ab"

/* A request as request_read() leaves it; `path` without its leading slash. */
static struct request request_of(enum method method, const char *path)
{
	struct request request = {.method = method};
	for (struct view rest = view_of(path); !view_is_absent(rest);) {
		cr_assert(request.segment_count < REQUEST_SEGMENTS_MAX);
		request.segments[request.segment_count++] = view_cut(&rest, '/');
	}
	return request;
}

static struct route_match match(enum program program, enum method method, const char *path)
{
	struct request request = request_of(method, path);
	return router_match(program, &request);
}

Test(http_router, finds_the_row_of_each_method_and_path)
{
	static const struct {
		enum program program;
		enum method method;
		const char *path;
		enum route route;
	} cases[] = {
	        {PROGRAM_HEALTH, METHOD_GET, "health", ROUTE_HEALTH},
	        {PROGRAM_HEALTH, METHOD_HEAD, "health", ROUTE_HEALTH},
	        {PROGRAM_HEALTH, METHOD_GET, "ready", ROUTE_READY},
	        {PROGRAM_AUTH, METHOD_POST, "auth/validate", ROUTE_VALIDATE},
	        {PROGRAM_AUTH, METHOD_GET, "auth/me", ROUTE_ME},
	        {PROGRAM_AUTH, METHOD_HEAD, "auth/me", ROUTE_ME},
	        {PROGRAM_TASKS, METHOD_GET, "api/u1/tasks", ROUTE_TASK_LIST},
	        {PROGRAM_TASKS, METHOD_HEAD, "api/u1/tasks", ROUTE_TASK_LIST},
	        {PROGRAM_TASKS, METHOD_POST, "api/u1/tasks", ROUTE_TASK_CREATE},
	        {PROGRAM_TASKS, METHOD_GET, "api/u1/tasks/" ID, ROUTE_TASK_GET},
	        {PROGRAM_TASKS, METHOD_PUT, "api/u1/tasks/" ID, ROUTE_TASK_REPLACE},
	        {PROGRAM_TASKS, METHOD_DELETE, "api/u1/tasks/" ID, ROUTE_TASK_DELETE},
	        {PROGRAM_TASKS, METHOD_PATCH, "api/u1/tasks/" ID "/complete", ROUTE_TASK_COMPLETE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct route_match found = match(cases[i].program, cases[i].method, cases[i].path);
		cr_expect_eq(found.route, cases[i].route, "%s", cases[i].path);
		cr_assert_not_null(found.row, "%s", cases[i].path);
		cr_expect(view_equal(found.row->path, route_row(cases[i].route)->path), "%s", cases[i].path);
	}
}

Test(http_router, knows_no_path_that_has_no_row_in_its_program)
{
	static const struct {
		enum program program;
		const char *path;
	} cases[] = {
	        {PROGRAM_HEALTH, "Health"},
	        {PROGRAM_HEALTH, "HEALTH"},
	        {PROGRAM_HEALTH, "healthy"},
	        {PROGRAM_HEALTH, "heal"},
	        {PROGRAM_HEALTH, "health/x"},
	        {PROGRAM_HEALTH, "health/ready"},
	        {PROGRAM_HEALTH, "auth/me"},
	        {PROGRAM_HEALTH, "api/u1/tasks"},
	        {PROGRAM_AUTH, "auth"},
	        {PROGRAM_AUTH, "auth/Me"},
	        {PROGRAM_AUTH, "auth/me/x"},
	        {PROGRAM_AUTH, "me"},
	        {PROGRAM_AUTH, "health"},
	        {PROGRAM_TASKS, "health"},
	        {PROGRAM_TASKS, "api"},
	        {PROGRAM_TASKS, "api/u1"},
	        {PROGRAM_TASKS, "api/u1/Tasks"},
	        {PROGRAM_TASKS, "API/u1/tasks"},
	        {PROGRAM_TASKS, "api/u1/tasks/" ID "/Complete"},
	        {PROGRAM_TASKS, "api/u1/tasks/" ID "/complete/x"},
	        {PROGRAM_TASKS, "api/u1/tasks/" ID "/other"},
	        {PROGRAM_TASKS, "api/u1/tasks/complete"},
	        {PROGRAM_TASKS, "x/api/u1/tasks"},
	        {PROGRAM_TASKS, "api/tasks"},
	        /* belongs to Better Auth: nobody's tasks */
	        {PROGRAM_TASKS, "api/auth/tasks"},
	        {PROGRAM_TASKS, "api/auth/tasks/" ID},
	        {PROGRAM_TASKS, "api/auth/tasks/" ID "/complete"},
	        /* a brace is text in a request */
	        {PROGRAM_TASKS, "api/u1/tasks/{id}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct route_match found = match(cases[i].program, METHOD_GET, cases[i].path);
		cr_expect_eq(found.methods, 0, "%s", cases[i].path);
		cr_expect_eq(found.route, ROUTE_COUNT, "%s", cases[i].path);
		cr_expect_null(found.row, "%s", cases[i].path);
	}
}

Test(http_router, knows_no_path_without_segments)
{
	for (enum program program = PROGRAM_HEALTH; program <= PROGRAM_TASKS; program++) {
		struct request request = {.method = METHOD_GET};
		cr_expect_eq(router_match(program, &request).methods, 0);
	}
}

Test(http_router, says_what_the_braces_stand_for)
{
	struct route_match found = match(PROGRAM_TASKS, METHOD_PATCH, "api/Ann %2F/tasks/" ID "/complete");
	cr_expect(view_equal(found.user_id, VIEW("Ann %2F")), "as it stands in the path, not decoded again");
	cr_expect(view_equal(found.id, VIEW(ID)));
	found = match(PROGRAM_TASKS, METHOD_GET, "api/u1/tasks");
	cr_expect(view_equal(found.user_id, VIEW("u1")));
	cr_expect(view_is_absent(found.id));
	found = match(PROGRAM_HEALTH, METHOD_GET, "health");
	cr_expect(view_is_absent(found.user_id));
}

/* By it Accept-Patch is said, whatever the method was (RFC 5789 §3.1). */
Test(http_router, says_what_a_patch_of_the_path_may_be)
{
	static const struct {
		const char *path;
		enum route_body patch;
	} cases[] = {
	        {"api/u1/tasks", BODY_NONE},
	        {"api/u1/tasks/" ID, BODY_PATCH},
	        {"api/u1/tasks/" ID "/complete", BODY_MAY},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_eq(match(PROGRAM_TASKS, METHOD_GET, cases[i].path).patch, cases[i].patch, "%s",
		             cases[i].path);
		cr_expect_eq(match(PROGRAM_TASKS, METHOD_PATCH, cases[i].path).patch, cases[i].patch, "%s",
		             cases[i].path);
	}
}

/* Only the whole word, and only in lower case, is Better Auth's. */
Test(http_router, leaves_users_whose_ids_merely_resemble_auth_their_paths)
{
	static const char *const users[] = {"Auth", "AUTH", "auth1", "aut", "tasks", "api", "{user_id}"};
	for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
		char path[64];
		snprintf(path, sizeof path, "api/%s/tasks", users[i]);
		cr_expect_eq(match(PROGRAM_TASKS, METHOD_GET, path).route, ROUTE_TASK_LIST, "%s", users[i]);
	}
}

Test(http_router, lists_every_method_of_a_path)
{
	static const struct {
		enum program program;
		const char *path;
		unsigned methods;
	} cases[] = {
	        {PROGRAM_HEALTH, "health", METHOD_GET | METHOD_HEAD | METHOD_OPTIONS},
	        {PROGRAM_HEALTH, "metrics", METHOD_GET | METHOD_HEAD | METHOD_OPTIONS},
	        {PROGRAM_AUTH, "auth/validate", METHOD_POST | METHOD_OPTIONS},
	        {PROGRAM_AUTH, "auth/me", METHOD_GET | METHOD_HEAD | METHOD_OPTIONS},
	        {PROGRAM_TASKS, "api/u1/tasks",
	         METHOD_GET | METHOD_HEAD | METHOD_POST | METHOD_DELETE | METHOD_OPTIONS},
	        {PROGRAM_TASKS, "api/u1/tasks/" ID,
	         METHOD_GET | METHOD_HEAD | METHOD_PUT | METHOD_PATCH | METHOD_DELETE | METHOD_OPTIONS},
	        {PROGRAM_TASKS, "api/u1/tasks/" ID "/complete", METHOD_PATCH | METHOD_OPTIONS},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned method = METHOD_GET; method <= METHOD_OTHER; method <<= 1) {
			struct route_match found = match(cases[i].program, (enum method)method, cases[i].path);
			cr_expect_eq(found.methods, cases[i].methods, "%s", cases[i].path);
			bool routed = (cases[i].methods & method) && method != METHOD_OPTIONS;
			cr_expect_eq(found.route != ROUTE_COUNT, routed, "%s by method %#x", cases[i].path, method);
		}
}

Test(http_router, takes_a_uuid_in_its_long_form_alone)
{
	static const struct {
		const char *text;
		bool uuid;
	} cases[] = {
	        {ID, true},
	        {"0189F7A0-1234-7ABC-8DEF-0123456789AB", true},
	        {"0189f7a0-1234-7ABC-8def-0123456789aB", true},
	        {"00000000-0000-0000-0000-000000000000", true},
	        {"ffffffff-ffff-ffff-ffff-ffffffffffff", true},
	        {"", false},
	        {"1", false},
	        {"0189f7a012347abc8def0123456789ab", false},
	        {"{0189f7a0-1234-7abc-8def-0123456789ab}", false},
	        {"0189f7a0-1234-7abc-8def-0123456789a", false},
	        {"0189f7a0-1234-7abc-8def-0123456789abc", false},
	        {"0189f7a0-1234-7abc-8def-0123456789ag", false},
	        {"0189f7a0_1234_7abc_8def_0123456789ab", false},
	        {"0189f7a01-234-7abc-8def-0123456789ab", false},
	        {"-189f7a0-1234-7abc-8def-0123456789ab", false},
	        {"urn:uuid:0189f7a0-1234-7abc-8def-0123456789ab", false},
	        {" 0189f7a0-1234-7abc-8def-0123456789ab", false},
	        {"0189f7a0-1234-7abc-8def-0123456789a ", false},
	        {"0189f7a0-1234-7abc-8def-0123456789a'", false},
	        {"@@@@@@@@-@@@@-@@@@-@@@@-@@@@@@@@@@@@", false},
	        {"````````-````-````-````-````````````", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_eq(router_is_uuid(view_of(cases[i].text)), cases[i].uuid, "%s", cases[i].text);
		char path[128];
		snprintf(path, sizeof path, "api/u1/tasks/%s", cases[i].text);
		if (cases[i].text[0] != '\0')
			cr_expect_eq(match(PROGRAM_TASKS, METHOD_GET, path).methods != 0, cases[i].uuid, "%s",
			             cases[i].text);
	}
}

/* Whoever adds a row decides its guard: nothing is public by oversight. */
Test(http_router, guards_every_row_below_a_user_by_owner)
{
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		const struct route_row *row = route_row(route);
		bool open = route == ROUTE_HEALTH || route == ROUTE_READY || route == ROUTE_VALIDATE;
		enum route_guard expected = open                     ? GUARD_PUBLIC
		                            : route == ROUTE_ME      ? GUARD_BEARER
		                            : route == ROUTE_METRICS ? GUARD_OPERATOR
		                                                     : GUARD_OWNER;
		cr_expect_eq(row->guard, expected, "%.*s", VIEW_ARGS(row->path));
		cr_expect_eq(row->guard == GUARD_OWNER, view_starts(row->path, VIEW("/api/{user_id}")), "%.*s",
		             VIEW_ARGS(row->path));
	}
}
