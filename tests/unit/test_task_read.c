/* What a body may say of a task. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "support/leaks.h"
#include "task/task.h"

TestSuite(task_read, .fini = leaks_check);

static struct arena arena;
static struct task_input input;
static struct field_errors errors;

static const cJSON *parse(const char *json)
{
	const cJSON *body = NULL;
	if (!arena.base)
		cr_assert(arena_init(&arena, 1 << 22));
	cr_assert_eq(json_parse(&arena, view_of(json), &body), JSON_OK, "%s", json);
	return body;
}

static bool reads(const char *json)
{
	input = (struct task_input){0};
	errors = (struct field_errors){0};
	return task_read(parse(json), &input, &errors);
}

/* "title/string_type tags.3/duplicate", in the order they were found. */
static const char *faults(const char *json)
{
	static char text[4096];
	size_t used = 0;
	text[0] = '\0';
	if (reads(json))
		return "none";
	for (size_t i = 0; i < errors.count && used < sizeof text; i++) {
		const struct field_error *error = &errors.items[i];
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i ? " " : "",
		                         VIEW_ARGS(error->member));
		if (error->index != FIELD_NO_INDEX)
			used += (size_t)snprintf(text + used, sizeof text - used, ".%d", error->index);
		used += (size_t)snprintf(text + used, sizeof text - used, "/%s", error->type);
	}
	return text;
}

/* {"title":"xxx…"}: `before`, then `count` times `character`, then `after`. */
static const char *repeated(const char *before, const char *character, size_t count, const char *after)
{
	static char text[16384];
	size_t used = (size_t)snprintf(text, sizeof text, "%s", before);
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s", character);
	snprintf(text + used, sizeof text - used, "%s", after);
	return text;
}

struct fault_case {
	const char *json;
	const char *expected;
};

#define EXPECT_FAULTS(cases)                                                                    \
	for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++) {                       \
		const char *found = faults((cases)[i].json);                                    \
		cr_expect_str_eq(found, (cases)[i].expected, "%s: %s", (cases)[i].json, found); \
	}

Test(task_read, a_title_is_enough)
{
	cr_assert(reads("{\"title\":\"Buy milk\"}"));
	cr_expect(view_equal(input.title, VIEW("Buy milk")));
	cr_expect(view_is_absent(input.description));
	cr_expect_not(input.completed);
	cr_expect(view_equal(input.priority, VIEW("medium")));
	cr_expect_not(input.has_due_date);
	cr_expect_eq(input.tag_count, 0);
}

Test(task_read, takes_every_member)
{
	cr_assert(reads("{\"tags\":[\"a\",\" b \"],\"due_date\":\"2026-01-31T09:00:00+01:00\",\"priority\":\"high\","
	                "\"completed\":true,\"description\":\"d\",\"title\":\"t\"}"));
	cr_expect(view_equal(input.description, VIEW("d")));
	cr_expect(input.completed);
	cr_expect(view_equal(input.priority, VIEW("high")));
	cr_expect(input.has_due_date);
	cr_expect_eq(input.due_date, INT64_C(1769846400000000));
	cr_assert_eq(input.tag_count, 2);
	cr_expect(view_equal(input.tags[1], VIEW(" b ")));
}

Test(task_read, the_body_must_be_an_object)
{
	static const struct fault_case cases[] = {
	        {"[]", "/object_type"}, {"null", "/object_type"}, {"\"title\"", "/object_type"},
	        {"1", "/object_type"},  {"true", "/object_type"}, {"[{\"title\":\"t\"}]", "/object_type"},
	};
	EXPECT_FAULTS(cases)
}

Test(task_read, judges_titles)
{
	static const struct fault_case cases[] = {
	        {"{}", "title/missing"},
	        {"{\"title\":null}", "title/string_type"},
	        {"{\"title\":1}", "title/string_type"},
	        {"{\"title\":[\"t\"]}", "title/string_type"},
	        {"{\"title\":\"\"}", "title/string_too_short"},
	        {"{\"title\":\" \\t\\n\\u00a0\\u2003\\u3000\"}", "title/string_too_short"},
	        {"{\"title\":\"a\\nb\"}", "title/control_character"},
	        {"{\"title\":\"a\\tb\"}", "title/control_character"},
	        {"{\"title\":\"a\\u007fb\"}", "title/control_character"},
	        {"{\"title\":\"a\\u0085b\"}", "title/control_character"},
	        {"{\"Title\":\"t\"}", "Title/unknown_member title/missing"},
	};
	EXPECT_FAULTS(cases)
}

Test(task_read, trims_titles)
{
	cr_assert(reads("{\"title\":\"\\u3000 \\tin the middle\\u00a0of\\n\"}"));
	cr_expect(view_equal(input.title, VIEW("in the middle\u00a0of")));
}

