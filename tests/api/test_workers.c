/* The life of a program: workers, signals, a new binary, and a web server that
 * talks nonsense. No request that was taken in hand is ever lost. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/auth_folder.h"
#include "support/fastcgi.h"

TestSuite(workers, .fini = api_end, .timeout = 240);

static struct responder *start(const char *program, const char *workers)
{
	return responder_start(program, api_settings((const char *const[]){workers, NULL}));
}

static void expect_alive(struct responder *responder)
{
	struct ask ask = {.target = "/health"};
	cr_expect_eq(responder_ask(responder, &ask)->status, 200);
}

/* ---- whose turn it is ---- */

static int policy_of_a_worker(void)
{
	struct responder *health = start("health", "WORKERS=0");
	expect_alive(health);
	return sched_getscheduler(responder_pid(health));
}

Test(workers, a_worker_does_not_push_the_web_server_aside)
{
	cr_expect_eq(policy_of_a_worker(), SCHED_BATCH);
}

Test(workers, a_worker_keeps_the_policy_that_somebody_chose_for_it)
{
	const struct sched_param none = {0};
	cr_assert_eq(sched_setscheduler(0, SCHED_IDLE, &none), 0);
	cr_expect_eq(policy_of_a_worker(), SCHED_IDLE);
}

/* ---- requests in hand ---- */

static bool is_read(void *context)
{
	int unread = -1;
	return ioctl(*(int *)context, SIOCOUTQ, &unread) == 0 && unread == 0;
}

/* A request whose body has not come to its end, so that its worker waits for
 * it. Returns once one has read all that was sent, and so has it in hand. */
static int hold(struct responder *responder)
{
	struct buf bytes = buf_make(64 * 1024);
	struct ask ask = {
	        .method = "POST", .target = "/auth/validate", .token = api_token("anna"), .body = "0123456789"};
	ask_write(&ask, &bytes);
	int fd = fastcgi_connect(responder_socket(responder));
	/* all but the record that ends the body */
	cr_assert(fd >= 0 && fastcgi_send(fd, (struct view){bytes.ptr, bytes.len - 8}));
	buf_destroy(&bytes);
	until(is_read, &fd, "a worker has the request in hand");
	return fd;
}

static void expect_answer(int fd)
{
	struct buf end = buf_make(16);
	fastcgi_record(&end, FASTCGI_STDIN, VIEW(""));
	cr_expect(fastcgi_send(fd, buf_view(&end)));
	buf_destroy(&end);
	const struct answer *answer = responder_answer(fd, false);
	cr_expect_eq(answer->status, 200);
	cr_expect_not_null(memmem(answer->body.ptr, answer->body.len, "\"valid\":true", 12));
	close(fd);
}

Test(workers, a_stop_signal_lets_the_request_in_hand_finish)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		struct responder *auth = start("auth", "WORKERS=0");
		int fd = hold(auth);
		kill(responder_pid(auth), signals[i]);
		expect_answer(fd);
		cr_expect_eq(responder_wait(auth), 0, "signal %d", signals[i]);
	}
}

static void expect_status(int fd, int status)
{
	cr_expect_eq(responder_answer(fd, false)->status, status);
	close(fd);
}

/* mod_fcgid gives each process a socket of its own: nobody else would answer it. */
Test(workers, a_stop_signal_leaves_no_request_behind_in_the_queue)
{
	enum { QUEUED = 5 };
	struct responder *auth = start("auth", "WORKERS=0");
	struct ask ask = {.target = "/auth/me", .token = api_token("anna")};
	int queued[QUEUED];
	int in_hand = hold(auth);
	for (size_t i = 0; i < QUEUED; i++)
		queued[i] = responder_begin(auth, &ask);
	kill(responder_pid(auth), SIGTERM);
	expect_answer(in_hand);
	for (size_t i = 0; i < QUEUED; i++)
		expect_status(queued[i], 200);
	cr_expect_eq(responder_wait(auth), 0);
}

static unsigned long long bit_of(int signal)
{
	return 1ull << (signal - 1);
}

static bool has_taken_term(void *context)
{
	return (responder_status(context, "ShdPnd: %llx") & bit_of(SIGTERM)) == 0;
}

