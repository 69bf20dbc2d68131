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
	HOLDS(second_matches(value, "[A-Za-z0-9_.-]+") && value.len <= JWT_MAX_BYTES);
	is_found_as(fuzz_join(VIEW(NAME "="), value), COOKIE_OK, value);
	is_found_as(fuzz_join(input, VIEW("; " NAME "=a.b.c")), COOKIE_BAD, ABSENT);
	if (value.len >= 2)
		is_found_as(in_chunks(value), COOKIE_OK, value);
}
