/* app/wire: what a web server may send, what it may not, and how long it may take. */
#include "app/wire.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/fastcgi.h"
#include "support/leaks.h"

enum { DATA = 8, GET_VALUES = 9, RESPONDER = 1, AUTHORIZER = 2, BYTES_MAX = 4 * 1024 * 1024 };

#define PATIENT (20 * CLOCK_SECOND)
#define BRIEF (CLOCK_SECOND / 20)

static struct wire wire;
static struct buf sent;
static int here;
static int there;
static pid_t peer;

static void setup(void)
{
	int pair[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	here = pair[0];
	there = pair[1];
	sent = buf_make(BYTES_MAX);
	memset(&wire, 0xa5, sizeof wire);
	wire_init(&wire, WIRE_RESPONDER);
	peer = 0;
}

static void teardown(void)
{
	if (peer > 0) {
		kill(peer, SIGKILL);
		waitpid(peer, NULL, 0);
	}
	close(here);
	close(there);
	buf_destroy(&sent);
	wire_end(&wire);
	wire_destroy(&wire);
	leaks_check();
}

TestSuite(wire, .init = setup, .fini = teardown, .timeout = 120);

/* ---- the peer ---- */

static void add(int version, int type, int request, struct view content, size_t padding)
{
	const char header[] = {(char)version,
	                       (char)type,
	                       (char)(request >> 8),
	                       (char)request,
	                       (char)(content.len >> 8),
	                       (char)content.len,
	                       (char)padding,
	                       0};
	buf_add(&sent, (struct view){header, sizeof header});
	buf_add(&sent, content);
	for (size_t i = 0; i < padding; i++)
		buf_add_char(&sent, 'p');
}

static void begin(int request, int role)
{
	const char body[] = {(char)(role >> 8), (char)role, 0, 0, 0, 0, 0, 0};
	add(1, FASTCGI_BEGIN, request, (struct view){body, sizeof body}, 0);
}

static void record(int type, struct view content)
{
	add(1, type, 1, content, 0);
}

static void parameter(const char *name, const char *value)
{
	struct buf pair = buf_make(BYTES_MAX);
	fastcgi_pair(&pair, view_of(name), view_of(value));
	fastcgi_stream(&sent, FASTCGI_PARAMS, buf_view(&pair), 0);
	/* without the empty record at its end */
	sent.len -= WIRE_HEADER;
	buf_destroy(&pair);
}

static void head(void)
{
	begin(1, RESPONDER);
	parameter("REQUEST_METHOD", "PUT");
	parameter("EMPTY", "");
	record(FASTCGI_PARAMS, VIEW(""));
}

/* A whole request with that body. */
static void request(const char *body)
{
	head();
	fastcgi_stream(&sent, FASTCGI_STDIN, view_of(body), 0);
}

/* Runs the peer's part in a process of its own. */
static void in_a_process(void (*part)(void))
{
	peer = fork();
	cr_assert_geq(peer, 0);
	if (peer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_DFL);
		close(here);
		part();
		_exit(0);
	}
}

static void send_bytes(const char *bytes, size_t len)
{
	for (ssize_t put; len > 0; bytes += put, len -= (size_t)put)
		if ((put = write(there, bytes, len)) <= 0)
			_exit(1);
}

static void send_all(void)
{
	send_bytes(sent.ptr, sent.len);
	shutdown(there, SHUT_WR);
	pause();
}

static void send_slowly(void)
{
	for (size_t i = 0; i < sent.len; i++) {
		send_bytes(sent.ptr + i, 1);
		usleep(100);
	}
	pause();
}

/* What is sent fits into the socket. */
static void deliver(void)
{
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	cr_assert_eq(shutdown(there, SHUT_WR), 0);
}

static bool begins(void)
{
	return wire_begin(&wire, here, PATIENT, NULL);
}

static void expect_parameter(const char *name, const char *value)
{
	struct view found = wire_parameter(&wire, view_of(name));
	if (value)
		cr_expect(!view_is_absent(found) && view_equal(found, view_of(value)), "%s=%.*s", name,
		          VIEW_ARGS(found));
	else
		cr_expect(view_is_absent(found), "%s", name);
}

