/* The endpoints of the tasks, through the real program on a real database. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/request.h"
#include "http/router.h"
#include "support/api.h"
#include "support/fastcgi.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS

#define MISSING "0189f7a0-0000-7000-8000-00000000dead"

static const char *database;
static const char *url;
static struct responder *tasks;

static void setup(void)
{
	database = api_name("tasks");
	url = api_database(database);
	tasks = responder_start("tasks", api_settings_for(url));
}

TestSuite(tasks, .init = setup, .fini = api_end, .timeout = 240);

static const struct answer *ask_as(const char *user, const char *method, const char *target, const char *body)
{
	struct ask ask = {.method = method, .target = target, .token = api_token(user), .body = body};
	return responder_ask(tasks, &ask);
}

/* The text of a member as it stands in the answer: "null", "true", a string with its quotes. */
static struct view raw_member(const struct answer *answer, const char *name)
{
	const char *key = ask_format("\"%s\":", name);
	const char *found = memmem(answer->body.ptr, answer->body.len, key, strlen(key));
	cr_assert_not_null(found, "no %s in %.*s", name, VIEW_ARGS(answer->body));
	struct view rest = view_from(answer->body, (size_t)(found - answer->body.ptr) + strlen(key));
	bool quoted = rest.ptr[0] == '"';
	size_t len = 1;
	int depth = rest.ptr[0] == '[';
	while (quoted ? rest.ptr[len] != '"' || rest.ptr[len - 1] == '\\'
	              : depth > 0 || (rest.ptr[len] != ',' && rest.ptr[len] != '}'))
		depth -= rest.ptr[len++] == ']';
	return (struct view){rest.ptr, len + quoted};
}

static void expect_member(const struct answer *answer, const char *name, const char *expected)
{
	struct view value = raw_member(answer, name);
	cr_expect(view_equal(value, view_of(expected)), "%s is %.*s, not %s", name, VIEW_ARGS(value), expected);
}

static int64_t instant(const struct answer *answer, const char *name)
{
	int64_t time = 0;
	struct view text = answer_text(answer, name);
	cr_expect_eq(text.len, CLOCK_TEXT_MICROS, "%s in UTC, with microseconds: %.*s", name, VIEW_ARGS(text));
	cr_expect(clock_parse(text, &time) && text.len > 0 && text.ptr[text.len - 1] == 'Z', "%.*s", VIEW_ARGS(text));
	return time;
}

static const char *repeat(const char *text, size_t count)
{
	struct buf out = buf_make(4 * 1024 * 1024);
	for (size_t i = 0; i < count; i++)
		buf_add(&out, view_of(text));
	cr_assert(buf_ok(&out));
	const char *kept = ask_keep(buf_view(&out));
	buf_destroy(&out);
	return kept;
}

/* ---- create and get ---- */

Test(tasks, creates_a_task_of_a_title_alone_with_every_default)
{
	int64_t before = clock_now();
	const struct answer *answer = api_create(tasks, "milk", "");
	struct view id = answer_text(answer, "id");
	cr_expect(router_is_uuid(id) && id.ptr[14] == '7', "a UUID of version 7: %.*s", VIEW_ARGS(id));
	cr_expect(view_equal(answer_header(answer, "Location"), view_of(api_task_path(answer, ""))));
	expect_member(answer, "user_id", "\"anna\"");
	expect_member(answer, "title", "\"" PRIVATE " milk\"");
	expect_member(answer, "description", "null");
	expect_member(answer, "completed", "false");
	expect_member(answer, "priority", "\"medium\"");
	expect_member(answer, "due_date", "null");
	expect_member(answer, "tags", "[]");
	int64_t created = instant(answer, "created_at");
	cr_expect_eq(created, instant(answer, "updated_at"));
	cr_expect(created > before - 60 * CLOCK_SECOND && created < clock_now() + 60 * CLOCK_SECOND);
}

Test(tasks, has_the_ten_members_of_the_contract_in_their_order_and_no_other)
{
	static const char *const names[] = {"id",       "user_id",  "title", "description", "completed",
	                                    "priority", "due_date", "tags",  "created_at",  "updated_at"};
	size_t i = 0;
	const cJSON *member;
	cJSON_ArrayForEach(member, answer_json(api_create(tasks, "milk", "")))
	{
		cr_assert_lt(i, 10);
		cr_expect_str_eq(member->string, names[i++]);
	}
	cr_expect_eq(i, 10);
}

