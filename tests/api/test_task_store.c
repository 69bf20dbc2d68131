/* Tasks in a real database: what is stored is what is told, to its owner alone. */
#include "support/postgres.h"

#include <stdlib.h>

#include "base/json.h"
#include "support/database.h"
#include "support/leaks.h"
#include "support/principal.h"
#include "task/store.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(store, .fini = leaks_check, .timeout = 120);

#define FOREIGN_ID "00000000-0000-7000-8000-000000000001"

/* All that a test holds, so that one line frees it. */
struct bench {
	struct arena arena;
	struct db *db;
	struct buf out;
};

static struct bench bench_make(const char *database)
{
	struct bench bench = {.db = database_make(database), .out = buf_make(1 << 24)};
	cr_assert(arena_init(&bench.arena, 1 << 24));
	return bench;
}

static void bench_destroy(struct bench *bench)
{
	db_close(bench->db);
	buf_destroy(&bench->out);
	arena_destroy(&bench->arena);
}

#define BENCH __attribute__((cleanup(bench_destroy))) struct bench

/* What was written since the last call. */
static const cJSON *written(struct bench *bench)
{
	const cJSON *json = NULL;
	cr_assert_eq(json_parse(&bench->arena, buf_view(&bench->out), &json), JSON_OK, "%.*s",
	             VIEW_ARGS(buf_view(&bench->out)));
	buf_reset(&bench->out, bench->out.max);
	return json;
}

static struct task_input titled(const char *title)
{
	return (struct task_input){.title = view_of(title), .priority = VIEW("medium")};
}

#define STORE_OF(bench, user) (&(struct task_store){(bench)->db, &(bench)->arena, principal_of(user)})

/* Newest first, as many as there may be. */
static const struct task_list everything = {.descending = true, .limit = TASK_LIST_MAX};

static const cJSON *create(struct bench *bench, const char *user, const struct task_input *input, char *ret_id)
{
	struct task_stored task;
	cr_assert_eq(task_create(STORE_OF(bench, user), input, &bench->out, &task), OUTCOME_OK);
	memcpy(ret_id, task.id, sizeof task.id);
	return written(bench);
}

static const cJSON *list(struct bench *bench, const char *user)
{
	struct view next;
	cr_assert_eq(task_list(STORE_OF(bench, user), &everything, &bench->out, &next), OUTCOME_OK);
	return written(bench);
}

static void expect_text(const cJSON *task, const char *member, const char *text)
{
	struct view found = json_member_text(task, member);
	cr_expect(view_equal(found, view_of(text)), "%s is %.*s, not %s", member, VIEW_ARGS(found), text);
}

static bool same_text(const cJSON *one, const cJSON *other, const char *member)
{
	struct view text = json_member_text(one, member);
	return !view_is_absent(text) && view_equal(text, json_member_text(other, member));
}

Test(store, a_new_user_has_an_empty_array)
{
	BENCH bench = bench_make("store_empty");
	struct view next;
	cr_assert_eq(task_list(STORE_OF(&bench, "nobody"), &everything, &bench.out, &next), OUTCOME_OK);
	cr_expect(view_is_absent(next));
	cr_expect(view_equal(buf_view(&bench.out), VIEW("[]")));
}

Test(store, returns_every_member_as_it_was_stored)
{
	BENCH bench = bench_make("store_members");
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("Z\u00fcrich \"quoted\" \\ \U0001F600");
	input.description = VIEW("two\n\tlines, {braces}, 'quotes', NULL");
	input.priority = VIEW("high");
	input.completed = true;
	input.has_due_date = true;
	input.due_date = INT64_C(1769846400123456);
	input.tags[0] = VIEW("a,b");
	input.tags[1] = VIEW("\"{}\\");
	input.tags[2] = VIEW("NULL");
	input.tags[3] = VIEW(" kept ");
	input.tag_count = 4;
	const cJSON *task = create(&bench, "anna", &input, id);
	expect_text(task, "id", id);
	expect_text(task, "user_id", "anna");
	expect_text(task, "title", "Z\u00fcrich \"quoted\" \\ \U0001F600");
	expect_text(task, "description", "two\n\tlines, {braces}, 'quotes', NULL");
	expect_text(task, "priority", "high");
	expect_text(task, "due_date", "2026-01-31T08:00:00.123456Z");
	cr_expect(cJSON_IsTrue(json_member(task, "completed")));
	const cJSON *tags = json_member(task, "tags");
	cr_assert_eq(cJSON_GetArraySize(tags), 4);
	for (int i = 0; i < 4; i++)
		cr_expect(view_equal(json_text(cJSON_GetArrayItem(tags, i)), input.tags[i]), "tag %d", i);
	cr_expect(same_text(task, task, "created_at"));
	cr_expect(view_equal(json_member_text(task, "created_at"), json_member_text(task, "updated_at")));
}

