/* Lists through the real program on a real database: every order, every filter, and pages
 * that neither lose nor repeat a task, whatever happens meanwhile and whatever a cursor says. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/base64url.h"
#include "http/router.h"
#include "support/account.h"
#include "support/api.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *database;
static const char *url;
static struct responder *tasks;

static void setup(void)
{
	database = api_name("list");
	url = api_database(database);
	tasks = responder_start("tasks", api_settings_for(url));
}

TestSuite(list, .init = setup, .fini = api_end, .timeout = 240);

static const struct answer *get_as(const char *user, const char *target)
{
	static const char *token;
	static const char *owner;
	if (!owner || strcmp(owner, user) != 0) {
		owner = user;
		token = api_token(user);
	}
	struct ask ask = {.target = target, .token = token};
	return responder_ask(tasks, &ask);
}

static const struct answer *get(const char *query)
{
	return get_as("anna", ask_format("/api/anna/tasks%s%s", query[0] ? "?" : "", query));
}

static void sql(const char *text)
{
	postgres_run("postgres", database, text);
}

/* Where Link says that the next page is; NULL without one. */
static const char *next_of(const struct answer *answer)
{
	struct view link = answer_header(answer, "Link");
	struct view end = VIEW(">; rel=\"next\"");
	if (view_is_absent(link))
		return NULL;
	cr_assert(link.len > end.len && link.ptr[0] == '<' && view_equal(view_from(link, link.len - end.len), end),
	          "%.*s", VIEW_ARGS(link));
	return ask_keep((struct view){link.ptr + 1, link.len - end.len - 1});
}

/* A member of all tasks of an answer, each with a comma behind it. */
static const char *texts(const struct answer *answer, const char *member)
{
	struct buf out = buf_make(1 << 20);
	const cJSON *task;
	cr_assert_eq(answer->status, 200, "%.*s", VIEW_ARGS(answer->body));
	cr_assert(cJSON_IsArray(answer_json(answer)));
	cJSON_ArrayForEach(task, answer_json(answer))
	{
		buf_add(&out, json_member_text(task, member));
		buf_add_char(&out, ',');
	}
	const char *kept = buf_ok(&out) && out.len > 0 ? ask_keep(buf_view(&out)) : "";
	buf_destroy(&out);
	return kept;
}

/* The ids of all pages, from that one on. */
static const char *walk(const char *query)
{
	struct buf out = buf_make(1 << 20);
	const struct answer *page = get(query);
	buf_add(&out, view_of(texts(page, "id")));
	for (const char *next = next_of(page); next; next = next_of(page)) {
		cr_assert_lt(out.len, (1 << 20) - 64, "pages without an end");
		page = get_as("anna", next);
		const char *ids = texts(page, "id");
		cr_assert(*ids, "an empty page behind %s", next);
		buf_add(&out, view_of(ids));
	}
	const char *kept = ask_keep(buf_view(&out));
	buf_destroy(&out);
	return kept;
}

static const char *value(const char *query)
{
	return account_value(database, query);
}

/* ---- orders ---- */

static const struct order {
	const char *query;
	const char *sql; /* what it means, said in another way than the statements do */
} orders[] = {
        {"sort=created&order=asc", "created_at, id"},
        {"sort=created&order=desc", "created_at DESC, id DESC"},
        {"sort=updated&order=asc", "updated_at, id"},
        {"sort=updated&order=desc", "updated_at DESC, id DESC"},
        {"sort=title&order=asc", "lower(title) COLLATE \"C\", id"},
        {"sort=title&order=desc", "lower(title) COLLATE \"C\" DESC, id DESC"},
        {"sort=due_date&order=asc", "due_date NULLS LAST, id"},
        {"sort=due_date&order=desc", "due_date DESC NULLS FIRST, id DESC"},
        {"sort=priority&order=asc", "priority, id"},
        {"sort=priority&order=desc", "priority DESC, id DESC"},
};

