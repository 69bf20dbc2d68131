/* The log: one call is one line, whatever the message holds. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "support/leaks.h"

TestSuite(log, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { ROOM = 2 * LOG_LINE_MAX };

/* What one call writes, taken from a packet pipe: each read(2) gives what one
 * write(2) put in, so a line written in pieces would be seen. */
static size_t capture_of(void (*write_line)(enum log_level level, struct view text), enum log_level level,
                         struct view message, char out[ROOM])
{
	int ends[2];
	int saved = dup(STDERR_FILENO);

	cr_assert_eq(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	write_line(level, message);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	ssize_t len = read(ends[0], out, ROOM);
	char more;
	cr_expect_eq(read(ends[0], &more, 1), 0, "more than one write");
	close(ends[0]);
	cr_assert(len >= 0);
	return (size_t)len;
}

static size_t capture(enum log_level level, struct view message, char out[ROOM])
{
	return capture_of(log_line, level, message, out);
}

/* The message's part of a plain line, without its line feed. */
static struct view plain(struct view message, char out[ROOM])
{
	const struct view mark = VIEW("] info: ");
	size_t len = capture(LOG_LEVEL_INFO, message, out);
	const char *at = memmem(out, len, mark.ptr, mark.len);

	cr_assert_not_null(at);
	cr_assert_eq(out[len - 1], '\n');
	at += mark.len;
	return (struct view){at, len - (size_t)(at - out) - 1};
}

Test(log, writes_a_plain_line)
{
	char line[ROOM];
	char rest[ROOM];
	int64_t before = clock_now();

	log_open("tasks", LOG_PLAIN, LOG_LEVEL_INFO);
	struct view text = {line, capture(LOG_LEVEL_ERROR, VIEW("the \"message\""), line)};
	int64_t instant = 0;
	cr_assert(clock_parse(view_cut(&text, ' '), &instant));
	cr_expect(instant >= before && instant <= clock_now());
	int len = snprintf(rest, sizeof(rest), "tasks[%d] error: the \"message\"\n", (int)getpid());
	cr_expect(view_equal(text, (struct view){rest, (size_t)len}));
}

Test(log, writes_a_json_line)
{
	struct arena arena;
	char line[ROOM];
	const cJSON *tree = NULL;
	int64_t pid = 0;

	cr_assert(arena_init(&arena, 65536));
	log_open("tasks", LOG_JSON, LOG_LEVEL_INFO);
	size_t len = capture(LOG_LEVEL_WARNING, VIEW("a \"b\" \\ c\n\xff \xc3\xa9"), line);
	cr_assert_eq(line[len - 1], '\n');
	cr_assert_null(memchr(line, '\n', len - 1));
	cr_assert_eq(json_parse(&arena, (struct view){line, len}, &tree), JSON_OK);
	cr_expect(view_equal(json_member_text(tree, "level"), VIEW("warning")));
	cr_expect(view_equal(json_member_text(tree, "program"), VIEW("tasks")));
	cr_expect(view_equal(json_member_text(tree, "message"), VIEW("a \"b\" \\ c\n\xef\xbf\xbd \xc3\xa9")));
	cr_expect(json_to_integer(json_member(tree, "pid"), &pid) && pid == getpid());
	cr_expect_eq(json_member_text(tree, "time").len, CLOCK_TEXT_MICROS);
	arena_destroy(&arena);
}

Test(log, leaves_out_a_program_name_that_is_too_long)
{
	static const size_t lengths[] = {LOG_PROGRAM_MAX, LOG_PROGRAM_MAX + 1, LOG_LINE_MAX / 2 - 80, LOG_LINE_MAX};
	char name[LOG_LINE_MAX + 1];
	char line[ROOM];

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct arena arena;
		const cJSON *tree = NULL;

		memset(name, 'n', lengths[i]);
		name[lengths[i]] = '\0';
		cr_assert(arena_init(&arena, 65536));
		log_open(name, LOG_JSON, LOG_LEVEL_INFO);
		size_t len = capture(LOG_LEVEL_INFO, VIEW("text"), line);
		cr_assert_eq(json_parse(&arena, (struct view){line, len}, &tree), JSON_OK, "%zu", lengths[i]);
		cr_expect_eq(json_member_text(tree, "program").len, i == 0 ? LOG_PROGRAM_MAX : 0, "%zu", lengths[i]);
		cr_expect(view_equal(json_member_text(tree, "message"), VIEW("text")), "%zu", lengths[i]);
		arena_destroy(&arena);
	}
}

