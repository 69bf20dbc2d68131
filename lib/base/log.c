/* The log: escaping, and one write per line. */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/utf8.h"

static struct view log_program = VIEW("");
static enum log_format log_form = LOG_PLAIN;
static enum log_level log_lowest = LOG_LEVEL_INFO;
static char log_pid[24];

/* How long a line waits for a reader who has stopped, in milliseconds; those after it
 * do not wait, until there is room again. */
enum { PATIENCE = 100 };
static bool log_has_reader;     /* at the other end of a pipe or socket, and not a file */
static uint64_t log_lines_lost; /* since log_open() … */
static uint64_t log_untold;     /* … and since the log told of some */

static const struct view LEVELS[] = {
        [LOG_LEVEL_DEBUG] = VIEW("debug"),
        [LOG_LEVEL_INFO] = VIEW("info"),
        [LOG_LEVEL_WARNING] = VIEW("warning"),
        [LOG_LEVEL_ERROR] = VIEW("error"),
};

/* A line under construction, without memory of its own to ask for. */
struct line {
	char text[LOG_LINE_MAX];
	size_t len;
};

void log_open(const char *program, enum log_format format, enum log_level lowest)
{
	log_program = strlen(program) <= LOG_PROGRAM_MAX ? view_of(program) : VIEW("");
	log_form = format;
	log_lowest = lowest;
	log_lines_lost = log_untold = 0;
	snprintf(log_pid, sizeof(log_pid), "%ld", (long)getpid());

	struct stat stat;
	log_has_reader = fstat(STDERR_FILENO, &stat) == 0 && (S_ISFIFO(stat.st_mode) || S_ISSOCK(stat.st_mode));
}

/* False when `v` does not leave room for `spare` bytes more. */
static bool line_add(struct line *line, struct view v, size_t spare)
{
	if (v.len + spare > sizeof(line->text) - line->len)
		return false;
	if (v.len > 0)
		memcpy(line->text + line->len, v.ptr, v.len);
	line->len += v.len;
	return true;
}

/* The length of the UTF-8 character at the front, or 0 when there is none. */
static size_t character_length(struct view v)
{
	for (size_t len = 1; len <= 4 && len <= v.len; len++) {
		if (utf8_valid((struct view){v.ptr, len}))
			return len;
	}
	return 0;
}

/* U+2028 and U+2029, which some readers take for the end of a line. */
static bool is_separator(struct view character)
{
	return view_equal(character, VIEW("\xe2\x80\xa8")) || view_equal(character, VIEW("\xe2\x80\xa9"));
}

/* A byte that belongs to no UTF-8 character; JSON has no way to say which. */
static struct view escape_byte(char bad, bool json, char out[8])
{
	if (json)
		return VIEW("\\ufffd");
	memcpy(out, "\\x", 2);
	out[2] = HEX_DIGITS[(unsigned char)bad >> 4];
	out[3] = HEX_DIGITS[(unsigned char)bad & 15];
	return (struct view){out, 4};
}

/* Escapes one character in JSON's manner, which the plain form shares. */
static struct view escape(struct view character, char out[8])
{
	const unsigned char *byte = (const unsigned char *)character.ptr;
	unsigned int code = character.len == 1   ? byte[0]
	                    : character.len == 2 ? (byte[0] & 0x1fu) << 6 | (byte[1] & 0x3fu)
	                                         : 0x2000u | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu);

	if (code == '\\' || code == '"') {
		out[0] = '\\';
		out[1] = (char)code;
		return (struct view){out, 2};
	}
	memcpy(out, "\\u", 2);
	for (int i = 0; i < 4; i++)
		out[2 + i] = HEX_DIGITS[code >> (12 - 4 * i) & 15];
	return (struct view){out, 6};
}

