/* tasks.fcgi: a user's own tasks. */
#include <inttypes.h>
#include <stdio.h>

#include "app/app.h"
#include "base/percent.h"
#include "task/store.h"
#include "task/task.h"

static struct buf *out(struct exchange *x)
{
	return &x->response->body;
}

static struct task_store store(struct exchange *x)
{
	return (struct task_store){x->app->parts.db, &x->app->arena, x->principal, x->app->config.task_limit};
}

/* ---- conditions ---- */

/* PUT makes a task where there is none. */
static bool is_creating(const struct exchange *x)
{
	return view_equal(view_trim(x->request.if_none_match), VIEW("*"));
}

/* The tags of the one header that may be there, where the other means nothing. */
static enum outcome read_condition(struct exchange *x, struct view field, struct view other)
{
	if (!view_is_absent(other))
		return OUTCOME_BAD_CONDITION;
	return view_is_absent(field) || etags_read(field, &x->etags) ? OUTCOME_OK : OUTCOME_BAD_CONDITION;
}

static enum outcome read_conditions(struct exchange *x)
{
	struct view match = x->request.if_match;
	struct view none_match = x->request.if_none_match;
	enum route route = x->match.route;
	if (route == ROUTE_TASK_LIST)
		return OUTCOME_OK;
	if (route == ROUTE_TASK_GET)
		return read_condition(x, none_match, ABSENT);
	if (route == ROUTE_TASK_REPLACE && is_creating(x))
		return read_condition(x, ABSENT, match);
	/* Many tasks, or one that is not there yet, have no tag of their own. */
	if (route == ROUTE_TASK_CREATE || route == ROUTE_TASK_CLEAR)
		return view_is_absent(match) ? read_condition(x, ABSENT, none_match) : OUTCOME_BAD_CONDITION;
	return read_condition(x, match, none_match);
}

/* If-Match; NULL when it was not sent. */
static const struct etags *if_match(const struct exchange *x)
{
	return view_is_absent(x->request.if_match) ? NULL : &x->etags;
}

/* A copy of the text that the answer's headers may keep; ABSENT: no memory. */
static struct view keep(struct exchange *x, struct view text)
{
	return view_of(arena_string(&x->app->arena, text));
}

/* Answers with the one task that is in the body, or passes the failure on. */
static enum outcome answer_task(struct exchange *x, enum outcome outcome, const struct task_stored *task, int status)
{
	struct view etag = ABSENT;
	if (outcome == OUTCOME_OK || outcome == OUTCOME_PRECONDITION_FAILED) {
		etag = keep(x, view_of(task->etag));
		if (view_is_absent(etag))
			return OUTCOME_INTERNAL;
	}
	if (outcome != OUTCOME_OK) {
		x->etag = etag;
		return outcome;
	}
	response_header(x->response, VIEW("ETag"), etag);
	return app_answer_json(x, status);
}

/* ---- links ---- */

/* "<base>/api/<user>/tasks": relative, neither Host nor a forwarded name is believed. */
static void add_tasks_path(struct exchange *x, struct buf *text)
{
	buf_add(text, x->app->config.base_path);
	BUF_LIT(text, "/api/");
	percent_encode(text, principal_user(x->principal));
	BUF_LIT(text, "/tasks");
}

static enum outcome answer_made(struct exchange *x, enum outcome outcome, const struct task_stored *task)
{
	enum { LOCATION_MAX = 2048 };
	BUF text = buf_make(LOCATION_MAX);
	if (outcome == OUTCOME_OK) {
		add_tasks_path(x, &text);
		buf_add_char(&text, '/');
		buf_add(&text, view_of(task->id));
		struct view location = buf_ok(&text) ? keep(x, buf_view(&text)) : ABSENT;
		if (view_is_absent(location))
			return OUTCOME_INTERNAL;
		response_header(x->response, VIEW("Location"), location);
	}
	return answer_task(x, outcome, task, 201);
}

/* Link: <…>; rel="next" (RFC 8288 §3), with the filter and order of this page. */
static enum outcome add_next(struct exchange *x, struct view cursor)
{
	enum { LINK_MAX = 8192 };
	BUF text = buf_make(LINK_MAX);
	struct query query = x->query;
	query.values[PARAMETER_CURSOR] = cursor;
	buf_add_char(&text, '<');
	add_tasks_path(x, &text);
	buf_add_char(&text, '?');
	query_write(&text, &query);
	BUF_LIT(&text, ">; rel=\"next\"");
	struct view link = buf_ok(&text) ? keep(x, buf_view(&text)) : ABSENT;
	if (view_is_absent(link))
		return OUTCOME_INTERNAL;
	response_header(x->response, VIEW("Link"), link);
	return OUTCOME_OK;
}

static enum outcome add_count(struct exchange *x, int64_t count)
{
	char number[24];
	snprintf(number, sizeof number, "%" PRId64, count);
	struct view text = keep(x, view_of(number));
	if (view_is_absent(text))
		return OUTCOME_INTERNAL;
	response_header(x->response, VIEW("X-Total-Count"), text);
	return OUTCOME_OK;
}

