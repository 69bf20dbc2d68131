/* Readiness: what a load balancer asks. */
#include "app/app.h"
#include "base/clock.h"

static enum outcome ready_judge(struct app *app)
{
	if (!keyring_ready(app->keyring, clock_now()))
		return OUTCOME_KEYS_UNAVAILABLE;
	return app->db ? db_ready(app->db) : OUTCOME_OK;
}

enum outcome app_ready(struct app *app)
{
	int64_t now = clock_monotonic();
	if (app->ready_at == 0 || now - app->ready_at >= CLOCK_SECOND) {
		app->ready = ready_judge(app);
		app->ready_at = now;
	}
	return app->ready;
}
