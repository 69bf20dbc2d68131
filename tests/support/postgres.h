/* A private PostgreSQL for one test program: made before its first test,
 * removed after its last, however the program ends.
 *
 * A test program says POSTGRES_FOR_ALL_TESTS once. Each test takes a database
 * of its own, since tests run side by side; roles belong to the whole cluster,
 * so a test that needs a special one makes it under a name of its own. */
#ifndef SUPPORT_POSTGRES_H
#define SUPPORT_POSTGRES_H

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <libpq-fe.h>

#include "base/view.h"

/* Makes the cluster, runs sql/bootstrap.sql and the changes of sql/sqitch.plan;
 * the cluster goes when this process ends. Ends the program with a word on
 * stderr when something fails. */
void postgres_start(void);

/* The same, and the server listens on port 5432 of these addresses too: for a program
 * with a network of its own (support/machine.h). */
void postgres_start_listening(const char *addresses);

#define POSTGRES_FOR_ALL_TESTS                               \
	ReportHook(PRE_ALL)(struct criterion_test_set * set) \
	{                                                    \
		(void)set;                                   \
		postgres_start();                            \
	}

/* Makes a database with the schema in it, and no rows. `name`: letters and _. */
void postgres_database(const char *name);

/* The folder of the server's socket. */
const char *postgres_folder(void);

/* The address of a database for a role: postgres (superuser), todo_owner,
 * todo_app, better_auth, or one that postgres_role() made. The caller frees it. */
char *postgres_url(const char *role, const char *database);
/* The same through a relay's socket folder. */
char *postgres_url_in(const char *folder, const char *role, const char *database);

/* Makes a role that may log in; `options` is SQL, such as "SUPERUSER". */
void postgres_role(const char *name, const char *options);

/* A connection; a failure fails the test. The caller finishes it. */
PGconn *postgres_connect(const char *role, const char *database);

/* The same of the server with that socket folder. */
PGconn *postgres_connect_in(const char *folder, const char *role, const char *database);

/* Runs SQL as a role; a failure fails the test. */
void postgres_run(const char *role, const char *database, const char *sql);

/* Runs a client program of PostgreSQL's or sqitch, with the cluster's address and
 * password in its environment, and keeps what it prints in the cluster's sql.log.
 * True: it ended with 0. */
CHECKED bool postgres_client(const char *const arguments[]);

/* Runs a script by psql as an operator would, app_role being todo_app; true: every
 * statement succeeded. */
CHECKED bool postgres_script(const char *role, const char *database, const char *file);

/* The first value of the first row, "" for NULL or no row. The caller frees it. */
char *postgres_value(const char *role, const char *database, const char *sql);

/* Waits until `sql` gives true; fails the test after half a minute. */
void postgres_wait_for(const char *role, const char *database, const char *sql);

/* SQL for a database: its connections of todo_app, what ends them all, and whether one waits for a lock. */
#define POSTGRES_BACKENDS "FROM pg_stat_activity WHERE usename = 'todo_app' AND datname = current_database()"
#define POSTGRES_TERMINATE "SELECT pg_terminate_backend(pid, 10000) " POSTGRES_BACKENDS
#define POSTGRES_LOCK_AWAITED "SELECT count(*) > 0 " POSTGRES_BACKENDS " AND wait_event_type = 'Lock'"

/* A connection of the superuser's that has run `sql`, and holds what that took until the
 * caller finishes it. A failure fails the test. */
PGconn *postgres_hold(const char *database, const char *sql);

/* Runs `then` as the superuser as soon as `when` is true, in a process of its own, which the
 * caller waits for: meanwhile a test may ask, and wait for the answer. */
pid_t postgres_meanwhile(const char *database, const char *when, const char *then);

/* Starts a program as the user that the cluster runs as; it writes into the file
 * `log`, and gets SIGQUIT when the process that has started it ends. -1: not started. */
pid_t postgres_launch(const char *program, char *const arguments[], const char *log);

/* A server of a test's own: a copy of the cluster as it was when it was made, which
 * follows the cluster until pg_promote(). A failure fails the test. */
struct postgres_server {
	char folder[64]; /* of its socket, its data and its log */
	pid_t process;
};

void postgres_standby(struct postgres_server *ret);

/* Starts it again, and waits until it takes connections. */
void postgres_server_start(struct postgres_server *server);

/* SIGINT: as when an operator stops it. SIGQUIT: as when it breaks down. */
void postgres_server_stop(struct postgres_server *server, int signal);

/* Waits until the server has all that the cluster has. */
void postgres_wait_for_standby(const struct postgres_server *server);

#endif
