/* Time: RFC 3339 in both directions, and clocks that go forward. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "support/leaks.h"

TestSuite(clock, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define DAY (86400 * CLOCK_SECOND)

Test(clock, now_is_the_time_of_the_system)
{
	int64_t before = (int64_t)time(NULL) * CLOCK_SECOND;
	int64_t now = clock_now();
	int64_t after = ((int64_t)time(NULL) + 1) * CLOCK_SECOND;

	/* time(2) may lag behind by a tick. */
	cr_expect(before <= now && now <= after + CLOCK_SECOND);
}

Test(clock, monotonic_never_goes_back)
{
	int64_t before = clock_monotonic();

	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_monotonic();

		cr_assert(now >= before);
		before = now;
	}
}

Test(clock, formats_and_parses_every_day_of_the_calendar)
{
	/* The C library counts the days; ours must agree from year 1 to 9999. */
	int64_t first = -719162;
	int64_t last = 2932896;

	for (int64_t day = first; day <= last; day++) {
		/* Another time of day on each. */
		time_t seconds = (time_t)(day * 86400 + (day - first) * 7 % 86400);
		struct tm tm;
		char expected[64];
		char text[CLOCK_TEXT_SECONDS + 1];
		int64_t back = 0;

		cr_assert_not_null(gmtime_r(&seconds, &tm));
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		         tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		clock_format_seconds((int64_t)seconds * CLOCK_SECOND, text);
		cr_assert_str_eq(text, expected);
		cr_assert(clock_parse(view_of(text), &back));
		cr_assert_eq(back, (int64_t)seconds * CLOCK_SECOND, "%s", text);
	}
}

