/* Programs and web servers that are replaced, started again and killed while
 * clients are asking, through both servers: who is let in is answered. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/http.h"
#include "support/issuer.h"
#include "support/stack.h"

TestSuite(replace, .timeout = 300);

#define SECRET "9c1d7c9b4e8a60f3955b7c21d04ae8f6"

enum { CLIENTS = 4, PER_CONNECTION = 25, TEXT_MAX = 4096, PATIENCE = 60, PROGRAMS_MAX = 64 };

static struct stack stack;
static struct issuer *issuer;
static char *token;

static void up(const char *name, const char *server)
{
	stack = stack_make(name, (const char *const[]){server, "BETTER_AUTH_SECRET=" SECRET, "ISSUER=none", NULL});
	cr_assert(stack_up(&stack), "the stack does not start:\n%s", stack.said.ptr);
	issuer = issuer_new_secret(ALG_HS256, SECRET);
	token = issuer_token_for(issuer, "somebody", stack_value(&stack, "BASE_URL"), clock_now());
}

static void down(void)
{
	free(token);
	issuer_free(issuer);
	cr_expect(stack_down(&stack), "the stack does not stop:\n%s", stack.said.ptr);
	stack_destroy(&stack);
}

/* ---- clients ---- */

/* Shared with the processes that ask. */
struct load {
	_Atomic bool over;
	_Atomic int answered;
	_Atomic int failed;
	char failure[TEXT_MAX]; /* the last one */
};

static struct load *load;
static pid_t clients[CLIENTS];

static void fail(const char *what, const struct http_answer *answer)
{
	snprintf(load->failure, sizeof load->failure, "%s %d %.*s", what, answer ? answer->status : 0,
	         answer ? (int)answer->body.len : 0, answer ? answer->body.ptr : "");
	atomic_fetch_add(&load->failed, 1);
}

/* False: the connection was closed before this request, as a server may do with
 * one that is kept open; it is no failure unless the connection is a new one. */
static bool one_request(struct http *http, int number)
{
	char request[TEXT_MAX];
	struct http_answer answer;
	const char *target = number % 3 == 0 ? "/auth/me" : "/api/somebody/tasks";
	int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
	                   target, token);
	http_send(http, (struct view){request, (size_t)len});
	enum http_result result = http_receive(http, false, &answer);
	if (result == HTTP_CLOSED && number > 0)
		return false;
	if (result != HTTP_OK) {
		fail(http_result_text(result), NULL);
		return false;
	}
	if (answer.status == 200)
		atomic_fetch_add(&load->answered, 1);
	else
		fail(target, &answer);
	http_answer_destroy(&answer);
	return true;
}

static void ask_for_ever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!load->over) {
		struct http http;
		if (!http_open(stack_port(&stack), &http)) {
			fail("nobody listens", NULL);
			continue;
		}
		for (int i = 0; i < PER_CONNECTION && !load->over && one_request(&http, i); i++)
			;
		http_close(&http);
	}
	_exit(0);
}

static void load_begin(void)
{
	load = mmap(NULL, sizeof *load, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(load != MAP_FAILED);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = fork();
		cr_assert_geq(clients[i], 0);
		if (clients[i] == 0)
			ask_for_ever();
	}
}

/* Until so many more requests are answered. */
static void load_goes_on(int count)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	int before = load->answered;
	while (load->answered < before + count && load->failed == 0)
		cr_assert(clock_monotonic() < end && usleep(1000) == 0, "no answers any more");
}

static void load_end(const char *what)
{
	load->over = true;
	for (int i = 0; i < CLIENTS; i++)
		waitpid(clients[i], NULL, 0);
	cr_expect_eq(load->failed, 0, "%s: %d of %d failed, the last with %s", what, load->failed,
	             load->answered + load->failed, load->failure);
	munmap(load, sizeof *load);
}

/* ---- what is replaced ---- */

/* A new file in the place of each program, as a package manager does it. */
static void replace_programs(void)
{
	static const char script[] = "cd '%s/cgi-bin' && for file in *.fcgi; do "
	                             "cp -p \"$file\" \"$file.new\" && mv \"$file.new\" \"$file\" || exit 1; done";
	char command[TEXT_MAX];
	snprintf(command, sizeof command, script, stack_value(&stack, "PROGRAMS"));
	cr_assert_eq(system(command), 0);
}

