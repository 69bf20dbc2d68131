/* Counters and their text, read back by the rules of Prometheus' text format. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/metrics.h"
#include "base/clock.h"
#include "support/leaks.h"

TestSuite(metrics, .fini = leaks_check);

static struct metrics metrics;

#define NOW (INT64_C(1800000000) * CLOCK_SECOND)

static bool is_name(struct view name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!(name.ptr[i] >= 'a' && name.ptr[i] <= 'z') && name.ptr[i] != '_')
			return false;
	return name.len > 0;
}

/* name="value",…  without escapes, since no label of ours needs one. */
static bool are_labels(struct view labels)
{
	for (struct view rest = labels; !view_is_absent(rest);) {
		struct view value = rest;
		struct view name = view_cut(&value, '=');
		if (!is_name(name) || value.len < 2 || value.ptr[0] != '"')
			return false;
		value = view_from(value, 1);
		size_t end = view_find(value, '"');
		if (end == value.len || view_has_control((struct view){value.ptr, end}) ||
		    view_find((struct view){value.ptr, end}, '\\') != end)
			return false;
		rest = view_from(value, end + 1);
		if (rest.len == 0)
			break;
		if (rest.ptr[0] != ',')
			return false;
		rest = view_from(rest, 1);
	}
	return true;
}

/* The metric that a sample belongs to: of a histogram, without its ending. */
static bool belongs(struct view name, struct view metric, bool histogram)
{
	static const struct view endings[] = {VIEW("_bucket"), VIEW("_sum"), VIEW("_count")};
	if (!histogram)
		return view_equal(name, metric);
	for (size_t i = 0; i < 3; i++)
		if (view_starts(name, metric) && view_equal(view_from(name, metric.len), endings[i]))
			return true;
	return false;
}

/* Writes the text and checks its every line; the value of `sample`, or -1. */
static double value_of(const char *sample)
{
	struct buf text = buf_make(METRICS_TEXT_MAX);
	struct view metric = ABSENT;
	bool histogram = false;
	double found = -1;
	size_t samples = 0;
	metrics_write(&metrics, &text);
	cr_assert(buf_ok(&text));
	cr_expect_eq(text.ptr[text.len - 1], '\n');
	struct view rest = {text.ptr, text.len - 1};
	while (!view_is_absent(rest)) {
		struct view line = view_cut(&rest, '\n');
		if (view_starts(line, VIEW("# HELP "))) {
			struct view words = view_from(line, 7);
			metric = view_cut(&words, ' ');
			cr_expect(is_name(metric) && words.len > 0, "%.*s", VIEW_ARGS(line));
			line = view_cut(&rest, '\n');
			cr_assert(view_starts(line, VIEW("# TYPE ")), "%.*s", VIEW_ARGS(line));
			words = view_from(line, 7);
			cr_expect(view_equal(view_cut(&words, ' '), metric));
			histogram = view_equal(words, VIEW("histogram"));
			cr_expect(histogram || view_equal(words, VIEW("counter")) || view_equal(words, VIEW("gauge")));
			continue;
		}
		size_t space = line.len;
		while (space > 0 && line.ptr[space - 1] != ' ')
			space--;
		cr_assert(space > 1, "%.*s", VIEW_ARGS(line));
		struct view name = {line.ptr, space - 1};
		struct view labels = name;
		struct view base = view_cut(&labels, '{');
		cr_expect(belongs(base, metric, histogram), "%.*s", VIEW_ARGS(line));
		if (!view_is_absent(labels)) {
			cr_assert_eq(labels.ptr[labels.len - 1], '}');
			labels.len--;
			cr_expect(are_labels(labels), "%.*s", VIEW_ARGS(line));
		}
		char *end = NULL;
		double value = strtod(line.ptr + space, &end);
		cr_expect(end == line.ptr + line.len, "%.*s", VIEW_ARGS(line));
		samples++;
		if (view_equal(name, view_of(sample))) {
			cr_expect_eq(found, -1, "twice: %s", sample);
			found = value;
		}
	}
	cr_expect_gt(samples, 100);
	buf_destroy(&text);
	return found;
}

static void count(enum route route, int status, enum outcome outcome, const char *reason, int64_t total)
{
	const struct metrics_request request = {route, status, outcome, reason, total, 10, 20};
	metrics_count(&metrics, &request);
}

#define LIST "method=\"GET\",route=\"/api/{user_id}/tasks\""

Test(metrics, counts_by_route_and_class_of_status)
{
	count(ROUTE_TASK_LIST, 200, OUTCOME_OK, NULL, 1);
	count(ROUTE_TASK_LIST, 304, OUTCOME_OK, NULL, 1);
	count(ROUTE_TASK_LIST, 204, OUTCOME_OK, NULL, 1);
	count(ROUTE_COUNT, 404, OUTCOME_NO_SUCH_PATH, NULL, 1);
	cr_expect_eq(value_of("todo_requests_total{" LIST ",status=\"2xx\"}"), 2);
	cr_expect_eq(value_of("todo_requests_total{" LIST ",status=\"3xx\"}"), 1);
	cr_expect_eq(value_of("todo_requests_total{" LIST ",status=\"5xx\"}"), 0);
	cr_expect_eq(value_of("todo_requests_total{method=\"-\",route=\"-\",status=\"4xx\"}"), 1);
}

