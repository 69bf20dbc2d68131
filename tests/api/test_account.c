/* account.fcgi: a user takes all data along, and erases it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/account.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(account, .fini = api_end, .timeout = 240);

#if defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* A database of the test's own, and account.fcgi before it. */
static struct responder *start(const char **ret_database)
{
	*ret_database = api_name("account");
	return responder_start("account", api_settings_for(api_database(*ret_database)));
}

static struct ask export_of(const char *user)
{
	return (struct ask){.target = ask_format("/api/%s/export", user), .token = api_token(user)};
}

static const struct answer *export_good(const struct responder *account, const char *user)
{
	struct ask ask = export_of(user);
	const struct answer *answer = responder_ask(account, &ask);
	cr_assert_eq(answer->status, 200, "%.*s", VIEW_ARGS(answer->body));
	return answer;
}

static unsigned tasks_in(const struct answer *answer)
{
	const cJSON *tasks = json_member(answer_json(answer), "tasks");
	cr_assert(cJSON_IsArray(tasks));
	unsigned count = 0;
	const cJSON *task;
	cJSON_ArrayForEach(task, tasks) count++;
	return count;
}

static void expect_value(const char *database, const char *sql, const char *expected)
{
	cr_expect_str_eq(account_value(database, sql), expected, "%s", sql);
}

/* ---- export ---- */

Test(account, export_is_one_document_and_an_attachment)
{
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", 3, 10);
	account_fill(database, "berta", 2, 10);
	const struct answer *answer = export_good(account, "anna");
	cr_expect(view_equal(answer_header(answer, "Content-Type"), VIEW("application/json")));
	cr_expect(view_equal(answer_header(answer, "Content-Disposition"),
	                     VIEW("attachment; filename=\"todo-export.json\"")));
	cr_expect(view_equal(answer_header(answer, "Cache-Control"), VIEW("no-store")));
	cr_expect(view_equal(answer_header(answer, "Accept-Ranges"), VIEW("none")));
	cr_expect(view_equal(answer_header(answer, "Content-Length"), view_of(ask_format("%zu", answer->body.len))));
	struct view exported_at = answer_text(answer, "exported_at");
	cr_expect_eq(exported_at.len, 27, "%.*s", VIEW_ARGS(exported_at));
	cr_expect(view_equal(answer_text(answer, "user_id"), VIEW("anna")));
	cr_expect_eq(tasks_in(answer), 3);
	unsigned members = 0;
	for (const cJSON *member = answer_json(answer)->child; member; member = member->next)
		members++;
	cr_expect_eq(members, 3);
}

Test(account, export_gives_tasks_as_the_list_does)
{
	const char *database = api_name("account");
	const char *const *settings = api_settings_for(api_database(database));
	struct responder *account = responder_start("account", settings);
	struct responder *tasks = responder_start("tasks", settings);
	static const char *const more[] = {
	        ",\"description\":\"\\u00fc \\\"quoted\\\"\\n\\tline\",\"tags\":[\"a\",\"\\\\\"]",
	        ",\"due_date\":\"2027-01-01T00:00:00Z\",\"priority\":\"high\",\"completed\":true", ""};
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		api_create(tasks, "one", more[i]);
	struct ask list = {.target = "/api/anna/tasks?sort=created&order=asc", .token = api_token("anna")};
	const struct answer *listed = responder_ask(tasks, &list);
	cr_assert_eq(listed->status, 200);
	struct view body = export_good(account, "anna")->body;
	const char *end = ask_format(",\"tasks\":%.*s}", VIEW_ARGS(listed->body));
	size_t len = strlen(end);
	cr_expect(body.len > len && memcmp(body.ptr + body.len - len, end, len) == 0, "%.*s", VIEW_ARGS(body));
}

Test(account, export_of_a_user_without_tasks_has_none)
{
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "berta", 2, 10);
	cr_expect_eq(tasks_in(export_good(account, "anna")), 0);
}

Test(account, export_answers_head_with_its_length)
{
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", 500, 100);
	struct ask ask = export_of("anna");
	ask.method = "HEAD";
	const struct answer *head = responder_ask(account, &ask);
	cr_expect_eq(head->status, 200);
	cr_expect(view_equal(answer_header(head, "Content-Length"),
	                     answer_header(export_good(account, "anna"), "Content-Length")));
	cr_expect_eq(head->body.len, 0);
}

Test(account, export_knows_no_parameters)
{
	const char *database;
	struct responder *account = start(&database);
	struct ask ask = {.target = "/api/anna/export?limit=1", .token = api_token("anna")};
	expect_problem(responder_ask(account, &ask), 400, "bad_query", ask.target);
}