Test(tasks, keeps_every_member_that_was_given)
{
	static const struct {
		const char *name;
		const char *given;
		const char *kept; /* NULL: as given */
	} cases[] = {
	        {"description", "\"\"", NULL},
	        {"description", "null", NULL},
	        {"description", "\"two\\nlines\\tand a tab\"", NULL},
	        {"description", "\"  blanks stay  \"", NULL},
	        {"completed", "true", NULL},
	        {"completed", "false", NULL},
	        {"priority", "\"low\"", NULL},
	        {"priority", "\"medium\"", NULL},
	        {"priority", "\"high\"", NULL},
	        {"due_date", "null", NULL},
	        {"due_date", "\"2026-01-31T08:00:00Z\"", "\"2026-01-31T08:00:00.000000Z\""},
	        {"due_date", "\"2026-01-31T08:00:00.123456Z\"", NULL},
	        {"due_date", "\"2026-01-31t08:00:00z\"", "\"2026-01-31T08:00:00.000000Z\""},
	        {"due_date", "\"2026-01-31T01:00:00+02:30\"", "\"2026-01-30T22:30:00.000000Z\""},
	        {"due_date", "\"2028-02-29T23:59:59-00:30\"", "\"2028-03-01T00:29:59.000000Z\""},
	        {"due_date", "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00.000000Z\""},
	        {"due_date", "\"9999-12-31T23:59:59.999999Z\"", NULL},
	        {"tags", "[]", NULL},
	        {"tags", "[\"a\"]", NULL},
	        {"tags", "[\"z\",\"a\",\"A\",\"\xC3\xA9\"]", NULL},
	        {"tags", "[\"a,b\",\"{c}\",\"NULL\",\"\\\"q\\\"\",\"\\\\\",\"'\"]", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *kept = cases[i].kept ? cases[i].kept : cases[i].given;
		const struct answer *made =
		        api_create(tasks, "x", ask_format(",\"%s\":%s", cases[i].name, cases[i].given));
		expect_member(made, cases[i].name, kept);
		expect_member(api_ask(tasks, "GET", api_task_path(made, ""), NULL), cases[i].name, kept);
	}
}

Test(tasks, keeps_a_title_as_it_was_but_for_blanks_around_it)
{
	static const struct {
		const char *given;
		const char *kept; /* NULL: as given */
	} cases[] = {
	        {"a", NULL},
	        {"  a  b  ", "a  b"},
	        {"\\t\\n a \\r\\n", "a"},
	        {"\xC2\xA0"
	         "a\xE2\x80\x83\xE3\x80\x80",
	         "a"},
	        {"\xF0\x9F\xA5\x9B \xE7\x89\x9B\xE4\xB9\xB3 M\xC3\xBC"
	         "sli",
	         NULL},
	        {"\\ud83e\\udd5b", "\xF0\x9F\xA5\x9B"},
	        {"\\u00e9", "\xC3\xA9"},
	        {"'; DROP TABLE todo.task; --", NULL},
	        {"<script>alert(1)</script>", NULL},
	        {"$1 %s %n \\\\ \\\" \\/", "$1 %s %n \\\\ \\\" /"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *body = ask_format("{\"title\":\"%s\"}", cases[i].given);
		const struct answer *answer = api_ask(tasks, "POST", "/api/anna/tasks", body);
		cr_assert_eq(answer->status, 201, "%s", body);
		expect_member(answer, "title", ask_format("\"%s\"", cases[i].kept ? cases[i].kept : cases[i].given));
	}
}

Test(tasks, counts_characters_and_not_bytes)
{
	const struct {
		const char *name;
		const char *unit;
		size_t most;
	} cases[] = {
	        {"title", "a", 255},
	        {"title", "\xF0\x9F\xA5\x9B", 255},
	        {"description", "a", 1000},
	        {"description", "\xE7\x89\x9B", 1000},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t over = 0; over < 2; over++) {
			bool title = strcmp(cases[i].name, "title") == 0;
			const char *text = repeat(cases[i].unit, cases[i].most + over);
			const char *body = title ? ask_format("{\"title\":\"%s\"}", text)
			                         : ask_format("{\"title\":\"x\",\"%s\":\"%s\"}", cases[i].name, text);
			cr_expect_eq(api_ask(tasks, "POST", "/api/anna/tasks", body)->status, over ? 422 : 201,
			             "%s of %zu", cases[i].name, cases[i].most + over);
		}
}

Test(tasks, returns_the_same_bytes_from_create_get_and_list)
{
	const struct answer *made =
	        api_create(tasks, "milk", ",\"tags\":[\"a\"],\"due_date\":\"2026-01-31T08:00:00Z\"");
	const struct answer *got = api_ask(tasks, "GET", api_task_path(made, ""), NULL);
	cr_expect_eq(got->status, 200);
	cr_expect(view_equal(got->body, made->body));
	const struct answer *list = api_ask(tasks, "GET", "/api/anna/tasks", NULL);
	cr_expect(view_equal(list->body, view_of(ask_format("[%.*s]", VIEW_ARGS(made->body)))));
}

/* RFC 9562 §4: a UUID is read in either case. */
Test(tasks, finds_a_task_by_its_id_in_either_case)
{
	const struct answer *made = api_create(tasks, "milk", "");
	char *target = ask_keep(view_of(api_task_path(made, "")));
	for (char *c = target + strlen("/api/anna/tasks/"); *c; c++)
		*c = (char)(*c >= 'a' && *c <= 'f' ? *c - 'a' + 'A' : *c);
	const struct answer *got = api_ask(tasks, "GET", target, NULL);
	cr_expect_eq(got->status, 200);
	cr_expect(view_equal(got->body, made->body));
}

/* User ids are text: whatever a generator makes. */
Test(tasks, serves_users_of_any_name)
{
	static const struct {
		const char *user; /* in JSON */
		const char *segment;
	} cases[] = {
	        {"Zr8Xk2mQ5vT1yW7nB4cJ9dL3fH6gP0sA", "Zr8Xk2mQ5vT1yW7nB4cJ9dL3fH6gP0sA"},
	        {"0189f7a0-1234-7abc-8def-0123456789ab", "0189f7a0-1234-7abc-8def-0123456789ab"},
	        {"42", "42"},
	        {"a b", "a%20b"},
	        {"a%62", "a%2562"},
	        {"a?b#c", "a%3Fb%23c"},
	        {"J\xC3\xBCrgen@x", "J%C3%BCrgen%40x"},
	        {"'; --", "%27%3B%20--"},
	        {"tasks", "tasks"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *target = ask_format("/api/%s/tasks", cases[i].segment);
		const struct answer *made = ask_as(cases[i].user, "POST", target, api_task("x", ""));
		cr_assert_eq(made->status, 201, "%s: %.*s", cases[i].user, VIEW_ARGS(made->body));
		expect_member(made, "user_id", ask_format("\"%s\"", cases[i].user));
		struct view location = answer_header(made, "Location");
		const struct answer *got = ask_as(cases[i].user, "GET", ask_keep(location), NULL);
		cr_expect_eq(got->status, 200, "%.*s", VIEW_ARGS(location));
		cr_expect(view_equal(got->body, made->body));
		cr_expect_eq(json_member(answer_json(ask_as(cases[i].user, "GET", target, NULL)), "x"), NULL);
	}
	char *users = postgres_value("postgres", database, "SELECT count(DISTINCT user_id) FROM todo.task");
	cr_expect_str_eq(users, "9");
	free(users);
}

Test(tasks, puts_the_base_path_before_a_location)
{
	struct responder *below = responder_start(
	        "tasks",
	        api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url), "BASE_PATH=/~ann/todo", NULL}));
	struct ask ask = {.method = "POST",
	                  .target = "/~ann/todo/api/anna/tasks",
	                  .token = api_token("anna"),
	                  .body = api_task("x", "")};
	const struct answer *made = responder_ask(below, &ask);
	cr_assert_eq(made->status, 201);
	struct view location = answer_header(made, "Location");
	cr_expect(view_starts(location, VIEW("/~ann/todo/api/anna/tasks/")), "%.*s", VIEW_ARGS(location));
	ask = (struct ask){.target = ask_keep(location), .token = ask.token};
	cr_expect_eq(responder_ask(below, &ask)->status, 200);
	ask.target = "/api/anna/tasks";
	expect_problem(responder_ask(below, &ask), 404, "not_found", "above the base path");
}

