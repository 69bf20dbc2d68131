/* dotenv: every entry lies within the text, and written down again in a form that is
 * simple to read it is the same entry. */
#include "base/dotenv.h"

#include "base/buf.h"
#include "fuzz/fuzz.h"

static bool within(struct view part, struct view text)
{
	return part.len == 0 || (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len);
}

/* The quote that the value can stand in; 0: it has all three kinds. Within double
 * quotes "\n" would be another text. */
static char quote_for(struct view value)
{
	if (view_find(value, '\'') == value.len)
		return '\'';
	if (view_find(value, '`') == value.len)
		return '`';
	return view_find(value, '"') == value.len && view_find(value, '\\') == value.len ? '"' : '\0';
}

static void comes_back(const struct dotenv_entry *entry)
{
	struct buf text = buf_make(entry->name.len + entry->value.len + 8);
	struct dotenv_entry again;
	char quote = quote_for(entry->value);
	if (quote == '\0')
		return;
	buf_add(&text, entry->name);
	buf_add_char(&text, '=');
	buf_add_char(&text, quote);
	buf_add(&text, entry->value);
	buf_add_char(&text, quote);
	struct dotenv dotenv = dotenv_open(text.ptr, text.len);
	HOLDS(dotenv_next(&dotenv, &again));
	HOLDS(again.fault == DOTENV_OK && again.line == 1);
	HOLDS(view_equal(again.name, entry->name) && view_equal(again.value, entry->value));
	HOLDS(!dotenv_next(&dotenv, &again));
	buf_destroy(&text);
}

/* A name of shell's own kind: others may begin with what is no name again, such as "#". */
static bool is_name(struct view name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (!(c >= 'A' && c <= 'Z') && c != '_')
			return false;
	}
	return name.len > 0;
}

void fuzz_one(struct view input)
{
	struct view text = fuzz_copy(input);
	struct dotenv dotenv = dotenv_open((char *)(uintptr_t)text.ptr, text.len);
	struct dotenv_entry entry;
	size_t line = 0;
	while (dotenv_next(&dotenv, &entry)) {
		HOLDS(entry.line > line);
		line = entry.line;
		HOLDS(within(entry.name, text) && within(entry.value, text));
		HOLDS(view_is_absent(entry.value) == (entry.fault == DOTENV_NO_VALUE));
		HOLDS(entry.fault == DOTENV_OK || dotenv_fault_text(entry.fault)[0] != '\0');
		if (entry.fault == DOTENV_OK && is_name(entry.name))
			comes_back(&entry);
	}
}
