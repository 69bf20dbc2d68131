/* Starts, watches and stops programs, and reads what they logged. */
#include "support/responder.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "support/fastcgi.h"
#include "support/leaks.h"

enum {
	PATIENCE = 30,
	RESPONDERS_MAX = 64,
	FORBIDDEN_MAX = 4096,
	FORBIDDEN_LEN = 12, /* shorter texts may stand in a log by chance */
	SETTINGS_MAX = 64,
	BACKLOG = 4096,
	BYTES_MAX = 64 * 1024 * 1024,
	SANITIZER_EXIT = 86,
};

struct responder {
	pid_t pid;  /* its own process group's, too; kept from reuse until the test's end */
	int status; /* RESPONDER_RUNNING, or how it ended */
	int log;    /* an unnamed file in memory */
	char socket[40];
};

static struct responder responders[RESPONDERS_MAX];
static size_t responder_count;
static struct view forbidden[FORBIDDEN_MAX];
static size_t forbidden_count;

void until(bool (*condition)(void *context), void *context, const char *what)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	while (!condition(context)) {
		cr_assert(clock_monotonic() < end, "never came true: %s", what);
		poll(NULL, 0, 5);
	}
}

/* ---- what no log may hold ---- */

void responder_forbid(struct view text)
{
	if (text.len < FORBIDDEN_LEN)
		return;
	for (size_t i = 0; i < forbidden_count; i++)
		if (view_equal(forbidden[i], text))
			return;
	cr_assert(forbidden_count < FORBIDDEN_MAX);
	forbidden[forbidden_count++] = (struct view){ask_keep(text), text.len};
}

static void forbid_setting(struct view name, struct view value)
{
	/* The path of a file is no secret. */
	if (name.len > 5 && view_equal(view_from(name, name.len - 5), VIEW("_FILE")))
		return;
	if (memmem(name.ptr, name.len, "SECRET", 6) || memmem(name.ptr, name.len, "METRICS_TOKEN", 13))
		responder_forbid(value);
	if (!memmem(name.ptr, name.len, "DATABASE_URL", 12))
		return;
	responder_forbid(value);
	view_cut(&value, ':');
	view_cut(&value, ':');
	responder_forbid(view_cut(&value, '@'));
}

static bool holds(struct view text, const char *part, size_t len)
{
	return text.len >= len && memmem(text.ptr, text.len, part, len);
}

static void check_log(struct view log)
{
	for (size_t i = 0; i < forbidden_count; i++)
		cr_expect_not(holds(log, forbidden[i].ptr, forbidden[i].len), "the log holds %.*s:\n%.*s",
		              VIEW_ARGS(forbidden[i]), VIEW_ARGS(log));
	cr_expect_not(holds(log, PRIVATE, strlen(PRIVATE)), "the log holds what a user wrote:\n%.*s", VIEW_ARGS(log));
	cr_expect_not(holds(log, "Sanitizer", 9) || holds(log, "runtime error", 13), "%.*s", VIEW_ARGS(log));
}

/* ---- the environment of a program ---- */

/* In the build's folder, or where everybody may write (which a state folder
 * must not be below) in the user's own. */
static const char *own_folder(void)
{
	const char *build = getenv("BUILD");
	char *path = realpath(build ? build : "build/release", NULL);
	cr_assert_not_null(path, "there is no build: tests run in the folder of the sources");
	struct view start = view_of(path);
	bool shared = view_starts(start, VIEW("/tmp/")) || view_starts(start, VIEW("/var/tmp/")) ||
	              view_starts(start, VIEW("/dev/shm/"));
	const struct passwd *user = shared ? getpwuid(geteuid()) : NULL;
	const char *folder =
	        shared ? ask_format("%s/.todo-fcgi-tests", user ? user->pw_dir : "") : ask_format("%s/tests", path);
	free(path);
	mkdir(folder, 0700);
	return folder;
}

static void folder_remove(const char *path)
{
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
	rmdir(path);
}

/* Of this test alone, since processes share results in it; those that crashed
 * tests have left are removed. */
