/* The HTTP client's own promises: the environment, and the address behind a name. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/fetch.h"
#include "base/clock.h"
#include "support/auth_server.h"
#include "support/leaks.h"
#include "support/resolver.h"

TestSuite(fetch, .fini = leaks_check, .timeout = 60);

Test(fetch, drops_what_would_steer_it)
{
	static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",  "all_proxy",
	                                    "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "SSLKEYLOGFILE"};

	setenv("UNRELATED", "stays", 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		setenv(names[i], "x", 1);
	fetch_drop_environment();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect_null(getenv(names[i]), "%s", names[i]);
	cr_expect_str_eq(getenv("UNRELATED"), "stays");
}

static const char *fetch_from(const char *url, struct buf *body)
{
	struct fetch_options options = {
	        .url = url,
	        .proxy = "http://127.0.0.1:1", /* nobody is there, and nobody asks it for what is on this machine */
	        .ca_file = "/etc/ssl/certs/ca-certificates.crt",
	        .loopback_only = true,
	        .timeout = 20 * CLOCK_SECOND,
	};

	return fetch(&options, body);
}

/* 0.0.0.0 stands for a name that resolves to something other than loopback: it
 * would reach the server all the same. */
Test(fetch, connects_to_loopback_addresses_only)
{
	struct auth_server server = auth_server_start(NULL, NULL);
	struct buf body = buf_make(1024);
	char url[64];

	cr_assert(fetch_start());
	auth_server_serve(&server, AUTH_SERVER_OK, VIEW("hello"));
	snprintf(url, sizeof(url), "http://0.0.0.0:%d/", server.port);
	cr_expect_not_null(fetch_from(url, &body));
	cr_expect_eq(server.state->hits, 0);
	snprintf(url, sizeof(url), "http://localhost:%d/", server.port);
	cr_expect_null(fetch_from(url, &body));
	cr_expect(view_equal(buf_view(&body), VIEW("hello")));
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", server.port);
	cr_expect_str_eq(fetch_from(url, &body), "Unsupported protocol");
	cr_expect_str_eq(fetch_from("file:///etc/passwd", &body), "Unsupported protocol");
	fetch_stop();
	buf_destroy(&body);
	auth_server_stop(&server);
}

/* Answers the first one that comes, in a process of its own. */
static pid_t answer_one(int listener)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	pid_t child = fork();

	if (child == 0) {
		char request[1024];
		int fd = accept(listener, NULL, NULL);
		bool done = read(fd, request, sizeof(request)) > 0 &&
		            write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1;

		_exit(done ? 0 : 1);
	}
	return child;
}

/* Whoever listens on every address of IPv6 is reached by IPv4's, too. */
Test(fetch, connects_to_the_one_loopback_address_of_ipv6)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	socklen_t size = sizeof(address);
	struct buf body = buf_make(1024);
	int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char url[64];

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0) {
		buf_destroy(&body);
		cr_skip_test("this machine has no IPv6");
	}
	cr_assert_eq(listen(listener, 4), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	cr_assert(fetch_start());
	snprintf(url, sizeof(url), "http://[::ffff:127.0.0.1]:%d/", ntohs(address.sin6_port));
	cr_expect_not_null(fetch_from(url, &body));
	cr_expect_eq(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 0), 0, "nobody has come");
	pid_t child = answer_one(listener);
	snprintf(url, sizeof(url), "http://[::1]:%d/", ntohs(address.sin6_port));
	cr_expect_null(fetch_from(url, &body));
	cr_expect(view_equal(buf_view(&body), VIEW("hello")));
	cr_expect_eq(waitpid(child, &(int){0}, 0), child);
	fetch_stop();
	close(listener);
	buf_destroy(&body);
}

/* libcurl looks names up in a thread, and would wait for it to end. */
Test(fetch, gives_up_a_name_that_nobody_looks_up_in_time)
{
	struct fetch_options options = {
	        .url = "https://issuer.test/jwks",
	        .proxy = "",
	        .ca_file = "/etc/ssl/certs/ca-certificates.crt",
	        .timeout = CLOCK_SECOND,
	};
	struct buf body = buf_make(1024);

	cr_assert(fetch_start());
	resolver_set("issuer.test", NULL);
	cr_expect_str_eq(fetch(&options, &body), "Timeout was reached");
	fetch_stop();
	buf_destroy(&body);
}
