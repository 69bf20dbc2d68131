/* The database: one connection of this process, and statements run as one user.
 *
 * The only ways to user data are db_run() and db_run_each(), which take a
 * principal. Identity, statement and one Sync travel as one pipeline: an
 * implicit transaction in one round trip.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "auth/guard.h"
#include "base/buf.h"
#include "base/config.h"
#include "http/outcome.h"

/* The row of todo.schema_version that this program works with. */
enum { DB_SCHEMA_VERSION = 3 };

struct db;
struct db_result;

/* Rows of statements.def. */
enum db_statement {
#define STATEMENT(NAME, access, parameters, sql) STATEMENT_##NAME,
#include "db/statements.def"
#undef STATEMENT
	STATEMENT_COUNT
};

/* Checks the settings (address, TLS off the machine) and connects not yet. On
 * failure `error` holds one line that names the setting, never its value. */
CHECKED bool db_open(const struct config *config, struct db **ret, struct buf *error);
void db_close(struct db *db);

/* Whatever is asked from now on ends at that instant (clock_monotonic()) at the
 * latest, so that all a request asks has one budget. Without one each call has
 * TODO_DATABASE_TIMEOUT for itself. */
void db_set_deadline(struct db *db, int64_t deadline);

/* Connected, its role safe, its schema current? Asks the database each time,
 * on the connection that requests use. OUTCOME_OK,
 * OUTCOME_DATABASE_UNAVAILABLE, _BUSY, _TIMEOUT, _ROLE or _SCHEMA. */
CHECKED enum outcome db_ready(struct db *db);

/* Runs one statement as the principal's user, within TODO_DATABASE_TIMEOUT and
 * the deadline. $1 is always the user; `values` are $2 and on, ABSENT for NULL.
 *
 * A dead idle connection is replaced unseen. A read whose connection breaks is
 * tried once more on a new one; a write is not, once its Sync may have left:
 * then it is OUTCOME_OUTCOME_UNKNOWN. After a failed connect further calls
 * fail at once for a second, in the same way. With JWT_REVOCATION the same round trip judges
 * whether the principal's token is revoked: OUTCOME_TOKEN_INVALID; so is a token
 * whose user is gone from a table that the tasks refer to. On OUTCOME_OK the
 * caller owns *ret. */
CHECKED enum outcome db_run(struct db *db, const struct principal *principal, enum db_statement statement,
                            const struct view *values, size_t count, struct db_result **ret);

/* Where the rows of a statement go one at a time, so that their number is no
 * matter of memory. */
struct db_sink {
	void (*begin)(void *context); /* before the first row; again when a broken connection makes it start anew */
	void (*take)(void *context, const struct db_result *row); /* one row, which lives for the call */
	void *context;
};

/* db_run() for a statement of many rows, all of one snapshot. Only on
 * OUTCOME_OK were they all taken. */
CHECKED enum outcome db_run_each(struct db *db, const struct principal *principal, enum db_statement statement,
                                 const struct view *values, size_t count, const struct db_sink *sink);

/* Better Auth's own table of keys, "jwks" of the schema public, which is no user's
 * data: rows of id, "publicKey", alg and crv, newest first, without those that
 * expired more than `grace` seconds ago. OUTCOME_DATABASE_ROLE: the role can write
 * the table or see its private keys. Otherwise as db_run() for a read. */
CHECKED enum outcome db_read_keys(struct db *db, int64_t grace, struct db_result **ret);

/* The schema's version when it was last looked at, which db_ready() does; 0: none that can be read. */
int32_t db_schema(const struct db *db);

/* Which database this is and whose rights count there, in one line without secrets. */
void db_write_origin(const struct db *db, struct buf *ret);

/* Lets go of the connection; the next call makes a new one. */
void db_disconnect(struct db *db);

size_t db_rows(const struct db_result *result);
/* A column's bytes in PostgreSQL's binary format (db/value.h reads it; text is
 * as it is); ABSENT for NULL. Lives as long as the result. */
struct view db_value(const struct db_result *result, size_t row, size_t column);
void db_result_free(struct db_result **result);

#define DB_RESULT __attribute__((cleanup(db_result_free))) struct db_result *

/* Notes that a row of this statement holds what its caller can't answer with. */
void db_note_row(struct db *db, enum db_statement statement);

/* What the connection had to say since the last call, one line each, for the
 * log: never a value, a DSN or a user. */
void db_take_notes(struct db *db, struct buf *ret);

/* The traceparent that goes along with statements from now on, as their session's
 * application_name, where the server's log and pg_stat_activity show it; ABSENT:
 * none. At most DB_TRACE_MAX bytes; copied. */
enum { DB_TRACE_MAX = 63 };
void db_set_trace(struct db *db, struct view traceparent);

/* What there was so far. */
struct db_counts {
	uint64_t connections; /* begun */
	uint64_t retries;     /* statements tried once more */
	uint64_t timeouts;
	int64_t waited; /* microseconds within db_run(), db_run_each() and db_read_keys() */
};
struct db_counts db_counts(const struct db *db);

#endif
