/* Waiting for a connection's socket, and what is known of a pipeline that never left. */
#include "db/pipeline.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/leaks.h"

TestSuite(pipeline, .fini = leaks_check);

static int ends[2];

static int64_t in_a_minute(void)
{
	return clock_monotonic() + 60 * CLOCK_SECOND;
}

Test(pipeline, waits_for_what_it_was_told)
{
	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(pipeline_wait(ends[1], POLLOUT, in_a_minute()), PIPELINE_DONE);
	cr_expect_eq(pipeline_wait(ends[0], POLLIN, clock_monotonic() + CLOCK_SECOND / 100), PIPELINE_LATE);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect_eq(pipeline_wait(ends[0], POLLIN, in_a_minute()), PIPELINE_DONE);
}

Test(pipeline, does_not_look_when_the_time_is_over)
{
	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(pipeline_wait(ends[1], POLLOUT, clock_monotonic()), PIPELINE_LATE);
}

/* poll() would sleep on one that is closed until the time is over. */
Test(pipeline, does_not_wait_where_there_is_nothing_to_wait_for)
{
	cr_expect_eq(pipeline_wait(-1, POLLIN, in_a_minute()), PIPELINE_LOST);
}

Test(pipeline, does_not_wait_where_the_system_lets_it_not)
{
	struct rlimit usual, none;
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &usual), 0);
	none = (struct rlimit){0, usual.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	enum pipeline_end end = pipeline_wait(ends[0], POLLIN, in_a_minute());
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &usual), 0);
	cr_expect_eq(end, PIPELINE_LOST);
}

static void on_alarm(int signal)
{
	static int times;
	(void)signal;
	if (++times == 3 && write(ends[1], "x", 1) != 1)
		_exit(1);
}

Test(pipeline, waits_on_after_a_signal)
{
	const struct itimerval soon = {{0, 1000}, {0, 1000}};
	const struct sigaction action = {.sa_handler = on_alarm};
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	cr_assert_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
	cr_expect_eq(pipeline_wait(ends[0], POLLIN, in_a_minute()), PIPELINE_DONE);
}

/* So a write that met no connection may be said to be undone. */
Test(pipeline, says_that_nothing_was_synced_when_nothing_could_be_sent)
{
	const struct step step = {.sql = "SELECT 1"};
	struct pipeline_fault fault = {.synced = true};
	char of_before;
	PGresult *result = (PGresult *)&of_before;
	cr_expect_eq(pipeline_run(NULL, &step, 1, in_a_minute(), &result, &fault), PIPELINE_LOST);
	cr_expect_not(fault.synced);
	cr_expect_null(result);
}

Test(pipeline, does_not_send_more_values_than_a_step_has_room_for)
{
	const struct view values[8 * STEP_VALUES_MAX] = {0};
	const struct step step = {.sql = "SELECT 1", .values = values, .count = 8 * STEP_VALUES_MAX};
	struct pipeline_fault fault = {.synced = true};
	PGresult *result;
	cr_expect_eq(pipeline_run(NULL, &step, 1, in_a_minute(), &result, &fault), PIPELINE_LOST);
	cr_expect_not(fault.synced);
}
