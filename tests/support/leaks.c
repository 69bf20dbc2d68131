/* Asks the leak sanitizer while a test's process still lives. */
#include "support/leaks.h"

#include <criterion/criterion.h>

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
