/* http/request: the rule of the path, the query, the headers and
 * what may be a body. */
#include "http/request.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "support/buffers.h"
#include "support/leaks.h"

static struct arena arena;
static struct buffers client;

static void setup(void)
{
	cr_assert(arena_init(&arena, 1024 * 1024));
	client = buffers_make();
	buffers_set(&client, "REQUEST_METHOD", "GET");
	buffers_set(&client, "REQUEST_URI", "/health");
}

static void teardown(void)
{
	buffers_destroy(&client);
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(http_request, .init = setup, .fini = teardown);

static struct request read_request(struct view base_path)
{
	struct transport transport = buffers_transport(&client);
	struct request request;
	cr_assert(request_read(&transport, &arena, base_path, &request));
	return request;
}

static struct request read_target(const char *target, const char *base_path)
{
	buffers_set(&client, "REQUEST_URI", target);
	return read_request(view_of(base_path));
}

/* Segments joined by "|", which no case below has in one. */
static void expect_segments(const char *target, const char *base_path, const char *expected)
{
	struct request request = read_target(target, base_path);
	char joined[2048];
	size_t len = 0;
	for (size_t i = 0; i < request.segment_count; i++) {
		struct view segment = request.segments[i];
		cr_assert(len + segment.len + 2 < sizeof joined);
		if (i > 0)
			joined[len++] = '|';
		memcpy(joined + len, segment.ptr, segment.len);
		len += segment.len;
	}
	joined[len] = '\0';
	cr_expect_str_eq(joined, expected, "%s under \"%s\" is %s, not %s", target ? target : "(none)", base_path,
	                 joined, expected);
}

/* ---- the path ---- */

Test(http_request, decodes_each_segment_of_the_path_exactly_once)
{
	static const struct {
		const char *target;
		const char *segments; /* "": no path of ours */
	} cases[] = {
	        {"/health", "health"},
	        {"/api/u1/tasks", "api|u1|tasks"},
	        {"/api/u1/tasks?status=all", "api|u1|tasks"},
	        {"/api/u1/tasks?", "api|u1|tasks"},
	        {"/api/u1/tasks?a=/../..//", "api|u1|tasks"},
	        {"/a/b/c/d/e/f/g/h", "a|b|c|d|e|f|g|h"},
	        {"/api/a%20b/tasks", "api|a b|tasks"},
	        {"/api/a+b/tasks", "api|a+b|tasks"},
	        {"/api/a:b@c;d=e,f!$&'()*/tasks", "api|a:b@c;d=e,f!$&'()*|tasks"},
	        {"/api/%75%31/tasks", "api|u1|tasks"},
	        {"/%61pi/u1/tasks", "api|u1|tasks"},
	        {"/api/%C3%A9/tasks", "api|\xC3\xA9|tasks"},
	        {"/api/%c3%a9/tasks", "api|\xC3\xA9|tasks"},
	        {"/api/\xC3\xA9/tasks", "api|\xC3\xA9|tasks"},
	        {"/api/%3F/tasks", "api|?|tasks"},
	        {"/api/%23/tasks", "api|#|tasks"},
	        {"/api/.../tasks", "api|...|tasks"},
	        {"/api/.u1/tasks", "api|.u1|tasks"},
	        {"/api/u1./tasks", "api|u1.|tasks"},
	        {"/api/..u1/tasks", "api|..u1|tasks"},
	        {"/api/%2525/tasks", "api|%25|tasks"},
	        {"/api/U1/tasks", "api|U1|tasks"},
	        /* Encoded twice: decoded once, so the text of an escape stays text. */
	        {"/api/%252e%252e/tasks", "api|%2e%2e|tasks"},
	        {"/api/%252F/tasks", "api|%2F|tasks"},
	        {"/api/%2500/tasks", "api|%00|tasks"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_segments(cases[i].target, "", cases[i].segments);
}

Test(http_request, takes_no_path_that_could_be_read_in_two_ways)
{
	static const char *const targets[] = {
	        /* no path at all */
	        NULL,
	        "",
	        "?",
	        "?/health",
	        "*",
	        "health",
	        "http://localhost/health",
	        "//localhost/health",
	        /* empty segments */
	        "/",
	        "//",
	        "//health",
	        "/health/",
	        "/health//",
	        "/api//tasks",
	        "/api/u1//tasks",
	        "/api/u1/tasks/",
	        /* dot segments, raw and encoded */
	        "/.",
	        "/..",
	        "/health/.",
	        "/health/..",
	        "/./health",
	        "/x/../health",
	        "/api/u1/../u2/tasks",
	        "/api/./u1/tasks",
	        "/api/%2e/tasks",
	        "/api/%2E/tasks",
	        "/api/%2e%2e/tasks",
	        "/api/%2E%2E/tasks",
	        "/api/.%2e/tasks",
	        "/api/%2e./tasks",
	        "/api/u1/%2e%2e/u2/tasks",
	        /* a separator within a segment */
	        "/api%2Fu1/tasks",
	        "/api/u1%2Ftasks",
	        "/api/u1%2ftasks",
	        "/api/%2F/tasks",
	        "/%2Fhealth",
	        "/health%2F",
	        "/api/u1\\tasks",
	        "/api/..\\u2/tasks",
	        "/api/u1%5Ctasks",
	        "/api/%5c/tasks",
	        /* broken escapes */
	        "/%",
	        "/health%",
	        "/health%2",
	        "/api/%zz/tasks",
	        "/api/%2g/tasks",
	        "/api/%g2/tasks",
	        "/api/% 2/tasks",
	        "/api/%-1/tasks",
	        "/api/%+1/tasks",
	        "/api/%0x/tasks",
	        "/api/%u0041/tasks",
	        "/api/%%36%31/tasks",
	        "/api/u1%/tasks",
	        "/api/u1%2/tasks",
	        /* control characters */
	        "/api/%00/tasks",
	        "/api/u1%00/tasks",
	        "/health%00",
	        "/health%00.html",
	        "/api/%0d%0aSet-Cookie:x/tasks",
	        "/api/%0A/tasks",
	        "/api/%0D/tasks",
	        "/api/%09/tasks",
	        "/api/%1f/tasks",
	        "/api/%7F/tasks",
	        "/api/%C2%85/tasks",
	        "/api/a\tb/tasks",
	        "/api/a\r\nb/tasks",
	        "/api/a\x7f/tasks",
	        /* no UTF-8 */
	        "/api/%FF/tasks",
	        "/api/%C3/tasks",
	        "/api/%C0%AF/tasks",
	        "/api/%C0%AE%C0%AE/tasks",
	        "/api/%ED%A0%80/tasks",
	        "/api/\xFF/tasks",
	        /* more segments than any row has */
	        "/a/b/c/d/e/f/g/h/i",
	        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z",
	};
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		expect_segments(targets[i], "", "");
}

Test(http_request, takes_the_base_path_off_the_front_segment_by_segment)
{
	static const struct {
		const char *base;
		const char *target;
		const char *segments;
	} cases[] = {
	        {"/~ann/todo", "/~ann/todo/health", "health"},
	        {"/~ann/todo", "/~ann/todo/api/u1/tasks?x", "api|u1|tasks"},
	        {"/~ann/todo", "/%7Eann/todo/health", "health"},
	        {"/~ann/todo", "/%7eann/t%6Fdo/health", "health"},
	        {"/%7Eann/todo", "/~ann/todo/health", "health"},
	        {"/~ann", "/~ann/api/~ann/tasks", "api|~ann|tasks"},
	        {"/~ann", "/~ann/~ann/health", "~ann|health"},
	        {"/a", "/a/1/2/3/4/5/6/7/8", "1|2|3|4|5|6|7|8"},
	        /* not below it */
	        {"/~ann/todo", "/health", ""},
	        {"/~ann/todo", "/~ann/health", ""},
	        {"/~ann/todo", "/~ann/todo", ""},
	        {"/~ann/todo", "/~ann/todo/", ""},
	        {"/~ann/todo", "/~ann/todohealth", ""},
	        {"/~ann/todo", "/~ann/todo2/health", ""},
	        {"/~ann/todo", "/~ANN/todo/health", ""},
	        {"/~ann/todo", "/~bob/todo/health", ""},
	        {"/~ann/todo", "/~ann%2Ftodo/health", ""},
	        {"/~ann/todo", "//~ann/todo/health", ""},
	        {"/~ann/todo", "/~ann/../~ann/todo/health", ""},
	        {"/~ann/todo", "/todo/~ann/health", ""},
	        {"/a", "/a/1/2/3/4/5/6/7/8/9", ""},
	        /* no base path at all: nothing is below it */
	        {"/", "/health", ""},
	        {"/a//b", "/health", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_segments(cases[i].target, cases[i].base, cases[i].segments);
}

Test(http_request, knows_a_base_path_that_no_request_could_be_below)
{
	static const struct {
		const char *path;
		bool valid;
	} cases[] = {
	        {"", true},
	        {NULL, true},
	        {"/a", true},
	        {"/~ann/todo", true},
	        {"/%7Eann", true},
	        {"/", false},
	        {"a", false},
	        {"~ann/todo", false},
	        {"/a/", false},
	        {"/a//b", false},
	        {"/a/../b", false},
	        {"/.", false},
	        {"/a%2Fb", false},
	        {"/a%zz", false},
	        {"/a\\b", false},
	        {"/a%00", false},
	        {"https://a.example/a", false},
	        {"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", true},
	        {"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(request_base_path_valid(&arena, view_of(cases[i].path)), cases[i].valid, "%s",
		             cases[i].path);
}

/* Web servers normalise PATH_INFO and decode it; only the raw target counts. */
Test(http_request, lets_script_name_and_path_info_decide_nothing)
{
	buffers_set(&client, "SCRIPT_NAME", "/api/u2/tasks");
	buffers_set(&client, "PATH_INFO", "/u2/tasks");
	buffers_set(&client, "PATH_TRANSLATED", "/api/u2/tasks");
	buffers_set(&client, "DOCUMENT_URI", "/api/u2/tasks");
	buffers_set(&client, "REDIRECT_URL", "/api/u2/tasks");
	expect_segments("/api/u1/tasks", "", "api|u1|tasks");
	expect_segments("/x%2Fy", "", "");
	expect_segments(NULL, "", "");
}

Test(http_request, lives_within_its_arena)
{
	struct arena small;
	cr_assert(arena_init(&small, 16));
	struct transport transport = buffers_transport(&client);
	struct request request = {.segment_count = 77};
	buffers_set(&client, "REQUEST_URI", "/api/u1234567890123456789/tasks");
	cr_expect_not(request_read(&transport, &small, VIEW(""), &request));
	cr_expect_eq(request.segment_count, 77, "a failed call left its result alone");
	buffers_set(&client, "REQUEST_URI", "/");
	cr_expect_not(request_read(&transport, &small, VIEW("/~u1234567890123456789"), &request), "the base path");
	arena_destroy(&small);
}

/* ---- the query ---- */

Test(http_request, keeps_the_query_raw_and_tells_an_empty_one_from_none)
{
	static const struct {
		const char *target;
		const char *query; /* NULL: none */
	} cases[] = {
	        {"/health", NULL},      {"/health?", ""},        {"/health?a=b&c=%20d", "a=b&c=%20d"},
	        {"/health?a?b", "a?b"}, {"/health%3Fa=b", NULL}, {"/a/../b?x=1", "x=1"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = read_target(cases[i].target, "");
		cr_expect_eq(view_is_absent(request.query), cases[i].query == NULL, "%s", cases[i].target);
		cr_expect(view_equal(request.query, view_of(cases[i].query)), "%s", cases[i].target);
	}
}

/* ---- methods and headers ---- */

Test(http_request, knows_its_methods_exactly_and_no_other_word)
{
	static const struct {
		const char *name;
		enum method method;
	} cases[] = {
	        {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},   {"POST", METHOD_POST},
	        {"PUT", METHOD_PUT},         {"PATCH", METHOD_PATCH}, {"DELETE", METHOD_DELETE},
	        {"OPTIONS", METHOD_OPTIONS}, {"TRACE", METHOD_OTHER}, {"CONNECT", METHOD_OTHER},
	        {"get", METHOD_OTHER},       {"Get", METHOD_OTHER},   {"GET ", METHOD_OTHER},
	        {" GET", METHOD_OTHER},      {"GETS", METHOD_OTHER},  {"GE", METHOD_OTHER},
	        {"", METHOD_OTHER},          {NULL, METHOD_OTHER},    {"PROPFIND", METHOD_OTHER},
	        {"QUERY", METHOD_OTHER},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buffers_set(&client, "REQUEST_METHOD", cases[i].name);
		cr_expect_eq(read_request(VIEW("")).method, cases[i].method, "%s",
		             cases[i].name ? cases[i].name : "(none)");
	}
}

Test(http_request, names_its_methods)
{
	static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		buffers_set(&client, "REQUEST_METHOD", names[i]);
		cr_expect(view_equal(request_method_name(read_request(VIEW("")).method), view_of(names[i])), "%s",
		          names[i]);
	}
	cr_expect(view_equal(request_method_name(METHOD_OTHER), VIEW("OTHER")));
}

Test(http_request, ignores_a_method_override)
{
	buffers_set(&client, "REQUEST_METHOD", "POST");
	buffers_set(&client, "HTTP_X_HTTP_METHOD_OVERRIDE", "DELETE");
	buffers_set(&client, "HTTP_X_HTTP_METHOD", "DELETE");
	buffers_set(&client, "HTTP_X_METHOD_OVERRIDE", "DELETE");
	cr_expect_eq(read_target("/health?_method=DELETE", "").method, METHOD_POST);
}

Test(http_request, reads_each_header_from_its_own_parameter)
{
	buffers_set(&client, "HTTP_AUTHORIZATION", "Bearer x");
	buffers_set(&client, "HTTP_COOKIE", "a=b");
	buffers_set(&client, "HTTP_ACCEPT", "text/html");
	buffers_set(&client, "HTTP_IF_MATCH", "\"m\"");
	buffers_set(&client, "HTTP_IF_NONE_MATCH", "\"n\"");
	buffers_set(&client, "HTTP_X_CONFIRM_ERASE", "u1");
	buffers_set(&client, "REMOTE_ADDR", "192.0.2.1");
	buffers_set(&client, "CONTENT_TYPE", "application/json");
	buffers_set(&client, "CONTENT_LENGTH", "12");
	buffers_set(&client, "HTTP_CONTENT_ENCODING", "gzip");
	buffers_set(&client, "HTTP_TRANSFER_ENCODING", "chunked");
	buffers_set(&client, "HTTP_ORIGIN", "https://a.example");
	buffers_set(&client, "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "PUT");
	struct request request = read_request(VIEW(""));
	cr_expect(view_equal(request.authorization, VIEW("Bearer x")));
	cr_expect(view_equal(request.cookie, VIEW("a=b")));
	cr_expect(view_equal(request.accept, VIEW("text/html")));
	cr_expect(view_equal(request.if_match, VIEW("\"m\"")));
	cr_expect(view_equal(request.if_none_match, VIEW("\"n\"")));
	cr_expect(view_equal(request.confirm_erase, VIEW("u1")));
	cr_expect(view_equal(client_key(&request.client), VIEW("\xC0\x00\x02\x01")));
	cr_expect(view_equal(request.content_type, VIEW("application/json")));
	cr_expect(view_equal(request.content_length, VIEW("12")));
	cr_expect(view_equal(request.content_encoding, VIEW("gzip")));
	cr_expect(view_equal(request.transfer_encoding, VIEW("chunked")));
	cr_expect(view_equal(request.origin, VIEW("https://a.example")));
	cr_expect(view_equal(request.preflight_method, VIEW("PUT")));
}

Test(http_request, takes_a_trace_only_from_a_field_that_is_one)
{
	buffers_set(&client, "HTTP_TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	cr_expect(view_equal(read_request(VIEW("")).trace.id, VIEW("0af7651916cd43dd8448eb211c80319c")));
	buffers_set(&client, "HTTP_TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331");
	cr_expect(view_is_absent(read_request(VIEW("")).trace.id));
	buffers_set(&client, "HTTP_TRACEPARENT", NULL);
	cr_expect(view_is_absent(read_request(VIEW("")).trace.id));
}

Test(http_request, tells_an_absent_header_from_an_empty_one)
{
	struct request without = read_request(VIEW(""));
	cr_expect(view_is_absent(without.authorization));
	cr_expect(view_is_absent(without.origin));
	cr_expect(view_is_absent(without.preflight_method));
	cr_expect(view_is_absent(without.content_encoding));
	buffers_set(&client, "HTTP_AUTHORIZATION", "");
	buffers_set(&client, "HTTP_ORIGIN", "");
	struct request with = read_request(VIEW(""));
	cr_expect_not(view_is_absent(with.authorization));
	cr_expect_not(view_is_absent(with.origin));
}

Test(http_request, believes_in_tls_only_by_the_web_servers_own_word)
{
	static const struct {
		const char *name;
		const char *value;
		bool tls;
	} cases[] = {
	        {"HTTPS", "on", true},
	        {"HTTPS", "ON", true},
	        {"HTTPS", "off", false},
	        {"HTTPS", "", false},
	        {"HTTPS", "1", false},
	        {"HTTP_HTTPS", "on", false},
	        {"HTTP_X_FORWARDED_PROTO", "https", false},
	        {"HTTP_FORWARDED", "proto=https", false},
	        {"HTTP_X_FORWARDED_SSL", "on", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buffers_set(&client, cases[i].name, cases[i].value);
		cr_expect_eq(read_request(VIEW("")).tls, cases[i].tls, "%s=%s", cases[i].name, cases[i].value);
		buffers_set(&client, cases[i].name, NULL);
	}
}

Test(http_request, takes_only_a_harmless_request_id_from_the_client)
{
	static const struct {
		const char *id;
		bool taken;
	} cases[] = {
	        {"a", true},
	        {"0123456789-abc_DEF.xyz", true},
	        {"AZaz", true},
	        {"0123456789012345678901234567890123456789012345678901234567890123", true},
	        {"01234567890123456789012345678901234567890123456789012345678901234", false},
	        {"", false},
	        {"a b", false},
	        {" a", false},
	        {"a@b", false},
	        {"a[b", false},
	        {"a`b", false},
	        {"a{b", false},
	        {"a:b", false},
	        {"a\n", false},
	        {"a\r\nX: y", false},
	        {"a/b", false},
	        {"\"a\"", false},
	        {"a%20", false},
	        {"\xC3\xA9", false},
	        {"<script>", false},
	        {NULL, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buffers_set(&client, "HTTP_X_REQUEST_ID", cases[i].id);
		struct view id = read_request(VIEW("")).client_request_id;
		cr_expect_eq(!view_is_absent(id), cases[i].taken, "%s", cases[i].id ? cases[i].id : "(none)");
		if (cases[i].taken)
			cr_expect(view_equal(id, view_of(cases[i].id)));
	}
}

/* ---- is there a body ---- */

Test(http_request, has_no_body_only_when_nothing_at_all_announces_one)
{
	static const struct {
		const char *type;
		const char *length;
		const char *transfer;
		bool none;
	} cases[] = {
	        {NULL, NULL, NULL, true},
	        {NULL, "0", NULL, true},
	        {NULL, "", NULL, true}, /* how a server says "not sent" */
	        {"", "", NULL, true},
	        {"", "0", NULL, true},
	        {"application/json", NULL, NULL, false},
	        {"application/json", "0", NULL, false},
	        {"text/plain", "0", NULL, false},
	        {NULL, NULL, "chunked", false},
	        {NULL, "0", "chunked", false},
	        {NULL, NULL, "", false},
	        {NULL, NULL, "identity", false},
	        {NULL, "1", NULL, false},
	        {NULL, "00", NULL, false},
	        {NULL, "-0", NULL, false},
	        {NULL, "0 ", NULL, false},
	        {NULL, "x", NULL, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buffers_set(&client, "CONTENT_TYPE", cases[i].type);
		buffers_set(&client, "CONTENT_LENGTH", cases[i].length);
		buffers_set(&client, "HTTP_TRANSFER_ENCODING", cases[i].transfer);
		struct request request = read_request(VIEW(""));
		cr_expect_eq(request_has_no_body(&request), cases[i].none, "row %zu", i);
	}
}

/* ---- the body ---- */

static enum outcome read_body(struct buf *body)
{
	struct transport transport = buffers_transport(&client);
	struct request request = read_request(VIEW(""));
	return request_read_body(&transport, &request, REQUEST_JSON, body);
}

static void expect_body(const char *length, const char *sent, enum outcome expected)
{
	BUF body = buf_make(REQUEST_BODY_MAX + 1);
	buffers_set(&client, "CONTENT_LENGTH", length);
	client.body = view_of(sent);
	enum outcome outcome = read_body(&body);
	cr_expect_eq(outcome, expected, "%zu bytes announced as %s: %d, not %d", strlen(sent),
	             length ? length : "(nothing)", outcome, expected);
	if (outcome == OUTCOME_OK)
		cr_expect(view_equal(buf_view(&body), view_of(sent)));
}

Test(http_request, reads_a_body_as_long_as_it_was_announced)
{
	static const struct {
		const char *length;
		const char *sent;
		enum outcome outcome;
	} cases[] = {
	        {"2", "{}", OUTCOME_OK},
	        {NULL, "{}", OUTCOME_OK}, /* chunked: the server ends it */
	        {"", "{}", OUTCOME_OK},
	        {"3", "{}", OUTCOME_BODY_INCOMPLETE},
	        {"1", "{}", OUTCOME_BODY_INCOMPLETE},
	        {"0", "{}", OUTCOME_BODY_INCOMPLETE},
	        {"65536", "{}", OUTCOME_BODY_INCOMPLETE},
	        {"0", "", OUTCOME_BODY_EMPTY},
	        {NULL, "", OUTCOME_BODY_EMPTY},
	        {"1", "1", OUTCOME_OK},
	        {"2", "", OUTCOME_BODY_INCOMPLETE},
	        {"65537", "{}", OUTCOME_BODY_TOO_LARGE},
	        {"65537", "", OUTCOME_BODY_TOO_LARGE},
	        {"18446744073709551615", "{}", OUTCOME_BODY_TOO_LARGE},
	        {"18446744073709551616", "{}", OUTCOME_BAD_REQUEST},
	        {"99999999999999999999999999", "{}", OUTCOME_BAD_REQUEST},
	        {"-1", "{}", OUTCOME_BAD_REQUEST},
	        {"+2", "{}", OUTCOME_BAD_REQUEST},
	        {"2.0", "{}", OUTCOME_BAD_REQUEST},
	        {"0x2", "{}", OUTCOME_BAD_REQUEST},
	        {"02", "{}", OUTCOME_BAD_REQUEST},
	        {"2, 2", "{}", OUTCOME_BAD_REQUEST},
	        {" 2", "{}", OUTCOME_BAD_REQUEST},
	        {"two", "{}", OUTCOME_BAD_REQUEST},
	};
	buffers_set(&client, "CONTENT_TYPE", "application/json");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_body(cases[i].length, cases[i].sent, cases[i].outcome);
}

Test(http_request, takes_a_body_up_to_the_limit_and_not_one_byte_more)
{
	char *text = malloc(REQUEST_BODY_MAX + 1025);
	cr_assert(text);
	memset(text, ' ', REQUEST_BODY_MAX + 1024);
	buffers_set(&client, "CONTENT_TYPE", "application/json");
	static const struct {
		size_t size;
		const char *length;
		enum outcome outcome;
	} cases[] = {
	        {REQUEST_BODY_MAX - 1, "65535", OUTCOME_OK},
	        {REQUEST_BODY_MAX, "65536", OUTCOME_OK},
	        {REQUEST_BODY_MAX, NULL, OUTCOME_OK},
	        {REQUEST_BODY_MAX + 1, "65537", OUTCOME_BODY_TOO_LARGE},
	        {REQUEST_BODY_MAX + 1, NULL, OUTCOME_BODY_TOO_LARGE},
	        {REQUEST_BODY_MAX + 1024, NULL, OUTCOME_BODY_TOO_LARGE},
	        /* more than it said: as long as it is, too large */
	        {REQUEST_BODY_MAX + 1, "2", OUTCOME_BODY_TOO_LARGE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t chunk = 0; chunk <= 1000; chunk += 250) {
			char kept = text[cases[i].size];
			text[cases[i].size] = '\0';
			client.chunk = chunk;
			expect_body(cases[i].length, text, cases[i].outcome);
			text[cases[i].size] = kept;
		}
	free(text);
}

Test(http_request, puts_a_body_together_from_single_bytes)
{
	buffers_set(&client, "CONTENT_TYPE", "application/json");
	client.chunk = 1;
	expect_body("15", "{\"title\":\"milk\"", OUTCOME_OK);
	expect_body(NULL, "{\"title\":\"milk\"", OUTCOME_OK);
}

/* What is missing is said, not that its type is wrong. */
Test(http_request, asks_no_type_of_a_body_that_is_not_there)
{
	expect_body("0", "", OUTCOME_BODY_EMPTY);
	expect_body(NULL, "", OUTCOME_BODY_EMPTY);
	expect_body("1", "1", OUTCOME_MEDIA_TYPE);
	client.breaks = true;
	expect_body(NULL, "", OUTCOME_BODY_INCOMPLETE);
}

Test(http_request, needs_room_to_see_that_a_body_is_too_large)
{
	struct buf body = buf_make(REQUEST_BODY_MAX);
	buffers_set(&client, "CONTENT_TYPE", "application/json");
	client.body = VIEW("{}");
	cr_expect_eq(read_body(&body), OUTCOME_INTERNAL);
	buf_destroy(&body);
}

Test(http_request, takes_a_broken_connection_for_no_end_of_the_body)
{
	buffers_set(&client, "CONTENT_TYPE", "application/json");
	client.breaks = true;
	expect_body(NULL, "{}", OUTCOME_BODY_INCOMPLETE);
	expect_body("3", "{}", OUTCOME_BODY_INCOMPLETE);
	expect_body("0", "", OUTCOME_BODY_INCOMPLETE);
}

Test(http_request, takes_json_in_utf_8_without_a_coding_and_nothing_else)
{
	static const struct {
		const char *type;
		const char *coding;
		enum outcome outcome;
	} cases[] = {
	        {"application/json", NULL, OUTCOME_OK},
	        {"APPLICATION/Json", NULL, OUTCOME_OK},
	        {" application/json ", NULL, OUTCOME_OK},
	        {"application/json;", NULL, OUTCOME_OK},
	        {"application/json; charset=utf-8", NULL, OUTCOME_OK},
	        {"application/json;charset=UTF-8", NULL, OUTCOME_OK},
	        {"application/json ; charset=\"utf-8\"", NULL, OUTCOME_OK},
	        {"application/json; CHARSET=utf-8", NULL, OUTCOME_OK},
	        {"application/json", "identity", OUTCOME_OK},
	        {"application/json", "Identity", OUTCOME_OK},
	        {NULL, NULL, OUTCOME_MEDIA_TYPE},
	        {"", NULL, OUTCOME_MEDIA_TYPE},
	        {"text/plain", NULL, OUTCOME_MEDIA_TYPE},
	        {"text/json", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/jsonp", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/json5", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/problem+json", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/x-www-form-urlencoded", NULL, OUTCOME_MEDIA_TYPE},
	        {"multipart/form-data; boundary=x", NULL, OUTCOME_MEDIA_TYPE},
	        {"application", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/json, text/plain", NULL, OUTCOME_MEDIA_TYPE},
	        {"text/plain; application/json", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/json; charset=iso-8859-1", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/json; charset=utf-16", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/json; x", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/merge-patch+json", NULL, OUTCOME_MEDIA_TYPE}, /* PATCH alone has that */
	        {"application/json; charset=utf-8; charset=utf-16", NULL, OUTCOME_MEDIA_TYPE},
	        {"application/json", "gzip", OUTCOME_MEDIA_TYPE},
	        {"application/json", "identity, gzip", OUTCOME_MEDIA_TYPE},
	        {"application/json", "br", OUTCOME_MEDIA_TYPE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		BUF body = buf_make(REQUEST_BODY_MAX + 1);
		buffers_set(&client, "CONTENT_TYPE", cases[i].type);
		buffers_set(&client, "HTTP_CONTENT_ENCODING", cases[i].coding);
		client.body = VIEW("{}");
		cr_expect_eq(read_body(&body), cases[i].outcome, "type %s, coding %s",
		             cases[i].type ? cases[i].type : "(none)", cases[i].coding ? cases[i].coding : "(none)");
	}
}

Test(http_request, takes_a_merge_patch_where_one_is_expected)
{
	static const struct {
		const char *type;
		enum outcome outcome;
	} cases[] = {
	        {"application/merge-patch+json", OUTCOME_OK},
	        {"Application/Merge-Patch+JSON; charset=utf-8", OUTCOME_OK},
	        {"application/json", OUTCOME_OK},
	        {"application/json-patch+json", OUTCOME_MEDIA_TYPE},
	        {"text/plain", OUTCOME_MEDIA_TYPE},
	        {NULL, OUTCOME_MEDIA_TYPE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		BUF body = buf_make(REQUEST_BODY_MAX + 1);
		buffers_set(&client, "CONTENT_TYPE", cases[i].type);
		client.body = VIEW("{}");
		struct transport transport = buffers_transport(&client);
		struct request request = read_request(VIEW(""));
		cr_expect_eq(request_read_body(&transport, &request, REQUEST_MERGE_PATCH, &body), cases[i].outcome,
		             "%s", cases[i].type ? cases[i].type : "(none)");
	}
}

Test(http_request, says_that_a_body_is_too_large_before_that_its_type_is_wrong)
{
	buffers_set(&client, "CONTENT_TYPE", "text/plain");
	expect_body("65537", "x", OUTCOME_BODY_TOO_LARGE);
}

Test(http_request, drains_what_is_left_of_a_body)
{
	struct transport transport = buffers_transport(&client);
	char text[10000];
	memset(text, 'x', sizeof text);
	client.body = (struct view){text, sizeof text};
	request_drain(&transport);
	cr_expect_eq(client.body.len, 0);
	client.body = (struct view){text, sizeof text};
	client.chunk = 1;
	request_drain(&transport);
	cr_expect_eq(client.body.len, 0, "byte by byte");
}

Test(http_request, stops_draining_when_the_connection_is_broken)
{
	struct transport transport = buffers_transport(&client);
	client.breaks = true;
	request_drain(&transport);
	cr_expect_eq(client.reads, 1);
}
