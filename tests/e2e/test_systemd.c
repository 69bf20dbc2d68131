/* The units of bin/systemd: a real systemd finds them sound, and under everything that they forbid the programs do all
 * of their work. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/auth_folder.h"
#include "support/auth_server.h"
#include "support/fastcgi.h"
#include "support/issuer.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(systemd, .fini = api_end, .timeout = 300);

#define UNITS "bin/systemd/system"

/* What a command prints, errors too, and how it ends. */
static const char *output_of(const char *command, int *ret_status)
{
	static char said[1 << 16];
	FILE *output = popen(ask_format("{ %s; } 2>&1", command), "r");
	cr_assert_not_null(output);
	said[fread(said, 1, sizeof said - 1, output)] = '\0';
	int status = pclose(output);
	cr_assert(WIFEXITED(status), "%s", said);
	*ret_status = WEXITSTATUS(status);
	return ask_keep(view_of(said));
}

/* ---- a systemd of its own ---- */

struct box {
	pid_t starter; /* of tests/support/systemd-box */
	pid_t systemd;
	struct auth_folder folder;
};

/* The first child of a process; 0: it has none. */
static pid_t child_of(pid_t parent)
{
	int pid = 0;
	FILE *file = fopen(ask_format("/proc/%d/task/%d/children", parent, parent), "r");
	if (file && fscanf(file, "%d", &pid) != 1)
		pid = 0;
	if (file)
		fclose(file);
	return pid;
}

static bool is_listening(void *context)
{
	struct box *box = context;
	cr_assert_eq(waitpid(box->starter, NULL, WNOHANG), 0, "systemd-box has ended");
	pid_t unshare = child_of(box->starter);
	box->systemd = unshare > 0 ? child_of(unshare) : 0;
	return box->systemd > 0 &&
	       access(ask_format("/proc/%d/root/run/todo-fcgi/tasks.sock", box->systemd), F_OK) == 0 &&
	       access(ask_format("/proc/%d/root/run/todo-fcgi/health.sock", box->systemd), F_OK) == 0;
}

/* Namespaces and control groups take root, and not every container lets its root have them. */
static void needs_namespaces(void)
{
	int status = 0;
	if (geteuid() != 0)
		cr_skip_test("only root can start a systemd");
	output_of("unshare --fork --pid --mount --cgroup --ipc --uts sh -c 'umount -R /sys/fs/cgroup;"
	          " mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir /sys/fs/cgroup/probe.$$ && rmdir "
	          "/sys/fs/cgroup/probe.$$'",
	          &status);
	if (status != 0)
		cr_skip_test("this machine lets root have no namespaces or control groups");
}

static struct box box_start(const char *settings)
{
	const char *build = getenv("BUILD");
	struct box box = {.folder = auth_folder_make()};
	const char *file = auth_folder_write(&box.folder, "env", view_of(settings), 0600);
	pid_t test = getpid();
	box.starter = fork();
	cr_assert_geq(box.starter, 0);
	if (box.starter == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() == test)
			execl("tests/support/systemd-box", "systemd-box", build ? build : "build/release", file,
			      postgres_folder(), (char *)NULL);
		_exit(127);
	}
	until(is_listening, &box, "the sockets of the units listen");
	return box;
}

static void box_stop(struct box *box)
{
	kill(box->starter, SIGTERM);
	cr_expect_eq(waitpid(box->starter, NULL, 0), box->starter);
	auth_folder_remove(&box->folder);
}

static const char *inside(const struct box *box, const char *command)
{
	int status;
	const char *said = output_of(
	        ask_format("SYSTEMD_UNIT_PATH=/run/box/units nsenter -t %d -m -p -C -i -u %s", box->systemd, command),
	        &status);
	cr_expect_eq(status, 0, "%s: %s", command, said);
	return said;
}

/* A property of the program's unit. */
static const char *property(const struct box *box, const char *program, const char *name)
{
	return inside(box, ask_format("systemctl show --value -p %s todo-fcgi@%s.service", name, program));
}

/* Sends a request, to which whoever takes it will answer on the connection that is returned. */
static int send_to(const struct box *box, const char *program, const struct ask *ask)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct buf request = buf_make(1 << 20);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_lt(snprintf(address.sun_path, sizeof address.sun_path, "/proc/%d/root/run/todo-fcgi/%s.sock",
	                      box->systemd, program),
	             (int)sizeof address.sun_path);
	cr_assert(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0, "%s: %s", program,
	          strerror(errno));
	ask_write(ask, &request);
	cr_assert(fastcgi_send(fd, buf_view(&request)));
	buf_destroy(&request);
	return fd;
}

