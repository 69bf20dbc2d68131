/* One connection to the database: made within a deadline, checked before use. */
#ifndef DB_CONNECTION_H
#define DB_CONNECTION_H

#include "db/address.h"
#include "db/db.h"
#include "db/pipeline.h"

/* What every transaction begins with: $1 the user, $2 milliseconds, $3 the
 * trace or NULL. All of it ends with the transaction: a session's settings would
 * reach other clients through PgBouncer, and be missing there. Without
 * enable_sort rows in order come from the index of that order and a page costs
 * what it shows: filters that may or may not be asked for make the planner expect
 * so few rows that it would sort all that the user has; without enable_seqscan
 * nobody else's rows are read, however large a part of the table a user has. What
 * these two rule out looks endlessly expensive where there is nothing else, so that
 * jit would compile the smallest statement for longer than the rest takes. One
 * number is the answer, since nobody reads seven columns, and server and libpq would
 * describe and copy them for each request. */
#define CONNECTION_IDENTITY                                                            \
	"SELECT pg_catalog.num_nulls(pg_catalog.set_config('todo.user_id', $1, true)," \
	" pg_catalog.set_config('search_path', '', true),"                             \
	" pg_catalog.set_config('enable_sort', 'off', true),"                          \
	" pg_catalog.set_config('enable_seqscan', 'off', true),"                       \
	" pg_catalog.set_config('jit', 'off', true),"                                  \
	" pg_catalog.set_config('statement_timeout', $2, true),"                       \
	" CASE WHEN $3::text IS NOT NULL THEN pg_catalog.set_config('application_name', $3, true) END)"

/* Lets the writes of one user that count rows take turns; ends with the transaction.
 * Two numbers are a space of their own: 1953456239 is "todo". */
#define CONNECTION_TURN "SELECT pg_catalog.pg_advisory_xact_lock(1953456239, pg_catalog.hashtext($1))"

/* Zeroed: no connection. It must not move while it is open. */
struct connection {
	PGconn *conn;
	bool prepared[STATEMENT_COUNT];
	bool prepared_identity;
	bool prepared_admission;
	bool prepared_turn;
	bool ended;     /* the server said good-bye while nothing ran */
	int32_t schema; /* its version as connection_check() found it; 0: none that can be read */
};

/* Where an attempt to connect ended, for the log. */
struct connection_fault {
	const char *stage;
	char sqlstate[6]; /* "" when the server sent none */
	bool late;        /* the deadline has passed */
};

/* Connects within the deadline, the look-up of names included. On failure the
 * connection stays closed. */
CHECKED bool connection_open(struct connection *connection, const struct address *address, int64_t deadline,
                             struct connection_fault *ret);
void connection_close(struct connection *connection);

/* True when an idle connection has died meanwhile; asks the socket alone. */
CHECKED bool connection_stale(struct connection *connection);

/* Is the role safe (unless `role_check` is off), the schema current? *ret is
 * OUTCOME_OK, _DATABASE_ROLE or _DATABASE_SCHEMA when the pipeline ended in
 * PIPELINE_DONE; a missing version is no failure of the pipeline. */
CHECKED enum pipeline_end connection_check(struct connection *connection, bool role_check, int64_t deadline,
                                           enum outcome *ret, struct pipeline_fault *ret_fault);

/* What is to run, and as whom. */
struct connection_job {
	bool prepare;
	struct view user;
	bool admit;               /* first ask whether the user's tokens of that time are revoked … */
	struct view issued_at;    /* … as RFC 3339 text … */
	struct view side_by_side; /* … and which writes of that user may run meanwhile: see todo.admit() */
	bool in_turn;             /* one after the other for each user */
	struct view trace;        /* a traceparent; ABSENT: none */
	enum db_statement statement;
	const struct view *values; /* $2 and on */
	size_t count;
	void (*take)(void *context, PGresult *row); /* as in struct step */
	void *context;
};

/* Reads Better Auth's keys, those that expired at most `grace` seconds ago
 * included, in one round trip with the question whether the role can do anything
 * else to that table than read its public columns: then *ret_safe is false. On
 * PIPELINE_DONE the caller owns *ret: rows of id, "publicKey", alg, crv. */
CHECKED enum pipeline_end connection_read_keys(struct connection *connection, int64_t grace, int64_t deadline,
                                               bool *ret_safe, PGresult **ret, struct pipeline_fault *ret_fault);

/* SQLSTATE of a revoked token: todo.admit() raises it. */
#define CONNECTION_REVOKED "TD401"

/* Runs one statement as one user, in one round trip. The server itself gives up
 * some time before `deadline`, so that a slow statement is known to be undone.
 * On PIPELINE_DONE the caller owns *ret. */
CHECKED enum pipeline_end connection_run(struct connection *connection, const struct connection_job *job,
                                         int64_t deadline, PGresult **ret, struct pipeline_fault *ret_fault);

#endif
