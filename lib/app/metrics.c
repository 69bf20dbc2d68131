/* Counts by relaxed atomic additions; each line of the text is one number read. */
#include "app/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"

/* More than this many of anything were never counted. */
#define COUNT_MAX (UINT64_C(1) << 53)
#define DAY (INT64_C(86400) * CLOCK_SECOND)

/* Upper bounds of the buckets of durations; the last has none. */
static const struct {
	int64_t microseconds;
	struct view seconds;
} bounds[METRICS_BUCKETS] = {
        {1000, VIEW("0.001")},  {2500, VIEW("0.0025")},    {5000, VIEW("0.005")},  {10000, VIEW("0.01")},
        {25000, VIEW("0.025")}, {50000, VIEW("0.05")},     {100000, VIEW("0.1")},  {250000, VIEW("0.25")},
        {500000, VIEW("0.5")},  {1000000, VIEW("1")},      {2500000, VIEW("2.5")}, {5000000, VIEW("5")},
        {10000000, VIEW("10")}, {INT64_MAX, VIEW("+Inf")},
};

static const struct {
	struct view metric;
	struct view labels;
	struct view help;
} counters[COUNTER_COUNT] = {
#define COUNTER(NAME, metric, labels, help) [COUNTER_##NAME] = {VIEW(metric), VIEW(labels), VIEW(help)},
#include "app/metrics.def"
#undef COUNTER
};

static const struct view methods[METRICS_ROUTES] = {
#define ROUTE(NAME, METHOD, path, PROGRAM, GUARD, BODY) [ROUTE_##NAME] = VIEW(#METHOD),
#include "http/routes.def"
#undef ROUTE
        [ROUTE_COUNT] = VIEW("-"),
};

static struct view route_path(size_t route)
{
	return route < ROUTE_COUNT ? route_row((enum route)route)->path : VIEW("-");
}

/* Words that stand for no fault of a token itself; the last is for what has none here. */
static const struct view other_reasons[] = {VIEW("no_token"),   VIEW("revoked"),    VIEW("bad_operator_token"),
                                            VIEW("bad_cookie"), VIEW("bad_origin"), VIEW("unfit_subject"),
                                            VIEW("other")};

_Static_assert(sizeof other_reasons / sizeof *other_reasons == METRICS_REASONS - JWT_ERROR_COUNT, "a number each");

static struct view reason_word(size_t reason)
{
	return reason < JWT_ERROR_COUNT ? view_of(jwt_error_text((enum jwt_error)reason))
	                                : other_reasons[reason - JWT_ERROR_COUNT];
}

/* JWT_OK is no reason, and the last one is for words that have no number. */
static size_t reason_number(const char *reason)
{
	for (size_t i = JWT_OK + 1; i < METRICS_REASONS - 1; i++)
		if (view_equal(reason_word(i), view_of(reason)))
			return i;
	return METRICS_REASONS - 1;
}

static void add(_Atomic uint64_t *number, uint64_t more)
{
	atomic_fetch_add_explicit(number, more, memory_order_relaxed);
}

