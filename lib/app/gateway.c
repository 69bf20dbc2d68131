/* FastCGI and plain CGI behind one struct transport. */
#include "app/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "app/wire.h"
#include "base/clock.h"
#include "base/log.h"

enum { LISTENER = 0, ADDRESS_MAX = 64 };

static volatile sig_atomic_t stop_wanted;
/* An epoll(7) instance on the listener. */
static volatile sig_atomic_t waiter = -1;

static void on_stop(int signal)
{
	(void)signal;
	stop_wanted = 1;
}

/* Whoever starts the program anew takes a socket that still listens for another
 * program's and starts none: lighttpd 1.4.69 does so, and when the last worker
 * goes there is nobody. So this one stops listening at once, whatever it does.
 * A wait that was about to begin ends as well, since it has nothing to wait on. */
static void on_orphaned(int signal)
{
	int before = errno;
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)signal;
	stop_wanted = 1;
	if (nothing < 0 || dup2(nothing, LISTENER) < 0)
		close(LISTENER);
	if (waiter >= 0 && (nothing < 0 || dup2(nothing, waiter) < 0))
		close(waiter);
	if (nothing >= 0)
		close(nothing);
	errno = before;
}

static const int stop_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

enum { STOP_SIGNALS = sizeof stop_signals / sizeof *stop_signals };

/* A mask of just these. */
static void stop_signals_only(sigset_t *ret)
{
	sigemptyset(ret);
	for (size_t i = 0; i < STOP_SIGNALS; i++)
		sigaddset(ret, stop_signals[i]);
}

/* The present mask with the stop signals let through. */
static void stop_signals_open(sigset_t *ret)
{
	sigprocmask(SIG_BLOCK, NULL, ret);
	for (size_t i = 0; i < STOP_SIGNALS; i++)
		sigdelset(ret, stop_signals[i]);
}

void gateway_block_stop_signals(void)
{
	sigset_t set;
	stop_signals_only(&set);
	/* What whoever started us had blocked stays so across exec: an orphan would not hear that it is one. */
	sigprocmask(SIG_SETMASK, &set, NULL);
	struct sigaction action = {.sa_handler = on_stop};
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < STOP_SIGNALS; i++)
		sigaction(stop_signals[i], &action, NULL);
	struct sigaction orphaned = {.sa_handler = on_orphaned, .sa_flags = SA_RESTART};
	sigemptyset(&orphaned.sa_mask);
	sigaction(GATEWAY_ORPHANED, &orphaned, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit for files is a full disk, no reason to die. */
	signal(SIGXFSZ, SIG_IGN);
	/* Ignored, as some supervisors leave it, it would hide from a parent that a worker has ended. */
	signal(SIGCHLD, SIG_DFL);
}

/* ---- plain CGI ---- */

static struct view cgi_parameter(void *context, struct view name)
{
	(void)context;
	return view_of(getenv(name.ptr));
}

/* A plain CGI body may come on a descriptor that stays open past its end: no
 * more than CONTENT_LENGTH is read (RFC 3875 §4.2). A web server that can't tell
 * the length of a chunked body closes the descriptor behind it. */
struct cgi {
	size_t left;
};

static bool cgi_read(void *context, char *out, size_t size, size_t *ret)
{
	struct cgi *cgi = context;
	if (size > cgi->left)
		size = cgi->left;
	ssize_t got;
	do
		got = size > 0 ? read(STDIN_FILENO, out, size) : 0;
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return false;
	cgi->left -= (size_t)got;
	*ret = (size_t)got;
	return true;
}

static bool cgi_write(void *context, struct view bytes)
{
	(void)context;
	while (bytes.len > 0) {
		ssize_t sent = write(STDOUT_FILENO, bytes.ptr, bytes.len);
		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0)
			bytes = view_from(bytes, (size_t)sent);
	}
	return true;
}