static size_t pids_of(const char *name, pid_t *ret, size_t max)
{
	size_t count = 0;
	for (struct view rest = view_of(stack_value(&stack, name)); rest.len > 0 && count < max;) {
		uint64_t pid;
		cr_assert(view_to_u64(view_cut(&rest, ' '), INT32_MAX, &pid));
		ret[count++] = (pid_t)pid;
	}
	return count;
}

/* Its first worker, which is another one once the program is replaced. */
static pid_t worker_of(pid_t parent)
{
	char path[64];
	int pid = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *file = fopen(path, "r");
	if (file && fscanf(file, "%d", &pid) != 1)
		pid = 0;
	if (file)
		fclose(file);
	return pid;
}

/* Those of the programs that have workers. */
static size_t parents_of_workers(pid_t *ret)
{
	pid_t all[PROGRAMS_MAX];
	size_t count = 0;
	size_t programs = pids_of("RESPONDER_PIDS", all, PROGRAMS_MAX);
	for (size_t i = 0; i < programs; i++)
		if (worker_of(all[i]) != 0)
			ret[count++] = all[i];
	cr_assert_gt(count, 0);
	return count;
}

static void until_replaced(pid_t parent, pid_t before)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	while (worker_of(parent) == before)
		cr_assert(clock_monotonic() < end && usleep(1000) == 0, "the workers are not replaced");
}

static void until_gone(const char *what, const pid_t *pids, size_t count)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	for (size_t i = 0; i < count; i++)
		while (kill(pids[i], 0) == 0)
			cr_assert(clock_monotonic() < end && usleep(1000) == 0, "%s: an old program still runs", what);
}

static void signal_web(int signal)
{
	pid_t web;
	cr_assert_eq(pids_of("WEB_PID", &web, 1), 1);
	cr_assert_eq(kill(web, signal), 0);
}

Test(replace, programs_by_rename_and_hup_without_a_failed_request)
{
	pid_t parents[PROGRAMS_MAX];
	pid_t workers[PROGRAMS_MAX];
	up("replace-hup", "SERVER=lighttpd");
	size_t count = parents_of_workers(parents);
	load_begin();
	for (int i = 0; i < 3; i++) {
		load_goes_on(200);
		replace_programs();
		for (size_t j = 0; j < count; j++) {
			workers[j] = worker_of(parents[j]);
			cr_assert_eq(kill(parents[j], SIGHUP), 0);
		}
		for (size_t j = 0; j < count; j++)
			until_replaced(parents[j], workers[j]);
	}
	load_goes_on(200);
	load_end("HUP");
	down();
}

static void by_its_web_server(const char *name, const char *server, const char *processes)
{
	pid_t old[PROGRAMS_MAX];
	up(name, server);
	size_t count = pids_of("RESPONDER_PIDS", old, PROGRAMS_MAX);
	load_begin();
	load_goes_on(200);
	replace_programs();
	/* A request that needs a further process of mod_fcgid while Apache restarts has no answer. */
	cr_assert_eq(stack_warm(&stack, processes, NULL), 0, "%s", stack.said.ptr);
	signal_web(SIGUSR1);
	until_gone(server, old, count);
	load_goes_on(200);
	load_end(server);
	down();
}

/* `apachectl graceful` */
Test(replace, programs_by_a_graceful_apache_without_a_failed_request)
{
	by_its_web_server("replace-apache", "SERVER=apache", "16");
}

/* USR1 lets what is under way finish, then reads the configuration and starts the
 * programs anew; the sockets go on listening. */
Test(replace, programs_by_a_graceful_lighttpd_without_a_failed_request)
{
	by_its_web_server("replace-lighttpd", "SERVER=lighttpd", "1");
}

/* ---- a program that is killed ---- */

static void run_sql(PGconn *connection, const char *sql)
{
	PGresult *result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);
	cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s", PQerrorMessage(connection));
	PQclear(result);
}

/* Kills every process of the programs that runs now; `workers`: but for parents of workers. By the command line: what a
 * program that keeps secrets executes is told to root alone. */
