/* Asks the leak sanitizer while a test's process still lives, and makes what a
 * teardown finds count. */
#include "support/leaks.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_SEEN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_SEEN 1
#endif
#endif

#ifdef LEAKS_SEEN
#include <sanitizer/lsan_interface.h>

void leaks_check(void)
{
	cr_assert(__lsan_do_recoverable_leak_check() == 0, "the test leaked memory");
}
#else
void leaks_check(void)
{
}
#endif

static size_t failed_late;

ReportHook(POST_FINI)(struct criterion_test_stats *test)
{
	if (test->test_status != CR_STATUS_PASSED || test->failed_asserts == 0)
		return;
	fprintf(stderr, "[FAIL] %s::%s: in its teardown\n", test->test->category, test->test->name);
	failed_late++;
}

ReportHook(POST_ALL)(struct criterion_global_stats *all)
{
	all->tests_passed -= failed_late;
	all->tests_failed += failed_late;
}
