/* The record of one request: its line in the log.
 *
 * Everything in it is a word of ours, a number, or text whose every character
 * was checked: what a client sent can neither break the line nor put words into
 * it. The raw path, the query, titles, tokens and addresses of mail have no
 * place here.
 */
#ifndef APP_RECORD_H
#define APP_RECORD_H

#include "base/buf.h"

/* ABSENT is null. Times are microseconds. */
struct record {
	struct view request_id;
	struct view client_request_id; /* of the form that http/request.h admits */
	struct view trace_id;          /* of a valid traceparent */
	struct view method;
	struct view route; /* the path of routes.def, or "-" */
	int status;
	struct view user;   /* a pseudonym */
	struct view client; /* an address as LOG_CLIENT has it */
	struct view reason; /* why a credential was refused, else the code of the problem */
	int64_t total;
	int64_t verification;
	int64_t database;
};

enum { RECORD_MAX = 2048 };

/* Appends the members, for log_members(). */
void record_write(const struct record *record, struct buf *out);

/* Appends the times as the value of Server-Timing (W3C Server Timing), in milliseconds. */
void record_write_timing(const struct record *record, struct buf *out);

#endif
