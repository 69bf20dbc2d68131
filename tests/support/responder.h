/* Real programs of cgi-bin/ for tests: FastCGI on a socket of their own, or
 * plain CGI.
 *
 * A program runs with the given settings and nothing else of the environment.
 * What it logs is kept; responders_close() fails the test if a log holds a
 * secret (a token, a body, a setting with a password that went through here)
 * or a sanitizer's report. Programs end with the test, however that ends: the
 * kernel kills them when its process dies.
 *
 * Say it once in a suite: .fini = responders_close. It checks for leaks, too.
 */
#ifndef SUPPORT_RESPONDER_H
#define SUPPORT_RESPONDER_H

#include <sys/types.h>

#include "support/ask.h"

struct responder;

/* How a program came to its end. */
enum { RESPONDER_RUNNING = -1, RESPONDER_BY_SIGNAL = 1000 };

/* Starts cgi-bin/NAME.fcgi of the build (its folder is the variable BUILD, or
 * build/release). `settings`: "NAME=value" up to a NULL. Requests may be sent
 * at once: the socket listens already. A failure fails the test. */
struct responder *responder_start(const char *name, const char *const settings[]);

/* The same on a listening socket of the caller's, which has a copy of it in the
 * program; responder_socket() knows no name for it. */
struct responder *responder_start_on(int listener, const char *name, const char *const settings[]);

/* The same from another file. */
struct responder *responder_start_file(const char *file, const char *const settings[]);

/* The path of a program of the build; lives until the test's end. */
const char *responder_program(const char *name);

/* The STATE_DIR of all programs of this test that were given no other. */
const char *responder_state_folder(void);

pid_t responder_pid(const struct responder *responder);

/* The number in a line of /proc/PID/status (proc(5)), found by a form of scanf(3) for it: "SigBlk: %llx". */
unsigned long long responder_status(const struct responder *responder, const char *form);

/* The name of its socket, for fastcgi_connect(). */
struct view responder_socket(const struct responder *responder);

/* All that it and its workers have logged so far; lives until the test's end. */
struct view responder_log(const struct responder *responder);

/* Does that hold this text? */
bool responder_has_logged(const struct responder *responder, const char *text);

/* Waits until it does, as until() waits. */
void responder_until_logged(const struct responder *responder, const char *text);

/* Its children: workers, and those that are about to end. */
size_t responder_workers(const struct responder *responder, pid_t *out, size_t max);

/* Waits for its end: the exit status, RESPONDER_BY_SIGNAL + the signal, or
 * RESPONDER_RUNNING when the end does not come. */
int responder_wait(struct responder *responder);

/* TERM, then responder_wait(). */
int responder_stop(struct responder *responder);

/* Asks on a connection of its own; the test fails if no whole answer comes. */
const struct answer *responder_ask(const struct responder *responder, const struct ask *ask);

/* Asks and does not wait: the connection, for responder_answer() and then close(). */
int responder_begin(const struct responder *responder, const struct ask *ask);

/* Reads the answer to what was sent on `fd`. */
const struct answer *responder_answer(int fd, bool to_head);

/* Skips the test unless it may look into the memory and at the descriptors of
 * programs, which is for root alone (base/seal.h). */
void responder_needs_sight(void);

/* Runs the program as plain CGI for this one request. */
const struct answer *responder_cgi(const char *name, const char *const settings[], const struct ask *ask);

/* No log may hold this text. */
void responder_forbid(struct view text);

/* Stops all; checks logs and leaks. */
void responders_close(void);

/* Waits until `condition` holds; after half a minute the test fails with `what`. */
void until(bool (*condition)(void *context), void *context, const char *what);

#endif