/* Adds the message, leaving `spare` bytes for what follows it. */
static void line_add_message(struct line *line, struct view message, bool json, size_t spare)
{
	const struct view cut = VIEW("...");

	while (message.len > 0) {
		size_t len = character_length(message);
		struct view part = {message.ptr, len > 0 ? len : 1};
		char escaped[8];

		message = view_from(message, part.len);
		if (len == 0)
			part = escape_byte(*part.ptr, json, escaped);
		else if (view_has_control(part) || is_separator(part) || *part.ptr == '\\' ||
		         (json && *part.ptr == '"'))
			part = escape(part, escaped);
		if (!line_add(line, part, spare + cut.len)) {
			line_add(line, cut, spare);
			return;
		}
	}
}

/* Room in a pipe is at least a page, so what poll(2) promises a whole line has. */
static bool has_room(void)
{
	struct pollfd polled = {.fd = STDERR_FILENO, .events = POLLOUT};

	return !log_has_reader || poll(&polled, 1, log_untold > 0 ? 0 : PATIENCE) != 0;
}

/* False: the line is lost. */
static bool line_write(const struct line *line)
{
	ssize_t put;

	if (!has_room())
		return false;
	do
		put = write(STDERR_FILENO, line->text, line->len);
	while (put < 0 && errno == EINTR);
	return put == (ssize_t)line->len;
}

/* What a line begins with, in JSON up to and with the last comma. */
static void line_add_head(struct line *line, enum log_level level, bool json)
{
	char time[CLOCK_TEXT_MICROS + 1];

	clock_format_micros(clock_now(), time);
	const struct view parts[] = {
	        json ? VIEW("{\"time\":\"") : VIEW(""),
	        view_of(time),
	        json ? VIEW("\",\"level\":\"") : VIEW(" "),
	        json ? LEVELS[level] : log_program,
	        json ? VIEW("\",\"program\":\"") : VIEW("["),
	        json ? log_program : view_of(log_pid),
	        json ? VIEW("\",\"pid\":") : VIEW("] "),
	        json ? view_of(log_pid) : LEVELS[level],
	        json ? VIEW(",") : VIEW(": "),
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		line_add(line, parts[i], 0);
}

/* `before` stands before the line. */
static bool message_write(struct view before, enum log_level level, struct view message)
{
	struct line line = {.len = 0};
	bool json = log_form == LOG_JSON;
	struct view tail = json ? VIEW("\"}\n") : VIEW("\n");

	line_add(&line, before, 0);
	line_add_head(&line, level, json);
	line_add(&line, json ? VIEW("\"message\":\"") : VIEW(""), LOG_LINE_MAX / 4);
	line_add_message(&line, message, json, tail.len);
	line_add(&line, tail, 0);
	return line_write(&line);
}

/* The line that tells of lost ones is none of them. A full disk may have taken half of
 * one, which must not swallow it. */
static void tell_lost(void)
{
	char text[96];

	if (log_untold == 0 || !has_room())
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " lines of the log were lost: nobody read them, or there was no room",
	         log_untold);
	if (message_write(log_has_reader ? VIEW("") : VIEW("\n"), LOG_LEVEL_WARNING, view_of(text)))
		log_untold = 0;
}

static void count_lost(void)
{
	log_lines_lost++;
	log_untold++;
}

void log_line(enum log_level level, struct view message)
{
	if (level < log_lowest)
		return;
	tell_lost();
	if (!message_write(VIEW(""), level, message))
		count_lost();
}

void log_members(enum log_level level, struct view members)
{
	struct line line = {.len = 0};
	struct view tail = VIEW("}\n");

	if (level < log_lowest)
		return;
	tell_lost();
	line_add_head(&line, level, true);
	if (!line_add(&line, members, tail.len))
		line_add(&line, VIEW("\"message\":\"a line that was too long\""), tail.len);
	line_add(&line, tail, 0);
	if (!line_write(&line))
		count_lost();
}

uint64_t log_lost(void)
{
	return log_lines_lost;
}
