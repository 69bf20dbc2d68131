/* Moves tasks between the database and JSON. */
#include "task/store.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "db/value.h"
#include "task/uuid.h"

/* TASK_COLUMNS of statements.def, in its order. */
enum { ID, USER_ID, TITLE, DESCRIPTION, COMPLETED, PRIORITY, DUE_DATE, TAGS, CREATED_AT, UPDATED_AT };

/* $2 to $8 of TASK_CREATE, TASK_REPLACE and TASK_PATCH. */
enum { INPUT_VALUES = 7 };

/* A number as decimal text, for a parameter. */
enum { NUMBER_TEXT = 24 };

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

/* A row that is not as we write them: somebody else did, and has to learn of it. */
static enum outcome row_is_odd(const struct task_store *store, enum db_statement statement)
{
	db_note_row(store->db, statement);
	return OUTCOME_INTERNAL;
}

/* Writes the one task that a statement gave back. */
static enum outcome write_one(const struct task_store *store, enum db_statement statement,
                              const struct db_result *result, struct buf *out, struct task_stored *ret)
{
	struct task task;
	if (!read_row(result, 0, &task))
		return row_is_odd(store, statement);
	task_write(out, &task);
	if (!buf_ok(out))
		return OUTCOME_INTERNAL;
	memcpy(ret->id, task.id, sizeof ret->id);
	task_write_etag(&task, ret->etag);
	return OUTCOME_OK;
}

static enum outcome run(const struct task_store *store, enum db_statement statement, const struct view *values,
                        size_t count, struct db_result **ret)
{
	return db_run(store->db, store->principal, statement, values, count, ret);
}

/* Runs a statement that gives back the one task, or no row: `none`. */
static enum outcome run_on_one(const struct task_store *store, enum db_statement statement, const struct view *values,
                               size_t count, enum outcome none, struct buf *out, struct task_stored *ret)
{
	DB_RESULT result = NULL;
	enum outcome outcome = run(store, statement, values, count, &result);
	if (outcome != OUTCOME_OK)
		return outcome;
	return db_rows(result) == 1 ? write_one(store, statement, result, out, ret) : none;
}

/* A guarded statement found no row: was it the task that is missing, or has it
 * another tag? Asked only then, so that the usual way stays one round trip. */
static enum outcome tell_missing(const struct task_store *store, struct view id, struct task_stored *ret)
{
	struct task task;
	DB_RESULT result = NULL;
	enum outcome outcome = run(store, STATEMENT_TASK_GET, &id, 1, &result);
	if (outcome != OUTCOME_OK)
		return outcome;
	if (db_rows(result) != 1)
		return OUTCOME_NO_SUCH_TASK;
	if (!read_row(result, 0, &task))
		return row_is_odd(store, STATEMENT_TASK_GET);
	task_write_etag(&task, ret->etag);
	return OUTCOME_PRECONDITION_FAILED;
}

/* The instants that If-Match admits, a line each; ABSENT when it admits any. A
 * weak tag never matches (RFC 9110 §13.1.1), nor one that we never gave, though
 * it names the instant in another way. */