Test(task_read, counts_characters_and_not_bytes)
{
	cr_expect_str_eq(faults(repeated("{\"title\":\"", "\U0001F600", 255, "\"}")), "none");
	cr_expect_str_eq(faults(repeated("{\"title\":\"", "\U0001F600", 256, "\"}")), "title/string_too_long");
	cr_expect_str_eq(faults(repeated("{\"title\":\"  ", "x", 255, "  \"}")), "none", "after trimming");
	cr_expect_str_eq(faults(repeated("{\"title\":\"t\",\"description\":\"", "\u00fc", 1000, "\"}")), "none");
	cr_expect_str_eq(faults(repeated("{\"title\":\"t\",\"description\":\"", "\u00fc", 1001, "\"}")),
	                 "description/string_too_long");
	cr_expect_str_eq(faults(repeated("{\"title\":\"t\",\"tags\":[\"", "\u20ac", 50, "\"]}")), "none");
	cr_expect_str_eq(faults(repeated("{\"title\":\"t\",\"tags\":[\"", "\u20ac", 51, "\"]}")),
	                 "tags.0/string_too_long");
}

Test(task_read, judges_descriptions)
{
	static const struct fault_case cases[] = {
	        {"{\"title\":\"t\",\"description\":null}", "none"},
	        {"{\"title\":\"t\",\"description\":\"\"}", "none"},
	        {"{\"title\":\"t\",\"description\":\"\\ttwo\\n\\nlines\\n\"}", "none"},
	        {"{\"title\":\"t\",\"description\":false}", "description/string_type"},
	        {"{\"title\":\"t\",\"description\":\"a\\r\\nb\"}", "description/control_character"},
	        {"{\"title\":\"t\",\"description\":\"a\\rb\"}", "description/control_character"},
	        {"{\"title\":\"t\",\"description\":\"\\u001b[31m\"}", "description/control_character"},
	        {"{\"title\":\"t\",\"description\":\"\\n\\u009b\"}", "description/control_character"},
	        {"{\"title\":\"t\",\"description\":\"\\t\\u007f\"}", "description/control_character"},
	};
	EXPECT_FAULTS(cases)
}

Test(task_read, keeps_a_description_as_it_is)
{
	cr_assert(reads("{\"title\":\"t\",\"description\":\"  two\\n\\tlines \"}"));
	cr_expect(view_equal(input.description, VIEW("  two\n\tlines ")));
	cr_assert(reads("{\"title\":\"t\",\"description\":\"\"}"));
	cr_expect_not(view_is_absent(input.description), "an empty text is not null");
}

Test(task_read, converts_nothing)
{
	static const struct fault_case cases[] = {
	        {"{\"title\":\"t\",\"completed\":1}", "completed/bool_type"},
	        {"{\"title\":\"t\",\"completed\":\"true\"}", "completed/bool_type"},
	        {"{\"title\":\"t\",\"completed\":null}", "completed/bool_type"},
	        {"{\"title\":\"t\",\"priority\":\"HIGH\"}", "priority/enum"},
	        {"{\"title\":\"t\",\"priority\":\"\"}", "priority/enum"},
	        {"{\"title\":\"t\",\"priority\":null}", "priority/enum"},
	        {"{\"title\":\"t\",\"priority\":2}", "priority/enum"},
	};
	EXPECT_FAULTS(cases)
}

Test(task_read, judges_due_dates)
{
	static const struct fault_case cases[] = {
	        {"{\"title\":\"t\",\"due_date\":null}", "none"},
	        {"{\"title\":\"t\",\"due_date\":\"2026-01-31T08:00:00Z\"}", "none"},
	        {"{\"title\":\"t\",\"due_date\":\"2026-01-31T08:00:00.5-09:30\"}", "none"},
	        {"{\"title\":\"t\",\"due_date\":\"2026-01-31\"}", "due_date/date_time"},
	        {"{\"title\":\"t\",\"due_date\":\"2026-01-31T08:00:00\"}", "due_date/date_time"},
	        {"{\"title\":\"t\",\"due_date\":\"2026-02-30T08:00:00Z\"}", "due_date/date_time"},
	        {"{\"title\":\"t\",\"due_date\":\"tomorrow\"}", "due_date/date_time"},
	        {"{\"title\":\"t\",\"due_date\":\"infinity\"}", "due_date/date_time"},
	        {"{\"title\":\"t\",\"due_date\":\"\"}", "due_date/date_time"},
	        {"{\"title\":\"t\",\"due_date\":1769846400}", "due_date/string_type"},
	        /* The offset carries it out of the years that can be written. */
	        {"{\"title\":\"t\",\"due_date\":\"0001-01-01T00:00:00+00:01\"}", "due_date/date_time"},
	        {"{\"title\":\"t\",\"due_date\":\"9999-12-31T23:59:59-00:01\"}", "due_date/date_time"},
	};
	EXPECT_FAULTS(cases)
}