/* ---- the list ---- */

Test(tasks, lists_an_empty_array_for_a_user_never_seen)
{
	const struct answer *list = api_ask(tasks, "GET", "/api/anna/tasks", NULL);
	cr_expect_eq(list->status, 200);
	cr_expect(view_equal(list->body, VIEW("[]")));
}

Test(tasks, lists_the_newest_first_and_nobody_elses)
{
	ask_as("berta", "POST", "/api/berta/tasks", api_task("bertas", ""));
	const struct answer *first = api_create(tasks, "1", "");
	const struct answer *second = api_create(tasks, "2", "");
	const struct answer *third = api_create(tasks, "3", "");
	/* a change moves nothing */
	first = api_ask(tasks, "PATCH", api_task_path(first, "/complete"), NULL);
	const struct answer *list = api_ask(tasks, "GET", "/api/anna/tasks", NULL);
	cr_expect(view_equal(list->body, view_of(ask_format("[%.*s,%.*s,%.*s]", VIEW_ARGS(third->body),
	                                                    VIEW_ARGS(second->body), VIEW_ARGS(first->body)))),
	          "%.*s", VIEW_ARGS(list->body));
}

Test(tasks, lists_a_thousand_tasks_whole)
{
	postgres_run("postgres", database,
	             "INSERT INTO todo.task (user_id, id, title, description)"
	             " SELECT 'anna', gen_random_uuid(), '" PRIVATE " ' || i, repeat('\xF0\x9F\xA5\x9B', 1000)"
	             " FROM generate_series(1, 1000) AS i");
	const struct answer *list = api_ask(tasks, "GET", "/api/anna/tasks", NULL);
	cr_expect_eq(list->status, 200);
	cr_expect_gt(list->body.len, 4000 * 1000);
	cr_expect_eq(list->body.ptr[list->body.len - 1], ']');
}

Test(tasks, an_empty_description_is_not_a_missing_one)
{
	const struct answer *made = api_create(tasks, "one", ",\"description\":\"\"");
	expect_member(made, "description", "\"\"");
	expect_member(api_ask(tasks, "GET", api_task_path(made, ""), NULL), "description", "\"\"");
}

/* ---- replace, complete, delete ---- */

Test(tasks, replaces_all_members_and_gives_absent_ones_their_defaults)
{
	const struct answer *made = api_create(
	        tasks, "old",
	        ",\"description\":\"d\",\"completed\":true,\"priority\":\"high\",\"due_date\":\"2026-01-31T08:00:00Z\","
	        "\"tags\":[\"a\",\"b\"]");
	const struct answer *put = api_ask(tasks, "PUT", api_task_path(made, ""), api_task("new", ""));
	cr_assert_eq(put->status, 200, "%.*s", VIEW_ARGS(put->body));
	cr_expect(view_equal(answer_text(put, "id"), answer_text(made, "id")));
	cr_expect(view_equal(answer_text(put, "created_at"), answer_text(made, "created_at")));
	cr_expect_gt(instant(put, "updated_at"), instant(made, "updated_at"));
	expect_member(put, "title", "\"" PRIVATE " new\"");
	expect_member(put, "description", "null");
	expect_member(put, "completed", "false");
	expect_member(put, "priority", "\"medium\"");
	expect_member(put, "due_date", "null");
	expect_member(put, "tags", "[]");
	cr_expect(view_equal(api_ask(tasks, "GET", api_task_path(made, ""), NULL)->body, put->body));
	cr_expect(view_is_absent(answer_header(put, "Location")));
}

Test(tasks, makes_no_task_by_replacing_one_that_is_not_there)
{
	expect_problem(api_ask(tasks, "PUT", "/api/anna/tasks/" MISSING, api_task("x", "")), 404, "task_not_found",
	               "PUT");
	cr_expect(view_equal(api_ask(tasks, "GET", "/api/anna/tasks", NULL)->body, VIEW("[]")));
}

