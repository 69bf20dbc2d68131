/* What a program does when the machine has nothing left: no file descriptor, no
 * memory, no room on a disk. It says so, ends of none of it, and goes on as soon
 * as there is something again. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/account.h"
#include "support/auth_folder.h"
#include "support/auth_server.h"
#include "support/fastcgi.h"
#include "support/issuer.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(shortage, .fini = api_end, .timeout = 240);

#define LIST "/api/anna/tasks"

#ifdef __SANITIZE_ADDRESS__
enum { MEMORY_HAS_NO_LIMIT = 1 };
#else
enum { MEMORY_HAS_NO_LIMIT = 0 };
#endif

/* Changes a limit of the running program; returns the one before. */
static rlim_t limit(const struct responder *responder, int resource, rlim_t value)
{
	struct rlimit before;
	pid_t pid = responder_pid(responder);
	cr_assert_eq(prlimit(pid, resource, NULL, &before), 0);
	struct rlimit now = {value, before.rlim_max};
	cr_assert_eq(prlimit(pid, resource, &now, NULL), 0);
	return before.rlim_cur;
}

/* Having answered, it waits for the next request: all of the last one is closed. */
static bool is_waiting(void *context)
{
	char state = 'R';
	FILE *file = fopen(ask_format("/proc/%d/stat", (int)responder_pid(context)), "r");
	cr_assert(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
	fclose(file);
	return state == 'S';
}

/* Leaves the program with as many descriptors as it has, and `spare` more. */
static rlim_t leave_descriptors(struct responder *responder, rlim_t spare)
{
	rlim_t next = 0;
	responder_needs_sight();
	until(is_waiting, responder, "the program waits");
	while (access(ask_format("/proc/%d/fd/%d", (int)responder_pid(responder), (int)next), F_OK) == 0)
		next++;
	return limit(responder, RLIMIT_NOFILE, next + spare);
}

struct wait_status {
	const struct responder *responder;
	const struct ask *ask;
	int status;
};

/* The next connection to a database, or the next fetch, may have to wait a second. */
static bool is_answered_so(void *context)
{
	const struct wait_status *wait = context;
	return responder_ask(wait->responder, wait->ask)->status == wait->status;
}

static int status_of(const struct responder *responder, const char *target)
{
	struct ask ask = {.target = target, .token = api_token("anna")};
	return responder_ask(responder, &ask)->status;
}

/* ---- no file descriptor ---- */

Test(shortage, without_a_descriptor_for_a_connection_requests_wait)
{
	struct responder *health = responder_start("health", api_settings((const char *const[]){NULL}));
	struct ask ask = {.target = "/health"};
	cr_assert_eq(responder_ask(health, &ask)->status, 200);
	rlim_t before = leave_descriptors(health, 0);
	int fd = responder_begin(health, &ask);
	responder_until_logged(health, "no connection can be taken");
	limit(health, RLIMIT_NOFILE, before);
	cr_expect_eq(responder_answer(fd, false)->status, 200);
	close(fd);
}

struct patience {
	const struct responder *responder;
	unsigned long long waits; /* so many times has it waited by then */
};

/* How often the program has waited for something. */
static unsigned long long waits_of(const struct responder *responder)
{
	return responder_status(responder, "voluntary_ctxt_switches: %llu");
}

static bool has_waited(void *context)
{
	const struct patience *patience = context;
	return waits_of(patience->responder) >= patience->waits;
}

/* It tries again many times a second, and a disk may be short as well. */
Test(shortage, a_lasting_shortage_is_told_once_and_does_not_keep_the_processor_busy)
{
	static const char told[] = "no connection can be taken";
	struct responder *health = responder_start("health", api_settings((const char *const[]){NULL}));
	cr_assert_eq(status_of(health, "/health"), 200);
	leave_descriptors(health, 0);
	int fd = fastcgi_connect(responder_socket(health));
	responder_until_logged(health, told);
	struct patience patience = {health, waits_of(health) + 10};
	until(has_waited, &patience, "it has waited ten times more");
	struct view log = responder_log(health);
	const char *first = strstr(log.ptr, told);
	cr_expect(first && !strstr(first + 1, told), "%s", log.ptr);
	close(fd);
}

Test(shortage, a_stop_is_heard_while_there_is_no_descriptor)
{
	struct responder *health = responder_start("health", api_settings((const char *const[]){NULL}));
	cr_assert_eq(status_of(health, "/health"), 200);
	leave_descriptors(health, 0);
	int fd = fastcgi_connect(responder_socket(health));
	responder_until_logged(health, "no connection can be taken");
	cr_expect_eq(responder_stop(health), 0);
	close(fd);
}

/* One for the request, none for what it needs. */
Test(shortage, without_a_descriptor_for_its_parts_a_request_is_503)
{
	struct auth_server server = auth_server_start(NULL, NULL);
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	struct buf jwks = buf_make(8192);
	issuer_jwks(&issuer, 1, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	buf_destroy(&jwks);
	const char *const *database = api_settings_for(api_database(api_name("shortage")));
	const char *const *key_set = api_settings((const char *const[]){
	        ask_format("JWKS_URL=%s", server.url), "JWKS_INSECURE_LOOPBACK=1", "JWKS_COOLDOWN=1", NULL});
	const char *token = issuer_token_for(issuer, "anna", API_ORIGIN, clock_now());
	const struct {
		const char *program;
		const char *const *settings;
		struct ask ask;
		const char *code;
		const char *first; /* asked before, while there is no shortage */
		unsigned spare;
	} cases[] = {
	        {"tasks", database, {.target = LIST, .token = api_token("anna")}, "database_unavailable", NULL, 1},
	        {"account",
	         database,
	         {.target = "/api/anna/export", .token = api_token("anna")},
	         "storage_full",
	         "/api/anna/export",
	         1},
	        {"auth", key_set, {.target = "/auth/me", .token = token}, "keys_unavailable", NULL, 1},
	        {"auth", key_set, {.target = "/auth/me", .token = token}, "keys_unavailable", NULL, 2},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct responder *responder = responder_start(cases[i].program, cases[i].settings);
		/* its start is over */
		cr_assert_eq(status_of(responder, "/nothing"), 404);
		if (cases[i].first)
			cr_assert_eq(status_of(responder, cases[i].first), 200);
		rlim_t before = leave_descriptors(responder, cases[i].spare);
		expect_problem(responder_ask(responder, &cases[i].ask), 503, cases[i].code, cases[i].program);
		limit(responder, RLIMIT_NOFILE, before);
		struct wait_status back = {responder, &cases[i].ask, 200};
		until(is_answered_so, &back, "it is answered as before");
	}
	free((char *)(uintptr_t)token);
	issuer_free(issuer);
	auth_server_stop(&server);
}

/* ---- no memory ---- */

/* As much as it has, and `spare` bytes more. */
static rlim_t leave_memory(struct responder *responder, rlim_t spare)
{
	unsigned long pages = 0;
	until(is_waiting, responder, "the program waits");
	FILE *file = fopen(ask_format("/proc/%d/statm", (int)responder_pid(responder)), "r");
	cr_assert(file && fscanf(file, "%lu", &pages) == 1);
	fclose(file);
	return limit(responder, RLIMIT_AS, pages * (rlim_t)sysconf(_SC_PAGESIZE) + spare);
}

/* Whatever it needed memory for, it answers, and works again afterwards. */
Test(shortage, without_memory_every_request_has_an_answer)
{
	const char *database = api_name("shortage");
	const char *const *settings = api_settings_for(api_database(database));
	char *large = ask_format("%060000d", 1);
	if (MEMORY_HAS_NO_LIMIT)
		cr_skip_test("a sanitizer takes address space by the terabyte");
	struct responder *tasks = responder_start("tasks", settings);
	struct responder *account = responder_start("account", settings);
	const struct {
		struct responder *responder;
		struct ask ask;
		int status; /* when there is memory */
	} cases[] = {
	        {tasks, {.target = LIST}, 200},
	        {tasks, {.method = "POST", .target = LIST, .body = api_task("x", "")}, 201},
	        {tasks, {.method = "POST", .target = LIST, .body = ask_format("[%s]", large)}, 400},
	        {tasks, {.target = ask_format(LIST "/%s", large)}, 404},
	        {account, {.target = "/api/anna/export"}, 200},
	};
	account_fill(database, "anna", 1000, 500);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ask ask = cases[i].ask;
		ask.token = api_token("anna");
		/* cold, and with all that a first request has left behind */
		for (int warm = 0; warm < 2; warm++) {
			struct responder *responder = cases[i].responder;
			for (rlim_t spare = 0; spare <= 4096 * 1024; spare = spare ? 4 * spare : 16 * 1024) {
				rlim_t before = leave_memory(responder, spare);
				const struct answer *answer = responder_ask(responder, &ask);
				cr_expect(answer->status == cases[i].status || answer->status == 500 ||
				                  answer->status == 503,
				          "case %zu, %lu bytes: %d", i, (unsigned long)spare, answer->status);
				limit(responder, RLIMIT_AS, before);
			}
			struct wait_status back = {responder, &ask, cases[i].status};
			until(is_answered_so, &back, "it is answered as before");
		}
	}
}

/* ---- no room ---- */

/* Starts the program with that limit for files, which is what a full disk is to it. */
static struct responder *start_full(const char *program, rlim_t size, const char *const *settings)
{
	struct rlimit before;
	getrlimit(RLIMIT_FSIZE, &before);
	struct rlimit small = {size, before.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct responder *responder = responder_start(program, settings);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	return responder;
}

static void expect_no_rests(void)
{
	DIR *folder = opendir(responder_state_folder());
	cr_assert_not_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));)
		cr_expect_not(strstr(entry->d_name, "spool") || strstr(entry->d_name, "new") ||
		                      strstr(entry->d_name, "tmp"),
		              "%s is left", entry->d_name);
	closedir(folder);
}

