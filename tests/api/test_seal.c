/* What nobody gets out of a program beside its answers: cores, its memory, the
 * environment it was started with, and what a request left behind. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/api.h"
#include "support/auth_folder.h"
#include "support/fastcgi.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(seal, .fini = api_end, .timeout = 240);

/* ---- one that is started by somebody careless ---- */

static const char *const none[] = {NULL};

static const char *todoctl(void)
{
	const char *build = getenv("BUILD");
	return ask_format("%s/bin/todoctl", build ? build : "build/release");
}

/* Starts it with as large a core as can be, a mask that hides nothing, and the
 * rights of an ordinary user even where the tests run as root. */
static struct responder *start_bare(const struct auth_folder *folder, const char *command)
{
	const char *script =
	        ask_format("#!/bin/sh\n"
	                   "ulimit -c \"$(ulimit -H -c)\"\n"
	                   "umask 000\n"
	                   "[ \"$(id -u)\" != 0 ] || bare='setpriv --inh-caps=-all --bounding-set=-all --'\n"
	                   "exec $bare %s\n",
	                   command);
	return responder_start_file(auth_folder_write(folder, "start", view_of(script), 0700), api_settings(none));
}

static struct responder *start_health(const struct auth_folder *folder)
{
	struct responder *health = start_bare(folder, responder_program("health"));
	cr_assert_eq(responder_ask(health, &(struct ask){.target = "/health"})->status, 200);
	return health;
}

/* What waits for TERM in no particular way ends by it at once. */
static void end(struct responder *responder)
{
	kill(responder_pid(responder), SIGTERM);
	cr_expect_eq(responder_wait(responder), RESPONDER_BY_SIGNAL + SIGTERM);
}

struct waiting {
	pid_t pid;
	const char *name;
};

static bool has_become(void *context)
{
	const struct waiting *waiting = context;
	char name[64] = "";
	FILE *file = fopen(ask_format("/proc/%d/comm", waiting->pid), "r");
	if (file && !fgets(name, sizeof name, file))
		name[0] = '\0';
	if (file)
		fclose(file);
	return strcmp(name, waiting->name) == 0;
}

/* todoctl while it waits for a token that never comes. */
static struct responder *start_todoctl(const struct auth_folder *folder)
{
	const char *pipe = ask_format("%s/token", folder->path);
	cr_assert_eq(mkfifo(pipe, 0600), 0);
	struct responder *waiting =
	        start_bare(folder, ask_format("%s doctor --token-file - http://127.0.0.1:9 <>'%s'", todoctl(), pipe));
	until(has_become, &(struct waiting){responder_pid(waiting), "todoctl\n"}, "todoctl runs");
	return waiting;
}

/* ---- what is seen of it ---- */

/* The rest of the line of /proc/PID/FILE that begins with `start`. */
static struct view line_of(const struct responder *responder, const char *file, const char *start)
{
	char line[512];
	struct view found = ABSENT;
	FILE *stream = fopen(ask_format("/proc/%d/%s", responder_pid(responder), file), "r");
	cr_assert_not_null(stream);
	while (view_is_absent(found) && fgets(line, sizeof line, stream))
		if (view_starts(view_of(line), view_of(start)))
			found = view_trim((struct view){ask_keep(view_of(line + strlen(start))),
			                                strlen(line + strlen(start)) - 1});
	fclose(stream);
	return found;
}

struct sealed {
	const struct responder *responder;
};

/* Of a program that is only just starting this is not true yet. */
static bool is_sealed(void *context)
{
	return view_equal(line_of(((struct sealed *)context)->responder, "status", "Umask:"), VIEW("0077"));
}

static void expect_sealed(const struct responder *responder)
{
	until(is_sealed, &(struct sealed){responder}, "its files are for its user alone");
	cr_expect(view_starts(line_of(responder, "limits", "Max core file size"), VIEW("0                    0 ")));
	cr_expect(view_equal(line_of(responder, "status", "NoNewPrivs:"), VIEW("1")));
}

