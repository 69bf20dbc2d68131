/* Time: the system's clocks, and RFC 3339 text in both directions. */
#include "base/clock.h"

#include <time.h>

#define MINUTE (60 * CLOCK_SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
/* 0000-01-01T00:00:00Z, 0001-01-01T00:00:00Z and 10000-01-01T00:00:00Z. */
#define YEAR_0 (INT64_C(-719528) * DAY)
#define YEAR_1 (INT64_C(-719162) * DAY)
#define YEAR_10000 (INT64_C(2932897) * DAY)

struct date {
	unsigned int year;
	unsigned int month;
	unsigned int day;
};

static int64_t read_clock(clockid_t id)
{
	struct timespec now = {0};

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * CLOCK_SECOND + (int64_t)now.tv_nsec / 1000;
}

int64_t clock_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_wait(int64_t duration)
{
	const struct timespec time = {.tv_sec = duration / CLOCK_SECOND, .tv_nsec = duration % CLOCK_SECOND * 1000};
	if (duration > 0)
		nanosleep(&time, NULL);
}

/* Both conversions count years from March, so that the leap day is the last of
 * its year, and days from 0000-03-01, 60 days after YEAR_0. Years before that
 * day are shifted by one era of 400 years, which has 146097 days. */
static struct date date_of_days(uint32_t days_since_year_0)
{
	uint32_t days = days_since_year_0 + 146097 - 60;
	uint32_t era = days / 146097;
	uint32_t of_era = days % 146097;
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t from_march = (5 * of_year + 2) / 153;
	uint32_t month = from_march < 10 ? from_march + 3 : from_march - 9;

	return (struct date){
	        .year = era * 400 + year + (month <= 2) - 400,
	        .month = month,
	        .day = of_year - (153 * from_march + 2) / 5 + 1,
	};
}

static uint32_t days_of_date(struct date date)
{
	uint32_t year = date.year + 400 - (date.month <= 2);
	uint32_t from_march = date.month > 2 ? date.month - 3 : date.month + 9;
	uint32_t of_year = (153 * from_march + 2) / 5 + date.day - 1;

	return year * 365 + year / 4 - year / 100 + year / 400 + of_year - 146097 + 60;
}