Test(account, export_is_not_acceptable_without_json)
{
	const char *database;
	struct responder *account = start(&database);
	struct ask ask = export_of("anna");
	ask.params = (const char *const[]){"HTTP_ACCEPT=text/csv", NULL};
	expect_problem(responder_ask(account, &ask), 406, "not_acceptable", ask.target);
}

/* In kilobytes, from /proc/PID/status. */
static long memory_peak(const struct responder *responder)
{
	char line[256];
	long peak = -1;
	FILE *file = fopen(ask_format("/proc/%d/status", responder_pid(responder)), "r");
	cr_assert_not_null(file);
	while (fgets(line, sizeof line, file))
		sscanf(line, "VmHWM: %ld", &peak);
	fclose(file);
	cr_assert_geq(peak, 0);
	return peak;
}

/* Reads an answer without keeping it, and gives its length. */
static size_t read_away(int fd)
{
	size_t total = 0;
	char bytes[65536];
	for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
		total += (size_t)got;
	close(fd);
	return total;
}

Test(account, export_of_100000_tasks_takes_no_memory)
{
	enum { TASKS = SANITIZED ? 10000 : 100000, BYTES = 300 };
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "berta", 500, BYTES);
	account_fill(database, "anna", TASKS, BYTES);
	cr_expect_eq(tasks_in(export_good(account, "berta")), 500);
	long before = memory_peak(account);
	struct ask ask = export_of("anna");
	cr_expect_gt(read_away(responder_begin(account, &ask)), (size_t)TASKS * BYTES);
	long after = memory_peak(account);
	cr_expect(SANITIZED || after - before < 1024, "from %ld to %ld KiB", before, after);
}

/* As many tasks as a user may have unless told otherwise, and none could be greater: it fits into the time of a
 * request. */
Test(account, all_that_a_user_may_have_is_taken_along_and_erased)
{
	enum { TASKS = SANITIZED ? 1000 : 10000 };
	const char *database;
	struct responder *account = start(&database);
	postgres_run(
	        "postgres", database,
	        ask_format("INSERT INTO todo.task (user_id, id, title, description, due_date, tags)"
	                   " SELECT 'anna', gen_random_uuid(), repeat('\U0001F600', 255),"
	                   " repeat('\U0001F600', 1000), now(), ARRAY(SELECT chr(64 + t) || repeat('\U0001F600', 49)"
	                   " FROM generate_series(1, 20) t) FROM generate_series(1, %d)",
	                   TASKS));
	struct ask ask = export_of("anna");
	cr_expect_gt(read_away(responder_begin(account, &ask)), (size_t)TASKS * 9000);
	ask = account_erase("anna", api_token("anna"));
	cr_expect_eq(responder_ask(account, &ask)->status, 204);
	expect_value(database, "SELECT count(*) FROM todo.task", "0");
}

Test(account, export_of_many_tasks_is_whole)
{
	enum { TASKS = 5000 };
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", TASKS, 500);
	cr_expect_eq(tasks_in(export_good(account, "anna")), TASKS);
}

