/* Tasks in the database. Every function works on the principal's tasks alone;
 * what it appends to `out` is what the database stored, as JSON. On failure
 * `out` may hold a part and must not be used. An `id` is a UUID in its
 * 36-character form, in either case; a task of another user is
 * OUTCOME_NO_SUCH_TASK. */
#ifndef TASK_STORE_H
#define TASK_STORE_H

#include "db/db.h"
#include "task/task.h"

/* A bare array, the newest first, 1000 at most. */
CHECKED enum outcome task_list(struct db *db, const struct principal *principal, struct buf *out);

/* Makes the id itself (task/uuid.h). */
CHECKED enum outcome task_create(struct arena *arena, struct db *db, const struct principal *principal,
                                 const struct task_input *input, struct buf *out, char ret_id[TASK_ID_TEXT + 1]);

CHECKED enum outcome task_get(struct db *db, const struct principal *principal, struct view id, struct buf *out);

/* Every member takes the input's value: what was not sent goes back to its default. */
CHECKED enum outcome task_replace(struct arena *arena, struct db *db, const struct principal *principal, struct view id,
                                  const struct task_input *input, struct buf *out);

CHECKED enum outcome task_complete(struct db *db, const struct principal *principal, struct view id,
                                   enum task_completion completion, struct buf *out);

CHECKED enum outcome task_delete(struct db *db, const struct principal *principal, struct view id);

#endif
