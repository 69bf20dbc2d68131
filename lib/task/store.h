/* Tasks in the database. Every function works on the principal's tasks alone;
 * what it appends to `out` is what the database stored, as JSON. On failure
 * `out` may hold a part and must not be used. An `id` is a UUID in its
 * 36-character form, in either case; a task of another user is
 * OUTCOME_NO_SUCH_TASK. */
#ifndef TASK_STORE_H
#define TASK_STORE_H

#include "base/spool.h"
#include "db/db.h"
#include "http/conditional.h"
#include "task/list.h"
#include "task/task.h"

/* Where tasks are kept, and whose. */
struct task_store {
	struct db *db;
	struct arena *arena; /* for what travels to the database */
	const struct principal *principal;
	int64_t limit; /* tasks that the user may have; 0: as many as they like */
};

/* What a caller learns of the one task that it got, made or changed; after
 * OUTCOME_PRECONDITION_FAILED only the etag holds. */
struct task_stored {
	char id[TASK_ID_TEXT + 1];
	char etag[TASK_ETAG_TEXT + 1]; /* with its quotes */
};

CHECKED enum outcome task_get(const struct task_store *store, struct view id, struct buf *out, struct task_stored *ret);

/* Makes the id itself (task/uuid.h). OUTCOME_TASK_LIMIT: the user has as many
 * tasks as they may; that holds however many are made at once. */
CHECKED enum outcome task_create(const struct task_store *store, const struct task_input *input, struct buf *out,
                                 struct task_stored *ret);

/* Makes the task of that id. OUTCOME_PRECONDITION_FAILED: there is one, be the
 * limit reached or not; OUTCOME_TASK_LIMIT as above. */
CHECKED enum outcome task_create_as(const struct task_store *store, struct view id, const struct task_input *input,
                                    struct buf *out, struct task_stored *ret);

/* The functions below take `if_match`: NULL, or the tags one of which the task
 * must have. OUTCOME_PRECONDITION_FAILED: it has another. */

/* Every member takes the input's value: what was not sent goes back to its default. */
CHECKED enum outcome task_replace(const struct task_store *store, struct view id, const struct etags *if_match,
                                  const struct task_input *input, struct buf *out, struct task_stored *ret);

/* Changes the members that the patch holds (RFC 7396); an empty patch changes nothing. */
CHECKED enum outcome task_patch(const struct task_store *store, struct view id, const struct etags *if_match,
                                const struct task_patch *patch, struct buf *out, struct task_stored *ret);

CHECKED enum outcome task_complete(const struct task_store *store, struct view id, const struct etags *if_match,
                                   enum task_completion completion, struct buf *out, struct task_stored *ret);

/* On success *ret is untouched: there is no task to tell of. */
CHECKED enum outcome task_delete(const struct task_store *store, struct view id, const struct etags *if_match,
                                 struct task_stored *ret);

/* Deletes all completed tasks. */
CHECKED enum outcome task_clear(const struct task_store *store, int64_t *ret_deleted);

/* One page as a bare array. *ret_next: where the next page begins, in the arena;
 * ABSENT after the last one. */
CHECKED enum outcome task_list(const struct task_store *store, const struct task_list *list, struct buf *out,
                               struct view *ret_next);

/* How many tasks all pages of that list hold together. */
CHECKED enum outcome task_count(const struct task_store *store, const struct task_list *list, int64_t *ret);

/* Appends all tasks as one array, oldest first, from one snapshot. Memory is the
 * same for any number. OUTCOME_OK says nothing of the spool: spool_finish() does. */
CHECKED enum outcome task_export(const struct task_store *store, struct spool *spool);

/* The same with the user and the instant `now`, as the one document that a user
 * takes along. */
CHECKED enum outcome task_export_document(const struct task_store *store, int64_t now, struct spool *spool);

/* Deletes every row of the user; with `revoke` the tokens issued up to now, and
 * up to the principal's own, count no more. */
CHECKED enum outcome task_erase_user(const struct task_store *store, bool revoke, int64_t *ret_deleted);

#endif