static const struct answer *ask_at(const struct box *box, const char *program, const struct ask *ask)
{
	int fd = send_to(box, program, ask);
	const struct answer *answer = responder_answer(fd, ask->method && strcmp(ask->method, "HEAD") == 0);
	close(fd);
	return answer;
}

/* ---- what the units say ---- */

Test(systemd, rates_the_units_as_little_exposed)
{
	int status;
	const char *said =
	        output_of("SYSTEMD_UNIT_PATH=$PWD/" UNITS
	                  ": systemd-analyze security --no-pager --offline=true --threshold=12 todo-fcgi@tasks.service",
	                  &status);
	cr_expect_eq(status, 0, "%s", said);
}

static const char *const programs[] = {"tasks", "auth", "account", "health"};
enum { PROGRAMS = sizeof programs / sizeof *programs };

static const struct {
	const char *program;
	const char *method;
	const char *target;
	const char *body;
	int status;
} asks[] = {
        {"health", "GET", "/health", NULL, 200},
        {"health", "GET", "/ready", NULL, 200},
        {"health", "GET", "/metrics", NULL, 404},
        {"auth", "GET", "/auth/me", NULL, 200},
        {"auth", "POST", "/auth/validate", NULL, 200},
        {"tasks", "POST", "/api/anna/tasks", "{\"title\":\"one\"}", 201},
        {"tasks", "PUT", "/api/anna/tasks/0189f7a0-1234-7000-8000-0123456789ab", "{\"title\":\"two\"}", 404},
        {"tasks", "GET", "/api/anna/tasks?sort=title&search=o&count=exact", NULL, 200},
        {"tasks", "DELETE", "/api/anna/tasks?status=completed", NULL, 200},
        {"account", "GET", "/api/anna/export", NULL, 200},
        {"account", "DELETE", "/api/anna", NULL, 204},
};

static void expect_all_served(const struct box *box, const char *token)
{
	const char *const confirmed[] = {"HTTP_X_CONFIRM_ERASE=anna", NULL};
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		const struct ask ask = {.method = asks[i].method,
		                        .target = asks[i].target,
		                        .token = token,
		                        .body = asks[i].body,
		                        .params = confirmed};
		const struct answer *answer = ask_at(box, asks[i].program, &ask);
		cr_expect_eq(answer->status, asks[i].status, "%s %s: %d %.*s", asks[i].method, asks[i].target,
		             answer->status, VIEW_ARGS(answer->body));
	}
}

static void expect_forbidden(const struct box *box, const char *program)
{
	static const char *const lines[] = {"CapBnd:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1",
	                                    "Seccomp:\t2", "Umask:\t0077"};
	const char *pid = property(box, program, "MainPID");
	const char *status = inside(box, ask_format("cat /proc/%d/status", (int)strtol(pid, NULL, 10)));
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		cr_expect(strstr(status, lines[i]) != NULL, "%s: no %s in\n%s", program, lines[i], status);
	cr_expect_str_eq(inside(box, ask_format("stat -c %%U /proc/%d/environ", (int)strtol(pid, NULL, 10))), "root\n",
	                 "%s can be looked into", program);
}

struct reloaded {
	const struct box *box;
	const char *before; /* the processes of the unit */
};

static const char *processes(const struct box *box)
{
	return inside(
	        box,
	        "cat '/sys/fs/cgroup/system.slice/system-todo\\x2dfcgi.slice/todo-fcgi@auth.service/cgroup.procs'");
}

/* The parent is the same, and none of its workers is. */
static bool has_reloaded(void *context)
{
	struct reloaded *reloaded = context;
	struct view now = view_of(processes(reloaded->box));
	struct view before = view_of(reloaded->before);
	size_t kept = 0, count = 0;
	for (struct view rest = now; rest.len > 0; count++) {
		struct view pid = view_cut(&rest, '\n');
		for (struct view old = before; old.len > 0;)
			kept += view_equal(view_cut(&old, '\n'), pid);
	}
	return kept == 1 && count == 5;
}

struct journal {
	const struct box *box;
	const char *found; /* the addresses that fail2ban finds in it */
};

static bool has_both(void *context)
{
	struct journal *journal = context;
	int status;
	journal->found = output_of(ask_format("fail2ban-regex --usedns no --out ip"
	                                      " 'systemd-journal[journalpath=/proc/%d/root/run/log/journal]'"
	                                      " bin/fail2ban/filter.d/todo-fcgi.conf 2>/dev/null",
	                                      journal->box->systemd),
	                           &status);
	return strstr(journal->found, "192.0.2.1\n") && strstr(journal->found, "192.0.2.9\n");
}

