/* The raw HTTP/1.1 client of the tests. */
#include "support/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { RECEIVE_MAX = 32 * 1024 * 1024, STEP = 64 * 1024, ASK_MAX = 4 * 1024 * 1024 };

const char *http_result_text(enum http_result result)
{
	static const char *const texts[] = {
	        [HTTP_OK] = "an answer",           [HTTP_CLOSED] = "a closed connection",
	        [HTTP_CUT] = "a cut answer",       [HTTP_MALFORMED] = "something that is not HTTP",
	        [HTTP_SILENT] = "nothing in time",
	};
	return texts[result];
}

bool http_open(int port, struct http *ret)
{
	struct sockaddr_in address = {
	        .sin_family = AF_INET,
	        .sin_port = htons((uint16_t)port),
	        .sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		close(fd);
		return false;
	}
	*ret = (struct http){.fd = fd, .in = buf_make(RECEIVE_MAX)};
	return true;
}

void http_close(struct http *http)
{
	close(http->fd);
	buf_destroy(&http->in);
}

/* Waits until one of `events`; 0: the time is up. */
static int wait_until(const struct http *http, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd fd = {.fd = http->fd, .events = events};
		int64_t left = (deadline - clock_monotonic()) / 1000;
		int ready = poll(&fd, 1, left > 0 ? (int)left + 1 : 0);
		if (ready > 0)
			return fd.revents;
		if (ready == 0 || errno != EINTR)
			return 0;
	}
}

static int64_t deadline_make(void)
{
	return clock_monotonic() + HTTP_PATIENCE * CLOCK_SECOND;
}

/* Takes what has come, without waiting. */
static void take(struct http *http)
{
	while (!http->ended) {
		char *room = buf_reserve(&http->in, STEP);
		if (!room) {
			http->ended = true;
			return;
		}
		ssize_t got = recv(http->fd, room, STEP, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0)
			http->ended = true;
		else
			http->in.len += (size_t)got;
	}
}

void http_send(struct http *http, struct view bytes)
{
	int64_t deadline = deadline_make();
	while (bytes.len > 0 && !http->ended) {
		int events = wait_until(http, POLLIN | POLLOUT, deadline);
		if (events == 0)
			return;
		if (events & POLLIN)
			take(http);
		if (!(events & POLLOUT) && !(events & (POLLERR | POLLHUP)))
			continue;
		ssize_t sent = send(http->fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0)
			bytes = view_from(bytes, (size_t)sent);
		else if (errno != EAGAIN && errno != EINTR)
			return;
	}
}

void http_shut(struct http *http)
{
	shutdown(http->fd, SHUT_WR);
}

/* Waits for more. False: there is no more, or it did not come in time. */
static bool more(struct http *http, int64_t deadline, enum http_result *ret_why)
{
	size_t before = http->in.len;
	while (!http->ended && http->in.len == before) {
		if (wait_until(http, POLLIN, deadline) == 0) {
			*ret_why = HTTP_SILENT;
			return false;
		}
		take(http);
	}
	if (http->in.len > before)
		return true;
	*ret_why = http->in.len == http->taken ? HTTP_CLOSED : HTTP_CUT;
	return false;
}

static struct view rest_of(const struct http *http)
{
	return view_from(buf_view(&http->in), http->taken);
}

/* Waits until `count` bytes are there that were not given out. */
static bool have(struct http *http, size_t count, int64_t deadline, enum http_result *ret_why)
{
	while (http->in.len - http->taken < count)
		if (!more(http, deadline, ret_why))
			return false;
	return true;
}

enum http_result http_take(struct http *http, size_t count, struct view *ret)
{
	enum http_result why = HTTP_OK;
	if (!have(http, count, deadline_make(), &why))
		return why;
	*ret = (struct view){http->in.ptr + http->taken, count};
	http->taken += count;
	return HTTP_OK;
}

/* Waits for the next occurrence of `end` and gives the bytes before it; what is given is not taken. */
static bool until(struct http *http, struct view end, int64_t deadline, struct view *ret, enum http_result *ret_why)
{
	for (;;) {
		struct view rest = rest_of(http);
		const char *found = rest.len > 0 ? memmem(rest.ptr, rest.len, end.ptr, end.len) : NULL;
		if (found) {
			*ret = (struct view){rest.ptr, (size_t)(found - rest.ptr)};
			return true;
		}
		if (!more(http, deadline, ret_why))
			return false;
	}
}

/* Cuts one line with its CR LF off. */
static struct view cut_line(struct view *rest)
{
	struct view line = view_cut(rest, '\n');
	return line.len > 0 && line.ptr[line.len - 1] == '\r' ? (struct view){line.ptr, line.len - 1} : line;
}

struct view http_header(const struct http_answer *answer, struct view name, size_t index)
{
	for (struct view rest = answer->head; rest.len > 0;) {
		struct view line = cut_line(&rest);
		if (view_equal_nocase(view_cut(&line, ':'), name) && index-- == 0)
			return view_is_absent(line) ? ABSENT : view_trim(line);
	}
	return ABSENT;
}

/* "HTTP/1.1 200 OK" */
static bool status_read(struct view line, int *ret)
{
	uint64_t status;
	struct view version = view_cut(&line, ' ');
	struct view number = view_cut(&line, ' ');
	if (!view_equal(version, VIEW("HTTP/1.1")) && !view_equal(version, VIEW("HTTP/1.0")))
		return false;
	if (!view_to_u64(number, 599, &status) || status < 100)
		return false;
	*ret = (int)status;
	return true;
}