/* Tasks with many equal keys, of Anna and the same of Berta: ids in no order. */
static void fill(unsigned count)
{
	sql(ask_format(
	        "INSERT INTO todo.task (user_id, id, title, description, completed, priority, due_date, tags, "
	        "created_at,"
	        " updated_at) SELECT u, md5(u || n)::uuid,"
	        " (ARRAY['Milk', 'milk', 'bread', '\u00c9t\u00e9', '\u00e9t\u00e9', 'Zebra', 'a_b', 'z'])[n %% 8 + 1],"
	        " CASE WHEN n %% 3 = 0 THEN 'word ' || n END, n %% 2 = 0,"
	        " (ARRAY['low', 'medium', 'high'])[n %% 3 + 1]::todo.priority,"
	        " CASE WHEN n %% 4 > 0 THEN '2026-01-01Z'::timestamptz + n %% 5 * interval '1 day' END,"
	        " CASE WHEN n %% 2 = 0 THEN ARRAY['even', 'n' || n %% 4] ELSE '{}' END,"
	        " '2026-01-01Z'::timestamptz + n / 6 * interval '1 microsecond',"
	        " '2026-02-01Z'::timestamptz - n / 4 * interval '1 microsecond'"
	        " FROM generate_series(1, %u) n, unnest(ARRAY['anna', 'berta']) u",
	        count));
}

Test(list, every_order_is_the_same_in_one_piece_and_page_by_page)
{
	static const unsigned limits[] = {1, 7, 47, 48, 49};
	fill(48);
	for (size_t i = 0; i < COUNT(orders); i++) {
		const char *expected = value(ask_format("SELECT string_agg(id::text, ',' ORDER BY %s) || ','"
		                                        " FROM todo.task WHERE user_id = 'anna'",
		                                        orders[i].sql));
		cr_expect_str_eq(texts(get(orders[i].query), "id"), expected, "%s", orders[i].query);
		for (size_t j = 0; j < COUNT(limits); j++)
			cr_expect_str_eq(walk(ask_format("%s&limit=%u", orders[i].query, limits[j])), expected,
			                 "%s by %u", orders[i].query, limits[j]);
	}
}

Test(list, tasks_with_all_keys_equal_are_told_apart_by_id)
{
	sql("INSERT INTO todo.task (user_id, id, title, created_at, updated_at)"
	    " SELECT 'anna', md5(n::text)::uuid, 'same', '2026-01-01Z', '2026-01-01Z' FROM generate_series(1, 20) n");
	const char *up = value("SELECT string_agg(id::text, ',' ORDER BY id) || ',' FROM todo.task");
	const char *down = value("SELECT string_agg(id::text, ',' ORDER BY id DESC) || ',' FROM todo.task");
	for (size_t i = 0; i < COUNT(orders); i++)
		cr_expect_str_eq(walk(ask_format("%s&limit=3", orders[i].query)), i % 2 ? down : up, "%s",
		                 orders[i].query);
}

Test(list, due_dates_to_the_ends_of_time_have_their_place)
{
	sql("INSERT INTO todo.task (user_id, id, title, due_date) VALUES"
	    " ('anna', gen_random_uuid(), 'never', NULL), ('anna', gen_random_uuid(), 'last', "
	    "'9999-12-31T23:59:59.999999Z'),"
	    " ('anna', gen_random_uuid(), 'now', '2026-01-01Z'), ('anna', gen_random_uuid(), 'first', '0001-01-01Z')");
	const struct answer *page = get("sort=due_date&limit=1");
	static const char *const expected[] = {"first,", "now,", "last,", "never,"};
	for (size_t i = 0; i < 4; i++) {
		cr_expect_str_eq(texts(page, "title"), expected[i]);
		const char *next = next_of(page);
		cr_assert_eq(next == NULL, i == 3);
		if (next)
			page = get_as("anna", next);
	}
}

/* ---- while rows come and go ---- */

static bool seen(const char *ids, const char *id)
{
	return strstr(ids, id) != NULL;
}

/* Walks a list and, behind each page, removes its last task, another one that was seen and one that
 * was not, and adds tasks anywhere. Whoever was there all the time is seen once, and nobody twice. */
