/* Settings: the process environment first, then one dotenv file.
 *
 * config.def is the register of all names; each row becomes one member of
 * struct config. Values live until config_release(); each text has a NUL behind
 * it, and is valid UTF-8.
 *
 * The file is TODO_ENV_FILE, else ~/.config/todo-fcgi/env with the home of the
 * password database, which may be missing (base/dotenv.h, base/private.h). A
 * name that the environment has is not read from the file, even if its value
 * is empty. An empty value counts as not set, as it does for Better Auth: the
 * default applies.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/buf.h"
#include "base/view.h"
#include "base/watch.h"

/* The C type of a setting's value, by its kind:
 * TEXT    any text without control characters; ABSENT when not set
 * SECRET  the same, may come from NAME_FILE; never printed. NAME_FILE is the
 *         path of a file (base/private.h) with the value, less one line end
 * LIST    comma-separated texts, kept as one text; read it with view_cut()
 * NUMBER  a decimal number within its bounds
 * SWITCH  1, true, on, yes or 0, false, off, no, in upper or lower case
 * CHOICE  one of the words in its help, kept as text */
#define CONFIG_TYPE_TEXT struct view
#define CONFIG_TYPE_SECRET struct view
#define CONFIG_TYPE_LIST struct view
#define CONFIG_TYPE_CHOICE struct view
#define CONFIG_TYPE_NUMBER int64_t
#define CONFIG_TYPE_SWITCH bool

struct config {
#define SETTING(NAME, member, KIND, standard, low, high, help) CONFIG_TYPE_##KIND member;
#include "base/config.def"
#undef SETTING
	struct config_texts *texts; /* where the values are */
};

/* Where settings come from; tests give their own. */
struct config_source {
	char *const *environment;  /* as environ */
	struct view document_root; /* ABSENT: not known */
};

/* Reads all settings. On failure *ret is untouched and `error` holds one line
 * with setting, file and line number, never the value.
 * Refused: an unknown name with one of our prefixes (JWT_, JWKS_, TODO_,
 * AUTH_; of the environment's, AUTH_TYPE is CGI's own), a bad value, NAME beside
 * NAME_FILE, WORKERS or TODO_ENV_FILE in the file, a TODO_ENV_FILE that is
 * missing, a file that others can read, that belongs to neither this user nor
 * root, or that lies below the document root. Names that are not ours are
 * ignored, mistakes in their lines too. */
CHECKED bool config_load(const struct config_source *source, struct config *ret, struct buf *error);

/* The same, and adds every file that it looked for to `files`, the one that a failure
 * was due to as the last; `files` may be NULL. */
CHECKED bool config_load_files(const struct config_source *source, struct watch *files, struct config *ret,
                               struct buf *error);

/* Settings of which only the secrets are another's: all of kind SECRET, and the
 * instant until which earlier ones count. False: no memory. */
CHECKED bool config_with_secrets(const struct config *config, const struct config *secrets, struct config *ret);

/* All settings equal? */
bool config_equal(const struct config *a, const struct config *b);

/* Wipes and frees the values. What was not released stays reachable. */
void config_release(struct config *config);

enum { CONFIG_WORKERS_MAX = 128 };

/* WORKERS, 0 to CONFIG_WORKERS_MAX, which comes from the environment only; 0 when not set. */
CHECKED bool config_workers(char *const *environment, int64_t *ret, struct buf *error);

/* Writes each setting with its value, a line each: "NAME=value", and behind it
 * "(default)" where that is it. Of a secret only whether it is set, and of an URL
 * no user and password. */
void config_write(const struct config *config, struct buf *out);

/* Writes the name, default and help of each setting as text to read. */
void config_write_help(struct buf *out);

/* Writes each setting with its default and help, as a dotenv sample. */
void config_write_sample(struct buf *out);

#endif
