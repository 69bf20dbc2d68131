/* Entity tags and Accept, as RFC 9110 §8.8.3, §13 and §12.5.1 have them. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "http/conditional.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

Test(conditional, reads_lists_of_tags)
{
	static const struct {
		const char *field;
		size_t count;
		const char *last;
		bool weak;
	} cases[] = {
	        {"\"a\"", 1, "a", false},
	        {"W/\"a\"", 1, "a", true},
	        {"\"\"", 1, "", false},
	        {"  \"a\"\t", 1, "a", false},
	        {"\"a\",\"b\"", 2, "b", false},
	        {"\"a\" , W/\"b\"", 2, "b", true},
	        {"\"a,b\"", 1, "a,b", false},
	        {"\"W/x\"", 1, "W/x", false},
	        {"\"*\"", 1, "*", false},
	        {"\"\xC3\xA9!#~\"", 1, "\xC3\xA9!#~", false},
	        {"\"2026-01-31T08:00:00.000000Z\"", 1, "2026-01-31T08:00:00.000000Z", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct etags etags = {0};
		cr_assert(etags_read(view_of(cases[i].field), &etags), "%s", cases[i].field);
		cr_expect(!etags.any);
		cr_assert_eq(etags.count, cases[i].count, "%s", cases[i].field);
		cr_expect(view_equal(etags.tags[etags.count - 1].opaque, view_of(cases[i].last)), "%s", cases[i].field);
		cr_expect_eq(etags.tags[etags.count - 1].weak, cases[i].weak, "%s", cases[i].field);
	}
}

Test(conditional, a_star_alone_is_any_task)
{
	struct etags etags = {0};
	cr_assert(etags_read(VIEW("*"), &etags));
	cr_expect(etags.any && etags.count == 0);
	cr_expect(etags_match_weakly(&etags, VIEW("whatever")) && etags_match_strongly(&etags, VIEW("whatever")));
	cr_expect(etags_read(VIEW(" * "), &etags));
	cr_expect_not(etags_read(VIEW("*, \"a\""), &etags));
	cr_expect_not(etags_read(VIEW("\"a\", *"), &etags));
	cr_expect_not(etags_read(VIEW("**"), &etags));
}

Test(conditional, refuses_what_is_no_tag)
{
	static const char *const cases[] = {
	        "",
	        " ",
	        "a",
	        "\"",
	        "\"a",
	        "a\"",
	        "'a'",
	        "w/\"a\"",
	        "W/a",
	        "W/",
	        "W /\"a\"",
	        "\"a\"b",
	        "\"a\" \"b\"",
	        "\"a\",",
	        ",\"a\"",
	        "\"a\",,\"b\"",
	        "\"a b\"",
	        "\" a\"",
	        "\"a\tb\"",
	        "\"a\x7F\"",
	        "\"a\x01\"",
	        "\"a\";\"b\"",
	        "\"a\\\"b\"",
	        "2026-01-31T08:00:00.000000Z",
	};
	static const char exact[] = {'W', '/'}; /* nothing behind it, which a sanitizer would tell */
	cr_expect_not(etags_read((struct view){exact, sizeof exact}, &(struct etags){0}));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct etags etags = {.count = 7};
		cr_expect_not(etags_read(view_of(cases[i]), &etags), "%s", cases[i]);
		cr_expect_eq(etags.count, 7, "untouched");
	}
}

Test(conditional, takes_sixteen_tags_and_no_more)
{
	char field[256];
	size_t len = 0;
	struct etags etags;
	for (int i = 0; i < ETAGS_MAX; i++)
		len += (size_t)snprintf(field + len, sizeof field - len, "%s\"%d\"", i ? "," : "", i);
	cr_assert(etags_read(view_of(field), &etags));
	cr_expect_eq(etags.count, ETAGS_MAX);
	cr_expect(etags_match_strongly(&etags, VIEW("15")));
	snprintf(field + len, sizeof field - len, ",\"more\"");
	cr_expect_not(etags_read(view_of(field), &etags));
}

Test(conditional, compares_weakly_and_strongly)
{
	struct etags etags;
	cr_assert(etags_read(VIEW("W/\"weak\", \"strong\""), &etags));
	cr_expect(etags_match_weakly(&etags, VIEW("weak")));
	cr_expect_not(etags_match_strongly(&etags, VIEW("weak")));
	cr_expect(etags_match_weakly(&etags, VIEW("strong")));
	cr_expect(etags_match_strongly(&etags, VIEW("strong")));
	cr_expect_not(etags_match_weakly(&etags, VIEW("Strong")));
	cr_expect_not(etags_match_weakly(&etags, VIEW("stron")));
	cr_expect_not(etags_match_weakly(&etags, VIEW("")));
	cr_expect_not(etags_match_strongly(&etags, VIEW("")));
	cr_assert(etags_read(VIEW("\"first\", \"second\""), &etags));
	cr_expect(etags_match_strongly(&etags, VIEW("first")));
	cr_expect(etags_match_weakly(&etags, VIEW("first")));
}

Test(conditional, overlooks_what_compression_adds_to_a_tag)
{
	static const struct {
		const char *field;
		const char *opaque;
	} cases[] = {
	        {"\"a-gzip\"", "a"},    {"\"a-br\"", "a"},      {"\"a-deflate\"", "a"},   {"\"a-zstd\"", "a"},
	        {"W/\"a-gzip\"", "a"},  {"\"-gzip\"", "-gzip"}, {"\"a-GZIP\"", "a-GZIP"}, {"\"a-gzip-gzip\"", "a-gzip"},
	        {"\"agzip\"", "agzip"}, {"\"a-xz\"", "a-xz"},   {"\"a-gzip \"", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct etags etags;
		bool read = etags_read(view_of(cases[i].field), &etags);
		cr_expect_eq(read, cases[i].opaque != NULL, "%s", cases[i].field);
		if (read)
			cr_expect(view_equal(etags.tags[0].opaque, view_of(cases[i].opaque)), "%s", cases[i].field);
	}
}

Test(conditional, excludes_json_only_when_the_client_really_does)
{
	static const struct {
		const char *field;
		bool takes;
	} cases[] = {
	        {NULL, true},
	        {"", true},
	        {" ", true},
	        {"*/*", true},
	        {"application/json", true},
	        {"Application/JSON", true},
	        {"application/*", true},
	        {"text/html, */*;q=0.1", true},
	        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
	        {"application/json; charset=utf-8", true},
	        {"application/json;q=0.001", true},
	        {"application/json ; q=1", true},
	        {"application/json;q=0, */*", false},
	        {"*/*, application/json;q=0", false},
	        {"application/json;q=0.000, application/*", false},
	        {"application/*;q=0, */*", false},
	        {"application/*;q=0, application/json", true},
	        {"*/*;q=0", false},
	        {"*/*; Q=0.0", false},
	        {"*/*;q=0, application/json;q=0.5", true},
	        {"text/html", false},
	        {"text/html, application/xml", false},
	        {"application/problem+json", false},
	        {"application/json5", false},
	        {"*", false},
	        {"*/*;q=0, application/*", true},
	        {"application/json;v=0", true},
	        {"application/json;v=1;q=0", false},
	        {"application/json;q = 0", false},
	        {"*/*;q;q=0", false},
	        {"*/*;q=", true},
	        {"*/*;q", true},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(accept_takes_json(view_of(cases[i].field)), cases[i].takes, "%s",
		             cases[i].field ? cases[i].field : "none");
}