static unsigned int days_of_month(unsigned int year, unsigned int month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Writes two digits; `number` is below 100. */
static void put_pair(char *out, unsigned int number)
{
	out[0] = (char)('0' + number / 10);
	out[1] = (char)('0' + number % 10);
}

/* Writes "YYYY-MM-DDThh:mm:ss" and returns the microseconds left over. */
static unsigned int format_seconds(int64_t instant, char *out)
{
	if (instant < YEAR_0)
		instant = YEAR_0;
	if (instant >= YEAR_10000)
		instant = YEAR_10000 - 1;

	uint64_t since = (uint64_t)(instant - YEAR_0);
	struct date date = date_of_days((uint32_t)(since / (uint64_t)DAY));
	uint64_t of_day = since % (uint64_t)DAY;
	unsigned int seconds = (unsigned int)(of_day / (uint64_t)CLOCK_SECOND);

	memcpy(out, "0000-00-00T00:00:00", 19);
	put_pair(out, date.year / 100);
	put_pair(out + 2, date.year % 100);
	put_pair(out + 5, date.month);
	put_pair(out + 8, date.day);
	put_pair(out + 11, seconds / 3600);
	put_pair(out + 14, seconds / 60 % 60);
	put_pair(out + 17, seconds % 60);
	return (unsigned int)(of_day % (uint64_t)CLOCK_SECOND);
}

void clock_format_micros(int64_t instant, char out[CLOCK_TEXT_MICROS + 1])
{
	unsigned int micros = format_seconds(instant, out);

	out[19] = '.';
	put_pair(out + 20, micros / 10000);
	put_pair(out + 22, micros / 100 % 100);
	put_pair(out + 24, micros % 100);
	out[26] = 'Z';
	out[27] = '\0';
}

void clock_format_seconds(int64_t instant, char out[CLOCK_TEXT_SECONDS + 1])
{
	format_seconds(instant, out);
	out[19] = 'Z';
	out[20] = '\0';
}

/* Takes exactly `count` digits off the front, whose number is in low..high. */
static bool take_number(struct view *text, size_t count, unsigned int low, unsigned int high, unsigned int *ret)
{
	unsigned int number = 0;

	if (text->len < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (text->ptr[i] < '0' || text->ptr[i] > '9')
			return false;
		number = number * 10 + (unsigned int)(text->ptr[i] - '0');
	}
	if (number < low || number > high)
		return false;
	*text = view_from(*text, count);
	*ret = number;
	return true;
}

static bool take_char(struct view *text, char lower, char upper)
{
	if (text->len == 0 || (text->ptr[0] != lower && text->ptr[0] != upper))
		return false;
	*text = view_from(*text, 1);
	return true;
}

static bool take_date(struct view *text, struct date *ret)
{
	struct date date;

	if (!take_number(text, 4, 1, 9999, &date.year) || !take_char(text, '-', '-') ||
	    !take_number(text, 2, 1, 12, &date.month) || !take_char(text, '-', '-') ||
	    !take_number(text, 2, 1, days_of_month(date.year, date.month), &date.day))
		return false;
	*ret = date;
	return true;
}

/* The time of day in microseconds; a leap second counts 60. */
static bool take_time(struct view *text, int64_t *ret, bool *ret_leap)
{
	unsigned int hour;
	unsigned int minute;
	unsigned int second;
	unsigned int digit;
	int64_t fraction = 0;

	if (!take_number(text, 2, 0, 23, &hour) || !take_char(text, ':', ':') ||
	    !take_number(text, 2, 0, 59, &minute) || !take_char(text, ':', ':') ||
	    !take_number(text, 2, 0, 60, &second))
		return false;
	if (take_char(text, '.', '.')) {
		int64_t scale = CLOCK_SECOND / 10;

		if (!take_number(text, 1, 0, 9, &digit))
			return false;
		do {
			fraction += digit * scale;
			scale /= 10;
		} while (take_number(text, 1, 0, 9, &digit));
	}
	*ret = hour * HOUR + minute * MINUTE + second * CLOCK_SECOND + fraction;
	*ret_leap = second == 60;
	return true;
}

/* What to take away from local time to get UTC, in microseconds. */
static bool take_offset(struct view *text, int64_t *ret)
{
	unsigned int hour;
	unsigned int minute;
	bool ahead = text->len > 0 && text->ptr[0] == '+';

	if (take_char(text, 'z', 'Z')) {
		*ret = 0;
		return true;
	}
	if (!take_char(text, '+', '-') || !take_number(text, 2, 0, 23, &hour) || !take_char(text, ':', ':') ||
	    !take_number(text, 2, 0, 59, &minute))
		return false;
	*ret = (hour * HOUR + minute * MINUTE) * (ahead ? 1 : -1);
	return true;
}

bool clock_parse(struct view text, int64_t *ret)
{
	struct date date;
	int64_t time;
	int64_t offset;
	bool leap;

	if (!take_date(&text, &date) || !take_char(&text, 't', 'T') || !take_time(&text, &time, &leap) ||
	    !take_offset(&text, &offset) || text.len > 0)
		return false;

	int64_t instant = YEAR_0 + days_of_date(date) * DAY + time - offset;
	if (instant < YEAR_1 || instant >= YEAR_10000)
		return false;
	/* A second 60 exists in UTC's last minute of a month only (RFC 3339 §5.7). */
	if (leap) {
		uint64_t since = (uint64_t)(instant - YEAR_0);

		if (since % (uint64_t)DAY >= (uint64_t)CLOCK_SECOND ||
		    date_of_days((uint32_t)(since / (uint64_t)DAY)).day != 1)
			return false;
	}
	*ret = instant;
	return true;
}

bool clock_is_micros(struct view text)
{
	char own[CLOCK_TEXT_MICROS + 1];
	int64_t instant;

	if (!clock_parse(text, &instant))
		return false;
	clock_format_micros(instant, own);
	return view_equal(text, view_of(own));
}
