/* What a task is: the rules of its members, and its JSON (docs/openapi.yaml). */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include "base/buf.h"
#include "base/json.h"
#include "http/problem.h"

enum {
	TASK_ID_TEXT = 36,   /* without NUL */
	TASK_ETAG_TEXT = 29, /* the same, with its quotes */
	TASK_TITLE_MAX = 255,
	TASK_DESCRIPTION_MAX = 1000,
	TASK_TAGS_MAX = 20,
	TASK_TAG_MAX = 50, /* these four in characters, that is code points */
};

/* What a client says of a task. Views point into the body it was read from. */
struct task_input {
	struct view title;
	struct view description; /* ABSENT: null */
	struct view priority;    /* low, medium or high */
	struct view tags[TASK_TAGS_MAX];
	size_t tag_count;
	int64_t due_date; /* microseconds since 1970; holds only with has_due_date */
	bool has_due_date;
	bool completed;
};

/* A task as the database has it. Views point into the result it was read from. */
struct task {
	char id[TASK_ID_TEXT + 1];
	struct view user_id;
	struct view title;
	struct view description; /* ABSENT: null */
	struct view priority;
	struct view tags[TASK_TAGS_MAX];
	size_t tag_count;
	int64_t due_date; /* microseconds since 1970; holds only with has_due_date */
	int64_t created_at;
	int64_t updated_at;
	bool has_due_date;
	bool completed;
};

/* A merge patch: which members it holds, and what they become; a member that it
 * sets to null becomes its default. */
enum task_member {
	TASK_MEMBER_TITLE = 1 << 0,
	TASK_MEMBER_DESCRIPTION = 1 << 1,
	TASK_MEMBER_COMPLETED = 1 << 2,
	TASK_MEMBER_PRIORITY = 1 << 3,
	TASK_MEMBER_DUE_DATE = 1 << 4,
	TASK_MEMBER_TAGS = 1 << 5,
};

struct task_patch {
	unsigned members; /* a mask of enum task_member */
	struct task_input values;
};

enum task_completion { TASK_PENDING, TASK_COMPLETED, TASK_TOGGLE };

/* Is it low, medium or high? */
bool task_is_priority(struct view text);

/* Reads a whole task; absent optional members have their defaults. Strict: a
 * member that is unknown or the server's own is an error, and nothing is
 * converted. The title is trimmed; every other text is taken as it was sent. A
 * carriage return is a control character everywhere: a browser's textarea
 * gives its value with newlines alone.
 * False: `errors` has a row for each fault, up to its maximum. */
CHECKED bool task_read(const cJSON *body, struct task_input *ret, struct field_errors *errors);

/* Reads a merge patch (RFC 7396 §2): null sets a member to its default, but for
 * the title, which has none. */
CHECKED bool task_read_patch(const cJSON *body, struct task_patch *ret, struct field_errors *errors);

/* Reads {"completed":true} or {"completed":false}, and nothing else. */
CHECKED bool task_read_completion(const cJSON *body, enum task_completion *ret, struct field_errors *errors);

/* Appends the task as JSON, its members in the order of docs/openapi.yaml. */
void task_write(struct buf *out, const struct task *task);

/* The strong entity tag of a task: its updated_at in quotes. */
void task_write_etag(const struct task *task, char out[TASK_ETAG_TEXT + 1]);

#endif
