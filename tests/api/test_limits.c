/* Limits, asked of real programs: who is refused, what they are told, and that
 * nobody gets past by way of another process, a killed one or a broken file. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/account.h"
#include "support/api.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS

TestSuite(limits, .fini = api_end);

#define HERE "REMOTE_ADDR=192.0.2.7"

static const struct answer *ask_me(const struct responder *auth, const char *token, const char *address)
{
	const char *const params[] = {address, NULL};
	return responder_ask(auth, &(struct ask){.target = "/auth/me", .token = token, .params = params});
}

static int me(const struct responder *auth, const char *token, const char *address)
{
	return ask_me(auth, token, address)->status;
}

static struct responder *start(const char *program, const char *const more[])
{
	return responder_start(program, api_settings(more));
}

Test(limits, are_off_unless_asked_for)
{
	struct responder *auth = start("auth", (const char *const[]){NULL});
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(me(auth, NULL, HERE), 401);
		cr_assert_eq(me(auth, api_token("anna"), HERE), 200);
	}
}

Test(limits, a_user_past_their_burst_is_told_when_to_come_back)
{
	struct responder *auth = start("auth", (const char *const[]){"LIMIT_USER=1", "LIMIT_USER_BURST=3",
	                                                             "CORS_ORIGINS=https://app.example", NULL});
	for (int i = 0; i < 3; i++)
		cr_assert_eq(me(auth, api_token("anna"), HERE), 200);
	const char *const params[] = {HERE, "HTTP_ORIGIN=https://app.example", NULL};
	const struct ask ask = {.target = "/auth/me", .token = api_token("anna"), .params = params};
	const struct answer *answer = responder_ask(auth, &ask);
	expect_problem(answer, 429, "rate_limited", "the fourth");
	uint64_t seconds = 0;
	cr_expect(view_to_u64(answer_header(answer, "Retry-After"), 60, &seconds) && seconds > 0);
	/* A front end elsewhere must be able to read that. */
	cr_expect(view_equal(answer_header(answer, "Access-Control-Allow-Origin"), VIEW("https://app.example")));
	struct view exposed = answer_header(answer, "Access-Control-Expose-Headers");
	cr_expect(memmem(exposed.ptr, exposed.len, "Retry-After", 11));
	cr_expect(view_is_absent(answer_header(answer, "WWW-Authenticate")));
	/* Not by another address either; and nobody else is touched. */
	cr_expect_eq(me(auth, api_token("anna"), "REMOTE_ADDR=198.51.100.1"), 429);
	cr_expect_eq(me(auth, api_token("berta"), HERE), 200);
}

struct waiting {
	const struct responder *auth;
	const char *token;
};

static bool is_let_in(void *context)
{
	const struct waiting *waiting = context;
	return me(waiting->auth, waiting->token, HERE) == 200;
}

Test(limits, a_user_is_let_in_again)
{
	struct responder *auth = start("auth", (const char *const[]){"LIMIT_USER=120", "LIMIT_USER_BURST=1", NULL});
	struct waiting waiting = {auth, api_token("anna")};
	cr_assert_eq(me(auth, waiting.token, HERE), 200);
	until(is_let_in, &waiting, "a token is there again");
}

Test(limits, no_good_token_is_refused_for_bad_ones)
{
	struct responder *auth = start("auth", (const char *const[]){"LIMIT_ADDRESS=1", "LIMIT_ADDRESS_BURST=4",
	                                                             "LIMIT_USER=1", "LIMIT_USER_BURST=30", NULL});
	struct attack attack;
	int refused = 0;
	for (size_t i = 0; api_attack(i, "anna", &attack); i++) {
		int status = me(auth, attack.token, HERE);
		cr_expect_eq(status, i < 4 ? 401 : 429, "%s", attack.name);
		refused += status == 429;
	}
	cr_assert_gt(refused, 0);
	cr_expect_eq(me(auth, NULL, HERE), 429);
	cr_expect_eq(me(auth, "a b, c", HERE), 429);
	/* None of that has cost their owner a token, from this address or another. */
	for (int i = 0; i < 30; i++)
		cr_expect_eq(me(auth, api_token("anna"), i % 2 ? HERE : "REMOTE_ADDR=203.0.113.9"), 200);
	cr_expect_eq(me(auth, api_token("anna"), HERE), 429);
	/* And the other way round: what a good token uses up is not the address's. */
	cr_expect_eq(me(auth, NULL, "REMOTE_ADDR=203.0.113.9"), 401);
}

