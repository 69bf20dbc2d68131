/* The dotenv syntax, compared with Node's own reader where there is one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/dotenv.h"
#include "base/json.h"
#include "support/leaks.h"

TestSuite(dotenv, .fini = leaks_check);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct expected {
	const char *name;
	const char *value; /* NULL: ABSENT */
	size_t line;
	enum dotenv_fault fault;
};

struct example {
	const char *text;
	struct expected entries[4];
};

/* Read alike by Node 20's util.parseEnv. */
static const struct example COMMON[] = {
        {"", {{0}}},
        {"\n\n", {{0}}},
        {"#", {{0}}},
        {"# a comment=1\n# another=2\n", {{0}}},
        {"A=1", {{"A", "1", 1}}},
        {"A=1\nB=2\n", {{"A", "1", 1}, {"B", "2", 2}}},
        {"\n\n  A=1  \n# c\n\nB=2\n\n", {{"A", "1", 3}, {"B", "2", 6}}},
        {"A = 1 2 ", {{"A", "1 2", 1}}},
        {"A=", {{"A", "", 1}}},
        {"A=\nB=2", {{"A", "", 1}, {"B", "2", 2}}},
        {"A=  \nB=2", {{"A", "", 1}, {"B", "2", 2}}},
        {"A=1 # c", {{"A", "1", 1}}},
        {"A=1#c", {{"A", "1", 1}}},
        {"A=#x\nB=1", {{"A", "", 1}, {"B", "1", 2}}},
        {"A=a=b==", {{"A", "a=b==", 1}}},
        {"A=x\"y\" 'z'", {{"A", "x\"y\" 'z'", 1}}},
        {"A=$B ${C} \\$D", {{"A", "$B ${C} \\$D", 1}}},
        {"A=x\\ny", {{"A", "x\\ny", 1}}},
        {"A=\"1 # c\" # d", {{"A", "1 # c", 1}}},
        {"A=\"1\"#c\nB=2", {{"A", "1", 1}, {"B", "2", 2}}},
        {"A=\"\"\nB=1", {{"A", "", 1}, {"B", "1", 2}}},
        {"A= 'x'", {{"A", "x", 1}}},
        {"A=\"  x  \"", {{"A", "  x  ", 1}}},
        {"A=\"x\\ny\"", {{"A", "x\ny", 1}}},
        {"A='x\\ny'", {{"A", "x\\ny", 1}}},
        {"A=`x\\ny`", {{"A", "x\\ny", 1}}},
        {"A=\"a\\tb\\\\nc\"", {{"A", "a\\tb\\\nc", 1}}},
        {"A='a\"b`c'\nB=\"a'b`c\"\nC=`a'b\"c`", {{"A", "a\"b`c", 1}, {"B", "a'b`c", 2}, {"C", "a'b\"c", 3}}},
        {"A=\"x\n#c=1\n\"\nB=1", {{"A", "x\n#c=1\n", 1}, {"B", "1", 4}}},
        {"A='x\ny' # z\nB=2", {{"A", "x\ny", 1}, {"B", "2", 3}}},
        {"A=`x\ny`\nB=2", {{"A", "x\ny", 1}, {"B", "2", 3}}},
        {"A=1\r\nB=\"x\r\ny\"\r\nC=3\r\n", {{"A", "1", 1}, {"B", "x\ny", 2}, {"C", "3", 4}}},
        {"export A=1", {{"A", "1", 1}}},
        {"  export A=\"1\"", {{"A", "1", 1}}},
        {"exportA=1", {{"exportA", "1", 1}}},
        {"export =1", {{"export", "1", 1}}},
        {"A-B.C D=1", {{"A-B.C D", "1", 1}}},
        {"A=\xc3\xa9\xe2\x82\xac", {{"A", "\xc3\xa9\xe2\x82\xac", 1}}},
        {"A=1\nA=2", {{"A", "1", 1}, {"A", "2", 2}}},
        {"A=\"1\"x\nB=2", {{"A", "1", 1, DOTENV_TRAILING}, {"B", "2", 2}}},
        {"A=\"x\" \"y\"\nB=2", {{"A", "x", 1, DOTENV_TRAILING}, {"B", "2", 2}}},
        {"A=\"a\\\"b\"\nB=2", {{"A", "a\\", 1, DOTENV_TRAILING}, {"B", "2", 2}}},
        {"A=\"1\nB=2", {{"A", "\"1", 1, DOTENV_UNCLOSED}, {"B", "2", 2}}},
        {"A='it\nB=2", {{"A", "'it", 1, DOTENV_UNCLOSED}, {"B", "2", 2}}},
};

/* Where Node 20 drops lines, joins them or keeps blanks in names. */
static const struct example OURS[] = {
        {"FOO\nB=2", {{"FOO", NULL, 1, DOTENV_NO_VALUE}, {"B", "2", 2}}},
        {"export FOO\nB=2", {{"FOO", NULL, 1, DOTENV_NO_VALUE}, {"B", "2", 2}}},
        {"FOO: bar baz\nB=2", {{"FOO:", NULL, 1, DOTENV_NO_VALUE}, {"B", "2", 2}}},
        {"A=\n\nB=2", {{"A", "", 1}, {"B", "2", 3}}},
        {"A=\n#x\nB=2", {{"A", "", 1}, {"B", "2", 3}}},
        {"\tA\t=\t1\t", {{"A", "1", 1}}},
        {"\t# c=1\nA=1", {{"A", "1", 2}}},
        {"# a=1\n  # b=2\nA=1", {{"A", "1", 3}}},
        {"export\tA=1\nexport  B=2", {{"A", "1", 1}, {"B", "2", 2}}},
        {"=1\nB=2", {{"", "1", 1}, {"B", "2", 2}}},
        {"\xef\xbb\xbf"
         "A=1",
         {{"A", "1", 1}}},
        {"A=\"1", {{"A", "\"1", 1, DOTENV_UNCLOSED}}},
        {"A=\"", {{"A", "\"", 1, DOTENV_UNCLOSED}}},
        {"A", {{"A", NULL, 1, DOTENV_NO_VALUE}}},
};

