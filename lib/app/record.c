/* Writes records of requests. */
#include "app/record.h"

#include <inttypes.h>
#include <stdio.h>

static void add_text(struct buf *out, struct view name, struct view value)
{
	buf_add(out, name);
	if (view_is_absent(value))
		BUF_LIT(out, "null");
	else
		buf_add_json(out, value);
}

static void add_number(struct buf *out, struct view name, int64_t number)
{
	buf_add(out, name);
	buf_add_u64(out, number > 0 ? (uint64_t)number : 0);
}

void record_write(const struct record *record, struct buf *out)
{
	add_text(out, VIEW("\"request_id\":"), record->request_id);
	add_text(out, VIEW(",\"client_request_id\":"), record->client_request_id);
	add_text(out, VIEW(",\"trace_id\":"), record->trace_id);
	add_text(out, VIEW(",\"method\":"), record->method);
	add_text(out, VIEW(",\"route\":"), record->route);
	add_number(out, VIEW(",\"status\":"), record->status);
	add_text(out, VIEW(",\"user\":"), record->user);
	add_text(out, VIEW(",\"client\":"), record->client);
	add_text(out, VIEW(",\"reason\":"), record->reason);
	add_number(out, VIEW(",\"total_us\":"), record->total);
	add_number(out, VIEW(",\"verification_us\":"), record->verification);
	add_number(out, VIEW(",\"database_us\":"), record->database);
}

static void add_milliseconds(struct buf *out, struct view name, int64_t microseconds)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, microseconds / 1000, microseconds % 1000);
	buf_add(out, name);
	buf_add(out, (struct view){text, (size_t)len});
}

void record_write_timing(const struct record *record, struct buf *out)
{
	add_milliseconds(out, VIEW("total;dur="), record->total);
	add_milliseconds(out, VIEW(", verification;dur="), record->verification);
	add_milliseconds(out, VIEW(", database;dur="), record->database);
}
