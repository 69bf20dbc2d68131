/* Reading dotenv text line by line, in place. */
#include "base/dotenv.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct dotenv dotenv_open(char *text, size_t len)
{
	size_t kept = 0;
	size_t from = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (size_t i = from; i < len; i++) {
		if (text[i] != '\r')
			text[kept++] = text[i];
	}
	return (struct dotenv){.at = text, .end = text + kept, .line = 1};
}

static char *line_end(const struct dotenv *dotenv)
{
	char *end = dotenv->at;

	while (end < dotenv->end && *end != '\n')
		end++;
	return end;
}

/* Moves to the line after the one that ends at `end`. */
static void next_line(struct dotenv *dotenv, char *end)
{
	dotenv->at = end;
	if (end < dotenv->end) {
		dotenv->at++;
		dotenv->line++;
	}
}

static void skip_blanks(struct dotenv *dotenv)
{
	while (dotenv->at < dotenv->end && is_blank(*dotenv->at))
		dotenv->at++;
}

/* Moves to the first line that is neither blank nor a comment. */
static bool find_entry(struct dotenv *dotenv)
{
	while (dotenv->at < dotenv->end) {
		skip_blanks(dotenv);
		if (dotenv->at < dotenv->end && *dotenv->at != '#' && *dotenv->at != '\n')
			return true;
		next_line(dotenv, line_end(dotenv));
	}
	return false;
}

static struct view name_of(struct view text)
{
	const struct view prefix = VIEW("export");
	struct view name = view_trim(text);

	if (view_starts(name, prefix) && name.len > prefix.len && is_blank(name.ptr[prefix.len]))
		name = view_trim(view_from(name, prefix.len));
	return name;
}

/* "\n" to a line feed; returns the new length. */
static size_t expand(char *text, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && i + 1 < len && text[i + 1] == 'n') {
			text[kept++] = '\n';
			i++;
		} else {
			text[kept++] = text[i];
		}
	}
	return kept;
}

/* Reads the value from behind its opening quote, whose closing one is `close`. */
static void take_quoted(struct dotenv *dotenv, char *close, struct dotenv_entry *entry)
{
	char *start = dotenv->at + 1;
	size_t len = (size_t)(close - start);

	for (const char *c = start; c < close; c++)
		dotenv->line += *c == '\n';
	entry->value = (struct view){start, *close == '"' ? expand(start, len) : len};
	dotenv->at = close + 1;
	skip_blanks(dotenv);
	if (dotenv->at < dotenv->end && *dotenv->at != '#' && *dotenv->at != '\n')
		entry->fault = DOTENV_TRAILING;
	next_line(dotenv, line_end(dotenv));
}

static void take_value(struct dotenv *dotenv, struct dotenv_entry *entry)
{
	skip_blanks(dotenv);
	char *end = line_end(dotenv);

	entry->fault = DOTENV_OK;
	if (dotenv->at < end && (*dotenv->at == '"' || *dotenv->at == '\'' || *dotenv->at == '`')) {
		char *close = memchr(dotenv->at + 1, *dotenv->at, (size_t)(dotenv->end - dotenv->at - 1));

		if (close) {
			take_quoted(dotenv, close, entry);
			return;
		}
		entry->fault = DOTENV_UNCLOSED;
		entry->value = (struct view){dotenv->at, (size_t)(end - dotenv->at)};
	} else {
		struct view line = {dotenv->at, (size_t)(end - dotenv->at)};

		entry->value = view_trim((struct view){line.ptr, view_find(line, '#')});
	}
	next_line(dotenv, end);
}

bool dotenv_next(struct dotenv *dotenv, struct dotenv_entry *ret)
{
	struct dotenv_entry entry;

	if (!find_entry(dotenv))
		return false;
	entry.line = dotenv->line;
	char *end = line_end(dotenv);
	struct view line = {dotenv->at, (size_t)(end - dotenv->at)};
	size_t equals = view_find(line, '=');
	if (equals < line.len) {
		entry.name = name_of((struct view){line.ptr, equals});
		dotenv->at += equals + 1;
		take_value(dotenv, &entry);
	} else {
		entry.name = name_of(line);
		entry.name.len = view_find(entry.name, ' ');
		entry.value = ABSENT;
		entry.fault = DOTENV_NO_VALUE;
		next_line(dotenv, end);
	}
	*ret = entry;
	return true;
}

const char *dotenv_fault_text(enum dotenv_fault fault)
{
	switch (fault) {
	case DOTENV_OK:
		break;
	case DOTENV_NO_VALUE:
		return "there is no = on this line";
	case DOTENV_UNCLOSED:
		return "the closing quote is missing";
	case DOTENV_TRAILING:
		return "there is text after the closing quote";
	}
	return "";
}
