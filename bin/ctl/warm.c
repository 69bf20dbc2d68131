/* todoctl warm: has a web server that starts processes as they are needed start them before they are. */
#include <getopt.h>
#include <unistd.h>

#include "app/hold.h"
#include "app/machine.h"
#include "auth/fetch.h"
#include "base/clock.h"
#include "base/state_dir.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"

/* mod_fcgid sleeps for a second before it starts a further process. */
#define HOLD_TIME (INT64_C(2500) * 1000)

enum { PROCESSES_DEFAULT = 16, PROCESSES_MAX = 1000, TRIES_MAX = 10, PATH_MAX_LENGTH = 64 };

struct oven {
	struct view url; /* without a slash at its end */
	uint64_t processes;
};

/* NULL, or what is wrong with the arguments. */
static const char *read_arguments(int argc, char **argv, struct oven *ret)
{
	static const struct option options[] = {
	        {"processes", required_argument, NULL, 'p'},
	        {NULL, 0, NULL, 0},
	};

	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option != 'p')
			return "unknown option, or one without its value";
		if (!view_to_u64(view_of(optarg), PROCESSES_MAX, &ret->processes) || ret->processes == 0)
			return "--processes is a whole number from 1 to 1000";
	}
	if (optind + 1 != argc)
		return ADDRESS_NEEDED;
	return read_address(argv[optind], &ret->url);
}

/* How many processes of a program were busy at once. False: its requests could not be sent, and that was said. */
static bool hold_once(const struct oven *oven, struct hold *hold, const char *program, const char *path, uint64_t *ret)
{
	char id[HOLD_ID_TEXT + 1], header[HOLD_ID_TEXT + 32], url[ADDRESS_MAX + PATH_MAX_LENGTH];
	/* It needs no token, so that no limit counts it. */
	const struct question question = {"OPTIONS", url, NULL, ABSENT, "/etc/ssl/certs/ca-certificates.crt"};

	if (!hold_begin(hold, oven->processes, clock_monotonic() + HOLD_TIME, id)) {
		found(BAD, program, "no random bytes to be had");
		return false;
	}
	snprintf(url, sizeof(url), "%.*s%s", VIEW_ARGS(oven->url), path);
	snprintf(header, sizeof(header), "X-Request-Id: %s", id);
	const char *fault = ask_together(&question, header, oven->processes);
	*ret = hold_end(hold);
	if (fault)
		found(BAD, program, "%.*s can't be asked: %s", VIEW_ARGS(oven->url), fault);
	return fault == NULL;
}

static void warm(const struct oven *oven, struct hold *hold, const char *program, const char *path)
{
	uint64_t most = 0, before, now = 0;
	int tries = 0;

	/* Each try finds the processes of the one before. */
	do {
		before = most;
		if (!hold_once(oven, hold, program, path, &now))
			return;
		most = now > most ? now : most;
	} while (most < oven->processes && most > before && ++tries < TRIES_MAX);

	if (most == 0)
		found(BAD, program,
		      "none of its processes was reached: the URL leads elsewhere, or its STATE_DIR is not this one");
	else if (most < oven->processes)
		found(NOTE, program, "%llu processes are up, and the web server starts no more",
		      (unsigned long long)most);
	else
		found(FINE, program, "%llu processes are up", (unsigned long long)most);
}

int run_warm(const struct command *command, int argc, char **argv)
{
	static const struct {
		const char *program;
		const char *path;
	} programs[] = {{"health", "/health"},
	                {"auth", "/auth/me"},
	                {"tasks", "/api/warm/tasks"},
	                {"account", "/api/warm/export"}};
	struct oven oven = {.processes = PROCESSES_DEFAULT};
	BUF error = buf_make(ERROR_MAX);
	struct machine *machine = NULL;
	struct config config;
	int state_dir = -1;
	int status = EXIT_FAILURE;

	const char *fault = read_arguments(argc, argv, &oven);
	if (fault)
		return refuse_usage(command, fault);
	if (!load_settings(command, &config))
		return EXIT_FAILURE;
	if (!fetch_start())
		return refuse(command, "no memory");
	if (state_dir_open(config.state_dir, ABSENT, &state_dir, &error) && machine_open(state_dir, &machine, &error)) {
		for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
			warm(&oven, machine_hold(machine), programs[i].program, programs[i].path);
		status = found_status();
	} else {
		status = refuse_line(command, &error);
	}
	machine_close(machine);
	if (state_dir >= 0)
		close(state_dir);
	return status;
}
