/* What the commands of todoctl share. */
#include "ctl/ctl.h"

#include <stdarg.h>

extern char **environ;

int refuse(const struct command *command, const char *text)
{
	fprintf(stderr, "todoctl %s: %s\n", command->name, text);
	return EXIT_FAILURE;
}

int refuse_usage(const struct command *command, const char *text)
{
	fprintf(stderr, "todoctl %s: %s\nusage: todoctl %s%s%s\n", command->name, text, command->name,
	        *command->arguments ? " " : "", command->arguments);
	return EXIT_USAGE;
}

int refuse_line(const struct command *command, struct buf *line)
{
	buf_add_char(line, '\0');
	if (!buf_ok(line))
		return refuse(command, "no memory");
	make_plain(line->ptr);
	return refuse(command, line->ptr);
}

bool read_settings(struct config *ret, struct buf *error)
{
	struct config_source source = {environ, view_of(getenv("DOCUMENT_ROOT"))};

	return config_load(&source, ret, error);
}

bool load_settings(const struct command *command, struct config *ret)
{
	BUF error = buf_make(ERROR_MAX);
	bool loaded = read_settings(ret, &error);

	if (!loaded)
		(void)refuse_line(command, &error);
	return loaded;
}

const char *read_address(const char *text, struct view *ret)
{
	struct view url = view_of(text);

	while (url.len > 0 && url.ptr[url.len - 1] == '/')
		url.len--;
	if (url.len > ADDRESS_MAX || (!view_starts(url, VIEW("http://")) && !view_starts(url, VIEW("https://"))))
		return "that is no http or https address";
	*ret = url;
	return NULL;
}

void make_plain(char *text)
{
	for (char *at = text; *at; at++) {
		/* U+0080 to U+009F begin so, and are controls too. */
		size_t len = *at == '\xc2' && at[1] ? 2 : 1;

		if (view_has_control((struct view){at, len}))
			memset(at, '?', len);
	}
}

int print(const struct command *command, struct buf *text)
{
	bool written = buf_ok(text) && fwrite(text->ptr, 1, text->len, stdout) == text->len && fflush(stdout) == 0;

	buf_destroy(text);
	return written ? EXIT_SUCCESS : refuse(command, "the output can't be written");
}

/* ---- findings ----------------------------------------------------------- */

static bool something_is_bad;

void found(enum verdict verdict, const char *subject, const char *format, ...)
{
	static const char *const words[] = {[FINE] = "ok", [NOTE] = "note", [BAD] = "BAD"};
	char text[FINDING_MAX];
	va_list arguments;

	something_is_bad |= verdict == BAD;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	make_plain(text);
	printf("%-4s  %s: %s\n", words[verdict], subject, text);
}

int found_status(void)
{
	return something_is_bad || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
