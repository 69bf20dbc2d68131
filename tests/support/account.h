/* What the tests of export, erase and revocation share: tokens of any age,
 * users with any number of tasks, and requests that are under way. */
#ifndef SUPPORT_ACCOUNT_H
#define SUPPORT_ACCOUNT_H

#include "support/api.h"

/* A token of that user, issued so many seconds from now, good for 900 more. */
const char *account_token(const char *user, int64_t issued_from_now);

/* The same of an instant in seconds since 1970, and one that does not say when. */
const char *account_token_of(const char *user, int64_t issued_at);
const char *account_token_undated(const char *user);

/* Gives the user so many tasks, each of `bytes` bytes and more. */
void account_fill(const char *database, const char *user, unsigned count, unsigned bytes);

/* The first value of a query by a superuser; lives until the test's end. */
const char *account_value(const char *database, const char *sql);

/* The request that erases `user`, confirmed. */
struct ask account_erase(const char *user, const char *token);

#endif
