/* app/wire beside libfcgi: whatever a web server may send in whatever pieces, both understand the same. */
#include <criterion/criterion.h>
#include <fcgiapp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/wire.h"
#include "base/clock.h"
#include "support/fastcgi.h"
#include "support/leaks.h"

enum { BYTES_MAX = 64 * 1024, BODY_MAX = 16 * 1024 };

TestSuite(wire_libfcgi, .fini = leaks_check, .timeout = 60);

/* A request in the pieces of one case. */
static const struct form {
	const char *what;
	size_t parameters_chunk;
	size_t body_chunk;
	size_t name_len;
	size_t value_len;
	size_t body_len;
} forms[] = {
        {"a request without a body", 0, 0, 4, 10, 0},
        {"a body in one record", 0, 0, 4, 10, 500},
        {"parameters and body byte by byte", 1, 1, 4, 10, 300},
        {"pieces that end anywhere", 7, 13, 9, 31, 1000},
        {"lengths of one byte and of four", 0, 0, 127, 128, 10},
        {"a long name", 100, 100, 300, 0, 10},
        {"a value over a record's usual size", 8192, 4096, 20, 10000, BODY_MAX},
};

static void fill(char *text, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('A' + (seed + i * 7) % 26);
	text[len] = '\0';
}

/* The value's name and itself, of that form's n-th parameter. */
static void parameter_of(const struct form *form, unsigned int n, char *name, char *value)
{
	fill(name, form->name_len, n);
	name[0] = (char)('a' + n);
	fill(value, form->value_len, n + 3);
}

enum { PARAMETERS = 5, TEXT_MAX = 10001 };

static void compose(const struct form *form, const char *body, struct buf *out)
{
	char name[TEXT_MAX];
	char value[TEXT_MAX];
	struct buf parameters = buf_make(BYTES_MAX);
	for (unsigned int n = 0; n < PARAMETERS; n++) {
		parameter_of(form, n, name, value);
		fastcgi_pair(&parameters, view_of(name), view_of(value));
	}
	fastcgi_begin(out, false);
	fastcgi_stream(out, FASTCGI_PARAMS, buf_view(&parameters), form->parameters_chunk);
	fastcgi_stream(out, FASTCGI_STDIN, (struct view){body, form->body_len}, form->body_chunk);
	buf_destroy(&parameters);
}

/* A connection on which that was sent; *ret is the web server's end. */
static int connection(struct view bytes, int *ret)
{
	int pair[2];
	const int room = 8 * BYTES_MAX;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
	cr_assert_eq(write(pair[1], bytes.ptr, bytes.len), (ssize_t)bytes.len);
	*ret = pair[1];
	return pair[0];
}

static void expect_of_wire(const struct form *form, struct view bytes, const char *body)
{
	static struct wire wire;
	char name[TEXT_MAX];
	char value[TEXT_MAX];
	char read[BODY_MAX + 1];
	size_t len = 0;
	size_t got = 1;
	int server;
	int fd = connection(bytes, &server);
	wire_init(&wire, WIRE_RESPONDER);
	cr_assert(wire_begin(&wire, fd, 20 * CLOCK_SECOND, NULL), "%s", form->what);
	for (unsigned int n = 0; n < PARAMETERS; n++) {
		parameter_of(form, n, name, value);
		cr_expect(view_equal(wire_parameter(&wire, view_of(name)), view_of(value)), "%s: %u", form->what, n);
	}
	for (; got > 0; len += got)
		cr_assert(wire_read(&wire, read + len, sizeof read - len, &got), "%s", form->what);
	cr_expect(view_equal((struct view){read, len}, (struct view){body, form->body_len}), "%s", form->what);
	wire_end(&wire);
	wire_destroy(&wire);
	close(fd);
	close(server);
}

static void expect_of_libfcgi(const struct form *form, struct view bytes, const char *body)
{
	FCGX_Request request;
	char name[TEXT_MAX];
	char value[TEXT_MAX];
	char read[BODY_MAX + 1];
	int server;
	int fd = connection(bytes, &server);
	cr_assert_eq(FCGX_Init(), 0);
	cr_assert_eq(FCGX_InitRequest(&request, -1, 0), 0);
	/* With these two it takes this connection for one that was kept open. */
	request.ipcFd = fd;
	request.keepConnection = 1;
	cr_assert_eq(FCGX_Accept_r(&request), 0, "%s", form->what);
	for (unsigned int n = 0; n < PARAMETERS; n++) {
		parameter_of(form, n, name, value);
		cr_expect_str_eq(FCGX_GetParam(name, request.envp), value, "%s: %u", form->what, n);
	}
	int len = FCGX_GetStr(read, sizeof read, request.in);
	cr_expect(view_equal((struct view){read, (size_t)len}, (struct view){body, form->body_len}), "%s", form->what);
	FCGX_Finish_r(&request);
	FCGX_Free(&request, 1);
	close(server);
}

Test(wire_libfcgi, understands_what_libfcgi_understands)
{
	char body[BODY_MAX + 1];
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct buf bytes = buf_make(4 * BYTES_MAX);
		fill(body, forms[i].body_len, (unsigned int)i);
		compose(&forms[i], body, &bytes);
		expect_of_wire(&forms[i], buf_view(&bytes), body);
		expect_of_libfcgi(&forms[i], buf_view(&bytes), body);
		buf_destroy(&bytes);
	}
}