Test(task_read, judges_tags)
{
	static const struct fault_case cases[] = {
	        {"{\"title\":\"t\",\"tags\":[]}", "none"},
	        {"{\"title\":\"t\",\"tags\":[\"a\",\"A\"]}", "none"},
	        {"{\"title\":\"t\",\"tags\":null}", "tags/array_type"},
	        {"{\"title\":\"t\",\"tags\":\"a\"}", "tags/array_type"},
	        {"{\"title\":\"t\",\"tags\":{\"0\":\"a\"}}", "tags/array_type"},
	        {"{\"title\":\"t\",\"tags\":[\"a\",1]}", "tags.1/string_type"},
	        {"{\"title\":\"t\",\"tags\":[null,[\"a\"]]}", "tags.0/string_type tags.1/string_type"},
	        {"{\"title\":\"t\",\"tags\":[\"\"]}", "tags.0/string_too_short"},
	        {"{\"title\":\"t\",\"tags\":[\" \\u00a0\"]}", "tags.0/string_too_short"},
	        {"{\"title\":\"t\",\"tags\":[\"a\\nb\"]}", "tags.0/control_character"},
	        {"{\"title\":\"t\",\"tags\":[\"a\\tb\"]}", "tags.0/control_character"},
	        {"{\"title\":\"t\",\"tags\":[\"a\",\"b\",\"a\"]}", "tags.2/duplicate"},
	};
	EXPECT_FAULTS(cases)
}

Test(task_read, takes_twenty_tags_and_not_one_more)
{
	char json[400] = "{\"title\":\"t\",\"tags\":[\"0\"";
	size_t used = strlen(json);
	for (int i = 1; i < 20; i++)
		used += (size_t)snprintf(json + used, sizeof json - used, ",\"%d\"", i);
	snprintf(json + used, sizeof json - used, "]}");
	cr_expect_str_eq(faults(json), "none");
	cr_expect_eq(input.tag_count, 20);
	snprintf(json + used, sizeof json - used, ",\"20\"]}");
	cr_expect_str_eq(faults(json), "tags/array_too_long");
}

Test(task_read, refuses_what_the_server_sets)
{
	static const struct fault_case cases[] = {
	        {"{\"title\":\"t\",\"id\":\"x\"}", "id/read_only"},
	        {"{\"title\":\"t\",\"user_id\":\"somebody else\"}", "user_id/read_only"},
	        {"{\"title\":\"t\",\"created_at\":null,\"updated_at\":null}",
	         "created_at/read_only updated_at/read_only"},
	};
	EXPECT_FAULTS(cases)
}

Test(task_read, refuses_unknown_members)
{
	static const struct fault_case cases[] = {
	        {"{\"title\":\"t\",\"userId\":\"x\"}", "userId/unknown_member"},
	        {"{\"title\":\"t\",\"\":1,\"title \":2}", "/unknown_member title /unknown_member"},
	        {"{\"title\":\"t\",\"__proto__\":{}}", "__proto__/unknown_member"},
	};
	EXPECT_FAULTS(cases)
}

Test(task_read, tells_all_faults_and_leaves_the_result_alone)
{
	cr_expect_str_eq(faults("{\"id\":1,\"title\":2,\"tags\":[3],\"x\":4}"),
	                 "id/read_only title/string_type tags.0/string_type x/unknown_member");
	cr_expect(view_is_absent(input.title));
	cr_expect(view_is_absent(input.priority));
}

Test(task_read, faults_beyond_the_maximum_are_not_kept)
{
	char json[1200] = "{\"title\":\"t\"";
	size_t used = strlen(json);
	for (int i = 0; i < 100; i++)
		used += (size_t)snprintf(json + used, sizeof json - used, ",\"m%d\":1", i);
	snprintf(json + used, sizeof json - used, "}");
	cr_expect_not(reads(json));
	cr_expect_eq(errors.count, FIELD_ERRORS_MAX);
}

Test(task_read, a_completion_is_one_boolean_and_nothing_else)
{
	static const struct {
		const char *json;
		bool good;
		enum task_completion completion;
	} cases[] = {
	        {"{\"completed\":true}", true, TASK_COMPLETED},
	        {"{\"completed\":false}", true, TASK_PENDING},
	        {"{}", false, TASK_TOGGLE},
	        {"{\"completed\":null}", false, TASK_TOGGLE},
	        {"{\"completed\":1}", false, TASK_TOGGLE},
	        {"{\"completed\":true,\"title\":\"t\"}", false, TASK_TOGGLE},
	        {"true", false, TASK_TOGGLE},
	        {"[]", false, TASK_TOGGLE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum task_completion completion = TASK_TOGGLE;
		errors = (struct field_errors){0};
		cr_expect_eq(task_read_completion(parse(cases[i].json), &completion, &errors), cases[i].good, "%s",
		             cases[i].json);
		cr_expect_eq(completion, cases[i].completion, "%s", cases[i].json);
		cr_expect_eq(errors.count == 0, cases[i].good, "%s", cases[i].json);
	}
}