static void expect_body(const char *body)
{
	struct buf got = buf_make(BYTES_MAX);
	char piece[7];
	size_t len = 1;
	while (len > 0) {
		cr_assert(wire_read(&wire, piece, sizeof piece, &len));
		buf_add(&got, (struct view){piece, len});
	}
	cr_expect(view_equal(buf_view(&got), view_of(body)), "%.*s", VIEW_ARGS(buf_view(&got)));
	cr_expect(wire_read(&wire, piece, sizeof piece, &len) && len == 0, "the end stays the end");
	buf_destroy(&got);
}

static bool body_breaks(void)
{
	char piece[4096];
	size_t len = 1;
	while (len > 0)
		if (!wire_read(&wire, piece, sizeof piece, &len))
			return true;
	return false;
}

/* The next record that comes back, as it is. */
static void expect_record(const char *bytes, size_t len)
{
	char got[128];
	cr_assert_leq(len, sizeof got);
	cr_assert_eq(recv(there, got, len, MSG_WAITALL), (ssize_t)len);
	cr_expect_arr_eq(got, bytes, len);
}

static void expect_silence(void)
{
	char byte;
	cr_expect_eq(recv(there, &byte, 1, MSG_DONTWAIT), -1);
}

/* ---- a request ---- */

Test(wire, reads_parameters_and_body)
{
	request("a body");
	deliver();
	cr_assert(begins());
	expect_parameter("REQUEST_METHOD", "PUT");
	expect_parameter("EMPTY", "");
	expect_parameter("REQUEST", NULL);
	expect_parameter("REQUEST_METHODS", NULL);
	expect_body("a body");
}

Test(wire, reads_a_request_that_comes_byte_by_byte)
{
	request("a body");
	in_a_process(send_slowly);
	cr_assert(begins());
	expect_parameter("REQUEST_METHOD", "PUT");
	expect_body("a body");
}

Test(wire, reads_streams_cut_into_padded_records_anywhere)
{
	static const char pairs[] = "\1\2aAA\3\1bbbB";
	for (size_t cut = 1; cut < sizeof pairs - 1; cut++) {
		buf_reset(&sent, BYTES_MAX);
		begin(1, RESPONDER);
		add(1, FASTCGI_PARAMS, 1, (struct view){pairs, cut}, cut);
		add(1, FASTCGI_PARAMS, 1, (struct view){pairs + cut, sizeof pairs - 1 - cut}, 255);
		add(1, FASTCGI_PARAMS, 1, VIEW(""), 3);
		add(1, FASTCGI_STDIN, 1, VIEW("one "), 1);
		add(1, FASTCGI_STDIN, 1, VIEW("two"), 0);
		add(1, FASTCGI_STDIN, 1, VIEW(""), 8);
		cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
		cr_assert(begins(), "%zu", cut);
		expect_parameter("a", "AA");
		expect_parameter("bbb", "B");
		expect_body("one two");
		wire_end(&wire);
	}
}

Test(wire, knows_long_names_and_values)
{
	char *name = calloc(1, 201);
	char *value = calloc(1, 100001);
	memset(name, 'n', 200);
	memset(value, 'v', 100000);
	begin(1, RESPONDER);
	parameter(name, value);
	record(FASTCGI_PARAMS, VIEW(""));
	in_a_process(send_all);
	cr_assert(begins());
	expect_parameter(name, value);
	free(name);
	free(value);
}

Test(wire, knows_the_longest_short_value_and_a_last_one_without_anything)
{
	char value[128] = {0};
	memset(value, 'v', sizeof value - 1);
	begin(1, RESPONDER);
	parameter("A", value);
	parameter("", "");
	record(FASTCGI_PARAMS, VIEW(""));
	deliver();
	cr_assert(begins());
	expect_parameter("A", value);
	expect_parameter("", "");
}

Test(wire, takes_the_first_of_two_parameters_of_one_name)
{
	begin(1, RESPONDER);
	parameter("A", "first");
	parameter("A", "second");
	record(FASTCGI_PARAMS, VIEW(""));
	deliver();
	cr_assert(begins());
	expect_parameter("A", "first");
}

Test(wire, finds_the_first_parameter_of_a_name_among_more_than_are_indexed)
{
	char name[8];
	begin(1, RESPONDER);
	for (int i = 0; i < 3 * WIRE_INDEX; i++) {
		snprintf(name, sizeof name, "N%d", i);
		parameter(name, name);
	}
	parameter("N1", "again");
	parameter("N191", "again");
	record(FASTCGI_PARAMS, VIEW(""));
	deliver();
	cr_assert(begins());
	for (int i = 0; i < 3 * WIRE_INDEX; i++) {
		snprintf(name, sizeof name, "N%d", i);
		expect_parameter(name, name);
	}
	expect_parameter("N192", NULL);
}

