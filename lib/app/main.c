/* The life of a program, from its settings to its end. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "app/gateway.h"
#include "app/reload.h"
#include "app/workers.h"
#include "auth/fetch.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/seal.h"

extern char **environ;

static int refuse(const struct buf *error)
{
	BUF line = buf_make(8192);
	BUF_LIT(&line, "does not start: ");
	buf_add(&line, buf_view(error));
	log_line(LOG_LEVEL_ERROR, buf_view(&line));
	return EXIT_FAILURE;
}

/* Workers are forked with what is in force, but each has a connection of its own. */
static void refresh_parent(void *context)
{
	struct app *app = context;
	reload(app, clock_monotonic());
	if (app->parts.db)
		db_disconnect(app->parts.db);
}

/* Whoever is asked why must find it here: a worker that the kernel ended could say nothing. */
static void tell_end(void *context, pid_t pid, int status)
{
	const struct app *app = context;
	BUF line = buf_make(256);
	BUF_LIT(&line, "worker ");
	buf_add_u64(&line, (uint64_t)pid);
	if (WIFSIGNALED(status)) {
		BUF_LIT(&line, " was ended by signal ");
		buf_add_u64(&line, (uint64_t)WTERMSIG(status));
	} else {
		BUF_LIT(&line, " ended with status ");
		buf_add_u64(&line, (uint64_t)WEXITSTATUS(status));
	}
	BUF_LIT(&line, "; another takes its place");
	machine_refresh(app->machine, clock_monotonic());
	metrics_add(machine_metrics(app->machine), COUNTER_WORKERS_ENDED, 1);
	log_line(LOG_LEVEL_ERROR, buf_view(&line));
}

int app_main(const struct app_program *program)
{
	BUF error = buf_make(4096);
	struct config_source source = {environ, view_of(getenv("DOCUMENT_ROOT"))};
	struct app app;
	int64_t workers = 0;

	seal_descriptors();
	seal_standard_descriptors();
	log_open(program->name, LOG_PLAIN, LOG_LEVEL_INFO);
	seal_process();
	fetch_drop_environment();
	gateway_block_stop_signals();
	bool trial = workers_is_trial();
	bool cgi = !trial && gateway_is_cgi();
	if (cgi && program->authorize) {
		BUF_LIT(&error, "an authorizer needs FastCGI: plain CGI has no such role");
		return refuse(&error);
	}
	if (!config_workers(environ, &workers, &error))
		return refuse(&error);
	/* Once before the fork, so that a bad setting stops the whole program and not
	 * one worker after the other, and one that turns bad later stops none. */
	if (!app_open(program, &source, &app, &error))
		return refuse(&error);
	if (trial) {
		app_close(&app);
		return WORKERS_TRIAL_PASSED;
	}
	/* From here on machines read what we write; until here somebody at a terminal may. */
	log_open(program->name, LOG_JSON, LOG_LEVEL_INFO);
	if (!cgi && workers > 0) {
		struct workers crew = {(size_t)workers, refresh_parent, tell_end, &app};
		refresh_parent(&app);
		if (workers_run(&crew) == WORKERS_STOPPED) {
			app_close(&app);
			return EXIT_SUCCESS;
		}
		log_open(program->name, LOG_JSON, LOG_LEVEL_INFO);
	}

	bool served = true;
	if (cgi)
		gateway_serve_cgi(&app, program);
	else
		served = gateway_serve_fastcgi(&app, program);
	app_close(&app);
	return served ? EXIT_SUCCESS : EXIT_FAILURE;
}
