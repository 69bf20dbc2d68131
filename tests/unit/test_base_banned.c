/* Banned functions: each of them fails to compile, by a message that names it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "support/leaks.h"

TestSuite(banned, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What the compiler says to one line of code behind the list. */
static void compile(const char *code, struct buf *ret)
{
	char command[1024];

	snprintf(command, sizeof(command),
	         "printf '%%s\\n' '#include <time.h>' 'void f(char *s);' 'void f(char *s) { %s; }' | "
	         "${CC:-cc} -std=c17 -D_GNU_SOURCE -Ilib -include base/banned.h -Werror -fsyntax-only -x c - 2>&1",
	         code);
	FILE *compiler = popen(command, "r");
	cr_assert_not_null(compiler);
	for (size_t got = 1; got > 0;) {
		char *room = buf_reserve(ret, 4096);

		got = room ? fread(room, 1, 4096, compiler) : 0;
		ret->len += got;
	}
	pclose(compiler);
	buf_add_char(ret, '\0');
	cr_assert(buf_ok(ret));
}

Test(banned, lets_other_code_pass)
{
	struct buf said = buf_make(65536);

	compile("s[0] = (char)strlen(s)", &said);
	cr_expect_str_eq(said.ptr, "");
	buf_destroy(&said);
}

Test(banned, stops_each_function_by_name)
{
	static const struct {
		const char *name;
		const char *code;
	} cases[] = {
	        {"strcpy", "strcpy(s, s)"},
	        {"stpcpy", "stpcpy(s, s)"},
	        {"strcat", "strcat(s, s)"},
	        {"strncpy", "strncpy(s, s, 1)"},
	        {"strncat", "strncat(s, s, 1)"},
	        {"strtok", "strtok(s, s)"},
	        {"strtok_r", "strtok_r(s, s, &s)"},
	        {"sprintf", "sprintf(s, \"x\")"},
	        {"vsprintf", "vsprintf(s, s, 0)"},
	        {"gets", "gets(s)"},
	        {"scanf", "scanf(s)"},
	        {"atoi", "atoi(s)"},
	        {"atol", "atol(s)"},
	        {"atoll", "atoll(s)"},
	        {"atof", "atof(s)"},
	        {"alloca", "alloca(1)"},
	        {"rand", "rand()"},
	        {"srand", "srand(1)"},
	        {"mktemp", "mktemp(s)"},
	        {"tmpnam", "tmpnam(s)"},
	        {"localtime", "localtime(0)"},
	        {"localtime_r", "localtime_r(0, 0)"},
	        {"gmtime", "gmtime(0)"},
	        {"ctime", "ctime(0)"},
	        {"ctime_r", "ctime_r(0, s)"},
	        {"asctime", "asctime(0)"},
	        {"asctime_r", "asctime_r(0, s)"},
	        {"mktime", "mktime(0)"},
	        {"setlocale", "setlocale(0, s)"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf said = buf_make(65536);
		char expected[100];

		snprintf(expected, sizeof(expected), "sorry_%s_is_a_banned_function", cases[i].name);
		compile(cases[i].code, &said);
		cr_expect_not_null(strstr(said.ptr, expected), "%s: %s", cases[i].name, said.ptr);
		buf_destroy(&said);
	}
}