Test(clock, formats_microseconds)
{
	static const struct {
		int64_t instant;
		const char *text;
	} cases[] = {
	        {0, "1970-01-01T00:00:00.000000Z"},
	        {1, "1970-01-01T00:00:00.000001Z"},
	        {-1, "1969-12-31T23:59:59.999999Z"},
	        {1769846400000000 + 123456, "2026-01-31T08:00:00.123456Z"},
	        {951868799999999, "2000-02-29T23:59:59.999999Z"},
	        {-719528 * DAY, "0000-01-01T00:00:00.000000Z"},
	        {2932897 * DAY - 1, "9999-12-31T23:59:59.999999Z"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[CLOCK_TEXT_MICROS + 1];

		clock_format_micros(cases[i].instant, text);
		cr_expect_str_eq(text, cases[i].text);
		cr_expect_eq(strlen(text), CLOCK_TEXT_MICROS);
	}
}

Test(clock, knows_the_one_form_that_it_writes)
{
	static const struct {
		const char *text;
		bool own;
	} cases[] = {
	        {"2026-01-31T08:00:00.500000Z", true},
	        {"0001-01-01T00:00:00.000000Z", true},
	        {"9999-12-31T23:59:59.999999Z", true},
	        /* the same instants otherwise, some as long */
	        {"2026-01-31t08:00:00.500000Z", false},
	        {"2026-01-31T08:00:00.500000z", false},
	        {"2026-01-31T10:00:00.5+02:00", false},
	        {"2026-01-31T08:00:00.5-00:00", false},
	        {"2026-01-31T08:00:00.5Z", false},
	        {"2026-01-31T08:00:00.5000000Z", false},
	        {"2016-12-31T23:59:60.000000Z", false},
	        /* none */
	        {"0000-01-01T00:00:00.000000Z", false},
	        {"2026-02-30T08:00:00.000000Z", false},
	        {"infinity", false},
	        {"", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(clock_is_micros(view_of(cases[i].text)), cases[i].own, "%s", cases[i].text);
}

Test(clock, formats_instants_beyond_the_calendar_as_its_ends)
{
	char text[CLOCK_TEXT_MICROS + 1];

	clock_format_micros(INT64_MIN, text);
	cr_expect_str_eq(text, "0000-01-01T00:00:00.000000Z");
	clock_format_micros(INT64_MAX, text);
	cr_expect_str_eq(text, "9999-12-31T23:59:59.999999Z");
}

Test(clock, parses_what_rfc_3339_allows)
{
	static const struct {
		const char *text;
		const char *utc;
	} cases[] = {
	        {"1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z"},
	        {"1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000000Z"},
	        {"1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000Z"},
	        {"2026-01-31t08:00:00z", "2026-01-31T08:00:00.000000Z"},
	        {"2026-01-31T08:00:00-00:00", "2026-01-31T08:00:00.000000Z"},
	        {"2026-01-31T08:00:00+23:59", "2026-01-30T08:01:00.000000Z"},
	        {"2026-01-31T08:00:00.1234569Z", "2026-01-31T08:00:00.123456Z"},
	        {"2026-01-31T08:00:00.000000000000000000000000000009Z", "2026-01-31T08:00:00.000000Z"},
	        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"},
	        {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
	        {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"},
	        /* Leap seconds: RFC 3339 §5.8. */
	        {"1990-12-31T23:59:60Z", "1991-01-01T00:00:00.000000Z"},
	        {"1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00.000000Z"},
	        {"2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250000Z"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t instant = 0;
		char text[CLOCK_TEXT_MICROS + 1];

		cr_assert(clock_parse(view_of(cases[i].text), &instant), "%s", cases[i].text);
		clock_format_micros(instant, text);
		cr_expect_str_eq(text, cases[i].utc);
	}
}

Test(clock, refuses_everything_else)
{
	static const char *const cases[] = {
	        "",
	        "2026-01-31",
	        "2026-01-31T08:00:00",
	        "2026-01-31T08:00Z",
	        "2026-01-31 08:00:00Z",
	        "2026-1-31T08:00:00Z",
	        "26-01-31T08:00:00Z",
	        "12026-01-31T08:00:00Z",
	        "+2026-01-31T08:00:00Z",
	        "-2026-01-31T08:00:00Z",
	        "2026-01-31T08:00:00Z ",
	        " 2026-01-31T08:00:00Z",
	        "2026-01-31T08:00:00ZZ",
	        "2026-01-31T08:00:00.Z",
	        "2026-01-31T08:00:00,5Z",
	        "2026-01-31T08:00:00+01",
	        "2026-01-31T08:00:00+0100",
	        "2026-01-31T08:00:00+01:0",
	        "2026-01-31T08:00:00+24:00",
	        "2026-01-31T08:00:00+01:60",
	        "2026-01-31T08:00:00+01:00Z",
	        "2026-00-31T08:00:00Z",
	        "2026-13-31T08:00:00Z",
	        "2026-01-00T08:00:00Z",
	        "2026-01-32T08:00:00Z",
	        "2026-04-31T08:00:00Z",
	        "2026-02-29T08:00:00Z",
	        "1900-02-29T08:00:00Z",
	        "2026-01-31T24:00:00Z",
	        "2026-01-31T08:60:00Z",
	        "2026-01-31T08:00:61Z",
	        "2026-01-31T08:00:60Z",
	        "2026-01-30T23:59:60Z",
	        "2026-02-01T08:00:60Z",
	        "2026-01-31T23:58:60Z",
	        "2026-01-31T23:59:60+01:00",
	        "0000-12-31T23:59:59Z",
	        "0001-01-01T00:00:00+00:01",
	        "9999-12-31T23:59:59-00:01",
	        "9999-12-31T23:59:60Z",
	        "1769846400",
	        "now",
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i]);
		char *exact = malloc(len);
		int64_t instant = 4711;

		memcpy(exact, cases[i], len);
		cr_expect_not(clock_parse((struct view){exact, len}, &instant), "%s", cases[i]);
		cr_expect_eq(instant, 4711);
		free(exact);
	}
}

Test(clock, refuses_every_text_that_is_cut_short)
{
	static const char text[] = "2026-01-31T08:00:00.5+01:00";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		int64_t instant;
		char *exact = malloc(len);

		memcpy(exact, text, len);
		cr_expect_not(clock_parse((struct view){exact, len}, &instant), "%zu characters", len);
		free(exact);
	}
}
