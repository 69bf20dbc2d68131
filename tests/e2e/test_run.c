/* What `make up` and `make down` promise: one word brings everything up, one
 * takes it down, and the caller's settings are heard. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/http.h"
#include "support/issuer.h"
#include "support/stack.h"

#define SECRET "2f1d7c9b4e8a60f3955b7c21d04ae86f"

enum { TEXT_MAX = 4096, ARENA_MAX = 1024 * 1024, PATIENCE = 30 };

static const char *const MAKE_UP[] = {"make", "--no-print-directory", "up", NULL};
static const char *const MAKE_DOWN[] = {"make", "--no-print-directory", "down", NULL};
static const char *const UP[] = {"bin/stack", "up", NULL};

/* ---- processes ---- */

/* Does this link of a process lead into the stack's own folder? */
static bool leads_into(const char *pid, const char *link, const char *folder)
{
	char path[300];
	char target[TEXT_MAX];
	snprintf(path, sizeof path, "/proc/%s/%s", pid, link);
	ssize_t len = readlink(path, target, sizeof target - 1);
	target[len > 0 ? len : 0] = '\0';
	return strstr(target, folder) != NULL;
}

/* Processes that run a program of this stack, or stand in its folder. */
static int processes_of(const char *name)
{
	char folder[64];
	int count = 0;
	snprintf(folder, sizeof folder, "/run-%s/", name);
	DIR *proc = opendir("/proc");
	cr_assert_not_null(proc);
	for (struct dirent *entry; (entry = readdir(proc));)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    (leads_into(entry->d_name, "exe", folder) || leads_into(entry->d_name, "cwd", folder)))
			count++;
	closedir(proc);
	return count;
}

/* Is it a process still, and not what is left of one until somebody asks after it? */
static bool is_process(uint64_t pid)
{
	char path[64];
	char stat[512];
	snprintf(path, sizeof path, "/proc/%" PRIu64 "/stat", pid);
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	stat[fread(stat, 1, sizeof stat - 1, file)] = '\0';
	fclose(file);
	const char *state = strrchr(stat, ')');
	return state && strncmp(state, ") Z", 3) != 0 && strncmp(state, ") X", 3) != 0;
}

/* How many of these, separated by blanks, are processes. */
static int alive(const char *pids)
{
	int count = 0;
	for (struct view rest = view_of(pids); rest.len > 0;) {
		uint64_t pid = 0;
		cr_assert(view_to_u64(view_cut(&rest, ' '), INT32_MAX, &pid));
		count += is_process(pid);
	}
	return count;
}

static int words(const char *list)
{
	int count = 0;
	for (struct view rest = view_of(list); rest.len > 0; count++)
		(void)view_cut(&rest, ' ');
	return count;
}

/* ---- asking ---- */

static int status_of(const struct stack *stack, const struct http_ask *ask)
{
	struct http_answer answer;
	if (http_ask(stack_port(stack), ask, &answer) != HTTP_OK)
		return 0;
	int status = answer.status;
	http_answer_destroy(&answer);
	return status;
}

static int get(const struct stack *stack, const char *path)
{
	return status_of(stack, &(struct http_ask){.method = "GET", .target = path});
}

/* A token of a user named "somebody", signed by `issuer` for this stack. */
static char *token_for(const struct issuer *issuer, const struct stack *stack)
{
	return issuer_token_for(issuer, "somebody", stack_value(stack, "BASE_URL"), clock_now());
}

static bool said(const struct stack *stack, const char *text)
{
	return strstr(stack->said.ptr, text) != NULL;
}

static void up(struct stack *stack)
{
	cr_assert(stack_up(stack), "the stack does not start:\n%s", stack->said.ptr);
}

static void down(struct stack *stack)
{
	cr_expect(stack_down(stack), "the stack does not stop:\n%s", stack->said.ptr);
	stack_destroy(stack);
}

/* ---- up and down ---- */

