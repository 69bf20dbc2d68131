/* Collects an answer and writes its head. */
#include "http/response.h"

#include <assert.h>
#include <unistd.h>

enum { BODY_KEEP = 256 * 1024 };

struct response response_make(void)
{
	return (struct response){.body = buf_make(RESPONSE_BODY_MAX), .file = -1};
}

static void close_file(struct response *response)
{
	if (response->file >= 0)
		close(response->file);
	response->file = -1;
}

void response_reset(struct response *response)
{
	close_file(response);
	buf_reset(&response->body, BODY_KEEP);
	*response = (struct response){.body = response->body, .file = -1};
}

void response_destroy(struct response *response)
{
	close_file(response);
	buf_destroy(&response->body);
}

uint64_t response_body_len(const struct response *response)
{
	return response->file >= 0 ? response->file_len : response->body.len;
}

void response_header(struct response *response, struct view name, struct view value)
{
	assert(response->header_count < RESPONSE_HEADERS_MAX);
	response->headers[response->header_count++] = (struct header){name, value};
}

struct view response_methods(struct arena *arena, unsigned methods)
{
	enum { TEXT_MAX = 64 };
	char *text = arena_alloc(arena, TEXT_MAX);
	if (!text)
		return ABSENT;
	size_t len = 0;
	for (unsigned method = METHOD_GET; method <= METHOD_OPTIONS; method <<= 1) {
		if (!(methods & method))
			continue;
		struct view name = request_method_name((enum method)method);
		if (len > 0) {
			memcpy(text + len, ", ", 2);
			len += 2;
		}
		memcpy(text + len, name.ptr, name.len);
		len += name.len;
	}
	return (struct view){text, len};
}

static struct view reason_phrase(int status)
{
	switch (status) {
	case 200:
		return VIEW("OK");
	case 201:
		return VIEW("Created");
	case 204:
		return VIEW("No Content");
	case 304:
		return VIEW("Not Modified");
	default:
		break;
	}
	for (enum outcome outcome = OUTCOME_OK + 1; outcome < OUTCOME_COUNT; outcome++)
		if (outcome_row(outcome)->status == status)
			return outcome_row(outcome)->title;
	return VIEW("Unknown");
}

static void header_write(struct buf *head, struct view name, struct view value)
{
	buf_add(head, name);
	BUF_LIT(head, ": ");
	buf_add(head, value);
	BUF_LIT(head, "\r\n");
}

void response_write_head(const struct response *response, struct buf *head)
{
	BUF_LIT(head, "Status: ");
	buf_add_u64(head, (uint64_t)response->status);
	buf_add_char(head, ' ');
	buf_add(head, reason_phrase(response->status));
	BUF_LIT(head, "\r\n");
	if (!response->bare)
		BUF_LIT(head, "X-Content-Type-Options: nosniff\r\n"
		              "X-Frame-Options: DENY\r\n"
		              "Referrer-Policy: no-referrer\r\n"
		              "Content-Security-Policy: default-src 'none'\r\n"
		              "Cache-Control: no-store\r\n"
		              "Vary: Origin\r\n");
	for (size_t i = 0; i < response->header_count; i++)
		header_write(head, response->headers[i].name, response->headers[i].value);
	if (response_body_len(response) > 0) {
		header_write(head, VIEW("Content-Type"), response->content_type);
		BUF_LIT(head, "Content-Length: ");
		buf_add_u64(head, response_body_len(response));
		BUF_LIT(head, "\r\n");
	}
	BUF_LIT(head, "\r\n");
}
