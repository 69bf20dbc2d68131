/* What fail2ban makes of our log: whoever forges tokens is seen, and nobody else, whatever a client sends. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/sign.h"
#include "base/clock.h"
#include "support/ask.h"
#include "support/auth_folder.h"
#include "support/http.h"
#include "support/issuer.h"
#include "support/leaks.h"
#include "support/stack.h"

#define SECRET "2f1d7c9b4e8a60f3955b7c21d04ae86f"
#define FILTER "bin/fail2ban/filter.d/todo-fcgi.conf"
#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { TEXT_MAX = 64 * 1024, PATIENCE = 30 };

static void teardown(void)
{
	ask_end();
	leaks_check();
}

TestSuite(fail2ban, .fini = teardown, .timeout = 600);

/* What a command prints; its end must be good. */
static const char *output_of(const char *command)
{
	static char said[TEXT_MAX];
	FILE *output = popen(command, "r");
	cr_assert_not_null(output);
	said[fread(said, 1, sizeof said - 1, output)] = '\0';
	int status = pclose(output);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s\n%s", command, said);
	return ask_keep(view_of(said));
}

/* The addresses that the filter finds in a file, one a line, in the order of its lines. */
static const char *found_in(const char *file)
{
	return output_of(ask_format("fail2ban-regex --usedns no --out ip '%s' " FILTER, file));
}

/* The same of lines made here. */
static const char *found(const char *lines)
{
	struct auth_folder folder = auth_folder_make();
	const char *ret = found_in(auth_folder_write(&folder, "log", view_of(lines), 0600));
	auth_folder_remove(&folder);
	return ret;
}

/* A line of a forged token, as the tests with real servers see it. */
#define LINE_OF(program, route, client, reason)                                                                  \
	"{\"time\":\"2026-01-31T08:00:00.000000Z\",\"level\":\"info\",\"program\":\"" program "\",\"pid\":4711," \
	"\"request_id\":\"0123456789abcdef0123456789abcdef\",\"client_request_id\":null,\"trace_id\":null,"      \
	"\"method\":\"GET\",\"route\":\"" route "\",\"status\":401,\"user\":null,\"client\":\"" client "\","     \
	"\"reason\":\"" reason "\",\"total_us\":187,\"verification_us\":83,\"database_us\":0}"
#define LINE(client, reason) LINE_OF("auth", "/auth/me", client, reason)

Test(fail2ban, lines_of_every_program_count)
{
	cr_expect_str_eq(
	        found(LINE_OF("tasks", "/api/{user_id}/tasks", "192.0.2.1", "bad_signature") "\n" LINE_OF(
	                "account", "/api/{user_id}", "192.0.2.2",
	                "bad_signature") "\n" LINE_OF("health", "/metrics", "192.0.2.3",
	                                              "bad_signature") "\n" LINE_OF("authorizer", "-", "192.0.2.4",
	                                                                            "bad_signature") "\n"),
	        "192.0.2.1\n192.0.2.2\n192.0.2.3\n192.0.2.4\n");
}

Test(fail2ban, no_reason_counts_but_those_of_a_forgery)
{
	static const char *const reasons[] = {
#define JWT_ERROR(NAME, word) word,
#include "auth/jwt_error.def"
#undef JWT_ERROR
	        "no_token",  "bad_cookie",    "bad_origin", "bad_operator_token", "revoked",
	        "forbidden", "token_too_old", "not_found",  "rate_limited",       "two_credentials"};
	struct buf lines = buf_make(TEXT_MAX);
	struct buf expected = buf_make(TEXT_MAX);
	for (size_t i = 0; i < COUNT(reasons); i++) {
		buf_add(&lines, view_of(ask_format(LINE("192.0.2.%zu", "%s") "\n", i + 1, reasons[i])));
		if (strcmp(reasons[i], "bad_signature") == 0 || strcmp(reasons[i], "alg_mismatch") == 0 ||
		    strcmp(reasons[i], "bad_alg") == 0)
			buf_add(&expected, view_of(ask_format("192.0.2.%zu\n", i + 1)));
	}
	buf_add_char(&lines, '\0');
	buf_add_char(&expected, '\0');
	cr_assert(buf_ok(&lines) && buf_ok(&expected));
	cr_expect_str_eq(found(lines.ptr), expected.ptr);
	buf_destroy(&lines);
	buf_destroy(&expected);
}

