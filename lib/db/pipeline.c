/* Sends some statements and one Sync, and reads what comes back until a deadline. */
#include "db/pipeline.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"

/* text, in PostgreSQL's catalog pg_type */
#define OID_TEXT 25

/* What the server was asked, in order: each command ends in one NULL result. */
struct command {
	const struct step *step;
	size_t index; /* of the step */
	bool prepares;
};

enum { COMMANDS_MAX = 2 * PIPELINE_STEPS_MAX };

void result_release(PGresult **result)
{
	PQclear(*result);
	*result = NULL;
}

enum pipeline_end pipeline_wait(int fd, short events, int64_t deadline)
{
	/* poll() would sleep on a negative descriptor instead of refusing it. */
	if (fd < 0)
		return PIPELINE_LOST;
	for (;;) {
		int64_t left = deadline - clock_monotonic();
		if (left <= 0)
			return PIPELINE_LATE;
		struct pollfd polled = {.fd = fd, .events = events};
		int ready = poll(&polled, 1, (int)(left / 1000) + 1);
		if (ready > 0)
			return PIPELINE_DONE;
		if (ready < 0 && errno != EINTR)
			return PIPELINE_LOST;
	}
}

static bool step_prepare(PGconn *conn, const struct step *step, const Oid *types)
{
	return PQsendPrepare(conn, step->name, step->sql, (int)step->count, types) == 1;
}

static bool step_execute(PGconn *conn, const struct step *step, const Oid *types)
{
	/* In binary a text is its bytes, so nothing needs a NUL at its end. */
	const char *values[STEP_VALUES_MAX];
	int lengths[STEP_VALUES_MAX], formats[STEP_VALUES_MAX];
	for (size_t i = 0; i < step->count; i++) {
		values[i] = step->values[i].ptr;
		lengths[i] = (int)step->values[i].len;
		formats[i] = 1;
	}
	int count = (int)step->count;
	if (step->name)
		return PQsendQueryPrepared(conn, step->name, count, values, lengths, formats, 1) == 1;
	return PQsendQueryParams(conn, step->sql, count, types, values, lengths, formats, 1) == 1;
}

/* Queues all; nothing can be committed before the Sync. */
static bool pipeline_queue(PGconn *conn, const struct command *commands, size_t count)
{
	Oid types[STEP_VALUES_MAX];
	for (size_t i = 0; i < STEP_VALUES_MAX; i++)
		types[i] = OID_TEXT;
	for (size_t i = 0; i < count; i++) {
		const struct step *step = commands[i].step;
		if (step->count > STEP_VALUES_MAX)
			return false;
		if (!(commands[i].prepares ? step_prepare(conn, step, types) : step_execute(conn, step, types)))
			return false;
	}
	return true;
}

static enum pipeline_end pipeline_flush(PGconn *conn, int64_t deadline)
{
	for (;;) {
		int left = PQflush(conn);
		if (left == 0)
			return PIPELINE_DONE;
		if (left < 0)
			return PIPELINE_LOST;
		/* The server may stop reading until its own answers are read. */
		enum pipeline_end end = pipeline_wait(PQsocket(conn), POLLIN | POLLOUT, deadline);
		if (end != PIPELINE_DONE)
			return end;
		if (PQconsumeInput(conn) != 1)
			return PIPELINE_LOST;
	}
}

static enum pipeline_end pipeline_next(PGconn *conn, int64_t deadline, PGresult **ret)
{
	while (PQisBusy(conn)) {
		enum pipeline_end end = pipeline_wait(PQsocket(conn), POLLIN, deadline);
		if (end != PIPELINE_DONE)
			return end;
		if (PQconsumeInput(conn) != 1)
			return PIPELINE_LOST;
	}
	*ret = PQgetResult(conn);
	return PIPELINE_DONE;
}

static void keep_sqlstate(const char *sqlstate, struct pipeline_fault *fault)
{
	/* The first error is the cause; later ones follow from it. */
	if (strlen(sqlstate) == 5 && fault->sqlstate[0] == '\0')
		memcpy(fault->sqlstate, sqlstate, 6);
}

