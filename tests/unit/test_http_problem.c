/* http/problem: the documents of RFC 9457 §3. */
#include "http/problem.h"

#include <criterion/criterion.h>

#include "base/json.h"
#include "support/leaks.h"

static struct arena arena;
static struct buf out;

static void setup(void)
{
	cr_assert(arena_init(&arena, 1024 * 1024));
	out = buf_make(64 * 1024);
}

static void teardown(void)
{
	buf_destroy(&out);
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(http_problem, .init = setup, .fini = teardown);

static const cJSON *written(void)
{
	const cJSON *document = NULL;
	cr_assert(buf_ok(&out));
	cr_assert_eq(json_parse(&arena, buf_view(&out), &document), JSON_OK, "%.*s", VIEW_ARGS(buf_view(&out)));
	return document;
}

Test(http_problem, writes_every_outcome_as_one_strict_json_document)
{
	for (enum outcome outcome = OUTCOME_OK + 1; outcome < OUTCOME_COUNT; outcome++) {
		const struct outcome_row *row = outcome_row(outcome);
		int64_t status = 0;
		char type[64];
		buf_reset(&out, 0);
		arena_reset(&arena);
		problem_write(&out, outcome, VIEW("abc123"), NULL);
		const cJSON *document = written();
		snprintf(type, sizeof type, "/problems/%.*s", VIEW_ARGS(row->code));
		cr_expect(view_equal(json_member_text(document, "type"), view_of(type)));
		cr_expect(view_equal(json_member_text(document, "title"), row->title));
		cr_expect(view_equal(json_member_text(document, "detail"), row->detail));
		cr_expect(view_equal(json_member_text(document, "code"), row->code));
		cr_expect(view_equal(json_member_text(document, "request_id"), VIEW("abc123")));
		cr_expect(json_to_integer(json_member(document, "status"), &status) && status == row->status);
		cr_expect_null(json_member(document, "errors"));
	}
}

Test(http_problem, is_this_text)
{
	problem_write(&out, OUTCOME_FORBIDDEN, VIEW("r"), NULL);
	cr_expect(view_equal(buf_view(&out),
	                     VIEW("{\"type\":\"/problems/forbidden\",\"title\":\"Forbidden\",\"status\":403,"
	                          "\"detail\":\"The token does not belong to the user in the path.\","
	                          "\"code\":\"forbidden\",\"request_id\":\"r\"}")),
	          "%.*s", VIEW_ARGS(buf_view(&out)));
}

Test(http_problem, lists_bad_members_with_their_place)
{
	struct field_errors errors = {0};
	field_errors_add(&errors, VIEW("title"), FIELD_NO_INDEX, "is required", "missing");
	field_errors_add(&errors, VIEW("tags"), 3, "is too long", "too_long");
	field_errors_add(&errors, ABSENT, FIELD_NO_INDEX, "must be an object", "object_type");
	problem_write(&out, OUTCOME_INVALID, VIEW("r"), &errors);
	cr_expect(view_starts(buf_view(&out), VIEW("{\"type\":\"/problems/invalid\"")));
	static const char expected[] = ",\"errors\":["
	                               "{\"loc\":[\"body\",\"title\"],\"msg\":\"is required\",\"type\":\"missing\"},"
	                               "{\"loc\":[\"body\",\"tags\",3],\"msg\":\"is too long\",\"type\":\"too_long\"},"
	                               "{\"loc\":[\"body\"],\"msg\":\"must be an object\",\"type\":\"object_type\"}]}";
	struct view text = buf_view(&out);
	size_t len = sizeof expected - 1;
	cr_assert_gt(text.len, len);
	cr_expect(view_equal(view_from(text, text.len - len), view_of(expected)), "%.*s", VIEW_ARGS(text));
	written();
}

Test(http_problem, leaves_out_an_empty_list)
{
	struct field_errors errors = {0};
	problem_write(&out, OUTCOME_BODY_MALFORMED, VIEW("r"), &errors);
	cr_expect_null(json_member(written(), "errors"));
}

/* A member's name comes from the client. */
Test(http_problem, escapes_what_a_client_named)
{
	struct field_errors errors = {0};
	static const char name[] = "\"],\"x\":\"\\\n\x01</script>\xC3\xA9";
	field_errors_add(&errors, view_of(name), FIELD_NO_INDEX, "is not known", "unknown");
	problem_write(&out, OUTCOME_INVALID, VIEW("r"), &errors);
	const cJSON *list = json_member(written(), "errors");
	cr_assert(list && list->child);
	const cJSON *place = json_member(list->child, "loc");
	cr_assert(place && place->child && place->child->next);
	cr_expect(view_equal(json_text(place->child->next), view_of(name)));
}

Test(http_problem, keeps_a_bounded_number_of_errors)
{
	struct field_errors errors = {0};
	for (int i = 0; i < FIELD_ERRORS_MAX + 10; i++)
		field_errors_add(&errors, VIEW("tags"), i, "is bad", "bad");
	cr_expect_eq(errors.count, FIELD_ERRORS_MAX);
	cr_expect_eq(errors.items[FIELD_ERRORS_MAX - 1].index, FIELD_ERRORS_MAX - 1, "the first ones");
	problem_write(&out, OUTCOME_INVALID, VIEW("r"), &errors);
	written();
}

Test(http_problem, marks_a_buffer_that_is_too_small)
{
	struct buf small = buf_make(20);
	problem_write(&small, OUTCOME_INTERNAL, VIEW("r"), NULL);
	cr_expect_not(buf_ok(&small));
	buf_destroy(&small);
}
