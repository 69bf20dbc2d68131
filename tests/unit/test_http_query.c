/* Queries: what a route knows is read once and strictly, and written so that it is read back. */
#include <criterion/criterion.h>

#include "http/query.h"
#include "support/leaks.h"

static struct arena arena;

static void setup(void)
{
	cr_assert(arena_init(&arena, 1 << 16));
}

static void end(void)
{
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(query, .init = setup, .fini = end);

#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct query read_good(const char *raw)
{
	struct query query;
	cr_assert_eq(query_read(&arena, view_of(raw), ROUTE_TASK_LIST, &query), OUTCOME_OK, "%s", raw);
	return query;
}

static void expect_value(const struct query *query, enum parameter parameter, const char *expected)
{
	struct view value = query->values[parameter];
	cr_expect(!view_is_absent(value) && view_equal(value, view_of(expected)), "%.*s is not %s", VIEW_ARGS(value),
	          expected);
}

static unsigned sent(const struct query *query)
{
	unsigned count = 0;
	for (unsigned i = 0; i < PARAMETERS; i++)
		count += !view_is_absent(query->values[i]);
	return count;
}

Test(query, reads_every_parameter_of_the_list_into_its_own_place)
{
	struct query query = read_good("count=exact&cursor=YWJj&limit=10&order=desc&sort=title&search=milk&tag=home&"
	                               "priority=high&status=pending");
	cr_expect_eq(sent(&query), PARAMETERS);
	expect_value(&query, PARAMETER_STATUS, "pending");
	expect_value(&query, PARAMETER_PRIORITY, "high");
	expect_value(&query, PARAMETER_TAG, "home");
	expect_value(&query, PARAMETER_SEARCH, "milk");
	expect_value(&query, PARAMETER_SORT, "title");
	expect_value(&query, PARAMETER_ORDER, "desc");
	expect_value(&query, PARAMETER_LIMIT, "10");
	expect_value(&query, PARAMETER_CURSOR, "YWJj");
	expect_value(&query, PARAMETER_COUNT, "exact");
}

Test(query, an_absent_an_empty_and_an_odd_query_hold_nothing)
{
	static const char *const cases[] = {NULL, "", "&", "&&&"};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct query query = read_good(cases[i]);
		cr_expect_eq(sent(&query), 0);
	}
}

Test(query, decodes_values_as_forms_are_encoded)
{
	static const struct {
		const char *raw;
		const char *value;
	} cases[] = {
	        {"search=two+words", "two words"},
	        {"search=two%20words", "two words"},
	        {"search=1%2B1", "1+1"},
	        {"search=a%26b%3Dc", "a&b=c"},
	        {"search=a=b=c", "a=b=c"},
	        {"search=%C3%A9t%c3%a9", "\u00e9t\u00e9"},
	        {"search=\u00e9", "\u00e9"},
	        {"search=%2541", "%41"},
	        {"search=", ""},
	        {"search", ""},
	        {"&search=x&", "x"},
	        {"search=;/?:@!$'()*,[]", ";/?:@!$'()*,[]"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct query query = read_good(cases[i].raw);
		expect_value(&query, PARAMETER_SEARCH, cases[i].value);
		cr_expect_eq(sent(&query), 1);
	}
}

Test(query, refuses_what_is_unknown_repeated_or_broken)
{
	static const char *const cases[] = {
	        "x=1",
	        "x",
	        "=1",
	        "=",
	        "Status=all",
	        "STATUS=all",
	        " status=all",
	        "+status=all",
	        "st%61tus=all",
	        "status[]=all",
	        "status%00=all",
	        "status=all&status=all",
	        "status=&status=",
	        "status&status",
	        "status=all&x=1",
	        "search=%",
	        "search=%4",
	        "search=%zz",
	        "search=%00",
	        "search=a%00b",
	        "search=%0A",
	        "search=%7F",
	        "search=%C2%85",
	        "search=%FF",
	        "search=%C0%AF",
	        "search=%ED%A0%80",
	        "search=\xC3",
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct query query = {.values[PARAMETER_TAG] = VIEW("untouched")};
		cr_expect_eq(query_read(&arena, view_of(cases[i]), ROUTE_TASK_LIST, &query), OUTCOME_BAD_QUERY, "%s",
		             cases[i]);
		cr_expect(view_equal(query.values[PARAMETER_TAG], VIEW("untouched")));
	}
}

Test(query, each_route_knows_its_own_parameters)
{
	struct query query;
	cr_expect_eq(query_known(ROUTE_TASK_LIST), (1U << PARAMETERS) - 1);
	cr_expect_eq(query_known(ROUTE_TASK_CLEAR), 1U << PARAMETER_STATUS);
	cr_expect_eq(query_known(ROUTE_TASK_GET), 0);
	cr_expect_eq(query_read(&arena, VIEW("status=completed"), ROUTE_TASK_CLEAR, &query), OUTCOME_OK);
	cr_expect_eq(query_read(&arena, VIEW("sort=title"), ROUTE_TASK_CLEAR, &query), OUTCOME_BAD_QUERY);
	cr_expect_eq(query_read(&arena, VIEW("status=completed"), ROUTE_TASK_GET, &query), OUTCOME_BAD_QUERY);
	cr_expect_eq(query_read(&arena, VIEW(""), ROUTE_TASK_GET, &query), OUTCOME_OK);
}

Test(query, writes_what_it_reads_back)
{
	struct query query =
	        read_good("tag=a%26b&status=all&search=%22%3C+%25_%5C+%C3%A9&sort=due_date&limit=&cursor=x-_9");
	struct buf text = buf_make(1024);
	query_write(&text, &query);
	cr_expect(view_equal(buf_view(&text),
	                     VIEW("status=all&tag=a%26b&search=%22%3C%20%25_%5C%20%C3%A9&sort=due_date&limit=&"
	                          "cursor=x-_9")),
	          "%.*s", VIEW_ARGS(buf_view(&text)));
	struct query again;
	cr_assert_eq(query_read(&arena, buf_view(&text), ROUTE_TASK_LIST, &again), OUTCOME_OK);
	for (unsigned i = 0; i < PARAMETERS; i++)
		cr_expect(view_is_absent(query.values[i]) == view_is_absent(again.values[i]) &&
		          view_equal(query.values[i], again.values[i]));
	buf_destroy(&text);
}

Test(query, a_query_larger_than_the_arena_is_our_fault_and_not_the_clients)
{
	struct arena small;
	struct query query;
	char raw[9000] = "search=";
	memset(raw + 7, 'x', sizeof raw - 8);
	cr_assert(arena_init(&small, 4096));
	cr_expect_eq(query_read(&small, (struct view){raw, sizeof raw - 1}, ROUTE_TASK_LIST, &query), OUTCOME_INTERNAL);
	arena_destroy(&small);
}