Test(store, absent_members_are_stored_as_their_defaults)
{
	BENCH bench = bench_make("store_defaults");
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("plain");
	const cJSON *task = create(&bench, "anna", &input, id);
	cr_expect(cJSON_IsNull(json_member(task, "description")));
	cr_expect(cJSON_IsNull(json_member(task, "due_date")));
	cr_expect(cJSON_IsFalse(json_member(task, "completed")));
	expect_text(task, "priority", "medium");
	cr_expect_eq(cJSON_GetArraySize(json_member(task, "tags")), 0);
}

Test(store, an_empty_description_is_not_null)
{
	BENCH bench = bench_make("store_empty_description");
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("plain");
	input.description = VIEW("");
	expect_text(create(&bench, "anna", &input, id), "description", "");
}

Test(store, the_earliest_and_latest_due_dates_come_back)
{
	BENCH bench = bench_make("store_due_dates");
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("old");
	input.has_due_date = true;
	input.due_date = INT64_C(-62135596800000000);
	expect_text(create(&bench, "anna", &input, id), "due_date", "0001-01-01T00:00:00.000000Z");
	input.due_date = INT64_C(253402300799999999);
	expect_text(create(&bench, "anna", &input, id), "due_date", "9999-12-31T23:59:59.999999Z");
}

/* Whoever keeps the database may have set it up for somebody else. */
Test(store, tells_what_was_stored_whatever_the_database_is_set_to)
{
	static const char *const settings[] = {"DateStyle = 'SQL, DMY'",
	                                       "TimeZone = 'Asia/Kathmandu'",
	                                       "IntervalStyle = 'sql_standard'",
	                                       "client_encoding = 'LATIN1'",
	                                       "array_nulls = off",
	                                       "standard_conforming_strings = off",
	                                       "transform_null_equals = on",
	                                       "bytea_output = 'escape'",
	                                       "extra_float_digits = -15",
	                                       "default_text_search_config = 'simple'"};
	BENCH bench = bench_make("store_settings");
	struct task_stored stored;
	struct view next;
	char id[TASK_ID_TEXT + 1];
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		char sql[200];
		snprintf(sql, sizeof sql, "ALTER DATABASE store_settings SET %s", settings[i]);
		postgres_run("postgres", "store_settings", sql);
	}
	struct task_input input = titled("\u20ac \\ '");
	input.description = VIEW("\\n \\' \u00fc");
	input.tags[0] = VIEW("NULL");
	input.tags[1] = VIEW("\\");
	input.tag_count = 2;
	input.has_due_date = true;
	input.due_date = INT64_C(-62135596800000000);
	expect_text(create(&bench, "anna", &input, id), "due_date", "0001-01-01T00:00:00.000000Z");
	input.due_date = INT64_C(1769986800000000); /* its day and month could change places */
	const cJSON *task = create(&bench, "anna", &input, id);
	expect_text(task, "due_date", "2026-02-01T23:00:00.000000Z");
	expect_text(task, "title", "\u20ac \\ '");
	expect_text(task, "description", "\\n \\' \u00fc");
	cr_expect(view_equal(json_text(cJSON_GetArrayItem(json_member(task, "tags"), 0)), VIEW("NULL")));

	char *bytes = postgres_value("postgres", "store_settings",
	                             "SELECT string_agg(DISTINCT octet_length(title)::text, ' ') FROM todo.task");
	cr_expect_str_eq(bytes, "7", "the text itself is in the database, and not its bytes for something else");
	free(bytes);

	struct etags etags = {.count = 1};
	cr_assert_eq(task_get(STORE_OF(&bench, "anna"), view_of(id), &bench.out, &stored), OUTCOME_OK);
	cr_assert(etags_read(view_of(stored.etag), &etags));
	cr_assert_eq(task_replace(STORE_OF(&bench, "anna"), view_of(id), &etags, &input, &bench.out, &stored),
	             OUTCOME_OK);
	/* and pages by instants that are written and read back */
	struct task_list page = {.sort = SORT_DUE_DATE, .limit = 1, .pattern = VIEW("%\u20ac \\\\%")};
	buf_reset(&bench.out, bench.out.max);
	cr_assert_eq(task_list(STORE_OF(&bench, "anna"), &page, &bench.out, &next), OUTCOME_OK);
	cr_expect_eq(cJSON_GetArraySize(written(&bench)), 1);
	struct query query = {.values = {[PARAMETER_SORT] = VIEW("due_date"),
	                                 [PARAMETER_SEARCH] = VIEW("\u20ac \\"),
	                                 [PARAMETER_LIMIT] = VIEW("1"),
	                                 [PARAMETER_CURSOR] = next}};
	cr_assert_eq(task_list_read(&bench.arena, &query, &page), OUTCOME_OK);
	cr_assert_eq(task_list(STORE_OF(&bench, "anna"), &page, &bench.out, &next), OUTCOME_OK);
	expect_text(cJSON_GetArrayItem(written(&bench), 0), "id", id);
	cr_expect(view_is_absent(next));
}