Test(tasks, sets_and_toggles_the_mark_and_nothing_else)
{
	const struct answer *made = api_create(tasks, "milk", ",\"priority\":\"low\",\"tags\":[\"a\"]");
	static const struct {
		const char *body; /* NULL: none at all */
		const char *completed;
	} steps[] = {
	        {"{\"completed\":true}", "true"},
	        {"{\"completed\":true}", "true"},
	        {"{\"completed\":false}", "false"},
	        {"{\"completed\":false}", "false"},
	        {NULL, "true"},
	        {NULL, "false"},
	        {NULL, "true"},
	};
	int64_t last = instant(made, "updated_at");
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		const struct answer *answer = api_ask(tasks, "PATCH", api_task_path(made, "/complete"), steps[i].body);
		cr_assert_eq(answer->status, 200, "%.*s", VIEW_ARGS(answer->body));
		expect_member(answer, "completed", steps[i].completed);
		expect_member(answer, "title", "\"" PRIVATE " milk\"");
		expect_member(answer, "priority", "\"low\"");
		expect_member(answer, "tags", "[\"a\"]");
		cr_expect(view_equal(answer_text(answer, "created_at"), answer_text(made, "created_at")));
		cr_expect_gt(instant(answer, "updated_at"), last, "step %zu", i);
		last = instant(answer, "updated_at");
	}
}

/* An empty body that is announced is a mistake, and no wish to toggle. */
/* A request whose end does not come is none: nobody knows what its body would have been. */
Test(tasks, toggles_nothing_for_a_request_that_is_cut)
{
	const struct answer *made = api_create(tasks, "milk", "");
	struct buf bytes = buf_make(64 * 1024);
	struct ask ask = {.method = "PATCH", .target = api_task_path(made, "/complete"), .token = api_token("anna")};
	ask_write(&ask, &bytes);
	int fd = fastcgi_connect(responder_socket(tasks));
	/* all but the record that ends the body */
	cr_assert(fd >= 0 && fastcgi_send(fd, (struct view){bytes.ptr, bytes.len - 8}) && shutdown(fd, SHUT_WR) == 0);
	expect_problem(responder_answer(fd, false), 400, "body_incomplete", "cut");
	close(fd);
	buf_destroy(&bytes);
	expect_member(api_ask(tasks, "GET", api_task_path(made, ""), NULL), "completed", "false");
}

Test(tasks, toggles_only_when_no_body_is_announced)
{
	static const struct {
		const char *params[4];
		const char *body;
		int status;
		const char *code;
	} cases[] = {
	        {{"CONTENT_LENGTH=0"}, NULL, 200, NULL},
	        {{"CONTENT_LENGTH="}, NULL, 200, NULL},
	        {{"CONTENT_LENGTH=0", "CONTENT_TYPE="}, NULL, 200, NULL},
	        {{"CONTENT_TYPE=application/json"}, NULL, 400, "body_empty"},
	        {{"CONTENT_TYPE=application/json", "CONTENT_LENGTH=0"}, NULL, 400, "body_empty"},
	        {{"CONTENT_TYPE=text/plain", "CONTENT_LENGTH=0"}, NULL, 400, "body_empty"},
	        {{"HTTP_TRANSFER_ENCODING=chunked"}, NULL, 400, "body_empty"},
	        {{"HTTP_TRANSFER_ENCODING=chunked", "CONTENT_LENGTH=0"}, NULL, 400, "body_empty"},
	        {{"CONTENT_LENGTH=2"}, NULL, 400, "body_incomplete"},
	        {{"CONTENT_TYPE=application/json", "CONTENT_LENGTH=0"}, "{}", 400, "body_incomplete"},
	        {{NULL}, "{}", 422, "invalid"},
	        {{NULL}, "null", 422, "invalid"},
	        {{NULL}, "true", 422, "invalid"},
	        {{NULL}, "[]", 422, "invalid"},
	        {{NULL}, "{\"completed\":null}", 422, "invalid"},
	        {{NULL}, "{\"completed\":\"true\"}", 422, "invalid"},
	        {{NULL}, "{\"completed\":1}", 422, "invalid"},
	        {{NULL}, "{\"completed\":true,\"title\":\"x\"}", 422, "invalid"},
	        {{NULL}, "{\"Completed\":true}", 422, "invalid"},
	        {{NULL}, "{\"completed\":true,\"completed\":false}", 400, "body_malformed"},
	        {{NULL}, " ", 400, "body_malformed"},
	        {{"CONTENT_TYPE=text/plain"}, "{\"completed\":true}", 415, "media_type"},
	        {{"CONTENT_TYPE=", "CONTENT_LENGTH="}, "{\"completed\":true}", 415, "media_type"},
	        {{"CONTENT_TYPE=", "CONTENT_LENGTH=0"}, "{\"completed\":true}", 415, "media_type"},
	};
	const struct answer *made = api_create(tasks, "milk", "");
	bool completed = false;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ask ask = {.method = "PATCH",
		                  .target = api_task_path(made, "/complete"),
		                  .token = api_token("anna"),
		                  .body = cases[i].body,
		                  .params = cases[i].params};
		const struct answer *answer = responder_ask(tasks, &ask);
		completed = completed != (cases[i].status == 200);
		if (cases[i].code)
			expect_problem(answer, cases[i].status, cases[i].code, ask_format("row %zu", i));
		else
			cr_expect_eq(answer->status, cases[i].status, "row %zu: %.*s", i, VIEW_ARGS(answer->body));
		expect_member(api_ask(tasks, "GET", api_task_path(made, ""), NULL), "completed",
		              completed ? "true" : "false");
	}
}

