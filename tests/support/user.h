/* Users who have signed up with the Better Auth of a running stack, and what
 * is asked of its web server.
 *
 * Everything made here lives until ask_end().
 */
#ifndef SUPPORT_USER_H
#define SUPPORT_USER_H

#include "support/http.h"
#include "support/stack.h"

/* The password of all of them. */
#define USER_PASSWORD "correct horse battery"

/* An answer, copied out of its connection. */
struct reply {
	int status;
	const cJSON *json; /* NULL: none */
	struct view head;
	size_t len; /* of its body */
};

/* What the web server answers; the test fails when that is no whole answer. */
struct reply reply_to(const struct stack *stack, const struct http_ask *ask);

/* A string member of the reply's object; NULL: there is none, or an empty one. */
char *reply_text(const struct reply *reply, const char *member);

/* The value of the first header of that name; ABSENT: there is none. */
struct view reply_header(const struct reply *reply, struct view name);

struct user {
	char *email;
	char *id;
	char *session;    /* the session token */
	char *token;      /* the access token */
	struct view head; /* of the answer to signing up */
};

/* As a front end of the application's own origin asks Better Auth: POST with a body, else GET. `session` is NULL for
 * none. */
struct reply user_ask_issuer(const struct stack *stack, const char *path, const char *session, const char *body);

/* Signs a user up, NAME@example.com; the test fails when that does not work. */
struct user user_sign_up(const struct stack *stack, const char *name);

/* A further access token of the user's session. */
char *user_token(const struct stack *stack, const struct user *user);

#endif
