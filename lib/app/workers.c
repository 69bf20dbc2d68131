/* The parent of the workers. */
#include "app/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Workers that die sooner than this are started again more slowly, so that a
 * broken program does not keep a machine busy. */
#define QUICK_DEATH CLOCK_SECOND

struct worker {
	pid_t pid; /* 0: none */
	int64_t started;
};

struct crew {
	struct worker workers[WORKERS_MAX];
	size_t count;
	int64_t hold_until; /* no new worker before this */
};

/* Forks the worker of one place. True in the child. */
static bool worker_start(struct crew *crew, struct worker *worker)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		/* A worker without its parent would live on unseen. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			raise(SIGTERM);
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
static bool crew_fill(struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		if (crew->workers[i].pid == 0 && clock_monotonic() >= crew->hold_until &&
		    worker_start(crew, &crew->workers[i]))
			return true;
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
static void crew_reap(struct crew *crew)
{
	for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;) {
		for (size_t i = 0; i < crew->count; i++) {
			if (crew->workers[i].pid != pid)
				continue;
			if (clock_monotonic() - crew->workers[i].started < QUICK_DEATH)
				crew->hold_until = clock_monotonic() + QUICK_DEATH;
			crew->workers[i].pid = 0;
		}
	}
}

static void crew_stop(const struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		if (crew->workers[i].pid > 0)
			kill(crew->workers[i].pid, SIGTERM);
}

/* Executes the program's file again; returns only when that fails. The mask
 * stays blocked across exec, so no signal is lost. */
static void program_replace(char *file)
{
	char *const arguments[] = {file, NULL};
	execv(file, arguments);
	log_line(LOG_LEVEL_ERROR, VIEW("cannot execute the new program; the old one goes on"));
}

enum workers_role workers_run(size_t count)
{
	struct crew crew = {.count = count};
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

	for (;;) {
		if (crew_fill(&crew))
			return WORKERS_CHILD;
		struct timespec pause = {.tv_sec = 1};
		int signal = crew_is_full(&crew) ? sigwaitinfo(&wanted, NULL) : sigtimedwait(&wanted, NULL, &pause);
		crew_reap(&crew);
		if (signal == SIGHUP && len > 0) {
			crew_stop(&crew);
			program_replace(file);
		} else if (signal == SIGTERM || signal == SIGINT) {
			break;
		}
	}
	crew_stop(&crew);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return WORKERS_STOPPED;
}