Test(wire, refuses_half_a_pair_behind_those_that_are_indexed)
{
	begin(1, RESPONDER);
	for (int i = 0; i < WIRE_INDEX; i++)
		parameter("A", "a");
	record(FASTCGI_PARAMS, VIEW("\1"));
	record(FASTCGI_PARAMS, VIEW(""));
	deliver();
	cr_expect_not(begins());
}

/* The second value looks like the second name where that one was. */
Test(wire, finds_no_parameter_of_the_request_before)
{
	begin(1, RESPONDER);
	parameter("A", "a");
	parameter("B", "b");
	record(FASTCGI_PARAMS, VIEW(""));
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	cr_assert(begins());
	expect_parameter("B", "b");
	wire_end(&wire);
	buf_reset(&sent, BYTES_MAX);
	begin(1, RESPONDER);
	parameter("A", "aaaB");
	record(FASTCGI_PARAMS, VIEW(""));
	deliver();
	cr_assert(begins());
	expect_parameter("B", NULL);
}

/* ---- what is no request ---- */

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define BYTES(literal) literal, sizeof(literal) - 1

Test(wire, refuses_what_makes_no_sense)
{
	static const struct {
		const char *what;
		const char *bytes;
		size_t len;
	} cases[] = {
	        {"nothing", BYTES("")},
	        {"HTTP", BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
	        {"version 0", BYTES("\0\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0")},
	        {"version 2 after the beginning", BYTES(BEGIN "\2\4\0\1\0\0\0\0")},
	        {"a beginning of request 0", BYTES("\1\1\0\0\0\10\0\0\0\1\0\0\0\0\0\0")},
	        {"an empty beginning", BYTES("\1\1\0\1\0\0\0\0")},
	        {"a long beginning", BYTES("\1\1\0\1\0\11\0\0\0\1\0\0\0\0\0\0\0")},
	        {"two beginnings", BYTES(BEGIN BEGIN "\1\4\0\1\0\0\0\0")},
	        {"an abort", BYTES(BEGIN "\1\2\0\1\0\0\0\0")},
	        {"an end", BYTES(BEGIN "\1\3\0\1\0\0\0\0")},
	        {"a body before the parameters", BYTES(BEGIN "\1\5\0\1\0\1\0\0x\1\4\0\1\0\0\0\0")},
	        {"an answer", BYTES(BEGIN "\1\6\0\1\0\1\0\0x\1\4\0\1\0\0\0\0")},
	        {"an unknown type", BYTES(BEGIN "\1\143\0\1\0\1\0\0x\1\4\0\1\0\0\0\0")},
	        {"a name without an end", BYTES(BEGIN "\1\4\0\1\0\4\0\0\11\0ab\1\4\0\1\0\0\0\0")},
	        {"a value without an end", BYTES(BEGIN "\1\4\0\1\0\4\0\0\1\11ab\1\4\0\1\0\0\0\0")},
	        {"half a length", BYTES(BEGIN "\1\4\0\1\0\3\0\0\200\0\0\1\4\0\1\0\0\0\0")},
	        {"no length of a value", BYTES(BEGIN "\1\4\0\1\0\1\0\0\0\1\4\0\1\0\0\0\0")},
	        {"the greatest lengths",
	         BYTES(BEGIN "\1\4\0\1\0\12\0\0\377\377\377\377\377\377\377\377ab\1\4\0\1\0\0\0\0")},
	        {"lengths that add up to almost nothing",
	         BYTES(BEGIN "\1\4\0\1\0\12\0\0\377\377\377\376\377\377\377\376ab\1\4\0\1\0\0\0\0")},
	        {"a question about values that makes no sense", BYTES(BEGIN "\1\11\0\0\0\2\0\0\11\11\1\4\0\1\0\0\0\0")},
	        {"a question about values with a byte too many", BYTES(BEGIN "\1\11\0\0\0\1\0\0\0\1\4\0\1\0\0\0\0")},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int pair[2];
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		cr_assert_eq(write(pair[1], cases[i].bytes, cases[i].len), (ssize_t)cases[i].len);
		shutdown(pair[1], SHUT_WR);
		cr_expect_not(wire_begin(&wire, pair[0], PATIENT, NULL), "%s", cases[i].what);
		wire_end(&wire);
		close(pair[0]);
		close(pair[1]);
	}
}

Test(wire, refuses_a_head_cut_anywhere)
{
	head();
	for (size_t len = 0; len <= sent.len; len++) {
		int pair[2];
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		cr_assert_eq(write(pair[1], sent.ptr, len), (ssize_t)len);
		close(pair[1]);
		cr_expect_eq(wire_begin(&wire, pair[0], PATIENT, NULL), len == sent.len, "%zu", len);
		wire_end(&wire);
		close(pair[0]);
	}
}

Test(wire, a_body_that_is_cut_aborted_or_something_else_breaks)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
	        {BYTES("")},
	        {BYTES("\1\5\0\1")},
	        {BYTES("\1\5\0\1\0\4\0\0ab")},
	        {BYTES("\1\5\0\1\0\4\0\0abcd")},
	        {BYTES("\1\5\0\1\0\4\0\0abcd\1\2\0\1\0\0\0\0")},
	        {BYTES("\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0")},
	        {BYTES("\1\10\0\1\0\0\0\0\1\5\0\1\0\0\0\0")},
	        {BYTES(BEGIN "\1\5\0\1\0\0\0\0")},
	        {BYTES("\2\5\0\1\0\0\0\0")},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int pair[2];
		buf_reset(&sent, BYTES_MAX);
		head();
		buf_add(&sent, (struct view){cases[i].bytes, cases[i].len});
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		cr_assert_eq(write(pair[1], sent.ptr, sent.len), (ssize_t)sent.len);
		close(pair[1]);
		cr_assert(wire_begin(&wire, pair[0], PATIENT, NULL));
		cr_expect(body_breaks(), "%zu", i);
		wire_end(&wire);
		close(pair[0]);
	}
}