Test(store, lists_the_newest_first)
{
	BENCH bench = bench_make("store_order");
	char ids[3][TASK_ID_TEXT + 1];
	for (size_t i = 0; i < 3; i++) {
		struct task_input input = titled("one of three");
		create(&bench, "anna", &input, ids[i]);
	}
	const cJSON *tasks = list(&bench, "anna");
	cr_assert_eq(cJSON_GetArraySize(tasks), 3);
	for (int i = 0; i < 3; i++)
		expect_text(cJSON_GetArrayItem(tasks, i), "id", ids[2 - i]);
}

Test(store, lists_a_thousand_at_most)
{
	BENCH bench = bench_make("store_thousand");
	postgres_run("postgres", "store_thousand",
	             "INSERT INTO todo.task (user_id, id, title)"
	             " SELECT 'anna', gen_random_uuid(), 'task ' || n FROM generate_series(1, 1001) n");
	cr_expect_eq(cJSON_GetArraySize(list(&bench, "anna")), 1000);
}

Test(store, equal_times_are_told_apart_by_id)
{
	BENCH bench = bench_make("store_ties");
	postgres_run("postgres", "store_ties",
	             "INSERT INTO todo.task (user_id, id, title, created_at)"
	             " SELECT 'anna', ('00000000-0000-7000-8000-00000000000' || n)::uuid, 't', '2026-01-01Z'"
	             " FROM (VALUES (2), (3), (1)) v (n)");
	const cJSON *tasks = list(&bench, "anna");
	expect_text(cJSON_GetArrayItem(tasks, 0), "id", "00000000-0000-7000-8000-000000000003");
	expect_text(cJSON_GetArrayItem(tasks, 2), "id", "00000000-0000-7000-8000-000000000001");
}

Test(store, finds_a_task_by_its_id_in_either_case)
{
	BENCH bench = bench_make("store_case");
	struct task_stored stored;
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("found");
	create(&bench, "anna", &input, id);
	for (size_t i = 0; i < TASK_ID_TEXT; i++)
		if (id[i] >= 'a')
			id[i] = (char)(id[i] - 'a' + 'A');
	cr_expect_eq(task_get(STORE_OF(&bench, "anna"), view_of(id), &bench.out, &stored), OUTCOME_OK);
}

Test(store, replacing_sets_every_member)
{
	BENCH bench = bench_make("store_replace");
	struct task_stored stored;
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("before");
	input.description = VIEW("text");
	input.priority = VIEW("low");
	input.completed = true;
	input.has_due_date = true;
	input.tags[0] = VIEW("t");
	input.tag_count = 1;
	const cJSON *before = create(&bench, "anna", &input, id);
	input = titled("after");
	cr_assert_eq(task_replace(STORE_OF(&bench, "anna"), view_of(id), NULL, &input, &bench.out, &stored),
	             OUTCOME_OK);
	const cJSON *after = written(&bench);
	expect_text(after, "title", "after");
	expect_text(after, "priority", "medium");
	cr_expect(cJSON_IsNull(json_member(after, "description")));
	cr_expect(cJSON_IsNull(json_member(after, "due_date")));
	cr_expect(cJSON_IsFalse(json_member(after, "completed")));
	cr_expect_eq(cJSON_GetArraySize(json_member(after, "tags")), 0);
	cr_expect(same_text(before, after, "created_at"));
	cr_expect_not(same_text(before, after, "updated_at"));
}

Test(store, completes_reopens_and_toggles)
{
	static const struct {
		enum task_completion completion;
		bool completed;
	} steps[] = {{TASK_COMPLETED, true}, {TASK_COMPLETED, true}, {TASK_TOGGLE, false},
	             {TASK_TOGGLE, true},    {TASK_PENDING, false},  {TASK_PENDING, false}};
	BENCH bench = bench_make("store_complete");
	struct task_stored stored;
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("to do");
	create(&bench, "anna", &input, id);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		cr_assert_eq(task_complete(STORE_OF(&bench, "anna"), view_of(id), NULL, steps[i].completion, &bench.out,
		                           &stored),
		             OUTCOME_OK);
		const cJSON *task = written(&bench);
		cr_expect_eq(cJSON_IsTrue(json_member(task, "completed")), steps[i].completed, "step %zu", i);
	}
}

