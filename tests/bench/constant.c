/* The least that a program behind a web server can do: answers as large as the product's own, with the same headers,
 * and no work for them.
 *
 * It stands in for a program of cgi-bin/: FastCGI on standard input with WORKERS processes, or plain CGI. The path says
 * which answer: …/reject is a refused token, …/tasks the list of 20, everything else /auth/me.
 *
 * As least.c it does what no program can leave out that is asked who somebody is: verifies the signature, has cJSON
 * read the claims, takes random bytes for the request's id, writes a line of the log, waits so that a stop signal
 * ends it, and leaves the web server its turn as the product does. For a list, and for a task that is turned over, it
 * also has PostgreSQL run the product's statements as that user, in one round trip, and libpq read the rows. It makes
 * no use of them: the answer is there already. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/gateway.h"
#include "app/wire.h"
#include "auth/key.h"
#include "base/base64url.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/random.h"
#include "db/connection.h"

#ifndef LEAST
#define LEAST false
#endif

enum { ANSWER_MAX = 16 * 1024, LIST_LENGTH = 20, TOKEN_MAX = 4096, LOG_LINE = 400, ID_BYTES = 16, SECRET_BYTES = 32 };

#define HEADERS                                              \
	"X-Content-Type-Options: nosniff\r\n"                \
	"X-Frame-Options: DENY\r\n"                          \
	"Referrer-Policy: no-referrer\r\n"                   \
	"Content-Security-Policy: default-src 'none'\r\n"    \
	"Cache-Control: no-store\r\n"                        \
	"Vary: Origin\r\n"                                   \
	"X-Request-Id: 00000000000000000000000000000000\r\n" \
	"Cross-Origin-Resource-Policy: same-origin\r\n"

static const char me_body[] =
        "{\"user\":{\"id\":\"100000000000000000\",\"email\":\"user-100000000000000000@mail.example\","
        "\"name\":\"User 100000000000000000\"},\"expires_at\":\"2026-01-05T09:30:00Z\"}";
static const char reject_body[] = "{\"type\":\"/problems/token_invalid\",\"title\":\"Unauthorized\",\"status\":401,"
                                  "\"detail\":\"The credential is not valid.\",\"code\":\"token_invalid\","
                                  "\"request_id\":\"00000000000000000000000000000000\"}";
static const char task[] =
        "{\"id\":\"01930000-0000-7000-8000-100000000000\",\"user_id\":\"100000000000000000\",\"title\":\"Task number 1 "
        "of "
        "the week, to be done soon\",\"description\":\"What there is to say about it, in a sentence or two of ordinary "
        "length.\",\"completed\":false,\"priority\":\"medium\",\"due_date\":\"2026-01-05T09:30:00.000000Z\",\"tags\":"
        "[\"home\",\"week "
        "1\"],\"created_at\":\"2026-01-05T09:30:00.000000Z\",\"updated_at\":\"2026-01-05T09:30:00.000000Z\"}";

struct answer {
	char text[ANSWER_MAX];
	int len;
};

static struct answer me, reject, list, one;

static void make_answer(struct answer *answer, const char *status, const char *more, const char *body)
{
	answer->len =
	        snprintf(answer->text, sizeof answer->text, "Status: %s" HEADERS "%sContent-Length: %zu\r\n\r\n%s",
	                 status, more, strlen(body), body);
}

static void make_answers(void)
{
	char body[ANSWER_MAX];
	size_t len = 0;
	for (int i = 0; i < LIST_LENGTH; i++)
		len += (size_t)snprintf(body + len, sizeof body - len, "%c%s", i == 0 ? '[' : ',', task);
	snprintf(body + len, sizeof body - len, "]");
	make_answer(&list, "200\r\nContent-Type: application/json\r\n", "", body);
	make_answer(&one, "200\r\nContent-Type: application/json\r\n", "", task);
	make_answer(&me, "200\r\nContent-Type: application/json\r\n", "", me_body);
	make_answer(&reject, "401\r\nContent-Type: application/problem+json\r\n",
	            "WWW-Authenticate: Bearer realm=\"todo\", error=\"invalid_token\"\r\n", reject_body);
}

static const struct answer *answer_to(struct view path)
{
	struct view last = ABSENT;
	while (!view_is_absent(path))
		last = view_cut(&path, '/');
	if (view_equal(last, VIEW("reject")))
		return &reject;
	if (view_equal(last, VIEW("complete")))
		return &one;
	return view_equal(last, VIEW("tasks")) ? &list : &me;
}

/* ---- what no program can leave out ---- */

static struct key *hs256, *ed25519;
static struct connection database;
static int waiter = -1;

/* The keys are anybody's: that a signature is wrong takes as long to find out. The generator of Ed25519 is a good
 * point. */
static bool least_open(void)
{
	static const char secret[SECRET_BYTES] = "a secret that verifies no token";
	char point[SECRET_BYTES];
	struct epoll_event wanted = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	const struct sched_param none = {0};
	memset(point, 0x66, sizeof point);
	point[0] = 0x58;
	waiter = epoll_create1(EPOLL_CLOEXEC);
	return key_new_hmac(ALG_HS256, ABSENT, (struct view){secret, sizeof secret}, &hs256) == KEY_OK &&
	       key_new_ed25519(ABSENT, (struct view){point, sizeof point}, &ed25519) == KEY_OK &&
	       fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) == 0 && sched_setscheduler(0, SCHED_BATCH, &none) == 0 &&
	       epoll_ctl(waiter, EPOLL_CTL_ADD, STDIN_FILENO, &wanted) == 0;
}

