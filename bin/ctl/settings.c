/* todoctl settings, config, metrics: what is set, and what was counted. */
#include <unistd.h>

#include "app/machine.h"
#include "base/state_dir.h"
#include "ctl/ctl.h"

enum { SETTINGS_MAX = 256 * 1024 };

int run_settings(const struct command *command, int argc, char **argv)
{
	struct buf sample = buf_make(SETTINGS_MAX);

	(void)argv;
	if (argc > 1)
		return refuse_usage(command, "too many arguments");
	config_write_sample(&sample);
	return print(command, &sample);
}

int run_config(const struct command *command, int argc, char **argv)
{
	struct config config;
	struct buf text = buf_make(SETTINGS_MAX);

	(void)argv;
	if (argc > 1)
		return refuse_usage(command, "too many arguments");
	if (!load_settings(command, &config))
		return EXIT_FAILURE;
	config_write(&config, &text);
	return print(command, &text);
}

int run_metrics(const struct command *command, int argc, char **argv)
{
	struct config config;
	struct buf text = buf_make(METRICS_TEXT_MAX);
	BUF error = buf_make(ERROR_MAX);
	int state_dir = -1;
	int status;

	(void)argv;
	if (argc > 1)
		return refuse_usage(command, "too many arguments");
	if (!load_settings(command, &config))
		return EXIT_FAILURE;
	if (state_dir_open(config.state_dir, ABSENT, &state_dir, &error) &&
	    machine_write_metrics(state_dir, &text, &error)) {
		status = print(command, &text);
	} else {
		status = refuse_line(command, &error);
		buf_destroy(&text);
	}
	if (state_dir >= 0)
		close(state_dir);
	return status;
}
