/* Strict JSON: what the gate refuses that cJSON would take, and the tree. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "support/leaks.h"

static struct arena arena;

static void setup(void)
{
	cr_assert(arena_init(&arena, 4 * 1024 * 1024));
}

static void teardown(void)
{
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(json, .init = setup, .fini = teardown);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Parses from memory of exactly the text's size, with no NUL behind it. */
static enum json_error parse(struct view text, const cJSON **ret)
{
	char *exact = malloc(text.len);

	if (text.len > 0)
		memcpy(exact, text.ptr, text.len);
	enum json_error error = json_parse(&arena, (struct view){exact, text.len}, ret);
	free(exact);
	return error;
}

static enum json_error judge(struct view text)
{
	const cJSON *tree = NULL;
	enum json_error error = parse(text, &tree);

	cr_expect_eq(tree != NULL, error == JSON_OK, "%.*s", VIEW_ARGS(text));
	return error;
}

Test(json, accepts_every_form_of_the_grammar)
{
	static const char *const cases[] = {
	        "null",
	        "true",
	        "false",
	        "0",
	        "-0",
	        "-1.5e+3",
	        "1E-2",
	        "0.0",
	        "\"\"",
	        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
	        "\"\\ud83d\\ude00\"",
	        "\"\xf0\x9f\x98\x80\x7f\"",
	        "[]",
	        "{}",
	        " \t\r\n[ ] \t\r\n",
	        "{ \"a\" : [ 1 , { } , [ ] , null ] , \"\" : \"b\" }",
	        "[[],[[]],{\"a\":{}}]",
	        "{\"a\":1,\"A\":2}",
	        "[{\"a\":1},{\"a\":2}]",
	        "{\"a\":{\"a\":{\"a\":1}}}",
	        "1e308",
	        "1e-400",
	        "123456789012345678901234567890",
	        "[1,2]",
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(judge(view_of(cases[i])), JSON_OK, "%s", cases[i]);
}

Test(json, refuses_what_is_not_json)
{
	static const char *const cases[] = {
	        "",          " ",         "nul",     "nulll",      "True",       "undefined",  "NaN",
	        "Infinity",  "-Infinity", "'a'",     "a",          "[",          "]",          "{",
	        "}",         "[}",        "{]",      "[1",         "[1}",        "[1,]",       "[,1]",
	        "[1,,2]",    "[1 2]",     "{\"a\"}", "{\"a\":}",   "{\"a\":1,}", "{,\"a\":1}", "{\"a\":1 \"b\":2}",
	        "{\"a\" 1}", "{a:1}",     "{1:1}",   "{\"a\":1}}", "[1]]",       "[[1]",       "// c\n1",
	        "/**/1",     ",",         ":",       "\"a",        "\"",         "\"\\",       "\"\\\"",
	        "[\"a]",
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(judge(view_of(cases[i])), JSON_MALFORMED, "%s", cases[i]);
}

Test(json, refuses_text_after_the_value)
{
	static const struct view cases[] = {
	        {"1 2", 3},        {"{} x", 4}, {"{}{}", 4},   {"null,", 5},
	        {"\"a\"\"b\"", 6}, {"1\0", 2},  {"{}\0\0", 4}, {"1\f", 2},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(judge(cases[i]), JSON_MALFORMED, "case %zu", i);
}

Test(json, refuses_a_nul_however_it_is_written)
{
	cr_expect_eq(judge(VIEW("\"a\\u0000b\"")), JSON_MALFORMED);
	cr_expect_eq(judge(VIEW("{\"sub\\u0000\":1}")), JSON_MALFORMED);
	cr_expect_eq(judge(VIEW("\"a\0b\"")), JSON_MALFORMED);
	cr_expect_eq(judge(VIEW("\0")), JSON_MALFORMED);
}

Test(json, refuses_raw_controls_in_strings_and_between)
{
	for (int byte = 0; byte < 0x20; byte++) {
		char inside[] = {'"', 'a', (char)byte, '"'};
		char between[] = {'[', (char)byte, '1', ']'};
		bool space = byte == '\t' || byte == '\n' || byte == '\r';

		cr_expect_eq(judge((struct view){inside, 4}), JSON_MALFORMED, "%d", byte);
		cr_expect_eq(judge((struct view){between, 4}), space ? JSON_OK : JSON_MALFORMED, "%d", byte);
	}
}

Test(json, refuses_bad_escapes)
{
	static const char *const cases[] = {
	        "\"\\a\"",        "\"\\x41\"",          "\"\\'\"",     "\"\\U0041\"",        "\"\\u\"",
	        "\"\\u004\"",     "\"\\u004g\"",        "\"\\u+041\"", "\"\\u 041\"",        "\"\\u00",
	        "\"\\ud800\"",    "\"\\udbffx\"",       "\"\\udc00\"", "\"\\ude00\\ud83d\"", "\"\\ud83d\\ud83d\"",
	        "\"\\ud83d\\n\"", "\"\\ud83d\\u0041\"",
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(judge(view_of(cases[i])), JSON_MALFORMED, "%s", cases[i]);
}

Test(json, refuses_what_is_not_utf8)
{
	static const char *const cases[] = {
	        "\"\xff\"",         "\"\xc0\x80\"",         "\"\xc1\xa1\"",         "\"\xe2\x82\"",
	        "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf0\x80\x80\x80\"", "\xef\xbb\xbf{}",
	        "{\"\xe4\":1}",
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(judge(view_of(cases[i])), JSON_MALFORMED, "case %zu", i);
}

Test(json, refuses_numbers_that_cjson_would_take)
{
	static const char *const cases[] = {
	        "01",   "-01", "1.",  ".5",    "-",     "+1", "1e", "1e+", "1.e3",
	        "0x10", "--1", "1-2", "1.2.3", "1e2e3", "00", "-a", "1_0",
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(judge(view_of(cases[i])), JSON_MALFORMED, "%s", cases[i]);
}

Test(json, refuses_numbers_that_are_not_finite)
{
	static const char *const cases[] = {
	        "1e309", "-1e309", "1e400", "[1e400]", "{\"exp\":1e99999}", "1e99999999999999999999", "0.1e310",
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(judge(view_of(cases[i])), JSON_MALFORMED, "%s", cases[i]);
}

Test(json, refuses_numbers_longer_than_cjson_reads)
{
	char digits[65];
	const cJSON *tree = NULL;

	memset(digits, '1', sizeof(digits));
	cr_assert_eq(parse((struct view){digits, 63}, &tree), JSON_OK);
	cr_expect_float_eq(tree->valuedouble, 1.1111111111111111e62, 1e47);
	cr_expect_eq(judge((struct view){digits, 64}), JSON_TOO_COMPLEX);
	cr_expect_eq(judge((struct view){digits, 65}), JSON_TOO_COMPLEX);
}

Test(json, refuses_two_members_of_one_name)
{
	static const char *const cases[] = {
	        "{\"sub\":1,\"sub\":2}",
	        "{\"sub\":1,\"sub\":1}",
	        "{\"sub\":1,\"\\u0073ub\":2}",
	        "{\"a/b\":1,\"a\\/b\":2}",
	        "{\"\":1,\"\":2}",
	        "{\"\xc3\xa9\":1,\"\\u00e9\":2}",
	        "{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\uDE00\":2}",
	        "{\"a\":1,\"b\":2,\"c\":3,\"a\":4}",
	        "[{\"x\":{\"y\":[{\"a\":1,\"a\":2}]}}]",
	        "{\"x\":{},\"y\":[],\"z\":{\"a\":1,\"b\":[1],\"a\":2}}",
	        "{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1,\"1\":1}",
	        "{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1,\"9\":1}",
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(judge(view_of(cases[i])), JSON_DUPLICATE, "%s", cases[i]);
}

/* An object of `count` members "m0", "m1", …; the last one is named `last` if given. */
static void write_members(struct buf *out, unsigned int count, const char *last)
{
	BUF_LIT(out, "{");
	for (unsigned int i = 0; i < count; i++) {
		buf_add(out, i > 0 ? VIEW(",\"") : VIEW("\""));
		if (last && i + 1 == count) {
			buf_add(out, view_of(last));
		} else {
			BUF_LIT(out, "m");
			buf_add_u64(out, i);
		}
		BUF_LIT(out, "\":null");
	}
	BUF_LIT(out, "}");
}

Test(json, finds_a_duplicate_among_any_number_of_members)
{
	for (unsigned int count = 2; count <= JSON_MAX_MEMBERS; count++) {
		struct buf text = buf_make(65536);

		write_members(&text, count, NULL);
		cr_assert_eq(judge(buf_view(&text)), JSON_OK, "%u members", count);
		buf_reset(&text, 65536);
		write_members(&text, count, "m0");
		cr_assert_eq(judge(buf_view(&text)), JSON_DUPLICATE, "%u members", count);
		buf_destroy(&text);
		arena_reset(&arena);
	}
}

Test(json, refuses_one_member_too_many)
{
	struct buf text = buf_make(65536);

	write_members(&text, JSON_MAX_MEMBERS + 1, NULL);
	cr_expect_eq(judge(buf_view(&text)), JSON_TOO_COMPLEX);
	buf_destroy(&text);
}

Test(json, takes_the_greatest_depth_and_no_deeper)
{
	for (int kind = 0; kind < 3; kind++) {
		for (size_t depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
			struct buf text = buf_make(1000);

			for (size_t i = 0; i < depth; i++)
				buf_add(&text, (kind == 2 ? i % 2 : (size_t)kind) ? VIEW("{\"a\":") : VIEW("[0,"));
			BUF_LIT(&text, "1");
			for (size_t i = depth; i-- > 0;)
				buf_add_char(&text, (kind == 2 ? i % 2 : (size_t)kind) ? '}' : ']');
			cr_expect_eq(judge(buf_view(&text)), depth > JSON_MAX_DEPTH ? JSON_TOO_COMPLEX : JSON_OK,
			             "kind %d depth %zu", kind, depth);
			buf_destroy(&text);
		}
	}
}

Test(json, refuses_depth_before_it_is_closed)
{
	struct buf text = buf_make(65536);

	for (int i = 0; i < 65536; i++)
		buf_add_char(&text, '[');
	cr_expect_eq(judge(buf_view(&text)), JSON_TOO_COMPLEX);
	buf_destroy(&text);
}

Test(json, counts_depth_by_nesting_and_not_by_number)
{
	struct buf text = buf_make(65536);

	BUF_LIT(&text, "[[]");
	for (int i = 0; i < 1000; i++)
		BUF_LIT(&text, ",{\"a\":[]},[[1],2]");
	BUF_LIT(&text, "]");
	cr_expect_eq(judge(buf_view(&text)), JSON_OK);
	buf_destroy(&text);
}

Test(json, reports_the_limit_of_the_arena)
{
	struct arena small;
	struct buf text = buf_make(65536);
	const cJSON *tree = NULL;

	cr_assert(arena_init(&small, 4096));
	BUF_LIT(&text, "[1");
	for (int i = 0; i < 1000; i++)
		BUF_LIT(&text, ",1");
	BUF_LIT(&text, "]");
	cr_expect_eq(json_parse(&small, buf_view(&text), &tree), JSON_NO_MEMORY);
	cr_expect_null(tree);
	arena_reset(&small);
	cr_expect_eq(json_parse(&small, VIEW("[1,2,3]"), &tree), JSON_OK);
	buf_destroy(&text);
	arena_destroy(&small);
}

Test(json, leaves_cjson_with_its_own_memory)
{
	cr_assert_eq(judge(VIEW("[1]")), JSON_OK);
	size_t used = arena.used;
	cJSON *other = cJSON_Parse("[1,2,3]");

	cr_expect_not_null(other);
	cJSON_Delete(other);
	cr_expect_eq(arena.used, used);
}

Test(json, refuses_every_text_that_is_cut_short)
{
	static const char text[] = "{\"a\":[1.5e3,\"\\ud83d\\ude00\xc3\xa9\",true,false,null],\"b\":{\"c\":-0}}";

	for (size_t len = 0; len < sizeof(text) - 1; len++)
		cr_expect_eq(judge((struct view){text, len}), JSON_MALFORMED, "%zu bytes", len);
	cr_expect_eq(judge(view_of(text)), JSON_OK);
}

Test(json, finds_members_by_their_exact_name)
{
	const cJSON *tree = NULL;

	cr_assert_eq(parse(VIEW("{\"Sub\":\"wrong\",\"sub\":\"right\",\"n\":1,\"e\":\"\",\"o\":{\"sub\":\"inner\"}}"),
	                   &tree),
	             JSON_OK);
	cr_expect(view_equal(json_member_text(tree, "sub"), VIEW("right")));
	cr_expect(view_is_absent(json_member_text(tree, "SUB")));
	cr_expect(view_is_absent(json_member_text(tree, "n")));
	cr_expect_not(view_is_absent(json_member_text(tree, "e")));
	cr_expect(view_equal(json_member_text(json_member(tree, "o"), "sub"), VIEW("inner")));
	cr_expect_null(json_member(NULL, "sub"));
	cr_expect_null(json_member(json_member(tree, "sub"), "sub"));
	cr_expect(view_is_absent(json_text(NULL)));
}

Test(json, finds_no_member_in_an_array)
{
	const cJSON *tree = NULL;

	cr_assert_eq(parse(VIEW("[{\"sub\":\"u\"}]"), &tree), JSON_OK);
	cr_expect_null(json_member(tree, "sub"));
}

Test(json, reads_whole_numbers_exactly)
{
	static const struct {
		const char *text;
		bool good;
		int64_t number;
	} cases[] = {
	        {"0", true, 0},
	        {"-0", true, 0},
	        {"1.0", true, 1},
	        {"1e3", true, 1000},
	        {"-42", true, -42},
	        {"2147483648", true, 2147483648},
	        {"9007199254740991", true, 9007199254740991},
	        {"-9007199254740991", true, -9007199254740991},
	        {"9007199254740992", false, 0},
	        {"9007199254740993", false, 0},
	        {"-9007199254740992", false, 0},
	        {"1e300", false, 0},
	        {"-1e300", false, 0},
	        {"0.5", false, 0},
	        {"1.0000001", false, 0},
	        {"\"1\"", false, 0},
	        {"true", false, 0},
	        {"null", false, 0},
	        {"[1]", false, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const cJSON *tree = NULL;
		int64_t number = 4711;

		cr_assert_eq(parse(view_of(cases[i].text), &tree), JSON_OK, "%s", cases[i].text);
		cr_expect_eq(json_to_integer(tree, &number), cases[i].good, "%s", cases[i].text);
		cr_expect_eq(number, cases[i].good ? cases[i].number : 4711, "%s", cases[i].text);
	}
	int64_t number;
	cr_expect_not(json_to_integer(NULL, &number));
}

Test(json, reads_a_body_of_the_greatest_size)
{
	struct buf text = buf_make(65536);

	BUF_LIT(&text, "{\"title\":\"");
	while (text.len < 65536 - 2)
		buf_add_char(&text, 'x');
	BUF_LIT(&text, "\"}");
	const cJSON *tree = NULL;
	cr_assert_eq(parse(buf_view(&text), &tree), JSON_OK);
	cr_expect_eq(json_member_text(tree, "title").len, 65536 - 12);
	buf_destroy(&text);
}