/* Begins anna's export and stops its process in the midst of reading: the connection. */
static int begin_export(const struct responder *account, const char *database)
{
	PGconn *blocker = postgres_hold(database, "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	struct ask ask = export_of("anna");
	int fd = responder_begin(account, &ask);
	postgres_wait_for("postgres", database, POSTGRES_LOCK_AWAITED);
	cr_assert_eq(kill(responder_pid(account), SIGSTOP), 0);
	PQclear(PQexec(blocker, "COMMIT"));
	PQfinish(blocker);
	postgres_wait_for("postgres", database,
	                  "SELECT count(*) = 1 " POSTGRES_BACKENDS " AND wait_event = 'ClientWrite'");
	return fd;
}

/* Lets that go on to its end: the answer. */
static const struct answer *end_export(const struct responder *account, int fd)
{
	cr_assert_eq(kill(responder_pid(account), SIGCONT), 0);
	const struct answer *answer = responder_answer(fd, false);
	close(fd);
	cr_assert_eq(answer->status, 200, "%.*s", VIEW_ARGS(answer->body));
	return answer;
}

/* All rows go meanwhile, and others come. */
Test(account, export_is_of_one_snapshot)
{
	enum { TASKS = 5000 };
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", TASKS, 500);
	int fd = begin_export(account, database);
	postgres_run("postgres", database, "DELETE FROM todo.task");
	account_fill(database, "anna", 7, 10);
	cr_expect_eq(tasks_in(end_export(account, fd)), TASKS);
	cr_expect_eq(tasks_in(export_good(account, "anna")), 7);
}

/* A limit for files stands for a disk that is full: both refuse the next byte. */
Test(account, export_without_room_on_the_disk_is_503)
{
	struct rlimit before;
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	const struct rlimit small = {1024 * 1024, before.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	const char *database = api_name("account");
	const char *url = api_database(database);
	struct responder *account = responder_start("account", api_settings_for(url));
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	account_fill(database, "anna", 4000, 500);
	account_fill(database, "berta", 2, 10);
	for (int i = 0; i < 2; i++) {
		struct ask ask = export_of("anna");
		const struct answer *answer = responder_ask(account, &ask);
		expect_problem(answer, 503, "storage_full", ask.target);
		cr_expect(view_equal(answer_header(answer, "Retry-After"), VIEW("1")));
		cr_expect(view_is_absent(answer_header(answer, "Content-Disposition")));
	}
	/* Others are still served. */
	cr_expect_eq(tasks_in(export_good(account, "berta")), 2);
}

static unsigned descriptors(const struct responder *responder)
{
	unsigned count = 0;
	DIR *entries = opendir(ask_format("/proc/%d/fd", responder_pid(responder)));
	cr_assert_not_null(entries);
	while (readdir(entries))
		count++;
	closedir(entries);
	return count;
}

static bool settled(void *context)
{
	return descriptors(context) <= 16;
}

Test(account, export_leaves_nothing_open)
{
	responder_needs_sight();
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", 200, 500);
	for (int i = 0; i < 30; i++) {
		struct ask ask = export_of("anna");
		ask.method = i % 2 ? "GET" : "HEAD";
		cr_assert_eq(responder_ask(account, &ask)->status, 200);
	}
	until(settled, account, "30 exports leave no 30 files");
}

Test(account, export_survives_a_database_that_restarts_between)
{
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", 200, 500);
	cr_expect_eq(tasks_in(export_good(account, "anna")), 200);
	postgres_run("postgres", database, POSTGRES_TERMINATE);
	cr_expect_eq(tasks_in(export_good(account, "anna")), 200);
}

/* What came before the break is forgotten, not sent twice. */
Test(account, export_that_breaks_on_the_way_starts_anew)
{
	enum { TASKS = 5000 };
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", TASKS, 500);
	int fd = begin_export(account, database);
	postgres_run("postgres", database, POSTGRES_TERMINATE);
	cr_expect_eq(tasks_in(end_export(account, fd)), TASKS);
}

/* ---- erase ---- */

Test(account, erase_deletes_every_row_of_that_user_alone)
{
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", 300, 10);
	account_fill(database, "berta", 2, 10);
	struct ask ask = account_erase("anna", api_token("anna"));
	for (int i = 0; i < 2; i++) {
		const struct answer *answer = responder_ask(account, &ask);
		cr_expect_eq(answer->status, 204, "time %d: %.*s", i, VIEW_ARGS(answer->body));
		cr_expect_eq(answer->body.len, 0);
		expect_value(database, "SELECT string_agg(DISTINCT user_id, ',') || count(*) FROM todo.task", "berta2");
	}
}

Test(account, erase_needs_the_users_id_in_a_header)
{
	static const struct {
		const char *user; /* in the path, as it is sent */
		const char *subject;
		const char *header; /* NULL: none */
		bool good;
	} cases[] = {
	        {"anna", "anna", NULL, false},
	        {"anna", "anna", "", false},
	        {"anna", "anna", "berta", false},
	        {"anna", "anna", "Anna", false},
	        {"anna", "anna", "ann", false},
	        {"anna", "anna", "anna, anna", false},
	        {"anna", "anna", "true", false},
	        {"anna", "anna", "%61nna%", false},
	        {"anna", "anna", " anna ", true},
	        {"anna", "anna", "%61nna", true},
	        /* As it is, or as in the path. */
	        {"a%20b", "a b", "a b", true},
	        {"a%20b", "a b", "a%20b", true},
	        {"%C3%BC", "\xc3\xbc", "%C3%BC", true},
	        {"%C3%BC", "\xc3\xbc", "\xc3\xbc", true},
	        {"100%25", "100%", "100%", true},
	        {"100%25", "100%", "100%25", true},
	        {"a%2561", "a%61", "a%61", true},
	        {"a%2561", "a%61", "aa", false},
	};
	const char *database;
	struct responder *account = start(&database);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *header = cases[i].header ? ask_format("HTTP_X_CONFIRM_ERASE=%s", cases[i].header) : NULL;
		struct ask ask = {.method = "DELETE",
		                  .target = ask_format("/api/%s", cases[i].user),
		                  .token = api_token(cases[i].subject),
		                  .params = (const char *const[]){header, NULL}};
		account_fill(database, cases[i].subject, 1, 10);
		const struct answer *answer = responder_ask(account, &ask);
		if (cases[i].good)
			cr_expect_eq(answer->status, 204, "case %zu: %.*s", i, VIEW_ARGS(answer->body));
		else
			expect_problem(answer, 428, "not_confirmed", header ? header : "no header");
		expect_value(database, "SELECT count(*) FROM todo.task", cases[i].good ? "0" : "1");
		postgres_run("postgres", database, "DELETE FROM todo.task");
	}
}

static void expect_too_old(const struct answer *answer, const char *max_age)
{
	expect_problem(answer, 401, "token_too_old", "erase");
	/* RFC 9470 §3 */
	cr_expect(view_equal(answer_header(answer, "WWW-Authenticate"),
	                     view_of(ask_format("Bearer realm=\"todo\", error=\"insufficient_user_authentication\", "
	                                        "error_description=\"a fresh token is required\", max_age=\"%s\"",
	                                        max_age))));
}

Test(account, erase_needs_a_token_of_at_most_five_minutes)
{
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", 1, 10);
	struct ask ask = account_erase("anna", account_token("anna", -302));
	expect_too_old(responder_ask(account, &ask), "300");
	ask = account_erase("anna", account_token_undated("anna"));
	expect_too_old(responder_ask(account, &ask), "300");
	expect_value(database, "SELECT count(*) FROM todo.task", "1");
	/* The age is judged before the confirmation: it is part of who is asking. */
	ask.params = NULL;
	expect_too_old(responder_ask(account, &ask), "300");
	ask = account_erase("anna", account_token("anna", -240));
	cr_expect_eq(responder_ask(account, &ask)->status, 204);
	expect_value(database, "SELECT count(*) FROM todo.task", "0");
	/* Everything else takes the old token, too. */
	struct ask export = {.target = "/api/anna/export", .token = account_token("anna", -302)};
	cr_expect_eq(responder_ask(account, &export)->status, 200);
}

Test(account, erase_takes_the_age_from_its_setting)
{
	const char *database = api_name("account");
	const char *url = api_database(database);
	const char *const *settings =
	        api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url), "ERASE_MAX_TOKEN_AGE=60", NULL});
	struct responder *account = responder_start("account", settings);
	struct ask ask = account_erase("anna", account_token("anna", -62));
	expect_too_old(responder_ask(account, &ask), "60");
	ask = account_erase("anna", account_token("anna", -30));
	cr_expect_eq(responder_ask(account, &ask)->status, 204);
}