Test(log, escapes_what_could_forge_a_line)
{
	static const struct {
		struct view message;
		const char *text;
	} cases[] = {
	        {{"a\nb", 3}, "a\\u000ab"},
	        {{"a\r\nb", 4}, "a\\u000d\\u000ab"},
	        {{"a\0b", 3}, "a\\u0000b"},
	        {{"\x1b[31m\x7f\t", 7}, "\\u001b[31m\\u007f\\u0009"},
	        {{"\xc2\x85\xc2\x9b", 4}, "\\u0085\\u009b"},
	        {{"\xe2\x80\xa8\xe2\x80\xa9", 6}, "\\u2028\\u2029"},
	        {{"\\n \\u000a", 9}, "\\\\n \\\\u000a"},
	        {{"\xff\xc3", 2}, "\\xff\\xc3"},
	        {{"\xc0\x8a", 2}, "\\xc0\\x8a"},
	        {{"\xc3\xa9 \xe2\x80\xa6 \xf0\x9f\x98\x80 \"", 13}, "\xc3\xa9 \xe2\x80\xa6 \xf0\x9f\x98\x80 \""},
	        {{NULL, 0}, ""},
	};
	char line[ROOM];

	log_open("tasks", LOG_PLAIN, LOG_LEVEL_INFO);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct view got = plain(cases[i].message, line);

		cr_expect(view_equal(got, view_of(cases[i].text)), "case %zu: %.*s", i, VIEW_ARGS(got));
	}
}

Test(log, cuts_long_messages_between_characters)
{
	static const char *const units[] = {"x", "\n", "\xff", "\xc3\xa9", "\xf0\x9f\x98\x80", "\""};

	for (int format = LOG_PLAIN; format <= LOG_JSON; format++) {
		log_open("tasks", (enum log_format)format, LOG_LEVEL_INFO);
		for (size_t i = 0; i < COUNT(units); i++) {
			static char message[3 * LOG_LINE_MAX];
			char line[ROOM];
			size_t len = 0;

			while (len + 4 < sizeof(message))
				len = (size_t)(stpncpy(message + len, units[i], 4) - message);
			len = capture(LOG_LEVEL_INFO, (struct view){message, len}, line);
			cr_expect(len <= LOG_LINE_MAX && len > LOG_LINE_MAX - 20, "%zu bytes", len);
			cr_expect(utf8_valid((struct view){line, len}));
			const char *tail = format == LOG_JSON ? "...\"}\n" : "...\n";
			cr_expect_eq(memcmp(line + len - strlen(tail), tail, strlen(tail)), 0, "case %zu", i);
		}
	}
}

Test(log, keeps_quiet_below_its_level)
{
	char line[ROOM];

	log_open("tasks", LOG_PLAIN, LOG_LEVEL_WARNING);
	cr_expect_eq(capture(LOG_LEVEL_DEBUG, VIEW("x"), line), 0);
	cr_expect_eq(capture(LOG_LEVEL_INFO, VIEW("x"), line), 0);
	cr_expect_gt(capture(LOG_LEVEL_WARNING, VIEW("x"), line), 0);
	cr_expect_gt(capture(LOG_LEVEL_ERROR, VIEW("x"), line), 0);
}

Test(log, survives_a_closed_standard_error)
{
	int saved = dup(STDERR_FILENO);

	close(STDERR_FILENO);
	log_line(LOG_LEVEL_ERROR, VIEW("lost"));
	cr_expect_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
}

