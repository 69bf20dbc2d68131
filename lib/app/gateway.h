/* The gateway: how requests reach the process, FastCGI or plain CGI.
 */
#ifndef APP_GATEWAY_H
#define APP_GATEWAY_H

#include <signal.h>

#include "app/app.h"

/* True when fd 0 is no listening socket: one request comes by environment and
 * standard input (RFC 3875). */
bool gateway_is_cgi(void);

/* Serves that one request. */
void gateway_serve_cgi(struct app *app, const struct app_program *program);

/* Accepts requests on fd 0, one at a time, until a stop signal comes; the
 * request being served is always finished. Expects the stop signals blocked:
 * they are looked for where nothing is in hand, so none can be lost between a
 * check and a wait. What waits in the queue by then is answered for
 * another WIRE_STOP_TIME. False: the socket failed. */
CHECKED bool gateway_serve_fastcgi(struct app *app, const struct app_program *program);

/* Tells a worker that its parent is gone: it no longer listens from that instant,
 * finishes its request, and ends. Never blocked. */
enum { GATEWAY_ORPHANED = SIGUSR2 };

/* The signals that stop a worker: TERM, INT, HUP, USR1. Blocks them and no other,
 * and gives them a handler that only ends a wait; GATEWAY_ORPHANED gets one, too.
 * Whatever was blocked or ignored before counts no more. */
void gateway_block_stop_signals(void);

#endif
