/* Composes and reads FastCGI records. */
#include "support/fastcgi.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

enum { VERSION = 1, HEADER_LEN = 8, ROLE_RESPONDER = 1, KEEP_CONNECTION = 1 };

void fastcgi_record(struct buf *out, enum fastcgi_type type, struct view content)
{
	const unsigned char header[HEADER_LEN] = {
	        VERSION, (unsigned char)type, 0, 1, (unsigned char)(content.len >> 8), (unsigned char)content.len, 0, 0,
	};
	buf_add(out, (struct view){(const char *)header, sizeof header});
	buf_add(out, content);
}

void fastcgi_begin(struct buf *out, bool keep)
{
	const char content[] = {0, ROLE_RESPONDER, keep ? KEEP_CONNECTION : 0, 0, 0, 0, 0, 0};
	fastcgi_record(out, FASTCGI_BEGIN, (struct view){content, sizeof content});
}

static void add_length(struct buf *out, size_t len)
{
	if (len > 127) {
		buf_add_char(out, (char)(len >> 24 | 0x80));
		buf_add_char(out, (char)(len >> 16));
		buf_add_char(out, (char)(len >> 8));
	}
	buf_add_char(out, (char)len);
}

void fastcgi_pair(struct buf *out, struct view name, struct view value)
{
	add_length(out, name.len);
	add_length(out, value.len);
	buf_add(out, name);
	buf_add(out, value);
}

void fastcgi_stream(struct buf *out, enum fastcgi_type type, struct view content, size_t chunk)
{
	if (chunk == 0 || chunk > FASTCGI_RECORD_MAX)
		chunk = FASTCGI_RECORD_MAX;
	while (content.len > 0) {
		size_t len = content.len < chunk ? content.len : chunk;
		fastcgi_record(out, type, (struct view){content.ptr, len});
		content = view_from(content, len);
	}
	fastcgi_record(out, type, VIEW(""));
}

int fastcgi_connect(struct view name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || name.len >= sizeof address.sun_path)
		return -1;
	memcpy(address.sun_path + 1, name.ptr, name.len);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name.len);
	if (connect(fd, (const struct sockaddr *)&address, size) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Waits until the socket is ready for `events`. False: the time is up. */
static bool ready(int fd, short events, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline - clock_monotonic();
		struct pollfd polled = {.fd = fd, .events = events};
		int count = left > 0 ? poll(&polled, 1, (int)(left / 1000) + 1) : 0;
		if (count >= 0 || errno != EINTR)
			return count > 0;
	}
}

bool fastcgi_send(int fd, struct view bytes)
{
	int64_t deadline = clock_monotonic() + FASTCGI_PATIENCE * CLOCK_SECOND;
	while (bytes.len > 0) {
		if (!ready(fd, POLLOUT, deadline))
			return false;
		ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (sent > 0)
			bytes = view_from(bytes, (size_t)sent);
	}
	return true;
}

/* Exactly `size` bytes. *ret_got tells how many came. */
static enum fastcgi_result receive_bytes(int fd, void *out, size_t size, int64_t deadline, size_t *ret_got)
{
	size_t got = 0;
	enum fastcgi_result result = FASTCGI_OK;
	while (got < size && result == FASTCGI_OK) {
		ssize_t len = -1;
		if (!ready(fd, POLLIN, deadline))
			result = FASTCGI_SILENT;
		else if ((len = recv(fd, (char *)out + got, size - got, MSG_DONTWAIT)) == 0 ||
		         (len < 0 && errno == ECONNRESET))
			result = FASTCGI_CLOSED;
		if (len > 0)
			got += (size_t)len;
	}
	*ret_got = got;
	return result;
}

enum fastcgi_result fastcgi_receive(int fd, struct buf *out)
{
	int64_t deadline = clock_monotonic() + FASTCGI_PATIENCE * CLOCK_SECOND;
	bool begun = false;
	for (;;) {
		unsigned char header[HEADER_LEN];
		char content[FASTCGI_RECORD_MAX + 255];
		size_t got;
		enum fastcgi_result result = receive_bytes(fd, header, sizeof header, deadline, &got);
		begun = begun || got > 0;
		if (result != FASTCGI_OK)
			return result == FASTCGI_CLOSED && begun ? FASTCGI_CUT : result;
		size_t len = (size_t)header[4] << 8 | header[5];
		if (header[0] != VERSION || header[2] != 0 || header[3] != 1)
			return FASTCGI_MALFORMED;
		result = receive_bytes(fd, content, len + header[6], deadline, &got);
		if (result != FASTCGI_OK)
			return result == FASTCGI_CLOSED ? FASTCGI_CUT : result;
		if (header[1] == FASTCGI_END)
			return len == 8 ? FASTCGI_OK : FASTCGI_MALFORMED;
		if (header[1] == FASTCGI_STDOUT)
			buf_add(out, (struct view){content, len});
		else if (header[1] != FASTCGI_STDERR || len > 0)
			return FASTCGI_MALFORMED;
	}
}

const char *fastcgi_result_text(enum fastcgi_result result)
{
	static const char *const texts[] = {
	        [FASTCGI_OK] = "ok",
	        [FASTCGI_CLOSED] = "closed before an answer",
	        [FASTCGI_CUT] = "cut within an answer",
	        [FASTCGI_MALFORMED] = "malformed",
	        [FASTCGI_SILENT] = "silent",
	};
	return texts[result];
}
