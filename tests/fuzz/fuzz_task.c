/* A task as a client sends it: what is taken keeps the rules of task/task.h, and
 * written as an answer and read once more it is the same task. */
#include "base/clock.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "fuzz/tasks.h"

static void second_agrees(struct view input, const struct task_input *task)
{
	json_t *body = second_json(input);
	json_t *tags = json_object_get(body, "tags");
	struct view priority = second_text(json_object_get(body, "priority"));
	struct view title = second_text(json_object_get(body, "title"));
	struct view description = second_text(json_object_get(body, "description"));
	HOLDS(memmem(title.ptr, title.len, task->title.ptr, task->title.len));
	HOLDS(view_equal(task->description, description) &&
	      view_is_absent(task->description) == view_is_absent(description));
	HOLDS(task->completed == json_is_true(json_object_get(body, "completed")));
	HOLDS(view_equal(task->priority, view_is_absent(priority) ? VIEW("medium") : priority));
	HOLDS(task->has_due_date == json_is_string(json_object_get(body, "due_date")));
	HOLDS(task->tag_count == json_array_size(tags));
	for (size_t i = 0; i < task->tag_count; i++)
		HOLDS(view_equal(task->tags[i], second_text(json_array_get(tags, i))));
	json_decref(body);
}

void fuzz_one(struct view input)
{
	const cJSON *body;
	struct task_input task;
	struct task_input again;
	struct field_errors errors = {.count = 0};
	enum task_completion completion;
	if (json_parse(fuzz_arena(), input, &body) != JSON_OK)
		return;
	if (task_read_completion(body, &completion, &errors))
		HOLDS(cJSON_GetArraySize(body) == 1 && completion != TASK_TOGGLE);
	errors.count = 0;
	bool good = task_read(body, &task, &errors);
	HOLDS(good == (errors.count == 0) && errors.count <= FIELD_ERRORS_MAX);
	if (!good) {
		tasks_problem_is_json(&errors);
		return;
	}
	tasks_keeps_the_rules(&task);
	second_agrees(input, &task);
	json_t *written = tasks_write(&task);
	HOLDS(tasks_read(written, &again) && tasks_equal(&task, &again));
	json_decref(written);
}
