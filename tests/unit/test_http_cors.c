/* http/cors: an exact list, never "*", never a reflection. */
#include "http/cors.h"

#include <criterion/criterion.h>

#include "support/leaks.h"

static struct cors cors;
static struct response response;

static void setup(void)
{
	response = response_make();
}

static void teardown(void)
{
	response_destroy(&response);
	leaks_check();
}

TestSuite(http_cors, .init = setup, .fini = teardown);

#define LIST "https://app.example, http://localhost:3000 ,https://other.example:8443"

static struct view header(const char *name)
{
	struct view value = ABSENT;
	for (size_t i = 0; i < response.header_count; i++)
		if (view_equal_nocase(response.headers[i].name, view_of(name))) {
			cr_expect(view_is_absent(value), "%s twice", name);
			value = response.headers[i].value;
		}
	return value;
}

static void answer(const char *list, enum method method, const char *origin, const char *preflight_method)
{
	cors = (struct cors){.origins = view_of(list), .max_age = "600"};
	struct request request = {
	        .method = method, .origin = view_of(origin), .preflight_method = view_of(preflight_method)};
	response_reset(&response);
	cors_answer(&cors, &request, &response);
}

Test(http_cors, admits_an_origin_of_the_list_byte_for_byte)
{
	static const char *const origins[] = {"https://app.example", "http://localhost:3000",
	                                      "https://other.example:8443"};
	for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
		answer(LIST, METHOD_GET, origins[i], NULL);
		cr_expect(view_equal(header("Access-Control-Allow-Origin"), view_of(origins[i])), "%s", origins[i]);
		cr_expect(view_equal(header("Cross-Origin-Resource-Policy"), VIEW("cross-origin")), "%s", origins[i]);
		cr_expect_not(view_is_absent(header("Access-Control-Expose-Headers")), "%s", origins[i]);
		cr_expect(view_is_absent(header("Access-Control-Allow-Methods")), "no preflight");
	}
}

Test(http_cors, tells_every_other_origin_nothing)
{
	static const char *const origins[] = {
	        NULL,
	        "",
	        "null",
	        "*",
	        "https://evil.example",
	        "http://app.example",       /* another scheme */
	        "https://app.example:443",  /* another spelling */
	        "https://app.example:8443", /* another port */
	        "http://localhost",         /* without its port */
	        "http://localhost:30000",   /* a longer port */
	        "http://localhost:300",     /* a shorter one */
	        "https://APP.example",      /* case */
	        "HTTPS://app.example",
	        "https://app.example/",         /* a path */
	        "https://app.example.evil.com", /* a suffix */
	        "https://evilapp.example",      /* a prefix */
	        "https://sub.app.example",      /* a subdomain */
	        "https://app.exampl",           /* a part of it */
	        "https://app",
	        "https://",
	        "app.example",
	        "https://app.example,https://evil.example",
	        "https://app.example, http://localhost:3000",
	        "https://app.example https://evil.example",
	        " https://app.example",
	        "https://app.example ",
	        "https://user@app.example",
	        "https://app.example@evil.example",
	        "https://app_example",
	        "https://appxexample", /* a dot is no pattern */
	        "https://app.example\t",
	        ",",
	        LIST,
	};
	for (size_t i = 0; i < sizeof origins / sizeof *origins; i++)
		for (int preflight = 0; preflight < 2; preflight++) {
			answer(LIST, preflight ? METHOD_OPTIONS : METHOD_GET, origins[i], preflight ? "GET" : NULL);
			cr_expect_eq(response.header_count, 1, "%s", origins[i] ? origins[i] : "(none)");
			cr_expect(view_equal(header("Cross-Origin-Resource-Policy"), VIEW("same-origin")));
		}
}

Test(http_cors, admits_nobody_by_an_empty_list)
{
	static const char *const lists[] = {NULL, "", " ", ",", ", ,"};
	static const char *const origins[] = {NULL, "", "null", "https://app.example", "*"};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (size_t j = 0; j < sizeof origins / sizeof *origins; j++) {
			answer(lists[i], METHOD_GET, origins[j], NULL);
			cr_expect(view_is_absent(header("Access-Control-Allow-Origin")), "row %zu, %zu", i, j);
		}
}

/* Each by its own setting, and to an origin of the list alone. */
Test(http_cors, allows_credentials_and_timing_where_they_are_on)
{
	static const char *const origins[] = {"https://app.example", "https://evil.example"};
	for (int row = 0; row < 16; row++) {
		bool credentials = row & 1, timing = row & 2, preflight = row & 4;
		const char *origin = origins[row / 8];
		bool listed = row < 8;
		cors = (struct cors){
		        .origins = VIEW(LIST), .max_age = "600", .credentials = credentials, .timing = timing};
		struct request request = {.method = preflight ? METHOD_OPTIONS : METHOD_GET,
		                          .origin = view_of(origin),
		                          .preflight_method = view_of(preflight ? "GET" : NULL)};
		response_reset(&response);
		cors_answer(&cors, &request, &response);
		cr_expect(view_equal(header("Access-Control-Allow-Credentials"),
		                     listed && credentials ? VIEW("true") : ABSENT),
		          "row %d", row);
		cr_expect(view_equal(header("Timing-Allow-Origin"),
		                     listed && timing && !preflight ? view_of(origin) : ABSENT),
		          "row %d", row);
	}
}