Test(tasks, deletes_a_task_once)
{
	const struct answer *made = api_create(tasks, "milk", "");
	const struct answer *other = api_create(tasks, "bread", "");
	cr_expect_eq(api_ask(tasks, "DELETE", api_task_path(made, ""), NULL)->status, 204);
	expect_problem(api_ask(tasks, "DELETE", api_task_path(made, ""), NULL), 404, "task_not_found", "again");
	expect_problem(api_ask(tasks, "GET", api_task_path(made, ""), NULL), 404, "task_not_found", "GET");
	cr_expect(view_equal(api_ask(tasks, "GET", "/api/anna/tasks", NULL)->body,
	                     view_of(ask_format("[%.*s]", VIEW_ARGS(other->body)))));
}

Test(tasks, gives_every_change_a_later_time)
{
	const struct answer *made = api_create(tasks, "milk", "");
	int64_t last = instant(made, "updated_at");
	for (int i = 0; i < 60; i++) {
		const struct answer *answer =
		        i % 3 ? api_ask(tasks, "PATCH", api_task_path(made, "/complete"),
		                        i % 2 ? NULL : "{\"completed\":true}")
		              : api_ask(tasks, "PUT", api_task_path(made, ""), api_task("milk", ""));
		int64_t now = instant(answer, "updated_at");
		cr_assert_gt(now, last);
		last = now;
	}
	/* even when the clock of the database has stepped back */
	postgres_run("postgres", database, "UPDATE todo.task SET updated_at = updated_at + interval '1 day'");
	const struct answer *ahead = api_ask(tasks, "GET", api_task_path(made, ""), NULL);
	const struct answer *later = api_ask(tasks, "PATCH", api_task_path(made, "/complete"), NULL);
	cr_expect_gt(instant(later, "updated_at"), instant(ahead, "updated_at"));
}

/* ---- somebody else's ---- */

/* Its existence must not leak: not by a 403, not by another word. */
Test(tasks, answers_for_a_foreign_task_as_for_one_that_is_missing)
{
	const struct answer *foreign = ask_as("berta", "POST", "/api/berta/tasks", api_task("bertas", ""));
	static const struct {
		const char *method;
		const char *below;
		const char *body;
	} cases[] = {
	        {"GET", "", NULL},
	        {"HEAD", "", NULL},
	        {"PUT", "", "{\"title\":\"taken over\"}"},
	        {"PATCH", "", "{\"title\":\"taken over\"}"},
	        {"DELETE", "", NULL},
	        {"PATCH", "/complete", "{\"completed\":true}"},
	        {"PATCH", "/complete", NULL},
	};
	cr_assert_eq(foreign->status, 201);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct answer *theirs =
		        api_ask(tasks, cases[i].method, api_task_path(foreign, cases[i].below), cases[i].body);
		const struct answer *none =
		        api_ask(tasks, cases[i].method, ask_format("/api/anna/tasks/" MISSING "%s", cases[i].below),
		                cases[i].body);
		cr_expect_eq(theirs->status, 404, "%s", cases[i].method);
		cr_expect(view_equal(answer_without_id(theirs), answer_without_id(none)), "%s: %.*s", cases[i].method,
		          VIEW_ARGS(answer_without_id(theirs)));
	}
	struct view id = answer_text(foreign, "id");
	const struct answer *untouched =
	        ask_as("berta", "GET", ask_format("/api/berta/tasks/%.*s", VIEW_ARGS(id)), NULL);
	cr_expect(view_equal(untouched->body, foreign->body));
}

/* ---- HEAD, OPTIONS, queries ---- */

Test(tasks, answers_head_like_get_without_the_body)
{
	const struct answer *made = api_create(tasks, "milk", "");
	const char *const targets[] = {"/api/anna/tasks", api_task_path(made, ""), "/api/anna/tasks/" MISSING};
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		const struct answer *get = api_ask(tasks, "GET", targets[i], NULL);
		const struct answer *head = api_ask(tasks, "HEAD", targets[i], NULL);
		cr_expect_eq(head->status, get->status, "%s", targets[i]);
		cr_expect_eq(head->body.len, 0);
		const char *get_head = ask_format("%.*s", (int)get->head.len, answer_without_id(get).ptr);
		const char *head_head = ask_format("%.*s", (int)head->head.len, answer_without_id(head).ptr);
		cr_expect_str_eq(get_head, head_head);
	}
}