static void walk_while_it_changes(const struct order *order)
{
	struct buf ids = buf_make(1 << 20);
	sql("DELETE FROM todo.task");
	fill(40);
	const struct answer *page = get(ask_format("%s&limit=4", order->query));
	for (unsigned pages = 1;; pages++) {
		cr_assert_lt(pages, 100, "pages without an end");
		buf_add(&ids, view_of(texts(page, "id")));
		const char *next = next_of(page);
		if (!next)
			break;
		buf_add_char(&ids, '\0');
		ids.len--;
		const char *last = ask_keep((struct view){ids.ptr + ids.len - 37, 36});
		const char *early = ask_keep((struct view){ids.ptr, 36});
		sql(ask_format("DELETE FROM todo.task WHERE id IN ('%s', '%s')", last, early));
		sql(ask_format("DELETE FROM todo.task WHERE user_id = 'anna' AND id = (SELECT id FROM todo.task WHERE "
		               "user_id = 'anna'"
		               " AND strpos('%s', id::text) = 0 AND description IS DISTINCT FROM 'new' ORDER BY "
		               "md5(id::text || '%u') LIMIT 1)",
		               ids.ptr, pages));
		/* The end must come: two more a page than are taken away, but not for ever. */
		if (pages < 8)
			sql(ask_format(
			        "INSERT INTO todo.task (user_id, id, title, description, priority, due_date, "
			        "created_at, updated_at)"
			        " SELECT 'anna', md5('new' || n || '%u')::uuid, (ARRAY['A', 'milk', 'zzz'])[n], 'new',"
			        " (ARRAY['low', 'medium', 'high'])[n]::todo.priority,"
			        " (ARRAY['2025-01-01Z', '2026-01-03Z', NULL])[n]::timestamptz,"
			        " '2026-01-01Z'::timestamptz + (n - 1) * interval '4 microseconds',"
			        " '2026-02-01Z'::timestamptz - (n - 1) * interval '6 microseconds'"
			        " FROM generate_series(1, 3) n",
			        pages));
		page = get_as("anna", next);
	}
	buf_add_char(&ids, '\0');
	for (struct view rest = {ids.ptr, ids.len - 1}; rest.len > 0;) {
		struct view id = view_cut(&rest, ',');
		cr_assert_eq(id.len, 36);
		cr_expect(rest.len == 0 || !memmem(rest.ptr, rest.len, id.ptr, id.len), "%s: %.*s twice", order->query,
		          VIEW_ARGS(id));
	}
	const char *old = value("SELECT string_agg(id::text, ',') || ',' FROM todo.task WHERE user_id = 'anna'"
	                        " AND description IS DISTINCT FROM 'new'");
	cr_assert_gt(strlen(old), 37);
	for (struct view rest = view_of(old); rest.len > 0;) {
		const char *id = ask_keep(view_cut(&rest, ','));
		cr_expect(seen(ids.ptr, id), "%s: %s was there all the time and not seen", order->query, id);
	}
	cr_expect(!seen(ids.ptr, value("SELECT id FROM todo.task WHERE user_id = 'berta' LIMIT 1")));
	buf_destroy(&ids);
}

Test(list, pages_lose_and_repeat_nothing_while_tasks_are_added_and_removed)
{
	for (size_t i = 0; i < COUNT(orders); i++)
		walk_while_it_changes(&orders[i]);
}

/* ---- filters ---- */

static void make_filtered(void)
{
	sql("INSERT INTO todo.task (user_id, id, title, description, completed, priority, tags, created_at) VALUES"
	    " ('anna', gen_random_uuid(), 'a', NULL, false, 'low', '{home}', '2026-01-01Z'),"
	    " ('anna', gen_random_uuid(), 'b', NULL, true, 'low', '{home,work}', '2026-01-02Z'),"
	    " ('anna', gen_random_uuid(), 'c', NULL, false, 'high', '{homework}', '2026-01-03Z'),"
	    " ('anna', gen_random_uuid(), 'd', NULL, true, 'high', '{}', '2026-01-04Z'),"
	    " ('anna', gen_random_uuid(), 'e', 'home', true, 'medium', '{\"a,b\",\"\u00e9t\u00e9\"}', '2026-01-05Z'),"
	    " ('berta', gen_random_uuid(), 'berta', NULL, true, 'low', '{home}', '2026-01-01Z')");
}