/* One that came between a look and a wait would otherwise be waited out. */
Test(workers, signals_come_through_only_where_they_are_waited_for)
{
	struct responder *health = start("health", "WORKERS=0");
	expect_alive(health);
	cr_expect_eq(responder_status(health, "SigBlk: %llx"),
	             bit_of(SIGTERM) | bit_of(SIGINT) | bit_of(SIGHUP) | bit_of(SIGUSR1));
	/* Whoever started it may have ignored more. */
	cr_expect(responder_status(health, "SigIgn: %llx") & bit_of(SIGPIPE));
	cr_expect(responder_status(health, "SigIgn: %llx") & bit_of(SIGXFSZ));
}

/* It is let through while a head is waited for, and the next look is the last. */
Test(workers, a_stop_signal_within_a_head_leaves_no_request_behind_in_the_queue)
{
	struct responder *auth = start("auth", "WORKERS=0");
	struct ask ask = {.target = "/auth/me", .token = api_token("anna")};
	int half = fastcgi_connect(responder_socket(auth));
	cr_assert(half >= 0 && fastcgi_send(half, (struct view){"\1\1\0\1\0\10\0\0\0\1", 10}));
	until(is_read, &half, "the half head is in hand");
	int queued = responder_begin(auth, &ask);
	kill(responder_pid(auth), SIGTERM);
	until(has_taken_term, auth, "the signal has come");
	close(half);
	expect_status(queued, 200);
	cr_expect_eq(responder_wait(auth), 0);
}

/* A wait that finds a connection each time lets no signal through. Before a request is finished, the next one waits. */
Test(workers, a_stop_signal_comes_though_a_request_always_waits)
{
	struct responder *auth = start("auth", "WORKERS=0");
	int64_t end = clock_monotonic() + FASTCGI_PATIENCE * CLOCK_SECOND;
	struct buf last = buf_make(16);
	struct buf bytes = buf_make(64 * 1024);
	enum fastcgi_result result = FASTCGI_OK;
	const struct ask ask = {
	        .method = "POST", .target = "/auth/validate", .token = api_token("anna"), .body = "0123456789"};
	ask_write(&ask, &bytes);
	bytes.len -= 8; /* the record that ends the body */
	fastcgi_record(&last, FASTCGI_STDIN, VIEW(""));
	int in_hand = hold(auth);
	kill(responder_pid(auth), SIGTERM);
	while (result == FASTCGI_OK && clock_monotonic() < end) {
		struct buf answer = buf_make(64 * 1024);
		int next = fastcgi_connect(responder_socket(auth));
		(void)!fastcgi_send(next, buf_view(&bytes));
		(void)!fastcgi_send(in_hand, buf_view(&last));
		result = fastcgi_receive(in_hand, &answer);
		buf_destroy(&answer);
		close(in_hand);
		in_hand = next;
	}
	close(in_hand);
	cr_expect_neq(result, FASTCGI_OK, "the stop never comes");
	cr_expect_eq(responder_wait(auth), 0);
	buf_destroy(&bytes);
	buf_destroy(&last);
}

static bool has_ended(void *context)
{
	return kill(*(pid_t *)context, 0) != 0 && errno == ESRCH;
}

Test(workers, stopping_the_parent_lets_every_workers_request_finish)
{
	struct responder *auth = start("auth", "WORKERS=3");
	int fds[3];
	for (size_t i = 0; i < 3; i++)
		fds[i] = hold(auth);
	kill(responder_pid(auth), SIGTERM);
	for (size_t i = 0; i < 3; i++)
		expect_answer(fds[i]);
	cr_expect_eq(responder_wait(auth), 0);
}

Test(workers, a_waiting_program_stops_at_once)
{
	static const char *const workers[] = {"WORKERS=0", "WORKERS=2"};
	for (size_t i = 0; i < 2; i++) {
		struct responder *health = start("health", workers[i]);
		expect_alive(health);
		cr_expect_eq(responder_stop(health), 0);
	}
}

/* ---- the crew ---- */

struct crew {
	struct responder *responder;
	size_t count;
	pid_t without; /* none of them */
};

static bool is_complete(void *context)
{
	struct crew *crew = context;
	pid_t pids[16];
	size_t count = responder_workers(crew->responder, pids, 16);
	for (size_t i = 0; i < count; i++)
		if (pids[i] == crew->without)
			return false;
	return count == crew->count;
}

