/* Puts a request's record together and hands it to whoever is told. */
#include "app/tell.h"

#include "app/record.h"
#include "base/clock.h"
#include "base/log.h"

/* What this request asked of the database and of key sources goes to the machine's counters. */
static void counts_pass_on(struct app *app)
{
	struct metrics *metrics = machine_metrics(app->machine);
	struct source_counts keys = keyring_counts(app->parts.keyring);
	struct db_counts db = app->parts.db ? db_counts(app->parts.db) : (struct db_counts){0};
	metrics_add(metrics, COUNTER_DATABASE_CONNECTIONS, db.connections - app->db_counted.connections);
	metrics_add(metrics, COUNTER_DATABASE_RETRIES, db.retries - app->db_counted.retries);
	metrics_add(metrics, COUNTER_DATABASE_TIMEOUTS, db.timeouts - app->db_counted.timeouts);
	metrics_add(metrics, COUNTER_KEY_FETCHES, keys.fetches - app->keys_counted.fetches);
	metrics_add(metrics, COUNTER_KEY_FETCH_FAILURES, keys.failures - app->keys_counted.failures);
	app->db_counted = db;
	app->keys_counted = keys;
}

static struct record record_make(const struct exchange *x, enum outcome outcome)
{
	struct record record = {
	        .request_id = x->request_id,
	        .client_request_id = x->request.client_request_id,
	        .trace_id = x->request.trace.id,
	        .method = request_method_name(x->request.method),
	        .route = x->match.row ? x->match.row->path : VIEW("-"),
	        .status = x->response->status,
	        .total = clock_monotonic() - x->started,
	        .verification = x->verification,
	        .database = x->app->parts.db ? db_counts(x->app->parts.db).waited - x->app->db_counted.waited : 0,
	};
	if (x->reason)
		record.reason = view_of(x->reason);
	else if (outcome != OUTCOME_OK)
		record.reason = outcome_row(outcome)->code;
	return record;
}

static void record_log(const struct exchange *x, struct record *record)
{
	const struct config *config = &x->app->config;
	char user[SECRET_PSEUDONYM_TEXT + 1];
	char client[CLIENT_TEXT_MAX];
	if (!config->log_requests)
		return;
	if (x->claims) {
		secret_pseudonym(machine_key(x->app->machine), x->claims->subject, user);
		record->user = view_of(user);
	}
	if (!view_equal(config->log_client, VIEW("none")))
		record->client =
		        client_text(&x->request.client,
		                    view_equal(config->log_client, VIEW("full")) ? CLIENT_FULL : CLIENT_PREFIX, client);
	buf_reset(&x->app->line, RECORD_MAX);
	record_write(record, &x->app->line);
	if (buf_ok(&x->app->line))
		log_members(record->status >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, buf_view(&x->app->line));
}

void tell_timing(struct exchange *x, enum outcome outcome)
{
	struct record record = record_make(x, outcome);
	buf_reset(&x->app->line, RECORD_MAX);
	record_write_timing(&record, &x->app->line);
	char *text = buf_ok(&x->app->line) ? arena_string(&x->app->arena, buf_view(&x->app->line)) : NULL;
	if (text)
		response_header(x->response, VIEW("Server-Timing"), view_of(text));
}

void tell_request(const struct exchange *x, enum outcome outcome)
{
	struct record record = record_make(x, outcome);
	const struct metrics_request request = {
	        .route = x->match.row ? x->match.route : ROUTE_COUNT,
	        .status = record.status,
	        .outcome = outcome,
	        .reason = x->reason,
	        .total = record.total,
	        .verification = record.verification,
	        .database = record.database,
	};
	counts_pass_on(x->app);
	metrics_count(machine_metrics(x->app->machine), &request);
	record_log(x, &record);
}

/* The log itself can't tell of what it has lost. */
static void losses_count(struct app *app)
{
	uint64_t lost = log_lost();
	metrics_add(machine_metrics(app->machine), COUNTER_LOG_LINES_LOST, lost - app->lines_counted);
	app->lines_counted = lost;
}

void tell_notes(struct app *app)
{
	buf_reset(&app->notes, TELL_NOTES_MAX);
	keyring_take_notes(app->parts.keyring, &app->notes);
	machine_take_notes(app->machine, &app->notes);
	if (app->parts.db)
		db_take_notes(app->parts.db, &app->notes);
	for (struct view rest = buf_view(&app->notes); rest.len > 0;) {
		struct view line = view_cut(&rest, '\n');
		if (line.len > 0)
			log_line(LOG_LEVEL_WARNING, line);
	}
	losses_count(app);
}
