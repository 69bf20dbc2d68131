/* Whoever reaches a program's socket may send anything, stop anywhere, and read
 * nothing: no worker ends of it, and none waits longer than TODO_WEB_TIMEOUT. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/account.h"
#include "support/fastcgi.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(peers, .fini = api_end, .timeout = 240);

#define LIST "/api/anna/tasks"

static void expect_alive(const struct responder *responder)
{
	struct ask ask = {.target = "/health"};
	cr_expect_eq(responder_ask(responder, &ask)->status, 200);
}

static int send_to(const struct responder *responder, struct view bytes)
{
	int fd = fastcgi_connect(responder_socket(responder));
	cr_assert(fd >= 0 && fastcgi_send(fd, bytes));
	return fd;
}

static struct buf written(const struct ask *ask)
{
	struct buf bytes = buf_make(1024 * 1024);
	ask_write(ask, &bytes);
	return bytes;
}

/* The workers, once they are so many. */
struct crew {
	const struct responder *responder;
	size_t count;
	pid_t pids[8];
};

static bool is_complete(void *context)
{
	struct crew *crew = context;
	return responder_workers(crew->responder, crew->pids, 8) == crew->count;
}

static struct crew crew_of(const struct responder *responder, size_t count)
{
	struct crew crew = {.responder = responder, .count = count};
	until(is_complete, &crew, "the workers are there");
	return crew;
}

/* None has ended. */
static void expect_the_same(const struct crew *before)
{
	struct crew now = *before;
	cr_expect(is_complete(&now));
	cr_expect_arr_eq(now.pids, before->pids, before->count * sizeof *now.pids);
}

/* ---- peers that stop ---- */

Test(peers, half_a_head_holds_no_worker)
{
	struct responder *health =
	        responder_start("health", api_settings((const char *const[]){"WORKERS=2", "TODO_WEB_TIMEOUT=1", NULL}));
	struct ask ask = {.target = "/health"};
	struct buf bytes = written(&ask);
	const size_t lengths[] = {0, 1, 8, 15, 16, 24, 40, bytes.len - 17};
	struct crew crew = crew_of(health, 2);
	int held[sizeof lengths / sizeof *lengths];
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		held[i] = send_to(health, (struct view){bytes.ptr, lengths[i]});
	expect_alive(health);
	expect_the_same(&crew);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		close(held[i]);
	buf_destroy(&bytes);
}

static void drip_for_ever(int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (char byte = 'x'; send(fd, &byte, 1, MSG_NOSIGNAL) == 1;)
		usleep(20000);
	_exit(0);
}

/* A byte now and then is no reason to wait for ever. */
Test(peers, a_head_that_drips_holds_no_worker)
{
	struct responder *health =
	        responder_start("health", api_settings((const char *const[]){"WORKERS=1", "TODO_WEB_TIMEOUT=1", NULL}));
	int fd = send_to(health, (struct view){"\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\377\377\0\0", 24});
	pid_t dripping = fork();
	cr_assert_geq(dripping, 0);
	if (dripping == 0)
		drip_for_ever(fd);
	expect_alive(health);
	cr_expect_eq(waitpid(dripping, NULL, 0), dripping);
	close(fd);
}

