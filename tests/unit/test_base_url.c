/* URLs of settings: which are taken, which are loopback, what their origin is. */
#include <criterion/criterion.h>

#include "base/url.h"
#include "support/leaks.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

TestSuite(url, .fini = leaks_check);

Test(url, tells_origin_and_loopback)
{
	static const struct {
		const char *text;
		const char *origin;
		bool is_loopback;
	} cases[] = {
	        {"https://app.example", "https://app.example", false},
	        {"https://App.Example/", "https://app.example", false},
	        {"HTTPS://app.example/api/auth?x=1", "https://app.example", false},
	        {"https://app.example:443/api", "https://app.example", false},
	        {"https://app.example:8443", "https://app.example:8443", false},
	        {"https://app.example:80", "https://app.example:80", false},
	        {"http://app.example:80", "http://app.example", false},
	        {"http://localhost:3000", "http://localhost:3000", true},
	        {"http://LOCALHOST", "http://localhost", true},
	        {"http://127.0.0.1:3000/a", "http://127.0.0.1:3000", true},
	        {"http://127.255.255.254", "http://127.255.255.254", true},
	        {"http://[::1]:3000/", "http://[::1]:3000", true},
	        {"http://[::2]", "http://[::2]", false},
	        {"http://localhost.evil.example", "http://localhost.evil.example", false},
	        {"http://127.0.0.1.evil.example", "http://127.0.0.1.evil.example", false},
	        {"http://0.0.0.0", "http://0.0.0.0", false},
	        {"https://app.example.", "https://app.example.", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf origin = buf_make(256);
		struct url url;

		cr_assert(url_parse(view_of(cases[i].text), &url), "%s", cases[i].text);
		url_write_origin(&url, &origin);
		cr_expect(view_equal(buf_view(&origin), view_of(cases[i].origin)), "%s: %.*s", cases[i].text,
		          VIEW_ARGS(buf_view(&origin)));
		cr_expect_eq(url_is_loopback(&url), cases[i].is_loopback, "%s", cases[i].text);
		buf_destroy(&origin);
	}
}

Test(url, refuses_everything_else)
{
	static const char *const texts[] = {
	        "",
	        "app.example",
	        "//app.example",
	        "https:/app.example",
	        "https://",
	        "https:///path",
	        "https://:443",
	        "ftp://app.example",
	        "file:///etc/passwd",
	        "javascript://app.example",
	        "https://user@app.example",
	        "https://user:password@app.example",
	        "http://127.0.0.1@evil.example",
	        "http://127.0.0.1\\@evil.example",
	        "http://127.0.0.1#@evil.example",
	        "https://app.example#part",
	        "https://app example",
	        " https://app.example",
	        "https://app.example\n",
	        "https://app.example/\x01",
	        "https://app.example/\xc3\xa9",
	        "https://\xc3\xa9.example",
	        "https://app.example:",
	        "https://app.example:0",
	        "https://app.example:65536",
	        "https://app.example:443x",
	        "https://app.example:0443",
	        "https://app.example:-1",
	        "https://app%2eexample",
	        "http://127.0.0",
	        "http://127.1",
	        "http://127.0.0.256",
	        "http://127.0.0.0.1",
	        "http://0127.0.0.1",
	        "http://2130706433",
	        "http://127.0.0.0x1",
	        "http://0x7f000001",
	        "http://127.0.0.1.",
	        "https://app.example.1",
	        "https://[::1",
	        "https://[::::]",
	        "https://[1:2]",
	        "https://[12345::]",
	        "https://[]",
	        "https://[::1]x",
	        "https://[fe80::1%25eth0]",
	        "https://a,b",
	        "https://a;b",
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		cr_expect_not(url_parse(view_of(texts[i]), &(struct url){0}), "%s", texts[i]);
}
