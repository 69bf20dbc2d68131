/* The line of a request: strict JSON whatever was asked, and nothing in it that
 * has no place there. */
#include <criterion/criterion.h>

#include "app/record.h"
#include "base/json.h"
#include "support/leaks.h"

static struct arena arena;

static void begin(void)
{
	cr_assert(arena_init(&arena, 64 * 1024));
}

static void end(void)
{
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(record, .init = begin, .fini = end);

static const cJSON *parse(const struct record *record)
{
	struct buf text = buf_make(RECORD_MAX);
	const cJSON *json = NULL;
	buf_add_char(&text, '{');
	record_write(record, &text);
	buf_add_char(&text, '}');
	cr_assert(buf_ok(&text));
	cr_expect_eq(view_find(buf_view(&text), '\n'), text.len);
	cr_assert_eq(json_parse(&arena, buf_view(&text), &json), JSON_OK, "%.*s", VIEW_ARGS(buf_view(&text)));
	buf_destroy(&text);
	return json;
}

static void expect_text(const cJSON *json, const char *member, struct view expected)
{
	cr_expect(view_equal(json_member_text(json, member), expected), "%s", member);
	cr_expect_eq(view_is_absent(json_member_text(json, member)), view_is_absent(expected), "%s", member);
}

static int64_t number_of(const cJSON *json, const char *member)
{
	int64_t number = -1;
	cr_expect(json_to_integer(json_member(json, member), &number), "%s", member);
	return number;
}

Test(record, says_what_was_asked_and_what_became_of_it)
{
	const struct record record = {
	        .request_id = VIEW("0123456789abcdef0123456789abcdef"),
	        .client_request_id = VIEW("client-1"),
	        .trace_id = VIEW("0af7651916cd43dd8448eb211c80319c"),
	        .method = VIEW("GET"),
	        .route = VIEW("/api/{user_id}/tasks"),
	        .status = 503,
	        .user = VIEW("fedcba9876543210"),
	        .client = VIEW("192.0.2.0/24"),
	        .reason = VIEW("database_busy"),
	        .total = 1234,
	        .verification = 56,
	        .database = 789,
	};
	const cJSON *json = parse(&record);
	expect_text(json, "request_id", record.request_id);
	expect_text(json, "client_request_id", record.client_request_id);
	expect_text(json, "trace_id", record.trace_id);
	expect_text(json, "method", record.method);
	expect_text(json, "route", record.route);
	expect_text(json, "user", record.user);
	expect_text(json, "client", record.client);
	expect_text(json, "reason", record.reason);
	cr_expect_eq(number_of(json, "status"), 503);
	cr_expect_eq(number_of(json, "total_us"), 1234);
	cr_expect_eq(number_of(json, "verification_us"), 56);
	cr_expect_eq(number_of(json, "database_us"), 789);
}

Test(record, says_null_where_there_is_nothing)
{
	const struct record record = {.method = VIEW("OTHER"), .route = VIEW("-"), .status = 404, .total = -1};
	const cJSON *json = parse(&record);
	static const char *const members[] = {"request_id", "client_request_id", "trace_id", "user", "client",
	                                      "reason"};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		cr_expect(cJSON_IsNull(json_member(json, members[i])), "%s", members[i]);
	cr_expect_eq(number_of(json, "total_us"), 0);
}

/* Whoever fills in a record hands over checked text; were that forgotten, the
 * line would still be one line. */
Test(record, no_text_ends_its_string_or_the_line)
{
	const struct view forged = VIEW("\",\"status\":200}\n{\"level\":\"error\\\t\x01");
	const struct record record = {.client_request_id = forged, .reason = forged, .status = 401};
	const cJSON *json = parse(&record);
	expect_text(json, "client_request_id", forged);
	expect_text(json, "reason", forged);
	cr_expect_eq(number_of(json, "status"), 401);
}

Test(record, times_for_clients_are_milliseconds)
{
	const struct record record = {.total = 12345, .verification = 7, .database = 1000};
	struct buf text = buf_make(RECORD_MAX);
	record_write_timing(&record, &text);
	cr_expect(view_equal(buf_view(&text), VIEW("total;dur=12.345, verification;dur=0.007, database;dur=1.000")));
	buf_destroy(&text);
}
