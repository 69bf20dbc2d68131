/* traceparent: read as W3C Trace Context §3.2 has it, and passed on. */
#include <criterion/criterion.h>

#include "http/trace.h"
#include "support/leaks.h"

TestSuite(http_trace, .fini = leaks_check);

#define ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

Test(http_trace, reads_a_valid_one)
{
	static const char *const cases[] = {
	        "00-" ID "-" PARENT "-01",  " 00-" ID "-" PARENT "-01\t",
	        "cc-" ID "-" PARENT "-01",  "cc-" ID "-" PARENT "-01-what-the-future-brings",
	        "cc-" ID "-" PARENT "-01-",
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct trace trace;
		cr_assert(trace_read(view_of(cases[i]), &trace), "%s", cases[i]);
		cr_expect(view_equal(trace.id, VIEW(ID)), "%s", cases[i]);
		cr_expect(view_equal(trace.parent, VIEW(PARENT)), "%s", cases[i]);
		cr_expect(view_equal(trace.flags, VIEW("01")), "%s", cases[i]);
	}
}

Test(http_trace, takes_nothing_else)
{
	static const char *const cases[] = {
	        "",
	        "00",
	        "00-" ID "-" PARENT "-0",
	        "00-" ID "-" PARENT "-011",
	        "00-" ID "-" PARENT "-01-",
	        "00-" ID "-" PARENT "-01-more",
	        "cc-" ID "-" PARENT "-01.more",
	        "ff-" ID "-" PARENT "-01",
	        "0x-" ID "-" PARENT "-01",
	        "00-00000000000000000000000000000000-" PARENT "-01",
	        "00-" ID "-0000000000000000-01",
	        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
	        "00-" ID "-B7AD6B7169203331-01",
	        "00-" ID "-" PARENT "-0G",
	        "00_" ID "-" PARENT "-01",
	        "00-" ID "_" PARENT "-01",
	        "00-" ID "-" PARENT "_01",
	        "00-" ID "-" PARENT "-01, 00-" ID "-" PARENT "-01",
	        "00-0af7651916cd43dd8448eb211c80319\"-" PARENT "-01",
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct trace trace = {.id = VIEW("untouched")};
		cr_expect_not(trace_read(view_of(cases[i]), &trace), "%s", cases[i]);
		cr_expect(view_equal(trace.id, VIEW("untouched")), "%s", cases[i]);
	}
	struct trace trace;
	cr_expect_not(trace_read(ABSENT, &trace));
}

Test(http_trace, is_passed_on_with_our_own_part)
{
	struct trace trace;
	char text[TRACE_TEXT + 1];
	cr_assert(trace_read(VIEW("cc-" ID "-" PARENT "-03-more"), &trace));
	trace_write(&trace, VIEW("00f067aa0ba902b7"), text);
	cr_expect_str_eq(text, "00-" ID "-00f067aa0ba902b7-03");
}
