/* UTF-8: valid is what Jansson takes; what is written as JSON is read again. */
#include "base/utf8.h"

#include "fuzz/fuzz.h"
#include "fuzz/second.h"

static void trims(struct view text)
{
	struct view trimmed = utf8_trim(text);
	HOLDS(trimmed.len <= text.len && utf8_valid(trimmed));
	HOLDS(view_equal(utf8_trim(trimmed), trimmed));
	if (trimmed.len > 0)
		HOLDS(trimmed.ptr >= text.ptr && trimmed.ptr + trimmed.len <= text.ptr + text.len);
}

static void is_written_as_json(struct view text)
{
	struct buf out = buf_make(6 * text.len + 2);
	const cJSON *tree;
	buf_add_json(&out, text);
	HOLDS(buf_ok(&out));
	/* NUL can be written, and is then refused by whoever reads. */
	if (view_find(text, '\0') == text.len) {
		json_t *theirs = second_json(buf_view(&out));
		HOLDS(view_equal(second_text(theirs), text));
		HOLDS(json_parse(fuzz_arena(), buf_view(&out), &tree) == JSON_OK && view_equal(json_text(tree), text));
		json_decref(theirs);
	}
	for (size_t i = 0; i < out.len; i++)
		HOLDS((unsigned char)out.ptr[i] >= ' ');
	buf_destroy(&out);
}

void fuzz_one(struct view input)
{
	bool valid = utf8_valid(input);
	HOLDS(valid == second_utf8(input));
	if (!valid)
		return;
	HOLDS(utf8_count(input) == second_count(input));
	trims(input);
	is_written_as_json(input);
}
