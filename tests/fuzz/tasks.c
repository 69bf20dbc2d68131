/* The rules and the JSON of tasks, by others. */
#include "fuzz/tasks.h"

#include <stdlib.h>

#include "fuzz/fuzz.h"

/* Valid UTF-8 of so many characters. */
static bool has_length(struct view text, size_t least, size_t most)
{
	return second_utf8(text) && second_count(text) >= least && second_count(text) <= most;
}

static bool has_control(struct view text, const char *but)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool is_c1 = c == 0xc2 && (unsigned char)text.ptr[i + 1] < 0xa0;
		if (is_c1 || ((c < ' ' || c == 0x7f) && !memchr(but, c, strlen(but))))
			return true;
	}
	return false;
}

void tasks_keeps_the_rules(const struct task_input *task)
{
	HOLDS(has_length(task->title, 1, TASK_TITLE_MAX) && !has_control(task->title, ""));
	HOLDS(!second_matches(task->title, "[ ].*|.*[ ]"));
	HOLDS(has_length(task->description, 0, TASK_DESCRIPTION_MAX) && !has_control(task->description, "\t\n"));
	HOLDS(second_matches(task->priority, "low|medium|high"));
	HOLDS(task->tag_count <= TASK_TAGS_MAX);
	for (size_t i = 0; i < task->tag_count; i++) {
		HOLDS(has_length(task->tags[i], 1, TASK_TAG_MAX) && !has_control(task->tags[i], ""));
		for (size_t k = 0; k < i; k++)
			HOLDS(!view_equal(task->tags[i], task->tags[k]));
	}
}

bool tasks_equal(const struct task_input *a, const struct task_input *b)
{
	bool equal = view_equal(a->title, b->title) && view_equal(a->description, b->description) &&
	             view_is_absent(a->description) == view_is_absent(b->description) &&
	             view_equal(a->priority, b->priority) && a->completed == b->completed &&
	             a->has_due_date == b->has_due_date && (!a->has_due_date || a->due_date == b->due_date) &&
	             a->tag_count == b->tag_count;
	for (size_t i = 0; equal && i < a->tag_count; i++)
		equal = view_equal(a->tags[i], b->tags[i]);
	return equal;
}

json_t *tasks_write(const struct task_input *input)
{
	static const char *const of_the_server[] = {"id", "user_id", "created_at", "updated_at"};
	struct buf text = buf_make(1 << 20);
	struct task task = {
	        .id = "01890a5d-ac96-774b-bcce-b302099a8057",
	        .user_id = VIEW("u1"),
	        .title = input->title,
	        .description = input->description,
	        .priority = input->priority,
	        .tag_count = input->tag_count,
	        .due_date = input->due_date,
	        .has_due_date = input->has_due_date,
	        .completed = input->completed,
	};
	memcpy(task.tags, input->tags, sizeof task.tags);
	task_write(&text, &task);
	HOLDS(buf_ok(&text));
	json_t *document = second_json(buf_view(&text));
	HOLDS(json_object_size(document) == 10);
	for (size_t i = 0; i < sizeof of_the_server / sizeof *of_the_server; i++)
		HOLDS(json_object_del(document, of_the_server[i]) == 0);
	buf_destroy(&text);
	return document;
}

bool tasks_read(json_t *document, struct task_input *ret)
{
	struct field_errors errors = {.count = 0};
	const cJSON *body;
	char *text = json_dumps(document, 0);
	struct view kept = fuzz_copy(view_of(text));
	free(text);
	return json_parse(fuzz_arena(), kept, &body) == JSON_OK && task_read(body, ret, &errors);
}

void tasks_problem_is_json(const struct field_errors *errors)
{
	struct buf text = buf_make(1 << 22);
	problem_write(&text, OUTCOME_INVALID, VIEW("0123456789abcdef"), errors);
	json_t *document = second_json(buf_view(&text));
	HOLDS(json_array_size(json_object_get(document, "errors")) == errors->count);
	json_decref(document);
	buf_destroy(&text);
}
