/* Database handles for tests, with the settings that production has. */
#ifndef SUPPORT_DATABASE_H
#define SUPPORT_DATABASE_H

#include "db/db.h"

/* The standard settings for this address, which must live as long. */
struct config database_config(const char *url);

/* Opens a handle; a failure fails the test. */
struct db *database_open(const struct config *config);

/* For a test's own database, made now: a handle as todo_app. */
struct db *database_make(const char *name);

/* The values of STATEMENT_LIST_CREATED_DESC that leave nothing out. */
enum { DATABASE_EVERYTHING = 5 };
extern const struct view database_everything[DATABASE_EVERYTHING];

/* True when the notes since the last call hold `text`. */
bool database_noted(struct db *db, const char *text);

#endif
