/* traceparent: taken exactly when it fits the grammar, and the same trace is passed on. */
#include "fuzz/fuzz.h"
#include "fuzz/second.h"
#include "http/trace.h"

static bool second_takes(struct view text)
{
	return second_matches(text, "(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|"
	                            "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(.|\n)*)?)") &&
	       !second_matches(text, "(ff|00-.{52}-|..-0{32}-|..-.{32}-0{16}-)(.|\n)*");
}

void fuzz_one(struct view input)
{
	char text[TRACE_TEXT + 1];
	struct trace trace;
	struct trace again;
	bool good = trace_read(input, &trace);
	/* NUL can't come in a parameter, and is no character to regex. */
	if (view_find(input, '\0') < input.len)
		return;
	HOLDS(good == second_takes(view_trim(input)));
	if (!good)
		return;
	trace_write(&trace, trace.parent, text);
	HOLDS(trace_read(view_of(text), &again));
	HOLDS(view_equal(again.id, trace.id) && view_equal(again.parent, trace.parent) &&
	      view_equal(again.flags, trace.flags));
}
