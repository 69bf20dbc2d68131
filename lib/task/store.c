/* Moves tasks between the database and JSON. */
#include "task/store.h"

#include "base/clock.h"
#include "db/value.h"
#include "task/uuid.h"

/* TASK_COLUMNS of statements.def, in its order. */
enum { ID, USER_ID, TITLE, DESCRIPTION, COMPLETED, PRIORITY, DUE_DATE, TAGS, CREATED_AT, UPDATED_AT };

/* $2 and on of TASK_CREATE and TASK_REPLACE. */
enum { INPUT_VALUES = 7 };

static bool read_tags(struct view value, struct task *task)
{
	struct value_array array;
	if (!value_to_array(value, &array) || array.left > TASK_TAGS_MAX)
		return false;
	task->tag_count = array.left;
	for (size_t i = 0; i < task->tag_count; i++)
		if (!value_array_next(&array, &task->tags[i]))
			return false;
	return true;
}

static bool read_row(const struct db_result *result, size_t row, struct task *task)
{
	struct view due_date = db_value(result, row, DUE_DATE);
	task->user_id = db_value(result, row, USER_ID);
	task->title = db_value(result, row, TITLE);
	task->description = db_value(result, row, DESCRIPTION);
	task->priority = db_value(result, row, PRIORITY);
	task->has_due_date = !view_is_absent(due_date);
	return value_to_uuid(db_value(result, row, ID), task->id) &&
	       value_to_bool(db_value(result, row, COMPLETED), &task->completed) &&
	       (!task->has_due_date || value_to_instant(due_date, &task->due_date)) &&
	       read_tags(db_value(result, row, TAGS), task) &&
	       value_to_instant(db_value(result, row, CREATED_AT), &task->created_at) &&
	       value_to_instant(db_value(result, row, UPDATED_AT), &task->updated_at);
}

static enum outcome write_row(const struct db_result *result, size_t row, struct buf *out)
{
	struct task task;
	if (!read_row(result, row, &task))
		return OUTCOME_INTERNAL;
	task_write(out, &task);
	return OUTCOME_OK;
}

/* Runs a statement on one task. With `out` NULL its row is not read. */
static enum outcome run_on_one(struct db *db, const struct principal *principal, enum db_statement statement,
                               const struct view *values, size_t count, struct buf *out)
{
	DB_RESULT result = NULL;
	enum outcome outcome = db_run(db, principal, statement, values, count, &result);
	if (outcome != OUTCOME_OK)
		return outcome;
	if (db_rows(result) != 1)
		return OUTCOME_NO_SUCH_TASK;
	if (!out)
		return OUTCOME_OK;
	outcome = write_row(result, 0, out);
	return outcome == OUTCOME_OK && !buf_ok(out) ? OUTCOME_INTERNAL : outcome;
}

static struct view bool_text(bool value)
{
	return value ? VIEW("true") : VIEW("false");
}

/* No tag holds a control character, so a newline can part them. */
static bool join_tags(struct arena *arena, const struct task_input *input, struct view *ret)
{
	size_t length = 0;
	for (size_t i = 0; i < input->tag_count; i++)
		length += input->tags[i].len + 1;
	char *text = arena_alloc(arena, length + 1);
	if (!text)
		return false;
	char *end = text;
	for (size_t i = 0; i < input->tag_count; i++) {
		if (i > 0)
			*end++ = '\n';
		memcpy(end, input->tags[i].ptr, input->tags[i].len);
		end += input->tags[i].len;
	}
	*ret = (struct view){text, (size_t)(end - text)};
	return true;
}

static bool input_values(struct arena *arena, struct view id, const struct task_input *input, struct view *ret)
{
	struct view due_date = ABSENT, tags;
	if (input->has_due_date) {
		char *text = arena_alloc(arena, CLOCK_TEXT_MICROS + 1);
		if (!text)
			return false;
		clock_format_micros(input->due_date, text);
		due_date = (struct view){text, CLOCK_TEXT_MICROS};
	}
	if (!join_tags(arena, input, &tags))
		return false;
	const struct view values[INPUT_VALUES] = {
	        id, input->title, input->description, bool_text(input->completed), input->priority, due_date, tags,
	};
	memcpy(ret, values, sizeof values);
	return true;
}

enum outcome task_list(struct db *db, const struct principal *principal, struct buf *out)
{
	DB_RESULT result = NULL;
	enum outcome outcome = db_run(db, principal, STATEMENT_TASK_LIST, NULL, 0, &result);
	if (outcome != OUTCOME_OK)
		return outcome;
	buf_add_char(out, '[');
	for (size_t row = 0; row < db_rows(result); row++) {
		if (row > 0)
			buf_add_char(out, ',');
		outcome = write_row(result, row, out);
		if (outcome != OUTCOME_OK)
			return outcome;
	}
	buf_add_char(out, ']');
	return buf_ok(out) ? OUTCOME_OK : OUTCOME_INTERNAL;
}

enum outcome task_create(struct arena *arena, struct db *db, const struct principal *principal,
                         const struct task_input *input, struct buf *out, char ret_id[TASK_ID_TEXT + 1])
{
	struct view values[INPUT_VALUES];
	char id[TASK_ID_TEXT + 1];
	if (!uuid_new(clock_now(), id) || !input_values(arena, (struct view){id, TASK_ID_TEXT}, input, values))
		return OUTCOME_INTERNAL;
	enum outcome outcome = run_on_one(db, principal, STATEMENT_TASK_CREATE, values, INPUT_VALUES, out);
	if (outcome == OUTCOME_OK)
		memcpy(ret_id, id, sizeof id);
	return outcome;
}

enum outcome task_get(struct db *db, const struct principal *principal, struct view id, struct buf *out)
{
	return run_on_one(db, principal, STATEMENT_TASK_GET, &id, 1, out);
}

enum outcome task_replace(struct arena *arena, struct db *db, const struct principal *principal, struct view id,
                          const struct task_input *input, struct buf *out)
{
	struct view values[INPUT_VALUES];
	if (!input_values(arena, id, input, values))
		return OUTCOME_INTERNAL;
	return run_on_one(db, principal, STATEMENT_TASK_REPLACE, values, INPUT_VALUES, out);
}

enum outcome task_complete(struct db *db, const struct principal *principal, struct view id,
                           enum task_completion completion, struct buf *out)
{
	struct view mark = completion == TASK_TOGGLE ? ABSENT : bool_text(completion == TASK_COMPLETED);
	const struct view values[] = {id, mark};
	return run_on_one(db, principal, STATEMENT_TASK_COMPLETE, values, 2, out);
}

enum outcome task_delete(struct db *db, const struct principal *principal, struct view id)
{
	return run_on_one(db, principal, STATEMENT_TASK_DELETE, &id, 1, NULL);
}