/* Files one result; PIPELINE_REFUSED for an error that the session survives. */
static enum pipeline_end pipeline_take(const struct command *command, PGresult **result, PGresult **ret_results,
                                       struct pipeline_fault *fault)
{
	ExecStatusType status = PQresultStatus(*result);
	if (status == PGRES_FATAL_ERROR) {
		/* libpq's own error, a broken connection, has none. One that the
		 * server ends has first the server's error, then that one. */
		const char *sqlstate = PQresultErrorField(*result, PG_DIAG_SQLSTATE);
		if (!sqlstate)
			return PIPELINE_LOST;
		keep_sqlstate(sqlstate, fault);
		return PIPELINE_REFUSED;
	}
	/* After an error the rest is only skipped. */
	if (status == PGRES_PIPELINE_ABORTED)
		return PIPELINE_REFUSED;
	if (command && status == PGRES_SINGLE_TUPLE) {
		command->step->take(command->step->context, *result);
		return PIPELINE_DONE;
	}
	if (!command || (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK))
		return PIPELINE_LOST;
	if (command->prepares) {
		*command->step->prepared = true;
	} else if (!ret_results[command->index]) {
		ret_results[command->index] = *result;
		*result = NULL;
	}
	return PIPELINE_DONE;
}

/* Rows that are taken one by one must be asked for before the first is read. */
static bool pipeline_begin(PGconn *conn, const struct command *command)
{
	return command->prepares || !command->step->take || PQsetSingleRowMode(conn) == 1;
}

static enum pipeline_end pipeline_read(PGconn *conn, const struct command *commands, size_t count, int64_t deadline,
                                       PGresult **ret_results, struct pipeline_fault *fault)
{
	enum pipeline_end verdict = PIPELINE_DONE;
	size_t at = 0;
	if (!pipeline_begin(conn, &commands[0]))
		return PIPELINE_LOST;
	for (;;) {
		RESULT result = NULL;
		enum pipeline_end end = pipeline_next(conn, deadline, &result);
		if (end != PIPELINE_DONE)
			return end;
		if (!result) {
			/* A Sync ends so only after an error of its own; more
			 * ends than that mean that the connection broke. */
			if (at++ > count)
				return PIPELINE_LOST;
			/* After an error the rest is skipped, whatever it would have been. */
			if (verdict == PIPELINE_DONE && at < count && !pipeline_begin(conn, &commands[at]))
				return PIPELINE_LOST;
			continue;
		}
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
			return verdict;
		/* The Sync itself, after the last command, can only fail: a COMMIT refused. */
		end = pipeline_take(at < count ? &commands[at] : NULL, &result, ret_results, fault);
		if (end == PIPELINE_LOST)
			return end;
		if (end == PIPELINE_REFUSED)
			verdict = end;
	}
}

enum pipeline_end pipeline_run(PGconn *conn, const struct step *steps, size_t count, int64_t deadline,
                               PGresult **ret_results, struct pipeline_fault *ret_fault)
{
	struct command commands[COMMANDS_MAX];
	size_t commands_count = 0;
	struct pipeline_fault fault = {0};
	enum pipeline_end end = PIPELINE_LOST;
	for (size_t i = 0; i < count; i++) {
		ret_results[i] = NULL;
		if (steps[i].name && !*steps[i].prepared)
			commands[commands_count++] = (struct command){&steps[i], i, true};
		commands[commands_count++] = (struct command){&steps[i], i, false};
	}
	if (pipeline_queue(conn, commands, commands_count)) {
		fault.synced = true;
		if (PQpipelineSync(conn) == 1)
			end = pipeline_flush(conn, deadline);
		if (end == PIPELINE_DONE)
			end = pipeline_read(conn, commands, commands_count, deadline, ret_results, &fault);
	}
	if (end != PIPELINE_DONE)
		*ret_fault = fault;
	return end;
}
