/* The log: one line to standard error in one write(2).
 *
 * Only lib/app and the programs write it; the rest of the library returns
 * errors. A message may hold anything a client sent: controls, line and
 * paragraph separators and bytes that are no UTF-8 are escaped, so one call is
 * one line and no line can be forged. A line has at most LOG_LINE_MAX bytes,
 * which a pipe takes whole, so lines of several processes do not mix; a longer
 * message is cut and ends in "...".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/view.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* LOG_PLAIN: 2026-01-31T08:00:00.000000Z tasks[4711] error: the message
 * LOG_JSON:  {"time":"2026-…Z","level":"error","program":"tasks","pid":4711,"message":"…"} */
enum log_format { LOG_PLAIN, LOG_JSON };

enum { LOG_LINE_MAX = 4096, LOG_PROGRAM_MAX = 255 };

/* Sets the program's name, the form and the lowest level that is written, for
 * this process; a child that is forked calls it again, or its lines bear its
 * parent's pid. `program` must live as long as the process; one over LOG_PROGRAM_MAX
 * bytes is left out. Without the call: no name, no pid, LOG_PLAIN, LOG_LEVEL_INFO. */
void log_open(const char *program, enum log_format format, enum log_level lowest);

/* Writes one line. One that can't be written is lost, also where whoever reads the
 * log has stopped: that stops nobody here. When there is room again, the first line
 * tells how many were. */
void log_line(enum log_level level, struct view message);

/* Writes one line of JSON, whatever the form, with `members` in the place of the
 * message: "name":value pairs with commas between, and no control characters.
 * Members that would make the line too long are not written at all. */
void log_members(enum log_level level, struct view members);

/* Lines that could not be written since log_open(). */
uint64_t log_lost(void);

#endif