static bool condition_text(struct arena *arena, const struct etags *if_match, struct view *ret)
{
	if (!if_match || if_match->any) {
		*ret = ABSENT;
		return true;
	}
	char *text = arena_alloc(arena, if_match->count * (CLOCK_TEXT_MICROS + 1) + 1);
	size_t len = 0;
	if (!text)
		return false;
	for (size_t i = 0; i < if_match->count; i++) {
		struct view opaque = if_match->tags[i].opaque;
		if (if_match->tags[i].weak || !clock_is_micros(opaque))
			continue;
		if (len > 0)
			text[len++] = '\n';
		memcpy(text + len, opaque.ptr, opaque.len);
		len += opaque.len;
	}
	*ret = (struct view){text, len};
	return true;
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

enum outcome task_get(const struct task_store *store, struct view id, struct buf *out, struct task_stored *ret)
{
	return run_on_one(store, STATEMENT_TASK_GET, &id, 1, OUTCOME_NO_SUCH_TASK, out, ret);
}

/* Makes a task. When no row comes back, the id was taken or the limit reached. */
static enum outcome make(const struct task_store *store, const struct view *values, struct buf *out,
                         struct task_stored *ret)
{
	struct view all[INPUT_VALUES + 1];
	char limit[NUMBER_TEXT];
	if (store->limit == 0)
		return run_on_one(store, STATEMENT_TASK_CREATE, values, INPUT_VALUES, OUTCOME_TASK_EXISTS, out, ret);
	memcpy(all, values, INPUT_VALUES * sizeof *all);
	all[INPUT_VALUES] = (struct view){limit, (size_t)snprintf(limit, sizeof limit, "%" PRId64, store->limit)};
	return run_on_one(store, STATEMENT_TASK_CREATE_WITHIN, all, INPUT_VALUES + 1, OUTCOME_TASK_LIMIT, out, ret);
}

enum outcome task_create(const struct task_store *store, const struct task_input *input, struct buf *out,
                         struct task_stored *ret)
{
	struct view values[INPUT_VALUES];
	char id[TASK_ID_TEXT + 1];
	if (!uuid_new(clock_now(), id) || !input_values(store->arena, (struct view){id, TASK_ID_TEXT}, input, values))
		return OUTCOME_INTERNAL;
	return make(store, values, out, ret);
}

enum outcome task_create_as(const struct task_store *store, struct view id, const struct task_input *input,
                            struct buf *out, struct task_stored *ret)
{
	struct view values[INPUT_VALUES];
	if (!input_values(store->arena, id, input, values))
		return OUTCOME_INTERNAL;
	enum outcome outcome = make(store, values, out, ret);
	if (outcome != OUTCOME_TASK_EXISTS && outcome != OUTCOME_TASK_LIMIT)
		return outcome;
	enum outcome reason = tell_missing(store, id, ret);
	return reason == OUTCOME_NO_SUCH_TASK ? outcome : reason;
}

/* Runs an UPDATE that may be guarded by If-Match. */
static enum outcome run_guarded(const struct task_store *store, enum db_statement statement, const struct view *values,
                                size_t count, const struct etags *if_match, struct buf *out, struct task_stored *ret)
{
	enum outcome outcome = run_on_one(store, statement, values, count, OUTCOME_NO_SUCH_TASK, out, ret);
	return outcome == OUTCOME_NO_SUCH_TASK && if_match ? tell_missing(store, values[0], ret) : outcome;
}

enum outcome task_replace(const struct task_store *store, struct view id, const struct etags *if_match,
                          const struct task_input *input, struct buf *out, struct task_stored *ret)
{
	struct view values[INPUT_VALUES + 1];
	if (!input_values(store->arena, id, input, values) ||
	    !condition_text(store->arena, if_match, &values[INPUT_VALUES]))
		return OUTCOME_INTERNAL;
	return run_guarded(store, STATEMENT_TASK_REPLACE, values, INPUT_VALUES + 1, if_match, out, ret);
}

/* The letters of STATEMENT_TASK_PATCH. */
static struct view members_text(unsigned members, char out[8])
{
	static const struct {
		enum task_member member;
		char letter;
	} letters[] = {
	        {TASK_MEMBER_TITLE, 't'},    {TASK_MEMBER_DESCRIPTION, 'd'}, {TASK_MEMBER_COMPLETED, 'c'},
	        {TASK_MEMBER_PRIORITY, 'p'}, {TASK_MEMBER_DUE_DATE, 'u'},    {TASK_MEMBER_TAGS, 'g'},
	};
	size_t len = 0;
	for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
		if (members & letters[i].member)
			out[len++] = letters[i].letter;
	return (struct view){out, len};
}

enum outcome task_patch(const struct task_store *store, struct view id, const struct etags *if_match,
                        const struct task_patch *patch, struct buf *out, struct task_stored *ret)
{
	struct view values[INPUT_VALUES + 2];
	char members[8];
	if (patch->members == 0) {
		enum outcome outcome = task_get(store, id, out, ret);
		bool stale = outcome == OUTCOME_OK && if_match &&
		             !etags_match_strongly(if_match, (struct view){ret->etag + 1, CLOCK_TEXT_MICROS});
		return stale ? OUTCOME_PRECONDITION_FAILED : outcome;
	}
	if (!input_values(store->arena, id, &patch->values, values) ||
	    !condition_text(store->arena, if_match, &values[INPUT_VALUES]))
		return OUTCOME_INTERNAL;
	values[INPUT_VALUES + 1] = members_text(patch->members, members);
	return run_guarded(store, STATEMENT_TASK_PATCH, values, INPUT_VALUES + 2, if_match, out, ret);
}

enum outcome task_complete(const struct task_store *store, struct view id, const struct etags *if_match,
                           enum task_completion completion, struct buf *out, struct task_stored *ret)
{
	struct view values[] = {
	        id,
	        completion == TASK_TOGGLE ? ABSENT : bool_text(completion == TASK_COMPLETED),
	        ABSENT,
	};
	if (!condition_text(store->arena, if_match, &values[2]))
		return OUTCOME_INTERNAL;
	return run_guarded(store, STATEMENT_TASK_COMPLETE, values, 3, if_match, out, ret);
}

enum outcome task_delete(const struct task_store *store, struct view id, const struct etags *if_match,
                         struct task_stored *ret)
{
	DB_RESULT result = NULL;
	struct view values[] = {id, ABSENT};
	if (!condition_text(store->arena, if_match, &values[1]))
		return OUTCOME_INTERNAL;
	enum outcome outcome = run(store, STATEMENT_TASK_DELETE, values, 2, &result);
	if (outcome != OUTCOME_OK || db_rows(result) == 1)
		return outcome;
	return if_match ? tell_missing(store, id, ret) : OUTCOME_NO_SUCH_TASK;
}

/* Runs a statement whose answer is one number. */
static enum outcome run_for_number(const struct task_store *store, enum db_statement statement,
                                   const struct view *values, size_t count, int64_t *ret)
{
	DB_RESULT result = NULL;
	enum outcome outcome = run(store, statement, values, count, &result);
	if (outcome != OUTCOME_OK)
		return outcome;
	return db_rows(result) == 1 && value_to_int64(db_value(result, 0, 0), ret) ? OUTCOME_OK : OUTCOME_INTERNAL;
}

enum outcome task_clear(const struct task_store *store, int64_t *ret_deleted)
{
	return run_for_number(store, STATEMENT_TASK_CLEAR, NULL, 0, ret_deleted);
}

enum outcome task_count(const struct task_store *store, const struct task_list *list, int64_t *ret)
{
	const struct view values[] = {list->status, list->priority, list->tag, list->pattern};
	return run_for_number(store, STATEMENT_LIST_COUNT, values, 4, ret);
}

/* The statement of a list's order, with a filter or without, for its first page or a later one. */
static enum db_statement list_statement(const struct task_list *list)
{
	static const enum db_statement first[SORT_COUNT] = {
	        [SORT_CREATED] = STATEMENT_LIST_CREATED_ASC,   [SORT_UPDATED] = STATEMENT_LIST_UPDATED_ASC,
	        [SORT_TITLE] = STATEMENT_LIST_TITLE_ASC,       [SORT_DUE_DATE] = STATEMENT_LIST_DUE_DATE_ASC,
	        [SORT_PRIORITY] = STATEMENT_LIST_PRIORITY_ASC,
	};
	unsigned statement = first[list->sort];
	if (list->descending)
		statement += STATEMENT_LIST_CREATED_DESC - STATEMENT_LIST_CREATED_ASC;
	if (!view_is_absent(list->id))
		statement += STATEMENT_LIST_CREATED_ASC_FROM - STATEMENT_LIST_CREATED_ASC;
	if (!view_is_absent(list->status) || !view_is_absent(list->priority) || !view_is_absent(list->tag) ||
	    !view_is_absent(list->pattern))
		statement += STATEMENT_LIST_FILTERED_CREATED_ASC - STATEMENT_LIST_CREATED_ASC;
	return (enum db_statement)statement;
}

static enum outcome write_page(const struct task_store *store, enum db_statement statement,
                               const struct db_result *result, size_t rows, struct buf *out, struct task *ret_last)
{
	buf_add_char(out, '[');
	for (size_t row = 0; row < rows; row++) {
		if (row > 0)
			buf_add_char(out, ',');
		if (!read_row(result, row, ret_last))
			return row_is_odd(store, statement);
		task_write(out, ret_last);
	}
	buf_add_char(out, ']');
	return buf_ok(out) ? OUTCOME_OK : OUTCOME_INTERNAL;
}

enum outcome task_list(const struct task_store *store, const struct task_list *list, struct buf *out,
                       struct view *ret_next)
{
	DB_RESULT result = NULL;
	struct task last;
	char limit[NUMBER_TEXT];
	/* One more than the page: whether there is another page is known without a question. */
	struct view limit_text = {limit, (size_t)snprintf(limit, sizeof limit, "%" PRId64, list->limit + 1)};
	const struct view values[] = {list->status, list->priority, list->tag, list->pattern,
	                              limit_text,   list->key,      list->id};
	enum db_statement statement = list_statement(list);
	enum outcome outcome = run(store, statement, values, view_is_absent(list->id) ? 5 : 7, &result);
	if (outcome != OUTCOME_OK)
		return outcome;
	size_t rows = db_rows(result);
	bool more = rows > (size_t)list->limit;
	outcome = write_page(store, statement, result, more ? (size_t)list->limit : rows, out, &last);
	if (outcome != OUTCOME_OK)
		return outcome;
	struct view next = more ? task_list_cursor(store->arena, list, &last) : ABSENT;
	if (more && view_is_absent(next))
		return OUTCOME_INTERNAL;
	*ret_next = next;
	return OUTCOME_OK;
}

/* ---- all of a user's data ---- */

struct export
{
	struct spool *spool;
	uint64_t start;
	bool bad; /* a row could not be read */
};

static void export_begin(void *context)
{
	struct export *export = context;
	spool_cut(export->spool, export->start);
}

static void export_take(void *context, const struct db_result *row)
{
	struct export *export = context;
	struct task task;
	if (export->bad || !read_row(row, 0, &task)) {
		export->bad = true;
		return;
	}
	buf_add_char(spool_buf(export->spool), spool_len(export->spool) == export->start ? '[' : ',');
	task_write(spool_buf(export->spool), &task);
	spool_took(export->spool);
}

enum outcome task_export(const struct task_store *store, struct spool *spool)
{
	struct export export = {.spool = spool, .start = spool_len(spool)};
	const struct db_sink sink = {export_begin, export_take, &export};
	enum outcome outcome = db_run_each(store->db, store->principal, STATEMENT_TASK_EXPORT, NULL, 0, &sink);
	if (outcome != OUTCOME_OK)
		return outcome;
	if (export.bad)
		return row_is_odd(store, STATEMENT_TASK_EXPORT);
	if (spool_len(spool) == export.start)
		buf_add_char(spool_buf(spool), '[');
	buf_add_char(spool_buf(spool), ']');
	spool_took(spool);
	return OUTCOME_OK;
}

enum outcome task_export_document(const struct task_store *store, int64_t now, struct spool *spool)
{
	struct buf *out = spool_buf(spool);
	char instant[CLOCK_TEXT_MICROS + 1];
	clock_format_micros(now, instant);
	BUF_LIT(out, "{\"exported_at\":");
	buf_add_json(out, view_of(instant));
	BUF_LIT(out, ",\"user_id\":");
	buf_add_json(out, principal_user(store->principal));
	BUF_LIT(out, ",\"tasks\":");
	enum outcome outcome = task_export(store, spool);
	if (outcome == OUTCOME_OK)
		buf_add_char(spool_buf(spool), '}');
	return outcome;
}

enum outcome task_erase_user(const struct task_store *store, bool revoke, int64_t *ret_deleted)
{
	char issued_at[CLOCK_TEXT_MICROS + 1];
	struct view value = ABSENT;
	if (revoke && principal_issued_at(store->principal) != CLAIMS_NO_TIME) {
		clock_format_micros(principal_issued_at(store->principal), issued_at);
		value = view_of(issued_at);
	}
	return run_for_number(store, STATEMENT_USER_ERASE, &value, 1, ret_deleted);
}
