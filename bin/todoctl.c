/* todoctl: what an operator or a developer does by hand, one subcommand each. */
#include <signal.h>

#include "auth/fetch.h"
#include "base/seal.h"
#include "ctl/ctl.h"

#define TODO_VERSION "0.1.0"

enum { HELP_MAX = 256 * 1024 };

static const struct command COMMANDS[] = {
        {"check", "", "say whether programs with these settings would serve, and how safely; run it as their user",
         run_check},
        {"doctor", "[--processes N] [--token-file FILE] URL",
         "ask the programs through the web server at URL and say in plain words what is wrong", run_doctor},
        {"warm", "[--processes N] URL",
         "have a web server that starts processes one by one (mod_fcgid) start N of each program (16) now; run it as "
         "their user",
         run_warm},
        {"config", "", "print the settings as they are in effect, secrets masked", run_config},
        {"settings", "", "print every setting with its default, as a sample of a settings file", run_settings},
        {"keys", "", "list the keys that verify tokens now: kid, algorithm, source, end", run_keys},
        {"metrics", "", "print what all programs of this machine have counted, for Prometheus", run_metrics},
        {"export", "USER", "print all data of that user as one JSON document", run_export},
        {"erase", "USER --confirm USER", "erase all data of that user", run_erase},
        {"revoke", "USER", "make the user's tokens of until now worthless (JWT_REVOCATION); with OWNER_DATABASE_URL",
         run_revoke},
        {"token", "--user ID [--email E] [--name N] [--ttl SECONDS]",
         "print a token of that user, signed with BETTER_AUTH_SECRET; with TODO_ENV=development only", run_token},
};

enum { COMMAND_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]) };

static void write_help(FILE *out, bool whole)
{
	struct buf settings = buf_make(HELP_MAX);

	fputs("usage: todoctl COMMAND [OPTIONS]\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "\n  todoctl %s%s%s\n      %s\n", COMMANDS[i].name, *COMMANDS[i].arguments ? " " : "",
		        COMMANDS[i].arguments, COMMANDS[i].help);
	fputs("\n  todoctl --help, --version\n\n"
	      "Settings are those of the programs: the environment, then TODO_ENV_FILE or\n"
	      "~/.config/todo-fcgi/env. Exit status: 0 done, 1 refused or failed, 2 wrong use.\n",
	      out);
	if (whole) {
		fputs("\nThe settings (defaults in brackets; NAME_FILE reads a secret from a file):\n\n", out);
		config_write_help(&settings);
		fprintf(out, "%.*s", VIEW_ARGS(buf_view(&settings)));
	}
	buf_destroy(&settings);
}

int main(int argc, char **argv)
{
	struct view name = argc > 1 ? view_of(argv[1]) : ABSENT;

	seal_standard_descriptors();
	seal_process();
	/* A limit for files is a full disk, which a command says. */
	signal(SIGXFSZ, SIG_IGN);
	fetch_drop_environment();
	if (view_equal(name, VIEW("--help")) || view_equal(name, VIEW("help"))) {
		write_help(stdout, true);
		return EXIT_SUCCESS;
	}
	if (view_equal(name, VIEW("--version"))) {
		puts("todoctl " TODO_VERSION);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (view_equal(name, view_of(COMMANDS[i].name)))
			return COMMANDS[i].run(&COMMANDS[i], argc - 1, argv + 1);
	}
	if (!view_is_absent(name))
		fprintf(stderr, "todoctl: no such command: %.*s\n\n", VIEW_ARGS(name));
	write_help(stderr, false);
	return EXIT_USAGE;
}