Test(list, filters_by_status_priority_and_tag_and_all_together)
{
	static const struct {
		const char *query;
		const char *titles;
	} cases[] = {
	        {"", "e,d,c,b,a,"},
	        {"status=all", "e,d,c,b,a,"},
	        {"status=pending", "c,a,"},
	        {"status=completed", "e,d,b,"},
	        {"priority=low", "b,a,"},
	        {"priority=medium", "e,"},
	        {"priority=high", "d,c,"},
	        {"tag=home", "b,a,"},
	        {"tag=work", "b,"},
	        {"tag=Home", ""},
	        {"tag=hom", ""},
	        {"tag=%25", ""},
	        {"tag=a%2Cb", "e,"},
	        {"tag=%C3%A9t%C3%A9", "e,"},
	        {"tag=nobody's", ""},
	        {"status=completed&priority=high", "d,"},
	        {"status=pending&tag=home", "a,"},
	        {"status=completed&priority=low&tag=work&search=B&sort=title&order=desc", "b,"},
	        {"status=pending&priority=medium", ""},
	};
	make_filtered();
	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_str_eq(texts(get(cases[i].query), "title"), cases[i].titles, "%s", cases[i].query);
}

Test(list, searches_titles_and_descriptions_without_regard_to_case_and_takes_every_sign_as_it_is)
{
	static const struct {
		const char *query;
		const char *titles;
	} cases[] = {
	        {"search=milk", "Buy MILK,"},
	        {"search=BUY+m", "Buy MILK,"},
	        {"search=%C3%89T%C3%89", "L'\u00e9t\u00e9,"},
	        {"search=%C3%A9t%C3%A9", "L'\u00e9t\u00e9,"},
	        {"search=stra%C3%9Fe", "Die Stra\u00dfe,"},
	        {"search=%D0%9F%D0%A0%D0%98", "\u043f\u0440\u0438\u0432\u0435\u0442,"},
	        {"search=in+the+description", "plain,"},
	        {"search=%25", "100%,"},
	        {"search=100%25", "100%,"},
	        {"search=_", "a_b,"},
	        {"search=a_b", "a_b,"},
	        {"search=%5C", "back\\slash,"},
	        {"search=%5C%25", ""},
	        {"search=%25%25", ""},
	        {"search=l%27%C3%A9", "L'\u00e9t\u00e9,"},
	        {"search=%27%3B+DROP+TABLE+todo.task%3B+--", ""},
	        {"search=xyz", ""},
	        {"search=berta", ""},
	};
	sql("INSERT INTO todo.task (user_id, id, title, description) VALUES"
	    " ('anna', gen_random_uuid(), 'Buy MILK', NULL), ('anna', gen_random_uuid(), 'L''\u00e9t\u00e9', NULL),"
	    " ('anna', gen_random_uuid(), '100%', NULL), ('anna', gen_random_uuid(), 'a_b', NULL),"
	    " ('anna', gen_random_uuid(), 'aXb', NULL), ('anna', gen_random_uuid(), E'back\\\\slash', NULL),"
	    " ('anna', gen_random_uuid(), 'Die Stra\u00dfe', NULL), ('anna', gen_random_uuid(), "
	    "'\u043f\u0440\u0438\u0432\u0435\u0442', NULL),"
	    " ('anna', gen_random_uuid(), 'plain', 'IN THE Description'), ('berta', gen_random_uuid(), 'berta''s "
	    "milk', NULL)");
	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_str_eq(texts(get(cases[i].query), "title"), cases[i].titles, "%s", cases[i].query);
	cr_expect_str_eq(texts(get("search=&sort=title&limit=1"), "title"), "100%,",
	                 "an empty search leaves nothing out");
}