Test(account, erase_knows_no_conditions)
{
	const char *database;
	struct responder *account = start(&database);
	static const char *const headers[] = {"HTTP_IF_MATCH=\"x\"", "HTTP_IF_NONE_MATCH=*"};
	account_fill(database, "anna", 1, 10);
	for (size_t i = 0; i < 2; i++) {
		struct ask ask = account_erase("anna", api_token("anna"));
		ask.params = (const char *const[]){"HTTP_X_CONFIRM_ERASE=anna", headers[i], NULL};
		expect_problem(responder_ask(account, &ask), 400, "bad_condition", headers[i]);
	}
	expect_value(database, "SELECT count(*) FROM todo.task", "1");
}

/* Nobody knows whether it happened, so nobody is told to try again blindly. */
Test(account, erase_that_breaks_on_the_way_is_unknown)
{
	const char *database;
	struct responder *account = start(&database);
	account_fill(database, "anna", 1, 10);
	PGconn *blocker = postgres_hold(database, "BEGIN; SELECT FROM todo.task FOR UPDATE");
	struct ask ask = account_erase("anna", api_token("anna"));
	int fd = responder_begin(account, &ask);
	postgres_wait_for("postgres", database, POSTGRES_LOCK_AWAITED);
	postgres_run("postgres", database, POSTGRES_TERMINATE);
	const struct answer *answer = responder_answer(fd, false);
	close(fd);
	PQfinish(blocker);
	expect_problem(answer, 503, "outcome_unknown", "erase");
	cr_expect(view_is_absent(answer_header(answer, "Retry-After")));
}

/* ---- the program ---- */

Test(account, serves_no_path_of_the_others)
{
	const char *database;
	struct responder *account = start(&database);
	static const char *const targets[] = {"/api/anna/tasks", "/health",           "/auth/me",  "/api/anna/export/",
	                                      "/api/anna/",      "/api/anna/exports", "/api/auth", "/api/auth/export"};
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		struct ask ask = {.target = targets[i], .token = api_token("anna")};
		expect_problem(responder_ask(account, &ask), 404, "not_found", targets[i]);
	}
}
