/* Opens database handles for tests. */
#include "support/database.h"

#include <stdlib.h>

#include "support/postgres.h"

const struct view database_everything[DATABASE_EVERYTHING] = {ABSENT, ABSENT, ABSENT, ABSENT, VIEW("1000")};

struct config database_config(const char *url)
{
	return (struct config){
	        .todo_database_url = view_of(url),
	        .database_role_check = true,
	        .database_prepare = true,
	        .database_tls = VIEW("verify"),
	        .database_ca_file = VIEW("/etc/ssl/certs/ca-certificates.crt"),
	        .database_timeout = 20,
	};
}

struct db *database_open(const struct config *config)
{
	struct db *db = NULL;
	struct buf error = buf_make(1024);
	cr_assert(db_open(config, &db, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	buf_destroy(&error);
	return db;
}

struct db *database_make(const char *name)
{
	postgres_database(name);
	char *url = postgres_url("todo_app", name);
	struct config config = database_config(url);
	struct db *db = database_open(&config);
	free(url);
	return db;
}

bool database_noted(struct db *db, const char *text)
{
	struct buf notes = buf_make(8192);
	db_take_notes(db, &notes);
	bool found = notes.len > 0 && memmem(notes.ptr, notes.len, text, strlen(text)) != NULL;
	buf_destroy(&notes);
	return found;
}