static bool hex_read(struct view digits, size_t *ret)
{
	size_t number = 0;
	if (digits.len == 0 || digits.len > 7)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		const char *all = "0123456789abcdef";
		const char *digit = strchr(all, digits.ptr[i] | 0x20);
		if (!digit || digits.ptr[i] == '\0')
			return false;
		number = number * 16 + (size_t)(digit - all);
	}
	*ret = number;
	return true;
}

/* Adds the chunks' contents to the answer (RFC 9112 §7.1). */
static enum http_result receive_chunks(struct http *http, struct http_answer *answer, int64_t deadline)
{
	enum http_result why = HTTP_MALFORMED;
	for (;;) {
		struct view line;
		size_t size;
		if (!until(http, VIEW("\r\n"), deadline, &line, &why))
			return why == HTTP_CLOSED ? HTTP_CUT : why;
		http->taken += line.len + 2;
		if (!hex_read(view_trim(view_cut(&line, ';')), &size))
			return HTTP_MALFORMED;
		if (!have(http, size + 2, deadline, &why))
			return why == HTTP_CLOSED ? HTTP_CUT : why;
		struct view chunk = {http->in.ptr + http->taken, size};
		if (!view_starts(view_from(rest_of(http), size), VIEW("\r\n")))
			return HTTP_MALFORMED;
		buf_add(&answer->bytes, chunk);
		http->taken += size + 2;
		if (size == 0)
			return HTTP_OK;
	}
}

static enum http_result receive_body(struct http *http, struct http_answer *answer, int64_t deadline)
{
	enum http_result why = HTTP_OK;
	struct view coding = http_header(answer, VIEW("Transfer-Encoding"), 0);
	struct view length = http_header(answer, VIEW("Content-Length"), 0);
	uint64_t count;
	if (!view_is_absent(http_header(answer, VIEW("Content-Length"), 1)))
		return HTTP_MALFORMED;
	if (!view_is_absent(coding)) {
		if (!view_is_absent(length) || !view_equal_nocase(coding, VIEW("chunked")))
			return HTTP_MALFORMED;
		return receive_chunks(http, answer, deadline);
	}
	if (view_is_absent(length)) {
		while (more(http, deadline, &why))
			;
		if (why == HTTP_SILENT)
			return why;
		count = http->in.len - http->taken;
	} else if (!view_to_u64(length, RECEIVE_MAX, &count)) {
		return HTTP_MALFORMED;
	} else if (!have(http, (size_t)count, deadline, &why)) {
		return why == HTTP_CLOSED ? HTTP_CUT : why;
	}
	buf_add(&answer->bytes, (struct view){http->in.ptr + http->taken, (size_t)count});
	http->taken += (size_t)count;
	return HTTP_OK;
}

static enum http_result receive_final_head(struct http *http, struct http_answer *answer, int64_t deadline)
{
	enum http_result why = HTTP_OK;
	do {
		struct view head;
		if (!until(http, VIEW("\r\n\r\n"), deadline, &head, &why))
			return why;
		head.len += 2;
		http->taken += head.len + 2;
		struct view lines = head;
		if (!status_read(cut_line(&lines), &answer->status))
			return HTTP_MALFORMED;
		buf_reset(&answer->bytes, RECEIVE_MAX);
		buf_add(&answer->bytes, lines);
	} while (answer->status < 200);
	answer->head = buf_view(&answer->bytes);
	return HTTP_OK;
}

enum http_result http_receive(struct http *http, bool to_head, struct http_answer *ret)
{
	int64_t deadline = deadline_make();
	struct http_answer answer = {.bytes = buf_make(RECEIVE_MAX)};
	enum http_result result = receive_final_head(http, &answer, deadline);
	size_t head_len = answer.bytes.len;
	if (result == HTTP_OK && !to_head && answer.status != 204 && answer.status != 304)
		result = receive_body(http, &answer, deadline);
	if (result != HTTP_OK) {
		buf_destroy(&answer.bytes);
		return result;
	}
	answer.head = (struct view){answer.bytes.ptr, head_len};
	answer.body = view_from(buf_view(&answer.bytes), head_len);
	*ret = answer;
	return HTTP_OK;
}

void http_answer_destroy(struct http_answer *answer)
{
	buf_destroy(&answer->bytes);
}

const cJSON *http_json(const struct http_answer *answer, struct arena *arena)
{
	const cJSON *ret = NULL;
	return json_parse(arena, answer->body, &ret) == JSON_OK ? ret : NULL;
}

enum http_result http_ask(int port, const struct http_ask *ask, struct http_answer *ret)
{
	struct http http;
	if (!http_open(port, &http))
		return HTTP_CLOSED;
	struct buf out = buf_make(ASK_MAX);
	buf_add(&out, view_of(ask->method));
	BUF_LIT(&out, " ");
	buf_add(&out, view_of(ask->target));
	BUF_LIT(&out, " HTTP/1.1\r\nConnection: close\r\nHost: 127.0.0.1:");
	buf_add_u64(&out, (uint64_t)port);
	BUF_LIT(&out, "\r\n");
	if (ask->token) {
		BUF_LIT(&out, "Authorization: Bearer ");
		buf_add(&out, view_of(ask->token));
		BUF_LIT(&out, "\r\n");
	}
	buf_add(&out, view_of(ask->headers));
	if (ask->body) {
		BUF_LIT(&out, "Content-Type: application/json\r\nContent-Length: ");
		buf_add_u64(&out, strlen(ask->body));
		BUF_LIT(&out, "\r\n");
	}
	BUF_LIT(&out, "\r\n");
	buf_add(&out, view_of(ask->body));
	http_send(&http, buf_view(&out));
	buf_destroy(&out);
	enum http_result result = http_receive(&http, strcmp(ask->method, "HEAD") == 0, ret);
	http_close(&http);
	return result;
}
