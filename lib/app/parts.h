/* The parts of a program that are made of secrets and key files: its database
 * handle and its keyring. They are made together, since the keyring may read keys
 * through the handle.
 */
#ifndef APP_PARTS_H
#define APP_PARTS_H

#include "auth/keyring.h"
#include "db/db.h"

struct parts {
	struct keyring *keyring;
	struct db *db; /* NULL in a program that needs none */
};

/* `uses_database`: the program runs statements; otherwise it has a handle only to
 * read keys, and a connection only while it does. `config` and `state_dir` are
 * borrowed. What has to be asked for it, and whatever is asked until
 * parts_set_deadline(), ends at `deadline` (clock_monotonic()) at the latest. On
 * failure `error` holds one line that names the setting. The caller closes *ret. */
CHECKED bool parts_open(const struct config *config, bool uses_database, int state_dir, int64_t deadline,
                        struct parts *ret, struct buf *error);

/* From now on all that is asked of keys and database ends at that instant at the latest. */
void parts_set_deadline(struct parts *parts, int64_t deadline);

/* Members may be NULL. */
void parts_close(struct parts *parts);

#endif
