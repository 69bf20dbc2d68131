/* How the database reads lists: a page comes from the index of its order, from where it begins, and
 * costs what it shows, however many tasks others or the user may have.
 *
 * TEST_PLANS_USERS says how many users have 100 tasks each, TEST_PLANS_TASKS how many the one user
 * has who has many; `make test-plans` asks for 10,000 and 100,000. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/json.h"
#include "db/connection.h"
#include "support/ask.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define DATABASE "plans"

enum { NODES_MAX = 16, PARAMETERS_MAX = 10 };

/* ---- the statements ---- */

struct statement {
	const char *name;
	unsigned parameters;
	const char *sql;
};

static const struct statement statements[] = {
#define STATEMENT(NAME, access, parameters, sql) {#NAME, parameters, sql},
#include "db/statements.def"
#undef STATEMENT
};

/* Each order of the list, and the index that fits it. */
static const struct order {
	const char *name;
	const char *index;
	const char *key;   /* what a page begins with, as a cursor says it */
	const char *sort;  /* the place of a task in that order */
	const char *bound; /* the key in an index condition */
} orders[] = {
        {"CREATED", "task_by_creation", "created_at", "created_at", "created_at"},
        {"UPDATED", "task_by_update", "updated_at", "updated_at", "updated_at"},
        {"TITLE", "task_by_title", "title", "title_key", "title_key"},
        {"DUE_DATE", "task_by_due_date", "due_date", "due_key", "due_key"},
        {"PRIORITY", "task_by_priority", "priority", "priority_rank", "priority_rank"},
};

static const struct statement *statement_named(const char *name)
{
	for (size_t i = 0; i < COUNT(statements); i++)
		if (strcmp(statements[i].name, name) == 0)
			return &statements[i];
	cr_assert_fail("no statement %s", name);
	return NULL;
}

/* ---- the tasks ---- */

static int size_from(const char *name, const char *standard)
{
	uint64_t size = 0;
	const char *text = getenv(name);
	cr_assert(view_to_u64(view_of(text && *text ? text : standard), 1000000, &size), "%s", name);
	return (int)size;
}

static int users_count(void)
{
	return size_from("TEST_PLANS_USERS", "400");
}

static int many_count(void)
{
	return size_from("TEST_PLANS_TASKS", "20000");
}

/* Everybody's first task, then everybody's second: no user's tasks lie together. */
static void fill(void)
{
	postgres_database(DATABASE);
	postgres_run(
	        "postgres", DATABASE,
	        ask_format(
	                "INSERT INTO todo.task (user_id, id, title, description, completed, priority, due_date, tags,"
	                " created_at, updated_at)"
	                " SELECT CASE u WHEN 0 THEN 'many' ELSE 'user' || u END,"
	                " (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(u), 12, '0'))::uuid,"
	                " 'Task ' || md5(n || ':' || u), repeat('text ', n %% 20), n %% 3 = 0,"
	                " (ARRAY['low', 'medium', 'high'])[n * 7 %% 3 + 1]::todo.priority,"
	                " CASE WHEN n %% 4 > 0 THEN '2026-06-01Z'::timestamptz + n * 17 %% 365 * interval '1 day' END,"
	                " CASE WHEN n %% 5 = 0 THEN '{home}'::text[] ELSE '{}' END,"
	                " '2026-01-01Z'::timestamptz + n / 3 * interval '1 second',"
	                " '2026-02-01Z'::timestamptz + n * 7919 %% 10007 * interval '1 second'"
	                " FROM (SELECT n, u FROM generate_series(1, 100) n, generate_series(1, %d) u"
	                "       UNION ALL SELECT n, 0 FROM generate_series(1, %d) n) rows",
	                users_count(), many_count()));
	postgres_run("postgres", DATABASE, "VACUUM ANALYZE todo.task");
}

/* ---- plans ---- */

/* What one scan of a table did, and what stood above it. */
struct plan {
	const char *text;
	const char *scan; /* the one scan's node, index, condition and direction */
	const char *index;
	const char *condition;
	bool backward;
	bool sorts;
	unsigned scans;
	double returned; /* rows that the scan gave, and that it threw away */
	double dropped;
	double blocks;
};

static double number(const cJSON *node, const char *name)
{
	const cJSON *member = json_member(node, name);
	return cJSON_IsNumber(member) ? member->valuedouble : 0;
}

static const char *text(const cJSON *node, const char *name)
{
	return ask_keep(json_member_text(node, name));
}

static void read_scan(const cJSON *node, struct plan *plan)
{
	plan->scans++;
	plan->scan = text(node, "Node Type");
	plan->index = text(node, "Index Name");
	plan->condition = text(node, "Index Cond");
	plan->backward = view_equal(json_member_text(node, "Scan Direction"), VIEW("Backward"));
	plan->returned = number(node, "Actual Rows");
	plan->dropped = number(node, "Rows Removed by Filter") + number(node, "Rows Removed by Index Recheck");
}