/* Who sent it is still told. */
Test(peers, half_a_body_is_answered)
{
	const char *const more[] = {"WORKERS=1", "TODO_WEB_TIMEOUT=1", "DATABASE_URL=postgres:///none?host=/nowhere",
	                            NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	struct ask ask = {
	        .method = "POST", .target = LIST, .token = api_token("anna"), .body = api_task("half a body", "")};
	struct buf bytes = written(&ask);
	int fd = send_to(tasks, (struct view){bytes.ptr, bytes.len - 12});
	expect_problem(responder_answer(fd, false), 400, "body_incomplete", "POST");
	close(fd);
	buf_destroy(&bytes);
}

Test(peers, an_answer_that_nobody_reads_holds_no_worker)
{
	const char *database = api_name("peers");
	const char *url = api_database(database);
	const char *const more[] = {ask_format("DATABASE_URL=%s", url), "WORKERS=1", "TODO_WEB_TIMEOUT=1", NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	struct ask ask = {.target = LIST, .token = api_token("anna")};
	struct ask other = {.target = "/api/berta/tasks", .token = api_token("berta")};
	account_fill(database, "anna", 1000, 900);
	int first = responder_begin(tasks, &ask);
	int second = responder_begin(tasks, &ask);
	struct crew crew = crew_of(tasks, 1);
	cr_expect(view_equal(responder_ask(tasks, &other)->body, VIEW("[]")));
	expect_the_same(&crew);
	/* what it did not take in time is cut off */
	struct buf rest = buf_make(4 * 1024 * 1024);
	cr_expect_neq(fastcgi_receive(first, &rest), FASTCGI_OK);
	buf_destroy(&rest);
	close(first);
	close(second);
}

/* ---- stopping ---- */

/* Were it to wait for the rest, a stop or a new program would wait as long. */
Test(peers, a_stop_does_not_wait_for_the_other_half_of_a_head)
{
	static const char *const workers[] = {"WORKERS=0", "WORKERS=2"};
	struct ask ask = {.target = "/health"};
	struct buf bytes = written(&ask);
	for (size_t i = 0; i < 2; i++) {
		struct responder *health = responder_start(
		        "health", api_settings((const char *const[]){workers[i], "TODO_WEB_TIMEOUT=3600", NULL}));
		int held[3];
		expect_alive(health);
		for (size_t j = 0; j < 3; j++)
			held[j] = send_to(health, (struct view){bytes.ptr, 30 * j});
		cr_expect_eq(responder_stop(health), 0, "%s", workers[i]);
		for (size_t j = 0; j < 3; j++)
			close(held[j]);
	}
	buf_destroy(&bytes);
}

/* ---- peers that talk nonsense ---- */

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define ASK "\16\0FCGI_MAX_CONNS"
#define ASK_5 ASK ASK ASK ASK ASK

/* The first two ended a worker each while records were read by a library; the
 * third took memory that never came back. */
Test(peers, no_record_ends_a_worker)
{
	static const struct {
		const char *what;
		const char *bytes;
		size_t len;
	} cases[] = {
	        {"a value asked for twenty times", "\1\11\0\0\1\100\0\0" ASK_5 ASK_5 ASK_5 ASK_5 BEGIN,
	         8 + 20 * 16 + 16},
	        {"lengths that add up to almost nothing",
	         BEGIN "\1\4\0\1\0\12\0\0\377\377\377\376\377\377\377\376ab\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0", 50},
	        {"a management record of no known type", "\1\115\0\0\0\0\0\0" BEGIN, 24},
	        {"the greatest record", BEGIN "\1\4\0\1\377\377\377\0", 24},
	        {"a role that is none", "\1\1\0\1\0\10\0\0\377\377\0\0\0\0\0\0", 16},
	        {"another request in the middle", BEGIN "\1\1\0\2\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\0\0\0", 40},
	};
	struct responder *health = responder_start("health", api_settings((const char *const[]){"WORKERS=1", NULL}));
	struct crew crew = crew_of(health, 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int j = 0; j < 10; j++) {
			int fd = send_to(health, (struct view){cases[i].bytes, cases[i].len});
			shutdown(fd, SHUT_WR);
			expect_alive(health);
			close(fd);
		}
	expect_the_same(&crew);
}

static void take_pair(void *context, struct view name, struct view value)
{
	fastcgi_pair(context, name, value);
}

/* Asks with that parameter in front of all others, whatever bytes it holds: the first of a name counts. */
static const struct answer *ask_first(const struct responder *responder, const struct ask *ask, struct view name,
                                      struct view value)
{
	struct buf params = buf_make(128 * 1024);
	struct buf bytes = buf_make(256 * 1024);
	fastcgi_pair(&params, name, value);
	ask_params(ask, take_pair, &params);
	fastcgi_begin(&bytes, false);
	fastcgi_stream(&bytes, FASTCGI_PARAMS, buf_view(&params), 0);
	fastcgi_stream(&bytes, FASTCGI_STDIN, view_of(ask->body), 0);
	int fd = send_to(responder, buf_view(&bytes));
	const struct answer *answer = responder_answer(fd, false);
	close(fd);
	buf_destroy(&params);
	buf_destroy(&bytes);
	return answer;
}

#define TASK LIST "/0189f7a0-1234-7abc-8def-0123456789ab"

/* What stops reading at a NUL would take each of these for something good. */
Test(peers, a_nul_ends_no_parameter)
{
	const char *const more[] = {"DATABASE_URL=postgres:///none?host=/nowhere", "CORS_ORIGINS=https://app.example",
	                            NULL};
	struct responder *tasks = responder_start("tasks", api_settings(more));
	struct responder *account = responder_start("account", api_settings(more));
	const struct view token = view_of(ask_format("Bearer %s|x", api_token("anna")));
	char *nul = memchr(token.ptr, '|', token.len);
	*nul = '\0';
	const struct {
		const char *method;
		const char *target;
		const char *body;
		struct view name;
		struct view value;
		int status;
		const char *code;
	} cases[] = {
	        {"GET", LIST, NULL, VIEW("REQUEST_URI"), VIEW(LIST "\0"), 404, "not_found"},
	        {"GET", LIST, NULL, VIEW("REQUEST_URI"), VIEW("/api/anna\0/tasks"), 404, "not_found"},
	        {"GET", LIST, NULL, VIEW("REQUEST_URI"), VIEW(LIST "?search=a\0b"), 400, "bad_query"},
	        {"GET", LIST, NULL, VIEW("REQUEST_URI"), VIEW(LIST "?status=all\0"), 400, "bad_query"},
	        {"GET", LIST, NULL, VIEW("REQUEST_URI"), VIEW(LIST "?status\0=all"), 400, "bad_query"},
	        {"GET", LIST, NULL, VIEW("REQUEST_METHOD"), VIEW("GET\0"), 405, "method_not_allowed"},
	        {"GET", LIST, NULL, VIEW("HTTP_AUTHORIZATION"), token, 401, "unauthorized"},
	        {"GET", LIST, NULL, VIEW("HTTP_AUTHORIZATION"), VIEW("Bearer\0 x"), 401, "unauthorized"},
	        {"GET", LIST, NULL, VIEW("HTTP_ACCEPT"), VIEW("application/json\0"), 406, "not_acceptable"},
	        {"GET", TASK, NULL, VIEW("HTTP_IF_NONE_MATCH"), VIEW("\"a\0b\""), 400, "bad_condition"},
	        {"PUT", TASK, "{}", VIEW("HTTP_IF_MATCH"), VIEW("*\0"), 400, "bad_condition"},
	        {"PUT", TASK, "{}", VIEW("HTTP_IF_NONE_MATCH"), VIEW("*\0"), 400, "bad_condition"},
	        {"POST", LIST, "{}", VIEW("CONTENT_TYPE"), VIEW("application/json\0"), 415, "media_type"},
	        {"POST", LIST, "{}", VIEW("HTTP_CONTENT_ENCODING"), VIEW("identity\0"), 415, "media_type"},
	        {"POST", LIST, "{}", VIEW("CONTENT_LENGTH"), VIEW("2\0"), 400, "bad_request"},
	        {"DELETE", "/api/anna", NULL, VIEW("HTTP_X_CONFIRM_ERASE"), VIEW("anna\0"), 428, "not_confirmed"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ask ask = {.method = cases[i].method,
		                  .target = cases[i].target,
		                  .token = api_token("anna"),
		                  .body = cases[i].body};
		expect_problem(
		        ask_first(strcmp(ask.target, LIST) < 0 ? account : tasks, &ask, cases[i].name, cases[i].value),
		        cases[i].status, cases[i].code, ask_format("case %zu", i));
	}
	struct ask ask = {.target = LIST, .token = api_token("anna")};
	const struct answer *answer = ask_first(tasks, &ask, VIEW("HTTP_ORIGIN"), VIEW("https://app.example\0"));
	cr_expect(view_is_absent(answer_header(answer, "Access-Control-Allow-Origin")));
	answer = ask_first(tasks, &ask, VIEW("HTTP_X_REQUEST_ID"), VIEW("a\0b"));
	expect_problem(answer, 503, "database_unavailable", "a request id");
	cr_expect_not_null(strstr(responder_log(tasks).ptr, "\"client_request_id\":null"));
}

static unsigned seed = 20260131;

static unsigned char chance(void)
{
	seed = seed * 1103515245 + 12345;
	return (unsigned char)(seed >> 16);
}

/* A good request, bent in a few places: always the same ones. */
Test(peers, no_bent_request_ends_a_worker)
{
	const char *const more[] = {"WORKERS=1", "TODO_WEB_TIMEOUT=1", "LOG_REQUESTS=off", NULL};
	struct responder *auth = responder_start("auth", api_settings(more));
	struct crew crew = crew_of(auth, 1);
	struct ask ask = {.method = "POST",
	                  .target = "/auth/validate",
	                  .token = api_token("anna"),
	                  .body = "0123456789",
	                  .chunk = 5};
	struct buf good = written(&ask);
	char *bent = ask_keep(buf_view(&good));
	for (int i = 0; i < 1500; i++) {
		memcpy(bent, good.ptr, good.len);
		for (int j = chance() % 4; j >= 0; j--)
			bent[(size_t)(chance() << 8 | chance()) % good.len] = (char)chance();
		int fd = send_to(auth, (struct view){bent, good.len});
		shutdown(fd, SHUT_WR);
		close(fd);
	}
	struct ask valid = {.target = "/auth/me", .token = api_token("anna")};
	cr_expect_eq(responder_ask(auth, &valid)->status, 200);
	expect_the_same(&crew);
	buf_destroy(&good);
}

/* ---- by TCP ---- */

/* A listener on loopback, of IPv6 if that is asked for: it takes IPv4 as well. -1: there is no IPv6 here. */
static int listen_on_loopback(bool ipv6, in_port_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};
	struct sockaddr *any = ipv6 ? (struct sockaddr *)&mapped : (struct sockaddr *)&address;
	socklen_t size = ipv6 ? sizeof mapped : sizeof address;
	int fd = socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 && ipv6)
		return -1;
	if (ipv6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
		cr_assert_eq(inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr), 1);
	}
	cr_assert(fd >= 0 && bind(fd, any, size) == 0 && listen(fd, 16) == 0 && getsockname(fd, any, &size) == 0);
	*ret_port = ipv6 ? mapped.sin6_port : address.sin_port;
	return fd;
}

