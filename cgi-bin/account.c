/* account.fcgi: all of a user's own data at once, to take along or to erase. */
#include "app/app.h"
#include "base/clock.h"
#include "base/percent.h"
#include "base/spool.h"
#include "task/store.h"

static struct task_store store(struct exchange *x)
{
	return (struct task_store){x->app->parts.db, &x->app->arena, x->principal, 0};
}

/* ---- export ---- */

static enum outcome spool_outcome(enum spool_state state)
{
	switch (state) {
	case SPOOL_OK:
		return OUTCOME_OK;
	case SPOOL_FULL:
		return OUTCOME_STORAGE_FULL;
	case SPOOL_FAILED:
		break;
	}
	return OUTCOME_INTERNAL;
}

static enum outcome write_document(struct exchange *x, struct spool *spool)
{
	struct task_store tasks = store(x);
	enum outcome outcome = task_export_document(&tasks, clock_now(), spool);
	return outcome == OUTCOME_OK ? spool_outcome(spool_finish(spool)) : outcome;
}

static enum outcome export_data(struct exchange *x)
{
	SPOOL spool = spool_none();
	enum outcome outcome = spool_outcome(spool_open(x->app->state_dir, &spool));
	if (outcome == OUTCOME_OK)
		outcome = write_document(x, &spool);
	if (outcome != OUTCOME_OK)
		return outcome;
	response_header(x->response, VIEW("Content-Disposition"), VIEW("attachment; filename=\"todo-export.json\""));
	/* The rest of a broken download would be of another snapshot (RFC 9110 §14.3). */
	response_header(x->response, VIEW("Accept-Ranges"), VIEW("none"));
	x->response->file_len = spool_len(&spool);
	x->response->file = spool_take_file(&spool);
	return app_answer_json(x, 200);
}

/* ---- erase ---- */

/* Whose token lies around for longer than this has to prove once more who it is. */
static bool token_is_fresh(const struct exchange *x)
{
	int64_t issued_at = principal_issued_at(x->principal);
	return issued_at != CLAIMS_NO_TIME &&
	       clock_now() - issued_at <= x->app->config.erase_max_token_age * CLOCK_SECOND;
}

/* The user's id as it is, or percent-encoded as in the path: a header takes no
 * more than ASCII from a browser. */
static bool is_confirmed(struct exchange *x)
{
	struct view sent = view_trim(x->request.confirm_erase);
	struct view decoded;
	if (sent.len == 0)
		return false;
	if (view_equal(sent, principal_user(x->principal)))
		return true;
	char *text = arena_alloc(&x->app->arena, sent.len);
	return text && percent_decode(sent, false, text, &decoded) && view_equal(decoded, principal_user(x->principal));
}

static enum outcome erase(struct exchange *x)
{
	struct task_store tasks = store(x);
	int64_t deleted = 0;
	if (!token_is_fresh(x))
		return OUTCOME_TOKEN_TOO_OLD;
	if (!view_is_absent(x->request.if_match) || !view_is_absent(x->request.if_none_match))
		return OUTCOME_BAD_CONDITION;
	if (!is_confirmed(x))
		return OUTCOME_NOT_CONFIRMED;
	enum outcome outcome = task_erase_user(&tasks, x->app->config.jwt_revocation, &deleted);
	return outcome == OUTCOME_OK ? app_answer_empty(x, 204) : outcome;
}

static const struct app_program program = {
        .name = "account",
        .program = PROGRAM_ACCOUNT,
        .uses_database = true,
        .handlers = {[ROUTE_EXPORT] = export_data, [ROUTE_ERASE] = erase},
};

int main(void)
{
	return app_main(&program);
}
