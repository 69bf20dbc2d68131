/* GET /ready: one result is shared by all processes of a machine for a second, and names the part that failed. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/auth_folder.h"
#include "support/postgres.h"
#include "support/relay.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(ready, .fini = api_end, .timeout = 240);

enum { CROWD = 8 };

/* As many programs as wait for the same answer, and what they do for it. */
struct crowd {
	struct responder *health[CROWD];
	struct relay *relay;
	const char *database;
	int results; /* inotify(7): files that take their place in STATE_DIR */
};

static const char *result_path(void)
{
	return ask_format("%s/ready", responder_state_folder());
}

static struct crowd crowd_start(void)
{
	struct crowd crowd = {.database = api_name("ready"), .results = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
	postgres_database(crowd.database);
	crowd.relay = relay_start(postgres_folder());
	char *url = postgres_url_in(crowd.relay->folder, "todo_app", crowd.database);
	const char *const more[] = {ask_format("DATABASE_URL=%s", url), "TODO_DATABASE_TIMEOUT=30", NULL};
	free(url);
	for (size_t i = 0; i < CROWD; i++) {
		struct ask ask = {.target = "/health"};
		crowd.health[i] = responder_start("health", api_settings(more));
		cr_assert_eq(responder_ask(crowd.health[i], &ask)->status, 200);
	}
	cr_assert_geq(inotify_add_watch(crowd.results, responder_state_folder(), IN_MOVED_TO), 0);
	return crowd;
}

static void crowd_stop(struct crowd *crowd)
{
	relay_stop(crowd->relay);
	close(crowd->results);
}

/* How many results were written since the last call. */
static size_t crowd_results(struct crowd *crowd)
{
	char events[64 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len = read(crowd->results, events, sizeof events);
	size_t count = 0;
	for (ssize_t at = 0; at < len;) {
		const struct inotify_event *event = (const struct inotify_event *)(const void *)(events + at);
		if (event->len > 0 && strcmp(event->name, "ready") == 0)
			count++;
		at += (ssize_t)(sizeof *event + event->len);
	}
	return count;
}

static bool has_open(pid_t pid, const char *name)
{
	char target[PATH_MAX];
	bool found = false;
	DIR *folder = opendir(ask_format("/proc/%d/fd", (int)pid));
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		ssize_t len = readlinkat(dirfd(folder), entry->d_name, target, sizeof target);
		found = found ||
		        (len > (ssize_t)strlen(name) && memcmp(target + len - strlen(name), name, strlen(name)) == 0);
	}
	if (folder)
		closedir(folder);
	return found;
}

static bool all_wait(void *context)
{
	const struct crowd *crowd = context;
	for (size_t i = 0; i < CROWD; i++)
		if (!has_open(responder_pid(crowd->health[i]), "/ready.lock"))
			return false;
	return true;
}

#define WAITING "SELECT count(*) " POSTGRES_BACKENDS " AND wait_event_type = 'Lock'"

/* All ask while there is no result and the database does not answer yet. True: one question answered them all; a slow
 * machine may have let the second pass meanwhile. */
static bool one_question_answers_all(void *context)
{
	struct crowd *crowd = context;
	int fds[CROWD];
	unsigned int connections = atomic_load(&crowd->relay->connections);
	unlink(result_path());
	crowd_results(crowd);
	PGconn *gate = postgres_hold(crowd->database, "BEGIN; LOCK TABLE todo.schema_version IN ACCESS EXCLUSIVE MODE");
	for (size_t i = 0; i < CROWD; i++)
		fds[i] = responder_begin(crowd->health[i], &(struct ask){.target = "/ready"});
	until(all_wait, crowd, "all have come to the lock");
	postgres_wait_for("postgres", crowd->database, "SELECT (" WAITING ") > 0");
	char *waiting = postgres_value("postgres", crowd->database, WAITING);
	cr_expect_str_eq(waiting, "1", "the others wait for its answer, not for the database");
	free(waiting);
	PQclear(PQexec(gate, "COMMIT"));
	PQfinish(gate);
	for (size_t i = 0; i < CROWD; i++) {
		cr_expect_eq(responder_answer(fds[i], false)->status, 200);
		close(fds[i]);
	}
	size_t results = crowd_results(crowd);
	cr_expect_leq(atomic_load(&crowd->relay->connections) - connections, results,
	              "who does not ask connects to nobody");
	return results == 1;
}

Test(ready, many_processes_that_ask_at_once_cost_the_database_one_question)
{
	responder_needs_sight();
	struct crowd crowd = crowd_start();
	until(one_question_answers_all, &crowd, "one question answers all");
	crowd_stop(&crowd);
}

static bool ask_one_after_the_other(void *context)
{
	struct crowd *crowd = context;
	unsigned int turns = 0;
	unlink(result_path());
	crowd_results(crowd);
	for (size_t i = 0; i < CROWD; i++) {
		struct ask ask = {.target = "/ready"};
		cr_expect_eq(responder_ask(crowd->health[i], &ask)->status, 200);
		if (i == 0)
			turns = atomic_load(&crowd->relay->turns);
	}
	if (crowd_results(crowd) != 1)
		return false;
	cr_expect_eq(atomic_load(&crowd->relay->turns), turns, "only the first spoke to the database");
	return true;
}

Test(ready, a_fresh_result_costs_no_process_of_the_machine_a_question)
{
	struct crowd crowd = crowd_start();
	until(ask_one_after_the_other, &crowd, "one result serves all");
	crowd_stop(&crowd);
}

struct anew {
	struct crowd *crowd;
	size_t results;
};

static bool two_results(void *context)
{
	struct anew *anew = context;
	struct ask ask = {.target = "/ready"};
	cr_expect_eq(responder_ask(anew->crowd->health[anew->results % CROWD], &ask)->status, 200);
	anew->results += crowd_results(anew->crowd);
	return anew->results >= 2;
}

Test(ready, a_result_is_not_kept_for_long)
{
	struct crowd crowd = crowd_start();
	struct anew anew = {&crowd, 0};
	until(two_results, &anew, "the database is asked again");
	crowd_stop(&crowd);
}

/* The folder is private, but what lies in it may be from before, or cut. */
Test(ready, no_odd_result_is_believed)
{
	struct crowd crowd = crowd_start();
	struct ask ask = {.target = "/ready"};
	const char *ahead = ask_format("%lld 0 0", (long long)(clock_monotonic() + 3600 * CLOCK_SECOND));
	const char *fresh = ask_format("%lld 0 0", (long long)clock_monotonic());
	const struct {
		const char *text;
		mode_t mode;
	} cases[] = {{ahead, 0600},
	             {"0 0 0", 0600},
	             {"", 0600},
	             {"x", 0600},
	             {"1 0", 0600},
	             {"-1 0 0", 0600},
	             {"99999999999999999999999 0 0", 0600},
	             {ahead, 0666},
	             {fresh, 0644},
	             {fresh, 0620}};
	atomic_store(&crowd.relay->order, RELAY_REFUSE);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unlink(result_path());
		int fd = open(result_path(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		cr_assert(fd >= 0 &&
		          write(fd, cases[i].text, strlen(cases[i].text)) == (ssize_t)strlen(cases[i].text) &&
		          fchmod(fd, cases[i].mode) == 0);
		close(fd);
		expect_problem(responder_ask(crowd.health[0], &ask), 503, "database_unavailable", cases[i].text);
	}
	crowd_stop(&crowd);
}

/* ---- what it tells ---- */

static struct auth_folder folder;

/* On a machine of its own, as far as results go. */
static struct responder *health_of(const char *url, const char *setting)
{
	const char *const more[] = {ask_format("DATABASE_URL=%s", url),
	                            ask_format("STATE_DIR=%s/%s", folder.path, api_name("state")), setting, NULL};
	return responder_start("health", api_settings(more));
}

/* Two programs to whom the same happens for different reasons give the same answer but for its id. */
static void expect_alike(struct responder *one, struct responder *other, const char *code)
{
	struct ask ask = {.target = "/ready"};
	const struct answer *first = responder_ask(one, &ask);
	const struct answer *second = responder_ask(other, &ask);
	expect_problem(first, 503, code, code);
	cr_expect(answer_header(first, "Retry-After").len > 0, "%s", code);
	cr_expect(view_equal(answer_without_id(first), answer_without_id(second)), "%.*s\nis not\n%.*s",
	          VIEW_ARGS(first->body), VIEW_ARGS(second->body));
	cr_expect_eq(responder_stop(one), 0);
	cr_expect_eq(responder_stop(other), 0);
}

Test(ready, names_the_part_that_failed_and_no_more)
{
	const char *database = api_name("ready");
	const char *other = api_name("ready");
	const char *role = api_name("bypass");
	folder = auth_folder_make();
	postgres_database(database);
	postgres_database(other);
	postgres_role(role, "BYPASSRLS");
	char *superuser = postgres_url("postgres", database);
	char *bypass = postgres_url(role, other);
	expect_alike(health_of(superuser, NULL), health_of(bypass, NULL), "database_role");
	free(superuser);
	free(bypass);
	char *first = postgres_url("todo_app", database);
	char *second = postgres_url("todo_app", other);
	postgres_run("todo_owner", database, "UPDATE todo.schema_version SET version = 1");
	postgres_run("todo_owner", other, "UPDATE todo.schema_version SET version = 4711");
	expect_alike(health_of(first, NULL), health_of(second, NULL), "database_schema");
	free(first);
	free(second);
	expect_alike(health_of("postgresql://todo_app:" PRIVATE "-word@/a?host=/nowhere", NULL),
	             health_of(ask_format("postgresql://todo_app:wrong-" PRIVATE "@/%s?host=%s", database,
	                                  postgres_folder()),
	                       NULL),
	             "database_unavailable");
	expect_alike(health_of("postgresql://todo_app@/a?host=/nowhere", "JWKS_URL=https://127.0.0.1:1/" PRIVATE),
	             health_of("postgresql://todo_app@/a?host=/nowhere", "JWKS_URL=https://localhost:2/jwks"),
	             "keys_unavailable");
	auth_folder_remove(&folder);
}