/* Who aborts may wait for the end: no more is asked of them. */
Test(wire, a_body_that_broke_is_not_read_on)
{
	static const int breaking[] = {FASTCGI_ABORT, FASTCGI_PARAMS, DATA};
	for (size_t i = 0; i < sizeof breaking / sizeof *breaking; i++) {
		char piece[64];
		size_t len;
		buf_reset(&sent, BYTES_MAX);
		head();
		record(breaking[i], VIEW("no body"));
		record(FASTCGI_STDIN, VIEW("more"));
		record(FASTCGI_STDIN, VIEW(""));
		cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
		cr_assert(begins());
		for (int times = 0; times < 3; times++)
			cr_expect_not(wire_read(&wire, piece, sizeof piece, &len), "%zu, %d", i, times);
		wire_end(&wire);
	}
}

static void send_parameters_without_end(void)
{
	char *pair = calloc(1, FASTCGI_RECORD_MAX);
	for (;;) {
		sent.len = 0;
		record(FASTCGI_PARAMS, (struct view){pair, FASTCGI_RECORD_MAX});
		send_bytes(sent.ptr, sent.len);
	}
}

Test(wire, parameters_have_a_greatest_size)
{
	begin(1, RESPONDER);
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	in_a_process(send_parameters_without_end);
	cr_expect_not(begins());
	cr_expect_leq(wire.parameters.capacity, WIRE_PARAMETERS_MAX);
	wire_end(&wire);
	cr_expect_leq(wire.parameters.capacity, WIRE_PARAMETERS_KEPT, "and are given back");
}

/* ---- records beside the request ---- */

/* Each was written behind the last, into 64 bytes of the stack, by the library
 * that did this before. */
Test(wire, tells_each_value_once_however_often_it_is_asked)
{
	struct buf pairs = buf_make(BYTES_MAX);
	for (int i = 0; i < 20; i++) {
		fastcgi_pair(&pairs, VIEW("FCGI_MPXS_CONNS"), VIEW(""));
		fastcgi_pair(&pairs, VIEW("FCGI_MAX_CONNS"), VIEW(""));
		fastcgi_pair(&pairs, VIEW("FCGI_UNKNOWN"), VIEW("x"));
	}
	add(1, GET_VALUES, 0, buf_view(&pairs), 5);
	buf_destroy(&pairs);
	request("a body");
	deliver();
	cr_assert(begins());
	expect_body("a body");
	expect_record(BYTES("\1\12\0\0\0\43\0\0\16\1FCGI_MAX_CONNS1\17\1FCGI_MPXS_CONNS0"));
	expect_silence();
}