Test(list, pages_of_a_filtered_list_hold_what_the_filter_lets_through)
{
	static const struct {
		const char *query;
		const char *sql;
	} cases[] = {
	        {"status=completed", "completed"},
	        {"status=pending&priority=high", "NOT completed AND priority = 'high'"},
	        {"tag=even", "'even' = ANY (tags)"},
	        {"search=MIL", "title ILIKE '%mil%'"},
	        {"search=word&status=completed", "description ILIKE '%word%' AND completed"},
	};
	fill(60);
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t j = 0; j < COUNT(orders); j++) {
			const char *expected =
			        value(ask_format("SELECT string_agg(id::text, ',' ORDER BY %s) || ',' FROM todo.task"
			                         " WHERE user_id = 'anna' AND %s",
			                         orders[j].sql, cases[i].sql));
			cr_assert_gt(strlen(expected), 4 * 37, "a filter that lets few through");
			cr_expect_str_eq(walk(ask_format("%s&%s&limit=4", cases[i].query, orders[j].query)), expected,
			                 "%s %s", cases[i].query, orders[j].query);
		}
	}
}

/* ---- limit, count and Link ---- */

Test(list, gives_a_thousand_unless_asked_for_less_and_says_where_the_rest_is)
{
	sql("INSERT INTO todo.task (user_id, id, title) SELECT 'anna', gen_random_uuid(), 't' FROM generate_series(1, "
	    "1001)");
	const struct answer *first = get("");
	cr_expect_eq(cJSON_GetArraySize(answer_json(first)), 1000);
	const char *next = next_of(first);
	cr_assert_not_null(next);
	const struct answer *rest = get_as("anna", next);
	cr_expect_eq(cJSON_GetArraySize(answer_json(rest)), 1);
	cr_expect_null(next_of(rest));
	cr_expect_eq(cJSON_GetArraySize(answer_json(get("limit=1000"))), 1000);
	cr_expect_eq(cJSON_GetArraySize(answer_json(get("limit=10"))), 10);
	sql("DELETE FROM todo.task WHERE id = (SELECT id FROM todo.task LIMIT 1)");
	cr_expect_null(next_of(get("")), "a page that is just full is the last one");
}

Test(list, refuses_bad_values)
{
	static const char *const cases[] = {"limit=0",
	                                    "limit=1001",
	                                    "limit=-1",
	                                    "limit=x",
	                                    "status=open",
	                                    "sort=id",
	                                    "order=up",
	                                    "count=1",
	                                    "priority=1",
	                                    "tag=",
	                                    "search=%ZZ",
	                                    "search=%FF",
	                                    "limit=1&limit=2",
	                                    "page=2",
	                                    "offset=10",
	                                    "sort=created_at",
	                                    "status=all&status=all",
	                                    "search=%00"};
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_problem(get(cases[i]), 400, "bad_query", cases[i]);
}

Test(list, counts_all_that_the_filter_lets_through_when_asked_to)
{
	static const struct {
		const char *query;
		const char *count;
	} cases[] = {
	        {"count=exact", "5"},
	        {"count=exact&limit=1", "5"},
	        {"count=exact&status=completed&limit=2", "3"},
	        {"count=exact&tag=home", "2"},
	        {"count=exact&search=HOME", "1"},
	        {"count=exact&priority=medium&status=pending", "0"},
	};
	make_filtered();
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct answer *answer = get(cases[i].query);
		cr_expect(view_equal(answer_header(answer, "X-Total-Count"), view_of(cases[i].count)), "%s:\n%.*s",
		          cases[i].query, VIEW_ARGS(answer->head));
	}
	cr_expect(view_is_absent(answer_header(get("limit=1"), "X-Total-Count")));
	/* All pages together are as many, and each page says so. */
	const struct answer *second = get_as("anna", next_of(get("count=exact&limit=2")));
	cr_expect(view_equal(answer_header(second, "X-Total-Count"), VIEW("5")));
}

