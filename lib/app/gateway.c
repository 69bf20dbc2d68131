/* libfcgi and plain CGI behind one struct transport. The one file that includes
 * <fcgiapp.h>. */
#include "app/gateway.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER = 0, WRITE_MAX = 1 << 20 };

static volatile sig_atomic_t stop_wanted;

static void on_stop(int signal)
{
	(void)signal;
	stop_wanted = 1;
}

static void stop_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGHUP);
	sigaddset(ret, SIGUSR1);
}

void gateway_block_stop_signals(void)
{
	sigset_t set;
	stop_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	struct sigaction action = {.sa_handler = on_stop};
	sigemptyset(&action.sa_mask);
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(&set, signal) == 1)
			sigaction(signal, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit for files is a full disk, no reason to die. */
	signal(SIGXFSZ, SIG_IGN);
}

void gateway_fill_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* ---- plain CGI ---- */

static const char *cgi_parameter(void *context, const char *name)
{
	(void)context;
	return getenv(name);
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

static const char *fastcgi_parameter(void *context, const char *name)
{
	const FCGX_Request *request = context;
	return FCGX_GetParam(name, request->envp);
}

static bool fastcgi_read(void *context, char *out, size_t size, size_t *ret)
{
	const FCGX_Request *request = context;
	int got = FCGX_GetStr(out, (int)(size < WRITE_MAX ? size : WRITE_MAX), request->in);
	if (got < 0 || (got == 0 && FCGX_GetError(request->in) != 0))
		return false;
	*ret = (size_t)got;
	return true;
}

static bool fastcgi_write(void *context, struct view bytes)
{
	const FCGX_Request *request = context;
	while (bytes.len > 0) {
		int size = (int)(bytes.len < WRITE_MAX ? bytes.len : WRITE_MAX);
		if (FCGX_PutStr(bytes.ptr, size, request->out) != size)
			return false;
		bytes = view_from(bytes, (size_t)size);
	}
	return true;
}

/* libfcgi frees the parameters as they are, with the token of the request among them. */
static void wipe_parameters(const FCGX_Request *request)
{
	for (char **parameter = request->envp; parameter && *parameter; parameter++)
		explicit_bzero(*parameter, strlen(*parameter));
}

/* Waits for a connection or a stop signal. False: a stop signal. */
static bool wait_for_connection(void)
{
	sigset_t set;
	sigset_t open;
	stop_signals(&set);
	sigprocmask(SIG_BLOCK, NULL, &open);
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(&set, signal) == 1)
			sigdelset(&open, signal);
	struct pollfd listener = {.fd = LISTENER, .events = POLLIN};
	while (!stop_wanted && ppoll(&listener, 1, NULL, &open) <= 0)
		if (errno != EINTR && errno != EAGAIN)
			break;
	return !stop_wanted;
}

bool gateway_serve_fastcgi(struct app *app, const struct app_program *program)
{
	/* libfcgi waits up to two seconds for the web server to close first. */
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	FCGX_Request request;
	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, LISTENER, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		return false;
	/* Several workers wake for one connection; those that find it taken go
	 * back to waiting instead of blocking where no signal reaches them. */
	int flags = fcntl(LISTENER, F_GETFL);
	if (flags < 0 || fcntl(LISTENER, F_SETFL, flags | O_NONBLOCK) < 0)
		return false;
	while (wait_for_connection()) {
		if (FCGX_Accept_r(&request) < 0)
			continue;
		struct transport transport = {&request, fastcgi_parameter, fastcgi_read, fastcgi_write};
		app_serve(app, program, &transport);
		wipe_parameters(&request);
		/* A web server may ask for the connection to stay open. Its next request
		 * would then come where nobody waits for one. */
		request.keepConnection = 0;
		FCGX_Finish_r(&request);
	}
	FCGX_Free(&request, 1);
	return true;
}