Test(store, updated_at_grows_even_when_the_clock_is_behind)
{
	BENCH bench = bench_make("store_clock");
	struct task_stored stored;
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("from the future");
	create(&bench, "anna", &input, id);
	postgres_run("postgres", "store_clock", "UPDATE todo.task SET updated_at = '2999-01-01T00:00:00Z'");
	cr_assert_eq(task_complete(STORE_OF(&bench, "anna"), view_of(id), NULL, TASK_TOGGLE, &bench.out, &stored),
	             OUTCOME_OK);
	expect_text(written(&bench), "updated_at", "2999-01-01T00:00:00.000001Z");
	cr_assert_eq(task_replace(STORE_OF(&bench, "anna"), view_of(id), NULL, &input, &bench.out, &stored),
	             OUTCOME_OK);
	expect_text(written(&bench), "updated_at", "2999-01-01T00:00:00.000002Z");
}

Test(store, a_deleted_task_is_gone)
{
	BENCH bench = bench_make("store_delete");
	struct task_stored stored;
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("short-lived");
	create(&bench, "anna", &input, id);
	cr_expect_eq(task_delete(STORE_OF(&bench, "anna"), view_of(id), NULL, &stored), OUTCOME_OK);
	cr_expect_eq(task_delete(STORE_OF(&bench, "anna"), view_of(id), NULL, &stored), OUTCOME_NO_SUCH_TASK);
	cr_expect_eq(task_get(STORE_OF(&bench, "anna"), view_of(id), &bench.out, &stored), OUTCOME_NO_SUCH_TASK);
}

/* Every function that takes an id, on a task of Anna's, as Bert. */
static void expect_untouchable(struct bench *bench, struct view id)
{
	const struct task_store *berts = STORE_OF(bench, "bert");
	const struct etags any = {.any = true};
	const struct task_input input = titled("stolen");
	const struct task_patch patch = {.members = TASK_MEMBER_TITLE, .values = input};
	struct task_stored stored;
	int64_t number = -1;
	cr_expect_eq(task_get(berts, id, &bench->out, &stored), OUTCOME_NO_SUCH_TASK);
	cr_expect_eq(task_replace(berts, id, NULL, &input, &bench->out, &stored), OUTCOME_NO_SUCH_TASK);
	cr_expect_eq(task_replace(berts, id, &any, &input, &bench->out, &stored), OUTCOME_NO_SUCH_TASK);
	cr_expect_eq(task_patch(berts, id, NULL, &patch, &bench->out, &stored), OUTCOME_NO_SUCH_TASK);
	cr_expect_eq(task_complete(berts, id, NULL, TASK_TOGGLE, &bench->out, &stored), OUTCOME_NO_SUCH_TASK);
	cr_expect_eq(task_delete(berts, id, NULL, &stored), OUTCOME_NO_SUCH_TASK);
	cr_expect_eq(task_clear(berts, &number), OUTCOME_OK);
	cr_expect_eq(number, 0);
	cr_expect_eq(task_count(berts, &everything, &number), OUTCOME_OK);
	cr_expect_eq(number, 0);
	cr_expect_eq(bench->out.len, 0);
	cr_expect_eq(cJSON_GetArraySize(list(bench, "bert")), 0);
	const cJSON *tasks = list(bench, "anna");
	cr_assert_eq(cJSON_GetArraySize(tasks), 1);
	expect_text(cJSON_GetArrayItem(tasks, 0), "title", "Anna's");
}

Test(store, another_users_task_is_not_there)
{
	BENCH bench = bench_make("store_foreign");
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("Anna's");
	input.completed = true;
	create(&bench, "anna", &input, id);
	expect_untouchable(&bench, view_of(id));
}

Test(store, the_statements_alone_keep_users_apart)
{
	postgres_database("store_no_rls");
	postgres_run("todo_owner", "store_no_rls", "ALTER TABLE todo.task DISABLE ROW LEVEL SECURITY");
	char *url = postgres_url("todo_app", "store_no_rls");
	struct config config = database_config(url);
	config.database_role_check = false;
	BENCH bench = {.db = database_open(&config), .out = buf_make(1 << 20)};
	free(url);
	cr_assert(arena_init(&bench.arena, 1 << 20));
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("Anna's");
	input.completed = true;
	create(&bench, "anna", &input, id);
	expect_untouchable(&bench, view_of(id));
}

