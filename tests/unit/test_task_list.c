/* What a list is asked for, and cursors: what is not ours is refused before any database hears of it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/base64url.h"
#include "base/clock.h"
#include "support/leaks.h"
#include "task/list.h"

#define ID "0189f7a0-1234-7000-8000-0123456789ab"
#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct arena arena;

static void setup(void)
{
	cr_assert(arena_init(&arena, 1 << 22));
}

static void end(void)
{
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(task_list, .init = setup, .fini = end);

static enum outcome read_list(const char *raw, struct task_list *ret)
{
	struct query query;
	cr_assert_eq(query_read(&arena, view_of(raw), ROUTE_TASK_LIST, &query), OUTCOME_OK, "%s", raw);
	return task_list_read(&arena, &query, ret);
}

static struct task_list good(const char *raw)
{
	struct task_list list;
	cr_assert_eq(read_list(raw, &list), OUTCOME_OK, "%s", raw);
	return list;
}

static char *format(const char *start, struct view rest)
{
	size_t size = strlen(start) + rest.len + 1;
	char *text = arena_alloc(&arena, size);
	cr_assert_not_null(text);
	snprintf(text, size, "%s%.*s", start, VIEW_ARGS(rest));
	return text;
}

/* ---- parameters ---- */

Test(task_list, asks_for_everything_newest_first_unless_told_otherwise)
{
	struct task_list list = good("");
	cr_expect(view_is_absent(list.status) && view_is_absent(list.priority) && view_is_absent(list.tag) &&
	          view_is_absent(list.pattern) && view_is_absent(list.id) && view_is_absent(list.key));
	cr_expect_eq(list.sort, SORT_CREATED);
	cr_expect(list.descending);
	cr_expect_not(list.counted);
	cr_expect_eq(list.limit, 1000);
}

