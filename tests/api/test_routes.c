/* What holds for every row of routes.def, whatever it does. */
#include <criterion/criterion.h>
#include <ctype.h>

#include "support/postgres.h"
#include "support/programs.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(routes, .fini = api_end, .timeout = 240);

/* A token that the row takes; NULL where it takes none. */
static const char *token_for(enum route route, const char *user)
{
	switch (route_row(route)->guard) {
	case GUARD_OPERATOR:
		return API_METRICS_TOKEN;
	case GUARD_BEARER:
	case GUARD_OWNER:
		return api_token(user);
	case GUARD_PUBLIC:
		break;
	}
	return route == ROUTE_VALIDATE ? api_token(user) : NULL;
}

static struct programs start_with_a_task(void)
{
	const char *name = api_name("routes");
	const char *url = api_database(name);
	postgres_run("postgres", name,
	             "INSERT INTO todo.task (user_id, id, title) VALUES ('anna', '" PROGRAMS_TASK "', 'one')");
	return programs_start(api_settings_for(url));
}

/* The head of an answer without what differs each time: ids, and how much the counters have grown. */
static const char *head_of(const struct answer *answer, enum route route)
{
	const char *head = ask_format("%.*s", (int)answer->head.len, answer_without_id(answer).ptr);
	const char *length = route == ROUTE_METRICS ? strstr(head, "Content-Length: ") : NULL;
	return length ? ask_format("%.*s%s", (int)(length - head), head, strstr(length, "\r\n")) : head;
}

Test(routes, head_works_wherever_get_does)
{
	struct programs programs = start_with_a_task();
	unsigned asked = 0;
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		if (route_row(route)->method != METHOD_GET)
			continue;
		/* well, and where there is something to refuse, badly */
		for (int well = 1; well >= (route_row(route)->guard == GUARD_PUBLIC); well--) {
			struct ask ask = programs_request(route, "anna");
			ask.token = well ? token_for(route, "anna") : "x";
			const struct answer *get = programs_ask(&programs, route, &ask);
			ask.method = "HEAD";
			const struct answer *head = programs_ask(&programs, route, &ask);
			cr_expect_eq(get->status, well ? 200 : 401, "%s", ask.target);
			cr_expect_str_eq(head_of(head, route), head_of(get, route), "%s", ask.target);
			cr_expect_eq(head->body.len, 0, "%s", ask.target);
			asked++;
		}
	}
	cr_expect_gt(asked, 10);
}

/* They are for whoever asks, so they tell nothing of anybody. */
Test(routes, options_tell_the_methods_and_are_the_same_for_everybody)
{
	struct programs programs = start_with_a_task();
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		struct ask ask = {.method = "OPTIONS", .target = programs_path(route, "anna")};
		const struct answer *answer = programs_ask(&programs, route, &ask);
		cr_expect_eq(answer->status, 204, "%s", ask.target);
		const char *allow = ask_format(", %.*s,", VIEW_ARGS(answer_header(answer, "Allow")));
		struct ask own = programs_request(route, "anna");
		cr_expect(strstr(allow, ask_format(", %s,", own.method)), "%s %s: %s", own.method, own.target, allow);
		const char *const tokens[] = {api_token("anna"), api_token("berta"), "x", API_METRICS_TOKEN};
		for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
			ask.token = tokens[i];
			cr_expect(view_equal(answer_without_id(programs_ask(&programs, route, &ask)),
			                     answer_without_id(answer)),
			          "%s with token %zu", ask.target, i);
		}
		/* nor does it matter whether there is such a user or task */
		ask = (struct ask){.method = "OPTIONS", .target = programs_path(route, "nobody")};
		cr_expect(
		        view_equal(answer_without_id(programs_ask(&programs, route, &ask)), answer_without_id(answer)),
		        "%s", ask.target);
	}
}

/* One path, one spelling: what a server or a cache might take for the same is none. */
Test(routes, a_path_has_no_second_spelling)
{
	/* behind a user's id they make it another user's */
	static const char *const ends[] = {"%20", ".json", ";x", "%3F"};
	struct programs programs = start_with_a_task();
	for (enum route route = 0; route < ROUTE_COUNT; route++) {
		struct ask ask = programs_request(route, "anna");
		const char *path = ask.target;
		char *capitals = ask_keep(view_of(path));
		for (char *c = capitals; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		const char *const others[] = {
		        ask_format("%s/", path),
		        ask_format("/%s", path),
		        ask_format("%s/.", path),
		        ask_format("/.%s", path),
		        ask_format("/x/..%s", path),
		        ask_format("%s%%2F", path),
		        ask_format("%s%%5C", path),
		        ask_format("%s%%00", path),
		        capitals,
		        path + 1,
		};
		ask.token = token_for(route, "anna");
		for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
			ask.target = others[i];
			expect_problem(programs_ask(&programs, route, &ask), 404, "not_found", ask.target);
		}
		for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
			ask.target = ask_format("%s%s", path, ends[i]);
			expect_problem(programs_ask(&programs, route, &ask), route == ROUTE_ERASE ? 403 : 404,
			               route == ROUTE_ERASE ? "forbidden" : "not_found", ask.target);
		}
	}
}

/* A browser asks before it sends anything, whatever it is going to send. */
Test(routes, a_preflight_is_204_before_any_token_for_every_row)
{
	struct programs programs =
	        programs_start(api_settings((const char *const[]){"CORS_ORIGINS=https://app.example", NULL}));
	for (int allowed = 0; allowed < 2; allowed++)
		for (enum route route = 0; route < ROUTE_COUNT; route++) {
			struct ask own = programs_request(route, "anna");
			const char *const params[] = {allowed ? "HTTP_ORIGIN=https://app.example"
			                                      : "HTTP_ORIGIN=https://evil.example",
			                              ask_format("HTTP_ACCESS_CONTROL_REQUEST_METHOD=%s", own.method),
			                              "HTTP_ACCESS_CONTROL_REQUEST_HEADERS=authorization", NULL};
			const struct ask ask = {.method = "OPTIONS", .target = own.target, .params = params};
			const struct answer *answer = programs_ask(&programs, route, &ask);
			cr_expect_eq(answer->status, 204, "%s", ask.target);
			cr_expect(view_is_absent(answer_header(answer, "Allow")), "it is judged before the path");
			static const char *const allowing[] = {
			        "Access-Control-Allow-Origin", "Access-Control-Allow-Methods",
			        "Access-Control-Allow-Headers", "Access-Control-Max-Age"};
			for (size_t i = 0; i < sizeof allowing / sizeof *allowing; i++)
				cr_expect_eq(answer_header(answer, allowing[i]).len > 0, allowed, "%s: %s", ask.target,
				             allowing[i]);
			struct view methods = answer_header(answer, "Access-Control-Allow-Methods");
			if (allowed)
				cr_expect(memmem(methods.ptr, methods.len, own.method, strlen(own.method)), "%s",
				          own.method);
		}
}
