/* A whole running application for one test: bin/stack, under a name of its own.
 *
 * A watcher beside the test stops the stack when the test dies without having
 * stopped it, in whatever way it dies. Tests run from the root of the clone.
 */
#ifndef SUPPORT_STACK_H
#define SUPPORT_STACK_H

#include <sys/types.h>

#include "base/buf.h"

enum { STACK_SETTINGS_MAX = 32 };

struct stack {
	const char *name;
	const char *settings[STACK_SETTINGS_MAX + 1]; /* "NAME=value"; borrowed */
	pid_t watcher;
	int watcher_fd;
	struct buf values; /* of stack.env: name, NUL, value, NUL, and so on */
	struct buf said;   /* what the last command printed, errors too */
};

/* A stack that does not run yet. `settings` are the environment of every
 * command on it, up to a NULL; they and `name` outlive the stack. Without
 * STACK_EPHEMERAL among them its data is dropped when it stops. */
struct stack stack_make(const char *name, const char *const settings[]);

/* Starts it and reads stack.env. False: it did not start, and `said` tells why. */
CHECKED bool stack_up(struct stack *stack);

/* Stops it, and all that runs of it. False: `said` tells why. */
CHECKED bool stack_down(struct stack *stack);

/* Stops it if it runs, and frees what this object holds. */
void stack_destroy(struct stack *stack);

/* What a test does: makes a stack that runs, and stops and destroys it. The test fails when it does not start, and
 * fails and goes on when it does not stop. */
struct stack stack_start(const char *name, const char *const settings[]);
void stack_stop(struct stack *stack);

/* Runs a command with the stack's settings, such as {"make", "up", NULL}, to
 * its end. Returns its exit status, or -1; `said` holds what it printed. */
int stack_run(struct stack *stack, const char *const command[]);

/* Runs `todoctl warm` on it, until so many processes of each program are up; NULL: the stack's own address. Returns and
 * leaves what stack_run() does. */
int stack_warm(struct stack *stack, const char *processes, const char *address);

/* Begins a command that does not end by itself, in a process group of its own.
 * The caller reads what it prints from *ret_output, closes that, and waits for
 * the process. -1: it can't be started. */
pid_t stack_begin(struct stack *stack, const char *const command[], int *ret_output);

/* Reads stack.env, which is there while the stack runs. */
CHECKED bool stack_read(struct stack *stack);

/* A value of stack.env as a string that lives until the next command; "" when it is not there. */
const char *stack_value(const struct stack *stack, const char *name);
int stack_port(const struct stack *stack);

#endif
