/* The key source JWKS_TABLE: Better Auth's own table of keys, read through the
 * responders' connection (auth/source_shared.h).
 */
#ifndef DB_SOURCE_TABLE_H
#define DB_SOURCE_TABLE_H

#include "auth/source.h"
#include "db/db.h"

struct source_table_options {
	struct db *db;               /* borrowed */
	bool lets_go;                /* nothing else uses that connection: it is closed after each read */
	int state_dir;               /* borrowed; of base/state_dir.h */
	const struct config *config; /* for the call */
};

/* Reads nothing yet. A role that can write the table or see its private keys is the
 * source's refusal as soon as it was read. On failure `error` holds one line that
 * names the setting. */
CHECKED bool source_table_open(const struct source_table_options *options, struct source **ret, struct buf *error);

#endif