const char *responder_state_folder(void)
{
	const char *base = own_folder();
	DIR *folder = opendir(base);
	int pid;
	for (const struct dirent *entry; folder && (entry = readdir(folder));)
		if (sscanf(entry->d_name, "state-%d", &pid) == 1 && kill(pid, 0) != 0 && errno == ESRCH)
			folder_remove(ask_format("%s/%s", base, entry->d_name));
	if (folder)
		closedir(folder);
	return ask_format("%s/state-%d", base, getpid());
}

/* The path of a private file with that text, the same in every test. */
static const char *lasting_file(const char *name, const char *text)
{
	const char *path = ask_format("%s/%s", own_folder(), name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", path, strerror(errno));
	close(fd);
	return path;
}

static bool is_set(const char *const settings[], const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; settings[i]; i++)
		if (strncmp(settings[i], name, len) == 0 && settings[i][len] == '=')
			return true;
	return false;
}

struct environment {
	char *items[SETTINGS_MAX + 1];
	size_t count;
};

static void environment_add(struct environment *environment, char *item)
{
	cr_assert(environment->count < SETTINGS_MAX);
	environment->items[environment->count++] = item;
}

static void environment_take(void *context, struct view name, struct view value)
{
	environment_add(context, ask_format("%.*s=%.*s", VIEW_ARGS(name), VIEW_ARGS(value)));
}

static struct environment environment_make(const char *const settings[])
{
	struct environment environment = {.count = 0};
	environment_add(&environment, ask_format("ASAN_OPTIONS=exitcode=%d", SANITIZER_EXIT));
	environment_add(&environment, ask_format("LSAN_OPTIONS=exitcode=%d", SANITIZER_EXIT));
	environment_add(&environment, ask_format("UBSAN_OPTIONS=print_stacktrace=1"));
	/* So that the settings of whoever runs the tests are not read. */
	if (!is_set(settings, "TODO_ENV_FILE"))
		environment_add(&environment, ask_format("TODO_ENV_FILE=%s", lasting_file("empty.env", "")));
	if (!is_set(settings, "STATE_DIR"))
		environment_add(&environment, ask_format("STATE_DIR=%s", responder_state_folder()));
	for (size_t i = 0; settings[i]; i++) {
		struct view value = view_of(settings[i]);
		struct view name = view_cut(&value, '=');
		forbid_setting(name, value);
		environment_add(&environment, ask_keep(view_of(settings[i])));
	}
	return environment;
}

/* ---- processes ---- */

const char *responder_program(const char *name)
{
	const char *build = getenv("BUILD");
	return ask_format("%s/cgi-bin/%s.fcgi", build ? build : "build/release", name);
}

/* A listening socket of an abstract name: no file is left of it. */
static int listen_somewhere(char *ret_name, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint64_t number;
	cr_assert(random_bytes(&number, sizeof number));
	int len = snprintf(ret_name, size, "todo-test-%016llx", (unsigned long long)number);
	memcpy(address.sun_path + 1, ret_name, (size_t)len);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
	cr_assert(fd >= 0 && bind(fd, (const struct sockaddr *)&address, length) == 0 && listen(fd, BACKLOG) == 0, "%s",
	          strerror(errno));
	return fd;
}

static struct responder *launch(const char *file, char *const environment[], int in, int out)
{
	cr_assert(responder_count < RESPONDERS_MAX);
	struct responder *responder = &responders[responder_count];
	char *const arguments[] = {ask_keep(view_of(file)), NULL};
	responder->log = memfd_create("log", MFD_CLOEXEC);
	cr_assert_geq(responder->log, 0);
	cr_assert_eq(fcntl(responder->log, F_SETFL, O_APPEND), 0);
	pid_t test = getpid();
	responder->pid = fork();
	cr_assert_geq(responder->pid, 0);
	if (responder->pid == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != test || dup2(in, STDIN_FILENO) < 0 ||
		    dup2(out >= 0 ? out : responder->log, STDOUT_FILENO) < 0 || dup2(responder->log, STDERR_FILENO) < 0)
			_exit(126);
		close_range(STDERR_FILENO + 1, ~0U, 0);
		execve(file, arguments, environment);
		_exit(127);
	}
	responder->status = RESPONDER_RUNNING;
	responder_count++;
	return responder;
}

