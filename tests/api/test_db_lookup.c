/* Names of database hosts: looked up in time, or given up in time. */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/lookup.h"
#include "support/database.h"
#include "support/leaks.h"
#include "support/postgres.h"
#include "support/principal.h"
#include "support/relay.h"
#include "support/resolver.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(lookup, .fini = leaks_check, .timeout = 120);

/* A handle for `hosts` and `ports`, libpq's lists. A name may lead off the machine, where
 * this server has no certificate. */
static struct db *open_at(const char *database, const char *hosts, const char *ports, int64_t timeout)
{
	char *socket = postgres_url("todo_app", database);
	char *url = NULL;
	const char *at = strstr(socket, "@/");
	cr_assert_geq(asprintf(&url, "%.*s@/%s?host=%s&port=%s", (int)(at - socket), socket, database, hosts, ports),
	              0);
	struct config config = database_config(url);
	config.database_tls = VIEW("insecure");
	config.database_timeout = timeout;
	struct db *db = database_open(&config);
	free(url);
	free(socket);
	return db;
}

static enum outcome read_tasks(struct db *db)
{
	DB_RESULT result = NULL;
	return db_run(db, principal_of("anna"), STATEMENT_LIST_CREATED_DESC, database_everything, DATABASE_EVERYTHING,
	              &result);
}

static void expect_no_child(void)
{
	cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a process is left");
}

/* The resolver's own patience, some seconds for each server, attempt and domain, is not ours. */
Test(lookup, a_resolver_that_does_not_answer_costs_no_more_than_the_request_has)
{
	resolver_set("db.test", NULL);
	struct db *db = open_at("todo", "db.test", "5432", 1);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect_eq(db_counts(db).timeouts, 1);
	cr_expect(database_noted(db, "no answer in time while looking up the server's name"));
	/* the next one does not wait at all */
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_TIMEOUT);
	cr_expect_eq(db_counts(db).connections, 1);
	expect_no_child();
	db_close(db);
}

Test(lookup, a_name_that_is_not_there_is_a_database_that_is_away)
{
	resolver_set("db.test", "");
	struct db *db = open_at("todo", "db.test", "5432", 20);
	cr_expect_eq(read_tasks(db), OUTCOME_DATABASE_UNAVAILABLE);
	cr_expect(database_noted(db, "connecting failed while looking up the server's name"));
	expect_no_child();
	db_close(db);
}

/* Nobody listens on the port at 127.0.0.2. */
Test(lookup, every_address_of_a_name_is_tried)
{
	char port[16];
	postgres_database("lookup_each");
	resolver_set("db.test", "127.0.0.2 127.0.0.1");
	struct relay *relay = relay_start(postgres_folder());
	snprintf(port, sizeof port, "%d", relay->port);
	struct db *db = open_at("lookup_each", "db.test", port, 20);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	cr_expect_eq(atomic_load(&relay->connections), 1);
	db_close(db);
	relay_stop(relay);
	expect_no_child();
}

Test(lookup, a_host_without_an_address_stands_in_no_other_ones_way)
{
	char ports[32];
	postgres_database("lookup_among");
	resolver_set("away.test", "");
	resolver_set("db.test", "127.0.0.1");
	struct relay *relay = relay_start(postgres_folder());
	snprintf(ports, sizeof ports, "1,2,%d", relay->port);
	struct db *db = open_at("lookup_among", "away.test,/nowhere,db.test", ports, 20);
	cr_expect_eq(read_tasks(db), OUTCOME_OK);
	db_close(db);
	relay_stop(relay);
}

static int lowest_free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);
	close(fd);
	return fd;
}

static enum lookup_end look_up(const char *url, struct lookup *ret)
{
	struct config config = database_config(url);
	config.database_tls = VIEW("insecure");
	struct buf error = buf_make(1024);
	struct address address;
	cr_assert(address_make(&config, &address, &error), "%s", url);
	int before = lowest_free_descriptor();
	enum lookup_end end = lookup_hosts(&address, clock_monotonic() + 20 * CLOCK_SECOND, ret);
	cr_expect_eq(lowest_free_descriptor(), before, "%s: a descriptor is left open", url);
	address_destroy(&address);
	buf_destroy(&error);
	return end;
}

