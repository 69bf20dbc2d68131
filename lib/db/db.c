/* Runs statements as one user: when to connect, to try again, to give up. */
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "db/connection.h"

/* A database that is away is asked again after this time, not before. */
#define BACK_OFF CLOCK_SECOND
/* The other one of a deadlock needs a moment to go on: at once the same would happen again. */
#define DEADLOCK_PAUSE (CLOCK_SECOND / 10)

enum { NOTES_MAX = 4096 };

/* IN_TURN: a write that waits for its like of the same user, so that it can count
 * the rows. ALONE: a write beside which no other of the same user's runs, where tokens can be revoked. */
enum access { READ, WRITE, IN_TURN, ALONE };

/* What todo.admit() is told of each. */
static const struct view side_by_side[] = {
        [READ] = VIEW("any"), [WRITE] = VIEW("writes"), [IN_TURN] = VIEW("writes"), [ALONE] = VIEW("none")};

static const struct {
	enum access access;
	size_t parameters;
	struct view name;
} statements[STATEMENT_COUNT] = {
#define STATEMENT(NAME, access, parameters, sql) [STATEMENT_##NAME] = {access, parameters, VIEW(#NAME)},
#include "db/statements.def"
#undef STATEMENT
};

#define STATEMENT(NAME, access, parameters, sql) \
	_Static_assert((parameters) >= 1 && (parameters) <= STEP_VALUES_MAX, #NAME);
#include "db/statements.def"
#undef STATEMENT

struct db {
	struct address address;
	struct connection connection;
	struct buf notes;
	struct db_counts counts;
	char trace[DB_TRACE_MAX + 1];
	int64_t timeout;  /* microseconds */
	int64_t deadline; /* by clock_monotonic(): of all calls together */
	bool prepare;
	bool role_check;
	bool revocation;
	int32_t schema;             /* its version when last looked at; 0: none that can be read */
	int64_t closed_until;       /* by clock_monotonic(): no connecting before */
	enum outcome closed_reason; /* what to answer until then */
};

struct db_result {
	PGresult *rows;
};

/* What an SQLSTATE means for the caller; the first row whose start fits.
 * Every one of these errors has rolled the transaction back, so a write may
 * be tried again as well as a read. */
static const struct reaction {
	struct view start;
	enum outcome outcome;
	bool again;     /* try once more … */
	bool reconnect; /* this session will only say the same again */
	int64_t pause;  /* … after this time */
} reactions[] = {
        {VIEW("40001"), OUTCOME_DATABASE_BUSY, true, false, 0},              /* serialization_failure */
        {VIEW("40P01"), OUTCOME_DATABASE_BUSY, true, false, DEADLOCK_PAUSE}, /* deadlock_detected */
        {VIEW(CONNECTION_REVOKED), OUTCOME_TOKEN_INVALID, false, false, 0},
        {VIEW("23503"), OUTCOME_TOKEN_INVALID, false, false, 0},       /* foreign_key_violation: the user is gone */
        {VIEW("23505"), OUTCOME_TASK_EXISTS, false, false, 0},         /* unique_violation */
        {VIEW("57014"), OUTCOME_DATABASE_TIMEOUT, false, false, 0},    /* query_canceled: statement_timeout */
        {VIEW("25006"), OUTCOME_DATABASE_UNAVAILABLE, false, true, 0}, /* read_only_sql_transaction: a standby */
        {VIEW("55P03"), OUTCOME_DATABASE_BUSY, false, false, 0},       /* lock_not_available */
        {VIEW("53"), OUTCOME_DATABASE_BUSY, false, false, 0},          /* insufficient resources */
        {VIEW("57P"), OUTCOME_DATABASE_UNAVAILABLE, false, true, 0},   /* operator intervention */
        {VIEW("08"), OUTCOME_DATABASE_UNAVAILABLE, false, true, 0},    /* connection exception, of a pooler */
        {VIEW("26000"), OUTCOME_INTERNAL, true, true, 0},              /* invalid_sql_statement_name: see below */
        {VIEW("42P05"), OUTCOME_INTERNAL, true, true, 0},              /* duplicate_prepared_statement: see below */
        {VIEW("0A000"), OUTCOME_INTERNAL, true, true, 0},              /* a cached plan that the schema outgrew */
        {VIEW(""), OUTCOME_INTERNAL, false, false, 0},
};

static const struct reaction *reaction_to(const char *sqlstate)
{
	size_t i = 0;
	while (!view_starts(view_of(sqlstate), reactions[i].start))
		i++;
	return &reactions[i];
}

/* Adds one line, or none when the notes are full. */
static void note(struct db *db, struct view what, struct view subject, const char *sqlstate)
{
	const struct view parts[] = {VIEW("database: "), what, subject, sqlstate[0] ? VIEW(", SQLSTATE ") : VIEW(""),
	                             view_of(sqlstate)};
	size_t length = 1;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		length += parts[i].len;
	if (length > NOTES_MAX - db->notes.len)
		return;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		buf_add(&db->notes, parts[i]);
	buf_add_char(&db->notes, '\n');
}

static void note_fault(struct db *db, struct view what, struct view subject, const char *sqlstate)
{
	note(db, what, subject, sqlstate);
	if (strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0)
		note(db,
		     VIEW("sessions seem to be shared (PgBouncer before 1.21 in transaction mode?): set "
		          "TODO_DATABASE_PREPARE=off"),
		     VIEW(""), "");
}

bool db_open(const struct config *config, struct db **ret, struct buf *error)
{
	struct db *db = calloc(1, sizeof *db);
	if (!db) {
		BUF_LIT(error, "DATABASE_URL: no memory");
		return false;
	}
	if (!address_make(config, &db->address, error)) {
		free(db);
		return false;
	}
	db->notes = buf_make(NOTES_MAX);
	db->timeout = config->database_timeout * CLOCK_SECOND;
	db->deadline = INT64_MAX;
	db->prepare = config->database_prepare;
	db->role_check = config->database_role_check;
	db->revocation = config->jwt_revocation;
	*ret = db;
	return true;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	connection_close(&db->connection);
	address_destroy(&db->address);
	buf_destroy(&db->notes);
	free(db);
}

void db_set_deadline(struct db *db, int64_t deadline)
{
	db->deadline = deadline;
}

/* Of one call. */
static int64_t deadline_of(const struct db *db)
{
	int64_t own = clock_monotonic() + db->timeout;
	return own < db->deadline ? own : db->deadline;
}

/* Nothing is begun without time to end it: a write's outcome would be unknown for no reason. */
static bool is_too_late(struct db *db, int64_t deadline)
{
	if (clock_monotonic() < deadline)
		return false;
	db->counts.timeouts++;
	note_fault(db, VIEW("no time is left for it"), VIEW(""), "");
	return true;
}

static void note_schema(struct db *db)
{
	char text[64] = "there is none that can be read";
	if (db->schema != 0)
		snprintf(text, sizeof text, "its version is %d, not %d", (int)db->schema, DB_SCHEMA_VERSION);
	note_fault(db, VIEW("the schema is not the one that this program works with: "), view_of(text), "");
}

static enum outcome check(struct db *db, int64_t deadline)
{
	struct pipeline_fault fault;
	enum outcome outcome;
	switch (connection_check(&db->connection, db->role_check, deadline, &outcome, &fault)) {
	case PIPELINE_DONE:
		if (outcome == OUTCOME_DATABASE_ROLE)
			note_fault(db, VIEW("the role could pass row-level security, or that is not forced"), VIEW(""),
			           "");
		db->schema = db->connection.schema;
		if (outcome == OUTCOME_DATABASE_SCHEMA)
			note_schema(db);
		return outcome;
	case PIPELINE_LATE:
		db->counts.timeouts++;
		note_fault(db, VIEW("no answer in time to the check of the role"), VIEW(""), "");
		return OUTCOME_DATABASE_TIMEOUT;
	case PIPELINE_LOST:
		note_fault(db, VIEW("the connection broke in the check of the role"), VIEW(""), fault.sqlstate);
		return OUTCOME_DATABASE_UNAVAILABLE;
	case PIPELINE_REFUSED:
		break;
	}
	note_fault(db, VIEW("the check of the role failed"), VIEW(""), fault.sqlstate);
	return reaction_to(fault.sqlstate)->outcome;
}

/* Gives up the connection and, for a while, the making of new ones. */
static enum outcome back_off(struct db *db, enum outcome reason)
{
	connection_close(&db->connection);
	db->closed_until = clock_monotonic() + BACK_OFF;
	db->closed_reason = reason;
	return reason;
}

static enum outcome connect_and_check(struct db *db, int64_t deadline)
{
	struct connection_fault fault;
	if (clock_monotonic() < db->closed_until)
		return db->closed_reason;
	db->counts.connections++;
	if (!connection_open(&db->connection, &db->address, deadline, &fault)) {
		if (fault.late) {
			db->counts.timeouts++;
			note_fault(db, VIEW("no answer in time while "), view_of(fault.stage), "");
			return back_off(db, OUTCOME_DATABASE_TIMEOUT);
		}
		note_fault(db, VIEW("connecting failed while "), view_of(fault.stage), fault.sqlstate);
		enum outcome outcome = reaction_to(fault.sqlstate)->outcome;
		return back_off(db, outcome == OUTCOME_DATABASE_BUSY ? outcome : OUTCOME_DATABASE_UNAVAILABLE);
	}
	enum outcome outcome = check(db, deadline);
	return outcome == OUTCOME_OK ? outcome : back_off(db, outcome);
}

/* Is there a connection? One that died meanwhile is none. */
static bool is_connected(struct db *db)
{
	if (db->connection.conn && connection_stale(&db->connection))
		connection_close(&db->connection);
	return db->connection.conn != NULL;
}

/* A connection that was good when last seen, or a new one. */
static enum outcome acquire(struct db *db, int64_t deadline)
{
	if (is_too_late(db, deadline))
		return OUTCOME_DATABASE_TIMEOUT;
	return is_connected(db) ? OUTCOME_OK : connect_and_check(db, deadline);
}

enum outcome db_ready(struct db *db)
{
	int64_t deadline = deadline_of(db);
	if (is_too_late(db, deadline))
		return OUTCOME_DATABASE_TIMEOUT;
	if (!is_connected(db))
		return connect_and_check(db, deadline);
	enum outcome outcome = check(db, deadline);
	if (outcome == OUTCOME_DATABASE_UNAVAILABLE) {
		connection_close(&db->connection);
		return connect_and_check(db, deadline);
	}
	return outcome == OUTCOME_OK ? outcome : back_off(db, outcome);
}

/* What to make of a pipeline that did not end well. */
static struct reaction judge(struct db *db, enum access access, struct view name, enum pipeline_end end,
                             const struct pipeline_fault *fault)
{
	bool unknown = access != READ && fault->synced;
	switch (end) {
	case PIPELINE_LOST:
		note_fault(db, VIEW("the connection broke in "), name, fault->sqlstate);
		return (struct reaction){.outcome = unknown ? OUTCOME_OUTCOME_UNKNOWN : OUTCOME_DATABASE_UNAVAILABLE,
		                         .again = !unknown,
		                         .reconnect = true};
	case PIPELINE_LATE:
		/* No cancel request: the server's own statement_timeout has ended
		 * what it could end, and libpq's PQcancel blocks without TLS. */
		db->counts.timeouts++;
		note_fault(db, VIEW("no answer in time to "), name, "");
		return (struct reaction){.outcome = unknown ? OUTCOME_OUTCOME_UNKNOWN : OUTCOME_DATABASE_TIMEOUT,
		                         .reconnect = true};
	case PIPELINE_REFUSED:
	case PIPELINE_DONE:
		break;
	}
	struct reaction reaction = *reaction_to(fault->sqlstate);
	if (reaction.outcome == OUTCOME_DATABASE_TIMEOUT)
		db->counts.timeouts++;
	/* A token that counts no more is the client's matter. */
	if (reaction.outcome != OUTCOME_TOKEN_INVALID)
		note_fault(db, VIEW("refused "), name, fault->sqlstate);
	return reaction;
}

/* Draws the conclusions of a failure. True: the same is to be tried once more. */
static bool goes_again(struct db *db, const struct reaction *reaction, bool first)
{
	if (reaction->reconnect)
		connection_close(&db->connection);
	if (!reaction->again || !first)
		return false;
	clock_wait(reaction->pause);
	db->counts.retries++;
	return true;
}

static enum outcome attempt(struct db *db, struct connection_job *job, void (*begin)(void *context), int64_t deadline,
                            PGresult **ret)
{
	for (bool first = true;; first = false) {
		struct pipeline_fault fault = {0};
		struct reaction reaction = {.outcome = acquire(db, deadline)};
		if (reaction.outcome == OUTCOME_OK) {
			if (begin)
				begin(job->context);
			enum pipeline_end end = connection_run(&db->connection, job, deadline, ret, &fault);
			if (end == PIPELINE_DONE)
				return OUTCOME_OK;
			reaction = judge(db, statements[job->statement].access, statements[job->statement].name, end,
			                 &fault);
		}
		if (!goes_again(db, &reaction, first))
			return reaction.outcome;
	}
}

static enum outcome run(struct db *db, struct connection_job *job, void (*begin)(void *context), PGresult **ret)
{
	int64_t started = clock_monotonic();
	if (job->count + 1 != statements[job->statement].parameters)
		return OUTCOME_INTERNAL;
	enum outcome outcome = attempt(db, job, begin, deadline_of(db), ret);
	db->counts.waited += clock_monotonic() - started;
	return outcome;
}

/* The job without its statement's own values; `issued_at` keeps a text of it. */
static struct connection_job job_of(const struct db *db, const struct principal *principal, enum db_statement statement,
                                    char issued_at[CLOCK_TEXT_MICROS + 1])
{
	bool dated = principal_issued_at(principal) != CLAIMS_NO_TIME;
	if (dated)
		clock_format_micros(principal_issued_at(principal), issued_at);
	return (struct connection_job){
	        .prepare = db->prepare,
	        .user = principal_user(principal),
	        .admit = db->revocation,
	        .issued_at = dated ? view_of(issued_at) : ABSENT,
	        .in_turn = statements[statement].access == IN_TURN,
	        .trace = db->trace[0] != '\0' ? view_of(db->trace) : ABSENT,
	        .side_by_side = side_by_side[statements[statement].access],
	        .statement = statement,
	};
}

enum outcome db_run(struct db *db, const struct principal *principal, enum db_statement statement,
                    const struct view *values, size_t count, struct db_result **ret)
{
	char issued_at[CLOCK_TEXT_MICROS + 1];
	struct connection_job job = job_of(db, principal, statement, issued_at);
	struct db_result *result = calloc(1, sizeof *result);
	if (!result)
		return OUTCOME_INTERNAL;
	job.values = values;
	job.count = count;
	enum outcome outcome = run(db, &job, NULL, &result->rows);
	if (outcome == OUTCOME_OK)
		*ret = result;
	else
		free(result);
	return outcome;
}

static void pass_row(void *context, PGresult *row)
{
	const struct db_sink *sink = context;
	const struct db_result result = {row};
	sink->take(sink->context, &result);
}

static void pass_begin(void *context)
{
	const struct db_sink *sink = context;
	sink->begin(sink->context);
}

enum outcome db_run_each(struct db *db, const struct principal *principal, enum db_statement statement,
                         const struct view *values, size_t count, const struct db_sink *sink)
{
	char issued_at[CLOCK_TEXT_MICROS + 1];
	struct connection_job job = job_of(db, principal, statement, issued_at);
	struct db_sink own = *sink;
	RESULT end = NULL;
	job.values = values;
	job.count = count;
	job.take = pass_row;
	job.context = &own;
	return run(db, &job, pass_begin, &end);
}

static enum outcome read_keys(struct db *db, int64_t grace, int64_t deadline, PGresult **ret)
{
	for (bool first = true;; first = false) {
		struct pipeline_fault fault = {0};
		struct reaction reaction = {.outcome = acquire(db, deadline)};
		if (reaction.outcome == OUTCOME_OK) {
			bool safe = false;
			enum pipeline_end end =
			        connection_read_keys(&db->connection, grace, deadline, &safe, ret, &fault);
			if (end == PIPELINE_DONE)
				return safe || !db->role_check ? OUTCOME_OK : OUTCOME_DATABASE_ROLE;
			reaction = judge(db, READ, VIEW("reading public.jwks"), end, &fault);
		}
		if (!goes_again(db, &reaction, first))
			return reaction.outcome;
	}
}

enum outcome db_read_keys(struct db *db, int64_t grace, struct db_result **ret)
{
	int64_t started = clock_monotonic();
	RESULT rows = NULL;
	enum outcome outcome = read_keys(db, grace, deadline_of(db), &rows);
	db->counts.waited += clock_monotonic() - started;
	if (outcome != OUTCOME_OK)
		return outcome;
	struct db_result *result = calloc(1, sizeof *result);
	if (!result)
		return OUTCOME_INTERNAL;
	result->rows = rows;
	rows = NULL;
	*ret = result;
	return OUTCOME_OK;
}

int32_t db_schema(const struct db *db)
{
	return db->schema;
}

void db_write_origin(const struct db *db, struct buf *ret)
{
	static const char *const keywords[] = {"host", "hostaddr", "port", "dbname", "user"};
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		const char *value = address_option(&db->address, keywords[i]);
		buf_add_char(ret, ' ');
		buf_add(ret, view_of(keywords[i]));
		buf_add_char(ret, '=');
		buf_add_json(ret, view_of(value ? value : ""));
	}
}