/* As whoever runs the tests, but without root's rights: 0, or why it can't be opened. */
static int opening(const char *path)
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
		const struct __user_cap_data_struct nothing[2] = {{0}};
		if (syscall(SYS_capset, &header, nothing) != 0)
			_exit(255);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		_exit(fd >= 0 ? 0 : errno);
	}
	int status;
	cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect_closed(const struct responder *responder)
{
	static const char *const files[] = {"environ", "mem", "maps", "auxv"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		cr_expect_eq(opening(ask_format("/proc/%d/%s", responder_pid(responder), files[i])), EACCES, "%s",
		             files[i]);
}

Test(seal, a_program_leaves_no_core_and_takes_no_rights)
{
	struct auth_folder folder = auth_folder_make();
	expect_sealed(start_health(&folder));
	auth_folder_remove(&folder);
}

Test(seal, nobody_but_root_looks_into_a_program)
{
	struct auth_folder folder = auth_folder_make();
	expect_closed(start_health(&folder));
	auth_folder_remove(&folder);
}

/* What the tests above see is no accident of how they look. */
Test(seal, anybody_of_its_user_looks_into_a_program_that_is_not_sealed)
{
	struct auth_folder folder = auth_folder_make();
	const char *pipe = ask_format("%s/pipe", folder.path);
	cr_assert_eq(mkfifo(pipe, 0600), 0);
	struct responder *cat = start_bare(&folder, ask_format("cat <>'%s'", pipe));
	until(has_become, &(struct waiting){responder_pid(cat), "cat\n"}, "cat runs");
	cr_expect_eq(opening(ask_format("/proc/%d/environ", responder_pid(cat))), 0);
	cr_expect_eq(opening(ask_format("/proc/%d/mem", responder_pid(cat))), 0);
	end(cat);
	auth_folder_remove(&folder);
}

/* ---- descriptors ---- */

/* The server's own end of a pipe, which it forgot to close: were it open in the
 * program, its reader would wait for ever. */
Test(seal, what_the_server_left_open_is_closed)
{
	struct auth_folder folder = auth_folder_make();
	const char *pipe = ask_format("%s/pipe", folder.path);
	char byte;
	cr_assert_eq(mkfifo(pipe, 0600), 0);
	int reader = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct responder *health = start_bare(&folder, ask_format("%s 9>'%s'", responder_program("health"), pipe));
	cr_expect_eq(responder_ask(health, &(struct ask){.target = "/health"})->status, 200);
	cr_expect_eq(read(reader, &byte, 1), 0, "%s", strerror(errno));
	close(reader);
	auth_folder_remove(&folder);
}

/* ---- what a request leaves behind ---- */

static bool memory_holds(const struct responder *responder, const char *text)
{
	enum { PIECE = 1 << 20, RESERVE = 1 << 30 };
	static char piece[PIECE];
	uint64_t start, end;
	char rights[8];
	bool found = false;
	FILE *maps = fopen(ask_format("/proc/%d/maps", responder_pid(responder)), "r");
	int memory = open(ask_format("/proc/%d/mem", responder_pid(responder)), O_RDONLY | O_CLOEXEC);
	cr_assert(maps && memory >= 0);
	while (fscanf(maps, "%" SCNx64 "-%" SCNx64 " %7s %*[^\n]", &start, &end, rights) == 3) {
		/* What is so large is a sanitizer's reserve. */
		if (rights[1] != 'w' || end - start > RESERVE)
			continue;
		/* Pieces overlap by the text's length. */
		for (uint64_t at = start; at < end; at += PIECE - strlen(text)) {
			ssize_t got = pread(memory, piece, PIECE < end - at ? PIECE : end - at, (off_t)at);
			found |= got > 0 && memmem(piece, (size_t)got, text, strlen(text));
		}
	}
	close(memory);
	fclose(maps);
	return found;
}

struct remains {
	const struct responder *responder;
	const char *text;
};

static bool are_gone(void *context)
{
	const struct remains *remains = context;
	return !memory_holds(remains->responder, remains->text);
}

Test(seal, nothing_of_a_token_is_left_when_its_request_is_over)
{
	responder_needs_sight();
	struct responder *tasks = responder_start("tasks", api_settings_for(api_database(api_name("seal"))));
	const char *token = api_token("anna");
	const struct ask ask = {.target = "/api/anna/tasks", .token = token};
	cr_assert_eq(responder_ask(tasks, &ask)->status, 200);
	/* What is looked for can be found: the secret that it is verified with is there. */
	cr_expect(memory_holds(tasks, API_SECRET));
	/* The answer is out before the connection is closed and its memory freed. */
	until(are_gone, &(struct remains){tasks, token + strlen(token) - 20}, "its signature is gone");
	until(are_gone, &(struct remains){tasks, ask_keep((struct view){token, 40})}, "its beginning is gone");
}

/* ---- todoctl ---- */

Test(seal, todoctl_leaves_no_core_and_takes_no_rights)
{
	struct auth_folder folder = auth_folder_make();
	struct responder *waiting = start_todoctl(&folder);
	expect_sealed(waiting);
	end(waiting);
	auth_folder_remove(&folder);
}

Test(seal, nobody_but_root_looks_into_todoctl)
{
	struct auth_folder folder = auth_folder_make();
	struct responder *waiting = start_todoctl(&folder);
	expect_sealed(waiting);
	expect_closed(waiting);
	end(waiting);
	auth_folder_remove(&folder);
}
