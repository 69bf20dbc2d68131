/* What an operator asks of the database and does there by hand, on a connection
 * that is opened for it and closed again. It waits; the responders never use it. */
#ifndef DB_OPERATOR_H
#define DB_OPERATOR_H

#include "base/buf.h"
#include "base/config.h"

enum { OPERATOR_TEXT_MAX = 128 };

/* What the database says of itself and of the connection. */
struct operator_facts {
	char role[OPERATOR_TEXT_MAX];
	char host[OPERATOR_TEXT_MAX]; /* a name, an address, or the folder of a socket */
	char version[OPERATOR_TEXT_MAX];
	char sslmode[OPERATOR_TEXT_MAX];
	bool is_socket;
	bool is_peer_named; /* requirepeer: the socket's owner is that user, or nothing is sent */
	bool is_encrypted;
	int64_t ahead;       /* microseconds that its clock is ahead of ours */
	int64_t connections; /* that this role may have, all told */
	int64_t in_use;      /* to all databases of the server now, whosever they are, but for this one */
};

/* Asks on an ordinary connection of the programs. On failure `error` holds one
 * line, without password. */
CHECKED bool operator_read_facts(const struct config *config, struct operator_facts *ret, struct buf *error);

/* Makes the user's tokens of until now worthless, by the schema's owner, whose
 * address `owner_url` (of OWNER_DATABASE_URL, not empty) is; appends the instant to *ret as RFC 3339. On failure
 * `error` holds one line, without password. */
CHECKED bool operator_revoke(const struct config *config, struct view owner_url, const char *user, struct buf *ret,
                             struct buf *error);

#endif
