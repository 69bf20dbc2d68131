/* health.fcgi: is the process alive, and could it serve. */
#include "app/app.h"

static enum outcome health(struct exchange *x)
{
	BUF_LIT(&x->response->body, "{\"status\":\"ok\"}");
	return app_answer_json(x, 200);
}

static enum outcome ready(struct exchange *x)
{
	struct buf *out = &x->response->body;
	unsigned int warnings = 0;
	enum outcome outcome = app_ready(x->app, &warnings);
	if (outcome != OUTCOME_OK)
		return outcome;
	BUF_LIT(out, "{\"status\":\"ready\"");
	if (warnings != 0) {
		BUF_LIT(out, ",\"warnings\":[");
		if (warnings & READY_SETTINGS)
			BUF_LIT(out, "\"settings\"");
		if (warnings == (READY_SETTINGS | READY_KEYS))
			BUF_LIT(out, ",");
		if (warnings & READY_KEYS)
			BUF_LIT(out, "\"keys\"");
		BUF_LIT(out, "]");
	}
	BUF_LIT(out, "}");
	return app_answer_json(x, 200);
}

static enum outcome metrics(struct exchange *x)
{
	/* One process's own numbers would pass for the machine's. */
	if (!machine_is_common(x->app->machine))
		return OUTCOME_STORAGE_FULL;
	metrics_write(machine_metrics(x->app->machine), &x->response->body);
	enum outcome outcome = app_answer_json(x, 200);
	x->response->content_type = VIEW(METRICS_MEDIA_TYPE);
	return outcome;
}

static const struct app_program program = {
        .name = "health",
        .program = PROGRAM_HEALTH,
        .uses_database = true,
        .handlers = {[ROUTE_HEALTH] = health, [ROUTE_READY] = ready, [ROUTE_METRICS] = metrics},
};

int main(void)
{
	return app_main(&program);
}