static void up_and_down(const char *name, const char *server)
{
	struct stack stack = stack_make(name, (const char *const[]){server, NULL});
	char *pids[4];
	cr_assert_eq(stack_run(&stack, MAKE_UP), 0, "%s", stack.said.ptr);
	cr_assert(stack_read(&stack));
	pids[0] = strdup(stack_value(&stack, "WEB_PID"));
	pids[1] = strdup(stack_value(&stack, "DATABASE_PID"));
	pids[2] = strdup(stack_value(&stack, "RESPONDER_PIDS"));
	pids[3] = strdup(stack_value(&stack, "ISSUER_PID"));
	for (int i = 0; i < 4; i++) {
		cr_expect_gt(words(pids[i]), 0, "%s", server);
		cr_expect_eq(alive(pids[i]), words(pids[i]), "%s", server);
	}
	cr_expect_gt(strlen(stack_value(&stack, "OWNER_DATABASE_URL")), 0);
	cr_expect_gt(strlen(stack_value(&stack, "DATABASE_URL")), 0);
	cr_expect_gt(processes_of(name), 3);
	cr_expect_eq(get(&stack, "/health"), 200);
	cr_expect_eq(get(&stack, "/ready"), 200);
	cr_expect_eq(get(&stack, "/api/auth/jwks"), 200);

	cr_expect_eq(stack_run(&stack, MAKE_DOWN), 0, "%s", stack.said.ptr);
	cr_expect_eq(get(&stack, "/health"), 0);
	for (int i = 0; i < 4; i++) {
		cr_expect_eq(alive(pids[i]), 0, "%s: %s", server, pids[i]);
		free(pids[i]);
	}
	cr_expect_eq(processes_of(name), 0);
	cr_expect_not(stack_read(&stack));
	stack_destroy(&stack);
}

Test(run, make_up_starts_everything_and_make_down_leaves_nothing_with_lighttpd)
{
	up_and_down("run-lighttpd", "SERVER=lighttpd");
}

Test(run, make_up_starts_everything_and_make_down_leaves_nothing_with_apache)
{
	up_and_down("run-apache", "SERVER=apache");
}

/* ---- what neighbours see ---- */

/* Stands in front of the program of that name: writes its arguments down, as /proc shows them to everybody. */
static void put_in_front(const char *folder, const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fprintf(file,
	        "#!/bin/bash\nprintf '%%s\\n' \"${0##*/} $*\" >>'%s/said'\n"
	        "exec \"$(PATH=${PATH#*:} type -P %s)\" \"$@\"\n",
	        folder, name);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(path, 0755), 0);
}

static void expect_unsaid(const char *said, const char *name, struct view secret)
{
	cr_assert_geq(secret.len, 32, "%s", name);
	cr_expect_null(memmem(said, strlen(said), secret.ptr, secret.len), "the secret of %s is in\n%s", name, said);
}

Test(run, no_secret_is_on_a_command_line)
{
	static const char *const programs[] = {"env", "setpriv", "setsid", "psql", "sqitch", "curl", "node"};
	static const char *const urls[] = {"DATABASE_URL", "OWNER_DATABASE_URL", "ISSUER_DATABASE_URL",
	                                   "SUPERUSER_DATABASE_URL"};
	static char said[1024 * 1024];
	char folder[] = "/tmp/todo-fcgi-test-XXXXXX";
	char path[TEXT_MAX];
	cr_assert_not_null(mkdtemp(folder));
	/* The stack's own user goes by them, too. */
	cr_assert_eq(chmod(folder, 0755), 0);
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		put_in_front(folder, programs[i]);
	snprintf(path, sizeof path, "%s/said", folder);
	FILE *file = fopen(path, "w+");
	cr_assert(file && chmod(path, 0666) == 0);
	snprintf(path, sizeof path, "%s:%s", folder, getenv("PATH"));
	setenv("PATH", path, 1);

	struct stack stack = stack_make("run-lines", (const char *const[]){NULL});
	up(&stack);
	said[fread(said, 1, sizeof said - 1, file)] = '\0';
	fclose(file);
	cr_expect(strstr(said, "bootstrap.sql") && strstr(said, "auth-server.mjs") && strstr(said, "sqitch "), "%s",
	          said);
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct view rest = view_of(stack_value(&stack, urls[i]));
		/* postgresql://role:password@… */
		(void)view_cut(&rest, ':');
		(void)view_cut(&rest, ':');
		expect_unsaid(said, urls[i], view_cut(&rest, '@'));
	}
	expect_unsaid(said, "Better Auth", view_of(stack_value(&stack, "ISSUER_SECRET")));
	down(&stack);
	snprintf(path, sizeof path, "rm -r %s", folder);
	cr_expect_eq(system(path), 0);
}

