/* Looks names up in a child process, which can be ended where getaddrinfo(3) can't. */
#include "db/lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/pipeline.h"

enum { TEXT_MAX = 64 * 1024, PIECE = 4096 };

/* One place of libpq's lists. */
struct place {
	struct view host;
	struct view hostaddr;
	struct view port;
};

/* The lists, as far as they were read. */
struct places {
	struct view hosts;
	struct view hostaddrs;
	struct view ports;
	bool one_port; /* for all */
};

static struct places places_of(const struct address *address)
{
	struct view ports = view_of(address_option(address, "port"));
	return (struct places){
	        .hosts = view_of(address_option(address, "host")),
	        .hostaddrs = view_of(address_option(address, "hostaddr")),
	        .ports = ports,
	        .one_port = view_find(ports, ',') == ports.len,
	};
}

static struct view next(struct view *list)
{
	return view_is_absent(*list) ? ABSENT : view_cut(list, ',');
}

static bool places_next(struct places *places, struct place *ret)
{
	if (view_is_absent(places->hosts) && view_is_absent(places->hostaddrs))
		return false;
	ret->host = next(&places->hosts);
	ret->hostaddr = next(&places->hostaddrs);
	ret->port = places->one_port ? places->ports : next(&places->ports);
	return true;
}

/* As a string; false: too long for a name. */
static bool copy_name(struct view name, char ret[NI_MAXHOST])
{
	if (name.len >= NI_MAXHOST)
		return false;
	memcpy(ret, name.ptr, name.len);
	ret[name.len] = '\0';
	return true;
}

static bool is_name(const struct place *place)
{
	struct in6_addr number;
	char text[NI_MAXHOST];
	if (place->hostaddr.len > 0 || place->host.len == 0 || place->host.ptr[0] == '/' || place->host.ptr[0] == '@')
		return false;
	return copy_name(place->host, text) && inet_pton(AF_INET, text, &number) != 1 &&
	       inet_pton(AF_INET6, text, &number) != 1;
}

/* ---- the child ---- */

struct lists {
	struct buf host;
	struct buf hostaddr;
	struct buf port;
	size_t count;
};

static void lists_add(struct lists *lists, const struct place *place, struct view number)
{
	if (lists->count++ > 0) {
		buf_add_char(&lists->host, ',');
		buf_add_char(&lists->hostaddr, ',');
		buf_add_char(&lists->port, ',');
	}
	buf_add(&lists->host, place->host);
	buf_add(&lists->hostaddr, number);
	buf_add(&lists->port, place->port);
}

static void lists_look_up(struct lists *lists, const struct place *place)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char text[NI_MAXHOST];
	if (!copy_name(place->host, text) || getaddrinfo(text, NULL, &hints, &found) != 0)
		return;
	for (const struct addrinfo *info = found; info; info = info->ai_next)
		if (getnameinfo(info->ai_addr, info->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
			lists_add(lists, place, view_of(text));
	freeaddrinfo(found);
}

/* What can't be written there is nobody to read. */
static void write_all(int fd, struct view bytes)
{
	while (bytes.len > 0) {
		ssize_t written = write(fd, bytes.ptr, bytes.len);
		if (written < 0 && errno != EINTR)
			return;
		if (written > 0)
			bytes = view_from(bytes, (size_t)written);
	}
}

/* Writes the three lists, each with a NUL behind it; nothing when they are empty or not whole. */
static void child_run(const struct address *address, int out)
{
	struct lists lists = {buf_make(TEXT_MAX), buf_make(TEXT_MAX), buf_make(TEXT_MAX), 0};
	struct places places = places_of(address);
	struct place place;
	while (places_next(&places, &place)) {
		if (is_name(&place))
			lists_look_up(&lists, &place);
		else
			lists_add(&lists, &place, place.hostaddr);
	}
	buf_add_char(&lists.host, '\0');
	buf_add_char(&lists.hostaddr, '\0');
	buf_add_char(&lists.port, '\0');
	if (lists.count > 0 && buf_ok(&lists.host) && buf_ok(&lists.hostaddr) && buf_ok(&lists.port)) {
		write_all(out, buf_view(&lists.host));
		write_all(out, buf_view(&lists.hostaddr));
		write_all(out, buf_view(&lists.port));
	}
	_exit(EXIT_SUCCESS);
}

/* ---- the parent ---- */

/* The process is the caller's to end. -1: none can be had. */
static pid_t child_start(const struct address *address, int *ret_in)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	pid_t parent = getpid();
	pid_t child = fork();
	if (child == 0) {
		/* A resolver may wait for long; nobody would end this one any more. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		child_run(address, ends[1]);
	}
	close(ends[1]);
	if (child < 0)
		close(ends[0]);
	else
		*ret_in = ends[0];
	return child;
}

static void child_end(pid_t child)
{
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* Reads to the end of what the child has to say. */
static enum lookup_end read_text(int in, int64_t deadline, struct buf *ret)
{
	for (;;) {
		char *room = buf_reserve(ret, PIECE);
		enum pipeline_end end = room ? pipeline_wait(in, POLLIN, deadline) : PIPELINE_LOST;
		if (end != PIPELINE_DONE)
			return end == PIPELINE_LATE ? LOOKUP_LATE : LOOKUP_FAILED;
		ssize_t got = read(in, room, PIECE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? LOOKUP_DONE : LOOKUP_FAILED;
		ret->len += (size_t)got;
	}
}

/* False: the child has told nothing, or not all. */
static bool read_lists(struct lookup *lookup)
{
	struct view rest = buf_view(&lookup->text);
	if (rest.len == 0 || rest.ptr[rest.len - 1] != '\0')
		return false;
	lookup->host = view_cut(&rest, '\0');
	lookup->hostaddr = view_cut(&rest, '\0');
	lookup->port = view_cut(&rest, '\0');
	return !view_is_absent(lookup->port);
}

enum lookup_end lookup_hosts(const struct address *address, int64_t deadline, struct lookup *ret)
{
	struct places places = places_of(address);
	struct place place;
	bool needed = false;
	while (!needed && places_next(&places, &place))
		needed = is_name(&place);
	if (!needed)
		return LOOKUP_NEEDLESS;
	struct lookup lookup = {.text = buf_make(3 * TEXT_MAX)};
	int in = -1;
	pid_t child = child_start(address, &in);
	if (child < 0)
		return LOOKUP_FAILED;
	enum lookup_end end = read_text(in, deadline, &lookup.text);
	close(in);
	child_end(child);
	if (end == LOOKUP_DONE && !read_lists(&lookup))
		end = LOOKUP_FAILED;
	if (end == LOOKUP_DONE)
		*ret = lookup;
	else
		lookup_destroy(&lookup);
	return end;
}

void lookup_destroy(struct lookup *lookup)
{
	buf_destroy(&lookup->text);
}
