/* Better Auth's table of keys as a JWK Set. */
#include "db/source_table.h"

#include <stdlib.h>

#include "auth/source_shared.h"
#include "base/clock.h"
#include "base/json.h"

/* A public JWK has some hundred bytes; its tree takes many times that. */
enum { ROW_MEMORY = 1024 * 1024 };

struct source_table {
	struct source_shared shared;
	struct db *db;
	bool lets_go;
	int64_t grace; /* seconds */
};

static void note_skipped(struct buf *notes, size_t number, const char *why)
{
	BUF_LIT(notes, "JWKS_TABLE: key ");
	buf_add_u64(notes, number);
	BUF_LIT(notes, " skipped: ");
	buf_add(notes, view_of(why));
	BUF_LIT(notes, "\n");
}

static void add_member(struct buf *out, const char *name, struct view value)
{
	if (value.len == 0)
		return;
	if (out->ptr[out->len - 1] != '{')
		buf_add_char(out, ',');
	buf_add_json(out, view_of(name));
	buf_add_char(out, ':');
	buf_add_json(out, value);
}

/* A text of the JWK itself, else of the row's column, as Better Auth's own key set has it. */
static struct view either(const cJSON *jwk, const char *name, struct view column)
{
	struct view own = json_member_text(jwk, name);

	return own.len > 0 ? own : column;
}

/* Nothing goes on to the shared copy that the copy's reader would refuse, private
 * members least of all. The row's id is the kid. */
static const char *add_row(struct arena *arena, const struct db_result *rows, size_t row, enum alg rsa_alg,
                           struct buf *out)
{
	static const char *const material[] = {"x", "y", "n", "e", "use"};
	const cJSON *jwk = NULL;
	struct key *key = NULL;
	enum key_error error;

	if (json_parse(arena, db_value(rows, row, 1), &jwk) != JSON_OK)
		return "not JSON";
	error = jwk_parse(arena, jwk, rsa_alg, &key);
	/* Only with the row's curve it may be whole. */
	if (error != KEY_OK && error != KEY_BAD_CURVE)
		return key_error_text(error);
	key_free(key);
	if (out->ptr[out->len - 1] == '}')
		buf_add_char(out, ',');
	buf_add_char(out, '{');
	add_member(out, "kid", db_value(rows, row, 0));
	add_member(out, "kty", json_member_text(jwk, "kty"));
	add_member(out, "alg", either(jwk, "alg", db_value(rows, row, 2)));
	add_member(out, "crv", either(jwk, "crv", db_value(rows, row, 3)));
	for (size_t i = 0; i < sizeof material / sizeof *material; i++)
		add_member(out, material[i], json_member_text(jwk, material[i]));
	buf_add_char(out, '}');
	return NULL;
}

static const char *write_set(const struct source_table *source, const struct db_result *rows, struct buf *out,
                             struct buf *notes)
{
	struct arena arena;

	if (!arena_init(&arena, ROW_MEMORY))
		return "no memory";
	BUF_LIT(out, "{\"keys\":[");
	/* Without memory for the first byte there is no last one to look at. */
	for (size_t row = 0; row < db_rows(rows) && buf_ok(out); row++) {
		const char *why = add_row(&arena, rows, row, source->shared.options.rsa_alg, out);

		if (why)
			note_skipped(notes, row + 1, why);
		arena_reset(&arena);
	}
	BUF_LIT(out, "]}");
	arena_destroy(&arena);
	return buf_ok(out) ? NULL : "larger than 256 KiB";
}

/* The handle keeps to the deadline by itself. */
static enum source_answer ask(struct source_shared *shared, int64_t time, struct buf *ret, struct buf *notes,
                              const char **ret_fault)
{
	struct source_table *source = (struct source_table *)shared;
	DB_RESULT rows = NULL;
	enum outcome outcome = db_read_keys(source->db, source->grace, &rows);

	(void)time;
	if (source->lets_go)
		db_disconnect(source->db);
	if (outcome == OUTCOME_DATABASE_ROLE) {
		*ret_fault = "the database role can do more than read the table's public columns";
		return SOURCE_WITHDRAWN;
	}
	*ret_fault = outcome == OUTCOME_OK ? write_set(source, rows, ret, notes) : "the table can't be read";
	return *ret_fault ? SOURCE_FAILED : SOURCE_ANSWERED;
}

static void close_source(struct source *base)
{
	struct source_table *source = (struct source_table *)base;

	source_shared_destroy(&source->shared);
	free(source);
}

static const struct source_type type = {source_shared_update, source_shared_keys, close_source, "JWKS_TABLE"};

static bool init(struct source_table *source, const struct config *config, int state_dir)
{
	struct buf origin = buf_make(SOURCE_ORIGIN_MAX);
	struct source_shared_options options = {
	        .setting = "JWKS_TABLE",
	        .refresh = config->jwks_refresh * CLOCK_SECOND,
	        .cooldown = config->jwks_cooldown * CLOCK_SECOND,
	        .timeout = config->database_timeout * CLOCK_SECOND,
	        .max_stale = config->jwks_max_stale * CLOCK_SECOND,
	        .state_dir = state_dir,
	};

	BUF_LIT(&origin, "table");
	db_write_origin(source->db, &origin);
	BUF_LIT(&origin, " grace=");
	buf_add_u64(&origin, (uint64_t)source->grace);
	options.origin = buf_view(&origin);
	bool made = alg_parse(config->jwks_rsa_alg, &options.rsa_alg) && buf_ok(&origin) &&
	            source_shared_init(&source->shared, &options);
	buf_destroy(&origin);
	return made;
}

bool source_table_open(const struct source_table_options *options, struct source **ret, struct buf *error)
{
	struct source_table *source = calloc(1, sizeof(*source));

	if (source) {
		source->shared.source.type = &type;
		source->shared.ask = ask;
		source->db = options->db;
		source->lets_go = options->lets_go;
		source->grace = options->config->jwks_table_grace;
	}
	if (!source || !init(source, options->config, options->state_dir)) {
		if (source)
			close_source(&source->shared.source);
		BUF_LIT(error, "JWKS_TABLE can't be used: no memory, or the database's address is too long");
		return false;
	}
	*ret = &source->shared.source;
	return true;
}