static void check(const struct example *example)
{
	/* Exactly as long as the text, so that a sanitizer sees a read past it. */
	size_t len = strlen(example->text);
	char *text = malloc(len);
	struct dotenv_entry entry;
	size_t count = 0;

	memcpy(text, example->text, len);
	struct dotenv dotenv = dotenv_open(text, len);
	while (dotenv_next(&dotenv, &entry)) {
		const struct expected *expected = &example->entries[count++];

		cr_assert_not_null(expected->name, "too many entries: %s", example->text);
		cr_expect(view_equal(entry.name, view_of(expected->name)), "name %.*s of: %s", VIEW_ARGS(entry.name),
		          example->text);
		cr_expect(view_equal(entry.value, view_of(expected->value)), "value %.*s of: %s",
		          VIEW_ARGS(entry.value), example->text);
		cr_expect_eq(view_is_absent(entry.value), expected->value == NULL, "%s", example->text);
		cr_expect_eq(entry.line, expected->line, "line %zu of: %s", entry.line, example->text);
		cr_expect_eq(entry.fault, expected->fault, "fault %d of: %s", (int)entry.fault, example->text);
	}
	cr_expect_null(example->entries[count].name, "too few entries: %s", example->text);
	free(text);
}

Test(dotenv, reads_what_node_reads)
{
	for (size_t i = 0; i < COUNT(COMMON); i++)
		check(&COMMON[i]);
}

Test(dotenv, reads_on_where_node_loses_lines)
{
	for (size_t i = 0; i < COUNT(OURS); i++)
		check(&OURS[i]);
}

Test(dotenv, names_each_fault)
{
	cr_expect_str_eq(dotenv_fault_text(DOTENV_OK), "");
	for (int fault = DOTENV_OK + 1; fault <= DOTENV_TRAILING; fault++)
		cr_expect_neq(*dotenv_fault_text((enum dotenv_fault)fault), '\0');
}

/* Runs Node's reader on the texts in `input`, a JSON array; its answer is a
 * JSON array of objects, or empty where Node has no such reader. */
static void ask_node(struct view input, struct buf *answer)
{
	static const char program[] =
	        "node -e 'const {parseEnv} = require(\"util\"); if (parseEnv) process.stdout.write(JSON.stringify("
	        "JSON.parse(require(\"fs\").readFileSync(process.argv[1])).map(t => parseEnv(t))))' \"$TEXTS\" "
	        "2>/dev/null";
	char path[] = "/tmp/test_base_dotenv.XXXXXX";
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, input.ptr, input.len), (ssize_t)input.len);
	close(fd);
	setenv("TEXTS", path, 1);
	FILE *node = popen(program, "r");
	cr_assert_not_null(node);
	for (size_t got = 1; got > 0;) {
		char *room = buf_reserve(answer, 4096);

		got = room ? fread(room, 1, 4096, node) : 0;
		answer->len += got;
	}
	pclose(node);
	unlink(path);
}

Test(dotenv, agrees_with_node_itself)
{
	struct arena arena;
	struct buf texts = buf_make(65536);
	struct buf answer = buf_make(65536);
	const cJSON *objects = NULL;

	BUF_LIT(&texts, "[");
	for (size_t i = 0; i < COUNT(COMMON); i++) {
		buf_add(&texts, i > 0 ? VIEW(",") : VIEW(""));
		buf_add_json(&texts, view_of(COMMON[i].text));
	}
	BUF_LIT(&texts, "]");
	cr_assert(buf_ok(&texts));
	ask_node(buf_view(&texts), &answer);
	buf_destroy(&texts);
	if (answer.len == 0) {
		buf_destroy(&answer);
		cr_skip_test("no Node with util.parseEnv");
	}

	cr_assert(arena_init(&arena, 1024 * 1024));
	cr_assert_eq(json_parse(&arena, buf_view(&answer), &objects), JSON_OK);
	for (size_t i = 0; i < COUNT(COMMON); i++) {
		const cJSON *object = cJSON_GetArrayItem(objects, (int)i);
		int names = 0;

		for (const struct expected *entry = COMMON[i].entries; entry->name; entry++) {
			/* Of two entries of one name the last one counts. */
			if (entry[1].name && strcmp(entry->name, entry[1].name) == 0)
				continue;
			struct view value = json_member_text(object, entry->name);

			cr_expect(view_equal(value, view_of(entry->value)), "Node reads %.*s in: %s", VIEW_ARGS(value),
			          COMMON[i].text);
			names++;
		}
		cr_expect_eq(cJSON_GetArraySize(object), names, "%s", COMMON[i].text);
	}
	arena_destroy(&arena);
	buf_destroy(&answer);
}
