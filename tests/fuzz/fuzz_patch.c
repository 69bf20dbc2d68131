/* A merge patch: what it makes of a task is what RFC 7396 §2 makes of its JSON. */
#include "fuzz/fuzz.h"
#include "fuzz/tasks.h"

static void apply_ours(struct task_input *task, const struct task_patch *patch)
{
	const struct task_input *values = &patch->values;
	if (patch->members & TASK_MEMBER_TITLE)
		task->title = values->title;
	if (patch->members & TASK_MEMBER_DESCRIPTION)
		task->description = values->description;
	if (patch->members & TASK_MEMBER_COMPLETED)
		task->completed = values->completed;
	if (patch->members & TASK_MEMBER_PRIORITY)
		task->priority = values->priority;
	if (patch->members & TASK_MEMBER_DUE_DATE) {
		task->has_due_date = values->has_due_date;
		task->due_date = values->due_date;
	}
	if (patch->members & TASK_MEMBER_TAGS) {
		task->tag_count = values->tag_count;
		memcpy(task->tags, values->tags, sizeof task->tags);
	}
}

/* On Jansson's tree; what is patched holds no objects, so one level is all. */
static void apply_theirs(json_t *task, json_t *patch)
{
	const char *name;
	json_t *value;
	json_object_foreach(patch, name, value)
	{
		if (json_is_null(value))
			json_object_del(task, name);
		else
			json_object_set(task, name, value);
	}
}

void fuzz_one(struct view input)
{
	static const struct task_input before = {
	        .title = VIEW("before"),
	        .description = VIEW("text"),
	        .priority = VIEW("high"),
	        .tags = {VIEW("a"), VIEW("b")},
	        .tag_count = 2,
	        .due_date = 1,
	        .has_due_date = true,
	        .completed = true,
	};
	const cJSON *body;
	struct task_patch patch;
	struct task_input ours = before;
	struct task_input theirs;
	struct field_errors errors = {.count = 0};
	if (json_parse(fuzz_arena(), input, &body) != JSON_OK || !task_read_patch(body, &patch, &errors))
		return;
	json_t *document = tasks_write(&before);
	json_t *patched = second_json(input);
	apply_ours(&ours, &patch);
	apply_theirs(document, patched);
	tasks_keeps_the_rules(&ours);
	HOLDS(tasks_read(document, &theirs) && tasks_equal(&ours, &theirs));
	json_decref(document);
	json_decref(patched);
}