/* Kills the first of a complete crew: its process. The crew is complete again when another has taken its place. */
static pid_t kill_first(struct crew *crew, int signal)
{
	pid_t pids[16];
	until(is_complete, crew, "the crew is complete");
	responder_workers(crew->responder, pids, 16);
	crew->without = pids[0];
	kill(pids[0], signal);
	return pids[0];
}

Test(workers, there_are_as_many_as_were_asked_for)
{
	static const struct {
		const char *setting;
		size_t count;
	} cases[] = {{"WORKERS=0", 0}, {"WORKERS=1", 1}, {"WORKERS=5", 5}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct crew crew = {start("health", cases[i].setting), cases[i].count, 0};
		expect_alive(crew.responder);
		until(is_complete, &crew, "the crew is complete");
	}
}

/* They share one socket: a slow request keeps only its own worker. */
Test(workers, no_request_waits_behind_anothers)
{
	struct responder *auth = start("auth", "WORKERS=3");
	int first = hold(auth);
	int second = hold(auth);
	for (int i = 0; i < 20; i++) {
		struct ask ask = {.target = "/auth/me", .token = api_token("anna")};
		cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	}
	expect_answer(second);
	expect_answer(first);
}

Test(workers, a_killed_one_is_replaced)
{
	static const int signals[] = {SIGKILL, SIGABRT, SIGTERM};
	struct crew crew = {start("health", "WORKERS=2"), 2, 0};
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		kill_first(&crew, signals[i]);
		until(is_complete, &crew, "the dead worker is replaced");
		expect_alive(crew.responder);
	}
}

/* One that the kernel ended for want of memory, or that met a fault of ours, could say nothing itself. */
Test(workers, the_parent_tells_how_one_ended_and_counts_it)
{
	static const struct {
		int signal;
		const char *how;
	} cases[] = {{SIGKILL, "was ended by signal 9"},
	             {SIGABRT, "was ended by signal 6"},
	             {SIGTERM, "ended with status 0"}};
	struct crew crew = {start("health", "WORKERS=2"), 2, 0};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pid_t killed = kill_first(&crew, cases[i].signal);
		const char *line = ask_format("\"level\":\"error\",\"program\":\"health\",\"pid\":%d,\"message\":"
		                              "\"worker %d %s; another takes its place\"}\n",
		                              (int)responder_pid(crew.responder), (int)killed, cases[i].how);
		responder_until_logged(crew.responder, line);
		until(is_complete, &crew, "another has taken its place");
	}
	cr_expect_eq(api_metric(crew.responder, "todo_workers_ended_total"), 3);
	/* Those that are told to end are no news. */
	cr_expect_eq(responder_stop(crew.responder), 0);
	struct view log = responder_log(crew.responder);
	size_t told = 0;
	for (struct view rest = log; rest.len > 0;) {
		struct view line = view_cut(&rest, '\n');
		told += memmem(line.ptr, line.len, "takes its place", 15) != NULL;
	}
	cr_expect_eq(told, 3, "%.*s", VIEW_ARGS(log));
}

Test(workers, none_outlives_its_parent)
{
	struct crew crew = {start("health", "WORKERS=3"), 3, 0};
	pid_t pids[16];
	expect_alive(crew.responder);
	until(is_complete, &crew, "the crew is complete");
	responder_workers(crew.responder, pids, 16);
	kill(responder_pid(crew.responder), SIGKILL);
	cr_expect_eq(responder_wait(crew.responder), RESPONDER_BY_SIGNAL + SIGKILL);
	for (size_t i = 0; i < 3; i++)
		until(has_ended, &pids[i], "the orphan has ended");
}

/* An executed file inherits the children, but no word of those that have ended already: a program replaced by HUP has
 * such ones. */
Test(workers, nothing_is_left_of_children_that_ended_before)
{
	const char *file = ask_format("%s-%d", responder_program("orphans"), getpid());
	FILE *script = fopen(file, "w");
	cr_assert(script && fchmod(fileno(script), 0700) == 0);
	/* No shell, which would take note of its child itself. */
	fprintf(script,
	        "#!/usr/bin/perl\nmy $child = fork; exit 0 if $child == 0;\n"
	        "do { open F, \"/proc/$child/stat\"; $_ = <F>; close F; } until / Z /;\nexec '%s';\n",
	        responder_program("health"));
	cr_assert_eq(fclose(script), 0);
	struct crew crew = {responder_start_file(file, api_settings((const char *const[]){"WORKERS=2", NULL})), 2, 0};
	expect_alive(crew.responder);
	until(is_complete, &crew, "only the workers are left");
	unlink(file);
}