Test(tasks, answers_options_the_same_for_everybody)
{
	static const struct {
		const char *target;
		const char *allow;
	} cases[] = {
	        {"/api/anna/tasks/" MISSING "/complete", "PATCH, OPTIONS"},
	        {"/api/nobody/tasks/" MISSING "/complete", "PATCH, OPTIONS"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int j = 0; j < 3; j++) {
			struct ask ask = {.method = "OPTIONS",
			                  .target = cases[i].target,
			                  .token = j == 0   ? NULL
			                           : j == 1 ? api_token("anna")
			                                    : "bad"};
			const struct answer *answer = responder_ask(tasks, &ask);
			cr_expect_eq(answer->status, 204);
			cr_expect(view_equal(answer_header(answer, "Allow"), view_of(cases[i].allow)));
		}
	struct ask ask = {.method = "OPTIONS", .target = "/api/anna/nothing"};
	expect_problem(responder_ask(tasks, &ask), 404, "not_found", "OPTIONS of no path");
}

Test(tasks, refuses_a_parameter_that_it_does_not_know)
{
	const struct answer *made = api_create(tasks, "milk", "");
	const char *const targets[] = {
	        ask_format("%s?x=1", api_task_path(made, "")),
	        ask_format("%s?_method=DELETE", api_task_path(made, "")),
	        ask_format("%s?%%", api_task_path(made, "")),
	        "/api/anna/tasks?user_id=berta",
	        "/api/anna/tasks?x",
	        "/api/anna/tasks?&x=",
	};
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		expect_problem(api_ask(tasks, "GET", targets[i], NULL), 400, "bad_query", targets[i]);
	expect_problem(api_ask(tasks, "DELETE", ask_format("%s?x", api_task_path(made, "")), NULL), 400, "bad_query",
	               "DELETE");
	cr_expect_eq(api_ask(tasks, "GET", ask_format("%s?", api_task_path(made, "")), NULL)->status, 200);
	cr_expect_eq(api_ask(tasks, "GET", "/api/anna/tasks?", NULL)->status, 200);
}

/* ---- bad bodies ---- */

Test(tasks, refuses_what_is_no_strict_json)
{
	static const char *const bodies[] = {
	        "{",
	        "{\"title\":\"x\"",
	        "{\"title\":\"x\"}}",
	        "{\"title\":\"x\"} x",
	        "{\"title\":\"x\"}{\"title\":\"y\"}",
	        "{\"title\":\"x\",}",
	        "{'title':'x'}",
	        "{title:\"x\"}",
	        "{\"title\":\"x\",\"title\":\"y\"}",
	        "{\"title\":\"x\",\"\\u0074itle\":\"y\"}",
	        "{\"title\":\"a\\u0000b\"}",
	        "{\"title\":\"a\\ud800\"}",
	        "{\"title\":\"a\xff\"}",
	        "{\"title\":\"a\xc0\xaf\"}",
	        "{\"title\":\"a\xed\xa0\x80\"}",
	        "{\"title\":\"a\nb\"}",
	        "{\"title\":\"\\x41\"}",
	        "\xEF\xBB\xBF{\"title\":\"x\"}",
	        "{\"title\":\"x\",\"n\":01}",
	        "{\"title\":\"x\",\"n\":1e400}",
	        "{\"title\":\"x\",\"n\":NaN}",
	        "// comment\n{\"title\":\"x\"}",
	        "title=x",
	        " ",
	        "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]",
	};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		expect_problem(api_ask(tasks, "POST", "/api/anna/tasks", bodies[i]), 400, "body_malformed", bodies[i]);
		expect_problem(api_ask(tasks, "PUT", "/api/anna/tasks/" MISSING, bodies[i]), 400, "body_malformed",
		               bodies[i]);
	}
	cr_expect(view_equal(api_ask(tasks, "GET", "/api/anna/tasks", NULL)->body, VIEW("[]")));
}