bool gateway_is_cgi(void)
{
	int listening = 0;
	socklen_t size = sizeof listening;
	return getsockopt(LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening;
}

void gateway_serve_cgi(struct app *app, const struct app_program *program)
{
	uint64_t length = getenv("HTTP_TRANSFER_ENCODING") ? SIZE_MAX : 0;
	const char *announced = getenv("CONTENT_LENGTH");
	if (announced && *announced && !view_to_u64(view_of(announced), SIZE_MAX, &length))
		length = 0;
	struct cgi cgi = {.left = (size_t)length};
	struct transport transport = {&cgi, cgi_parameter, cgi_read, cgi_write};
	app_serve(app, program, &transport);
}

/* ---- FastCGI ---- */

static struct view fastcgi_parameter(void *context, struct view name)
{
	return wire_parameter(context, name);
}

static bool fastcgi_read(void *context, char *out, size_t size, size_t *ret)
{
	return wire_read(context, out, size, ret);
}

static bool fastcgi_write(void *context, struct view bytes)
{
	return wire_write(context, bytes);
}

static bool waiter_add(int fd, uint32_t events)
{
	struct epoll_event wanted = {.events = events, .data.fd = fd};
	return fd >= 0 && epoll_ctl(waiter, EPOLL_CTL_ADD, fd, &wanted) == 0;
}

/* Waits on the listener, exclusively, since otherwise all workers of a socket wake
 * for each connection; and on the stop signals, which are blocked: a busy machine
 * has always a connection waiting, and then no wait lets a signal through. */
static bool waiter_open(int *ret_signals)
{
	sigset_t set;
	stop_signals_only(&set);
	waiter = epoll_create1(EPOLL_CLOEXEC);
	*ret_signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return waiter >= 0 && waiter_add(LISTENER, EPOLLIN | EPOLLEXCLUSIVE) && waiter_add(*ret_signals, EPOLLIN);
}

/* Waits for a connection or a stop signal. False: a stop signal. */
static bool wait_for_connection(void)
{
	struct epoll_event events[2];
	int count = -1;
	while (!stop_wanted && (count = epoll_wait(waiter, events, 2, -1)) < 0)
		if (errno != EINTR)
			break;
	for (int i = 0; i < count; i++)
		if (events[i].data.fd != LISTENER)
			stop_wanted = 1;
	return !stop_wanted;
}

/* FastCGI Specification 1.0 §3.2: who may connect by TCP, where that is said. */
static bool is_web_server(const struct sockaddr_storage *peer, socklen_t size)
{
	const char *permitted = getenv("FCGI_WEB_SERVER_ADDRS");
	char text[ADDRESS_MAX];
	if (!permitted)
		return true;
	if (getnameinfo((const struct sockaddr *)peer, size, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
		return false;
	struct view address = view_of(text);
	if (view_starts(address, VIEW("::ffff:")))
		address = view_from(address, 7);
	for (struct view rest = view_of(permitted); !view_is_absent(rest);)
		if (view_equal(view_trim(view_cut(&rest, ',')), address))
			return true;
	return false;
}

/* What there is nothing to be done about but to try again a little later. */
static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Connections wait in the queue meanwhile. */
static void wait_out_shortage(const sigset_t *open)
{
	static int64_t told = INT64_MIN;
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	int64_t now = clock_monotonic();
	if (told == INT64_MIN || now - told > 10 * CLOCK_SECOND) {
		log_line(LOG_LEVEL_ERROR, VIEW("no connection can be taken: no file descriptor or no memory is left"));
		told = now;
	}
	(void)ppoll(NULL, 0, &pause, open);
}

enum taken { TAKEN, TAKEN_NONE, TAKEN_BROKEN };

/* A worker that was woken and finds the connection taken goes back to waiting
 * instead of blocking where no signal reaches it. */
static enum taken connection_take(const sigset_t *open, int *ret)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof peer;
	const int yes = 1;
	int fd = accept4(LISTENER, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
	if (fd < 0 && is_shortage(errno))
		wait_out_shortage(open);
	else if (fd < 0 && (errno == EBADF || errno == EINVAL || errno == ENOTSOCK || errno == EOPNOTSUPP))
		return TAKEN_BROKEN;
	if (fd < 0)
		return TAKEN_NONE;
	if (peer.ss_family == AF_INET || peer.ss_family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
		if (!is_web_server(&peer, size)) {
			close(fd);
			return TAKEN_NONE;
		}
	}
	*ret = fd;
	return TAKEN;
}

/* Answers the request that comes on `fd`, if one does. */
static void connection_serve(struct app *app, const struct app_program *program, const struct wire_stop *stop,
                             struct wire *wire, int fd)
{
	if (wire_begin(wire, fd, app->config.web_timeout * CLOCK_SECOND, stop)) {
		struct transport transport = {wire, fastcgi_parameter, fastcgi_read, fastcgi_write};
		app_serve(app, program, &transport);
		wire_finish(wire);
	}
	wire_end(wire);
}

/* Takes a connection and answers what comes on it. */
static enum taken serve_one(struct app *app, const struct app_program *program, const struct wire_stop *stop,
                            struct wire *wire)
{
	int fd = -1;
	enum taken taken = connection_take(stop->open, &fd);
	if (taken != TAKEN)
		return taken;
	connection_serve(app, program, stop, wire, fd);
	close(fd);
	return taken;
}

/* Answers what waits in the queue when a stop signal has come, as far as there is time: mod_fcgid gives each process a
 * socket of its own, so nobody else would. Looked at first, since the socket may block by now: systemd sets it so when
 * it runs a reload's command. */
static void serve_the_queue(struct app *app, const struct app_program *program, const struct wire_stop *stop,
                            struct wire *wire)
{
	struct pollfd listener = {.fd = LISTENER, .events = POLLIN};
	int64_t end = clock_monotonic() + WIRE_STOP_TIME;
	while (clock_monotonic() < end && poll(&listener, 1, 0) > 0)
		if (serve_one(app, program, stop, wire) == TAKEN_BROKEN)
			break;
}

/* What wakes up may push aside what runs: here the web server in the midst of handing out requests, for each of them
 * anew. A batch process waits for its turn (sched(7)), so the server hands out all that it has, and then they are
 * answered: fewer switches from one process to another, and as many as a third more answers. Another policy was
 * somebody's choice. */
static void wait_for_turn(void)
{
	const struct sched_param none = {0};
	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)sched_setscheduler(0, SCHED_BATCH, &none);
}

bool gateway_serve_fastcgi(struct app *app, const struct app_program *program)
{
	static struct wire wire;
	sigset_t open;
	enum taken taken = TAKEN_NONE;
	int signals = -1;
	int flags = fcntl(LISTENER, F_GETFL);
	if (flags < 0 || fcntl(LISTENER, F_SETFL, flags | O_NONBLOCK) < 0 || !waiter_open(&signals))
		return false;
	wait_for_turn();
	stop_signals_open(&open);
	const struct wire_stop stop = {&open, &stop_wanted};
	wire_init(&wire, program->authorize ? WIRE_AUTHORIZER : WIRE_RESPONDER);
	while (taken != TAKEN_BROKEN && wait_for_connection())
		taken = serve_one(app, program, &stop, &wire);
	if (stop_wanted)
		serve_the_queue(app, program, &stop, &wire);
	/* mod_fcgid may choose this process until its socket is closed, so that comes before
	 * all other tidying up: once refused, it turns to another one. */
	close(LISTENER);
	close(signals);
	close(waiter);
	wire_destroy(&wire);
	return taken != TAKEN_BROKEN;
}