Test(limits, a_revoked_token_does_not_use_up_its_owners_limit)
{
	const char *database = api_name("limits");
	struct responder *tasks = responder_start(
	        "tasks", api_settings((const char *const[]){ask_format("DATABASE_URL=%s", api_database(database)),
	                                                    "JWT_REVOCATION=1", "LIMIT_USER=1", "LIMIT_USER_BURST=3",
	                                                    "LIMIT_ADDRESS=1", "LIMIT_ADDRESS_BURST=2", NULL}));
	const char *const here[] = {HERE, NULL};
	struct ask ask = {.target = "/api/anna/tasks", .token = account_token("anna", -10), .params = here};
	postgres_run("todo_owner", database, "SELECT todo.revoke('anna')");
	for (int i = 0; i < 10; i++)
		cr_expect_eq(responder_ask(tasks, &ask)->status, i < 2 ? 401 : 429, "%d", i);
	ask.token = account_token("anna", 5);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(responder_ask(tasks, &ask)->status, i < 3 ? 200 : 429, "%d", i);
}

Test(limits, an_address_is_that_of_the_connection_and_a_subscriber_has_one)
{
	static const struct {
		const char *first;
		const char *second;
		int status;
	} cases[] = {
	        {"REMOTE_ADDR=192.0.2.1", "REMOTE_ADDR=192.0.2.1", 429},
	        {"REMOTE_ADDR=192.0.2.2", "REMOTE_ADDR=192.0.2.3", 401},
	        {"REMOTE_ADDR=192.0.2.4", "REMOTE_ADDR=::ffff:192.0.2.4", 429},
	        {"REMOTE_ADDR=2001:db8:1:1::1", "REMOTE_ADDR=2001:db8:1:1:ffff::2", 429},
	        {"REMOTE_ADDR=2001:db8:1:2::1", "REMOTE_ADDR=2001:db8:1:3::1", 401},
	        {"REMOTE_ADDR=unix:", "REMOTE_ADDR=", 429},
	};
	struct responder *auth = start("auth", (const char *const[]){"LIMIT_ADDRESS=1", "LIMIT_ADDRESS_BURST=1", NULL});
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_eq(me(auth, NULL, cases[i].first), 401, "%s", cases[i].first);
		cr_expect_eq(me(auth, NULL, cases[i].second), cases[i].status, "%s", cases[i].second);
	}
	static const char *const forwarded[] = {"HTTP_X_FORWARDED_FOR=198.51.100.5", "HTTP_FORWARDED=for=198.51.100.5",
	                                        "HTTP_X_REAL_IP=198.51.100.5"};
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) {
		const char *const params[] = {"REMOTE_ADDR=192.0.2.1", forwarded[i], NULL};
		cr_expect_eq(responder_ask(auth, &(struct ask){.target = "/auth/me", .params = params})->status, 429,
		             "%s", forwarded[i]);
	}
}