static uint64_t read(const _Atomic uint64_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

/* ---- counting ---- */

void metrics_count(struct metrics *metrics, const struct metrics_request *request)
{
	size_t bucket = 0;
	int class = request->status / 100 - 1;
	while (request->total > bounds[bucket].microseconds)
		bucket++;
	if (class >= 0 && class < METRICS_CLASSES)
		add(&metrics->requests[request->route][class], 1);
	add(&metrics->durations[request->route][bucket], 1);
	add(&metrics->microseconds[request->route], (uint64_t)request->total);
	if (request->verification > 0)
		add(&metrics->verification, (uint64_t)request->verification);
	if (request->database > 0)
		add(&metrics->database, (uint64_t)request->database);
	if (request->outcome != OUTCOME_OK)
		add(&metrics->problems[request->outcome], 1);
	if (request->reason)
		add(&metrics->refused[reason_number(request->reason)], 1);
}

void metrics_add(struct metrics *metrics, enum counter counter, uint64_t more)
{
	if (more > 0)
		add(&metrics->counters[counter], more);
}

static bool all_below(const _Atomic uint64_t *numbers, size_t count, uint64_t max)
{
	for (size_t i = 0; i < count; i++)
		if (read(&numbers[i]) >= max)
			return false;
	return true;
}

bool metrics_is_plausible(const struct metrics *metrics, int64_t now)
{
	_Static_assert(sizeof *metrics % sizeof(uint64_t) == 0, "nothing but numbers");
	return all_below(&metrics->since, sizeof *metrics / sizeof(uint64_t), COUNT_MAX) &&
	       read(&metrics->since) <= (uint64_t)((now + DAY) / CLOCK_SECOND);
}

void metrics_begin(struct metrics *metrics, int64_t now)
{
	uint64_t none = 0;
	if (read(&metrics->since) == 0)
		atomic_compare_exchange_strong(&metrics->since, &none, (uint64_t)(now / CLOCK_SECOND));
}

/* ---- the layout ---- */

/* FNV-1a over every word that gives a number its meaning, in order. */
static void mix(uint64_t *hash, struct view word)
{
	for (size_t i = 0; i <= word.len; i++)
		*hash = (*hash ^ (i < word.len ? (unsigned char)word.ptr[i] : 0)) * UINT64_C(0x100000001b3);
}

uint64_t metrics_layout(void)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < METRICS_ROUTES; i++) {
		mix(&hash, methods[i]);
		mix(&hash, route_path(i));
	}
	for (size_t i = 0; i < METRICS_BUCKETS; i++)
		mix(&hash, bounds[i].seconds);
	for (size_t i = OUTCOME_OK + 1; i < OUTCOME_COUNT; i++)
		mix(&hash, outcome_row((enum outcome)i)->code);
	for (size_t i = 0; i < METRICS_REASONS; i++)
		mix(&hash, reason_word(i));
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		mix(&hash, counters[i].metric);
		mix(&hash, counters[i].labels);
	}
	return hash ^ sizeof(struct metrics);
}

/* ---- the text ---- */

static void write_head(struct buf *out, struct view metric, struct view type, struct view help)
{
	BUF_LIT(out, "# HELP ");
	buf_add(out, metric);
	buf_add_char(out, ' ');
	buf_add(out, help);
	BUF_LIT(out, "\n# TYPE ");
	buf_add(out, metric);
	buf_add_char(out, ' ');
	buf_add(out, type);
	buf_add_char(out, '\n');
}

static void write_name(struct buf *out, struct view metric, struct view labels)
{
	buf_add(out, metric);
	if (labels.len > 0) {
		buf_add_char(out, '{');
		buf_add(out, labels);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ' ');
}

static void write_number(struct buf *out, struct view metric, struct view labels, uint64_t number)
{
	write_name(out, metric, labels);
	buf_add_u64(out, number);
	buf_add_char(out, '\n');
}

static void write_seconds(struct buf *out, struct view metric, struct view labels, uint64_t microseconds)
{
	char text[40];
	int len = snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64 "\n", microseconds / 1000000,
	                   microseconds % 1000000);
	write_name(out, metric, labels);
	buf_add(out, (struct view){text, (size_t)len});
}

/* Nothing in a label needs an escape: all are our own words. */
enum { LABELS_MAX = 160 };

static struct view route_labels(size_t route, const char *more, struct view value, char ret[LABELS_MAX])
{
	struct view path = route_path(route);
	int len = snprintf(ret, LABELS_MAX, "method=\"%.*s\",route=\"%.*s\"%s%.*s%s", VIEW_ARGS(methods[route]),
	                   VIEW_ARGS(path), more, VIEW_ARGS(value), *more ? "\"" : "");
	return (struct view){ret, (size_t)len};
}

static void write_requests(const struct metrics *metrics, struct buf *out)
{
	static const struct view classes[METRICS_CLASSES] = {VIEW("1xx"), VIEW("2xx"), VIEW("3xx"), VIEW("4xx"),
	                                                     VIEW("5xx")};
	struct view metric = VIEW("todo_requests_total");
	char labels[LABELS_MAX];
	write_head(out, metric, VIEW("counter"), VIEW("Requests answered, by route and class of status."));
	for (size_t route = 0; route < METRICS_ROUTES; route++)
		for (size_t class = 1; class < METRICS_CLASSES; class ++)
			write_number(out, metric, route_labels(route, ",status=\"", classes[class], labels),
			             read(&metrics->requests[route][class]));
}