Test(task_list, each_order_begins_where_a_reader_looks_first)
{
	static const struct {
		const char *raw;
		enum task_sort sort;
		bool descending;
	} cases[] = {
	        {"sort=created", SORT_CREATED, true},        {"sort=updated", SORT_UPDATED, true},
	        {"sort=title", SORT_TITLE, false},           {"sort=due_date", SORT_DUE_DATE, false},
	        {"sort=priority", SORT_PRIORITY, false},     {"sort=created&order=asc", SORT_CREATED, false},
	        {"sort=title&order=desc", SORT_TITLE, true}, {"order=asc", SORT_CREATED, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct task_list list = good(cases[i].raw);
		cr_expect_eq(list.sort, cases[i].sort, "%s", cases[i].raw);
		cr_expect_eq(list.descending, cases[i].descending, "%s", cases[i].raw);
	}
}

Test(task_list, reads_filters_limit_and_count)
{
	struct task_list list = good("status=pending&priority=low&tag=a+b&limit=1&count=exact");
	cr_expect(view_equal(list.status, VIEW("pending")));
	cr_expect(view_equal(list.priority, VIEW("low")));
	cr_expect(view_equal(list.tag, VIEW("a b")));
	cr_expect_eq(list.limit, 1);
	cr_expect(list.counted);
	cr_expect(view_is_absent(good("status=all").status), "all is no filter");
	cr_expect_eq(good("limit=1000").limit, 1000);
}

Test(task_list, refuses_values_that_a_parameter_does_not_have)
{
	static const char *const cases[] = {
	        "status=",
	        "status=done",
	        "status=Pending",
	        "status=pending+",
	        "status=all;sort=title",
	        "priority=",
	        "priority=urgent",
	        "priority=HIGH",
	        "sort=",
	        "sort=id",
	        "sort=title_key",
	        "order=",
	        "order=up",
	        "order=ASC",
	        "limit=",
	        "limit=0",
	        "limit=1001",
	        "limit=-1",
	        "limit=%2B5",
	        "limit=05",
	        "limit=1.0",
	        "limit=1e2",
	        "limit=+5",
	        "limit=99999999999999999999",
	        "count=",
	        "count=1",
	        "count=true",
	        "tag=",
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct task_list list = {.limit = 77};
		cr_expect_eq(read_list(cases[i], &list), OUTCOME_BAD_QUERY, "%s", cases[i]);
		cr_expect_eq(list.limit, 77, "untouched");
	}
}

static const char *repeated(const char *start, const char *text, size_t count)
{
	static char out[4096];
	size_t len = (size_t)snprintf(out, sizeof out, "%s", start);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(out + len, sizeof out - len, "%s", text);
	return out;
}

Test(task_list, counts_characters_of_tags_and_searches)
{
	struct task_list list;
	cr_expect_eq(read_list(repeated("tag=", "\u00e9", 50), &list), OUTCOME_OK);
	cr_expect_eq(read_list(repeated("tag=", "x", 51), &list), OUTCOME_BAD_QUERY);
	cr_expect_eq(read_list(repeated("search=", "\u00e9", 100), &list), OUTCOME_OK);
	cr_expect_eq(read_list(repeated("search=", "x", 101), &list), OUTCOME_BAD_QUERY);
}

Test(task_list, a_search_takes_the_signs_of_patterns_as_they_are)
{
	static const struct {
		const char *raw;
		const char *pattern; /* NULL: none */
	} cases[] = {
	        {"search=milk", "%milk%"},
	        {"search=100%25", "%100\\%%"},
	        {"search=a_b", "%a\\_b%"},
	        {"search=a%5Cb", "%a\\\\b%"},
	        {"search=%25%5F%5C", "%\\%\\_\\\\%"},
	        {"search=+x+", "% x %"},
	        {"search=", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct view pattern = good(cases[i].raw).pattern;
		cr_expect_eq(view_is_absent(pattern), cases[i].pattern == NULL, "%s", cases[i].raw);
		cr_expect(view_equal(pattern, view_of(cases[i].pattern)), "%.*s", VIEW_ARGS(pattern));
	}
}

/* ---- cursors ---- */

static struct task task_like(const char *title, bool due)
{
	struct task task = {
	        .id = ID,
	        .title = view_of(title),
	        .priority = VIEW("medium"),
	        .has_due_date = due,
	        .due_date = INT64_C(1769846400123456),
	        .created_at = INT64_C(1769846400000001),
	        .updated_at = INT64_C(1769846400000002),
	};
	return task;
}

static struct view cursor_of(const char *raw, const struct task *task)
{
	struct task_list list = good(raw);
	struct view cursor = task_list_cursor(&arena, &list, task);
	cr_assert_not(view_is_absent(cursor));
	return cursor;
}

static enum outcome read_with_cursor(const char *raw, struct view cursor, struct task_list *ret)
{
	return read_list(format(format(raw, VIEW("&cursor=")), cursor), ret);
}

Test(task_list, a_cursor_holds_the_key_of_its_order_and_the_id)
{
	static const struct {
		const char *raw;
		const char *key; /* NULL: none */
	} cases[] = {
	        {"sort=created", "2026-01-31T08:00:00.000001Z"},
	        {"sort=updated&order=asc", "2026-01-31T08:00:00.000002Z"},
	        {"sort=title", "Z\u00fcrich"},
	        {"sort=due_date", "2026-01-31T08:00:00.123456Z"},
	        {"sort=priority&order=desc", "medium"},
	        {"sort=title&status=completed&tag=x&search=%25&priority=low", "Z\u00fcrich"},
	};
	const struct task task = task_like("Z\u00fcrich", true);
	const struct task undated = task_like("Z\u00fcrich", false);
	struct task_list list;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct view cursor = cursor_of(cases[i].raw, &task);
		cr_assert_eq(read_with_cursor(cases[i].raw, cursor, &list), OUTCOME_OK, "%s", cases[i].raw);
		cr_expect(view_equal(list.id, VIEW(ID)));
		cr_expect(view_equal(list.key, view_of(cases[i].key)), "%.*s", VIEW_ARGS(list.key));
	}
	struct view cursor = cursor_of("sort=due_date", &undated);
	cr_assert_eq(read_with_cursor("sort=due_date", cursor, &list), OUTCOME_OK);
	cr_expect(view_is_absent(list.key) && view_equal(list.id, VIEW(ID)));
}

Test(task_list, a_cursor_of_the_longest_title_is_taken_back)
{
	char title[TASK_TITLE_MAX * 4 + 1] = "";
	for (size_t i = 0; i < TASK_TITLE_MAX; i++)
		memcpy(title + 4 * i, "\xF0\x9F\x98\x80", 5);
	const struct task task = task_like(title, true);
	struct task_list list;
	cr_assert_eq(read_with_cursor("sort=title", cursor_of("sort=title", &task), &list), OUTCOME_OK);
	cr_expect(view_equal(list.key, view_of(title)));
}

Test(task_list, the_size_of_a_page_may_change_on_the_way)
{
	const struct task task = task_like("t", true);
	struct task_list list;
	cr_expect_eq(read_with_cursor("limit=7&count=exact", cursor_of("limit=5", &task), &list), OUTCOME_OK);
}

Test(task_list, a_cursor_of_another_list_is_refused)
{
	static const char *const lists[] = {
	        "sort=created",
	        "sort=created&order=asc",
	        "sort=updated",
	        "sort=title",
	        "sort=title&order=desc",
	        "sort=due_date",
	        "sort=priority",
	        "status=pending",
	        "status=completed",
	        "priority=low",
	        "priority=high",
	        "tag=a",
	        "tag=b",
	        "search=a",
	        "search=b",
	        "tag=a&search=b",
	        "tag=ab",
	        "tag=low",
	        "status=pending&priority=low",
	};
	const struct task task = task_like("t", true);
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct view cursor = cursor_of(lists[i], &task);
		for (size_t j = 0; j < COUNT(lists); j++) {
			struct task_list list;
			cr_expect_eq(read_with_cursor(lists[j], cursor, &list),
			             i == j ? OUTCOME_OK : OUTCOME_BAD_CURSOR, "a cursor of %s in %s", lists[i],
			             lists[j]);
		}
	}
}

