/* What the targets of tasks share. */
#ifndef FUZZ_TASKS_H
#define FUZZ_TASKS_H

#include "fuzz/second.h"
#include "task/task.h"

/* The rules of task/task.h, counted and compared by Jansson and regex. */
void tasks_keeps_the_rules(const struct task_input *task);

bool tasks_equal(const struct task_input *a, const struct task_input *b);

/* The task as an answer says it, read by Jansson, less what a client may not send.
 * Given back by json_decref(). */
json_t *tasks_write(const struct task_input *input);

/* Reads such a document as one that a client sends; views live in the arena. */
bool tasks_read(json_t *document, struct task_input *ret);

/* A 422 that lists these errors is JSON. */
void tasks_problem_is_json(const struct field_errors *errors);

#endif