/* It may be all that a peer sends. */
Test(wire, tells_values_without_waiting_for_more)
{
	add(1, GET_VALUES, 0, VIEW(""), 0);
	deliver();
	cr_expect_not(begins());
	expect_record(BYTES("\1\12\0\0\0\0\0\0"));
}

Test(wire, says_which_management_records_it_does_not_know)
{
	add(1, 77, 0, VIEW("whatever"), 1);
	request("");
	deliver();
	cr_assert(begins());
	expect_record(BYTES("\1\13\0\0\0\10\0\0\115\0\0\0\0\0\0\0"));
}

Test(wire, management_records_may_stand_anywhere_and_change_nothing)
{
	char *much = calloc(1, 1024);
	begin(1, RESPONDER);
	parameter("A", "a");
	add(1, GET_VALUES, 0, VIEW("\16\0FCGI_MAX_CONNS"), 0);
	parameter("B", "b");
	record(FASTCGI_PARAMS, VIEW(""));
	record(FASTCGI_STDIN, VIEW("one "));
	add(1, 77, 0, (struct view){much, 1024}, 0);
	record(FASTCGI_STDIN, VIEW("two"));
	record(FASTCGI_STDIN, VIEW(""));
	deliver();
	cr_assert(begins());
	struct view a = wire_parameter(&wire, VIEW("A"));
	expect_body("one two");
	expect_parameter("B", "b");
	cr_expect_eq(a.ptr, wire_parameter(&wire, VIEW("A")).ptr, "it lives as long as the request");
	free(much);
}

Test(wire, refuses_a_long_management_record)
{
	/* records within, were it not taken */
	char much[1025] = "\1\4\0\2\0\0\1\0p";
	for (size_t at = 9; at < sizeof much; at += WIRE_HEADER)
		memcpy(much + at, "\1\4\0\2\0\0\0", WIRE_HEADER);
	add(1, 77, 0, (struct view){much, sizeof much}, 0);
	request("");
	deliver();
	cr_expect_not(begins());
}

/* FastCGI Specification 1.0 §5.5 */
Test(wire, takes_one_request_and_says_so_to_others)
{
	add(1, FASTCGI_PARAMS, 7, VIEW("not begun"), 3);
	begin(1, RESPONDER);
	parameter("A", "a");
	begin(0x0203, RESPONDER);
	add(1, FASTCGI_PARAMS, 0x0203, VIEW("\1\1AX"), 0);
	add(1, 99, 0x0203, VIEW("x"), 0);
	record(FASTCGI_PARAMS, VIEW(""));
	add(1, FASTCGI_STDIN, 0x0203, VIEW("not ours"), 0);
	record(FASTCGI_STDIN, VIEW("ours"));
	add(1, FASTCGI_STDIN, 0x0203, VIEW(""), 0);
	record(FASTCGI_STDIN, VIEW(""));
	deliver();
	cr_assert(begins());
	expect_parameter("A", "a");
	expect_body("ours");
	expect_record(BYTES("\1\3\2\3\0\10\0\0\0\0\0\0\1\0\0\0"));
	expect_silence();
}

/* lighttpd takes a request that ends without a word for one that an authorizer lets through: whoever has named a
 * responder as one is answered. */
Test(wire, answers_who_asks_for_another_role_that_this_is_an_error)
{
	static const int roles[] = {0, RESPONDER, AUTHORIZER, 3, 200, 0x0101, 0x0102};
	for (enum wire_role mine = WIRE_RESPONDER; mine <= WIRE_AUTHORIZER; mine++) {
		wire.role = mine;
		for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
			if (roles[i] == (int)mine)
				continue;
			buf_reset(&sent, BYTES_MAX);
			begin(1, roles[i]);
			cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
			cr_expect_not(begins(), "%d", roles[i]);
			expect_record(BYTES("\1\6\0\1\0\45\3\0Status: 500 Internal Server Error\r\n\r\n\0\0\0"));
			expect_record(BYTES("\1\6\0\1\0\0\0\0"));
			expect_record(BYTES("\1\3\0\1\0\10\0\0\0\0\0\0\3\0\0\0"));
			wire_end(&wire);
		}
	}
}

