/* tasks.fcgi: a user's own tasks. */
#include "app/app.h"
#include "task/store.h"
#include "task/task.h"

static struct buf *out(struct exchange *x)
{
	return &x->response->body;
}

/* Passes a failure on, and answers well otherwise. */
static enum outcome answer(struct exchange *x, enum outcome outcome, int status)
{
	return outcome == OUTCOME_OK ? app_answer_json(x, status) : outcome;
}

static enum outcome list(struct exchange *x)
{
	return answer(x, task_list(x->app->db, x->principal, out(x)), 200);
}

/* The task's own address, relative: neither Host nor a forwarded name is believed. */
static struct view location(struct exchange *x, const char *id)
{
	struct buf text = buf_make(1024);
	struct view ret = ABSENT;
	buf_add(&text, x->app->config.base_path);
	BUF_LIT(&text, "/api/");
	response_add_segment(&text, principal_user(x->principal));
	BUF_LIT(&text, "/tasks/");
	buf_add(&text, view_of(id));
	if (buf_ok(&text))
		ret = view_of(arena_string(&x->app->arena, buf_view(&text)));
	buf_destroy(&text);
	return ret;
}

static enum outcome create(struct exchange *x)
{
	struct task_input input;
	char id[TASK_ID_TEXT + 1];
	if (!task_read(x->body, &input, &x->errors))
		return OUTCOME_INVALID;
	enum outcome outcome = task_create(&x->app->arena, x->app->db, x->principal, &input, out(x), id);
	if (outcome != OUTCOME_OK)
		return outcome;
	struct view address = location(x, id);
	if (!view_is_absent(address))
		response_header(x->response, VIEW("Location"), address);
	return app_answer_json(x, 201);
}

static enum outcome get(struct exchange *x)
{
	return answer(x, task_get(x->app->db, x->principal, x->match.id, out(x)), 200);
}

static enum outcome replace(struct exchange *x)
{
	struct task_input input;
	if (!task_read(x->body, &input, &x->errors))
		return OUTCOME_INVALID;
	return answer(x, task_replace(&x->app->arena, x->app->db, x->principal, x->match.id, &input, out(x)), 200);
}

static enum outcome complete(struct exchange *x)
{
	enum task_completion completion = TASK_TOGGLE;
	if (x->body && !task_read_completion(x->body, &completion, &x->errors))
		return OUTCOME_INVALID;
	return answer(x, task_complete(x->app->db, x->principal, x->match.id, completion, out(x)), 200);
}

static enum outcome delete (struct exchange *x) {
	enum outcome outcome = task_delete(x->app->db, x->principal, x->match.id);
	return outcome == OUTCOME_OK ? app_answer_empty(x, 204) : outcome;
}

static const struct app_program program = {
        .name = "tasks",
        .program = PROGRAM_TASKS,
        .uses_database = true,
        .handlers =
                {
                        [ROUTE_TASK_LIST] = list,
                        [ROUTE_TASK_CREATE] = create,
                        [ROUTE_TASK_GET] = get,
                        [ROUTE_TASK_REPLACE] = replace,
                        [ROUTE_TASK_DELETE] = delete,
                        [ROUTE_TASK_COMPLETE] = complete,
                },
};

int main(void)
{
	return app_main(&program);
}