static struct plan read_plan(const char *json)
{
	const cJSON *root = NULL;
	const cJSON *waiting[NODES_MAX];
	size_t count = 0;
	struct plan plan = {.text = json, .scan = "", .index = "", .condition = ""};
	cr_assert_eq(json_parse(ask_arena(), view_of(json), &root), JSON_OK, "%s", json);
	waiting[count++] = json_member(cJSON_GetArrayItem(root, 0), "Plan");
	plan.blocks = number(waiting[0], "Shared Hit Blocks") + number(waiting[0], "Shared Read Blocks");
	while (count > 0) {
		const cJSON *node = waiting[--count];
		struct view type = json_member_text(node, "Node Type");
		plan.sorts = plan.sorts || memmem(type.ptr, type.len, "Sort", 4);
		if (!view_is_absent(json_member_text(node, "Relation Name")) ||
		    view_equal(type, VIEW("Bitmap Index Scan")))
			read_scan(node, &plan);
		const cJSON *child;
		cJSON_ArrayForEach(child, json_member(node, "Plans"))
		{
			cr_assert_lt(count, NODES_MAX);
			waiting[count++] = child;
		}
	}
	return plan;
}

/* A connection as the responders have it: their role, in a transaction that begins as theirs do, row-level
 * security in force. `mode`: for all values alike, or for these, since the server takes the one or the other. */
static PGconn *connect_as(const char *user, const char *mode)
{
	PGconn *conn = postgres_connect("todo_app", DATABASE);
	const char *const values[] = {user, "600000", NULL};
	PQclear(PQexec(conn, ask_format("SET plan_cache_mode = %s", mode)));
	PQclear(PQexec(conn, "BEGIN"));
	PGresult *result = PQexecParams(conn, CONNECTION_IDENTITY, 3, NULL, values, NULL, NULL, 0);
	cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQerrorMessage(conn));
	PQclear(result);
	return conn;
}

/* Runs the statement and tells how; `values` are SQL, of $2 and on. */
static struct plan explain(PGconn *conn, const char *name, const char *user, const char *values)
{
	static unsigned count;
	const struct statement *statement = statement_named(name);
	const char *types = "text";
	for (unsigned i = 1; i < statement->parameters; i++)
		types = ask_format("%s, text", types);
	const char *prepared = ask_format("s%u", count++);
	PGresult *result = PQexec(conn, ask_format("PREPARE %s (%s) AS %s", prepared, types, statement->sql));
	cr_assert_eq(PQresultStatus(result), PGRES_COMMAND_OK, "%s: %s", name, PQerrorMessage(conn));
	PQclear(result);
	result = PQexec(conn, ask_format("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE %s ('%s'%s%s)",
	                                 prepared, user, *values ? ", " : "", values));
	cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s: %s", name, PQerrorMessage(conn));
	const char *json = ask_keep(view_of(PQgetvalue(result, 0, 0)));
	PQclear(result);
	return read_plan(json);
}

/* ---- what is expected ---- */

static bool holds(const char *condition, const char *part)
{
	return strstr(condition, part) != NULL;
}

/* The one scan is of that index, in that direction, of that user's part alone, and nothing is sorted. */
static void expect_index(const struct plan *plan, const char *name, const char *index, bool backward)
{
	cr_expect_eq(plan->scans, 1, "%s: %s", name, plan->text);
	cr_expect_str_eq(plan->scan, "Index Scan", "%s: %s", name, plan->text);
	cr_expect_str_eq(plan->index, index, "%s: %s", name, plan->text);
	cr_expect(holds(plan->condition, "user_id = "), "%s: %s", name, plan->text);
	cr_expect_eq(plan->backward, backward, "%s: %s", name, plan->text);
	cr_expect(!plan->sorts, "%s: %s", name, plan->text);
}

/* The rows behind a place in the middle of the user's list, as $7 and $8. */
static const char *middle(const struct order *order, const char *user, const char *direction, int total)
{
	char *place = postgres_value(
	        "postgres", DATABASE,
	        ask_format("SELECT coalesce(quote_literal(%s), 'NULL') || ', ' || quote_literal(id) FROM todo.task"
	                   " WHERE user_id = '%s' ORDER BY %s %s, id %s OFFSET %d LIMIT 1",
	                   order->key, user, order->sort, direction, direction, total / 2));
	const char *kept = ask_keep(view_of(place));
	free(place);
	return kept;
}

struct reader {
	const char *user;
	int total;
	const char *mode;
};

