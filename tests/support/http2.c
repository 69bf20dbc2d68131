/* The HTTP/2 client of the tests: frames, and fields that are never compressed. */
#include "support/http2.h"

/* RFC 9113 §4.1, §6 */
enum { FRAME_HEAD = 9, FRAMES_MAX = 1024 * 1024, STREAM = 1 };
enum frame { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

static void frame_write(struct buf *out, enum frame type, int flags, int stream, struct view content)
{
	const char head[FRAME_HEAD] = {(char)(content.len >> 16),
	                               (char)(content.len >> 8),
	                               (char)content.len,
	                               (char)type,
	                               (char)flags,
	                               0,
	                               0,
	                               0,
	                               (char)stream};
	buf_add(out, (struct view){head, sizeof head});
	buf_add(out, content);
}

/* RFC 7541 §5.1, §5.2: the length with a prefix of seven bits, then the bytes as they are. */
static void text_write(struct buf *out, struct view text)
{
	const size_t most = 127;
	size_t left = text.len;
	buf_add_char(out, (char)(left < most ? left : most));
	if (left >= most) {
		for (left -= most; left >= 128; left /= 128)
			buf_add_char(out, (char)(left % 128 | 128));
		buf_add_char(out, (char)left);
	}
	buf_add(out, text);
}

static void request_write(struct buf *out, const struct http2_field *fields, size_t count, struct view content)
{
	struct buf block = buf_make(FRAMES_MAX);
	bool ends = view_is_absent(content);
	for (size_t i = 0; i < count; i++) {
		/* RFC 7541 §6.2.2: a literal without indexing, its name too. */
		buf_add_char(&block, '\0');
		text_write(&block, fields[i].name);
		text_write(&block, fields[i].value);
	}
	BUF_LIT(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	frame_write(out, SETTINGS, 0, 0, VIEW(""));
	frame_write(out, HEADERS, END_HEADERS | (ends ? END_STREAM : 0), STREAM, buf_view(&block));
	if (!ends)
		frame_write(out, DATA, END_STREAM, STREAM, content);
	buf_destroy(&block);
}

/* What the protocol wants answered, so that the other side goes on. */
static void acknowledge(struct http *http, enum frame type, struct view content)
{
	struct buf out = buf_make(FRAMES_MAX);
	frame_write(&out, type, ACK, 0, type == PING ? content : VIEW(""));
	http_send(http, buf_view(&out));
	buf_destroy(&out);
}

static enum http_result frame_read(struct http *http, enum frame *ret_type, int *ret_flags, struct view *ret)
{
	struct view view;
	enum http_result result = http_take(http, FRAME_HEAD, &view);
	if (result != HTTP_OK)
		return result;
	const unsigned char *head = (const unsigned char *)view.ptr;
	*ret_type = (enum frame)head[3];
	*ret_flags = head[4];
	return http_take(http, (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2], ret);
}

static enum http_result answer_read(struct http *http, struct buf *ret)
{
	enum frame type;
	int flags;
	struct view content;
	enum http_result result;
	while ((result = frame_read(http, &type, &flags, &content)) == HTTP_OK) {
		if (type == RST_STREAM || type == GOAWAY)
			return HTTP_CLOSED;
		if ((type == SETTINGS || type == PING) && !(flags & ACK))
			acknowledge(http, type, content);
		if (type == DATA)
			buf_add(ret, content);
		if ((type == DATA || type == HEADERS) && flags & END_STREAM)
			return HTTP_OK;
	}
	return result == HTTP_CUT ? HTTP_CLOSED : result;
}

enum http_result http2_ask(int port, const struct http2_field *fields, size_t count, struct view content,
                           struct buf *ret)
{
	struct http http;
	if (!http_open(port, &http))
		return HTTP_CLOSED;
	struct buf out = buf_make(FRAMES_MAX);
	request_write(&out, fields, count, content);
	http_send(&http, buf_view(&out));
	buf_destroy(&out);
	enum http_result result = answer_read(&http, ret);
	http_close(&http);
	return result;
}