Test(systemd, the_journal_of_the_units_shows_fail2ban_who_forges_tokens)
{
	needs_namespaces();
	struct box box =
	        box_start("LOG_CLIENT=full\nBETTER_AUTH_URL=" API_ORIGIN "\nBETTER_AUTH_SECRET=" API_SECRET "\n");
	char *forged = ask_keep(view_of(api_token("anna")));
	char *changed = forged + strlen(forged) - 2;
	*changed = *changed == 'A' ? 'B' : 'A';
	const char *const tokens[] = {forged, api_token("anna"), NULL, forged};
	for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
		/* Forged ones from two addresses, and between them what does not count. */
		const char *const address[] = {i == 3 ? "REMOTE_ADDR=192.0.2.9" : "REMOTE_ADDR=192.0.2.1", NULL};
		const struct ask ask = {.target = "/auth/me", .token = tokens[i], .params = address};
		cr_expect_eq(ask_at(&box, "auth", &ask)->status, i == 1 ? 200 : 401);
	}
	struct journal journal = {&box, ""};
	until(has_both, &journal, "the journal has both lines");
	cr_expect_str_eq(journal.found, "192.0.2.1\n192.0.2.9\n");
	box_stop(&box);
}

/* More often than systemd starts anything of its own accord (DefaultStartLimitBurst=5 in ten seconds). */
static bool is_tried_often(void *context)
{
	return strtol(property(context, "auth", "NRestarts"), NULL, 10) > 6;
}

/* Whoever mends a setting need not know of systemd's limits, and no request is lost meanwhile. */
Test(systemd, a_program_that_does_not_start_is_tried_until_its_setting_is_mended)
{
	needs_namespaces();
	struct box box =
	        box_start("BETTER_AUTH_URL=" API_ORIGIN "\nBETTER_AUTH_SECRET=" API_SECRET "\nJWT_LEEWAY=soon\n");
	const struct ask ask = {.target = "/auth/me", .token = api_token("anna")};
	int fd = send_to(&box, "auth", &ask);
	until(is_tried_often, &box, "it is started again and again");
	const char *journal = inside(&box, "journalctl --no-pager --output cat --directory /run/log/journal");
	cr_expect(strstr(journal, "does not start: JWT_LEEWAY") != NULL, "%s", journal);
	inside(&box, "sed -i /^JWT_LEEWAY=/d /etc/todo-fcgi/env");
	cr_expect_eq(responder_answer(fd, false)->status, 200);
	close(fd);
	box_stop(&box);
}

/* Every restriction of the unit is in force, and a system call outside its filter
 * ends the program instead of failing. */
Test(systemd, programs_do_all_of_their_work_in_the_sandbox_of_their_unit)
{
	needs_namespaces();
	const char *database = api_name("systemd");
	postgres_database(database);
	char *url = postgres_url_in("/run/postgresql", "todo_app", database);
	struct auth_server server = auth_server_start(NULL, NULL);
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	struct buf set = buf_make(4096);
	issuer_jwks(&issuer, 1, &set);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&set));
	buf_destroy(&set);
	/* By name, so that one is looked up. */
	struct box box = box_start(ask_format("DATABASE_URL='%s'\nBETTER_AUTH_URL=" API_ORIGIN
	                                      "\nJWKS_URL=http://localhost:%d/jwks\nJWKS_INSECURE_LOOPBACK=1\n",
	                                      url, server.port));
	free(url);
	char *token = issuer_token_for(issuer, "anna", API_ORIGIN, clock_now());

	cr_expect_str_eq(inside(&box, "systemd-analyze verify todo-fcgi@tasks.service todo-fcgi@tasks.socket"), "");
	expect_all_served(&box, token);
	for (size_t i = 0; i < PROGRAMS; i++)
		expect_forbidden(&box, programs[i]);
	struct reloaded reloaded = {&box, processes(&box)};
	inside(&box, "systemctl reload todo-fcgi@auth.service");
	until(has_reloaded, &reloaded, "a reload replaces the workers");
	expect_all_served(&box, token);
	for (size_t i = 0; i < PROGRAMS; i++) {
		cr_expect_str_eq(property(&box, programs[i], "NRestarts"), "0\n", "%s", programs[i]);
		inside(&box,
		       ask_format("systemctl stop todo-fcgi@%s.socket todo-fcgi@%s.service", programs[i], programs[i]));
		cr_expect_str_eq(property(&box, programs[i], "Result"), "success\n", "%s", programs[i]);
	}
	box_stop(&box);
	free(token);
	issuer_free(issuer);
	auth_server_stop(&server);
}