static int least_accept(void)
{
	struct epoll_event event;
	int fd = -1;
	while (fd < 0 && epoll_wait(waiter, &event, 1, -1) == 1)
		fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);
	return fd;
}

static bool least_verify(struct view credential)
{
	unsigned char decoded[TOKEN_MAX];
	size_t len = 0;
	if (!view_starts(credential, VIEW("Bearer ")))
		return false;
	struct view token = view_from(credential, strlen("Bearer "));
	struct view rest = token;
	(void)view_cut(&rest, '.');
	struct view claims = view_cut(&rest, '.');
	if (token.len > TOKEN_MAX || !base64url_decode(claims, decoded, &len))
		return false;
	cJSON_Delete(cJSON_ParseWithLength((const char *)decoded, len));
	struct view text = {token.ptr, token.len - rest.len - 1};
	if (!base64url_decode(rest, decoded, &len))
		return false;
	return key_verify(len > SECRET_BYTES ? ed25519 : hs256, text, (struct view){(const char *)decoded, len});
}

static bool least_connect(int64_t deadline)
{
	const struct config_source source = {.environment = environ};
	struct connection_fault fault;
	struct address address;
	struct config config;
	BUF error = buf_make(LOG_LINE);
	return database.conn || (config_load(&source, &config, &error) && address_make(&config, &address, &error) &&
	                         connection_open(&database, &address, deadline, &fault));
}

/* Runs what the path asks for, if that takes the database: /api/USER/tasks or /api/USER/tasks/ID/complete. */
static bool least_run(struct view path)
{
	enum { API = 1, USER, TASKS, ID, COMPLETE, PARTS };
	struct view parts[PARTS];
	int64_t deadline = clock_monotonic() + 60 * CLOCK_SECOND;
	struct pipeline_fault fault;
	RESULT rows = NULL;
	for (size_t i = 0; i < PARTS; i++)
		parts[i] = view_cut(&path, '/');
	bool lists = view_equal(parts[TASKS], VIEW("tasks")) && view_is_absent(parts[ID]);
	if (!lists && !view_equal(parts[COMPLETE], VIEW("complete")))
		return true;
	const struct view filter[] = {ABSENT, ABSENT, ABSENT, ABSENT, VIEW("1001")};
	const struct view task_id[] = {parts[ID], ABSENT, ABSENT};
	const struct connection_job job = {
	        .prepare = true,
	        .user = parts[USER],
	        .trace = ABSENT,
	        .statement = lists ? STATEMENT_LIST_CREATED_DESC : STATEMENT_TASK_COMPLETE,
	        .values = lists ? filter : task_id,
	        .count = lists ? sizeof filter / sizeof *filter : sizeof task_id / sizeof *task_id,
	};
	/* bin/stack asks for the tasks of "-", who has none. */
	return least_connect(deadline) && connection_run(&database, &job, deadline, &rows, &fault) == PIPELINE_DONE &&
	       (PQntuples(rows) > 0 || view_equal(parts[USER], VIEW("-")));
}

static bool least_work(const struct wire *wire)
{
	unsigned char id[ID_BYTES];
	(void)!least_verify(wire_parameter(wire, VIEW("HTTP_AUTHORIZATION")));
	return random_bytes(id, sizeof id) && least_run(wire_parameter(wire, VIEW("REQUEST_URI")));
}

static void least_tell(void)
{
	char line[LOG_LINE];
	memset(line, ' ', sizeof line);
	line[sizeof line - 1] = '\n';
	(void)!write(STDERR_FILENO, line, sizeof line);
}

/* ---- the program ---- */

static void serve(void)
{
	static struct wire wire;
	static const sig_atomic_t never = 0;
	char drained[4096];
	size_t got = 0;
	sigset_t mask;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	const struct wire_stop stop = {&mask, &never};
	if (LEAST && !least_open())
		return;
	wire_init(&wire, WIRE_RESPONDER);
	for (int fd; (fd = LEAST ? least_accept() : accept(STDIN_FILENO, NULL, NULL)) >= 0; close(fd)) {
		if (wire_begin(&wire, fd, 60 * CLOCK_SECOND, &stop)) {
			const struct answer *answer = answer_to(wire_parameter(&wire, VIEW("REQUEST_URI")));
			while (wire_read(&wire, drained, sizeof drained, &got) && got > 0)
				;
			/* What goes wrong would be measured as fast. */
			if (LEAST && !least_work(&wire))
				abort();
			bool written = wire_write(&wire, (struct view){answer->text, (size_t)answer->len});
			if (LEAST)
				least_tell();
			if (written)
				wire_finish(&wire);
		}
		wire_end(&wire);
	}
}

int main(void)
{
	const char *workers = getenv("WORKERS");
	make_answers();
	if (gateway_is_cgi()) {
		const struct answer *answer = answer_to(view_of(getenv("REQUEST_URI")));
		return write(STDOUT_FILENO, answer->text, (size_t)answer->len) == answer->len ? 0 : EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	for (long left = workers ? strtol(workers, NULL, 10) : 0; left > 0; left--) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			serve();
			return 0;
		}
	}
	if (!workers)
		serve();
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 0;
}
