/* Requests for responders and what they answer, in the terms of CGI.
 *
 * Everything made here lives until ask_end().
 */
#ifndef SUPPORT_ASK_H
#define SUPPORT_ASK_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

/* What tests put into titles, names and addresses, so that it can be searched
 * for where it must not be. */
#define PRIVATE "privatsache"

/* A request. Members that are NULL are not sent. */
struct ask {
	const char *method; /* NULL: GET */
	const char *target;
	const char *token;         /* sent as Authorization: Bearer */
	const char *body;          /* its length is announced */
	const char *type;          /* NULL: application/json for a body, else none; "": none */
	const char *const *params; /* further "NAME=value", up to a NULL; they win */
	size_t chunk;              /* bytes of a body record; 0: as many as can be */
};

struct answer {
	int status;
	struct view head; /* all header lines, each with its CR LF, Status too */
	struct view body;
};

/* Calls `take` for each parameter of the request, as a web server would set them. */
void ask_params(const struct ask *ask, void (*take)(void *context, struct view name, struct view value), void *context);

/* Appends the request in FastCGI. */
void ask_write(const struct ask *ask, struct buf *out);

/* Reads an answer in the form of CGI (RFC 3875 §6). The test fails if it is not
 * well-formed, its length is wrong, or a header that every answer carries is
 * missing. `to_head`: the request was HEAD, so no body may come. */
const struct answer *answer_read(struct view bytes, bool to_head);

/* The header's value; ABSENT when there is none, a failed test when there are two. */
struct view answer_header(const struct answer *answer, const char *name);

/* The body as strict JSON; the test fails when it is none. */
const cJSON *answer_json(const struct answer *answer);

/* A string member of the answer's object; ABSENT when there is none. */
struct view answer_text(const struct answer *answer, const char *member);

/* Is it a problem document of that status and code, whole and true? If not the
 * test fails, and goes on; `asked` says what it was. */
void expect_problem(const struct answer *answer, int status, const char *code, const char *asked);

/* Status, head and body without what differs in every answer: its request id. */
struct view answer_without_id(const struct answer *answer);

/* Memory that lives until ask_end(); a failure fails the test. */
char *ask_keep(struct view text);
/* The same, by printf's rules. */
char *ask_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct arena *ask_arena(void);

/* Frees all. */
void ask_end(void);

#endif