struct responder *responder_start_file(const char *file, const char *const settings[])
{
	struct environment environment = environment_make(settings);
	char name[sizeof responders->socket];
	int listener = listen_somewhere(name, sizeof name);
	struct responder *responder = launch(file, environment.items, listener, -1);
	memcpy(responder->socket, name, sizeof name);
	close(listener);
	return responder;
}

struct responder *responder_start_on(int listener, const char *name, const char *const settings[])
{
	struct environment environment = environment_make(settings);
	return launch(responder_program(name), environment.items, listener, -1);
}

struct responder *responder_start(const char *name, const char *const settings[])
{
	return responder_start_file(responder_program(name), settings);
}

pid_t responder_pid(const struct responder *responder)
{
	return responder->pid;
}

unsigned long long responder_status(const struct responder *responder, const char *form)
{
	char line[256];
	unsigned long long number = 0;
	FILE *file = fopen(ask_format("/proc/%d/status", (int)responder->pid), "r");
	cr_assert_not_null(file);
	while (fgets(line, sizeof line, file) && sscanf(line, form, &number) != 1)
		;
	fclose(file);
	return number;
}

struct view responder_socket(const struct responder *responder)
{
	return view_of(responder->socket);
}

struct view responder_log(const struct responder *responder)
{
	struct stat stat;
	cr_assert_eq(fstat(responder->log, &stat), 0);
	char *text = arena_alloc(ask_arena(), (size_t)stat.st_size + 1);
	cr_assert_not_null(text);
	ssize_t len = pread(responder->log, text, (size_t)stat.st_size, 0);
	cr_assert_geq(len, 0);
	text[len] = '\0';
	return (struct view){text, (size_t)len};
}

bool responder_has_logged(const struct responder *responder, const char *text)
{
	struct view log = responder_log(responder);
	return memmem(log.ptr, log.len, text, strlen(text)) != NULL;
}

struct wait_log {
	const struct responder *responder;
	const char *text;
};

static bool is_logged(void *context)
{
	const struct wait_log *wait = context;
	return responder_has_logged(wait->responder, wait->text);
}

void responder_until_logged(const struct responder *responder, const char *text)
{
	struct wait_log wait = {responder, text};
	until(is_logged, &wait, text);
}

size_t responder_workers(const struct responder *responder, pid_t *out, size_t max)
{
	size_t count = 0;
	int pid;
	FILE *file = fopen(ask_format("/proc/%d/task/%d/children", responder->pid, responder->pid), "r");
	while (file && count < max && fscanf(file, "%d", &pid) == 1)
		out[count++] = pid;
	if (file)
		fclose(file);
	return count;
}

int responder_wait(struct responder *responder)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	siginfo_t info = {.si_pid = 0};
	if (responder->status != RESPONDER_RUNNING)
		return responder->status;
	int fd = pidfd_open(responder->pid, 0);
	cr_assert_geq(fd, 0);
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	for (int64_t left; (left = end - clock_monotonic()) > 0;)
		if (poll(&polled, 1, (int)(left / 1000) + 1) > 0)
			break;
	close(fd);
	if (waitid(P_PID, (id_t)responder->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
		return RESPONDER_RUNNING;
	responder->status = info.si_code == CLD_EXITED ? info.si_status : RESPONDER_BY_SIGNAL + info.si_status;
	return responder->status;
}

/* Has it come so far that it blocks or handles TERM, or has it ended? */
static bool minds_term(pid_t pid)
{
	char line[256];
	unsigned long long set = 0;
	bool minds = false;
	FILE *file = fopen(ask_format("/proc/%d/status", pid), "r");
	while (file && !minds && fgets(line, sizeof line, file))
		minds = strncmp(line, "State:\tZ", 8) == 0 ||
		        ((sscanf(line, "SigBlk: %llx", &set) == 1 || sscanf(line, "SigCgt: %llx", &set) == 1) &&
		         (set >> (SIGTERM - 1) & 1) != 0);
	if (file)
		fclose(file);
	return minds || !file;
}

int responder_stop(struct responder *responder)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	if (responder->status == RESPONDER_RUNNING) {
		/* One that nobody has asked anything may still be starting. */
		while (!minds_term(responder->pid) && clock_monotonic() < end)
			poll(NULL, 0, 1);
		kill(responder->pid, SIGTERM);
	}
	return responder_wait(responder);
}

