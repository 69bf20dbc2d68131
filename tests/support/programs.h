/* All programs of the build that have rows, and a request for each row of routes.def. */
#ifndef SUPPORT_PROGRAMS_H
#define SUPPORT_PROGRAMS_H

#include "http/router.h"
#include "support/api.h"

enum { PROGRAMS_COUNT = PROGRAM_ACCOUNT + 1, PROGRAMS_METHODS = 12 };

struct programs {
	struct responder *of[PROGRAMS_COUNT]; /* by enum program */
};

/* Starts each with these settings. */
struct programs programs_start(const char *const settings[]);

/* Asks the program that the row belongs to. */
const struct answer *programs_ask(const struct programs *programs, enum route route, const struct ask *ask);

/* What requests come with: our methods, some of others, some that nobody has. */
extern const char *const programs_methods[PROGRAMS_METHODS];

/* The row's path, with {user_id} as it is given and PROGRAMS_TASK for {id}. */
#define PROGRAMS_TASK "0189f7a0-1234-7abc-8def-0123456789ab"
const char *programs_path(enum route route, const char *user);

/* A request for the row that would do something, were it let in. */
struct ask programs_request(enum route route, const char *user);

#endif
