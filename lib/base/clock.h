/* Time: now, and RFC 3339 text.
 *
 * Instants are microseconds since 1970-01-01T00:00:00Z in an int64_t.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/view.h"

#define CLOCK_SECOND INT64_C(1000000)

/* The system's real time. */
int64_t clock_now(void);

/* A time that only grows, for durations and deadlines; microseconds. */
int64_t clock_monotonic(void);

/* Lets that many microseconds pass; a signal may end it early. */
void clock_wait(int64_t duration);

/* "2026-01-31T08:00:00.000000Z" and without the fraction; lengths without NUL. */
enum { CLOCK_TEXT_MICROS = 27, CLOCK_TEXT_SECONDS = 20 };

/* Writes the instant (years 0000 to 9999) as RFC 3339 §5.6 in UTC, with a NUL. */
void clock_format_micros(int64_t instant, char out[CLOCK_TEXT_MICROS + 1]);
void clock_format_seconds(int64_t instant, char out[CLOCK_TEXT_SECONDS + 1]);

/* Reads an RFC 3339 §5.6 date-time with offset, upper or lower case T and Z.
 * A leap second (:60) counts as the next second; digits past microseconds are
 * cut off. False: anything else, or a year outside 0001..9999. */
CHECKED bool clock_parse(struct view text, int64_t *ret);

/* Is it what clock_format_micros() writes for some instant of those years, byte for byte? */
bool clock_is_micros(struct view text);

#endif