/* Web servers need not send it an empty one, either (§6.3). */
Test(wire, an_authorizer_waits_for_no_body)
{
	wire.role = WIRE_AUTHORIZER;
	begin(1, AUTHORIZER);
	parameter("REQUEST_METHOD", "PUT");
	record(FASTCGI_PARAMS, VIEW(""));
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	cr_assert(begins());
	expect_parameter("REQUEST_METHOD", "PUT");
	expect_body("");
}

/* ---- the answer ---- */

static size_t expected;

static void read_answer(void)
{
	struct buf got = buf_make(BYTES_MAX);
	bool good = fastcgi_receive(there, &got) == FASTCGI_OK;
	for (size_t i = 0; good && i < got.len; i++)
		good = got.ptr[i] == (char)(i * 31 % 251);
	if (!good || got.len != expected)
		_exit(1);
	_exit(0);
}

Test(wire, an_answer_of_any_size_arrives_whole)
{
	static const size_t sizes[] = {1, 7, 8, WIRE_RECORD_MAX - 1, WIRE_RECORD_MAX, WIRE_RECORD_MAX + 1, 1000000};
	char *bytes = malloc(1000000);
	for (size_t i = 0; i < 1000000; i++)
		bytes[i] = (char)(i * 31 % 251);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		int status;
		buf_reset(&sent, BYTES_MAX);
		request("");
		cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
		cr_assert(begins());
		expect_body("");
		expected = sizes[i];
		in_a_process(read_answer);
		for (size_t at = 0; at < sizes[i]; at += 5000) {
			size_t len = sizes[i] - at < 5000 ? sizes[i] - at : 5000;
			cr_assert(wire_write(&wire, (struct view){bytes + at, len}));
		}
		wire_finish(&wire);
		cr_expect_leq(wire.sending, PATIENT, "no time is saved up");
		wire_end(&wire);
		cr_assert_eq(waitpid(peer, &status, 0), peer);
		peer = 0;
		cr_expect_eq(status, 0, "%zu", sizes[i]);
	}
	free(bytes);
}

Test(wire, a_small_answer_is_one_piece)
{
	char got[256];
	request("");
	deliver();
	cr_assert(begins());
	cr_assert(wire_write(&wire, VIEW("Status: 200\r\n\r\n")));
	cr_assert(wire_write(&wire, VIEW("ok")));
	expect_silence();
	wire_finish(&wire);
	cr_expect_eq(recv(there, got, sizeof got, 0), 8 + 17 + 7 + 8 + 16);
}

Test(wire, an_answer_that_fills_its_last_record_ends_once)
{
	enum { RECORD = WIRE_HEADER + WIRE_RECORD_MAX };
	char *bytes = calloc(1, RECORD);
	request("");
	deliver();
	cr_assert(begins());
	cr_assert(wire_write(&wire, (struct view){bytes, WIRE_RECORD_MAX}));
	cr_assert_eq(recv(there, bytes, RECORD, MSG_WAITALL), RECORD);
	free(bytes);
	expect_silence();
	wire_finish(&wire);
	expect_record(BYTES("\1\6\0\1\0\0\0\0"));
	expect_record(BYTES("\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"));
	expect_silence();
}

Test(wire, does_not_end_in_order_what_has_no_answer)
{
	request("");
	deliver();
	cr_assert(begins());
	wire_finish(&wire);
	expect_silence();
}

Test(wire, says_when_nobody_takes_the_answer)
{
	char *bytes = calloc(1, 1000000);
	request("");
	deliver();
	cr_assert(begins());
	close(there);
	cr_expect_not(wire_write(&wire, (struct view){bytes, 1000000}));
	wire_finish(&wire);
	free(bytes);
}

/* ---- time ---- */

/* What passes between two requests, and while we work, is not the peer's. */
Test(wire, a_peer_answers_for_its_own_time_alone)
{
	head();
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	wire.received = 1;
	cr_assert(begins());
	cr_expect_eq(wire.receiving, PATIENT, "what the head took is not the body's");
	buf_reset(&sent, BYTES_MAX);
	fastcgi_stream(&sent, FASTCGI_STDIN, VIEW("a body"), 0);
	deliver();
	wire.received = 1;
	expect_body("a body");
}