Test(list, links_are_relative_and_keep_the_whole_question)
{
	fill(24);
	const struct answer *page = get("search=%C3%A9+&limit=1&tag=&count=exact");
	expect_problem(page, 400, "bad_query", "an empty tag");
	page = get("status=completed&search=%25+&count=exact&limit=1");
	cr_expect_null(next_of(page));
	page = get("count=exact&limit=1&search=M%69&order=asc&sort=title&status=completed");
	struct view next = view_of(next_of(page));
	cr_expect(view_starts(next,
	                      VIEW("/api/anna/tasks?status=completed&search=Mi&sort=title&order=asc&limit=1&cursor=")),
	          "%.*s", VIEW_ARGS(next));
	cr_expect(memmem(next.ptr, next.len, "&count=exact", 12) != NULL);
}

Test(list, links_of_users_with_odd_names_lead_back_to_them)
{
	static const char *const users[] = {"a b", "100%", "\u00e9", "a?b#c", "a>b", "a\"b"};
	for (size_t i = 0; i < COUNT(users); i++) {
		struct buf path = buf_make(256);
		const char *name = users[i];
		for (size_t j = 0; name[j]; j++)
			buf_add(&path, view_of(ask_format("%%%02X", (unsigned char)name[j])));
		sql(ask_format("INSERT INTO todo.task (user_id, id, title) SELECT '%s', gen_random_uuid(), 't' FROM "
		               "generate_series(1, 2)",
		               name));
		const char *token = api_token(name);
		struct ask ask = {.target = ask_format("/api/%.*s/tasks?limit=1", VIEW_ARGS(buf_view(&path))),
		                  .token = token};
		const char *next = next_of(responder_ask(tasks, &ask));
		cr_assert_not_null(next, "%s", name);
		ask.target = next;
		cr_expect_eq(cJSON_GetArraySize(answer_json(responder_ask(tasks, &ask))), 1, "%s: %s", name, next);
		buf_destroy(&path);
	}
}

static const char *repeated(const char *text, size_t count)
{
	char *out = arena_alloc(ask_arena(), strlen(text) * count + 1);
	cr_assert_not_null(out);
	*out = '\0';
	for (size_t i = 0; i < count; i++)
		memcpy(out + i * strlen(text), text, strlen(text) + 1);
	return out;
}

#define SIGN "\U0001F600"
#define SIGN_ENCODED "%F0%9F%98%80"

/* All at once: the longest name, base path, filter, title and answer's head that there can be. */
Test(list, the_longest_link_is_whole_and_leads_on)
{
	const char *base = ask_format("/%s", repeated("b", 254));
	const char *const more[] = {ask_format("DATABASE_URL=%s", url), ask_format("BASE_PATH=%s", base),
	                            "CORS_ORIGINS=https://app.example", "SERVER_TIMING=on", NULL};
	struct responder *below = responder_start("tasks", api_settings(more));
	const char *const params[] = {"HTTP_ORIGIN=https://app.example", "HTTPS=on", NULL};
	sql("INSERT INTO todo.task (user_id, id, title, tags)"
	    " SELECT repeat('\u00fc', 127) || 'x', md5(n::text)::uuid, repeat('" SIGN "', 255),"
	    " ARRAY[repeat('" SIGN "', 50)] FROM generate_series(1, 2) n");
	struct ask ask = {.target = ask_format("%s/api/%sx/tasks?status=pending&priority=medium&tag=%s&search=%s"
	                                       "&sort=title&order=desc&limit=1&count=exact",
	                                       base, repeated("%C3%BC", 127), repeated(SIGN_ENCODED, 50),
	                                       repeated(SIGN_ENCODED, 100)),
	                  .token = api_token(ask_format("%sx", repeated("\u00fc", 127))),
	                  .params = params};
	const struct answer *first = responder_ask(below, &ask);
	cr_assert_eq(first->status, 200, "%.*s", VIEW_ARGS(first->body));
	cr_expect(view_equal(answer_header(first, "X-Total-Count"), VIEW("2")));
	ask.target = next_of(first);
	cr_assert_not_null(ask.target);
	const struct answer *second = responder_ask(below, &ask);
	cr_expect_eq(cJSON_GetArraySize(answer_json(second)), 1, "%.*s", VIEW_ARGS(second->body));
	cr_expect(!view_equal(second->body, first->body));
	cr_expect_null(next_of(second));
}

