/* Makes, checks and uses one connection to the database. */
#include "db/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "db/lookup.h"
#include "db/value.h"

static const char identity_sql[] = CONNECTION_IDENTITY;

static const char admission_sql[] = "SELECT todo.admit($1, $2::timestamptz, $3)";

static const char turn_sql[] = CONNECTION_TURN;

/* MEMBER, since SET ROLE reaches roles that NOINHERIT does not. CREATEROLE may
 * grant itself any role that is no superuser; the three pg_ roles reach the
 * server's files or programs, and so superuser. */
static const char role_sql[] =
        "SELECT NOT EXISTS ("
        "SELECT FROM pg_roles r"
        " WHERE (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole"
        " OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')"
        " OR r.oid IN (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'todo'"
        " UNION ALL SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'todo'))"
        " AND (pg_has_role(session_user, r.oid, 'MEMBER') OR pg_has_role(current_user, r.oid, 'MEMBER'))),"
        " (SELECT c.relrowsecurity AND c.relforcerowsecurity FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'todo' AND c.relname = 'task')";

static const char version_sql[] = "SELECT version FROM todo.schema_version";

/* As MEMBER above. TRIGGER lets code run as whoever writes the table; the owners
 * of table and schema can give themselves every right. */
static const char keys_role_sql[] =
        "SELECT NOT EXISTS ("
        "SELECT FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relname = 'jwks'"
        " AND (pg_has_role(session_user, r.oid, 'MEMBER') OR pg_has_role(current_user, r.oid, 'MEMBER'))"
        " AND (r.oid IN (c.relowner, n.nspowner)"
        " OR has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')"
        " OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE')"
        " OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'privateKey'"
        " AND has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT'))))";

/* Better Auth names its tables without a schema, hence public. $1: seconds. */
static const char keys_sql[] =
        "SELECT id::text, \"publicKey\"::text, alg::text, crv::text FROM public.jwks"
        " WHERE \"expiresAt\" IS NULL OR \"expiresAt\" > now() - make_interval(secs => $1::float8)"
        " ORDER BY \"createdAt\" DESC, id LIMIT 256";

static const struct {
	const char *name;
	const char *sql;
} statements[STATEMENT_COUNT] = {
#define STATEMENT(NAME, access, parameters, sql) [STATEMENT_##NAME] = {"todo_" #NAME, sql},
#include "db/statements.def"
#undef STATEMENT
};

static void on_notice(void *context, const PGresult *notice)
{
	struct connection *connection = context;
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	if (severity && strcmp(severity, "FATAL") == 0)
		connection->ended = true;
}

/* CONNECTION_BAD is where an attempt stands that ended at once, as one on a Unix socket does. */
static bool is_unreached(ConnStatusType status)
{
	return status == CONNECTION_BAD || status == CONNECTION_NEEDED || status == CONNECTION_STARTED;
}

static const char *stage_name(ConnStatusType status)
{
	if (is_unreached(status))
		return "reaching the server";
	if (status == CONNECTION_MADE || status == CONNECTION_SSL_STARTUP)
		return "agreeing on TLS";
	if (status == CONNECTION_AWAITING_RESPONSE || status == CONNECTION_AUTH_OK)
		return "logging in";
	return "asking whether it is the server that target_session_attrs wants";
}

/* Why it was not reached, where the system has said so: libpq's own message names hosts and folders, which have no
 * place in the log. */
static const char *unreached_name(const PGconn *conn)
{
	static const struct {
		int error;
		const char *name;
	} reasons[] = {
	        {ENOENT, "reaching the server: its socket is not there"},
	        {ECONNREFUSED, "reaching the server: nobody listens there"},
	        {EACCES, "reaching the server: this user may not use its socket"},
	        {ENETUNREACH, "reaching the server: no way leads there"},
	        {EHOSTUNREACH, "reaching the server: no way leads there"},
	};
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strstr(PQerrorMessage(conn), strerror(reasons[i].error)))
			return reasons[i].name;
	return stage_name(CONNECTION_BAD);
}

/* The message ends in the SQLSTATE alone when the server refused, since
 * PQERRORS_SQLSTATE keeps names and values out of it. */
static void read_sqlstate(const PGconn *conn, char ret[6])
{
	struct view message = view_of(PQerrorMessage(conn));
	while (message.len > 0 && message.ptr[message.len - 1] == '\n')
		message.len--;
	if (message.len < 7 || memcmp(message.ptr + message.len - 7, "  ", 2) != 0)
		return;
	const char *code = message.ptr + message.len - 5;
	for (size_t i = 0; i < 5; i++)
		if (!(code[i] >= '0' && code[i] <= '9') && !(code[i] >= 'A' && code[i] <= 'Z'))
			return;
	memcpy(ret, code, 5);
	ret[5] = '\0';
}