Test(limits, what_needs_no_credential_is_not_counted)
{
	const char *const more[] = {"LIMIT_ADDRESS=1", "LIMIT_ADDRESS_BURST=1", "CORS_ORIGINS=https://app.example",
	                            NULL};
	struct responder *auth = start("auth", more);
	struct responder *health = start("health", more);
	const char *const preflight[] = {HERE, "HTTP_ORIGIN=https://app.example",
	                                 "HTTP_ACCESS_CONTROL_REQUEST_METHOD=GET", NULL};
	const char *const here[] = {HERE, NULL};
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(responder_ask(health, &(struct ask){.target = "/health", .params = here})->status, 200);
		cr_expect_eq(responder_ask(auth, &(struct ask){.target = "/auth/no", .params = here})->status, 404);
		cr_expect_eq(responder_ask(auth, &(struct ask){.method = "PUT", .target = "/auth/me", .params = here})
		                     ->status,
		             405);
		cr_expect_eq(
		        responder_ask(auth,
		                      &(struct ask){.method = "OPTIONS", .target = "/auth/me", .params = preflight})
		                ->status,
		        204);
	}
	cr_expect_eq(me(auth, NULL, HERE), 401);
	/* Guessing the operator's token is. */
	const struct ask metrics = {.target = "/metrics", .token = "a-guess-of-that-token", .params = here};
	expect_problem(responder_ask(health, &metrics), 429, "rate_limited", "/metrics");
	const struct ask validate = {.method = "POST", .target = "/auth/validate", .params = here};
	expect_problem(responder_ask(auth, &validate), 429, "rate_limited", "/auth/validate");
}

/* ---- all processes of a machine ---- */

static const char *const tight[] = {"LIMIT_USER=1", "LIMIT_USER_BURST=4", NULL};

Test(limits, hold_across_processes_and_outlive_them)
{
	struct responder *first = start("auth", tight);
	struct responder *second = start("auth", tight);
	const char *token = api_token("anna");
	cr_expect_eq(me(first, token, HERE), 200);
	cr_expect_eq(me(second, token, HERE), 200);
	/* Another program counts the same. */
	struct responder *tasks = start("tasks", tight);
	cr_expect_eq(responder_ask(tasks, &(struct ask){.target = "/api/berta/tasks", .token = token})->status, 403);
	kill(responder_pid(first), SIGKILL);
	cr_assert_eq(responder_wait(first), RESPONDER_BY_SIGNAL + SIGKILL);
	cr_expect_eq(me(second, token, HERE), 200);
	struct responder *third = start("auth", tight);
	cr_expect_eq(me(third, token, HERE), 429);
	cr_expect_eq(me(second, token, HERE), 429);
}

/* The file of the shared memory. */
static const char *shared_file(void)
{
	const char *folder = responder_state_folder();
	DIR *stream = opendir(folder);
	const char *found = NULL;
	cr_assert_not_null(stream);
	for (const struct dirent *entry; (entry = readdir(stream));)
		if (strncmp(entry->d_name, "shared-", 7) == 0 && !strchr(entry->d_name, '.'))
			found = ask_format("%s/%s", folder, entry->d_name);
	closedir(stream);
	return found;
}

/* Has every process come to count with the others again? Each look takes tokens
 * of a user that nobody else uses. */
static bool is_common(void *context)
{
	struct responder *const *pair = context;
	const char *token = api_token(api_name("user"));
	for (int i = 0; i < 4; i++)
		if (me(pair[i % 2], token, HERE) != 200)
			return false;
	return me(pair[0], token, HERE) == 429 && me(pair[1], token, HERE) == 429;
}

static void damage(const char *what, const char *path)
{
	static const char garbage[8192] = "garbage";
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat stat;
	cr_assert(fd >= 0 && fstat(fd, &stat) == 0);
	if (strcmp(what, "cut to nothing") == 0) {
		cr_assert_eq(ftruncate(fd, 0), 0);
	} else if (strcmp(what, "cut in the middle") == 0) {
		cr_assert_eq(ftruncate(fd, stat.st_size / 2), 0);
	} else if (strcmp(what, "garbage in front") == 0) {
		cr_assert_eq(pwrite(fd, garbage, sizeof garbage, 0), (ssize_t)sizeof garbage);
	} else if (strcmp(what, "garbage all over") == 0) {
		unsigned char *bytes = malloc((size_t)stat.st_size - 64);
		cr_assert_not_null(bytes);
		memset(bytes, 0xa5, (size_t)stat.st_size - 64);
		cr_assert_eq(pwrite(fd, bytes, (size_t)stat.st_size - 64, 64), stat.st_size - 64);
		free(bytes);
	} else {
		cr_assert_eq(unlink(path), 0);
	}
	close(fd);
}