/* The cursor of a text of ours, as a client might write one. */
static struct view encoded(struct view text)
{
	char *out = arena_alloc(&arena, BASE64URL_ENCODED(text.len) + 1);
	cr_assert_not_null(out);
	return (struct view){out, base64url_encode((const unsigned char *)text.ptr, text.len, out)};
}

/* What a cursor of that list says before the id. */
static struct view start_of(const char *raw)
{
	const struct task task = task_like("t", true);
	struct view cursor = cursor_of(raw, &task);
	unsigned char *text = arena_alloc(&arena, BASE64URL_DECODED(cursor.len));
	size_t len = 0;
	cr_assert(text && base64url_decode(cursor, text, &len));
	struct view rest = {(const char *)text, len};
	for (int line = 0; line < 3; line++)
		view_cut(&rest, '\n');
	return (struct view){(const char *)text, len - rest.len};
}

Test(task_list, an_edited_cursor_is_taken_only_in_the_form_that_is_written)
{
	static const struct {
		const char *raw;
		const char *rest; /* behind the filter's line */
		bool taken;
	} cases[] = {
	        {"sort=title", ID "\nany title", true},
	        {"sort=title", "ffffffff-ffff-ffff-ffff-ffffffffffff\n'; DROP TABLE todo.task; --", true},
	        {"sort=title", ID "\n%s%n\\", true},
	        {"sort=title", ID "\n", false},
	        {"sort=title", ID, false},
	        {"sort=title", ID "\na\nb", false},
	        {"sort=title", ID "\na\tb", false},
	        {"sort=title", ID "\n\xFF", false},
	        {"sort=title", "0189f7a0-1234-7000-8000-0123456789a\nx", false},
	        {"sort=title", "{0189f7a0-1234-7000-8000-0123456789ab}\nx", false},
	        {"sort=title", "\nx", false},
	        {"sort=priority", ID "\nhigh", true},
	        {"sort=priority", ID "\nurgent", false},
	        {"sort=priority", ID "\nHigh", false},
	        {"sort=priority", ID "\n", false},
	        {"sort=created", ID "\n2026-01-31T08:00:00.000001Z", true},
	        {"sort=created", ID "\n0001-01-01T00:00:00.000000Z", true},
	        {"sort=created", ID "\n9999-12-31T23:59:59.999999Z", true},
	        {"sort=created", ID "\n2026-01-31T08:00:00Z", false},
	        {"sort=created", ID "\n2026-01-31T08:00:00.000001+00:00", false},
	        {"sort=created", ID "\n2026-01-31t08:00:00.000001Z", false},
	        {"sort=created", ID "\n2026-02-30T08:00:00.000001Z", false},
	        {"sort=created", ID "\n2026-01-31T08:00:60.000000Z", false},
	        {"sort=created", ID "\n0000-01-01T00:00:00.000000Z", false},
	        {"sort=created", ID "\ninfinity", false},
	        {"sort=created", ID "\nnow", false},
	        {"sort=created", ID "\n", false},
	        {"sort=due_date", ID "\n", true},
	        {"sort=due_date", ID "\ninfinity", false},
	        {"sort=due_date", ID, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct view start = start_of(cases[i].raw);
		struct buf text = buf_make(4096);
		struct task_list list;
		buf_add(&text, start);
		buf_add(&text, view_of(cases[i].rest));
		cr_expect_eq(read_with_cursor(cases[i].raw, encoded(buf_view(&text)), &list),
		             cases[i].taken ? OUTCOME_OK : OUTCOME_BAD_CURSOR, "%s: %s", cases[i].raw, cases[i].rest);
		buf_destroy(&text);
	}
	/* A NUL, which no string of the table above can hold. */
	struct buf text = buf_make(4096);
	struct task_list list;
	buf_add(&text, start_of("sort=title"));
	buf_add(&text, VIEW(ID "\na\0b"));
	cr_expect_eq(read_with_cursor("sort=title", encoded(buf_view(&text)), &list), OUTCOME_BAD_CURSOR);
	buf_destroy(&text);
}

Test(task_list, a_title_longer_than_any_task_has_is_no_key)
{
	struct buf text = buf_make(4096);
	struct task_list list;
	buf_add(&text, start_of("sort=title"));
	buf_add(&text, VIEW(ID "\n"));
	for (size_t i = 0; i < TASK_TITLE_MAX; i++)
		buf_add_char(&text, 'x');
	cr_expect_eq(read_with_cursor("sort=title", encoded(buf_view(&text)), &list), OUTCOME_OK);
	buf_add_char(&text, 'x');
	cr_expect_eq(read_with_cursor("sort=title", encoded(buf_view(&text)), &list), OUTCOME_BAD_CURSOR);
	buf_destroy(&text);
}

Test(task_list, refuses_cursors_that_are_no_base64url_or_too_long)
{
	static const char *const cases[] = {"", "x", "%3D", "a%2Bb", "YQ%3D%3D", "YR", "YWJj", "+", "%C3%A9"};
	const struct task task = task_like("t", true);
	struct view cursor = cursor_of("", &task);
	struct task_list list;
	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(read_with_cursor("", view_of(cases[i]), &list), OUTCOME_BAD_CURSOR, "%s", cases[i]);
	cr_expect_eq(read_with_cursor("", view_of(format("A", cursor)), &list), OUTCOME_BAD_CURSOR);
	cr_expect_eq(read_list(repeated("cursor=", "AAAA", 600), &list), OUTCOME_BAD_CURSOR);
}

/* Every byte of a good cursor, replaced by each character of the alphabet. */
Test(task_list, no_cursor_one_character_off_is_anything_but_a_place_in_the_list)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const struct task task = task_like("Title", true);
	struct view cursor = cursor_of("sort=title&tag=a", &task);
	char edited[256];
	size_t taken = 0;
	cr_assert_lt(cursor.len, sizeof edited);
	for (size_t i = 0; i < cursor.len; i++) {
		for (size_t j = 0; j + 1 < sizeof alphabet; j++) {
			struct query query = {.values[PARAMETER_SORT] = VIEW("title"),
			                      .values[PARAMETER_TAG] = VIEW("a")};
			struct task_list list;
			memcpy(edited, cursor.ptr, cursor.len);
			if (edited[i] == alphabet[j])
				continue;
			edited[i] = alphabet[j];
			query.values[PARAMETER_CURSOR] = (struct view){edited, cursor.len};
			if (task_list_read(&arena, &query, &list) != OUTCOME_OK)
				continue;
			taken++;
			cr_expect(router_is_uuid(list.id) && list.key.len > 0 && !view_has_control(list.key));
			cr_expect(view_equal(list.tag, VIEW("a")) && list.sort == SORT_TITLE && !list.descending);
			/* The lines before the id are as they were: sort, order, filter. */
			cr_expect_geq(i, BASE64URL_ENCODED(strlen("title\nasc\n0123456789abcdef\n")));
		}
	}
	cr_expect_gt(taken, cursor.len);
}