/* It may always be there before we look. */
Test(wire, taking_a_body_takes_the_peers_time)
{
	head();
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	cr_assert(begins());
	buf_reset(&sent, BYTES_MAX);
	record(FASTCGI_STDIN, VIEW("x"));
	for (int i = 0; i < 1000; i++) {
		char piece;
		size_t len;
		cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
		cr_assert(wire_read(&wire, &piece, 1, &len) && len == 1);
	}
	cr_expect_lt(wire.receiving, PATIENT);
}

static void send_for_ever(void)
{
	for (;;)
		send_bytes(sent.ptr, sent.len);
}

/* A byte now and then, so that no single wait is long. */
static void drip_for_ever(void)
{
	for (;;) {
		send_bytes(sent.ptr, 1);
		usleep(1000);
	}
}

Test(wire, gives_up_on_a_peer_that_stops_in_the_head)
{
	head();
	for (size_t len = 0; len < sent.len; len += 5) {
		int pair[2];
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		cr_assert_eq(write(pair[1], sent.ptr, len), (ssize_t)len);
		cr_expect_not(wire_begin(&wire, pair[0], BRIEF, NULL));
		wire_end(&wire);
		close(pair[0]);
		close(pair[1]);
	}
}

Test(wire, gives_up_on_a_peer_that_drips)
{
	begin(1, RESPONDER);
	add(1, FASTCGI_PARAMS, 1, VIEW(""), 0);
	sent.ptr[sent.len - 4] = '\377';
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	in_a_process(drip_for_ever);
	cr_expect_not(wire_begin(&wire, here, BRIEF, NULL));
}

Test(wire, gives_up_on_a_head_that_never_ends)
{
	begin(1, RESPONDER);
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	sent.len = 0;
	/* nothing of it is ours, so no limit of size ends it */
	add(1, FASTCGI_PARAMS, 2, VIEW("other"), 200);
	in_a_process(send_for_ever);
	cr_expect_not(wire_begin(&wire, here, BRIEF, NULL));
}

Test(wire, gives_up_on_a_body_that_stops_or_never_ends)
{
	head();
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	cr_assert(wire_begin(&wire, here, BRIEF, NULL));
	cr_expect(body_breaks(), "it never came");
	wire_end(&wire);
	size_t whole = sent.len;
	record(FASTCGI_STDIN, VIEW("half a body"));
	cr_assert_eq(write(there, sent.ptr, sent.len - 5), (ssize_t)sent.len - 5);
	cr_assert(wire_begin(&wire, here, BRIEF, NULL));
	cr_expect(body_breaks(), "half of it came");
	wire_end(&wire);
	sent.len = whole;
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	sent.len = 0;
	record(FASTCGI_STDIN, VIEW("more and more"));
	in_a_process(send_for_ever);
	cr_assert(wire_begin(&wire, here, BRIEF, NULL));
	cr_expect(body_breaks(), "it never ended");
}

Test(wire, gives_up_on_a_peer_that_does_not_read)
{
	char *bytes = calloc(1, WIRE_RECORD_MAX);
	request("");
	deliver();
	cr_assert(wire_begin(&wire, here, BRIEF, NULL));
	for (int i = 0; i < 1000 && wire_write(&wire, (struct view){bytes, WIRE_RECORD_MAX}); i++)
		;
	cr_expect_not(wire_write(&wire, VIEW("more")));
	free(bytes);
}

static void read_slowly(void)
{
	char bytes[65536];
	for (;;) {
		if (read(there, bytes, sizeof bytes) <= 0)
			_exit(0);
		usleep(40000);
	}
}

/* Longer than the time that it has at once: what is taken wins some of it back. */
Test(wire, waits_for_a_peer_that_reads_slowly)
{
	char *bytes = calloc(1, WIRE_RECORD_MAX);
	request("");
	cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
	cr_assert(wire_begin(&wire, here, 20 * BRIEF, NULL));
	in_a_process(read_slowly);
	for (int i = 0; i < 40; i++)
		cr_assert(wire_write(&wire, (struct view){bytes, WIRE_RECORD_MAX}));
	free(bytes);
}

/* Questions beside the request want answers, which nobody takes. */
Test(wire, gives_up_on_a_peer_that_asks_and_does_not_read)
{
	add(1, 77, 0, VIEW(""), 0);
	in_a_process(send_for_ever);
	cr_expect_not(wire_begin(&wire, here, BRIEF, NULL));
}

static void ask_and_read_for_ever(void)
{
	char bytes[65536];
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (read(there, bytes, sizeof bytes) > 0)
			;
		_exit(0);
	}
	send_for_ever();
}