static void kill_programs(bool workers)
{
	char command[TEXT_MAX];
	snprintf(command, sizeof command,
	         "ours() { case $({ tr '\\0' '\\n' <\"/proc/$1/cmdline\" | head -n 1; } 2>/dev/null) in "
	         "'%s/cgi-bin/'*) return 0;; esac; return 1; }; "
	         "for place in /proc/[0-9]*; do pid=${place#/proc/}; "
	         "parent=$(sed -n 's/^PPid:.//p' \"$place/status\" 2>/dev/null); "
	         "ours \"$pid\" && { [ %d = 0 ] || ours \"$parent\"; } && kill -9 \"$pid\"; done; true",
	         stack_value(&stack, "PROGRAMS"), workers);
	cr_assert_eq(system(command), 0);
}

static int status_of(const char *target)
{
	struct http_answer answer;
	struct http_ask ask = {.method = "GET", .target = target, .token = token};
	if (http_ask(stack_port(&stack), &ask, &answer) != HTTP_OK)
		return 0;
	int status = answer.status;
	http_answer_destroy(&answer);
	return status;
}

static void until_served(void)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	while (status_of("/api/somebody/tasks") != 200)
		cr_assert(clock_monotonic() < end && usleep(10000) == 0, "nobody serves any more: %d",
		          status_of("/api/somebody/tasks"));
}

/* Before its answer, a client is told by the web server; within it, an answer is
 * whole or seen to be cut; after it, nobody notices. */
static void is_killed(const char *name, const char *server)
{
	char request[TEXT_MAX];
	struct http_answer answer;
	struct http http;
	/* lighttpd minds a parent's end by itself, and takes what is left of its workers for
	 * another server; behind Apache there are no parents. */
	bool workers = strcmp(server, "SERVER=lighttpd") == 0;
	up(name, server);
	PGconn *superuser = PQconnectdb(stack_value(&stack, "SUPERUSER_DATABASE_URL"));
	cr_assert_eq(PQstatus(superuser), CONNECTION_OK, "%s", PQerrorMessage(superuser));
	run_sql(superuser,
	        "INSERT INTO todo.task (user_id, id, title, description) SELECT 'somebody', gen_random_uuid(), "
	        "'x', repeat('y', 900) FROM generate_series(1, 5000)");
	until_served();

	run_sql(superuser, "BEGIN; LOCK TABLE todo.task IN ACCESS EXCLUSIVE MODE");
	cr_assert(http_open(stack_port(&stack), &http));
	int len = snprintf(request, sizeof request,
	                   "GET /api/somebody/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token);
	http_send(&http, (struct view){request, (size_t)len});
	PGresult *waiting = NULL;
	do {
		PQclear(waiting);
		waiting = PQexec(superuser, "SELECT FROM pg_locks WHERE NOT granted");
	} while (PQntuples(waiting) == 0);
	PQclear(waiting);
	kill_programs(workers);
	run_sql(superuser, "ROLLBACK");
	enum http_result result = http_receive(&http, false, &answer);
	cr_expect_eq(result, HTTP_OK, "%s: before its answer: %s", server, http_result_text(result));
	if (result == HTTP_OK) {
		cr_expect(answer.status == 500 || answer.status == 502 || answer.status == 503, "%d", answer.status);
		cr_expect(view_starts(answer.body, VIEW("{")), "%s: %.*s", server, VIEW_ARGS(answer.body));
		http_answer_destroy(&answer);
	}
	http_close(&http);
	until_served();

	for (int i = 0; i < 3; i++) {
		cr_assert(http_open(stack_port(&stack), &http));
		len = snprintf(request, sizeof request,
		               "GET /api/somebody/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
		               token);
		http_send(&http, (struct view){request, (size_t)len});
		usleep((useconds_t)i * 20000);
		kill_programs(workers);
		result = http_receive(&http, false, &answer);
		if (result == HTTP_OK) {
			cr_expect(answer.status >= 500 ||
			                  (answer.status == 200 && answer.body.ptr[answer.body.len - 1] == '}'),
			          "%s: %d, %zu bytes", server, answer.status, answer.body.len);
			http_answer_destroy(&answer);
		} else {
			cr_expect(result == HTTP_CUT || result == HTTP_CLOSED, "%s: %s", server,
			          http_result_text(result));
		}
		http_close(&http);
		until_served();
	}
	PQfinish(superuser);
	down();
}

Test(replace, a_program_killed_by_force_behind_lighttpd)
{
	is_killed("replace-kill-l", "SERVER=lighttpd");
}

Test(replace, a_program_killed_by_force_behind_apache)
{
	is_killed("replace-kill-a", "SERVER=apache");
}
