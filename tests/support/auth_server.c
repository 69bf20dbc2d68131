/* The key sets' server for tests. */
#include "support/auth_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HUGE_BYTES = 10 * 1024 * 1024 };

/* One connection, with TLS or without. */
struct peer {
	int fd;
	SSL *ssl;
};

static ssize_t peer_read(struct peer *peer, char *bytes, size_t len)
{
	return peer->ssl ? SSL_read(peer->ssl, bytes, (int)len) : read(peer->fd, bytes, len);
}

static bool peer_write(struct peer *peer, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put =
		        peer->ssl ? SSL_write(peer->ssl, bytes, (int)len) : send(peer->fd, bytes, len, MSG_NOSIGNAL);

		if (put <= 0)
			return false;
		bytes += put;
		len -= (size_t)put;
	}
	return true;
}

static bool read_head(struct peer *peer, char *head)
{
	size_t len = 0;

	while (len + 1 < AUTH_SERVER_REQUEST_MAX) {
		ssize_t got = peer_read(peer, head + len, 1);

		if (got <= 0)
			return false;
		head[++len] = '\0';
		if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

static void answer(struct peer *peer, const char *status, const char *more, const char *body, size_t len,
                   size_t announced)
{
	char head[512];
	int head_len = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
	                        status, announced, more);

	if (peer_write(peer, head, (size_t)head_len))
		(void)peer_write(peer, body, len);
}

static void answer_endless(struct peer *peer)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	char chunk[4096 + 8];

	memcpy(chunk, "1000\r\n", 6);
	memset(chunk + 6, ' ', 4096);
	memcpy(chunk + 6 + 4096, "\r\n", 2);
	if (!peer_write(peer, head, sizeof(head) - 1))
		return;
	for (size_t sent = 0; sent < HUGE_BYTES; sent += 4096)
		if (!peer_write(peer, chunk, sizeof(chunk)))
			return;
	(void)peer_write(peer, "0\r\n\r\n", 5);
}

static void wait_for_hang_up(struct peer *peer)
{
	char byte;

	while (peer_read(peer, &byte, 1) > 0)
		;
}

static void answer_huge(struct peer *peer)
{
	char *body = calloc(1, HUGE_BYTES);

	if (body)
		answer(peer, "200 OK", "", body, HUGE_BYTES, HUGE_BYTES);
	free(body);
}

static void serve(struct auth_server_state *state, struct peer *peer)
{
	if (!read_head(peer, state->request))
		return;
	atomic_fetch_add(&state->hits, 1);
	switch ((enum auth_server_manner)state->manner) {
	case AUTH_SERVER_GATED:
		while (!state->open)
			sched_yield();
		/* fall through */
	case AUTH_SERVER_OK:
		answer(peer, "200 OK", "", state->body, state->body_len, state->body_len);
		break;
	case AUTH_SERVER_ACCEPTED:
		answer(peer, "202 Accepted", "", state->body, state->body_len, state->body_len);
		break;
	case AUTH_SERVER_REDIRECT:
		if (strstr(state->request, "/elsewhere"))
			answer(peer, "200 OK", "", state->body, state->body_len, state->body_len);
		else
			answer(peer, "302 Found", "Location: /elsewhere\r\n", state->body, state->body_len,
			       state->body_len);
		break;
	case AUTH_SERVER_ERROR:
		answer(peer, "500 Internal Server Error", "", state->body, state->body_len, state->body_len);
		break;
	case AUTH_SERVER_NOT_FOUND:
		answer(peer, "404 Not Found", "", state->body, state->body_len, state->body_len);
		break;
	case AUTH_SERVER_CUT:
		answer(peer, "200 OK", "", state->body, state->body_len, 2 * state->body_len);
		break;
	case AUTH_SERVER_HUGE:
		answer_huge(peer);
		break;
	case AUTH_SERVER_ENDLESS:
		answer_endless(peer);
		break;
	case AUTH_SERVER_SILENT:
		wait_for_hang_up(peer);
		break;
	}
}

static void run(int listener, SSL_CTX *tls, struct auth_server_state *state)
{
	for (;;) {
		struct peer peer = {.fd = accept(listener, NULL, NULL)};

		if (peer.fd < 0)
			continue;
		if (tls) {
			peer.ssl = SSL_new(tls);
			SSL_set_fd(peer.ssl, peer.fd);
			if (SSL_accept(peer.ssl) == 1)
				serve(state, &peer);
			SSL_shutdown(peer.ssl);
			SSL_free(peer.ssl);
		} else {
			serve(state, &peer);
		}
		/* Closing with unread bytes would reset the connection before the answer is read. */
		shutdown(peer.fd, SHUT_WR);
		close(peer.fd);
	}
}

static int listen_on_loopback(int *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 64), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

struct auth_server auth_server_start(const char *certificate, const char *key)
{
	struct auth_server server = {0};
	int listener = listen_on_loopback(&server.port);
	SSL_CTX *tls = NULL;

	snprintf(server.url, sizeof(server.url), "%s://127.0.0.1:%d/api/auth/jwks", key ? "https" : "http",
	         server.port);
	server.state = mmap(NULL, sizeof(*server.state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(server.state != MAP_FAILED);
	server.pid = fork();
	cr_assert_geq(server.pid, 0);
	if (server.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		if (key) {
			tls = SSL_CTX_new(TLS_server_method());
			if (SSL_CTX_use_certificate_file(tls, certificate, SSL_FILETYPE_PEM) != 1 ||
			    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
				_exit(1);
		}
		run(listener, tls, server.state);
	}
	close(listener);
	return server;
}

void auth_server_stop(struct auth_server *server)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	munmap(server->state, sizeof(*server->state));
	server->pid = 0;
}

void auth_server_serve(struct auth_server *server, enum auth_server_manner manner, struct view body)
{
	cr_assert_leq(body.len, sizeof(server->state->body));
	memcpy(server->state->body, body.ptr, body.len);
	server->state->body_len = body.len;
	server->state->manner = (int)manner;
}
