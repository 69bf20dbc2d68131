/* A program: its settings, its handlers, and the chain that each request of
 * its routes goes through.
 */
#ifndef APP_APP_H
#define APP_APP_H

#include "app/machine.h"
#include "app/parts.h"
#include "auth/guard.h"
#include "base/config.h"
#include "base/json.h"
#include "db/db.h"
#include "http/conditional.h"
#include "http/cors.h"
#include "http/problem.h"
#include "http/query.h"
#include "http/request.h"
#include "http/response.h"
#include "http/router.h"

struct app {
	enum program program;
	bool uses_database;
	struct config_source source;
	struct config config;
	struct watch files;   /* that the settings came from */
	int64_t looked_at;    /* at those files, by clock_monotonic() */
	int64_t try_again_at; /* to read them, while they are no good */
	struct buf refusal;   /* why they are no good and older ones are in use; empty when they are */
	int state_dir;        /* the folder of base/state_dir.h */
	struct cors cors;
	struct arena arena;
	struct parts parts;
	struct machine *machine;
	int64_t deadline;                  /* of the request that is being served, by clock_monotonic() */
	struct db_counts db_counted;       /* as far as the machine's counters know */
	struct source_counts keys_counted; /* the same */
	uint64_t lines_counted;            /* of the log, lost, the same */
	struct response response;
	struct buf head;
	struct buf body;
	struct buf notes;
	struct buf line; /* of the log */
	char hsts[32];
	char fresh[200]; /* the challenge for a token that is too old */
};

/* One request on its way through the chain. Its memory is the arena's. */
struct exchange {
	struct app *app;
	const struct app_program *program;
	const struct transport *transport;
	struct request request;
	struct view request_id;
	struct route_match match;
	const struct claims *claims;       /* behind GUARD_BEARER and GUARD_OWNER */
	const struct principal *principal; /* behind GUARD_OWNER */
	struct query query;                /* behind GUARD_OWNER */
	struct etags etags;                /* what the program's `conditions` have read */
	const cJSON *body;                 /* where the route takes one; NULL when none was sent */
	struct field_errors errors;
	struct view etag;     /* of the task that a failed precondition met; ABSENT otherwise */
	const char *reason;   /* why a token was refused, for the log; NULL otherwise */
	int64_t retry_wait;   /* until a limit lets the client in again; microseconds */
	int64_t started;      /* clock_monotonic() */
	int64_t verification; /* microseconds spent on the credential */
	struct response *response;
};

/* Answers one request by filling in x->response, or names what went wrong. */
typedef enum outcome app_handler(struct exchange *x);

struct app_program {
	const char *name;
	enum program program;
	bool uses_database;
	app_handler *conditions; /* judges If-Match and If-None-Match before a body is read; NULL: not at all */
	app_handler *handlers[ROUTE_COUNT]; /* for each of its rows in routes.def */
	app_handler *authorize; /* an authorizer's, behind a good credential for any path; NULL: a responder */
};

/* The whole life of a program; what main() returns. Settings are read before
 * the first request; arguments never are, since plain CGI lets a client write
 * them (RFC 3875 §4.4). */
int app_main(const struct app_program *program);

/* Starts without a server: settings, keys, database handle. What `source` points to
 * is borrowed. On failure `error` holds one line. Tests use it with a transport of their own. */
CHECKED bool app_open(const struct app_program *program, const struct config_source *source, struct app *ret,
                      struct buf *error);
void app_close(struct app *app);

/* Serves one request, from its first byte to its last. */
void app_serve(struct app *app, const struct app_program *program, const struct transport *transport);

/* For handlers: an answer whose JSON is in x->response->body already.
 * OUTCOME_INTERNAL: that had no room for all of it. */
enum outcome app_answer_json(struct exchange *x, int status);

/* The same without a body. */
enum outcome app_answer_empty(struct exchange *x, int status);

/* For handlers of public routes that judge the token themselves, limits included. */
CHECKED enum outcome app_bearer(struct exchange *x);

/* What still serves, but not with what it was given last: one bit each. */
enum ready_warning {
	READY_SETTINGS = 1 << 0, /* changed settings are no good, older secrets are in use */
	READY_KEYS = 1 << 1,     /* a key set is no good or can't be had, an older one is in use */
};

/* Could it serve: database reached, role safe, schema current, keys usable.
 * OUTCOME_OK or the first that is not; *ret_warnings is set in either case. One
 * result holds for a second, for all processes of a machine. */
CHECKED enum outcome app_ready(struct app *app, unsigned int *ret_warnings);

/* Adds the challenge of a 401 (RFC 6750 §3). */
void app_challenge(struct exchange *x, enum outcome outcome);

#endif
