/* Asks and acts for an operator. */
#include "db/operator.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "db/address.h"
#include "db/pipeline.h"

static void finish(PGconn **conn)
{
	PQfinish(*conn);
}

#define CONNECTION __attribute__((cleanup(finish))) PGconn *
#define ADDRESS __attribute__((cleanup(address_destroy))) struct address

/* The first line of what libpq says, which never holds a password; it does not say what is wrong with a certificate. */
static bool refuse(struct buf *error, const char *message)
{
	struct view text = view_of(message);
	buf_add(error, view_cut(&text, '\n'));
	if (strstr(message, "certificate verify failed"))
		BUF_LIT(error, ": it has expired, or its authority is not in TODO_DATABASE_CA_FILE; openssl s_client "
		               "-starttls postgres -connect HOST:PORT shows which");
	return false;
}

static PGconn *connect(const struct address *address)
{
	return PQconnectdbParams(address->keywords, (const char *const *)address->values, 0);
}

static void copy(char *out, const char *text)
{
	snprintf(out, OPERATOR_TEXT_MAX, "%s", text ? text : "");
}

static int64_t number(const PGresult *result, int column)
{
	return strtoll(PQgetvalue(result, 0, column), NULL, 10);
}

/* -1: no limit of the role's own. */
static const char facts_sql[] =
        "SELECT current_user, current_setting('server_version'),"
        " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,"
        " current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,"
        " (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user)::bigint,"
        " (SELECT sum(numbackends) - 1 FROM pg_catalog.pg_stat_database)::bigint";

bool operator_read_facts(const struct config *config, struct operator_facts *ret, struct buf *error)
{
	ADDRESS address = {0};
	if (!address_make(config, &address, error))
		return false;
	CONNECTION conn = connect(&address);
	if (PQstatus(conn) != CONNECTION_OK)
		return refuse(error, PQerrorMessage(conn));
	int64_t before = clock_now();
	RESULT result = PQexec(conn, facts_sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		return refuse(error, PQerrorMessage(conn));
	struct operator_facts facts = {
	        .is_socket = PQhost(conn) && PQhost(conn)[0] == '/',
	        .is_peer_named = address_option(&address, "requirepeer") != NULL,
	        .is_encrypted = PQsslInUse(conn) == 1,
	        .ahead = number(result, 2) - (before + (clock_now() - before) / 2),
	        .connections = number(result, 3),
	        .in_use = number(result, 5),
	};
	if (number(result, 4) >= 0 && number(result, 4) < facts.connections)
		facts.connections = number(result, 4);
	copy(facts.role, PQgetvalue(result, 0, 0));
	copy(facts.version, PQgetvalue(result, 0, 1));
	copy(facts.host, PQhost(conn));
	copy(facts.sslmode, address_option(&address, "sslmode"));
	*ret = facts;
	return true;
}

bool operator_revoke(const struct config *config, struct view owner_url, const char *user, struct buf *ret,
                     struct buf *error)
{
	ADDRESS address = {0};
	if (!address_make_from(config, VIEW("OWNER_DATABASE_URL"), owner_url, &address, error))
		return false;
	CONNECTION conn = connect(&address);
	if (PQstatus(conn) != CONNECTION_OK)
		return refuse(error, PQerrorMessage(conn));
	const char *const values[] = {user};
	RESULT result = PQexecParams(conn,
	                             "SELECT to_char(todo.revoke($1) AT TIME ZONE 'UTC',"
	                             " 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
	                             1, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		return refuse(error, PQerrorMessage(conn));
	buf_add(ret, view_of(PQgetvalue(result, 0, 0)));
	return true;
}
