/* The parent of the workers. */
#include "app/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/gateway.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"

/* Workers that die sooner than this are started again more slowly, so that a
 * broken program does not keep a machine busy. */
#define QUICK_DEATH CLOCK_SECOND

/* A program that is tried has this in its environment, and this much time. */
#define TRIAL "WORKERS_TRIAL"
#define TRIAL_TIME (30 * CLOCK_SECOND)

struct worker {
	pid_t pid; /* 0: none */
	int64_t started;
};

struct crew {
	struct worker workers[CONFIG_WORKERS_MAX];
	size_t count;
	int64_t hold_until; /* no new worker before this */
	pid_t trial;        /* of the new program; 0: none is under way */
	int64_t trial_ends; /* at the latest */
	bool trial_passed;
};

/* Forks the worker of one place. True in the child. */
static bool worker_start(struct crew *crew, struct worker *worker)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		/* A worker without its parent would live on unseen. */
		prctl(PR_SET_PDEATHSIG, GATEWAY_ORPHANED);
		if (getppid() != parent)
			raise(GATEWAY_ORPHANED);
		return true;
	}
	if (pid < 0) {
		log_line(LOG_LEVEL_ERROR, VIEW("cannot fork a worker"));
		crew->hold_until = clock_monotonic() + QUICK_DEATH;
		return false;
	}
	*worker = (struct worker){pid, clock_monotonic()};
	return false;
}

/* Fills the empty places, when it is time. True in a child. */
static bool crew_fill(struct crew *crew, const struct workers *workers)
{
	for (size_t i = 0; i < crew->count; i++) {
		struct worker *worker = &crew->workers[i];
		if (worker->pid != 0 || clock_monotonic() < crew->hold_until)
			continue;
		if (worker->started > 0)
			workers->refresh(workers->context);
		if (worker_start(crew, worker))
			return true;
	}
	return false;
}

static bool crew_is_full(const struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		if (crew->workers[i].pid == 0)
			return false;
	return true;
}

/* Takes note of every child that ended; those of a program replaced by HUP are
 * in no place. */
static void crew_reap(struct crew *crew, const struct workers *workers)
{
	int status = 0;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		if (pid == crew->trial) {
			crew->trial = 0;
			crew->trial_passed = WIFEXITED(status) && WEXITSTATUS(status) == WORKERS_TRIAL_PASSED;
			if (!crew->trial_passed)
				log_line(LOG_LEVEL_ERROR, VIEW("the new program can't start; the old one goes on"));
		}
		for (size_t i = 0; i < crew->count; i++) {
			if (crew->workers[i].pid != pid)
				continue;
			if (clock_monotonic() - crew->workers[i].started < QUICK_DEATH)
				crew->hold_until = clock_monotonic() + QUICK_DEATH;
			crew->workers[i].pid = 0;
			workers->ended(workers->context, pid, status);
		}
	}
}

static void crew_stop(const struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		if (crew->workers[i].pid > 0)
			kill(crew->workers[i].pid, SIGTERM);
}

/* ---- replacing the program ---- */

bool workers_is_trial(void)
{
	return getenv(TRIAL) != NULL;
}

/* Executes the program's file beside this one. Its standard input is not the
 * socket: whatever that file is by now, it takes no request from us. */
static pid_t trial_start(char *file)
{
	char *const arguments[] = {file, NULL};
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
	    dup2(nothing, STDOUT_FILENO) >= 0 && setenv(TRIAL, "1", 1) == 0)
		execv(file, arguments);
	_exit(EXIT_FAILURE);
}

/* A further order while one is being carried out is about a newer file. */
static void trial_begin(struct crew *crew, char *file)
{
	if (crew->trial > 0)
		kill(crew->trial, SIGKILL);
	crew->trial = trial_start(file);
	crew->trial_ends = clock_monotonic() + TRIAL_TIME;
	if (crew->trial < 0)
		log_line(LOG_LEVEL_ERROR, VIEW("cannot fork a trial of the new program; the old one goes on"));
}

static void trial_watch(struct crew *crew)
{
	if (crew->trial <= 0 || clock_monotonic() < crew->trial_ends)
		return;
	kill(crew->trial, SIGKILL);
	crew->trial = 0;
	log_line(LOG_LEVEL_ERROR, VIEW("the new program does not come to its end; the old one goes on"));
}

/* Executes the program's file in the place of this one; returns only when that
 * fails. The mask stays blocked across exec, so no signal is lost. */
static void program_replace(const struct crew *crew, char *file)
{
	char *const arguments[] = {file, NULL};
	crew_stop(crew);
	execv(file, arguments);
	log_line(LOG_LEVEL_ERROR, VIEW("cannot execute the new program; the old one goes on"));
}

enum workers_role workers_run(const struct workers *workers)
{
	struct crew crew = {.count = workers->count};
	sigset_t wanted;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, NULL);

	char file[4096];
	ssize_t len = readlink("/proc/self/exe", file, sizeof file - 1);
	file[len > 0 ? len : 0] = '\0';

	/* Those of a replaced program may have ended before CHLD was blocked. */
	crew_reap(&crew, workers);
	for (;;) {
		if (crew_fill(&crew, workers))
			return WORKERS_CHILD;
		struct timespec pause = {.tv_sec = 1};
		bool idle = crew_is_full(&crew) && crew.trial <= 0;
		int signal = idle ? sigwaitinfo(&wanted, NULL) : sigtimedwait(&wanted, NULL, &pause);
		crew_reap(&crew, workers);
		trial_watch(&crew);
		if (crew.trial_passed)
			program_replace(&crew, file);
		crew.trial_passed = false;
		if (signal == SIGHUP && len > 0)
			trial_begin(&crew, file);
		else if (signal == SIGTERM || signal == SIGINT)
			break;
	}
	if (crew.trial > 0)
		kill(crew.trial, SIGKILL);
	crew_stop(&crew);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return WORKERS_STOPPED;
}