/* ---- twice ---- */

Test(run, a_second_up_finds_the_first)
{
	struct stack stack = stack_make("run-twice", (const char *const[]){"BETTER_AUTH_SECRET=" SECRET, NULL});
	up(&stack);
	char *web = strdup(stack_value(&stack, "WEB_PID"));
	up(&stack);
	cr_expect(said(&stack, "already up"), "%s", stack.said.ptr);
	cr_expect_str_eq(stack_value(&stack, "WEB_PID"), web);
	free(web);
	down(&stack);
}

Test(run, a_second_run_keeps_the_data_and_the_port)
{
	struct stack stack =
	        stack_make("run-keeps", (const char *const[]){"STACK_EPHEMERAL=0", "BETTER_AUTH_SECRET=" SECRET, NULL});
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	up(&stack);
	char *address = strdup(stack_value(&stack, "BASE_URL"));
	char *programs = strdup(stack_value(&stack, "PROGRAMS"));
	char *token = token_for(issuer, &stack);
	cr_expect_eq(status_of(&stack, &(struct http_ask){.method = "POST",
	                                                  .target = "/api/somebody/tasks",
	                                                  .token = token,
	                                                  .body = "{\"title\":\"kept\"}"}),
	             201);
	cr_expect(stack_down(&stack), "%s", stack.said.ptr);
	cr_expect_eq(processes_of("run-keeps"), 0);

	up(&stack);
	cr_expect_str_eq(stack_value(&stack, "BASE_URL"), address);
	struct http_answer list;
	cr_assert_eq(http_ask(stack_port(&stack),
	                      &(struct http_ask){.method = "GET", .target = "/api/somebody/tasks", .token = token},
	                      &list),
	             HTTP_OK);
	cr_expect_eq(list.status, 200);
	cr_expect(memmem(list.body.ptr, list.body.len, "\"kept\"", 6) != NULL, "%.*s", VIEW_ARGS(list.body));
	http_answer_destroy(&list);
	cr_expect(stack_down(&stack), "%s", stack.said.ptr);

	/* What is kept for ever elsewhere was kept for this test alone. */
	char folder[TEXT_MAX];
	snprintf(folder, sizeof folder, "%s/..", programs);
	char *home = realpath(folder, NULL);
	cr_assert_not_null(home);
	cr_assert_str_not_empty(strstr(home, "/run-run-keeps"));
	cr_expect_eq(stack_run(&stack, (const char *const[]){"rm", "-rf", home, "build/run-run-keeps", NULL}), 0);
	free(home);
	free(programs);
	free(address);
	free(token);
	issuer_free(issuer);
	stack_destroy(&stack);
}

/* ---- in the foreground ---- */

/* Reads on until `text` has been printed. False: the output ended before. */
static bool read_until(int output, struct buf *printed, const char *text)
{
	while (!printed->ptr || !memmem(printed->ptr, printed->len, text, strlen(text))) {
		char *room = buf_reserve(printed, TEXT_MAX);
		ssize_t got = room ? read(output, room, TEXT_MAX) : 0;
		if (got <= 0)
			return false;
		printed->len += (size_t)got;
	}
	return true;
}

/* What a shell prints for that line. */
static void paste(struct view line, struct buf *ret)
{
	char *command = strndup(line.ptr, line.len);
	FILE *shell = popen(command, "r");
	cr_assert_not_null(shell);
	for (size_t got = 1; got > 0; ret->len += got) {
		char *room = buf_reserve(ret, TEXT_MAX);
		cr_assert_not_null(room);
		got = fread(room, 1, TEXT_MAX, shell);
	}
	cr_expect_eq(pclose(shell), 0, "%s", command);
	buf_add_char(ret, '\0');
	free(command);
}

