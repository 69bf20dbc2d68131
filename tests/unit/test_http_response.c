/* http/response: the head that goes before every answer. */
#include "http/response.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/leaks.h"

static struct arena arena;
static struct response response;
static struct buf head;

static void setup(void)
{
	cr_assert(arena_init(&arena, 64 * 1024));
	response = response_make();
	head = buf_make(16 * 1024);
}

static void teardown(void)
{
	buf_destroy(&head);
	response_destroy(&response);
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(http_response, .init = setup, .fini = teardown);

static const char *written(void)
{
	buf_reset(&head, 16 * 1024);
	response_write_head(&response, &head);
	buf_add_char(&head, '\0');
	cr_assert(buf_ok(&head));
	return head.ptr;
}

Test(http_response, writes_the_head_of_a_document)
{
	response.status = 200;
	response.content_type = VIEW("application/json");
	BUF_LIT(&response.body, "{\"a\":1}");
	response_header(&response, VIEW("X-Request-Id"), VIEW("abc"));
	cr_expect_str_eq(written(), "Status: 200 OK\r\n"
	                            "X-Content-Type-Options: nosniff\r\n"
	                            "X-Frame-Options: DENY\r\n"
	                            "Referrer-Policy: no-referrer\r\n"
	                            "Content-Security-Policy: default-src 'none'\r\n"
	                            "Cache-Control: no-store\r\n"
	                            "Vary: Origin\r\n"
	                            "X-Request-Id: abc\r\n"
	                            "Content-Type: application/json\r\n"
	                            "Content-Length: 7\r\n"
	                            "\r\n");
}

Test(http_response, gives_an_answer_without_content_neither_type_nor_length)
{
	response.status = 204;
	const char *text = written();
	cr_expect(strstr(text, "Status: 204 No Content\r\n") == text);
	cr_expect_null(strcasestr(text, "content-type:"));
	cr_expect_null(strcasestr(text, "content-length:"));
	cr_expect_null(strcasestr(text, "transfer-encoding:"));
}

Test(http_response, gives_an_answer_of_one_byte_both)
{
	response.status = 200;
	response.content_type = VIEW("application/json");
	buf_add_char(&response.body, '1');
	cr_expect_not_null(strstr(written(), "\r\nContent-Type: application/json\r\nContent-Length: 1\r\n"));
}

Test(http_response, names_every_status_that_can_be_answered)
{
	static const struct {
		int status;
		const char *line;
	} cases[] = {
	        {200, "Status: 200 OK\r\n"},
	        {201, "Status: 201 Created\r\n"},
	        {204, "Status: 204 No Content\r\n"},
	        {400, "Status: 400 Bad Request\r\n"},
	        {404, "Status: 404 Not Found\r\n"},
	        {413, "Status: 413 Content Too Large\r\n"},
	        {422, "Status: 422 Unprocessable Content\r\n"},
	        {503, "Status: 503 Service Unavailable\r\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		response.status = cases[i].status;
		cr_expect(strstr(written(), cases[i].line) == head.ptr, "%d", cases[i].status);
	}
	for (enum outcome outcome = OUTCOME_OK + 1; outcome < OUTCOME_COUNT; outcome++) {
		response.status = outcome_row(outcome)->status;
		cr_expect_null(strstr(written(), "Unknown"), "%d", response.status);
	}
	response.status = 299;
	cr_expect(strstr(written(), "Status: 299 Unknown\r\n") == head.ptr);
}

Test(http_response, writes_headers_in_the_order_they_were_added)
{
	response.status = 204;
	response_header(&response, VIEW("B"), VIEW("1"));
	response_header(&response, VIEW("A"), VIEW("2"));
	cr_expect_not_null(strstr(written(), "\r\nB: 1\r\nA: 2\r\n\r\n"));
}

Test(http_response, takes_as_many_headers_as_it_says)
{
	response.status = 204;
	for (size_t i = 0; i < RESPONSE_HEADERS_MAX; i++)
		response_header(&response, VIEW("N"), VIEW("v"));
	cr_expect_eq(response.header_count, RESPONSE_HEADERS_MAX);
	written();
}

/* One more is a fault of ours, and would lie behind the room. */
Test(http_response, aborts_at_one_header_more, .signal = SIGABRT)
{
	for (size_t i = 0; i <= RESPONSE_HEADERS_MAX; i++)
		response_header(&response, VIEW("N"), VIEW("v"));
}

Test(http_response, forgets_everything_at_reset)
{
	response.status = 500;
	response.content_type = VIEW("text/plain");
	response_header(&response, VIEW("A"), VIEW("1"));
	BUF_LIT(&response.body, "secret of the last user");
	response_reset(&response);
	cr_expect_eq(response.status, 0);
	cr_expect_eq(response.header_count, 0);
	cr_expect_eq(response.body.len, 0);
	cr_expect(buf_ok(&response.body));
	cr_expect(view_is_absent(response.content_type));
}

Test(http_response, serves_on_after_an_answer_that_grew_too_large)
{
	char *more = buf_reserve(&response.body, RESPONSE_BODY_MAX + 1);
	cr_expect_null(more);
	cr_expect_not(buf_ok(&response.body));
	response_reset(&response);
	BUF_LIT(&response.body, "{}");
	cr_expect(buf_ok(&response.body));
	cr_expect(view_equal(buf_view(&response.body), VIEW("{}")));
}

Test(http_response, spells_a_set_of_methods_in_a_fixed_order)
{
	static const struct {
		unsigned methods;
		const char *text;
	} cases[] = {
	        {METHOD_OPTIONS | METHOD_HEAD | METHOD_GET, "GET, HEAD, OPTIONS"},
	        {METHOD_PATCH | METHOD_OPTIONS, "PATCH, OPTIONS"},
	        {METHOD_GET, "GET"},
	        {METHOD_GET | METHOD_HEAD | METHOD_POST | METHOD_PUT | METHOD_PATCH | METHOD_DELETE | METHOD_OPTIONS,
	         "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
	        {METHOD_OTHER, ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view text = response_methods(&arena, cases[i].methods);
		cr_expect_not(view_is_absent(text));
		cr_expect(view_equal(text, view_of(cases[i].text)), "%s", cases[i].text);
	}
}

Test(http_response, has_no_methods_to_tell_when_its_arena_is_full)
{
	struct arena small;
	cr_assert(arena_init(&small, 32));
	cr_expect(view_is_absent(response_methods(&small, METHOD_GET)));
	arena_destroy(&small);
}

/* ---- a body too long for memory ---- */

static int file_of(const char *text)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

Test(http_response, counts_a_body_that_is_a_file)
{
	response.status = 200;
	response.content_type = VIEW("application/json");
	response.file = file_of("{}");
	response.file_len = UINT64_C(5000000000);
	cr_expect_eq(response_body_len(&response), UINT64_C(5000000000));
	const char *text = written();
	cr_expect_not_null(strstr(text, "Content-Type: application/json\r\nContent-Length: 5000000000\r\n"));
}

Test(http_response, closes_the_file_of_an_answer_with_the_answer)
{
	int fd = file_of("{}");
	response.file = fd;
	response.file_len = 2;
	response_reset(&response);
	cr_expect_eq(response.file, -1);
	cr_expect_eq(response_body_len(&response), 0);
	cr_expect_eq(fcntl(fd, F_GETFD), -1, "it is still open");
	fd = file_of("{}");
	response.file = fd;
	response_destroy(&response);
	cr_expect_eq(fcntl(fd, F_GETFD), -1, "it is still open");
}