Test(limits, a_broken_file_stops_nobody_and_is_mended)
{
	static const char *const cases[] = {"cut to nothing", "cut in the middle", "garbage in front",
	                                    "garbage all over", "removed"};
	struct responder *pair[] = {start("auth", tight), start("auth", tight)};
	until(is_common, pair, "both count together");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *path = shared_file();
		cr_assert_not_null(path, "%s", cases[i]);
		damage(cases[i], path);
		cr_expect_eq(me(pair[0], api_token(api_name("user")), HERE), 200, "%s", cases[i]);
		cr_expect_eq(me(pair[1], api_token(api_name("user")), HERE), 200, "%s", cases[i]);
		until(is_common, pair, cases[i]);
	}
}

Test(limits, a_full_disk_leaves_each_process_its_own)
{
	struct rlimit before, small;
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 256 * 1024;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct responder *auth = start("auth", tight);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	const char *token = api_token("anna");
	for (int i = 0; i < 4; i++)
		cr_expect_eq(me(auth, token, HERE), 200);
	cr_expect_eq(me(auth, token, HERE), 429);
	struct view log = responder_log(auth);
	cr_expect(memmem(log.ptr, log.len, "no shared memory", 16));
}

/* ---- how many tasks a user may have ---- */

#define LIST "/api/anna/tasks"

static int64_t count_tasks(const char *database)
{
	char *text = postgres_value("postgres", database, "SELECT count(*) FROM todo.task WHERE user_id = 'anna'");
	int64_t count = strtoll(text, NULL, 10);
	free(text);
	return count;
}

static const char *id_of(int number)
{
	return ask_format(LIST "/0189f7a0-1234-7abc-8def-%012d", number);
}

static struct ask put_new(const char *target)
{
	static const char *const params[] = {"HTTP_IF_NONE_MATCH=*", NULL};
	return (struct ask){.method = "PUT",
	                    .target = target,
	                    .token = api_token("anna"),
	                    .body = api_task("x", ""),
	                    .params = params};
}

Test(limits, the_number_of_tasks_holds_for_every_way_to_make_one)
{
	const char *database = api_name("task_limit");
	struct responder *tasks = responder_start(
	        "tasks", api_settings((const char *const[]){ask_format("DATABASE_URL=%s", api_database(database)),
	                                                    "TODO_TASK_LIMIT=3", NULL}));
	const struct ask post = {
	        .method = "POST", .target = LIST, .token = api_token("anna"), .body = api_task("x", "")};
	cr_assert_eq(responder_ask(tasks, &post)->status, 201);
	for (int i = 1; i < 3; i++) {
		struct ask put = put_new(id_of(i));
		cr_assert_eq(responder_ask(tasks, &put)->status, 201);
	}
	expect_problem(responder_ask(tasks, &post), 409, "task_limit", "POST");
	struct ask put = put_new(id_of(3));
	expect_problem(responder_ask(tasks, &put), 409, "task_limit", "PUT of a new one");
	/* A create that is repeated must learn that it has happened, at the limit too. */
	put = put_new(id_of(2));
	const struct answer *answer = responder_ask(tasks, &put);
	expect_problem(answer, 412, "precondition_failed", "PUT again");
	cr_expect_not(view_is_absent(answer_header(answer, "ETag")));
	/* Changing one is not making one; another user has a limit of their own. */
	put.params = NULL;
	cr_expect_eq(responder_ask(tasks, &put)->status, 200);
	struct ask other = post;
	other.target = "/api/berta/tasks";
	other.token = api_token("berta");
	cr_expect_eq(responder_ask(tasks, &other)->status, 201);
	cr_expect_eq(count_tasks(database), 3);
	const struct ask delete = {.method = "DELETE", .target = id_of(1), .token = api_token("anna")};
	cr_expect_eq(responder_ask(tasks, &delete)->status, 204);
	cr_expect_eq(responder_ask(tasks, &post)->status, 201);
	expect_problem(responder_ask(tasks, &post), 409, "task_limit", "POST once more");
}

