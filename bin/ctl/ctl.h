/* What the commands of todoctl share. */
#ifndef CTL_H
#define CTL_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/config.h"

enum { EXIT_USAGE = 2, ERROR_MAX = 4096, ADDRESS_MAX = 2048, FINDING_MAX = 8192 };

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	int (*run)(const struct command *command, int argc, char **argv);
};

/* Says what is wrong, and is the exit status. */
int refuse(const struct command *command, const char *text);
int refuse_usage(const struct command *command, const char *text);

/* The same of a line that something else has written, made plain. */
int refuse_line(const struct command *command, struct buf *line);

/* The settings of the programs; on failure the line that says why is in `error`. */
CHECKED bool read_settings(struct config *ret, struct buf *error);

/* The same, and says it. */
CHECKED bool load_settings(const struct command *command, struct config *ret);

/* The address of the application, without a slash at its end. NULL, or what is wrong with it. */
#define ADDRESS_NEEDED                                                              \
	"the address of the application is needed, such as https://app.example or " \
	"https://host.example/~user/todo"
CHECKED const char *read_address(const char *text, struct view *ret);

/* Replaces what would steer a terminal: words of servers and key sets may hold it. */
void make_plain(char *text);

/* Prints and destroys the text; is the exit status. */
int print(const struct command *command, struct buf *text);

/* ---- findings ---- */

enum verdict { FINE, NOTE, BAD };

/* One line of check or doctor: the verdict, what it is about, and what was found. */
void found(enum verdict verdict, const char *subject, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Failure when anything was BAD. */
int found_status(void);

/* ---- the commands ---- */

int run_check(const struct command *command, int argc, char **argv);
int run_config(const struct command *command, int argc, char **argv);
int run_doctor(const struct command *command, int argc, char **argv);
int run_erase(const struct command *command, int argc, char **argv);
int run_export(const struct command *command, int argc, char **argv);
int run_keys(const struct command *command, int argc, char **argv);
int run_metrics(const struct command *command, int argc, char **argv);
int run_revoke(const struct command *command, int argc, char **argv);
int run_settings(const struct command *command, int argc, char **argv);
int run_token(const struct command *command, int argc, char **argv);
int run_warm(const struct command *command, int argc, char **argv);

#endif
