/* Starts and stops stacks through bin/stack, and reads what they say of themselves. */
#include "support/stack.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 1024 * 1024, VALUES_MAX = 64 * 1024, ENVIRONMENT_MAX = 96, TEXT_MAX = 256 };

static const char *const UP[] = {"bin/stack", "up", NULL};
static const char *const DOWN[] = {"bin/stack", "down", NULL};

struct stack stack_make(const char *name, const char *const settings[])
{
	struct stack stack = {
	        .name = name,
	        .watcher_fd = -1,
	        .values = buf_make(VALUES_MAX),
	        .said = buf_make(SAID_MAX),
	};
	for (size_t i = 0; settings[i]; i++) {
		if (i == STACK_SETTINGS_MAX)
			abort();
		stack.settings[i] = settings[i];
	}
	return stack;
}

/* The build that the test program itself is of: build/MODE. */
static const char *mode(void)
{
	const char *build = getenv("BUILD");
	const char *slash = build ? strrchr(build, '/') : NULL;
	return slash ? slash + 1 : "release";
}

/* What this machine needs to reach its package registry, and nothing else of the environment. */
static bool passed_on(const char *variable)
{
	static const char *const beginnings[] = {
	        "npm_config_", "NODE_EXTRA_CA_CERTS=", "SSL_CERT_", "http_proxy=", "https_proxy=",
	        "no_proxy=",   "HTTPS_PROXY=",         "NO_PROXY="};
	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
		if (view_starts(view_of(variable), view_of(beginnings[i])))
			return true;
	return false;
}