/* A thousand of them are more than half of what an answer may have. */
Test(list, a_page_of_the_greatest_tasks_is_whole)
{
	sql("INSERT INTO todo.task (user_id, id, title, description, due_date, tags)"
	    " SELECT repeat('\"', 255), gen_random_uuid(), repeat('" SIGN "', 255), repeat('" SIGN "', 1000), now(),"
	    " ARRAY(SELECT chr(64 + t) || repeat('" SIGN "', 49) FROM generate_series(1, 20) t)"
	    " FROM generate_series(1, 1000)");
	struct ask ask = {.target = ask_format("/api/%s/tasks", repeated("%22", 255)),
	                  .token = api_token(repeated("\"", 255))};
	const struct answer *answer = responder_ask(tasks, &ask);
	cr_assert_eq(answer->status, 200, "%.*s", VIEW_ARGS(answer->body));
	cr_expect_gt(answer->body.len, 8 * 1024 * 1024);
	cr_expect_eq(cJSON_GetArraySize(answer_json(answer)), 1000);
	/* the next one is served as ever */
	cr_expect(view_equal(get("")->body, VIEW("[]")));
}

Test(list, links_begin_with_the_base_path)
{
	fill(2);
	const struct answer *page;
	struct responder *below = responder_start(
	        "tasks",
	        api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url), "BASE_PATH=/~u/app", NULL}));
	struct ask ask = {.target = "/~u/app/api/anna/tasks?limit=1", .token = api_token("anna")};
	page = responder_ask(below, &ask);
	cr_expect(view_starts(view_of(next_of(page)), VIEW("/~u/app/api/anna/tasks?limit=1&cursor=")));
	ask.target = next_of(page);
	cr_expect_eq(responder_ask(below, &ask)->status, 200);
}

Test(list, head_tells_the_link_and_the_count_too)
{
	fill(8);
	struct ask ask = {
	        .method = "HEAD", .target = "/api/anna/tasks?limit=2&count=exact", .token = api_token("anna")};
	const struct answer *answer = responder_ask(tasks, &ask);
	cr_expect_eq(answer->status, 200);
	cr_expect_not_null(next_of(answer));
	cr_expect(view_equal(answer_header(answer, "X-Total-Count"), VIEW("8")));
}

/* ---- cursors that somebody edited ---- */

/* The cursor in a target. */
static struct view cursor_in(const char *target)
{
	const char *start = target ? strstr(target, "cursor=") : NULL;
	cr_assert_not_null(start);
	struct view rest = view_of(start + 7);
	return view_cut(&rest, '&');
}

Test(list, a_cursor_of_another_list_is_refused)
{
	fill(12);
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct view cursor = cursor_in(next_of(get(ask_format("%s&limit=1", orders[i].query))));
		for (size_t j = 0; j < COUNT(orders); j++) {
			const struct answer *answer =
			        get(ask_format("%s&cursor=%.*s", orders[j].query, VIEW_ARGS(cursor)));
			if (i == j)
				cr_expect_eq(answer->status, 200);
			else
				expect_problem(answer, 400, "bad_cursor", orders[j].query);
		}
		const char *filters[] = {"status=completed", "priority=low", "tag=even", "search=m"};
		for (size_t j = 0; j < COUNT(filters); j++)
			expect_problem(
			        get(ask_format("%s&%s&cursor=%.*s", orders[i].query, filters[j], VIEW_ARGS(cursor))),
			        400, "bad_cursor", filters[j]);
	}
}

