/* RFC 3339: what is taken fits its grammar, is the instant that the C library
 * computes, and comes back when written. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "fuzz/fuzz.h"
#include "fuzz/second.h"

#define GRAMMAR "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"

static int64_t second_instant(const char *text)
{
	struct tm tm = {0};
	int year, month, hours = 0, minutes = 0, read = 0;
	int64_t micros = 0;
	HOLDS(sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d%n", &year, &month, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
	             &tm.tm_sec, &read) == 6);
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	text += read;
	if (*text == '.') {
		int64_t weight = 100000;
		for (text++; *text >= '0' && *text <= '9'; text++, weight /= 10)
			micros += (*text - '0') * weight;
	}
	/* A day that is not there would be another one afterwards. */
	struct tm day = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday};
	(void)timegm(&day);
	HOLDS(day.tm_mon == tm.tm_mon && day.tm_mday == tm.tm_mday);
	HOLDS(tm.tm_hour < 24 && tm.tm_min < 60 && tm.tm_sec <= 60);
	char sign = *text;
	if (sign == '+' || sign == '-')
		HOLDS(sscanf(text + 1, "%2d:%2d", &hours, &minutes) == 2 && hours < 24 && minutes < 60);
	int64_t offset = (int64_t)(hours * 60 + minutes) * 60;
	return ((int64_t)timegm(&tm) - (sign == '-' ? -offset : offset)) * CLOCK_SECOND + micros;
}

void fuzz_one(struct view input)
{
	char text[CLOCK_TEXT_MICROS + 1];
	int64_t instant;
	int64_t again;
	if (!clock_parse(input, &instant))
		return;
	HOLDS(second_matches(input, GRAMMAR));
	HOLDS(instant == second_instant(fuzz_string(input)));
	clock_format_micros(instant, text);
	HOLDS(clock_parse(view_of(text), &again) && again == instant);
}
