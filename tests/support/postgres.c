/* Starts a private PostgreSQL for a test program, and sees it removed. */
#include "support/postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"

#define TEMPLATE "todo"

/* Where tests, which are processes of their own, find the cluster. */
#define FOLDER "TEST_POSTGRES_FOLDER"
#define PASSWORD "TEST_POSTGRES_PASSWORD"

enum { PATIENCE = 30 };

static pid_t starter;
static pid_t keeper = -1;
static int keeper_pipe = -1;

static void give_up(const char *what)
{
	fprintf(stderr, "postgres: %s\n", what);
	exit(1);
}

static void pause_briefly(void)
{
	poll(NULL, 0, 5);
}

static pid_t launch(char *const arguments[], const char *log)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	execvp(arguments[0], arguments);
	_exit(127);
}

static bool finish(pid_t child)
{
	int status;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* PostgreSQL refuses root, so root lends it another user. */
static const struct passwd *server_user(void)
{
	const struct passwd *user = getpwnam("postgres");
	return user ? user : getpwnam("nobody");
}

pid_t postgres_launch(const char *program, char *const arguments[], const char *log)
{
	static char drop[] = "setpriv", no_groups[] = "--clear-groups", with_us[] = "--pdeathsig=QUIT",
	            end_of_options[] = "--";
	char uid[32], gid[32];
	char *all[48];
	size_t count = 0;
	if (geteuid() == 0) {
		const struct passwd *user = server_user();
		if (!user)
			return -1;
		snprintf(uid, sizeof uid, "--reuid=%u", (unsigned)user->pw_uid);
		snprintf(gid, sizeof gid, "--regid=%u", (unsigned)user->pw_gid);
		all[count++] = drop;
		all[count++] = uid;
		all[count++] = gid;
		all[count++] = no_groups;
		/* What launch() has asked for does not outlive another user's id. */
		all[count++] = with_us;
		all[count++] = end_of_options;
	}
	all[count++] = (char *)(uintptr_t)program;
	for (size_t i = 0; arguments[i]; i++)
		all[count++] = arguments[i];
	all[count] = NULL;
	return launch(all, log);
}

static void program_path(const char *name, char *ret, size_t size)
{
	glob_t found;
	char pattern[64];
	snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
	ret[0] = '\0';
	if (glob(pattern, 0, NULL, &found) == 0) {
		snprintf(ret, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
		globfree(&found);
	}
}

static void write_file(const char *path, const char *text, uid_t owner, gid_t group)
{
	FILE *file = fopen(path, "w");
	if (!file || fchown(fileno(file), owner, group) != 0 || fchmod(fileno(file), 0600) != 0 ||
	    fputs(text, file) < 0 || fclose(file) != 0)
		give_up("can't write its password file");
}

/* How a server of tests runs; a standby finds what it still needs, and what it would lose in a power cut is lost with
 * the test anyway. */
#define SERVER_OPTIONS                                                                                              \
	"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", \
	        "-c", "max_prepared_transactions=2", "-c", "wal_keep_size=256MB"

/* The keeper's life: the server lives as long as the pipe's other end, which
 * the kernel closes even when the test program is killed. */
static void keep(const char *folder, const char *addresses, int pipe_end)
{
	char initdb[256], postgres[256], data[256], secret[256], log[256], sockets[256], listen[256];
	program_path("initdb", initdb, sizeof initdb);
	program_path("postgres", postgres, sizeof postgres);
	snprintf(data, sizeof data, "%s/data", folder);
	snprintf(secret, sizeof secret, "--pwfile=%s/password", folder);
	snprintf(log, sizeof log, "%s/log", folder);
	snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", folder);
	snprintf(listen, sizeof listen, "listen_addresses=%s", addresses);
	/* Of a locale that knows ASCII alone, as a server is that nobody told otherwise: the product's
	 * database brings its own. */
	char *make[] = {"-D",
	                data,
	                "--username=postgres",
	                secret,
	                "--auth=scram-sha-256",
	                "--encoding=UTF8",
	                "--locale=C",
	                "--no-sync",
	                NULL};
	/* Of two values the last one counts. */
	char *serve[] = {"-D", data, "-c", sockets, SERVER_OPTIONS, "-c", listen, NULL};
	char *clear[] = {"rm", "-rf", (char *)(uintptr_t)folder, NULL};
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	pid_t server = -1;
	if (finish(postgres_launch(initdb, make, log)))
		server = postgres_launch(postgres, serve, log);
	if (server > 0) {
		char byte;
		while (read(pipe_end, &byte, 1) < 0 && errno == EINTR)
			continue;
		kill(server, SIGINT);
		finish(server);
	}
	finish(launch(clear, "/dev/null"));
	_exit(server > 0 ? 0 : 1);
}

static void wait_until_ready(void)
{
	char *url = postgres_url("postgres", "postgres");
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	while (PQping(url) != PQPING_OK) {
		if (waitpid(keeper, NULL, WNOHANG) == keeper) {
			keeper = -1;
			give_up("the server does not start: is the package postgresql installed?");
		}
		if (clock_monotonic() > end)
			give_up("the server does not answer");
		pause_briefly();
	}
	free(url);
}

bool postgres_client(const char *const arguments[])
{
	char log[256];
	snprintf(log, sizeof log, "%s/sql.log", getenv(FOLDER));
	/* Others can read a command line. */
	setenv("PGHOST", getenv(FOLDER), 1);
	setenv("PGPASSWORD", getenv(PASSWORD), 1);
	bool done = finish(launch((char *const *)(uintptr_t)arguments, log));
	unsetenv("PGHOST");
	unsetenv("PGPASSWORD");
	return done;
}

bool postgres_script(const char *role, const char *database, const char *file)
{
	const char *const psql[] = {
	        "psql",   "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "app_role=todo_app", "-U", role, "-d",
	        database, "-f", file, NULL};
	return postgres_client(psql);
}

static void run_sql_file(const char *role, const char *database, const char *file)
{
	if (!postgres_script(role, database, file))
		give_up(file);
}

/* Every change of the plan, in its order; sqitch itself would cost a second. */
static void deploy(void)
{
	char line[1024], name[512], file[600];
	FILE *plan = fopen("sql/sqitch.plan", "r");
	if (!plan)
		give_up("sql/sqitch.plan can't be read: tests run in the folder of the sources");
	while (fgets(line, sizeof line, plan)) {
		if (line[0] == '%' || line[0] == '\n' || line[0] == '@' || sscanf(line, "%511[^ \n]", name) != 1)
			continue;
		snprintf(file, sizeof file, "sql/deploy/%s.sql", name);
		run_sql_file("todo_owner", TEMPLATE, file);
	}
	fclose(plan);
}

static void set_bootstrap_environment(const char *password)
{
	setenv("PGDATABASE", "postgres", 1);
	setenv("DATABASE_NAME", TEMPLATE, 1);
	setenv("APP_ROLE", "todo_app", 1);
	setenv("OWNER_PASSWORD", password, 1);
	setenv("APP_PASSWORD", password, 1);
	setenv("BETTER_AUTH_PASSWORD", password, 1);
}

static void unset_bootstrap_environment(void)
{
	static const char *const names[] = {"PGDATABASE",     "DATABASE_NAME", "APP_ROLE",
	                                    "OWNER_PASSWORD", "APP_PASSWORD",  "BETTER_AUTH_PASSWORD"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unsetenv(names[i]);
}

static void stop(void)
{
	/* Tests are forked from the program that made the cluster. */
	if (getpid() != starter)
		return;
	if (keeper_pipe >= 0)
		close(keeper_pipe);
	if (keeper > 0)
		finish(keeper);
}

void postgres_start(void)
{
	postgres_start_listening("");
}

void postgres_start_listening(const char *addresses)
{
	char folder[] = "/tmp/todo-test-XXXXXX", file[64], password[33];
	unsigned char bytes[16];
	int ends[2];
	uid_t owner = geteuid() == 0 && server_user() ? server_user()->pw_uid : geteuid();
	gid_t group = geteuid() == 0 && server_user() ? server_user()->pw_gid : getegid();
	if (!random_bytes(bytes, sizeof bytes) || !mkdtemp(folder) || chown(folder, owner, group) != 0 ||
	    pipe2(ends, O_CLOEXEC) != 0)
		give_up("can't make its folder");
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(password + 2 * i, 3, "%02x", bytes[i]);
	snprintf(file, sizeof file, "%s/password", folder);
	write_file(file, password, owner, group);
	setenv(FOLDER, folder, 1);
	setenv(PASSWORD, password, 1);
	starter = getpid();
	atexit(stop);
	keeper = fork();
	if (keeper == 0) {
		close(ends[1]);
		keep(folder, addresses, ends[0]);
	}
	close(ends[0]);
	keeper_pipe = ends[1];
	wait_until_ready();
	set_bootstrap_environment(password);
	run_sql_file("postgres", "postgres", "sql/bootstrap.sql");
	unset_bootstrap_environment();
	deploy();
}

const char *postgres_folder(void)
{
	return getenv(FOLDER);
}

char *postgres_url_in(const char *folder, const char *role, const char *database)
{
	char *url = NULL;
	if (asprintf(&url, "postgresql://%s:%s@/%s?host=%s", role, getenv(PASSWORD), database, folder) < 0)
		abort();
	return url;
}

char *postgres_url(const char *role, const char *database)
{
	return postgres_url_in(postgres_folder(), role, database);
}

static void ignore_notice(void *context, const PGresult *notice)
{
	(void)context;
	(void)notice;
}

PGconn *postgres_connect(const char *role, const char *database)
{
	return postgres_connect_in(postgres_folder(), role, database);
}

PGconn *postgres_connect_in(const char *folder, const char *role, const char *database)
{
	char *url = postgres_url_in(folder, role, database);
	PGconn *conn = PQconnectdb(url);
	free(url);
	cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	return conn;
}

static PGresult *run(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	cr_assert(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s: %s", sql, PQerrorMessage(conn));
	return result;
}

char *postgres_value(const char *role, const char *database, const char *sql)
{
	PGconn *conn = postgres_connect(role, database);
	PGresult *result = run(conn, sql);
	char *value = strdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	PQfinish(conn);
	return value;
}

void postgres_run(const char *role, const char *database, const char *sql)
{
	free(postgres_value(role, database, sql));
}

/* Finishes the connection. */
static void wait_for(PGconn *conn, const char *sql)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	for (bool seen = false; !seen;) {
		PGresult *result = PQexec(conn, sql);
		seen = PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
		PQclear(result);
		cr_assert(seen || clock_monotonic() < end, "never came true: %s", sql);
		if (!seen)
			pause_briefly();
	}
	PQfinish(conn);
}

void postgres_wait_for(const char *role, const char *database, const char *sql)
{
	wait_for(postgres_connect(role, database), sql);
}

PGconn *postgres_hold(const char *database, const char *sql)
{
	PGconn *conn = postgres_connect("postgres", database);
	PQclear(run(conn, sql));
	return conn;
}

pid_t postgres_meanwhile(const char *database, const char *when, const char *then)
{
	pid_t child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		postgres_wait_for("postgres", database, when);
		postgres_run("postgres", database, then);
		_exit(0);
	}
	return child;
}

void postgres_database(const char *name)
{
	char sql[200];
	/* A template must have no other connection, and CREATE DATABASE holds it a
	 * moment: tests that come at the same time wait for each other. */
	PGconn *conn = postgres_connect("postgres", "postgres");
	PQclear(PQexec(conn, "SELECT pg_advisory_lock(1)"));
	snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE " TEMPLATE, name);
	PGresult *result = PQexec(conn, sql);
	cr_assert_eq(PQresultStatus(result), PGRES_COMMAND_OK, "%s", PQerrorMessage(conn));
	PQclear(result);
	snprintf(sql, sizeof sql, "REVOKE ALL ON DATABASE %s FROM PUBLIC", name);
	PQclear(PQexec(conn, sql));
	snprintf(sql, sizeof sql, "GRANT CONNECT ON DATABASE %s TO PUBLIC", name);
	PQclear(PQexec(conn, sql));
	PQfinish(conn);
}

void postgres_role(const char *name, const char *options)
{
	char sql[400];
	snprintf(sql, sizeof sql, "CREATE ROLE %s LOGIN PASSWORD '%s' %s", name, getenv(PASSWORD), options);
	postgres_run("postgres", "postgres", sql);
}

/* ---- a server of a test's own ---- */

/* The server's own user makes the files below. */
static void make_folder(char *folder, size_t size)
{
	const struct passwd *user = server_user();
	snprintf(folder, size, "%s/server-XXXXXX", postgres_folder());
	cr_assert_not_null(mkdtemp(folder));
	cr_assert(geteuid() != 0 || (user && chown(folder, user->pw_uid, user->pw_gid) == 0));
}

void postgres_standby(struct postgres_server *ret)
{
	char program[256], data[128], log[128];
	*ret = (struct postgres_server){.process = -1};
	make_folder(ret->folder, sizeof ret->folder);
	program_path("pg_basebackup", program, sizeof program);
	snprintf(data, sizeof data, "%s/data", ret->folder);
	snprintf(log, sizeof log, "%s/log", ret->folder);
	char *copy[] = {"--pgdata",
	                data,
	                "--host",
	                (char *)(uintptr_t)postgres_folder(),
	                "--username",
	                "postgres",
	                "--no-password",
	                "--write-recovery-conf",
	                "--wal-method=stream",
	                "--checkpoint=fast",
	                "--no-sync",
	                NULL};
	setenv("PGPASSWORD", getenv(PASSWORD), 1);
	bool copied = finish(postgres_launch(program, copy, log));
	unsetenv("PGPASSWORD");
	cr_assert(copied, "the cluster can't be copied: see %s", log);
	postgres_server_start(ret);
}

void postgres_server_start(struct postgres_server *server)
{
	char program[256], data[128], log[128], sockets[128];
	program_path("postgres", program, sizeof program);
	snprintf(data, sizeof data, "%s/data", server->folder);
	snprintf(log, sizeof log, "%s/log", server->folder);
	snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", server->folder);
	char *serve[] = {"-D", data, "-c", sockets, SERVER_OPTIONS, NULL};
	server->process = postgres_launch(program, serve, log);
	char *url = postgres_url_in(server->folder, "postgres", "postgres");
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	while (PQping(url) != PQPING_OK) {
		cr_assert(clock_monotonic() < end, "the server does not answer: see %s", log);
		pause_briefly();
	}
	free(url);
}

void postgres_server_stop(struct postgres_server *server, int signal)
{
	if (server->process <= 0)
		return;
	kill(server->process, signal);
	finish(server->process);
	server->process = -1;
}

void postgres_wait_for_standby(const struct postgres_server *server)
{
	char *written = postgres_value("postgres", "postgres", "SELECT pg_current_wal_insert_lsn()");
	char sql[128];
	snprintf(sql, sizeof sql, "SELECT pg_last_wal_replay_lsn() >= '%s'", written);
	wait_for(postgres_connect_in(server->folder, "postgres", "postgres"), sql);
	free(written);
}