static void run_in_the_foreground(const char *name, const char *server, const char *issuer)
{
	static const char *const wanted[] = {"[]", "\"title\":\"Buy milk\"", "[{\"id\":"};
	struct stack stack = stack_make(name, (const char *const[]){server, issuer, NULL});
	struct buf printed = buf_make(256 * 1024);
	int output;
	pid_t pid = stack_begin(&stack, (const char *const[]){"make", "--no-print-directory", "run", NULL}, &output);
	cr_assert_gt(pid, 0);
	cr_expect(read_until(output, &printed, "Ctrl-C stops"), "%.*s", VIEW_ARGS(buf_view(&printed)));

	size_t pasted = 0;
	for (struct view rest = buf_view(&printed); rest.len > 0;) {
		struct view line = view_cut(&rest, '\n');
		if (!view_starts(line, VIEW("curl ")))
			continue;
		struct buf said = buf_make(TEXT_MAX * 4);
		cr_assert_lt(pasted, sizeof wanted / sizeof *wanted);
		paste(line, &said);
		cr_expect(strstr(said.ptr, wanted[pasted]) != NULL, "%.*s: %s", VIEW_ARGS(line), said.ptr);
		buf_destroy(&said);
		pasted++;
	}
	cr_expect_eq(pasted, sizeof wanted / sizeof *wanted);
	cr_expect_gt(processes_of(name), 0);

	/* As a terminal does at Ctrl-C. */
	cr_expect_eq(kill(-pid, SIGINT), 0);
	cr_expect_not(read_until(output, &printed, "\001"));
	cr_expect_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(processes_of(name), 0);
	close(output);
	buf_destroy(&printed);
	stack_destroy(&stack);
}

Test(run, make_run_prints_lines_that_work_and_stops_at_an_interrupt_with_lighttpd)
{
	run_in_the_foreground("run-front-l", "SERVER=lighttpd", "ISSUER=");
}

Test(run, make_run_prints_lines_that_work_and_stops_at_an_interrupt_with_apache)
{
	run_in_the_foreground("run-front-a", "SERVER=apache", "ISSUER=");
}

Test(run, make_run_does_without_better_auth)
{
	run_in_the_foreground("run-front-n", "SERVER=lighttpd", "ISSUER=none");
}

/* ---- settings ---- */

/* A port that nobody listens on, below those that outgoing connections take. */
static int free_port(void)
{
	struct http http;
	int port = 20000 + getpid() % 9000;
	while (http_open(port, &http)) {
		http_close(&http);
		port++;
	}
	return port;
}

Test(run, hears_the_port_and_the_programs_settings)
{
	char port[32];
	snprintf(port, sizeof port, "PORT=%d", free_port());
	struct stack stack = stack_make("run-settings",
	                                (const char *const[]){port, "BETTER_AUTH_SECRET=" SECRET, "CORS_MAX_AGE=77",
	                                                      "CORS_ORIGINS=https://one.example, https://two.example",
	                                                      "JWT_ISSUER=https://issuer.example",
	                                                      "JWT_AUDIENCE=https://audience.example", NULL});
	struct http_answer answer;
	up(&stack);
	cr_expect_str_eq(strrchr(stack_value(&stack, "BASE_URL"), ':') + 1, port + 5);
	cr_assert_eq(http_ask(stack_port(&stack),
	                      &(struct http_ask){.method = "OPTIONS",
	                                         .target = "/auth/me",
	                                         .headers = "Origin: https://two.example\r\n"
	                                                    "Access-Control-Request-Method: GET\r\n"},
	                      &answer),
	             HTTP_OK);
	cr_expect(
	        view_equal(http_header(&answer, VIEW("Access-Control-Allow-Origin"), 0), VIEW("https://two.example")));
	cr_expect(view_equal(http_header(&answer, VIEW("Access-Control-Max-Age"), 0), VIEW("77")));
	http_answer_destroy(&answer);

	/* No Better Auth beside a secret of the caller's own, and its issuer is not the stack. */
	cr_expect_str_empty(stack_value(&stack, "ISSUER_PID"));
	cr_expect_eq(get(&stack, "/api/auth/jwks"), 404);
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	char *token = token_for(issuer, &stack);
	cr_expect_eq(status_of(&stack, &(struct http_ask){.method = "GET", .target = "/auth/me", .token = token}), 401);
	free(token);
	issuer_free(issuer);
	down(&stack);
}

