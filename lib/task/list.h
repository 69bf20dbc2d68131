/* What a list shows and in which order, and the cursor that leads from one page
 * to the next.
 */
#ifndef TASK_LIST_H
#define TASK_LIST_H

#include "base/arena.h"
#include "http/query.h"
#include "task/task.h"

enum { TASK_LIST_MAX = 1000, TASK_SEARCH_MAX = 100 };

enum task_sort { SORT_CREATED, SORT_UPDATED, SORT_TITLE, SORT_DUE_DATE, SORT_PRIORITY, SORT_COUNT };

struct task_list {
	struct view status;   /* pending or completed; ABSENT: both */
	struct view priority; /* ABSENT: any */
	struct view tag;      /* ABSENT: any */
	struct view pattern;  /* of the search, for ILIKE; ABSENT: none */
	enum task_sort sort;
	bool descending;
	bool counted; /* count=exact */
	int64_t limit;
	struct view key; /* with `id`: the page begins after this task; ABSENT for a due date that is none */
	struct view id;  /* ABSENT: the first page */
};

/* Reads the query's parameters (docs/openapi.yaml). OUTCOME_BAD_QUERY: a value that
 * the parameter does not have; OUTCOME_BAD_CURSOR: one that we did not make, or
 * made for another order or filter. The views of *ret live in the arena. */
CHECKED enum outcome task_list_read(struct arena *arena, const struct query *query, struct task_list *ret);

/* The cursor of the page that begins after `task`: base64url of the list's
 * order and filter, the key and the id. It is no secret and proves nothing: a
 * client that changes it moves within its own list. ABSENT: the arena is full. */
CHECKED struct view task_list_cursor(struct arena *arena, const struct task_list *list, const struct task *task);

#endif