Test(fail2ban, lines_of_the_journal_and_of_syslog_count_as_well)
{
	static const char *const before[] = {
	        "", "Jan 31 08:00:00 host auth.fcgi[4711]: ", "Jan  1 08:00:00 host auth.fcgi[4711]: ",
	        "2026-01-31T08:00:00+0000 host.example auth.fcgi[4711]: ", "host auth.fcgi[4711]: "};
	for (size_t i = 0; i < COUNT(before); i++)
		cr_expect_str_eq(found(ask_format("%s" LINE("192.0.2.1", "bad_signature") "\n", before[i])),
		                 "192.0.2.1\n", "%s", before[i]);
	cr_expect_str_eq(found(LINE("2001:db8::1", "bad_signature") "\n"), "2001:db8::1\n");
}

/* With less than the whole address there is nobody to shut out. */
Test(fail2ban, no_line_counts_without_a_whole_address)
{
	cr_expect_str_eq(found(LINE("192.0.2.0/24", "bad_signature") "\n" LINE("2001:db8::/48", "bad_signature") "\n"),
	                 "");
}

Test(fail2ban, no_line_of_somebody_elses_that_holds_one_of_ours_counts)
{
	static const char *const before[] = {
	        "x ",
	        "[Sat Jan 31 08:00:00.209471 2026] [core:error] [pid 1:tid 2] [client 192.0.2.9:1] AH10244: invalid "
	        "URI path (/%zz",
	        "2026-01-31 08:00:00: (request.c.1) unexpected request line: GET /",
	        "Jan 31 08:00:00 host sshd[1]: Invalid user x[1]: ",
	        "{\"time\":\"2026-01-31T08:00:00.000000Z\",\"level\":\"info\",\"program\":\"auth\",\"pid\":1,"
	        "\"message\":\"",
	};
	for (size_t i = 0; i < COUNT(before); i++) {
		cr_expect_str_eq(found(ask_format("%s" LINE("192.0.2.1", "bad_signature") "\n", before[i])), "", "%s",
		                 before[i]);
		cr_expect_str_eq(found(ask_format("%s" LINE("192.0.2.1", "bad_signature") ")\n", before[i])), "", "%s",
		                 before[i]);
	}
}

/* fail2ban itself reads the jail, switched on, beside its own settings. */
Test(fail2ban, the_sample_jail_is_understood)
{
	struct auth_folder folder = auth_folder_make();
	const char *place = folder.path;
	char here[512];
	cr_assert_not_null(getcwd(here, sizeof here));
	const char *said = output_of(
	        ask_format("cd '%s' && mkdir conf conf/jail.d && cp -R /etc/fail2ban/*.conf"
	                   " /etc/fail2ban/action.d /etc/fail2ban/filter.d conf && : >error.log && cp '%s/" FILTER
	                   "' conf/filter.d"
	                   " && sed 's/enabled = false/enabled = true/; s,/var/log/[a-z0-9]*/error.log,%s/error.log,'"
	                   " '%s/bin/fail2ban/jail.d/todo-fcgi.conf' >conf/jail.d/todo-fcgi.conf"
	                   " && fail2ban-client -c conf --dump; status=$?; rm -rf conf error.log; exit $status",
	                   place, here, place, here));
	cr_expect(strstr(said, "['set', 'todo-fcgi', 'maxretry', 10]"), "%s", said);
	cr_expect(strstr(said, "bad_signature|alg_mismatch|bad_alg"), "%s", said);
	cr_expect(strstr(said, "['start', 'todo-fcgi']"), "%s", said);
	auth_folder_remove(&folder);
}

/* ---- through real servers ---- */

static struct stack stack;
static int asked; /* of the programs, so far */

static void send_one(const char *authorization, const char *more)
{
	struct http_answer answer;
	const struct http_ask request = {
	        .method = "GET",
	        .target = "/auth/me",
	        .headers = ask_format("%s%s%s%s", authorization ? "Authorization: Bearer " : "",
	                              authorization ? authorization : "", authorization ? "\r\n" : "", more),
	};
	cr_assert_eq(http_ask(stack_port(&stack), &request, &answer), HTTP_OK);
	http_answer_destroy(&answer);
	asked++;
}