/* Between two pieces of its questions it is we who work. */
Test(wire, gives_up_on_a_peer_that_never_stops_asking)
{
	for (int i = 0; i < 1000; i++)
		add(1, 77, 0, VIEW(""), 0);
	in_a_process(ask_and_read_for_ever);
	cr_expect_not(wire_begin(&wire, here, 10 * BRIEF, NULL));
}

static volatile sig_atomic_t stopped;

/* The peer hears of it as well. */
static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
	(void)!write(here, "", 1);
}

/* Signals are heard in a wait alone. */
static void hear_signals(sigset_t *ret_open)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaction(SIGUSR1, &action, NULL);
	sigprocmask(SIG_BLOCK, &blocked, ret_open);
}

static void signal_us(void)
{
	kill(getppid(), SIGUSR1);
	pause();
}

static void signal_us_and_send(void)
{
	char heard;
	kill(getppid(), SIGUSR1);
	if (read(there, &heard, 1) == 1)
		send_slowly();
}

/* Not each is there to stop us. */
Test(wire, a_signal_alone_ends_no_wait)
{
	static const volatile sig_atomic_t never;
	sigset_t open;
	hear_signals(&open);
	const struct wire_stop stop = {&open, &never};
	request("a body");
	in_a_process(signal_us_and_send);
	cr_assert(wire_begin(&wire, here, 1000 * CLOCK_SECOND, &stop));
	cr_expect(stopped);
	expect_body("a body");
}

Test(wire, a_stop_signal_ends_the_wait_for_a_head)
{
	sigset_t open;
	hear_signals(&open);
	const struct wire_stop stop = {&open, &stopped};
	head();
	cr_assert_eq(write(there, sent.ptr, sent.len - 1), (ssize_t)sent.len - 1);
	in_a_process(signal_us);
	cr_expect_not(wire_begin(&wire, here, 1000 * CLOCK_SECOND, &stop));
	cr_expect(stopped);
}

/* It may have been connected to an instant ago: what is under way is still taken. */
Test(wire, a_stop_signal_lets_a_head_that_is_coming_come)
{
	sigset_t open;
	sigprocmask(SIG_BLOCK, NULL, &open);
	const struct wire_stop stop = {&open, &stopped};
	stopped = 1;
	request("a body");
	in_a_process(send_slowly);
	cr_assert(wire_begin(&wire, here, 1000 * CLOCK_SECOND, &stop));
	expect_body("a body");
	cr_expect_gt(wire.receiving, WIRE_STOP_TIME, "a body has all its time");
}

/* ---- secrets ---- */

Test(wire, nothing_of_a_request_is_left)
{
	static const char secret[] = "Zt7bW2xLr8Ny5Ju1";
	head();
	sent.len -= WIRE_HEADER;
	parameter("HTTP_AUTHORIZATION", secret);
	record(FASTCGI_PARAMS, VIEW(""));
	record(FASTCGI_STDIN, VIEW("Zt7bW2xLr8Ny5Ju1"));
	record(FASTCGI_STDIN, VIEW(""));
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(write(there, sent.ptr, sent.len), (ssize_t)sent.len);
		cr_assert(begins());
		expect_body(secret);
		cr_assert(wire_write(&wire, VIEW("Zt7bW2xLr8Ny5Ju1")));
		cr_assert_not_null(memmem(wire.out, sizeof wire.out, secret, sizeof secret - 1));
		/* sent, or not */
		if (i == 0)
			wire_finish(&wire);
		wire_end(&wire);
		cr_expect_null(memmem(&wire, sizeof wire, secret, sizeof secret - 1));
		cr_expect_null(memmem(wire.parameters.ptr, wire.parameters.capacity, secret, sizeof secret - 1));
	}
}

Test(wire, nothing_of_half_a_head_is_left)
{
	static const char secret[] = "Zt7bW2xLr8Ny5Ju1";
	begin(1, RESPONDER);
	parameter("HTTP_AUTHORIZATION", "Zt7bW2xLr8Ny5Ju1 and more");
	sent.len--;
	deliver();
	cr_assert_not(begins());
	wire_end(&wire);
	cr_expect_null(memmem(&wire, sizeof wire, secret, sizeof secret - 1));
	cr_expect_null(memmem(wire.parameters.ptr, wire.parameters.capacity, secret, sizeof secret - 1));
}
