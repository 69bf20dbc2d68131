/* What the tests of the api ring share: one issuer, users' tokens, attacks on
 * them, and settings under which a program starts.
 *
 * Say it once in a suite: .fini = api_end. It stops the responders, checks
 * their logs, and checks for leaks.
 */
#ifndef SUPPORT_API_H
#define SUPPORT_API_H

#include "support/responder.h"

struct issuer;

#define API_ORIGIN "https://todo.example"
#define API_METRICS_TOKEN "Wq7-metrics_0Zt7bW2xLr8N"
/* A library to be loaded before a program, whose clock then is what FAKETIME says. */
#define API_FAKETIME "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
#define API_SECRET "k3V9-q0Zt7_bW2xLr8Ny5Ju1Hd4Gf6Sa"

/* A name for the test's own use that no other test has, of that start. */
const char *api_name(const char *start);

/* A path of such a name beside the cluster's socket; nothing is there. */
const char *api_path(const char *start);

/* Settings under which a program starts: the secret, the origin, and `more` up
 * to its NULL, which wins over them; "NAME" without "=" takes one away. */
const char *const *api_settings(const char *const more[]);

/* The same for a database, by its URL. */
const char *const *api_settings_for(const char *database_url);

/* The setting of a database for todo_app, through a socket in that folder. */
const char *api_database_in(const char *folder, const char *database);

/* A new database with the schema in it: its URL for todo_app. */
const char *api_database(const char *name);

/* A good token of that user. */
const char *api_token(const char *user);

/* The same of that payload, signed, and of header and payload. */
const char *api_token_of(const char *payload);
const char *api_signed(const char *header, const char *payload);

/* A good token of anna's by another issuer, for programs that know that one's keys. */
const char *api_token_by(const struct issuer *other);

/* Tokens of `user` that must not be taken, named by what they are. False: there
 * is no attack of that number. */
struct attack {
	const char *name;
	const char *token;
	bool expired; /* it was good once, and its owner may know */
};
bool api_attack(size_t number, const char *user, struct attack *ret);

/* The text of a task with that title, followed by `more` members, each with its comma. */
const char *api_task(const char *title, const char *more);

/* Asks as anna. Members that are NULL are not sent. */
const struct answer *api_ask(const struct responder *responder, const char *method, const char *target,
                             const char *body);

/* The status of the answer to GET `target` with that token; NULL: without one. */
int api_status(const struct responder *responder, const char *target, const char *token);

/* Waits until that is the status, as until() waits. */
void api_until_status(const struct responder *responder, const char *target, const char *token, int status,
                      const char *what);

/* Creates a task of anna's as api_task() describes it: the answer to that. The test fails if it is not made. */
const struct answer *api_create(const struct responder *tasks, const char *title, const char *more);

/* The path of the task in an answer, as one of anna's, and of what lies below it; lives until the test's end. */
const char *api_task_path(const struct answer *answer, const char *below);

/* A problem of that code, 503 or 504, after which a client may try again? If not
 * the test fails, and goes on. */
void expect_try_again(const struct answer *answer, int status, const char *code, const char *asked);

/* The one after which nobody may repeat blindly what was asked? */
void expect_outcome_unknown(const struct answer *answer, const char *asked);

/* Waits until the tasks of anna are listed, as until() waits. */
void api_until_lists(struct responder *tasks);

/* Waits until /ready answers so, which tells of what is true now when its last result is old
 * enough; `code` is NULL: it has nothing to complain of. /health has nothing in either case. */
void api_until_ready(struct responder *health, int status, const char *code);

/* The value of a line of /metrics, asked of health.fcgi; -1: there is no such line. */
int64_t api_metric(const struct responder *health, const char *sample);

void api_end(void);

#endif