/* A file that nobody but us can read, in a folder that nobody but us can enter. */
static void private_file(const char *folder, const char *path, struct view text)
{
	cr_assert(mkdir(folder, 0700) == 0 || errno == EEXIST);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(text.ptr, 1, text.len, file), text.len);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(path, 0600), 0);
}

Test(run, takes_a_key_set_of_the_callers_own_instead_of_better_auth)
{
	struct issuer *issuer = issuer_new(ALG_EDDSA, "callers-key");
	struct buf keys = buf_make(TEXT_MAX);
	char folder[] = "/tmp/todo-fcgi-test-XXXXXX";
	char path[64];
	char setting[80];
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/keys.json", folder);
	snprintf(setting, sizeof setting, "JWKS_FILE=%s", path);
	issuer_jwks(&issuer, 1, &keys);
	private_file(folder, path, buf_view(&keys));

	struct stack stack = stack_make("run-keys", (const char *const[]){"SERVER=apache", setting, NULL});
	up(&stack);
	cr_expect_str_empty(stack_value(&stack, "ISSUER_PID"));
	char *token = token_for(issuer, &stack);
	cr_expect_eq(status_of(&stack, &(struct http_ask){.method = "GET", .target = "/auth/me", .token = token}), 200);
	free(token);
	down(&stack);
	unlink(path);
	rmdir(folder);
	buf_destroy(&keys);
	issuer_free(issuer);
}

static void is_refused(const char *name, const char *server, const char *setting, const char *reason,
                       const char *never_said)
{
	struct stack stack =
	        stack_make(name, (const char *const[]){server, "BETTER_AUTH_SECRET=" SECRET, setting, NULL});
	cr_expect_neq(stack_run(&stack, UP), 0, "%s", setting);
	cr_expect(said(&stack, reason), "%s: %s", setting, stack.said.ptr);
	cr_expect_not(said(&stack, never_said), "%s: %s", setting, stack.said.ptr);
	cr_expect_eq(processes_of(name), 0, "%s", setting);
	cr_expect_not(stack_read(&stack), "%s", setting);
	cr_expect(stack_down(&stack), "%s", stack.said.ptr);
	stack_destroy(&stack);
}

Test(run, a_broken_setting_makes_it_fail_with_the_reason_with_lighttpd)
{
	is_refused("run-broken-l", "SERVER=lighttpd", "JWT_LEEWAY=6161", "JWT_LEEWAY", "6161");
	is_refused("run-broken-l", "SERVER=lighttpd", "JWT_LEWAY=30", "JWT_LEWAY", "account_of_nothing");
	is_refused("run-broken-l", "SERVER=lighttpd", "CORS_ORIGINS=*", "CORS_ORIGINS", "account_of_nothing");
}

Test(run, a_broken_setting_makes_it_fail_with_the_reason_with_apache)
{
	is_refused("run-broken-a", "SERVER=apache", "JWT_LEEWAY=6161", "JWT_LEEWAY", "6161");
	is_refused("run-broken-a", "SERVER=apache", "BETTER_AUTH_PREVIOUS_SECRETS=hunter2hunter2", "PREVIOUS_SECRETS",
	           "hunter2");
}

Test(run, a_server_or_port_that_cannot_be_makes_it_fail_with_the_reason)
{
	is_refused("run-broken-s", "SERVER=iis", "PORT=0", "SERVER", "account_of_nothing");
	is_refused("run-broken-s", "SERVER=lighttpd", "PORT=99999", "PORT", "account_of_nothing");
}

/* ---- a database of the caller's own ---- */

static void run_sql(const char *url, const char *sql)
{
	PGconn *connection = PQconnectdb(url);
	PGresult *result = PQexec(connection, sql);
	cr_assert_eq(PQresultStatus(result), PGRES_COMMAND_OK, "%s", PQerrorMessage(connection));
	PQclear(result);
	PQfinish(connection);
}