Test(log, writes_members_as_one_line_of_json_whatever_the_form)
{
	static const enum log_format forms[] = {LOG_PLAIN, LOG_JSON};
	struct arena arena;
	char line[ROOM];

	cr_assert(arena_init(&arena, 64 * 1024));
	for (size_t i = 0; i < COUNT(forms); i++) {
		const cJSON *json = NULL;

		log_open("tasks", forms[i], LOG_LEVEL_INFO);
		size_t len = capture_of(log_members, LOG_LEVEL_ERROR, VIEW("\"status\":503,\"reason\":null"), line);
		cr_assert_eq(line[len - 1], '\n');
		cr_assert_eq(json_parse(&arena, (struct view){line, len - 1}, &json), JSON_OK);
		cr_expect(view_equal(json_member_text(json, "level"), VIEW("error")));
		cr_expect(view_equal(json_member_text(json, "program"), VIEW("tasks")));
		cr_expect_not_null(json_member(json, "time"));
		cr_expect_not_null(json_member(json, "reason"));
		cr_expect_not_null(json_member(json, "status"));
	}
	arena_destroy(&arena);
}

Test(log, members_that_are_too_long_are_left_out)
{
	static char members[LOG_LINE_MAX];
	struct arena arena;
	char line[ROOM];
	const cJSON *json = NULL;

	memset(members, 'x', sizeof(members));
	memcpy(members, "\"a\":\"", 5);
	members[sizeof(members) - 1] = '"';
	cr_assert(arena_init(&arena, 64 * 1024));
	log_open("tasks", LOG_JSON, LOG_LEVEL_INFO);
	size_t len = capture_of(log_members, LOG_LEVEL_INFO, (struct view){members, sizeof(members)}, line);
	cr_assert(len > 0 && len <= LOG_LINE_MAX);
	cr_assert_eq(json_parse(&arena, (struct view){line, len - 1}, &json), JSON_OK);
	cr_expect_null(json_member(json, "a"));
	arena_destroy(&arena);
}

Test(log, members_below_the_lowest_level_are_not_written)
{
	int ends[2];
	int saved = dup(STDERR_FILENO);
	char byte;

	cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
	log_open("tasks", LOG_JSON, LOG_LEVEL_WARNING);
	dup2(ends[1], STDERR_FILENO);
	log_members(LOG_LEVEL_INFO, VIEW("\"a\":1"));
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	cr_expect_eq(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

/* What a full disk does to it: as soon as there is room the first line says how many are missing. */
Test(log, counts_the_lines_that_can_not_be_written_and_tells_of_them)
{
	const struct view told =
	        VIEW("\"message\":\"2 lines of the log were lost: nobody read them, or there was no room\"}\n");
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int saved = dup(STDERR_FILENO);
	int ends[2];
	char line[ROOM];

	cr_assert(full >= 0 && dup2(full, STDERR_FILENO) >= 0 && pipe2(ends, O_DIRECT | O_NONBLOCK) == 0);
	log_open("tasks", LOG_JSON, LOG_LEVEL_INFO);
	log_line(LOG_LEVEL_INFO, VIEW("lost"));
	log_members(LOG_LEVEL_INFO, VIEW("\"lost\":true"));
	log_line(LOG_LEVEL_DEBUG, VIEW("not to be written"));
	cr_expect_eq(log_lost(), 2);
	dup2(ends[1], STDERR_FILENO);
	log_line(LOG_LEVEL_INFO, VIEW("written"));
	log_line(LOG_LEVEL_INFO, VIEW("and no more is told"));
	dup2(saved, STDERR_FILENO);
	static const char *const parts[] = {NULL, "\"message\":\"written\"}", "\"message\":\"and no more is told\"}"};
	for (size_t i = 0; i < COUNT(parts); i++) {
		ssize_t len = read(ends[0], line, sizeof(line));
		struct view part = parts[i] ? view_of(parts[i]) : told;
		cr_assert_gt(len, 0, "line %zu", i);
		cr_expect_not_null(memmem(line, (size_t)len, part.ptr, part.len), "%.*s", (int)len, line);
		/* Half a line may lie before the first one. */
		cr_expect_eq(line[0], i == 0 ? '\n' : '{', "%.*s", (int)len, line);
	}
	cr_expect_eq(log_lost(), 2, "they stay counted");
	/* A child begins anew: its parent's are the parent's. */
	log_open("tasks", LOG_JSON, LOG_LEVEL_INFO);
	cr_expect_eq(log_lost(), 0);
	close(saved);
	close(full);
	close(ends[0]);
	close(ends[1]);
}
