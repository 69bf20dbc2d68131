/* The client's address: what counts as one, and how much of it is told. */
#include <criterion/criterion.h>

#include "http/client.h"
#include "support/leaks.h"

TestSuite(http_client, .fini = leaks_check);

static struct view text_of(const char *address, enum client_detail detail, char ret[CLIENT_TEXT_MAX])
{
	struct client client = client_read(view_of(address));
	return client_text(&client, detail, ret);
}

Test(http_client, is_told_in_full_or_as_its_network)
{
	static const struct {
		const char *address;
		const char *full;
		const char *prefix;
	} cases[] = {
	        {"192.0.2.77", "192.0.2.77", "192.0.2.0/24"},
	        {"255.255.255.255", "255.255.255.255", "255.255.255.0/24"},
	        {"0.0.0.0", "0.0.0.0", "0.0.0.0/24"},
	        {"::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"},
	        {"::FFFF:c000:24d", "192.0.2.77", "192.0.2.0/24"},
	        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"},
	        {"2001:0DB8:0001:0000:0000:0000:0000:0006", "2001:db8:1::6", "2001:db8:1::/48"},
	        {"fe80::1%eth0", "fe80::1", "fe80::/48"},
	        {"::1", "::1", "::/48"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[CLIENT_TEXT_MAX];
		cr_expect(view_equal(text_of(cases[i].address, CLIENT_FULL, text), view_of(cases[i].full)), "%s: %s",
		          cases[i].address, text);
		cr_expect(view_equal(text_of(cases[i].address, CLIENT_PREFIX, text), view_of(cases[i].prefix)),
		          "%s: %s", cases[i].address, text);
	}
}

Test(http_client, is_not_known_when_it_is_no_address)
{
	static const char *const cases[] = {
	        "",
	        " ",
	        "192.0.2",
	        "192.0.2.256",
	        "192.0.2.1 ",
	        "192.0.2.1:80",
	        "[::1]",
	        "%eth0",
	        "localhost",
	        "1",
	        "::ffff:192.0.2.1.1",
	        "2001:db8::1::2",
	        "192.0.2.1, 192.0.2.2",
	        "unix:",
	        "\"}\n{\"",
	        "1111:2222:3333:4444:5555:6666:7777:8888:9999:a", /* as long as the longest and its NUL */
	        "2001:0db8:0001:0000:0000:0000:0000:0006:2001:0db8:0001:0000:0000:0000:0000:0006",
	};
	char text[CLIENT_TEXT_MAX];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client client = client_read(view_of(cases[i]));
		cr_expect_eq(client.count, 0, "%s", cases[i]);
		cr_expect(view_is_absent(client_text(&client, CLIENT_FULL, text)), "%s", cases[i]);
		cr_expect_eq(client_key(&client).len, 0, "%s", cases[i]);
	}
	cr_expect_eq(client_read(ABSENT).count, 0);
	cr_expect_eq(client_read(VIEW("192.0.2.1\0")).count, 0);
}

Test(http_client, is_counted_by_address_or_by_the_64_bits_of_a_subscriber)
{
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} cases[] = {
	        {"192.0.2.1", "192.0.2.1", true},
	        {"192.0.2.1", "192.0.2.2", false},
	        {"192.0.2.1", "::ffff:192.0.2.1", true},
	        {"192.0.2.1", "::192.0.2.1", false},
	        {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
	        {"2001:db8::1", "2001:db8:0:1::1", false},
	        {"fe80::1%eth0", "fe80::2%eth1", true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client a = client_read(view_of(cases[i].a));
		struct client b = client_read(view_of(cases[i].b));
		cr_expect_eq(view_equal(client_key(&a), client_key(&b)), cases[i].same, "%s, %s", cases[i].a,
		             cases[i].b);
	}
}