/* Becomes the command, in an environment that holds nothing by chance. */
static void become(const struct stack *stack, const char *const command[])
{
	char name[TEXT_MAX];
	char build[TEXT_MAX];
	char path[4096];
	char home[4096];
	const char *environment[ENVIRONMENT_MAX + 1] = {name, build, path, home, "STACK_EPHEMERAL=1"};
	size_t count = 5;
	snprintf(name, sizeof name, "STACK=%s", stack->name);
	snprintf(build, sizeof build, "MODE=%s", mode());
	snprintf(path, sizeof path, "PATH=%s", getenv("PATH"));
	snprintf(home, sizeof home, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
	for (size_t i = 0; stack->settings[i]; i++) {
		if (view_starts(view_of(stack->settings[i]), VIEW("STACK_EPHEMERAL=")))
			environment[4] = stack->settings[i];
		else
			environment[count++] = stack->settings[i];
	}
	for (char **variable = environ; *variable && count < ENVIRONMENT_MAX; variable++)
		if (passed_on(*variable))
			environment[count++] = *variable;
	execvpe(command[0], (char *const *)command, (char *const *)environment);
	_exit(127);
}

static bool read_to_end(int fd, struct buf *into)
{
	for (;;) {
		char *room = buf_reserve(into, 4096);
		ssize_t got = room ? read(fd, room, 4096) : -1;
		if (got < 0 && room && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		into->len += (size_t)got;
	}
}

/* A child that waits for its end of a pipe to close, which it does however the
 * test ends, and then stops the stack; a byte before tells it that this is done. */
static bool watched(struct stack *stack)
{
	int ends[2];
	if (stack->watcher_fd >= 0)
		return true;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	pid_t pid = fork();
	if (pid == 0) {
		char done;
		close(ends[1]);
		setsid();
		int nothing = open("/dev/null", O_RDWR);
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			dup2(nothing, fd);
		ssize_t got;
		do
			got = read(ends[0], &done, 1);
		while (got < 0 && errno == EINTR);
		if (got == 1)
			_exit(EXIT_SUCCESS);
		become(stack, DOWN);
	}
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return false;
	}
	stack->watcher = pid;
	stack->watcher_fd = ends[1];
	return true;
}

pid_t stack_begin(struct stack *stack, const char *const command[], int *ret_output)
{
	int ends[2];
	if (!watched(stack) || pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		int nothing = open("/dev/null", O_RDONLY);
		setpgid(0, 0);
		/* Ignored where the tests run in a shell's background; a terminal's Ctrl-C is not. */
		signal(SIGINT, SIG_DFL);
		dup2(nothing, STDIN_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		become(stack, command);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -1;
	}
	setpgid(pid, pid);
	*ret_output = ends[0];
	return pid;
}

int stack_run(struct stack *stack, const char *const command[])
{
	int output;
	int status;
	buf_reset(&stack->said, SAID_MAX);
	pid_t pid = stack_begin(stack, command, &output);
	if (pid > 0) {
		(void)!read_to_end(output, &stack->said);
		close(output);
	}
	buf_add_char(&stack->said, '\0');
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* As the programs' user, since their STATE_DIR is nobody else's; only root may become another one. */
int stack_warm(struct stack *stack, const char *processes, const char *address)
{
	char file[PATH_MAX], program[PATH_MAX], user[TEXT_MAX], base[PATH_MAX];
	snprintf(file, sizeof file, "TODO_ENV_FILE=%s", stack_value(stack, "TODO_ENV_FILE"));
	snprintf(program, sizeof program, "%s/bin/todoctl", stack_value(stack, "PROGRAMS"));
	snprintf(user, sizeof user, "%s", stack_value(stack, "RUN_USER"));
	snprintf(base, sizeof base, "%s", address ? address : stack_value(stack, "BASE_URL"));
	const char *const command[] = {
	        "bash",
	        "-c",
	        "if ((EUID == 0)); then as=(setpriv --reuid=\"$0\" --regid=\"$0\" --clear-groups); fi; "
	        "cd / && exec \"${as[@]}\" env \"$@\"",
	        user,
	        file,
	        program,
	        "warm",
	        "--processes",
	        processes,
	        base,
	        NULL};
	return stack_run(stack, command);
}

static void watch_end(struct stack *stack)
{
	if (stack->watcher_fd < 0)
		return;
	(void)!write(stack->watcher_fd, "", 1);
	close(stack->watcher_fd);
	stack->watcher_fd = -1;
	waitpid(stack->watcher, NULL, 0);
}

bool stack_read(struct stack *stack)
{
	char path[TEXT_MAX];
	snprintf(path, sizeof path, "build/run-%s/stack.env", stack->name);
	buf_reset(&stack->values, VALUES_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	struct buf text = buf_make(VALUES_MAX);
	bool whole = read_to_end(fd, &text);
	close(fd);
	for (struct view rest = buf_view(&text); rest.len > 0;) {
		struct view value = view_cut(&rest, '\n');
		struct view name = view_cut(&value, '=');
		/* Quoted for a shell; no value that a test reads holds a quote itself. */
		if (value.len < 2 || value.ptr[0] != '\'')
			continue;
		buf_add(&stack->values, name);
		buf_add_char(&stack->values, '\0');
		buf_add(&stack->values, (struct view){value.ptr + 1, value.len - 2});
		buf_add_char(&stack->values, '\0');
	}
	buf_destroy(&text);
	return whole && buf_ok(&stack->values);
}

bool stack_up(struct stack *stack)
{
	return stack_run(stack, UP) == 0 && stack_read(stack);
}

bool stack_down(struct stack *stack)
{
	bool stopped = stack_run(stack, DOWN) == 0;
	/* The watcher tries once more what did not work here. */
	if (stopped)
		watch_end(stack);
	return stopped;
}

void stack_destroy(struct stack *stack)
{
	if (stack->watcher_fd >= 0)
		(void)!stack_down(stack);
	buf_destroy(&stack->values);
	buf_destroy(&stack->said);
}

struct stack stack_start(const char *name, const char *const settings[])
{
	struct stack stack = stack_make(name, settings);
	cr_assert(stack_up(&stack), "the stack does not start:\n%s", stack.said.ptr);
	return stack;
}

void stack_stop(struct stack *stack)
{
	cr_expect(stack_down(stack), "the stack does not stop:\n%s", stack->said.ptr);
	stack_destroy(stack);
}

const char *stack_value(const struct stack *stack, const char *name)
{
	for (struct view rest = buf_view(&stack->values); rest.len > 0;) {
		struct view known = view_cut(&rest, '\0');
		struct view value = view_cut(&rest, '\0');
		if (view_equal(known, view_of(name)))
			return value.ptr;
	}
	return "";
}

int stack_port(const struct stack *stack)
{
	uint64_t port = 0;
	const char *colon = strrchr(stack_value(stack, "BASE_URL"), ':');
	return colon && view_to_u64(view_of(colon + 1), 65535, &port) ? (int)port : 0;
}
