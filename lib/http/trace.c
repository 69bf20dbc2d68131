/* Reads and writes traceparent. */
#include "http/trace.h"

#include <stdio.h>

static bool is_lower_hex(struct view text, bool zeros_too)
{
	bool zeros = true;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		zeros = zeros && c == '0';
	}
	return zeros_too || !zeros;
}

bool trace_read(struct view field, struct trace *ret)
{
	struct view text = view_trim(field);
	if (text.len < TRACE_TEXT)
		return false;
	struct view version = {text.ptr, 2};
	struct trace trace = {
	        .id = {text.ptr + 3, TRACE_ID_TEXT},
	        .parent = {text.ptr + 36, TRACE_PARENT_ID_TEXT},
	        .flags = {text.ptr + 53, 2},
	};
	if (text.ptr[2] != '-' || text.ptr[35] != '-' || text.ptr[52] != '-' || !is_lower_hex(version, true) ||
	    view_equal(version, VIEW("ff")) || !is_lower_hex(trace.id, false) || !is_lower_hex(trace.parent, false) ||
	    !is_lower_hex(trace.flags, true))
		return false;
	if (text.len > TRACE_TEXT && (view_equal(version, VIEW("00")) || text.ptr[TRACE_TEXT] != '-'))
		return false;
	*ret = trace;
	return true;
}

void trace_write(const struct trace *trace, struct view span, char ret[TRACE_TEXT + 1])
{
	snprintf(ret, TRACE_TEXT + 1, "00-%.*s-%.*s-%.*s", VIEW_ARGS(trace->id), VIEW_ARGS(span),
	         VIEW_ARGS(trace->flags));
}