/* A log that can't be written is lost, and nothing else; the counters say so. */
Test(shortage, a_log_without_room_stops_nobody_and_its_lines_are_counted)
{
	struct auth_folder folder = auth_folder_make();
	const char *script = ask_format("#!/bin/sh\nexec '%s' 2>/dev/full\n", responder_program("auth"));
	struct responder *auth = responder_start_file(auth_folder_write(&folder, "start", view_of(script), 0700),
	                                              api_settings((const char *const[]){"WORKERS=2", NULL}));
	for (int i = 0; i < 20; i++)
		cr_expect_eq(status_of(auth, "/auth/me"), 200);
	cr_expect_eq(status_of(auth, "/auth/nothing"), 404);
	cr_expect_eq(responder_stop(auth), 0);
	struct responder *health = responder_start("health", api_settings((const char *const[]){NULL}));
	cr_expect_eq(api_metric(health, "todo_log_lines_lost_total"), 21);
	auth_folder_remove(&folder);
}

/* A pipe holds some hundred lines; then whoever writes to it would wait for its reader. */
Test(shortage, a_log_that_nobody_reads_stops_nobody)
{
	enum { MORE_THAN_A_PIPE_HOLDS = 600 };
	struct auth_folder folder = auth_folder_make();
	static char read_late[1 << 20];
	const char *pipe = ask_format("%s/pipe", folder.path);
	cr_assert_eq(mkfifo(pipe, 0600), 0);
	int reader = open(pipe, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(reader, 0);
	const char *script = ask_format("#!/bin/sh\nexec '%s' 2>'%s'\n", responder_program("auth"), pipe);
	struct responder *auth = responder_start_file(auth_folder_write(&folder, "start", view_of(script), 0700),
	                                              api_settings((const char *const[]){"WORKERS=2", NULL}));
	for (int i = 0; i < MORE_THAN_A_PIPE_HOLDS; i++)
		cr_assert_eq(status_of(auth, "/auth/me"), 200);
	/* Who reads again sees whole lines, and how many are missing. */
	ssize_t len = read(reader, read_late, sizeof read_late);
	cr_assert(len > 0 && read_late[len - 1] == '\n');
	for (int i = 0; i < 100; i++)
		cr_assert_eq(status_of(auth, "/auth/me"), 200);
	cr_expect_eq(responder_stop(auth), 0);
	len = read(reader, read_late, sizeof read_late - 1);
	cr_assert_gt(len, 0);
	read_late[len] = '\0';
	cr_expect_not_null(strstr(read_late, " lines of the log were lost: nobody read them"), "%s", read_late);
	close(reader);
	auth_folder_remove(&folder);
}

/* The keys are used all the same; each process asks for them itself. */
Test(shortage, keys_that_can_not_be_kept_are_used)
{
	/* so that there is room for a log, which is a file here, and none for the set */
	enum { KEYS = 30 };
	struct auth_server server = auth_server_start(NULL, NULL);
	struct issuer *issuers[KEYS];
	struct buf jwks = buf_make(64 * 1024);
	for (int i = 0; i < KEYS; i++)
		issuers[i] = issuer_new(ALG_EDDSA, ask_format("k%d", i));
	issuer_jwks(issuers, KEYS, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	char *token = issuer_token_for(issuers[0], "anna", API_ORIGIN, clock_now());
	const char *const *settings = api_settings((const char *const[]){
	        ask_format("JWKS_URL=%s", server.url), "JWKS_INSECURE_LOOPBACK=1", "LOG_REQUESTS=off", NULL});
	struct responder *auth = start_full("auth", jwks.len, settings);
	struct ask ask = {.target = "/auth/me", .token = token};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	responder_until_logged(auth, "the copy of the key set in STATE_DIR can't be written");
	expect_no_rests();
	free(token);
	buf_destroy(&jwks);
	for (int i = 0; i < KEYS; i++)
		issuer_free(issuers[i]);
	auth_server_stop(&server);
}

/* Not one byte, from the start on: no key of pseudonyms, no counters, no locks' contents. */
Test(shortage, a_folder_without_any_room_serves_requests)
{
	const char *database = api_name("shortage");
	const char *const *settings = api_settings_for(api_database(database));
	struct responder *tasks = start_full("tasks", 0, settings);
	struct responder *account = start_full("account", 0, settings);
	struct responder *health = start_full("health", 0, settings);
	struct ask ask = {.target = "/api/anna/export", .token = api_token("anna")};
	const struct ask metrics = {.target = "/metrics", .token = API_METRICS_TOKEN};
	cr_expect_eq(status_of(tasks, LIST), 200);
	expect_problem(responder_ask(account, &ask), 503, "storage_full", "export");
	/* One process's own counters would pass for the machine's. */
	expect_problem(responder_ask(health, &metrics), 503, "storage_full", "metrics");
	expect_no_rests();
	struct responder *later = responder_start("account", settings);
	cr_expect_eq(responder_ask(later, &ask)->status, 200);
	struct responder *counting = responder_start("health", settings);
	cr_expect_eq(responder_ask(counting, &metrics)->status, 200);
}