/* PIPELINE_DONE: logged in. *stage is the last one that was reached. */
static enum pipeline_end complete(PGconn *conn, int64_t deadline, ConnStatusType *stage)
{
	PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
	while (wanted != PGRES_POLLING_OK) {
		if (PQstatus(conn) != CONNECTION_BAD)
			*stage = PQstatus(conn);
		if (wanted == PGRES_POLLING_FAILED)
			return PIPELINE_LOST;
		short events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		enum pipeline_end end = pipeline_wait(PQsocket(conn), events, deadline);
		if (end != PIPELINE_DONE)
			return end;
		wanted = PQconnectPoll(conn);
	}
	return PIPELINE_DONE;
}

/* Connects to an address without names. */
static bool open_known(struct connection *connection, const struct address *address, int64_t deadline,
                       struct connection_fault *ret)
{
	ConnStatusType stage = CONNECTION_BAD;
	enum pipeline_end end = PIPELINE_LOST;
	PGconn *conn = PQconnectStartParams(address->keywords, (const char *const *)address->values, 0);
	if (conn && PQstatus(conn) != CONNECTION_BAD) {
		PQsetNoticeReceiver(conn, on_notice, connection);
		PQsetErrorVerbosity(conn, PQERRORS_SQLSTATE);
		end = complete(conn, deadline, &stage);
		if (end == PIPELINE_DONE && PQsetnonblocking(conn, 1) == 0 && PQenterPipelineMode(conn) == 1) {
			connection->conn = conn;
			return true;
		}
	}
	*ret = (struct connection_fault){.stage = stage_name(stage), .late = end == PIPELINE_LATE};
	if (conn && !ret->late && is_unreached(stage))
		ret->stage = unreached_name(conn);
	if (conn)
		read_sqlstate(conn, ret->sqlstate);
	PQfinish(conn);
	return false;
}

/* The values of *address stay its owner's. */
static bool borrow(struct address *address, const char *keyword, struct view value)
{
	size_t i = 0;
	while (i < address->count && strcmp(address->keywords[i], keyword) != 0)
		i++;
	if (i == ADDRESS_OPTIONS_MAX)
		return false;
	address->keywords[i] = keyword;
	address->values[i] = (char *)(uintptr_t)value.ptr;
	if (i == address->count)
		address->count++;
	return true;
}

bool connection_open(struct connection *connection, const struct address *address, int64_t deadline,
                     struct connection_fault *ret)
{
	struct address known = *address;
	struct lookup lookup = {0};
	enum lookup_end end = lookup_hosts(address, deadline, &lookup);
	*connection = (struct connection){0};
	bool found = end == LOOKUP_NEEDLESS ||
	             (end == LOOKUP_DONE && borrow(&known, "host", lookup.host) &&
	              borrow(&known, "hostaddr", lookup.hostaddr) && borrow(&known, "port", lookup.port));
	bool opened = false;
	if (found)
		opened = open_known(connection, &known, deadline, ret);
	else
		*ret = (struct connection_fault){.stage = "looking up the server's name", .late = end == LOOKUP_LATE};
	if (end == LOOKUP_DONE)
		lookup_destroy(&lookup);
	return opened;
}

void connection_close(struct connection *connection)
{
	PQfinish(connection->conn);
	*connection = (struct connection){0};
}

bool connection_stale(struct connection *connection)
{
	struct pollfd polled = {.fd = PQsocket(connection->conn), .events = POLLIN};
	if (polled.fd < 0)
		return true;
	if (poll(&polled, 1, 0) == 0)
		return false;
	/* The first read takes the good-bye, only the second meets the end. */
	if (PQconsumeInput(connection->conn) != 1 || PQconsumeInput(connection->conn) != 1)
		return true;
	/* Lets libpq look at what came: a good-bye whose end is still under way. */
	(void)PQisBusy(connection->conn);
	return connection->ended || PQstatus(connection->conn) != CONNECTION_OK;
}

/* The server's own limit: nine tenths of what is left, so that its answer
 * still arrives in time. Zero would mean no limit. */
static void timeout_text(int64_t deadline, char ret[24])
{
	int64_t milliseconds = (deadline - clock_monotonic()) / 1000 * 9 / 10;
	snprintf(ret, 24, "%lld", milliseconds > 0 ? (long long)milliseconds : 1LL);
}

static struct view cell(const PGresult *result, int column)
{
	return (struct view){PQgetvalue(result, 0, column), (size_t)PQgetlength(result, 0, column)};
}

/* `version` is NULL when it could not be read: 0. */
static int32_t read_version(const PGresult *version)
{
	int32_t number = 0;
	return version && PQntuples(version) == 1 && value_to_int32(cell(version, 0), &number) ? number : 0;
}

