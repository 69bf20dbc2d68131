/* The session cookie: found where it stands alone, whatever else is sent, and the same
 * in chunks; never found twice. */
#include "auth/cookie.h"

#include "auth/jwt.h"
#include "fuzz/fuzz.h"
#include "fuzz/second.h"

#define NAME "__Secure-better-auth.session_data"

static void is_found_as(struct view header, enum cookie_result expected, struct view value)
{
	struct view found = ABSENT;
	HOLDS(cookie_find(fuzz_arena(), header, VIEW(NAME), &found) == expected);
	HOLDS(expected != COOKIE_OK || view_equal(found, value));
}

/* One whole cookie, or chunks that are numbered from 0 without a gap. What is no number of
 * 64 bits is the name of another cookie. */
static void is_complete(struct view header)
{
	size_t wholes = 0;
	size_t chunks = 0;
	unsigned numbers = 0;
	while (!view_is_absent(header)) {
		struct view cookie = view_trim(view_cut(&header, ';'));
		wholes += view_starts(cookie, VIEW(NAME "="));
		if (!view_starts(cookie, VIEW(NAME ".")) || view_find(cookie, '=') == cookie.len)
			continue;
		struct view number = view_from(cookie, sizeof NAME);
		number.len = view_find(number, '=');
		if (!second_matches(number, "0|[1-9][0-9]{0,18}"))
			continue;
		HOLDS(number.len == 1 && number.ptr[0] < '0' + COOKIE_CHUNKS_MAX);
		numbers |= 1U << (number.ptr[0] - '0');
		chunks++;
	}
	HOLDS(wholes == 1 ? chunks == 0 : wholes == 0 && chunks > 0 && numbers == (1U << chunks) - 1);
}

/* The value in two halves, the second first. */
static struct view in_chunks(struct view value)
{
	size_t half = value.len / 2;
	return fuzz_join(fuzz_join(VIEW("a=b; " NAME ".1="), view_from(value, half)),
	                 fuzz_join(VIEW("; " NAME ".0="), (struct view){value.ptr, half}));
}

void fuzz_one(struct view input)
{
	struct view value = ABSENT;
	enum cookie_result result = cookie_find(fuzz_arena(), input, VIEW(NAME), &value);
	HOLDS(result != COOKIE_NO_MEMORY);
	/* Cookies of other names change nothing. */
	is_found_as(fuzz_join(VIEW("a=b; " NAME ".x=c; "), input), result, value);
	is_found_as(fuzz_join(input, VIEW("; better-auth.session_data=c;")), result, value);
	if (result == COOKIE_NONE)
		is_found_as(fuzz_join(input, VIEW("; " NAME "=a.b.c")), COOKIE_OK, VIEW("a.b.c"));
	if (result != COOKIE_OK)
		return;
	is_complete(input);
	HOLDS(second_matches(value, "[A-Za-z0-9_.-]+") && value.len <= JWT_MAX_BYTES);
	is_found_as(fuzz_join(VIEW(NAME "="), value), COOKIE_OK, value);
	is_found_as(fuzz_join(input, VIEW("; " NAME "=a.b.c")), COOKIE_BAD, ABSENT);
	if (value.len >= 2)
		is_found_as(in_chunks(value), COOKIE_OK, value);
}