/* Every page reads so many rows as it shows, and few blocks, wherever it begins. `kind`: before the order's name. */
static void expect_pages(const char *kind, const struct order *order, bool descending, const struct reader *reader)
{
	static const int limits[] = {21, 1001};
	const char *direction = descending ? "DESC" : "ASC";
	const char *first = ask_format("LIST_%s%s_%s", kind, order->name, direction);
	const char *later = ask_format("%s_FROM", first);
	PGconn *conn = connect_as(reader->user, reader->mode);
	for (size_t i = 0; i < COUNT(limits); i++) {
		double shown = limits[i] < reader->total ? limits[i] : reader->total;
		struct plan plan =
		        explain(conn, first, reader->user, ask_format("NULL, NULL, NULL, NULL, '%d'", limits[i]));
		expect_index(&plan, first, order->index, descending);
		cr_expect_eq(plan.returned, shown, "%s: %s", first, plan.text);
		cr_expect_eq(plan.dropped, 0, "%s: %s", first, plan.text);

		int left = reader->total - reader->total / 2 - 1;
		shown = limits[i] < left ? limits[i] : left;
		plan = explain(conn, later, reader->user,
		               ask_format("NULL, NULL, NULL, NULL, '%d', %s", limits[i],
		                          middle(order, reader->user, direction, reader->total)));
		expect_index(&plan, later, order->index, descending);
		cr_expect(holds(plan.condition, "ROW(") && holds(plan.condition, order->bound) &&
		                  holds(plan.condition, descending ? "<" : ">"),
		          "%s: where the page begins is no condition on the index: %s", later, plan.text);
		cr_expect_eq(plan.returned, shown, "%s: %s", later, plan.text);
		cr_expect_eq(plan.dropped, 0, "%s: %s", later, plan.text);
		/* A block of the table for each row at the most, and the way down the index. */
		cr_expect_leq(plan.blocks, 2 * shown + 30, "%s: %s", later, plan.text);
	}
	PQfinish(conn);
}

/* A filter looks at the user's own rows in their order, and at nobody else's. */
static void expect_filters(const struct order *order, bool descending, const struct reader *reader)
{
	static const char *const filters[] = {
	        "'pending', 'high', 'nowhere', NULL",
	        "NULL, NULL, NULL, '%no such text%'",
	        "'completed', NULL, 'home', '%no such text%'",
	};
	const char *name = ask_format("LIST_FILTERED_%s_%s", order->name, descending ? "DESC" : "ASC");
	PGconn *conn = connect_as(reader->user, reader->mode);
	for (size_t i = 0; i < COUNT(filters); i++) {
		struct plan plan = explain(conn, name, reader->user, ask_format("%s, '1001'", filters[i]));
		expect_index(&plan, name, order->index, descending);
		cr_expect_eq(plan.returned, 0, "%s: %s", name, plan.text);
		cr_expect_eq(plan.dropped, reader->total, "%s: %s", name, plan.text);
	}
	PQfinish(conn);
}

/* Reads that need no order may take any way that touches the user's rows alone. */
static void expect_own_rows(const char *name, const char *values, const struct reader *reader)
{
	PGconn *conn = connect_as(reader->user, reader->mode);
	struct plan plan = explain(conn, name, reader->user, values);
	cr_expect(strncmp(plan.scan, "Index", 5) == 0 || strncmp(plan.scan, "Bitmap", 6) == 0, "%s: %s", name,
	          plan.text);
	cr_expect(holds(plan.condition, "user_id = "), "%s: %s", name, plan.text);
	cr_expect_leq(plan.returned + plan.dropped, reader->total, "%s: %s", name, plan.text);
	PQfinish(conn);
}

Test(plans, lists_are_read_from_the_index_of_their_order_and_cost_what_they_show, .fini = ask_end, .timeout = 900)
{
	fill();
	const struct reader readers[] = {
	        {"user7", 100, "force_generic_plan"},
	        {"user7", 100, "force_custom_plan"},
	        {"many", many_count(), "force_generic_plan"},
	        {"many", many_count(), "force_custom_plan"},
	};
	for (size_t i = 0; i < COUNT(readers); i++) {
		for (size_t j = 0; j < COUNT(orders); j++) {
			for (int descending = 0; descending < 2; descending++) {
				expect_pages("", &orders[j], descending, &readers[i]);
				expect_pages("FILTERED_", &orders[j], descending, &readers[i]);
				expect_filters(&orders[j], descending, &readers[i]);
			}
		}
		expect_own_rows("LIST_COUNT", "NULL, NULL, NULL, NULL", &readers[i]);
		expect_own_rows("LIST_COUNT", "'completed', 'low', 'home', '%text%'", &readers[i]);
		PGconn *conn = connect_as(readers[i].user, readers[i].mode);
		struct plan plan = explain(conn, "TASK_EXPORT", readers[i].user, "");
		expect_index(&plan, "TASK_EXPORT", "task_by_creation", false);
		PQfinish(conn);
		expect_own_rows("TASK_GET", "'00000001-0000-7000-8000-000000000007'", &readers[i]);
	}
}
