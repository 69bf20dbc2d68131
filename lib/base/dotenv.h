/* The dotenv syntax, as Node's util.parseEnv and --env-file read it.
 *
 *	# a comment
 *	NAME=value            # blanks around name and value do not count
 *	export NAME=value
 *	NAME="a\nb"           \n becomes a line feed in double quotes only
 *	NAME='a\nb'  NAME=`a` as it is; a quoted value may span lines
 *
 * An unquoted value ends at the first "#" or the end of its line; nothing else
 * is escaped or expanded; carriage returns are dropped wherever they stand.
 *
 * Node reads past some mistakes without a word. Those are reported as the
 * entry's fault, with the value that Node makes of them, so that the caller
 * can ignore them in settings that are not its own. Where Node 20 loses the
 * lines that follow (a line without "=", a comment below an empty value, a
 * tabulator before a name), they are read here, as later versions of Node do.
 * A byte order mark at the front is skipped.
 */
#ifndef BASE_DOTENV_H
#define BASE_DOTENV_H

#include "base/view.h"

enum dotenv_fault {
	DOTENV_OK,
	DOTENV_NO_VALUE, /* a line without "="; name is its first word, value is ABSENT */
	DOTENV_UNCLOSED, /* the closing quote is missing; value is the line, quote included */
	DOTENV_TRAILING, /* text other than a comment after the closing quote */
};

struct dotenv_entry {
	struct view name;  /* may hold anything but "=" and line feeds; may be empty */
	struct view value; /* a view into the text */
	size_t line;       /* where the entry begins, from 1 */
	enum dotenv_fault fault;
};

struct dotenv {
	char *at;
	char *end;
	size_t line;
};

/* Starts reading. The text is the caller's, is rewritten in place, and must
 * outlive the values. */
struct dotenv dotenv_open(char *text, size_t len);

/* The next entry, in the order of the text; a name may come twice, and then
 * the last one counts. False at the end. */
CHECKED bool dotenv_next(struct dotenv *dotenv, struct dotenv_entry *ret);

/* What the fault is, to follow "NAME: ". */
const char *dotenv_fault_text(enum dotenv_fault fault);

#endif
