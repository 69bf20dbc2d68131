/* Where the database is, and how safely it must be reached.
 *
 * The address is what libpq would use: the URL, then libpq's environment
 * variables, then its defaults, all settled once here, so that nothing the
 * rule of TLS has not seen decides later. Service files are refused.
 */
#ifndef DB_ADDRESS_H
#define DB_ADDRESS_H

#include "base/buf.h"
#include "base/config.h"

enum { ADDRESS_OPTIONS_MAX = 64 };

/* Keywords and values for PQconnectStartParams, both ending in NULL; values
 * are owned. */
struct address {
	const char *keywords[ADDRESS_OPTIONS_MAX + 1];
	char *values[ADDRESS_OPTIONS_MAX + 1];
	size_t count;
};

/* TODO_DATABASE_URL wins over DATABASE_URL. If any host is neither a socket
 * nor loopback, TLS is verify-full with TODO_DATABASE_CA_FILE whatever else is
 * said, unless TODO_DATABASE_TLS=insecure. Where the address itself asks to verify
 * and names no file, it is that file as well. On failure *ret is untouched and
 * `error` holds one line that names the setting, never its value. */
CHECKED bool address_make(const struct config *config, struct address *ret, struct buf *error);

/* The same for `value`, which is not empty, of the setting of that name. */
CHECKED bool address_make_from(const struct config *config, struct view setting, struct view value, struct address *ret,
                               struct buf *error);

/* Wipes and frees the values. */
void address_destroy(struct address *address);

/* The value of an option; NULL when it has none. */
const char *address_option(const struct address *address, const char *keyword);

#endif