static void write_durations(const struct metrics *metrics, struct buf *out)
{
	char labels[LABELS_MAX];
	write_head(out, VIEW("todo_request_duration_seconds"), VIEW("histogram"),
	           VIEW("Time from a request's arrival to the end of its answer."));
	for (size_t route = 0; route < METRICS_ROUTES; route++) {
		uint64_t count = 0;
		for (size_t i = 0; i < METRICS_BUCKETS; i++) {
			count += read(&metrics->durations[route][i]);
			write_number(out, VIEW("todo_request_duration_seconds_bucket"),
			             route_labels(route, ",le=\"", bounds[i].seconds, labels), count);
		}
		struct view plain = route_labels(route, "", VIEW(""), labels);
		write_seconds(out, VIEW("todo_request_duration_seconds_sum"), plain,
		              read(&metrics->microseconds[route]));
		write_number(out, VIEW("todo_request_duration_seconds_count"), plain, count);
	}
}

static struct view one_label(const char *name, struct view value, char ret[LABELS_MAX])
{
	int len = snprintf(ret, LABELS_MAX, "%s=\"%.*s\"", name, VIEW_ARGS(value));
	return (struct view){ret, (size_t)len};
}

/* Outcomes with the same code are one line. */
static void write_problems(const struct metrics *metrics, struct buf *out)
{
	char labels[LABELS_MAX];
	write_head(out, VIEW("todo_problems_total"), VIEW("counter"),
	           VIEW("Answers that were problems, by their code."));
	for (size_t i = OUTCOME_OK + 1; i < OUTCOME_COUNT; i++) {
		struct view code = outcome_row((enum outcome)i)->code;
		uint64_t count = 0;
		bool written = false;
		for (size_t j = OUTCOME_OK + 1; j < OUTCOME_COUNT; j++) {
			if (!view_equal(outcome_row((enum outcome)j)->code, code))
				continue;
			written = written || j < i;
			count += read(&metrics->problems[j]);
		}
		if (!written)
			write_number(out, VIEW("todo_problems_total"), one_label("code", code, labels), count);
	}
}

static void write_refused(const struct metrics *metrics, struct buf *out)
{
	char labels[LABELS_MAX];
	write_head(out, VIEW("todo_credentials_refused_total"), VIEW("counter"),
	           VIEW("Requests without a good credential, by what was wrong with it."));
	for (size_t i = JWT_OK + 1; i < METRICS_REASONS; i++)
		write_number(out, VIEW("todo_credentials_refused_total"), one_label("reason", reason_word(i), labels),
		             read(&metrics->refused[i]));
}

static void write_counters(const struct metrics *metrics, struct buf *out)
{
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		if (i == 0 || !view_equal(counters[i].metric, counters[i - 1].metric))
			write_head(out, counters[i].metric, VIEW("counter"), counters[i].help);
		write_number(out, counters[i].metric, counters[i].labels, read(&metrics->counters[i]));
	}
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
	write_requests(metrics, out);
	write_durations(metrics, out);
	write_problems(metrics, out);
	write_refused(metrics, out);
	write_head(out, VIEW("todo_verification_seconds_total"), VIEW("counter"), VIEW("Time spent on credentials."));
	write_seconds(out, VIEW("todo_verification_seconds_total"), VIEW(""), read(&metrics->verification));
	write_head(out, VIEW("todo_database_seconds_total"), VIEW("counter"),
	           VIEW("Time spent waiting for the database."));
	write_seconds(out, VIEW("todo_database_seconds_total"), VIEW(""), read(&metrics->database));
	write_counters(metrics, out);
	write_head(out, VIEW("todo_counters_since_seconds"), VIEW("gauge"),
	           VIEW("When the counters began, as a Unix time."));
	write_number(out, VIEW("todo_counters_since_seconds"), VIEW(""), read(&metrics->since));
}
