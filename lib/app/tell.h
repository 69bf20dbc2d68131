/* What is told of a request, and to whom: its client (Server-Timing), the log, and the
 * machine's counters.
 */
#ifndef APP_TELL_H
#define APP_TELL_H

#include "app/app.h"

enum { TELL_NOTES_MAX = 16 * 1024 };

/* Adds Server-Timing to an answer that has not left yet. */
void tell_timing(struct exchange *x, enum outcome outcome);

/* Counts a request whose answer has left, and writes its line of the log, unless
 * LOG_REQUESTS is off. `outcome` is what became of it. */
void tell_request(const struct exchange *x, enum outcome outcome);

/* Logs what keys, database and machine had to say since the last call: none of them
 * logs by itself. Counts the lines that the log has lost by now. */
void tell_notes(struct app *app);

#endif