/* "NAME=URL" with another database in the URL. */
static void setting_for(char *out, size_t size, const char *name, const char *url, const char *database)
{
	const char *at = strstr(url, "@/todo?");
	cr_assert_not_null(at, "%s", url);
	snprintf(out, size, "%s=%.*s@/%s?%s", name, (int)(at - url), url, database, at + strlen("@/todo?"));
}

Test(run, deploys_the_schema_to_the_callers_database_only_with_its_owners_address)
{
	struct stack host = stack_make("run-host", (const char *const[]){"BETTER_AUTH_SECRET=" SECRET, NULL});
	char database[TEXT_MAX];
	char owner[TEXT_MAX];
	up(&host);
	run_sql(stack_value(&host, "SUPERUSER_DATABASE_URL"), "CREATE DATABASE guest OWNER todo_owner");
	setting_for(database, sizeof database, "DATABASE_URL", stack_value(&host, "DATABASE_URL"), "guest");
	setting_for(owner, sizeof owner, "OWNER_DATABASE_URL", stack_value(&host, "OWNER_DATABASE_URL"), "guest");

	struct stack without =
	        stack_make("run-guest", (const char *const[]){"BETTER_AUTH_SECRET=" SECRET, database, NULL});
	up(&without);
	cr_expect_str_empty(stack_value(&without, "DATABASE_PID"));
	cr_expect_eq(get(&without, "/health"), 200);
	cr_expect_eq(get(&without, "/ready"), 503);
	down(&without);

	struct stack with =
	        stack_make("run-guest", (const char *const[]){"BETTER_AUTH_SECRET=" SECRET, database, owner, NULL});
	up(&with);
	cr_expect_eq(get(&with, "/ready"), 200, "%s", with.said.ptr);
	down(&with);
	cr_expect_eq(get(&host, "/ready"), 200);
	down(&host);
}

/* Debian's psql takes the port of the system's own cluster where none is given. */
Test(run, finds_its_own_database_beside_the_systems)
{
	static const char psql[] = "#!/bin/sh\nPGPORT=${PGPORT:-1} exec /usr/bin/psql \"$@\"\n";
	char folder[] = "/tmp/todo-fcgi-test-XXXXXX";
	char file[64];
	char path[TEXT_MAX];
	cr_assert_not_null(mkdtemp(folder));
	snprintf(file, sizeof file, "%s/psql", folder);
	snprintf(path, sizeof path, "%s:%s", folder, getenv("PATH"));
	private_file(folder, file, view_of(psql));
	cr_assert_eq(chmod(folder, 0755), 0);
	cr_assert_eq(chmod(file, 0755), 0);
	cr_assert_eq(setenv("PATH", path, 1), 0);
	struct stack stack = stack_make("run-beside", (const char *const[]){"BETTER_AUTH_SECRET=" SECRET, NULL});
	up(&stack);
	cr_expect_eq(get(&stack, "/ready"), 200);
	down(&stack);
	unlink(file);
	rmdir(folder);
}

/* ---- trouble ---- */

static void wait_for_status(const struct stack *stack, const struct http_ask *ask, int wanted)
{
	int64_t deadline = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	int status = 0;
	while (status != wanted && clock_monotonic() < deadline)
		status = status_of(stack, ask);
	cr_expect_eq(status, wanted, "%s is %d, not %d", ask->target, status, wanted);
}