/* Asks at that port of the loopback interface; how the talk ends. */
static enum fastcgi_result ask_by_tcp(in_port_t port, const struct ask *ask)
{
	const struct sockaddr_in address = {
	        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct buf bytes = written(ask);
	struct buf answer = buf_make(1024 * 1024);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	(void)!fastcgi_send(fd, buf_view(&bytes));
	enum fastcgi_result result = fastcgi_receive(fd, &answer);
	close(fd);
	buf_destroy(&answer);
	buf_destroy(&bytes);
	return result;
}

/* Or it would ask for the next connection for ever. */
Test(peers, a_program_whose_socket_listens_no_more_ends)
{
	in_port_t port = 0;
	struct ask ask = {.target = "/health"};
	int listener = listen_on_loopback(false, &port);
	struct responder *health = responder_start_on(listener, "health", api_settings((const char *const[]){NULL}));
	cr_expect_eq(ask_by_tcp(port, &ask), FASTCGI_OK);
	shutdown(listener, SHUT_RD);
	close(listener);
	cr_expect_eq(responder_wait(health), EXIT_FAILURE);
}

/* FastCGI Specification 1.0 §3.2 */
static void expect_answers_to_the_named(bool ipv6)
{
	static const struct {
		const char *permitted;
		bool answered;
	} cases[] = {{NULL, true},
	             {"FCGI_WEB_SERVER_ADDRS=127.0.0.1", true},
	             {"FCGI_WEB_SERVER_ADDRS=192.0.2.1, 127.0.0.1", true},
	             {"FCGI_WEB_SERVER_ADDRS=192.0.2.1,127.0.0.10", false},
	             {"FCGI_WEB_SERVER_ADDRS=", false}};
	struct ask ask = {.target = "/health"};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		in_port_t port = 0;
		int listener = listen_on_loopback(ipv6, &port);
		if (listener < 0)
			cr_skip_test("there is no IPv6 here");
		responder_start_on(listener, "health", api_settings((const char *const[]){cases[i].permitted, NULL}));
		close(listener);
		cr_expect_eq(ask_by_tcp(port, &ask), cases[i].answered ? FASTCGI_OK : FASTCGI_CLOSED, "%s",
		             cases[i].permitted);
	}
}

Test(peers, by_tcp_only_the_web_servers_that_were_named_are_answered)
{
	expect_answers_to_the_named(false);
}

Test(peers, by_tcp_on_a_socket_of_both_families_an_ipv4_web_server_has_its_usual_name)
{
	expect_answers_to_the_named(true);
}