void responders_close(void)
{
	for (size_t i = 0; i < responder_count; i++) {
		struct responder *responder = &responders[i];
		bool was_running = responder->status == RESPONDER_RUNNING;
		int status = responder_stop(responder);
		/* and workers that a broken program has left behind */
		kill(-responder->pid, SIGKILL);
		waitpid(responder->pid, NULL, 0);
		struct view log = responder_log(responder);
		cr_expect(!was_running || status == 0, "it ended with %d, having logged\n%.*s", status, VIEW_ARGS(log));
		check_log(log);
		close(responder->log);
	}
	if (responder_count > 0)
		folder_remove(responder_state_folder());
	responder_count = 0;
	forbidden_count = 0;
	ask_end();
	leaks_check();
}

void responder_needs_sight(void)
{
	if (geteuid() != 0)
		cr_skip_test("only root can look into a program");
}

/* ---- asking ---- */

/* What a client sent is nothing for a log. */
static void forbid_ask(const struct ask *ask)
{
	responder_forbid(view_of(ask->token));
	responder_forbid(view_of(ask->body));
}

const struct answer *responder_answer(int fd, bool to_head)
{
	struct buf bytes = buf_make(BYTES_MAX);
	enum fastcgi_result result = fastcgi_receive(fd, &bytes);
	cr_assert_eq(result, FASTCGI_OK, "%s", fastcgi_result_text(result));
	cr_assert(buf_ok(&bytes));
	const struct answer *answer = answer_read(buf_view(&bytes), to_head);
	buf_destroy(&bytes);
	return answer;
}

static bool is_head(const struct ask *ask)
{
	return ask->method && strcmp(ask->method, "HEAD") == 0;
}

int responder_begin(const struct responder *responder, const struct ask *ask)
{
	struct buf request = buf_make(BYTES_MAX);
	forbid_ask(ask);
	ask_write(ask, &request);
	int fd = fastcgi_connect(responder_socket(responder));
	cr_assert_geq(fd, 0, "nobody listens: %.*s", VIEW_ARGS(responder_log(responder)));
	bool sent = fastcgi_send(fd, buf_view(&request));
	buf_destroy(&request);
	cr_assert(sent, "the request could not be sent: %.*s", VIEW_ARGS(responder_log(responder)));
	return fd;
}

const struct answer *responder_ask(const struct responder *responder, const struct ask *ask)
{
	int fd = responder_begin(responder, ask);
	const struct answer *answer = responder_answer(fd, is_head(ask));
	close(fd);
	return answer;
}

const struct answer *responder_cgi(const char *name, const char *const settings[], const struct ask *ask)
{
	struct environment environment = environment_make(settings);
	struct buf bytes = buf_make(BYTES_MAX);
	forbid_ask(ask);
	ask_params(ask, environment_take, &environment);
	/* The body in a file, the answer into another: neither side can wait for the other. */
	int in = memfd_create("in", MFD_CLOEXEC);
	int out = memfd_create("out", MFD_CLOEXEC);
	struct view body = view_of(ask->body);
	cr_assert(in >= 0 && out >= 0 && write(in, body.ptr ? body.ptr : "", body.len) == (ssize_t)body.len);
	lseek(in, 0, SEEK_SET);
	struct responder *responder = launch(responder_program(name), environment.items, in, out);
	int status = responder_wait(responder);
	cr_assert_eq(status, 0, "it ended with %d, having logged\n%.*s", status, VIEW_ARGS(responder_log(responder)));
	off_t size = lseek(out, 0, SEEK_END);
	char *room = buf_reserve(&bytes, (size_t)size + 1);
	cr_assert(room && pread(out, room, (size_t)size, 0) == size);
	bytes.len = (size_t)size;
	const struct answer *answer = answer_read(buf_view(&bytes), is_head(ask));
	buf_destroy(&bytes);
	close(in);
	close(out);
	return answer;
}