void db_disconnect(struct db *db)
{
	connection_close(&db->connection);
}

size_t db_rows(const struct db_result *result)
{
	return (size_t)PQntuples(result->rows);
}

struct view db_value(const struct db_result *result, size_t row, size_t column)
{
	int len = PQgetlength(result->rows, (int)row, (int)column);
	/* NULL has no length either, and is rare. */
	if (len == 0 && PQgetisnull(result->rows, (int)row, (int)column))
		return ABSENT;
	return (struct view){PQgetvalue(result->rows, (int)row, (int)column), (size_t)len};
}

void db_result_free(struct db_result **result)
{
	if (*result) {
		PQclear((*result)->rows);
		free(*result);
	}
	*result = NULL;
}

void db_note_row(struct db *db, enum db_statement statement)
{
	note(db, statements[statement].name, VIEW(" gave a row that has no form in an answer"), "");
}

void db_take_notes(struct db *db, struct buf *ret)
{
	buf_add(ret, buf_view(&db->notes));
	buf_reset(&db->notes, NOTES_MAX);
}

struct db_counts db_counts(const struct db *db)
{
	return db->counts;
}

void db_set_trace(struct db *db, struct view traceparent)
{
	size_t len = traceparent.len <= DB_TRACE_MAX ? traceparent.len : 0;
	if (len > 0)
		memcpy(db->trace, traceparent.ptr, len);
	db->trace[len] = '\0';
}
