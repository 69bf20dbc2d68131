/* Counters of all requests, in memory that all processes of a machine share, and
 * their text for Prometheus.
 */
#ifndef APP_METRICS_H
#define APP_METRICS_H

#include "auth/jwt.h"
#include "base/buf.h"
#include "http/outcome.h"
#include "http/router.h"

enum counter {
#define COUNTER(NAME, metric, labels, help) COUNTER_##NAME,
#include "app/metrics.def"
#undef COUNTER
	COUNTER_COUNT
};

/* The words of jwt_error.def, and those that only the guard has. */
enum { METRICS_REASONS = JWT_ERROR_COUNT + 7 };
enum { METRICS_CLASSES = 5, METRICS_BUCKETS = 14, METRICS_ROUTES = ROUTE_COUNT + 1 };

/* Zeroed: nothing counted. Every number may be anything at any time. */
struct metrics {
	_Atomic uint64_t since;                                     /* seconds since 1970; 0: not known */
	_Atomic uint64_t requests[METRICS_ROUTES][METRICS_CLASSES]; /* by the first digit of the status, less one */
	_Atomic uint64_t durations[METRICS_ROUTES][METRICS_BUCKETS];
	_Atomic uint64_t microseconds[METRICS_ROUTES];
	_Atomic uint64_t problems[OUTCOME_COUNT];
	_Atomic uint64_t refused[METRICS_REASONS];
	_Atomic uint64_t verification; /* microseconds */
	_Atomic uint64_t database;     /* microseconds */
	_Atomic uint64_t counters[COUNTER_COUNT];
};

/* What one request was. */
struct metrics_request {
	enum route route; /* ROUTE_COUNT: none */
	int status;
	enum outcome outcome;
	const char *reason; /* why a token was refused; NULL otherwise */
	int64_t total;      /* microseconds, as those below */
	int64_t verification;
	int64_t database;
};

/* Counts one request. */
void metrics_count(struct metrics *metrics, const struct metrics_request *request);

/* Adds `more` to one of metrics.def. */
void metrics_add(struct metrics *metrics, enum counter counter, uint64_t more);

/* False: holds numbers that nobody can have counted, by `now` (clock_now()). */
bool metrics_is_plausible(const struct metrics *metrics, int64_t now);

/* Sets the instant from which on there are counts, if there is none yet. */
void metrics_begin(struct metrics *metrics, int64_t now);

/* A number that changes whenever struct metrics or what it means does. */
uint64_t metrics_layout(void);

/* Writes all in the text format of Prometheus, version 0.0.4. */
void metrics_write(const struct metrics *metrics, struct buf *out);

#define METRICS_MEDIA_TYPE "text/plain; version=0.0.4; charset=utf-8"
enum { METRICS_TEXT_MAX = 256 * 1024 };

#endif
