/* health.fcgi: is the process alive, and could it serve. */
#include "app/app.h"

static enum outcome health(struct exchange *x)
{
	BUF_LIT(&x->response->body, "{\"status\":\"ok\"}");
	return app_answer_json(x, 200);
}

static enum outcome ready(struct exchange *x)
{
	enum outcome outcome = app_ready(x->app);
	if (outcome != OUTCOME_OK)
		return outcome;
	BUF_LIT(&x->response->body, "{\"status\":\"ready\"}");
	return app_answer_json(x, 200);
}

static enum outcome metrics(struct exchange *x)
{
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