/* A token of the stack's issuer, and of these claims, which override the last of the same name. */
static const char *token_of(struct issuer *issuer, const char *header, const char *audience, int64_t ends)
{
	const char *origin = stack_value(&stack, "BASE_URL");
	char *made = issuer_token(issuer, header,
	                          ask_format("{\"sub\":\"zoe\",\"iss\":\"%s\",\"aud\":\"%s%s\",\"exp\":%lld}", origin,
	                                     origin, audience, (long long)(clock_now() / CLOCK_SECOND + ends)));
	const char *kept = ask_format("%s", made);
	free(made);
	return kept;
}

static int records(void)
{
	const char *said = output_of(
	        ask_format("grep -c '\"route\":\"/auth/me\"' '%s/web.log' || :", stack_value(&stack, "LOG_DIR")));
	uint64_t count;
	cr_assert(view_to_u64((struct view){said, strlen(said) - 1}, INT32_MAX, &count), "%s", said);
	return (int)count;
}

static void refused_by_the_server(const char *path)
{
	struct http http;
	struct http_answer answer;
	cr_assert(http_open(stack_port(&stack), &http));
	http_send(&http, view_of(ask_format("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)));
	if (http_receive(&http, false, &answer) == HTTP_OK)
		http_answer_destroy(&answer);
	http_close(&http);
}

static void sees_forgers_alone(const char *name, const char *server)
{
	static const char forged[] = LINE("203.0.113.9", "bad_signature");
	static const char *const headers[] = {"User-Agent",  "X-Request-Id",    "Referer", "Origin",
	                                      "traceparent", "X-Forwarded-For", "Cookie"};
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct issuer *forger = issuer_new_secret(ALG_HS256, "0f9e8d7c6b5a49382716051423324150");
	stack = stack_make(name, (const char *const[]){server, "BETTER_AUTH_SECRET=" SECRET, "LOG_CLIENT=full", NULL});
	cr_assert(stack_up(&stack), "%s", stack.said.ptr);
	int before = records();
	const char *const hs256 = "{\"alg\":\"HS256\"}";
	/* forged: by another key, by another algorithm, by none, and with a line for an id */
	const char *good = token_of(issuer, hs256, "", 600);
	const char *bad = token_of(forger, hs256, "", 600);
	send_one(bad, "");
	send_one(bad, "X-Request-Id: front-end.1\r\n");
	send_one(bad, ask_format("User-Agent: %s\r\nX-Request-Id: %s\r\n", forged, forged));
	send_one(token_of(forger, "{\"alg\":\"none\"}", "", 600), "");
	send_one(token_of(forger, "{\"alg\":\"ES256\"}", "", 600), "");
	const int forgeries = asked;
	/* not forged */
	send_one(good, "");
	send_one(token_of(issuer, hs256, "", -600), "");
	send_one(token_of(issuer, hs256, "/other", 600), "");
	send_one(NULL, "");
	send_one("x", "");
	for (size_t i = 0; i < COUNT(headers); i++)
		send_one(i % 2 ? NULL : good, ask_format("%s: %s\r\n", headers[i], forged));
	refused_by_the_server(ask_format("/auth/me?%s", forged));
	refused_by_the_server(ask_format("/%%zz%s", forged));
	refused_by_the_server(ask_format("/%%0a%s", forged));
	refused_by_the_server(ask_format("/%%00%s\t", forged));
	/* The last record comes after its answer. */
	for (int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND; records() - before < asked;) {
		cr_assert(clock_monotonic() < end, "%d records of %d", records() - before, asked);
		poll(NULL, 0, 20);
	}
	const char *expected = "";
	for (int i = 0; i < forgeries; i++)
		expected = ask_format("%s127.0.0.1\n", expected);
	cr_expect_str_eq(found_in(ask_format("%s/web.log", stack_value(&stack, "LOG_DIR"))), expected);
	issuer_free(issuer);
	issuer_free(forger);
	cr_expect(stack_down(&stack), "%s", stack.said.ptr);
	stack_destroy(&stack);
}

Test(fail2ban, sees_forgers_alone_behind_lighttpd)
{
	sees_forgers_alone("f2b-lighttpd", "SERVER=lighttpd");
}

Test(fail2ban, sees_forgers_alone_behind_apache)
{
	sees_forgers_alone("f2b-apache", "SERVER=apache");
}
