/* Makes keyring and database handle, one for the other. */
#include "app/parts.h"

#include "db/source_table.h"

static bool open_keyring(const struct config *config, bool uses_database, int state_dir, int64_t deadline,
                         struct parts *parts, struct buf *error)
{
	struct keyring_parts keys = {.state_dir = state_dir};
	struct source_table_options table = {
	        .db = parts->db,
	        .lets_go = !uses_database,
	        .state_dir = state_dir,
	        .config = config,
	};

	if (config->jwks_table && !source_table_open(&table, &keys.extra, error))
		return false;
	if (keys.extra)
		keys.extra->deadline = deadline;
	if (keyring_open(config, &keys, &parts->keyring, error))
		return true;
	if (keys.extra)
		keys.extra->type->close(keys.extra);
	return false;
}

bool parts_open(const struct config *config, bool uses_database, int state_dir, int64_t deadline, struct parts *ret,
                struct buf *error)
{
	struct parts parts = {0};
	bool opened = !(uses_database || config->jwks_table) || db_open(config, &parts.db, error);

	if (opened && parts.db)
		db_set_deadline(parts.db, deadline);
	if (!opened || !open_keyring(config, uses_database, state_dir, deadline, &parts, error)) {
		parts_close(&parts);
		return false;
	}
	*ret = parts;
	return true;
}

void parts_set_deadline(struct parts *parts, int64_t deadline)
{
	keyring_set_deadline(parts->keyring, deadline);
	if (parts->db)
		db_set_deadline(parts->db, deadline);
}

void parts_close(struct parts *parts)
{
	/* The keyring's source of keys may hold on to the handle. */
	keyring_close(parts->keyring);
	db_close(parts->db);
}