Test(list, another_users_cursor_moves_within_the_own_list)
{
	fill(12);
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct view cursor = cursor_in(next_of(get(ask_format("%s&limit=5", orders[i].query))));
		const struct answer *answer = get_as(
		        "berta", ask_format("/api/berta/tasks?%s&cursor=%.*s", orders[i].query, VIEW_ARGS(cursor)));
		cr_assert_eq(answer->status, 200);
		const cJSON *task;
		cJSON_ArrayForEach(task, answer_json(answer))
		        cr_expect(view_equal(json_member_text(task, "user_id"), VIEW("berta")));
	}
}

/* Numbers that are the same in every run. */
static uint32_t dice(uint32_t below)
{
	static uint32_t state = 2463534242;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % below;
}

/* One change somewhere in the text: a bit, a byte, a cut, an insertion, a piece of something else. */
static void mutate(struct buf *text)
{
	static const struct view pieces[] = {
	        VIEW("'"),          VIEW("\n"),   VIEW("\0"), VIEW("%00"), VIEW("infinity"), VIEW("-infinity"),
	        VIEW("\xFF"),       VIEW("9999"), VIEW("-1"), VIEW("''"),  VIEW("urgent"),   VIEW("\\"),
	        VIEW("2026-13-45"), VIEW("$1"),   VIEW("{}"), VIEW(" BC"),
	};
	size_t at = dice((uint32_t)text->len);
	struct view piece = pieces[dice(COUNT(pieces))];
	switch (dice(5)) {
	case 0:
		text->ptr[at] ^= (char)(1 << dice(8));
		break;
	case 1:
		text->ptr[at] = (char)('0' + dice(75));
		break;
	case 2:
		text->len = at + 1;
		break;
	case 3:
		for (size_t i = 0; i < piece.len && at + i < text->len; i++)
			text->ptr[at + i] = piece.ptr[i];
		break;
	default:
		buf_add(text, piece);
		memmove(text->ptr + at + piece.len, text->ptr + at, text->len - at - piece.len);
		memcpy(text->ptr + at, piece.ptr, piece.len);
	}
}

static const char *encoded(const struct buf *text)
{
	char *out = ask_format("%*s", (int)BASE64URL_ENCODED(text->len), "");
	out[base64url_encode((const unsigned char *)text->ptr, text->len, out)] = '\0';
	return out;
}

/* 200 with the own tasks, or 400: nothing else. Returns whether it was taken. */
static bool expect_harmless(const char *query, const char *cursor)
{
	const struct answer *answer = get(ask_format("%s&limit=3&cursor=%s", query, cursor));
	if (answer->status != 200) {
		expect_problem(answer, 400, "bad_cursor", cursor);
		return false;
	}
	const cJSON *task;
	cJSON_ArrayForEach(task, answer_json(answer))
	        cr_assert(view_equal(json_member_text(task, "user_id"), VIEW("anna")), "%.*s", VIEW_ARGS(answer->body));
	return true;
}

Test(list, no_edited_cursor_shows_anothers_task_or_troubles_the_database)
{
	enum { MUTATIONS = 150 };
	unsigned taken = 0;
	fill(24);
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct view cursor = cursor_in(next_of(get(ask_format("%s&limit=5", orders[i].query))));
		unsigned char decoded[512];
		size_t len;
		cr_assert_leq(BASE64URL_DECODED(cursor.len), sizeof decoded);
		cr_assert(base64url_decode(cursor, decoded, &len));
		for (unsigned n = 0; n < MUTATIONS; n++) {
			struct buf text = buf_make(1024);
			buf_add(&text, (struct view){(const char *)decoded, len});
			for (unsigned times = 1 + dice(3); times > 0; times--)
				mutate(&text);
			taken += expect_harmless(orders[i].query, encoded(&text));
			buf_destroy(&text);
		}
	}
	cr_expect_gt(taken, 20, "edits that are well-formed are taken");
	cr_expect_lt(taken, COUNT(orders) * MUTATIONS);
	struct view log = responder_log(tasks);
	cr_expect(!memmem(log.ptr, log.len, "SQLSTATE", 8), "%.*s", VIEW_ARGS(log));
}
