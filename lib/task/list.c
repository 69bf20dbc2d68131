/* Reads what a list is asked for, and makes and reads cursors. */
#include "task/list.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/base64url.h"
#include "base/clock.h"
#include "base/utf8.h"

enum { FILTER_TEXT = 16, CURSOR_MAX = 2048 }; /* the first without NUL */

static const struct view sort_names[SORT_COUNT] = {
        [SORT_CREATED] = VIEW("created"),   [SORT_UPDATED] = VIEW("updated"),   [SORT_TITLE] = VIEW("title"),
        [SORT_DUE_DATE] = VIEW("due_date"), [SORT_PRIORITY] = VIEW("priority"),
};

/* ---- parameters ---- */

/* The position of `value` among `count` words; `standard` when it was not sent. */
static bool read_word(struct view value, const struct view *words, size_t count, size_t standard, size_t *ret)
{
	if (view_is_absent(value)) {
		*ret = standard;
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		if (view_equal(value, words[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool read_words(const struct query *query, struct task_list *list)
{
	static const struct view states[] = {VIEW("all"), VIEW("pending"), VIEW("completed")};
	static const struct view orders[] = {VIEW("asc"), VIEW("desc")};
	size_t status = 0;
	size_t sort = 0;
	size_t order = 0;
	struct view priority = query->values[PARAMETER_PRIORITY];
	struct view counted = query->values[PARAMETER_COUNT];
	if (!read_word(query->values[PARAMETER_STATUS], states, 3, 0, &status) ||
	    (!view_is_absent(priority) && !task_is_priority(priority)) ||
	    (!view_is_absent(counted) && !view_equal(counted, VIEW("exact"))) ||
	    !read_word(query->values[PARAMETER_SORT], sort_names, SORT_COUNT, SORT_CREATED, &sort))
		return false;
	/* What was made or changed last is looked for first; the rest reads from its beginning. */
	bool newest_first = sort == SORT_CREATED || sort == SORT_UPDATED;
	if (!read_word(query->values[PARAMETER_ORDER], orders, 2, newest_first, &order))
		return false;
	list->status = status > 0 ? states[status] : ABSENT;
	list->priority = priority;
	list->counted = !view_is_absent(counted);
	list->sort = (enum task_sort)sort;
	list->descending = order == 1;
	return true;
}

static bool read_limit(struct view value, struct task_list *list)
{
	uint64_t limit = TASK_LIST_MAX;
	if (!view_is_absent(value) && (!view_to_u64(value, TASK_LIST_MAX, &limit) || limit == 0))
		return false;
	list->limit = (int64_t)limit;
	return true;
}

/* "%text%" with what ILIKE would read as a pattern taken as it is. */
static enum outcome read_search(struct arena *arena, struct view text, struct task_list *list)
{
	if (text.len == 0)
		return OUTCOME_OK;
	if (utf8_count(text) > TASK_SEARCH_MAX)
		return OUTCOME_BAD_QUERY;
	char *pattern = arena_alloc(arena, 2 * text.len + 2);
	if (!pattern)
		return OUTCOME_INTERNAL;
	size_t len = 0;
	pattern[len++] = '%';
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '%' || c == '_' || c == '\\')
			pattern[len++] = '\\';
		pattern[len++] = c;
	}
	pattern[len++] = '%';
	list->pattern = (struct view){pattern, len};
	return OUTCOME_OK;
}

/* ---- cursors ---- */

/* FNV-1a over the filter: enough to notice a cursor of another list. */
static uint64_t hash_part(uint64_t hash, struct view part)
{
	for (size_t i = 0; i < part.len; i++)
		hash = (hash ^ (unsigned char)part.ptr[i]) * UINT64_C(0x100000001b3);
	/* A byte that no text holds parts them. */
	return (hash ^ (view_is_absent(part) ? 0xfe : 0xff)) * UINT64_C(0x100000001b3);
}

static void write_filter(const struct task_list *list, char out[FILTER_TEXT + 1])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	hash = hash_part(hash, list->status);
	hash = hash_part(hash, list->priority);
	hash = hash_part(hash, list->tag);
	hash = hash_part(hash, list->pattern);
	snprintf(out, FILTER_TEXT + 1, "%016" PRIx64, hash);
}

/* Is it a key that a task can have, in exactly the form that we write? */
static bool key_valid(enum task_sort sort, struct view key)
{
	switch (sort) {
	case SORT_TITLE:
		return key.len > 0 && utf8_count(key) <= TASK_TITLE_MAX && !view_has_control(key);
	case SORT_PRIORITY:
		return task_is_priority(key);
	case SORT_DUE_DATE:
		if (key.len == 0)
			return true;
		break;
	case SORT_CREATED:
	case SORT_UPDATED:
	case SORT_COUNT:
		break;
	}
	return clock_is_micros(key);
}

/* sort, order, filter, id, key, a line each; the key last. */
static bool cursor_valid(const struct task_list *list, struct view text, struct view *ret_id, struct view *ret_key)
{
	char filter[FILTER_TEXT + 1];
	struct view rest = text;
	write_filter(list, filter);
	if (!utf8_valid(text) || !view_equal(view_cut(&rest, '\n'), sort_names[list->sort]) ||
	    !view_equal(view_cut(&rest, '\n'), list->descending ? VIEW("desc") : VIEW("asc")) ||
	    !view_equal(view_cut(&rest, '\n'), (struct view){filter, FILTER_TEXT}))
		return false;
	struct view id = view_cut(&rest, '\n');
	if (!router_is_uuid(id) || view_is_absent(rest) || !key_valid(list->sort, rest))
		return false;
	*ret_id = id;
	*ret_key = rest.len > 0 ? rest : ABSENT;
	return true;
}

static enum outcome read_cursor(struct arena *arena, struct view cursor, struct task_list *list)
{
	size_t len;
	if (view_is_absent(cursor))
		return OUTCOME_OK;
	if (cursor.len > CURSOR_MAX)
		return OUTCOME_BAD_CURSOR;
	unsigned char *bytes = arena_alloc(arena, BASE64URL_DECODED(cursor.len) + 1);
	if (!bytes)
		return OUTCOME_INTERNAL;
	if (!base64url_decode(cursor, bytes, &len) ||
	    !cursor_valid(list, (struct view){(const char *)bytes, len}, &list->id, &list->key))
		return OUTCOME_BAD_CURSOR;
	return OUTCOME_OK;
}

struct view task_list_cursor(struct arena *arena, const struct task_list *list, const struct task *task)
{
	BUF text = buf_make(CURSOR_MAX);
	char instant[CLOCK_TEXT_MICROS + 1] = "";
	char filter[FILTER_TEXT + 1];
	write_filter(list, filter);
	buf_add(&text, sort_names[list->sort]);
	buf_add(&text, list->descending ? VIEW("\ndesc\n") : VIEW("\nasc\n"));
	buf_add(&text, (struct view){filter, FILTER_TEXT});
	buf_add_char(&text, '\n');
	buf_add(&text, (struct view){task->id, TASK_ID_TEXT});
	buf_add_char(&text, '\n');
	switch (list->sort) {
	case SORT_TITLE:
		buf_add(&text, task->title);
		break;
	case SORT_PRIORITY:
		buf_add(&text, task->priority);
		break;
	case SORT_DUE_DATE:
		if (task->has_due_date)
			clock_format_micros(task->due_date, instant);
		break;
	case SORT_UPDATED:
		clock_format_micros(task->updated_at, instant);
		break;
	case SORT_CREATED:
	case SORT_COUNT:
		clock_format_micros(task->created_at, instant);
		break;
	}
	buf_add(&text, view_of(instant));
	char *encoded = buf_ok(&text) ? arena_alloc(arena, BASE64URL_ENCODED(text.len) + 1) : NULL;
	if (!encoded)
		return ABSENT;
	return (struct view){encoded, base64url_encode((const unsigned char *)text.ptr, text.len, encoded)};
}

enum outcome task_list_read(struct arena *arena, const struct query *query, struct task_list *ret)
{
	struct task_list list = {0};
	struct view tag = query->values[PARAMETER_TAG];
	if (!read_words(query, &list) || !read_limit(query->values[PARAMETER_LIMIT], &list) ||
	    (!view_is_absent(tag) && (tag.len == 0 || utf8_count(tag) > TASK_TAG_MAX)))
		return OUTCOME_BAD_QUERY;
	list.tag = tag;
	enum outcome outcome = read_search(arena, query->values[PARAMETER_SEARCH], &list);
	if (outcome == OUTCOME_OK)
		outcome = read_cursor(arena, query->values[PARAMETER_CURSOR], &list);
	if (outcome == OUTCOME_OK)
		*ret = list;
	return outcome;
}