Test(limits, without_one_a_user_has_as_many_tasks_as_they_like)
{
	const char *database = api_name("task_limit");
	const char *url = api_database(database);
	struct responder *tasks = responder_start(
	        "tasks",
	        api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url), "TODO_TASK_LIMIT=0", NULL}));
	postgres_run("postgres", database,
	             "INSERT INTO todo.task (user_id, id, title) SELECT 'anna', gen_random_uuid(), 'x'"
	             " FROM generate_series(1, 10000)");
	const struct ask post = {
	        .method = "POST", .target = LIST, .token = api_token("anna"), .body = api_task("x", "")};
	cr_expect_eq(responder_ask(tasks, &post)->status, 201);
	/* The default is a limit. */
	struct responder *standard = responder_start("tasks", api_settings_for(url));
	expect_problem(responder_ask(standard, &post), 409, "task_limit", "the one after 10,000");
}

Test(limits, sixteen_who_create_at_the_edge_do_not_pass_it)
{
	enum { CREATORS = 16, ROUNDS = 4, LIMIT = 40 };
	const char *database = api_name("task_limit");
	const char *url = api_database(database);
	struct responder *tasks = responder_start(
	        "tasks", api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url), "WORKERS=16",
	                                                    ask_format("TODO_TASK_LIMIT=%d", LIMIT), NULL}));
	int made = 0, refused = 0;
	/* 16, 32, and of the next 16 only eight; then none. */
	for (int round = 0; round < ROUNDS; round++) {
		int fds[CREATORS];
		for (int i = 0; i < CREATORS; i++) {
			struct ask ask = put_new(id_of(round * CREATORS + i));
			if (i % 2)
				ask = (struct ask){
				        .method = "POST", .target = LIST, .token = ask.token, .body = ask.body};
			fds[i] = responder_begin(tasks, &ask);
		}
		for (int i = 0; i < CREATORS; i++) {
			const struct answer *answer = responder_answer(fds[i], false);
			close(fds[i]);
			if (answer->status == 201)
				made++;
			else
				expect_problem(answer, 409, "task_limit", i % 2 ? "POST" : "PUT");
			refused += answer->status == 409;
		}
		cr_expect_eq(count_tasks(database), made);
	}
	cr_expect_eq(made, LIMIT);
	cr_expect_eq(refused, CREATORS * ROUNDS - LIMIT);
}

/* Turns are one user's among themselves. */
Test(limits, a_user_whose_creations_wait_for_their_turn_keeps_nobody_waiting)
{
	const char *database = api_name("task_limit");
	const char *url = api_database(database);
	struct responder *tasks = responder_start(
	        "tasks", api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url), "WORKERS=2", NULL}));
	const struct ask annas = {
	        .method = "POST", .target = LIST, .token = api_token("anna"), .body = api_task("x", "")};
	struct ask bertas = annas;
	bertas.target = "/api/berta/tasks";
	bertas.token = api_token("berta");
	PGconn *holder = postgres_hold(database, "SELECT pg_advisory_lock(1953456239, hashtext('anna'))");
	int waiting = responder_begin(tasks, &annas);
	postgres_wait_for("postgres", database,
	                  "SELECT count(*) = 1 " POSTGRES_BACKENDS " AND wait_event = 'advisory'");
	for (int i = 0; i < 3; i++)
		cr_expect_eq(responder_ask(tasks, &bertas)->status, 201);
	cr_expect_eq(count_tasks(database), 0);
	PQfinish(holder);
	cr_expect_eq(responder_answer(waiting, false)->status, 201);
	close(waiting);
}
