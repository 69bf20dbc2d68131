/* The session cookie in a Cookie header: whole, in chunks, and whatever else is there. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "auth/cookie.h"
#include "auth/jwt.h"
#include "support/leaks.h"

static struct arena arena;

static void setup(void)
{
	cr_assert(arena_init(&arena, 64 * 1024));
}

static void teardown(void)
{
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(cookie, .init = setup, .fini = teardown);

#define NAME "better-auth.session_data"

/* The token that was found, or a word in brackets. */
static const char *find(const char *header)
{
	static char text[JWT_MAX_BYTES + 1];
	struct view token = ABSENT;

	switch (cookie_find(&arena, view_of(header), VIEW(NAME), &token)) {
	case COOKIE_OK:
		snprintf(text, sizeof(text), "%.*s", VIEW_ARGS(token));
		return text;
	case COOKIE_NONE:
		return "(none)";
	case COOKIE_BAD:
		return "(bad)";
	case COOKIE_NO_MEMORY:
		break;
	}
	return "(no memory)";
}

Test(cookie, is_found_as_a_whole_and_in_chunks)
{
	static const struct {
		const char *header;
		const char *expected;
	} cases[] = {
	        {NULL, "(none)"},
	        {"", "(none)"},
	        {"a=1; b=2", "(none)"},
	        {NAME "=a.b.c", "a.b.c"},
	        {"x=1; " NAME "=a.b.c; y=2", "a.b.c"},
	        {"x=1;" NAME "=a.b.c", "a.b.c"},
	        {NAME ".0=a.b; " NAME ".1=.c-_9", "a.b.c-_9"},
	        {NAME "=AZ.az.09", "AZ.az.09"},
	        {NAME ".1=.c; x=1; " NAME ".0=a.b", "a.b.c"},
	        {NAME ".0=a.b.c", "a.b.c"},
	        /* others' cookies may hold anything */
	        {"x=\"a b\", \xC3\xA9; nothing; =; ; " NAME "=a.b.c", "a.b.c"},
	        {"x=" NAME "=no; " NAME "=a.b.c", "a.b.c"},
	        /* not this name */
	        {"__Secure-" NAME "=a.b.c", "(none)"},
	        {"Better-Auth.session_data=a.b.c", "(none)"},
	        {NAME "x=a.b.c", "(none)"},
	        {NAME "x0=a.b.c", "(none)"},
	        {NAME ".x=a.b.c", "(none)"},
	        {NAME ".00=a.b.c", "(none)"},
	        {NAME ".-1=a.b.c", "(none)"},
	        {NAME ".0.1=a.b.c", "(none)"},
	        {NAME ".=a.b.c", "(none)"},
	        {NAME " =a.b.c", "(none)"},
	        {NAME, "(none)"},
	        {"a=1, " NAME "=a.b.c", "(none)"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(find(cases[i].header), cases[i].expected, "%s", cases[i].header);
}

Test(cookie, is_refused_when_it_is_not_one_token)
{
	static const char *const bad[] = {
	        NAME "=a.b.c; " NAME "=a.b.c",
	        NAME "=a.b.c; x=1; " NAME "=d.e.f",
	        NAME ".0=a; " NAME ".0=a; " NAME ".1=b",
	        NAME "=a.b.c; " NAME ".0=a.b.c",
	        NAME ".1=b; " NAME "=a.b.c",
	        NAME ".1=b",
	        NAME ".0=a; " NAME ".2=c",
	        NAME ".0=a; " NAME ".8=c",
	        NAME ".0=a; " NAME ".4294967296=c",
	        NAME "=",
	        NAME "=\"a.b.c\"",
	        NAME "=a.b.c, " NAME "=a.b.c",
	        NAME "=a.b%2Ec",
	        NAME "=a b",
	        NAME "=a=b",
	        /* the neighbours of what may be there */
	        NAME "=@ab",
	        NAME "=a@b",
	        NAME "=a[b",
	        NAME "=a`b",
	        NAME "=a{b",
	        NAME "=a/b",
	        NAME "=a:b",
	        NAME "=a,b",
	        NAME ".0=a; " NAME ".1=",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_str_eq(find(bad[i]), "(bad)", "%s", bad[i]);
}

/* `len` bytes in so many chunks; 0: as a whole. */
static const char *find_long(size_t chunks, size_t len)
{
	static char header[3 * JWT_MAX_BYTES];
	size_t at = 0;

	if (chunks == 0) {
		at = (size_t)snprintf(header, sizeof(header), NAME "=");
		memset(header + at, 'a', len);
		header[at + len] = '\0';
	}
	for (size_t i = 0; i < chunks; i++) {
		size_t part = len / chunks + (i < len % chunks);

		at += (size_t)snprintf(header + at, sizeof(header) - at, NAME ".%zu=", i);
		memset(header + at, 'a', part);
		at += part;
		at += (size_t)snprintf(header + at, sizeof(header) - at, "; ");
	}
	return find(header);
}

Test(cookie, is_as_long_as_a_token_may_be_and_no_longer)
{
	cr_expect_eq(strlen(find_long(0, JWT_MAX_BYTES)), JWT_MAX_BYTES);
	cr_expect_str_eq(find_long(0, JWT_MAX_BYTES + 1), "(bad)");
	cr_expect_eq(strlen(find_long(1, JWT_MAX_BYTES)), JWT_MAX_BYTES);
	cr_expect_str_eq(find_long(1, JWT_MAX_BYTES + 1), "(bad)");
	cr_expect_eq(strlen(find_long(COOKIE_CHUNKS_MAX, JWT_MAX_BYTES)), JWT_MAX_BYTES);
	cr_expect_str_eq(find_long(2, JWT_MAX_BYTES + 1), "(bad)");
}

Test(cookie, needs_memory_for_chunks_only)
{
	struct arena small;
	struct view token = ABSENT;

	cr_assert(arena_init(&small, 1));
	cr_expect_eq(cookie_find(&small, VIEW(NAME "=a.b.c"), VIEW(NAME), &token), COOKIE_OK);
	token = ABSENT;
	while (arena_alloc(&small, 1))
		;
	cr_expect_eq(cookie_find(&small, VIEW(NAME ".0=a; " NAME ".1=b"), VIEW(NAME), &token), COOKIE_NO_MEMORY);
	cr_expect(view_is_absent(token));
	arena_destroy(&small);
}

Test(cookie, has_a_name_that_browsers_take)
{
	static const char *const good[] = {NAME, "a", "A-1_b.c~", "AZaz09", "!#$%&'*+-.^_`|~"};
	static const char *const bad[] = {"",    "a b",   "a;b", "a=b", "a,b", "\xC3\xA9", "__Secure-a", "__Host-a",
	                                  "a\t", "\"a\"", ";a",  "a@",  "a[",  "a{",       "a/",         "a:"};
	char longest[COOKIE_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(cookie_name_valid(view_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(cookie_name_valid(view_of(bad[i])), "%s", bad[i]);
	cr_expect_not(cookie_name_valid(VIEW("a\0b")));
	memset(longest, 'a', sizeof(longest));
	cr_expect(cookie_name_valid((struct view){longest, COOKIE_NAME_MAX}));
	cr_expect_not(cookie_name_valid((struct view){longest, COOKIE_NAME_MAX + 1}));
}
