/* A web server of a test's own, with a configuration of the test's, that runs as an ordinary user: one a test.
 *
 * Say it once in a suite: .fini calls web_server_end(), so that nothing is left of a test that failed, either. */
#ifndef SUPPORT_WEB_SERVER_H
#define SUPPORT_WEB_SERVER_H

#include <sys/types.h>

#include "support/auth_folder.h"

struct web_server {
	struct auth_folder folder; /* the server's user owns it and what is put into it; that is this process's, or
	                              www-data for root */
	int port;                  /* of 127.0.0.1, free a moment ago */
	pid_t pid;
};

/* A folder and a port. */
struct web_server web_server_make(void);

/* Starts it and waits until it listens; its output goes to the file `log` of the folder. A failure fails the test. */
void web_server_start(struct web_server *server, const char *const command[]);

/* Its end, and the folder's. */
void web_server_stop(struct web_server *server);

/* Processes that run that program; *out may be NULL with `max` 0. */
size_t web_server_processes(const char *program, pid_t *out, size_t max);

/* Does what web_server_stop() would have done, where a test did not come to it. */
void web_server_end(void);

/* A port of 127.0.0.1 that nobody listens on. */
int web_server_free_port(void);

#endif