Test(store, row_level_security_alone_keeps_users_apart)
{
	BENCH bench = bench_make("store_rls");
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("Anna's");
	input.completed = true;
	create(&bench, "anna", &input, id);
	/* As the responders' role, with statements that forget the user. */
	static const struct {
		const char *sql;
		const char *expected;
	} cases[] = {
	        {"SELECT count(*) FROM todo.task", "0"},
	        {"SELECT set_config('todo.user_id', '', false); SELECT count(*) FROM todo.task", "0"},
	        {"SELECT set_config('todo.user_id', 'bert', false); SELECT count(*) FROM todo.task", "0"},
	        {"SELECT set_config('todo.user_id', 'Anna', false); SELECT count(*) FROM todo.task", "0"},
	        {"SELECT set_config('todo.user_id', 'anna', false); SELECT count(*) FROM todo.task", "1"},
	        {"SELECT set_config('todo.user_id', 'bert', false); WITH gone AS (DELETE FROM todo.task RETURNING 1)"
	         " SELECT count(*) FROM gone",
	         "0"},
	        {"SELECT set_config('todo.user_id', 'bert', false); WITH done AS (UPDATE todo.task SET completed = true"
	         " RETURNING 1) SELECT count(*) FROM done",
	         "0"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *value = postgres_value("todo_app", "store_rls", cases[i].sql);
		cr_expect_str_eq(value, cases[i].expected, "%s", cases[i].sql);
		free(value);
	}
	PGconn *conn = postgres_connect("todo_app", "store_rls");
	PQclear(PQexec(conn, "SELECT set_config('todo.user_id', 'bert', false)"));
	PGresult *planted =
	        PQexec(conn, "INSERT INTO todo.task (user_id, id, title) VALUES ('anna', '" FOREIGN_ID "', 't')");
	const char *sqlstate = PQresultErrorField(planted, PG_DIAG_SQLSTATE);
	cr_expect_str_eq(sqlstate ? sqlstate : "none", "42501");
	PQclear(planted);
	PQfinish(conn);
}

Test(store, two_users_may_have_the_same_id)
{
	BENCH bench = bench_make("store_same_id");
	struct task_stored stored;
	postgres_run("postgres", "store_same_id",
	             "INSERT INTO todo.task (user_id, id, title) VALUES"
	             " ('anna', '" FOREIGN_ID "', 'Anna''s'), ('bert', '" FOREIGN_ID "', 'Bert''s')");
	cr_assert_eq(task_delete(STORE_OF(&bench, "bert"), VIEW(FOREIGN_ID), NULL, &stored), OUTCOME_OK);
	cr_assert_eq(task_get(STORE_OF(&bench, "anna"), VIEW(FOREIGN_ID), &bench.out, &stored), OUTCOME_OK);
	expect_text(written(&bench), "title", "Anna's");
}

Test(store, user_ids_are_compared_byte_for_byte)
{
	static const char *const others[] = {
	        "anna", "ANNA", "Anna ", " Anna", "Ann\u00e0", "0", "Anna'; DROP TABLE todo.task; --"};
	BENCH bench = bench_make("store_user_ids");
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("hers");
	create(&bench, "Anna", &input, id);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		cr_expect_eq(cJSON_GetArraySize(list(&bench, others[i])), 0, "%s", others[i]);
		create(&bench, others[i], &input, id);
		cr_expect_eq(cJSON_GetArraySize(list(&bench, others[i])), 1, "%s", others[i]);
	}
	cr_expect_eq(cJSON_GetArraySize(list(&bench, "Anna")), 1);
}

Test(store, a_buffer_too_small_is_no_success)
{
	BENCH bench = bench_make("store_small_buffer");
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("long enough to need more than that");
	create(&bench, "anna", &input, id);
	struct buf small = buf_make(64);
	struct view next;
	cr_expect_eq(task_list(STORE_OF(&bench, "anna"), &everything, &small, &next), OUTCOME_INTERNAL);
	buf_destroy(&small);
}

Test(store, works_without_prepared_statements)
{
	postgres_database("store_unprepared");
	char *url = postgres_url("todo_app", "store_unprepared");
	struct config config = database_config(url);
	config.database_prepare = false;
	BENCH bench = {.db = database_open(&config), .out = buf_make(1 << 20)};
	free(url);
	cr_assert(arena_init(&bench.arena, 1 << 20));
	char id[TASK_ID_TEXT + 1];
	struct task_input input = titled("once");
	create(&bench, "anna", &input, id);
	create(&bench, "anna", &input, id);
	cr_expect_eq(cJSON_GetArraySize(list(&bench, "anna")), 2);
}