/* Without cookie mode no answer may invite a browser to send credentials. */
Test(http_cors, never_allows_credentials_nor_everybody)
{
	answer(LIST, METHOD_OPTIONS, "https://app.example", "PUT");
	cr_expect(view_is_absent(header("Access-Control-Allow-Credentials")));
	for (size_t i = 0; i < response.header_count; i++)
		cr_expect_eq(view_find(response.headers[i].value, '*'), response.headers[i].value.len);
}

Test(http_cors, tells_a_preflight_what_may_be_sent)
{
	answer(LIST, METHOD_OPTIONS, "https://app.example", "PUT");
	cr_expect(view_equal(header("Access-Control-Allow-Origin"), VIEW("https://app.example")));
	cr_expect(view_equal(header("Access-Control-Allow-Methods"), VIEW("GET, HEAD, POST, PUT, PATCH, DELETE")));
	cr_expect(view_equal(
	        header("Access-Control-Allow-Headers"),
	        VIEW("Authorization, Content-Type, If-Match, If-None-Match, X-Confirm-Erase, X-Request-Id")));
	cr_expect(view_equal(header("Access-Control-Max-Age"), VIEW("600")));
	cr_expect(view_is_absent(header("Access-Control-Expose-Headers")));
}

/* Every header of an answer that tells something of its own, and that a browser would hide (Fetch §2.2.6). */
Test(http_cors, shows_pages_every_header_that_tells_them_something)
{
	static const char *const exposed[] = {"Accept-Patch", "Allow",        "Content-Disposition", "ETag",
	                                      "Link",         "Location",     "Retry-After",         "WWW-Authenticate",
	                                      "X-Request-Id", "X-Total-Count"};
	answer(LIST, METHOD_GET, "https://app.example", NULL);
	struct view rest = header("Access-Control-Expose-Headers");
	for (size_t i = 0; i < sizeof exposed / sizeof *exposed; i++)
		cr_expect(view_equal(view_trim(view_cut(&rest, ',')), view_of(exposed[i])), "%s", exposed[i]);
	cr_expect(view_is_absent(rest), "and %.*s", VIEW_ARGS(rest));
}

Test(http_cors, knows_a_preflight_by_all_three_of_its_signs)
{
	static const struct {
		enum method method;
		const char *origin;
		const char *preflight_method;
		bool preflight;
	} cases[] = {
	        {METHOD_OPTIONS, "https://a.example", "PUT", true},
	        {METHOD_OPTIONS, "null", "PUT", true},
	        {METHOD_OPTIONS, NULL, "PUT", false},
	        {METHOD_OPTIONS, "https://a.example", NULL, false},
	        {METHOD_OPTIONS, NULL, NULL, false},
	        {METHOD_GET, "https://a.example", "PUT", false},
	        {METHOD_OTHER, "https://a.example", "PUT", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = {.method = cases[i].method,
		                          .origin = view_of(cases[i].origin),
		                          .preflight_method = view_of(cases[i].preflight_method)};
		cr_expect_eq(cors_is_preflight(&request), cases[i].preflight, "row %zu", i);
	}
}

Test(http_cors, refuses_a_list_that_no_browser_would_ever_match)
{
	static const struct {
		const char *list;
		const char *bad; /* NULL: good */
	} cases[] = {
	        {NULL, NULL},
	        {"", NULL},
	        {"https://app.example", NULL},
	        {"http://localhost:3000", NULL},
	        {"http://127.0.0.1:8080", NULL},
	        {"http://[::1]:8080", NULL},
	        {LIST, NULL},
	        {"http://a.example:443", NULL},
	        {"https://a.example:80", NULL},
	        {"https://a.example:4430", NULL},
	        {"*", "*"},
	        {"null", "null"},
	        {"https://*.example", "https://*.example"},
	        {"app.example", "app.example"},
	        {"https://", "https://"},
	        {"https://:3000", "https://:3000"},
	        {"https://app.example/", "https://app.example/"},
	        {"https://app.example/path", "https://app.example/path"},
	        {"https://App.example", "https://App.example"},
	        {"HTTPS://app.example", "HTTPS://app.example"},
	        {"https://app.example:443", "https://app.example:443"},
	        {"http://app.example:80", "http://app.example:80"},
	        {"https://user@app.example", "https://user@app.example"},
	        {"https://app.example?x", "https://app.example?x"},
	        {"ftp://app.example", "ftp://app.example"},
	        {"file://", "file://"},
	        {"https://app.example:", "https://app.example:"},
	        {"https://app.example:1:2", "https://app.example:1:2"},
	        {"https://app.example:99999", "https://app.example:99999"},
	        {"https://app.example:080", "https://app.example:080"},
	        {"http://127.1:3000", "http://127.1:3000"},
	        {"https://]", "https://]"},
	        {"https://[::1", "https://[::1"},
	        {"https://a.example https://b.example", "https://a.example https://b.example"},
	        {"https://a.example, null", "null"},
	        {"https://a.example,,https://b.example", ""},
	        {",", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view bad = VIEW("untouched");
		bool valid = cors_origins_valid(view_of(cases[i].list), &bad);
		cr_expect_eq(valid, cases[i].bad == NULL, "%s", cases[i].list);
		cr_expect(view_equal(bad, cases[i].bad ? view_of(cases[i].bad) : VIEW("untouched")), "%s: %.*s",
		          cases[i].list, VIEW_ARGS(bad));
	}
}