Test(tasks, names_each_bad_member_by_its_place)
{
	const struct {
		const char *body;
		const char *error; /* how its first error begins */
	} cases[] = {
	        {"[]", "{\"loc\":[\"body\"],"},
	        {"null", "{\"loc\":[\"body\"],"},
	        {"\"title\"", "{\"loc\":[\"body\"],"},
	        {"{}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"Title\":\"x\"}", "{\"loc\":[\"body\",\"Title\"],"},
	        {"{\"title\":null}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":1}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":[\"x\"]}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":\"\"}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":\"  \"}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":\"\xE3\x80\x80\"}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":\"a\\u0007b\"}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":\"a\\nb\"}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":\"a\\u0085b\"}", "{\"loc\":[\"body\",\"title\"],"},
	        {"{\"title\":\"x\",\"description\":1}", "{\"loc\":[\"body\",\"description\"],"},
	        {"{\"title\":\"x\",\"description\":\"a\\u0001\"}", "{\"loc\":[\"body\",\"description\"],"},
	        {"{\"title\":\"x\",\"description\":\"a\\r\"}", "{\"loc\":[\"body\",\"description\"],"},
	        {"{\"title\":\"x\",\"completed\":\"true\"}", "{\"loc\":[\"body\",\"completed\"],"},
	        {"{\"title\":\"x\",\"completed\":1}", "{\"loc\":[\"body\",\"completed\"],"},
	        {"{\"title\":\"x\",\"completed\":null}", "{\"loc\":[\"body\",\"completed\"],"},
	        {"{\"title\":\"x\",\"priority\":\"urgent\"}", "{\"loc\":[\"body\",\"priority\"],"},
	        {"{\"title\":\"x\",\"priority\":\"High\"}", "{\"loc\":[\"body\",\"priority\"],"},
	        {"{\"title\":\"x\",\"priority\":1}", "{\"loc\":[\"body\",\"priority\"],"},
	        {"{\"title\":\"x\",\"due_date\":\"2026-01-31\"}", "{\"loc\":[\"body\",\"due_date\"],"},
	        {"{\"title\":\"x\",\"due_date\":\"2026-01-31T08:00:00\"}", "{\"loc\":[\"body\",\"due_date\"],"},
	        {"{\"title\":\"x\",\"due_date\":\"2026-02-30T08:00:00Z\"}", "{\"loc\":[\"body\",\"due_date\"],"},
	        {"{\"title\":\"x\",\"due_date\":\"0001-01-01T00:00:00+01:00\"}", "{\"loc\":[\"body\",\"due_date\"],"},
	        {"{\"title\":\"x\",\"due_date\":\"tomorrow\"}", "{\"loc\":[\"body\",\"due_date\"],"},
	        {"{\"title\":\"x\",\"due_date\":\"\"}", "{\"loc\":[\"body\",\"due_date\"],"},
	        {"{\"title\":\"x\",\"due_date\":1769846400}", "{\"loc\":[\"body\",\"due_date\"],"},
	        {"{\"title\":\"x\",\"tags\":\"a\"}", "{\"loc\":[\"body\",\"tags\"],"},
	        {"{\"title\":\"x\",\"tags\":null}", "{\"loc\":[\"body\",\"tags\"],"},
	        {"{\"title\":\"x\",\"tags\":[1]}", "{\"loc\":[\"body\",\"tags\",0],"},
	        {"{\"title\":\"x\",\"tags\":[\"a\",null]}", "{\"loc\":[\"body\",\"tags\",1],"},
	        {"{\"title\":\"x\",\"tags\":[\"a\",\"b\",\"a\"]}", "{\"loc\":[\"body\",\"tags\",2],"},
	        {"{\"title\":\"x\",\"tags\":[\"\"]}", "{\"loc\":[\"body\",\"tags\",0],"},
	        {"{\"title\":\"x\",\"tags\":[\"a\\nb\"]}", "{\"loc\":[\"body\",\"tags\",0],"},
	        {"{\"title\":\"x\",\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
	         "\"12\",\"13\",\"14\","
	         "\"15\",\"16\",\"17\",\"18\",\"19\",\"20\",\"21\"]}",
	         "{\"loc\":[\"body\",\"tags\"],"},
	        {ask_format("{\"title\":\"x\",\"tags\":[\"%s\"]}", repeat("a", 51)), "{\"loc\":[\"body\",\"tags\",0],"},
	        /* what the server alone sets is refused, not ignored */
	        {"{\"title\":\"x\",\"id\":\"" MISSING "\"}", "{\"loc\":[\"body\",\"id\"],"},
	        {"{\"title\":\"x\",\"user_id\":\"anna\"}", "{\"loc\":[\"body\",\"user_id\"],"},
	        {"{\"title\":\"x\",\"user_id\":\"berta\"}", "{\"loc\":[\"body\",\"user_id\"],"},
	        {"{\"title\":\"x\",\"created_at\":\"2026-01-31T08:00:00Z\"}", "{\"loc\":[\"body\",\"created_at\"],"},
	        {"{\"title\":\"x\",\"updated_at\":\"2026-01-31T08:00:00Z\"}", "{\"loc\":[\"body\",\"updated_at\"],"},
	        {"{\"title\":\"x\",\"owner\":\"y\"}", "{\"loc\":[\"body\",\"owner\"],"},
	        {"{\"title\":\"x\",\"__proto__\":{}}", "{\"loc\":[\"body\",\"__proto__\"],"},
	        {"{\"title\":\"x\",\"\":1}", "{\"loc\":[\"body\",\"\"],"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int put = 0; put < 2; put++) {
			const struct answer *answer =
			        put ? api_ask(tasks, "PUT", "/api/anna/tasks/" MISSING, cases[i].body)
			            : api_ask(tasks, "POST", "/api/anna/tasks", cases[i].body);
			expect_problem(answer, 422, "invalid", cases[i].body);
			const char *expected = ask_format("\"errors\":[%s\"msg\":", cases[i].error);
			cr_expect_not_null(memmem(answer->body.ptr, answer->body.len, expected, strlen(expected)),
			                   "%s: %.*s", cases[i].body, VIEW_ARGS(answer->body));
		}
	cr_expect(view_equal(api_ask(tasks, "GET", "/api/anna/tasks", NULL)->body, VIEW("[]")));
}

Test(tasks, takes_a_body_of_the_largest_size_and_none_above)
{
	static const size_t over[] = {0, 1, 1000, 1000 * 1000};
	for (size_t i = 0; i < sizeof over / sizeof *over; i++)
		for (int chunked = 0; chunked < 2; chunked++) {
			const char *task = api_task("x", "");
			const char *blanks = repeat(" ", REQUEST_BODY_MAX - strlen(task) + over[i]);
			const char *const unannounced[] = {"CONTENT_LENGTH=", "HTTP_TRANSFER_ENCODING=chunked", NULL};
			struct ask ask = {.method = "POST",
			                  .target = "/api/anna/tasks",
			                  .token = api_token("anna"),
			                  .body = ask_format("%s%s", task, blanks),
			                  .chunk = chunked ? 1000 : 0,
			                  .params = chunked ? unannounced : NULL};
			const struct answer *answer = responder_ask(tasks, &ask);
			if (over[i])
				expect_problem(answer, 413, "body_too_large", ask_format("%zu too many", over[i]));
			else
				cr_expect_eq(answer->status, 201);
		}
}