/* What libpq gets: the name stays, since the server's certificate is held against it. */
Test(lookup, each_address_has_a_place_of_its_own)
{
	static const struct {
		const char *url;
		enum lookup_end end;
		const char *host;
		const char *hostaddr;
		const char *port;
	} cases[] = {
	        {"postgresql://a@db.test/d", LOOKUP_DONE, "db.test,db.test", "192.0.2.1,2001:db8::1", "5432,5432"},
	        {"postgresql://a@db.test:1,[::1]:2/d", LOOKUP_DONE, "db.test,db.test,::1", "192.0.2.1,2001:db8::1,",
	         "1,1,2"},
	        {"postgresql://a@/d?host=away.test,/run,db.test&port=7", LOOKUP_DONE, "/run,db.test,db.test",
	         ",192.0.2.1,2001:db8::1", "7,7,7"},
	        {"postgresql://a@away.test/d", LOOKUP_FAILED, NULL, NULL, NULL},
	        {"postgresql://a@127.0.0.1,[::1]/d", LOOKUP_NEEDLESS, NULL, NULL, NULL},
	        {"postgresql://a@/d?host=/run,@name", LOOKUP_NEEDLESS, NULL, NULL, NULL},
	        {"postgresql://a@db.test/d?hostaddr=127.0.0.1", LOOKUP_NEEDLESS, NULL, NULL, NULL},
	        {"postgresql://a@/d?hostaddr=127.0.0.1,", LOOKUP_NEEDLESS, NULL, NULL, NULL},
	        {"postgresql://a@/d", LOOKUP_NEEDLESS, NULL, NULL, NULL},
	};
	resolver_set("away.test", "");
	resolver_set("db.test", "192.0.2.1 2001:db8::1");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lookup lookup;
		enum lookup_end end = look_up(cases[i].url, &lookup);
		cr_expect_eq(end, cases[i].end, "%s", cases[i].url);
		if (end == LOOKUP_DONE) {
			cr_expect_str_eq(lookup.host.ptr, cases[i].host, "%s", cases[i].url);
			cr_expect_str_eq(lookup.hostaddr.ptr, cases[i].hostaddr, "%s", cases[i].url);
			cr_expect_str_eq(lookup.port.ptr, cases[i].port, "%s", cases[i].url);
			lookup_destroy(&lookup);
		}
	}
	expect_no_child();
}

/* libpq then says what is wrong with it. */
Test(lookup, a_name_longer_than_every_name_is_not_looked_up)
{
	char url[NI_MAXHOST + 40];
	struct lookup lookup;
	snprintf(url, sizeof url, "postgresql://a@%0*d/d", NI_MAXHOST, 0);
	cr_expect_eq(look_up(url, &lookup), LOOKUP_NEEDLESS);
}

Test(lookup, a_lookup_that_can_not_begin_has_failed)
{
	struct rlimit usual, none;
	struct lookup lookup;
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &usual), 0);
	none = (struct rlimit){0, usual.rlim_max};
	resolver_set("db.test", "192.0.2.1");
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	enum lookup_end end = look_up("postgresql://a@db.test/d", &lookup);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &usual), 0);
	cr_expect_eq(end, LOOKUP_FAILED);
	expect_no_child();
}

static bool has_child(pid_t process)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", process, process);
	FILE *children = fopen(path, "r");
	cr_assert_not_null(children);
	bool any = fgetc(children) != EOF;
	fclose(children);
	return any;
}

/* A resolver that never answers would keep it for ever. */
Test(lookup, a_lookup_ends_with_the_process_that_wants_it)
{
	resolver_set("db.test", NULL);
	/* What the killed process leaves becomes ours. */
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid_t process = fork();
	cr_assert_geq(process, 0);
	if (process == 0) {
		struct lookup lookup;
		_exit((int)look_up("postgresql://a@db.test/d", &lookup));
	}
	while (!has_child(process))
		continue;
	cr_assert_eq(kill(process, SIGKILL), 0);
	cr_expect_eq(waitpid(process, NULL, 0), process);
	cr_expect_gt(waitpid(-1, NULL, 0), 0, "what it had started ends as well");
	expect_no_child();
}