/* ---- handlers ---- */

static enum outcome list(struct exchange *x)
{
	struct task_list wanted;
	struct task_store tasks = store(x);
	struct view next = ABSENT;
	int64_t count = 0;
	enum outcome outcome = task_list_read(&x->app->arena, &x->query, &wanted);
	if (outcome == OUTCOME_OK)
		outcome = task_list(&tasks, &wanted, out(x), &next);
	if (outcome == OUTCOME_OK && !view_is_absent(next))
		outcome = add_next(x, next);
	if (outcome == OUTCOME_OK && wanted.counted) {
		outcome = task_count(&tasks, &wanted, &count);
		if (outcome == OUTCOME_OK)
			outcome = add_count(x, count);
	}
	return outcome == OUTCOME_OK ? app_answer_json(x, 200) : outcome;
}

static enum outcome create(struct exchange *x)
{
	struct task_input input;
	struct task_stored task;
	struct task_store tasks = store(x);
	if (!task_read(x->body, &input, &x->errors))
		return OUTCOME_INVALID;
	return answer_made(x, task_create(&tasks, &input, out(x), &task), &task);
}

static enum outcome clear(struct exchange *x)
{
	struct task_store tasks = store(x);
	int64_t deleted = 0;
	struct view status = x->query.values[PARAMETER_STATUS];
	if (view_is_absent(status))
		return OUTCOME_STATUS_REQUIRED;
	if (!view_equal(status, VIEW("completed")))
		return OUTCOME_BAD_QUERY;
	enum outcome outcome = task_clear(&tasks, &deleted);
	if (outcome != OUTCOME_OK)
		return outcome;
	BUF_LIT(out(x), "{\"deleted\":");
	buf_add_u64(out(x), (uint64_t)deleted);
	buf_add_char(out(x), '}');
	return app_answer_json(x, 200);
}

static enum outcome get(struct exchange *x)
{
	struct task_stored task;
	struct task_store tasks = store(x);
	bool conditional = !view_is_absent(x->request.if_none_match);
	enum outcome outcome = task_get(&tasks, x->match.id, out(x), &task);
	struct view opaque = {task.etag + 1, TASK_ETAG_TEXT - 2};
	if (outcome == OUTCOME_OK && conditional && etags_match_weakly(&x->etags, opaque)) {
		buf_reset(out(x), RESPONSE_BODY_MAX);
		return answer_task(x, outcome, &task, 304);
	}
	return answer_task(x, outcome, &task, 200);
}

static enum outcome replace(struct exchange *x)
{
	struct task_input input;
	struct task_stored task;
	struct task_store tasks = store(x);
	if (!task_read(x->body, &input, &x->errors))
		return OUTCOME_INVALID;
	if (is_creating(x))
		return answer_made(x, task_create_as(&tasks, x->match.id, &input, out(x), &task), &task);
	return answer_task(x, task_replace(&tasks, x->match.id, if_match(x), &input, out(x), &task), &task, 200);
}

static enum outcome patch(struct exchange *x)
{
	struct task_patch changes;
	struct task_stored task;
	struct task_store tasks = store(x);
	if (!task_read_patch(x->body, &changes, &x->errors))
		return OUTCOME_INVALID;
	return answer_task(x, task_patch(&tasks, x->match.id, if_match(x), &changes, out(x), &task), &task, 200);
}

static enum outcome complete(struct exchange *x)
{
	enum task_completion completion = TASK_TOGGLE;
	struct task_stored task;
	struct task_store tasks = store(x);
	if (x->body && !task_read_completion(x->body, &completion, &x->errors))
		return OUTCOME_INVALID;
	return answer_task(x, task_complete(&tasks, x->match.id, if_match(x), completion, out(x), &task), &task, 200);
}

static enum outcome delete_task(struct exchange *x)
{
	struct task_stored task;
	struct task_store tasks = store(x);
	enum outcome outcome = task_delete(&tasks, x->match.id, if_match(x), &task);
	if (outcome == OUTCOME_OK)
		return app_answer_empty(x, 204);
	return answer_task(x, outcome, &task, 204);
}

static const struct app_program program = {
        .name = "tasks",
        .program = PROGRAM_TASKS,
        .uses_database = true,
        .conditions = read_conditions,
        .handlers =
                {
                        [ROUTE_TASK_LIST] = list,
                        [ROUTE_TASK_CREATE] = create,
                        [ROUTE_TASK_CLEAR] = clear,
                        [ROUTE_TASK_GET] = get,
                        [ROUTE_TASK_REPLACE] = replace,
                        [ROUTE_TASK_PATCH] = patch,
                        [ROUTE_TASK_DELETE] = delete_task,
                        [ROUTE_TASK_COMPLETE] = complete,
                },
};

int main(void)
{
	return app_main(&program);
}