static bool refuses_connections(void *context)
{
	int fd = fastcgi_connect(responder_socket(context));
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

/* A web server that starts the program anew takes a socket that still listens for
 * somebody else's program. The request is finished all the same. */
Test(workers, none_listens_without_its_parent_even_with_a_request_in_hand)
{
	struct responder *auth = start("auth", "WORKERS=3");
	int fd = hold(auth);
	kill(responder_pid(auth), SIGKILL);
	cr_expect_eq(responder_wait(auth), RESPONDER_BY_SIGNAL + SIGKILL);
	until(refuses_connections, auth, "nobody listens");
	expect_answer(fd);
}

/* A supervisor's own signals come along through exec. With CHLD ignored the kernel
 * keeps silent about a worker's end, and its number may soon be somebody else's;
 * with USR2 blocked no worker hears that it is an orphan. */
Test(workers, what_a_supervisor_ignored_or_blocked_changes_nothing)
{
	struct auth_folder folder = auth_folder_make();
	const char *script = ask_format("#!/bin/sh\n"
	                                "exec env --ignore-signal=CHLD,TERM,PIPE --block-signal=CHLD,USR2,BUS %s\n",
	                                responder_program("health"));
	const char *file = auth_folder_write(&folder, "start", view_of(script), 0700);
	struct crew crew = {responder_start_file(file, api_settings((const char *const[]){"WORKERS=2", NULL})), 2, 0};
	pid_t pids[16];
	expect_alive(crew.responder);
	kill_first(&crew, SIGKILL);
	until(is_complete, &crew, "the dead worker is replaced");
	responder_workers(crew.responder, pids, 16);
	kill(responder_pid(crew.responder), SIGKILL);
	cr_expect_eq(responder_wait(crew.responder), RESPONDER_BY_SIGNAL + SIGKILL);
	for (size_t i = 0; i < 2; i++)
		until(has_ended, &pids[i], "the orphan has ended");
	auth_folder_remove(&folder);
}

/* ---- a new binary ---- */

static void copy_file(const char *from, const char *to)
{
	const char *fresh = ask_format("%s.new", to);
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	char bytes[65536];
	cr_assert(in >= 0 && out >= 0, "%s", from);
	for (ssize_t len; (len = read(in, bytes, sizeof bytes)) > 0;)
		cr_assert_eq(write(out, bytes, (size_t)len), len);
	close(in);
	close(out);
	cr_assert_eq(rename(fresh, to), 0);
}

static bool is_the_other_program(void *context)
{
	struct ask ask = {.target = "/health"};
	const struct answer *answer = responder_ask(context, &ask);
	/* the old one knows no such path; one of both answers, always */
	cr_assert(answer->status == 200 || answer->status == 404);
	return answer->status == 200;
}

Test(workers, a_program_is_replaced_by_hup_without_losing_a_request)
{
	const char *file = ask_format("%s-%d", responder_program("replaced"), getpid());
	copy_file(responder_program("auth"), file);
	struct responder *responder =
	        responder_start_file(file, api_settings((const char *const[]){"WORKERS=3", NULL}));
	struct crew crew = {responder, 3, 0};
	pid_t old[3];
	until(is_complete, &crew, "the crew is complete");
	responder_workers(responder, old, 3);
	int first = hold(responder);
	int second = hold(responder);
	copy_file(responder_program("health"), file);
	kill(responder_pid(responder), SIGHUP);
	until(is_the_other_program, responder, "the new program answers");
	/* the old one's requests are still in hand, and are finished by it */
	expect_answer(first);
	expect_answer(second);
	for (size_t i = 0; i < 3; i++)
		until(has_ended, &old[i], "the old worker is gone");
	until(is_complete, &crew, "the new ones are there");
	expect_alive(responder);
	cr_expect_eq(responder_stop(responder), 0);
	unlink(file);
}

Test(workers, hup_with_an_unusable_binary_leaves_the_old_program_serving)
{
	const char *file = ask_format("%s-%d", responder_program("broken"), getpid());
	copy_file(responder_program("health"), file);
	struct crew crew = {responder_start_file(file, api_settings((const char *const[]){"WORKERS=2", NULL})), 2, 0};
	expect_alive(crew.responder);
	cr_assert_eq(chmod(file, 0600), 0);
	kill(responder_pid(crew.responder), SIGHUP);
	expect_alive(crew.responder);
	until(is_complete, &crew, "the crew is complete");
	expect_alive(crew.responder);
	unlink(file);
}

/* ---- a web server that talks nonsense ---- */

/* Sends the bytes and nothing more; whatever comes back, the program lives on. */
static void send_and_leave(struct responder *responder, struct view bytes)
{
	int fd = fastcgi_connect(responder_socket(responder));
	cr_assert_geq(fd, 0);
	(void)!fastcgi_send(fd, bytes);
	close(fd);
	expect_alive(responder);
}

Test(workers, a_connection_cut_anywhere_harms_nobody)
{
	struct responder *health = start("health", "WORKERS=0");
	struct buf bytes = buf_make(64 * 1024);
	struct ask ask = {.method = "POST", .target = "/health", .body = "0123456789", .chunk = 5};
	ask_write(&ask, &bytes);
	for (size_t len = 0; len < bytes.len; len++)
		send_and_leave(health, (struct view){bytes.ptr, len});
	buf_destroy(&bytes);
}

Test(workers, records_that_make_no_sense_harm_nobody)
{
	struct responder *health = start("health", "WORKERS=0");
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
	        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
	        {"\0\0\0\0\0\0\0\0", 8},
	        {"\xff\xff\xff\xff\xff\xff\xff\xff", 8},
	        {"\1\1\0\1\0\0\0\0", 8},                   /* an empty beginning */
	        {"\1\1\0\1\0\10\0\0\0\2\0\0\0\0\0\0", 16}, /* another role */
	        {"\1\1\0\0\0\10\0\0\0\1\0\0\0\0\0\0", 16}, /* request 0 */
	        {"\1\2\0\1\0\0\0\0", 8},                   /* an abort of nothing */
	        {"\1\11\0\0\0\0\0\0", 8},                  /* a question for values */
	        {"\1\77\0\0\0\4\0\0abcd", 12},             /* an unknown type */
	        {"\1\5\0\1\0\4\0\0abcd", 12},              /* a body without a beginning */
	        {"\1\4\0\1\0\4\0\0\3\3ab", 12},            /* parameters without a beginning */
	        {"\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\4\0\0\177\177ab", 28}, /* a name longer than its record */
	        {"\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0", 32}, /* no parameters */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		send_and_leave(health, (struct view){cases[i].bytes, cases[i].len});
}

Test(workers, an_aborted_request_harms_nobody)
{
	struct responder *auth = start("auth", "WORKERS=0");
	for (int i = 0; i < 3; i++) {
		int fd = hold(auth);
		struct buf abort = buf_make(16);
		fastcgi_record(&abort, FASTCGI_ABORT, VIEW(""));
		cr_expect(fastcgi_send(fd, buf_view(&abort)));
		buf_destroy(&abort);
		close(fd);
	}
	expect_answer(hold(auth));
}

/* The answer to a request that is not read to its end looks like a failure to
 * a web server, so even a refused body is. */
Test(workers, a_refused_body_is_read_to_its_end)
{
	struct responder *auth = start("auth", "WORKERS=0");
	char *body = malloc(4 * 1024 * 1024 + 1);
	cr_assert_not_null(body);
	memset(body, 'x', 4 * 1024 * 1024);
	body[4 * 1024 * 1024] = '\0';
	struct ask ask = {.method = "POST", .target = "/auth/nothing", .body = body, .chunk = 8192};
	expect_problem(responder_ask(auth, &ask), 404, "not_found", "4 MiB");
	free(body);
}

Test(workers, large_parameters_are_no_problem)
{
	struct responder *auth = start("auth", "WORKERS=0");
	char *value = malloc(60 * 1000);
	cr_assert_not_null(value);
	memset(value, 'a', 60 * 1000 - 1);
	value[60 * 1000 - 1] = '\0';
	const char *const params[] = {ask_format("HTTP_COOKIE=%s", value), NULL};
	struct ask ask = {.target = "/auth/me", .token = api_token("anna"), .params = params};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	ask = (struct ask){.target = ask_format("/auth/%s", value)};
	expect_problem(responder_ask(auth, &ask), 404, "not_found", "a long path");
	ask = (struct ask){.target = "/auth/me", .token = value};
	expect_problem(responder_ask(auth, &ask), 401, "unauthorized", "a long token");
	free(value);
}
