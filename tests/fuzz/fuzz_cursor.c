/* Cursors: one is taken only if it is, byte for byte, what we write for some task.
 *
 * The first byte chooses sort and order, and whether the rest is the cursor itself or
 * what it is the base64url of; "@" in that stands for the filter, which is a hash. */
#include "base/clock.h"
#include "fuzz/fuzz.h"
#include "fuzz/second.h"
#include "task/list.h"

static const struct view sorts[] = {VIEW("created"), VIEW("updated"), VIEW("title"), VIEW("due_date"),
                                    VIEW("priority")};

/* The hash of a list that is filtered by nothing, as a cursor of ours has it. */
static struct view filter(void)
{
	const struct task_list list = {.sort = SORT_CREATED};
	const struct task task = {.id = "01890a5d-ac96-774b-bcce-b302099a8057"};
	struct view cursor = task_list_cursor(fuzz_arena(), &list, &task);
	unsigned char *bytes = fuzz_alloc(cursor.len);
	size_t len;
	HOLDS(second_base64url(cursor, bytes, &len));
	struct view rest = {(const char *)bytes, len};
	(void)view_cut(&rest, '\n');
	(void)view_cut(&rest, '\n');
	return view_cut(&rest, '\n');
}

static struct view with_filter(struct view text)
{
	struct view rest = text;
	struct view before = view_cut(&rest, '@');
	return view_is_absent(rest) ? text : fuzz_join(fuzz_join(before, filter()), rest);
}

/* A task that the page begins after. */
static struct task task_of(const struct task_list *list)
{
	struct task task = {.title = list->key, .priority = list->key};
	int64_t instant = 0;
	memcpy(task.id, list->id.ptr, TASK_ID_TEXT);
	if (list->sort != SORT_TITLE && list->sort != SORT_PRIORITY && !view_is_absent(list->key))
		HOLDS(clock_parse(list->key, &instant));
	task.created_at = instant;
	task.updated_at = instant;
	task.due_date = instant;
	task.has_due_date = !view_is_absent(list->key);
	return task;
}

void fuzz_one(struct view input)
{
	unsigned choice = input.len > 0 ? (unsigned char)input.ptr[0] : 0;
	struct view rest = view_from(input, input.len > 0);
	struct view cursor = choice & 32 ? fuzz_base64url(with_filter(rest)) : rest;
	struct query query = {0};
	struct task_list list;
	query.values[PARAMETER_SORT] = sorts[(choice & 15) % SORT_COUNT];
	query.values[PARAMETER_ORDER] = choice & 16 ? VIEW("desc") : VIEW("asc");
	query.values[PARAMETER_CURSOR] = cursor;
	enum outcome outcome = task_list_read(fuzz_arena(), &query, &list);
	HOLDS(outcome == OUTCOME_OK || outcome == OUTCOME_BAD_CURSOR);
	if (outcome != OUTCOME_OK)
		return;
	HOLDS(router_is_uuid(list.id) && second_utf8(list.key));
	const struct task task = task_of(&list);
	HOLDS(view_equal(task_list_cursor(fuzz_arena(), &list, &task), cursor));
}
