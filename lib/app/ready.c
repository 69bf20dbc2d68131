/* Readiness: what a load balancer asks, judged once a second for a whole machine. */
#include <unistd.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/state_dir.h"

#define READY_HOLDS CLOCK_SECOND

static const char result_file[] = "ready";
static const char lock_file[] = "ready.lock";

struct result {
	enum outcome outcome;
	unsigned int warnings;
};

/* Too slow to answer is as good as away: who asks is told 200 or 503. */
static enum outcome database_judge(struct db *db)
{
	enum outcome outcome = db_ready(db);
	bool told = outcome == OUTCOME_OK || outcome_row(outcome)->status == 503;
	return told ? outcome : OUTCOME_DATABASE_UNAVAILABLE;
}

static struct result ready_judge(struct app *app)
{
	struct result result = {.outcome = OUTCOME_OK};
	if (app->refusal.len > 0)
		result.warnings |= READY_SETTINGS;
	bool usable = keyring_ready(app->parts.keyring, clock_now());
	if (keyring_is_outdated(app->parts.keyring))
		result.warnings |= READY_KEYS;
	if (!usable)
		result.outcome = OUTCOME_KEYS_UNAVAILABLE;
	else if (app->parts.db)
		result.outcome = database_judge(app->parts.db);
	return result;
}

/* Reads "<instant> <outcome> <warnings>", the instant by clock_monotonic(), which is the
 * same for all processes of a machine. False: none, too old, or from before a
 * restart of the machine. */
static bool result_read(const struct app *app, int64_t now, struct result *ret)
{
	BUF text = buf_make(64);
	uint64_t instant = 0;
	uint64_t outcome = 0;
	uint64_t warnings = 0;
	if (!state_file_read(app->state_dir, result_file, &text))
		return false;
	struct view rest = buf_view(&text);
	if (!view_to_u64(view_cut(&rest, ' '), INT64_MAX, &instant) ||
	    !view_to_u64(view_cut(&rest, ' '), OUTCOME_COUNT - 1, &outcome) ||
	    !view_to_u64(rest, READY_SETTINGS | READY_KEYS, &warnings))
		return false;
	if ((int64_t)instant > now || now - (int64_t)instant >= READY_HOLDS)
		return false;
	*ret = (struct result){(enum outcome)outcome, (unsigned int)warnings};
	return true;
}

/* Not to be able to write it costs others a question of their own, no more. */
static void result_write(const struct app *app, struct result result)
{
	BUF text = buf_make(64);
	buf_add_u64(&text, (uint64_t)clock_monotonic());
	buf_add_char(&text, ' ');
	buf_add_u64(&text, (uint64_t)result.outcome);
	buf_add_char(&text, ' ');
	buf_add_u64(&text, result.warnings);
	bool written = buf_ok(&text) && state_file_replace(app->state_dir, result_file, buf_view(&text));
	(void)written;
}

enum outcome app_ready(struct app *app, unsigned int *ret_warnings)
{
	struct result result = {.outcome = OUTCOME_INTERNAL};
	int lock = -1;
	if (!result_read(app, clock_monotonic(), &result)) {
		enum state_lock state = state_file_lock(app->state_dir, lock_file, app->deadline, &lock);
		/* Whoever held the lock may have left a fresh result. */
		if (state != STATE_LOCKED || !result_read(app, clock_monotonic(), &result)) {
			result = ready_judge(app);
			result_write(app, result);
		}
		if (state == STATE_LOCKED)
			close(lock);
	}
	*ret_warnings = result.warnings;
	return result.outcome;
}