static enum outcome judge_check(const PGresult *role, int32_t schema, bool role_check)
{
	bool safe = false, forced = false;
	if (role_check && !(value_to_bool(cell(role, 0), &safe) && safe))
		return OUTCOME_DATABASE_ROLE;
	/* NULL: there is no such table. */
	if (!value_to_bool(cell(role, 1), &forced) || schema != DB_SCHEMA_VERSION)
		return OUTCOME_DATABASE_SCHEMA;
	return forced || !role_check ? OUTCOME_OK : OUTCOME_DATABASE_ROLE;
}

enum pipeline_end connection_check(struct connection *connection, bool role_check, int64_t deadline, enum outcome *ret,
                                   struct pipeline_fault *ret_fault)
{
	char timeout[24];
	timeout_text(deadline, timeout);
	const struct view values[] = {VIEW(""), view_of(timeout), ABSENT};
	const struct step steps[] = {
	        {.sql = identity_sql, .values = values, .count = 3},
	        {.sql = role_sql},
	        {.sql = version_sql},
	};
	PGresult *results[3];
	enum pipeline_end end = pipeline_run(connection->conn, steps, 3, deadline, results, ret_fault);
	RESULT identity = results[0];
	RESULT role = results[1];
	RESULT version = results[2];
	(void)identity;
	/* Class 42 and 3F: no such table, column or schema, or no right to it. */
	bool unreadable = end == PIPELINE_REFUSED && role &&
	                  (memcmp(ret_fault->sqlstate, "42", 2) == 0 || memcmp(ret_fault->sqlstate, "3F", 2) == 0);
	if (end != PIPELINE_DONE && !unreadable)
		return end;
	connection->schema = read_version(version);
	*ret = judge_check(role, connection->schema, role_check);
	return PIPELINE_DONE;
}

static struct step step_of(bool prepare, const char *name, const char *sql, bool *prepared, const struct view *values,
                           size_t count)
{
	return (struct step){
	        .sql = sql, .name = prepare ? name : NULL, .prepared = prepared, .values = values, .count = count};
}

enum pipeline_end connection_run(struct connection *connection, const struct connection_job *job, int64_t deadline,
                                 PGresult **ret, struct pipeline_fault *ret_fault)
{
	char timeout[24];
	timeout_text(deadline, timeout);
	const struct view identity[] = {job->user, view_of(timeout), job->trace};
	const struct view admission[] = {job->user, job->issued_at, job->side_by_side};
	struct view all[STEP_VALUES_MAX] = {job->user};
	for (size_t i = 0; i < job->count; i++)
		all[i + 1] = job->values[i];
	struct step steps[PIPELINE_STEPS_MAX];
	size_t count = 0;
	steps[count++] =
	        step_of(job->prepare, "todo_identity", identity_sql, &connection->prepared_identity, identity, 3);
	/* A step of its own, since it may wait for a lock: the timeout that the
	 * identity sets begins with the next statement. */
	if (job->admit)
		steps[count++] = step_of(job->prepare, "todo_admission", admission_sql, &connection->prepared_admission,
		                         admission, 3);
	/* A step of its own as well: the statement after it must see what those
	 * before it in the queue have committed. */
	if (job->in_turn)
		steps[count++] = step_of(job->prepare, "todo_turn", turn_sql, &connection->prepared_turn, identity, 1);
	steps[count] = step_of(job->prepare, statements[job->statement].name, statements[job->statement].sql,
	                       &connection->prepared[job->statement], all, job->count + 1);
	steps[count].take = job->take;
	steps[count].context = job->context;
	count++;
	PGresult *results[PIPELINE_STEPS_MAX] = {NULL};
	enum pipeline_end end = pipeline_run(connection->conn, steps, count, deadline, results, ret_fault);
	for (size_t i = 0; i < count; i++)
		if (i < count - 1 || end != PIPELINE_DONE)
			result_release(&results[i]);
	if (end == PIPELINE_DONE)
		*ret = results[count - 1];
	return end;
}

enum pipeline_end connection_read_keys(struct connection *connection, int64_t grace, int64_t deadline, bool *ret_safe,
                                       PGresult **ret, struct pipeline_fault *ret_fault)
{
	char timeout[24];
	char seconds[24];
	timeout_text(deadline, timeout);
	snprintf(seconds, sizeof seconds, "%lld", (long long)grace);
	const struct view identity[] = {VIEW(""), view_of(timeout), ABSENT};
	const struct view values[] = {view_of(seconds)};
	const struct step steps[] = {
	        {.sql = identity_sql, .values = identity, .count = 3},
	        {.sql = keys_role_sql},
	        {.sql = keys_sql, .values = values, .count = 1},
	};
	PGresult *results[3];
	enum pipeline_end end = pipeline_run(connection->conn, steps, 3, deadline, results, ret_fault);
	RESULT none = results[0];
	RESULT role = results[1];
	RESULT keys = results[2];
	(void)none;
	if (end != PIPELINE_DONE)
		return end;
	bool safe = false;
	*ret_safe = value_to_bool(cell(role, 0), &safe) && safe;
	*ret = keys;
	keys = NULL;
	return end;
}
