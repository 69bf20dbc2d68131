/* A task as a client sends it: what is taken keeps the rules of contract §4, and
 * written as an answer and read once more it is the same task. */
#include "base/clock.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "fuzz/tasks.h"

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
	json_t *written = tasks_write(&task);
	HOLDS(tasks_read(written, &again) && tasks_equal(&task, &again));
	json_decref(written);
}
