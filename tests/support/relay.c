/* Carries bytes between libpq and the server, as it was told. */
#include "support/relay.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIRS_MAX = 128, LISTENERS = 2 };

struct pair {
	int client;
	int server;
	bool client_spoke; /* last */
};

static void socket_address(const char *folder, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path, sizeof ret->sun_path, "%s/.s.PGSQL.5432", folder);
}

static void pair_close(struct pair *pair)
{
	close(pair->client);
	close(pair->server);
	pair->client = pair->server = -1;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t written = send(fd, bytes, len, MSG_NOSIGNAL);
		if (written <= 0)
			return false;
		bytes += written;
		len -= (size_t)written;
	}
	return true;
}

/* Carries what one side has to say; false when that pair is at its end. */
static bool carry(struct relay *relay, struct pair *pair, bool from_client)
{
	char bytes[65536];
	int order = atomic_load(&relay->order);
	ssize_t len = recv(from_client ? pair->client : pair->server, bytes, sizeof bytes, 0);
	if (len == 0 && !from_client && order == RELAY_HIDE_ENDS) {
		close(pair->server);
		pair->server = -1;
		return true;
	}
	if (len <= 0)
		return false;
	if (from_client && !pair->client_spoke)
		atomic_fetch_add(&relay->turns, 1);
	pair->client_spoke = from_client;
	if (from_client ? order == RELAY_SWALLOW_REQUESTS : order == RELAY_SWALLOW_ANSWERS)
		return true;
	if (order == RELAY_REFUSE || (from_client && order == RELAY_CUT_REQUESTS))
		return false;
	if (!from_client && order == RELAY_CUT_ANSWERS)
		return false;
	if (!from_client && order == RELAY_CUT_ANSWERS_ONCE) {
		atomic_store(&relay->order, RELAY_PASS);
		return false;
	}
	if (!from_client && order == RELAY_GARBLE_ANSWERS_ONCE) {
		atomic_store(&relay->order, RELAY_PASS);
		memset(bytes, 0, (size_t)len);
	}
	return write_all(from_client ? pair->server : pair->client, bytes, (size_t)len);
}

static void take(struct relay *relay, int listener, const struct sockaddr_un *target, struct pair *pairs)
{
	int client = accept(listener, NULL, NULL);
	if (client < 0)
		return;
	atomic_fetch_add(&relay->connections, 1);
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t i = 0;
	while (i < PAIRS_MAX && pairs[i].client >= 0)
		i++;
	bool refused = atomic_load(&relay->order) == RELAY_REFUSE;
	if (refused || i == PAIRS_MAX || connect(server, (const struct sockaddr *)target, sizeof *target) != 0) {
		close(client);
		close(server);
		return;
	}
	pairs[i] = (struct pair){client, server, false};
}

static void serve(struct relay *relay, const int listeners[LISTENERS], const struct sockaddr_un *target)
{
	struct pair pairs[PAIRS_MAX];
	for (size_t i = 0; i < PAIRS_MAX; i++)
		pairs[i] = (struct pair){-1, -1, false};
	for (;;) {
		struct pollfd polled[2 * PAIRS_MAX + LISTENERS];
		struct pollfd *listening = polled + 2 * PAIRS_MAX;
		for (size_t i = 0; i < PAIRS_MAX; i++) {
			polled[2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
			polled[1 + 2 * i] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
		}
		for (size_t i = 0; i < LISTENERS; i++)
			listening[i] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
		if (poll(polled, 2 * PAIRS_MAX + LISTENERS, -1) < 0)
			continue;
		for (size_t i = 0; i < PAIRS_MAX; i++) {
			bool alive = true;
			if (polled[2 * i].revents)
				alive = carry(relay, &pairs[i], true);
			if (alive && polled[1 + 2 * i].revents)
				alive = carry(relay, &pairs[i], false);
			if (!alive)
				pair_close(&pairs[i]);
		}
		for (size_t i = 0; i < LISTENERS; i++)
			if (listening[i].revents)
				take(relay, listeners[i], target, pairs);
	}
}

/* A listener on a port of the kernel's choice. */
static int listen_on_loopback(int *ret_port)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof own;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(listener, (const struct sockaddr *)&own, sizeof own), 0);
	cr_assert_eq(listen(listener, PAIRS_MAX), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&own, &size), 0);
	*ret_port = ntohs(own.sin_port);
	return listener;
}

struct relay *relay_start(const char *target_folder)
{
	struct sockaddr_un own, target;
	struct relay *relay = mmap(NULL, sizeof *relay, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(relay != MAP_FAILED);
	/* In the server's folder, so that it goes when that goes. */
	snprintf(relay->folder, sizeof relay->folder, "%s/relay-XXXXXX", target_folder);
	cr_assert_not_null(mkdtemp(relay->folder));
	socket_address(relay->folder, &own);
	socket_address(target_folder, &target);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(listener, (const struct sockaddr *)&own, sizeof own), 0);
	cr_assert_eq(listen(listener, PAIRS_MAX), 0);
	const int listeners[LISTENERS] = {listener, listen_on_loopback(&relay->port)};
	/* Not straight into the memory that both share: the child's 0 would win. */
	pid_t child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(relay, listeners, &target);
	}
	relay->process = child;
	close(listeners[0]);
	close(listeners[1]);
	return relay;
}

void relay_stop(struct relay *relay)
{
	kill(relay->process, SIGKILL);
	waitpid(relay->process, NULL, 0);
	munmap(relay, sizeof *relay);
}