Test(tasks, judges_size_type_and_length_before_it_reads_json)
{
	static const struct {
		const char *params[4];
		const char *body;
		int status;
		const char *code;
	} cases[] = {
	        {{"CONTENT_TYPE=text/plain"}, "{", 415, "media_type"},
	        {{"CONTENT_TYPE="}, "{}", 415, "media_type"},
	        {{"HTTP_CONTENT_ENCODING=gzip"}, "{}", 415, "media_type"},
	        {{"CONTENT_TYPE=application/json; charset=latin1"}, "{}", 415, "media_type"},
	        {{"CONTENT_LENGTH=1"}, "{}", 400, "body_incomplete"},
	        {{"CONTENT_LENGTH=3"}, "{}", 400, "body_incomplete"},
	        {{"CONTENT_LENGTH=-1"}, "{}", 400, "bad_request"},
	        {{"CONTENT_LENGTH=x"}, "{}", 400, "bad_request"},
	        {{"CONTENT_LENGTH=65537"}, "{}", 413, "body_too_large"},
	        {{"CONTENT_LENGTH=65537", "CONTENT_TYPE=text/plain"}, "{}", 413, "body_too_large"},
	        {{NULL}, NULL, 400, "body_empty"},
	        {{"CONTENT_LENGTH=0"}, NULL, 400, "body_empty"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ask ask = {.method = "POST",
		                  .target = "/api/anna/tasks",
		                  .token = api_token("anna"),
		                  .body = cases[i].body,
		                  .params = cases[i].params};
		expect_problem(responder_ask(tasks, &ask), cases[i].status, cases[i].code, ask_format("row %zu", i));
	}
}

Test(tasks, takes_bodies_in_records_of_any_size)
{
	for (size_t chunk = 1; chunk < 70; chunk += 4) {
		struct ask ask = {.method = "POST",
		                  .target = "/api/anna/tasks",
		                  .token = api_token("anna"),
		                  .body = api_task("in pieces", ",\"tags\":[\"a\"]"),
		                  .chunk = chunk};
		cr_expect_eq(responder_ask(tasks, &ask)->status, 201, "%zu", chunk);
	}
}

/* ---- headers ---- */

Test(tasks, lets_a_page_of_an_allowed_origin_read_errors_too)
{
	struct responder *shared = responder_start(
	        "tasks",
	        api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url),
	                                           "CORS_ORIGINS=https://app.example,http://localhost:3000", NULL}));
	static const char *const origins[] = {"HTTP_ORIGIN=https://app.example", "HTTP_ORIGIN=https://evil.example"};
	for (int allowed = 1; allowed >= 0; allowed--)
		for (int i = 0; i < 4; i++) {
			const char *const params[] = {origins[!allowed],
			                              i == 3 ? "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT" : NULL, NULL};
			struct ask ask = {.method = i == 3 ? "OPTIONS" : "GET",
			                  .target = i == 2 ? "/api/anna/nothing" : "/api/anna/tasks",
			                  .token = i == 0 ? api_token("anna") : NULL,
			                  .params = params};
			static const int statuses[] = {200, 401, 404, 204};
			const struct answer *answer = responder_ask(shared, &ask);
			cr_expect_eq(answer->status, statuses[i], "%d", i);
			struct view told = answer_header(answer, "Access-Control-Allow-Origin");
			cr_expect(view_equal(told, allowed ? VIEW("https://app.example") : ABSENT), "%d: %.*s", i,
			          VIEW_ARGS(told));
			cr_expect(view_equal(answer_header(answer, "Cross-Origin-Resource-Policy"),
			                     allowed ? VIEW("cross-origin") : VIEW("same-origin")));
			cr_expect_eq(!view_is_absent(answer_header(answer, "Access-Control-Allow-Methods")),
			             allowed && i == 3);
			cr_expect(view_is_absent(answer_header(answer, "Access-Control-Allow-Credentials")));
		}
}

Test(tasks, gives_each_answer_a_request_id_of_its_own)
{
	const char *const params[] = {"HTTP_X_REQUEST_ID=client-chosen-1", NULL};
	struct ask ask = {.target = "/api/anna/tasks", .token = api_token("anna"), .params = params};
	struct view first = answer_header(responder_ask(tasks, &ask), "X-Request-Id");
	struct view second = answer_header(responder_ask(tasks, &ask), "X-Request-Id");
	cr_expect_not(view_equal(first, second));
	cr_expect_not(view_equal(first, VIEW("client-chosen-1")));
}

Test(tasks, asks_for_strict_transport_on_tls_alone)
{
	struct responder *strict = responder_start(
	        "tasks",
	        api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url), "HSTS_MAX_AGE=600", NULL}));
	static const struct {
		const char *param;
		bool told;
	} cases[] = {{"HTTPS=on", true}, {"HTTPS=off", false}, {"HTTP_X_FORWARDED_PROTO=https", false}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const params[] = {cases[i].param, NULL};
		struct ask ask = {.target = "/api/anna/tasks", .params = params};
		struct view told = answer_header(responder_ask(strict, &ask), "Strict-Transport-Security");
		cr_expect(view_equal(told, cases[i].told ? VIEW("max-age=600") : ABSENT), "%s", cases[i].param);
	}
	struct ask ask = {.target = "/api/anna/tasks", .params = (const char *const[]){"HTTPS=on", NULL}};
	cr_expect(view_is_absent(answer_header(responder_ask(tasks, &ask), "Strict-Transport-Security")));
}

/* Host and its like would let a client write our links. */
Test(tasks, reads_no_header_that_a_client_could_forge_an_address_with)
{
	const char *const params[] = {"HTTP_HOST=evil.example",
	                              "HTTP_X_FORWARDED_HOST=evil.example",
	                              "HTTP_FORWARDED=host=evil.example",
	                              "SERVER_NAME=evil.example",
	                              "HTTP_X_FORWARDED_PREFIX=/evil",
	                              "HTTP_X_ORIGINAL_URL=/evil.example",
	                              NULL};
	struct ask ask = {.method = "POST",
	                  .target = "/api/anna/tasks",
	                  .token = api_token("anna"),
	                  .body = api_task("x", ""),
	                  .params = params};
	const struct answer *answer = responder_ask(tasks, &ask);
	cr_expect_eq(answer->status, 201);
	struct view all = answer_without_id(answer);
	cr_expect_null(memmem(all.ptr, all.len, "evil", 4), "%.*s", VIEW_ARGS(all));
}