static void loses_its_database(const char *name, const char *server)
{
	struct stack stack = stack_make(name, (const char *const[]){server, "BETTER_AUTH_SECRET=" SECRET, NULL});
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	up(&stack);
	char *token = token_for(issuer, &stack);
	struct http_ask list = {.method = "GET", .target = "/api/somebody/tasks", .token = token};
	struct http_ask ready = {.method = "GET", .target = "/ready"};
	cr_expect_eq(status_of(&stack, &list), 200);

	cr_expect_eq(stack_run(&stack, (const char *const[]){"bin/stack", "database", "stop", NULL}), 0, "%s",
	             stack.said.ptr);
	struct http_answer answer;
	cr_assert_eq(http_ask(stack_port(&stack), &list, &answer), HTTP_OK);
	cr_expect_eq(answer.status, 503);
	cr_expect_not(view_is_absent(http_header(&answer, VIEW("Retry-After"), 0)));
	cr_expect(view_equal(http_header(&answer, VIEW("Content-Type"), 0), VIEW("application/problem+json")));
	http_answer_destroy(&answer);
	cr_expect_eq(get(&stack, "/health"), 200);
	wait_for_status(&stack, &ready, 503);
	cr_expect_eq(get(&stack, "/api/somebody/tasks"), 401, "a missing token needs no database to be missed");

	cr_expect_eq(stack_run(&stack, (const char *const[]){"bin/stack", "database", "start", NULL}), 0, "%s",
	             stack.said.ptr);
	wait_for_status(&stack, &ready, 200);
	wait_for_status(&stack, &list, 200);
	free(token);
	issuer_free(issuer);
	down(&stack);
}

Test(run, says_503_while_the_database_is_away_and_recovers_alone_with_lighttpd)
{
	loses_its_database("run-away-l", "SERVER=lighttpd");
}

Test(run, says_503_while_the_database_is_away_and_recovers_alone_with_apache)
{
	loses_its_database("run-away-a", "SERVER=apache");
}

/* Root looks into a log that lies where the programs' user may write. */
Test(run, a_link_in_the_place_of_a_log_shows_nothing_of_roots)
{
	static const char secret[] = "what-only-root-may-read";
	char folder[] = "/tmp/todo-fcgi-test-XXXXXX";
	char file[64];
	char log[TEXT_MAX];
	uint64_t web = 0;
	int output, status;
	if (geteuid() != 0)
		cr_skip_test("only root reads more than the programs' user");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(file, sizeof file, "%s/secret", folder);
	private_file(folder, file, view_of(secret));
	struct stack stack = stack_make("run-link", (const char *const[]){"BETTER_AUTH_SECRET=" SECRET, NULL});
	struct buf printed = buf_make(256 * 1024);
	pid_t pid = stack_begin(&stack, (const char *const[]){"bin/stack", "run", NULL}, &output);
	cr_assert_gt(pid, 0);
	cr_assert(read_until(output, &printed, "Ctrl-C stops"), "%.*s", VIEW_ARGS(buf_view(&printed)));
	cr_assert(stack_read(&stack));
	snprintf(log, sizeof log, "%s/web.log", stack_value(&stack, "LOG_DIR"));
	unlink(log);
	cr_assert_eq(symlink(file, log), 0);
	cr_assert(view_to_u64(view_of(stack_value(&stack, "WEB_PID")), INT32_MAX, &web));
	cr_assert_eq(kill((pid_t)web, SIGKILL), 0);
	cr_expect_not(read_until(output, &printed, secret));
	cr_expect_not_null(memmem(printed.ptr, printed.len, "web has ended by itself", 23), "%.*s",
	                   VIEW_ARGS(buf_view(&printed)));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	close(output);
	buf_destroy(&printed);
	unlink(file);
	rmdir(folder);
	cr_expect_eq(processes_of("run-link"), 0);
	down(&stack);
	cr_expect_neq(access("build/run-run-link", F_OK), 0, "a second end leaves no folder");
}

/* The tests' own promise: nothing of a stack outlives its test. */
Test(run, a_stack_stops_when_its_test_is_killed)
{
	enum { READY = 'r' };
	int ends[2];
	char byte = 0;
	cr_assert_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct stack stack =
		        stack_make("run-orphan", (const char *const[]){"BETTER_AUTH_SECRET=" SECRET, NULL});
		if (stack_up(&stack))
			(void)!write(ends[1], &(char){READY}, 1);
		raise(SIGKILL);
	}
	close(ends[1]);
	cr_assert_eq(read(ends[0], &byte, 1), 1, "the stack does not start");
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	int64_t deadline = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	while (processes_of("run-orphan") > 0 && clock_monotonic() < deadline)
		;
	cr_expect_eq(processes_of("run-orphan"), 0);
	close(ends[0]);
}