Test(metrics, counts_problems_by_code_and_refusals_by_reason)
{
	count(ROUTE_TASK_LIST, 401, OUTCOME_TOKEN_INVALID, "bad_signature", 1);
	count(ROUTE_TASK_LIST, 401, OUTCOME_UNAUTHENTICATED, "no_token", 1);
	count(ROUTE_TASK_LIST, 401, OUTCOME_TOKEN_INVALID, "a word nobody knows", 1);
	count(ROUTE_TASK_LIST, 404, OUTCOME_NO_SUCH_TASK, NULL, 1);
	/* Two outcomes share that code, and are one line. */
	cr_expect_eq(value_of("todo_problems_total{code=\"unauthorized\"}"), 3);
	cr_expect_eq(value_of("todo_problems_total{code=\"task_not_found\"}"), 1);
	cr_expect_eq(value_of("todo_credentials_refused_total{reason=\"bad_signature\"}"), 1);
	cr_expect_eq(value_of("todo_credentials_refused_total{reason=\"no_token\"}"), 1);
	cr_expect_eq(value_of("todo_credentials_refused_total{reason=\"other\"}"), 1);
}

Test(metrics, every_refusal_of_a_token_has_a_line)
{
	for (enum jwt_error error = JWT_OK + 1; error < JWT_ERROR_COUNT; error++) {
		char sample[120];
		count(ROUTE_ME, 401, OUTCOME_TOKEN_INVALID, jwt_error_text(error), 1);
		snprintf(sample, sizeof sample, "todo_credentials_refused_total{reason=\"%s\"}", jwt_error_text(error));
		cr_expect_eq(value_of(sample), 1, "%s", sample);
	}
}

Test(metrics, durations_are_a_cumulative_histogram)
{
	count(ROUTE_TASK_LIST, 200, OUTCOME_OK, NULL, 1000);
	count(ROUTE_TASK_LIST, 200, OUTCOME_OK, NULL, 1001);
	count(ROUTE_TASK_LIST, 200, OUTCOME_OK, NULL, 9999999);
	count(ROUTE_TASK_LIST, 200, OUTCOME_OK, NULL, 60000000);
	static const struct {
		const char *bound;
		double count;
	} cases[] = {{"0.001", 1}, {"0.0025", 2}, {"1", 2}, {"5", 2}, {"10", 3}, {"+Inf", 4}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char sample[160];
		snprintf(sample, sizeof sample, "todo_request_duration_seconds_bucket{" LIST ",le=\"%s\"}",
		         cases[i].bound);
		cr_expect_eq(value_of(sample), cases[i].count, "%s", sample);
	}
	cr_expect_eq(value_of("todo_request_duration_seconds_count{" LIST "}"), 4);
	cr_expect_float_eq(value_of("todo_request_duration_seconds_sum{" LIST "}"), 70.002, 0.0000001);
	cr_expect_float_eq(value_of("todo_verification_seconds_total"), 0.00004, 0.0000001);
	cr_expect_float_eq(value_of("todo_database_seconds_total"), 0.00008, 0.0000001);
}

Test(metrics, counters_of_their_own_add_up)
{
	metrics_add(&metrics, COUNTER_LIMITED_ADDRESS, 3);
	metrics_add(&metrics, COUNTER_DATABASE_RETRIES, 2);
	metrics_add(&metrics, COUNTER_DATABASE_RETRIES, 2);
	cr_expect_eq(value_of("todo_rate_limited_total{limit=\"address\"}"), 3);
	cr_expect_eq(value_of("todo_rate_limited_total{limit=\"user\"}"), 0);
	cr_expect_eq(value_of("todo_database_retries_total"), 4);
}

Test(metrics, tell_since_when_they_count)
{
	metrics_begin(&metrics, NOW);
	metrics_begin(&metrics, NOW + CLOCK_SECOND);
	cr_expect_eq(value_of("todo_counters_since_seconds"), 1800000000);
}

Test(metrics, the_worst_numbers_are_still_text)
{
	memset((void *)&metrics, 0xff, sizeof metrics);
	cr_expect_gt(value_of("todo_database_retries_total"), 1e19);
}

Test(metrics, numbers_that_nobody_can_have_counted_are_seen)
{
	_Atomic uint64_t *numbers = (_Atomic uint64_t *)&metrics;
	cr_expect(metrics_is_plausible(&metrics, NOW));
	for (size_t i = 0; i < sizeof metrics / sizeof *numbers; i++) {
		atomic_store(&numbers[i], UINT64_C(1) << 53);
		cr_expect_not(metrics_is_plausible(&metrics, NOW), "number %zu", i);
		atomic_store(&numbers[i], 0);
	}
	metrics_begin(&metrics, NOW + 2 * 86400 * CLOCK_SECOND);
	cr_expect_not(metrics_is_plausible(&metrics, NOW));
}
