/* Notices that settings files have changed, and puts their secrets to use. */
#include "app/reload.h"

#include "app/settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/state_dir.h"

#define LOOKS_EVERY CLOCK_SECOND
/* What is no good for a reason that lies outside the watched files: a key file, a database. */
#define TRIES_AGAIN_AFTER (5 * CLOCK_SECOND)

static bool same_database(const struct config *a, const struct config *b)
{
	return view_equal(a->database_url, b->database_url) && view_equal(a->todo_database_url, b->todo_database_url);
}

/* A new address that leads nowhere would cost more than the old one. */
static bool database_serves(const struct app *app, const struct config *config, struct parts *parts, struct buf *error)
{
	if (!app->uses_database || same_database(config, &app->config) || db_ready(parts->db) == OUTCOME_OK)
		return true;
	BUF_LIT(error, "DATABASE_URL: the new database can't be used");
	return false;
}

static void put_to_use(struct app *app, struct config *config, struct parts *parts)
{
	parts_close(&app->parts);
	config_release(&app->config);
	app->config = *config;
	app->parts = *parts;
	app->cors.origins = app->config.cors_origins;
	/* Both count from zero again. */
	app->db_counted = (struct db_counts){0};
	app->keys_counted = (struct source_counts){0};
}

/* Takes over `merged` or releases it. */
static bool replace(struct app *app, struct config *merged, bool *ret_replaced, struct buf *error)
{
	struct parts parts = {0};

	*ret_replaced = false;
	if (config_equal(merged, &app->config)) {
		config_release(merged);
		return true;
	}
	/* The request that waits for this keeps the other half of its time. */
	int64_t half = app->config.database_timeout * CLOCK_SECOND / 2;
	if (!parts_open(merged, app->uses_database, app->state_dir, app->deadline - half, &parts, error)) {
		config_release(merged);
		return false;
	}
	if (!database_serves(app, merged, &parts, error)) {
		parts_close(&parts);
		config_release(merged);
		return false;
	}
	put_to_use(app, merged, &parts);
	*ret_replaced = true;
	return true;
}

static bool load(struct app *app, struct watch *files, bool *ret_replaced, struct buf *error)
{
	struct config fresh;
	struct config merged;

	if (!config_load_files(&app->source, files, &fresh, error))
		return false;
	if (!settings_check(&fresh, error)) {
		config_release(&fresh);
		return false;
	}
	bool kept = config_with_secrets(&app->config, &fresh, &merged);
	config_release(&fresh);
	if (!kept) {
		BUF_LIT(error, "settings: no memory");
		return false;
	}
	return replace(app, &merged, ret_replaced, error);
}

static void log_text(enum log_level level, struct view start, struct view text)
{
	BUF line = buf_make(2 * RELOAD_REFUSAL_MAX);

	buf_add(&line, start);
	buf_add(&line, text);
	log_line(level, buf_view(&line));
}

static void tell(struct app *app, bool good, bool replaced, struct view error)
{
	if (!good && !view_equal(error, buf_view(&app->refusal)))
		log_text(LOG_LEVEL_ERROR, VIEW("the changed settings are no good, the old ones stay in use: "), error);
	if (replaced)
		log_text(LOG_LEVEL_INFO, VIEW("secrets were read again and are in use"), VIEW(""));
	else if (good && app->refusal.len > 0)
		log_text(LOG_LEVEL_INFO, VIEW("the settings are good again"), VIEW(""));
	buf_reset(&app->refusal, RELOAD_REFUSAL_MAX);
	if (!good)
		buf_add(&app->refusal, error);
}

void reload(struct app *app, int64_t now)
{
	struct watch files = {0};
	BUF error = buf_make(RELOAD_REFUSAL_MAX);
	bool replaced = false;

	if (now - app->looked_at < LOOKS_EVERY)
		return;
	app->looked_at = now;
	/* Gone for good it would take all fetching of keys along, which wants its locks. */
	if (state_dir_renew(app->config.state_dir, app->source.document_root, app->state_dir))
		machine_move(app->machine);
	if (!watch_changed(&app->files) && (app->refusal.len == 0 || now < app->try_again_at))
		return;
	bool good = load(app, &files, &replaced, &error);
	watch_clear(&app->files);
	app->files = files;
	app->try_again_at = now + TRIES_AGAIN_AFTER;
	tell(app, good, replaced, buf_view(&error));
}
