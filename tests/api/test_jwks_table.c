/* JWKS_TABLE: keys from Better Auth's own table, through the responders' connection and without HTTP. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/issuer.h"
#include "support/postgres.h"
#include "support/relay.h"

POSTGRES_FOR_ALL_TESTS

enum { ISSUERS_MAX = 8 };
static struct issuer *issuers[ISSUERS_MAX];
static size_t issuer_count;

static void teardown(void)
{
	while (issuer_count > 0)
		issuer_free(issuers[--issuer_count]);
	api_end();
}

TestSuite(jwks_table, .fini = teardown, .timeout = 240);

/* ---- Better Auth's part ---- */

static bool run(const char *role, const char *database, const char *script)
{
	return postgres_script(role, database, ask_format("sql/optional/better_auth_keys/%s.sql", script));
}

/* The table as getMigrations() of better-auth writes it. */
static void create_table(const char *database)
{
	postgres_run("postgres", database, "GRANT USAGE, CREATE ON SCHEMA public TO better_auth");
	postgres_run("better_auth", database,
	             "CREATE TABLE \"jwks\" (\"id\" text NOT NULL PRIMARY KEY, \"publicKey\" text NOT NULL,"
	             " \"privateKey\" text NOT NULL, \"createdAt\" timestamptz NOT NULL, \"expiresAt\" timestamptz,"
	             " \"alg\" text, \"crv\" text)");
	cr_assert(run("postgres", database, "deploy"));
}

static const char *database_with_table(void)
{
	const char *database = api_name("keys");
	postgres_database(database);
	create_table(database);
	return database;
}

/* The public JWK as Better Auth stores it: without kid, and `alg` in a column of its own. */
static const char *stored_jwk(const struct issuer *issuer)
{
	struct buf text = buf_make(4096);
	const cJSON *jwk = NULL;
	issuer_jwk(issuer, NULL, &text);
	cr_assert_eq(json_parse(ask_arena(), buf_view(&text), &jwk), JSON_OK);
	buf_reset(&text, 4096);
	const cJSON *member;
	cJSON_ArrayForEach(member, jwk)
	{
		if (strcmp(member->string, "kid") == 0 || strcmp(member->string, "alg") == 0)
			continue;
		buf_add(&text, text.len > 0 ? VIEW(",") : VIEW("{"));
		buf_add_json(&text, view_of(member->string));
		buf_add(&text, VIEW(":"));
		buf_add_json(&text, json_text(member));
	}
	buf_add(&text, VIEW("}"));
	const char *kept = ask_keep(buf_view(&text));
	buf_destroy(&text);
	return kept;
}

static void insert_row(const char *database, const char *kid, const char *jwk, const char *alg, const char *expires)
{
	postgres_run("better_auth", database,
	             ask_format("INSERT INTO jwks VALUES ('%s', '%s', '\"" PRIVATE "\"', now(), %s, %s, NULL)", kid,
	                        jwk, expires, alg));
}

/* A new key in the table. `alg_column` and `expires` are SQL. */
static struct issuer *add_key(const char *database, enum alg alg, const char *kid, const char *alg_column,
                              const char *expires)
{
	cr_assert(issuer_count < ISSUERS_MAX);
	struct issuer *issuer = issuer_new(alg, kid);
	issuers[issuer_count++] = issuer;
	insert_row(database, kid, stored_jwk(issuer), alg_column, expires);
	return issuer;
}

/* ---- ours ---- */

static struct responder *start_at(const char *name, const char *url, const char *const more[])
{
	const char *settings[16] = {ask_format("DATABASE_URL=%s", url), "JWKS_TABLE=1", "LOG_REQUESTS=off"};
	for (size_t i = 0; more[i]; i++)
		settings[3 + i] = more[i];
	return responder_start(name, api_settings(settings));
}

static struct responder *start(const char *name, const char *database, const char *const more[])
{
	char *url = postgres_url("todo_app", database);
	struct responder *responder = start_at(name, url, more);
	free(url);
	return responder;
}

#define ALONE ((const char *const[]){NULL})

static int list_with(const struct responder *tasks, const char *token)
{
	return api_status(tasks, "/api/anna/tasks", token);
}

static int me_with(const struct responder *auth, const char *token)
{
	return api_status(auth, "/auth/me", token);
}

static void until_list(const struct responder *tasks, const char *token, int status, const char *what)
{
	api_until_status(tasks, "/api/anna/tasks", token, status, what);
}

/* ---- keys ---- */

Test(jwks_table, verifies_with_keys_of_every_kind_in_it)
{
	const char *database = database_with_table();
	const struct issuer *eddsa = add_key(database, ALG_EDDSA, "ed", "'EdDSA'", "NULL");
	const struct issuer *es256 = add_key(database, ALG_ES256, "es", "'ES256'", "now() + interval '1 day'");
	const struct issuer *ps256 = add_key(database, ALG_PS256, "ps", "'PS256'", "NULL");
	struct responder *tasks = start("tasks", database, ALONE);
	struct responder *auth = start("auth", database, ALONE);
	cr_expect_eq(list_with(tasks, api_token_by(eddsa)), 200);
	cr_expect_eq(list_with(tasks, api_token_by(es256)), 200);
	cr_expect_eq(list_with(tasks, api_token_by(ps256)), 200);
	cr_expect_eq(me_with(auth, api_token_by(eddsa)), 200);
	cr_expect_eq(list_with(tasks, api_token("anna")), 401, "the shared secret counts no more");
	cr_expect_eq(responder_ask(start("health", database, ALONE), &(struct ask){.target = "/ready"})->status, 200);
}

Test(jwks_table, finds_the_algorithm_of_rows_that_name_none)
{
	const char *database = database_with_table();
	const struct issuer *eddsa = add_key(database, ALG_EDDSA, "ed", "NULL", "NULL");
	const struct issuer *es384 = add_key(database, ALG_ES384, "es", "NULL", "NULL");
	const struct issuer *rs512 = add_key(database, ALG_RS512, "rs", "NULL", "NULL");
	struct responder *tasks = start("tasks", database, (const char *const[]){"JWKS_RSA_ALG=RS512", NULL});
	cr_expect_eq(list_with(tasks, api_token_by(eddsa)), 200);
	cr_expect_eq(list_with(tasks, api_token_by(es384)), 200);
	cr_expect_eq(list_with(tasks, api_token_by(rs512)), 200);
}

Test(jwks_table, takes_the_curve_of_the_row_where_the_key_has_none)
{
	const char *database = database_with_table();
	const struct issuer *eddsa = add_key(database, ALG_EDDSA, "ed", "NULL", "NULL");
	postgres_run("better_auth", database,
	             "UPDATE jwks SET crv = 'Ed25519', \"publicKey\" = (\"publicKey\"::jsonb - 'crv')::text");
	cr_expect_eq(list_with(start("tasks", database, ALONE), api_token_by(eddsa)), 200);
}

Test(jwks_table, sees_a_rotation_without_a_restart)
{
	const char *database = database_with_table();
	const struct issuer *old = add_key(database, ALG_EDDSA, "old", "'EdDSA'", "NULL");
	struct responder *tasks = start("tasks", database, ALONE);
	struct responder *auth = start("auth", database, ALONE);
	cr_expect_eq(list_with(tasks, api_token_by(old)), 200);
	const struct issuer *new = add_key(database, ALG_EDDSA, "new", "'EdDSA'", "NULL");
	cr_expect_eq(list_with(tasks, api_token_by(new)), 200, "read at once for an unknown kid");
	cr_expect_eq(me_with(auth, api_token_by(new)), 200, "the other program has it from the machine's copy");
	cr_expect_eq(list_with(tasks, api_token_by(old)), 200);
}

Test(jwks_table, drops_a_key_that_left_the_table)
{
	const char *database = database_with_table();
	const struct issuer *gone = add_key(database, ALG_EDDSA, "gone", "'EdDSA'", "NULL");
	const struct issuer *other = add_key(database, ALG_EDDSA, "other", "'EdDSA'", "NULL");
	struct responder *tasks = start("tasks", database, (const char *const[]){"JWKS_REFRESH=1", NULL});
	cr_expect_eq(list_with(tasks, api_token_by(gone)), 200);
	postgres_run("better_auth", database, "DELETE FROM jwks WHERE id = 'gone'");
	until_list(tasks, api_token_by(gone), 401, "the key is dropped");
	cr_expect_eq(list_with(tasks, api_token_by(other)), 200);
}

Test(jwks_table, honours_expiry_and_its_grace)
{
	const char *database = database_with_table();
	const struct issuer *within = add_key(database, ALG_EDDSA, "within", "'EdDSA'", "now() - interval '29 days'");
	const struct issuer *past = add_key(database, ALG_EDDSA, "past", "'EdDSA'", "now() - interval '31 days'");
	struct responder *standard = start("tasks", database, ALONE);
	cr_expect_eq(list_with(standard, api_token_by(within)), 200);
	cr_expect_eq(list_with(standard, api_token_by(past)), 401);
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "now() + interval '1 hour'");
	struct responder *strict = start("tasks", database, (const char *const[]){"JWKS_TABLE_GRACE=0", NULL});
	cr_expect_eq(list_with(strict, api_token_by(within)), 401);
	cr_expect_eq(list_with(strict, api_token_by(good)), 200);
}

Test(jwks_table, skips_rows_that_are_no_good_and_keeps_private_members_to_nobody)
{
	const char *database = database_with_table();
	insert_row(database, "text", "not JSON at all", "NULL", "NULL");
	insert_row(database, "private",
	           "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
	           "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}",
	           "NULL", "NULL");
	insert_row(database, "secret", "{\"kty\":\"oct\",\"k\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}",
	           "'HS256'", "NULL");
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	struct responder *tasks = start("tasks", database, ALONE);
	cr_expect_eq(list_with(tasks, api_token_by(good)), 200);
	static const char *const lines[] = {
	        "\"JWKS_TABLE: key 2 skipped: kty oct: a secret does not belong in a key set\"",
	        "\"JWKS_TABLE: key 3 skipped: it holds private members\"",
	        "\"JWKS_TABLE: key 4 skipped: not JSON\"",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		cr_expect(responder_has_logged(tasks, lines[i]), "%s", lines[i]);
	cr_expect_not(responder_has_logged(tasks, "nWGxne"));
	/* The copies that processes share hold nothing of it either. */
	const char *build = getenv("BUILD");
	cr_expect_neq(system(ask_format("grep -rqs nWGxne_9 '%s/tests/state' ~/.todo-fcgi-tests/state",
	                                build ? build : "build/release")),
	              0);
}

/* Only some members of a row go on, without which such a key could look good. */
Test(jwks_table, takes_no_key_that_is_private_or_not_there_to_verify)
{
	static const char *const members[] = {"\"d\":\"AAAA\"", "\"key_ops\":[\"sign\"]"};
	const char *database = database_with_table();
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		struct issuer *issuer = issuer_new(ALG_EDDSA, ask_format("bad-%zu", i));
		issuers[issuer_count++] = issuer;
		insert_row(database, ask_format("bad-%zu", i), ask_format("{%s,%s", members[i], stored_jwk(issuer) + 1),
		           "'EdDSA'", "NULL");
	}
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	struct responder *tasks = start("tasks", database, ALONE);
	cr_expect_eq(list_with(tasks, api_token_by(good)), 200);
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		cr_expect_eq(list_with(tasks, api_token_by(issuers[i])), 401, "%s", members[i]);
}

/* A row may take a megabyte, however many there are. */
Test(jwks_table, reads_rows_that_together_are_large)
{
	const char *database = database_with_table();
	const struct issuer *large = add_key(database, ALG_EDDSA, "large", "'EdDSA'", "NULL");
	postgres_run(
	        "better_auth", database,
	        "UPDATE jwks SET \"publicKey\" = '{\"pad\":\"' || repeat('x', 50000) || '\",' ||"
	        " substr(\"publicKey\", 2);"
	        "INSERT INTO jwks SELECT 'large-' || n, \"publicKey\", \"privateKey\", \"createdAt\", NULL, alg, crv"
	        " FROM jwks, generate_series(1, 40) AS n");
	struct responder *tasks = start("tasks", database, ALONE);
	cr_expect_eq(list_with(tasks, api_token_by(large)), 200);
	cr_expect_not(responder_has_logged(tasks, "skipped"));
}

/* ---- how often ---- */

Test(jwks_table, is_read_once_per_cooldown_whatever_kids_are_sent)
{
	enum { STORM = 30 };
	const char *database = database_with_table();
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	struct relay *relay = relay_start(postgres_folder());
	char *url = postgres_url_in(relay->folder, "todo_app", database);
	const char *const more[] = {"JWKS_COOLDOWN=3600", NULL};
	struct responder *first = start_at("auth", url, more);
	cr_expect_eq(me_with(first, api_token_by(good)), 200);
	struct responder *second = start_at("auth", url, more);
	free(url);
	cr_expect_eq(me_with(second, api_token_by(good)), 200);
	cr_expect_eq(relay->connections, 1, "the second has the machine's copy");
	for (int i = 0; i < STORM; i++) {
		struct issuer *unknown = issuer_new(ALG_EDDSA, ask_format("unknown-%d", i));
		cr_expect_eq(me_with(i % 2 ? first : second, api_token_by(unknown)), 401);
		issuer_free(unknown);
	}
	cr_expect_eq(relay->connections, 2, "one read for them all");
	cr_expect_eq(me_with(first, api_token_by(good)), 200);
	responder_stop(first);
	responder_stop(second);
	relay_stop(relay);
}

Test(jwks_table, costs_auth_no_connection_beyond_the_read)
{
	const char *database = database_with_table();
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	struct responder *auth = start("auth", database, ALONE);
	cr_expect_eq(me_with(auth, api_token_by(good)), 200);
	postgres_wait_for("postgres", database, "SELECT count(*) = 0 " POSTGRES_BACKENDS);
}

/* ---- rights ---- */

Test(jwks_table, cannot_read_private_keys_by_the_rights_that_the_script_grants)
{
	const char *database = database_with_table();
	add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	PGconn *conn = postgres_connect("todo_app", database);
	static const char *const denied[] = {
	        "SELECT \"privateKey\" FROM public.jwks",
	        "SELECT * FROM public.jwks",
	        "SELECT jwks FROM public.jwks",
	        ("INSERT INTO public.jwks (id, \"publicKey\", \"privateKey\", \"createdAt\")"
	         " VALUES ('x', '{}', '', now())"),
	        "UPDATE public.jwks SET alg = NULL",
	        "DELETE FROM public.jwks",
	        "TRUNCATE public.jwks",
	};
	for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
		PGresult *result = PQexec(conn, denied[i]);
		const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		cr_expect_str_eq(sqlstate ? sqlstate : "it works", "42501", "%s", denied[i]);
		PQclear(result);
	}
	PGresult *allowed =
	        PQexec(conn, "SELECT id, \"publicKey\", alg, crv, \"createdAt\", \"expiresAt\" FROM public.jwks");
	cr_expect_eq(PQntuples(allowed), 1);
	PQclear(allowed);
	PQfinish(conn);
	cr_expect(run("postgres", database, "verify"));
	cr_expect(run("postgres", database, "revert"));
	cr_expect_not(run("postgres", database, "verify"));
}

Test(jwks_table, does_not_start_with_a_role_that_can_do_more)
{
	static const char *const grants[] = {
	        "GRANT SELECT (\"privateKey\") ON public.jwks TO todo_app",
	        "GRANT SELECT ON public.jwks TO todo_app",
	        "GRANT INSERT ON public.jwks TO todo_app",
	        "GRANT UPDATE (\"publicKey\") ON public.jwks TO todo_app",
	        "GRANT DELETE ON public.jwks TO todo_app",
	        "GRANT TRUNCATE ON public.jwks TO todo_app",
	        "GRANT TRIGGER ON public.jwks TO todo_app",
	        "GRANT INSERT ON public.jwks TO PUBLIC",
	        "ALTER TABLE public.jwks OWNER TO todo_app",
	        "ALTER SCHEMA public OWNER TO todo_app",
	};
	for (size_t i = 0; i < sizeof grants / sizeof *grants; i++) {
		const char *database = database_with_table();
		add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
		postgres_run("postgres", database, grants[i]);
		cr_expect_not(i < 4 && run("postgres", database, "verify"), "%s", grants[i]);
		struct responder *auth = start("auth", database, ALONE);
		cr_expect_eq(responder_wait(auth), EXIT_FAILURE, "%s", grants[i]);
		cr_expect(responder_has_logged(auth, "JWKS_TABLE: the database role can do more"), "%s", grants[i]);
		issuer_free(issuers[--issuer_count]);
	}
}

Test(jwks_table, does_not_start_with_a_role_that_could_become_one_that_can)
{
	const char *database = database_with_table();
	const char *writer = api_name("writer");
	const char *member = api_name("member");
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	postgres_role(writer, "");
	postgres_role(member, "NOINHERIT");
	postgres_run("postgres", database,
	             ask_format("GRANT CONNECT ON DATABASE %s TO %s; GRANT USAGE ON SCHEMA todo, public TO %s;"
	                        "GRANT SELECT ON todo.schema_version TO %s; GRANT SELECT (id, \"publicKey\", alg, crv,"
	                        "\"createdAt\", \"expiresAt\") ON public.jwks TO %s; GRANT INSERT ON public.jwks TO %s",
	                        database, member, member, member, member, writer));
	char *url = postgres_url(member, database);
	struct responder *before = start_at("auth", url, ALONE);
	cr_expect_eq(me_with(before, api_token_by(good)), 200);
	postgres_run("postgres", database, ask_format("GRANT %s TO %s", writer, member));
	struct responder *auth = start_at("auth", url, (const char *const[]){"JWKS_TABLE_GRACE=1", NULL});
	free(url);
	cr_expect_eq(responder_wait(auth), EXIT_FAILURE);
}

Test(jwks_table, serves_nothing_any_more_once_the_role_can_do_more)
{
	const char *database = database_with_table();
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	const char *const more[] = {"JWKS_REFRESH=1", "JWKS_COOLDOWN=1", NULL};
	struct responder *tasks = start("tasks", database, more);
	struct responder *auth = start("auth", database, more);
	struct responder *health = start("health", database, more);
	cr_expect_eq(list_with(tasks, api_token_by(good)), 200);
	cr_expect_eq(me_with(auth, api_token_by(good)), 200);
	postgres_run("better_auth", database, "GRANT SELECT (\"privateKey\") ON jwks TO todo_app");
	until_list(tasks, api_token_by(good), 503, "tasks serves nothing");
	api_until_status(auth, "/auth/me", api_token_by(good), 503, "auth serves nothing");
	api_until_status(health, "/ready", NULL, 503, "it is not ready");
	struct ask ask = {.target = "/api/anna/tasks", .token = api_token_by(good)};
	expect_problem(responder_ask(tasks, &ask), 503, "keys_unavailable", "after the grant");
	postgres_run("better_auth", database, "REVOKE SELECT (\"privateKey\") ON jwks FROM todo_app");
	until_list(tasks, api_token_by(good), 200, "tasks serves again");
}

Test(jwks_table, stops_a_process_that_learns_of_it_from_another)
{
	const char *database = database_with_table();
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	struct responder *asks =
	        start("tasks", database, (const char *const[]){"JWKS_REFRESH=1", "JWKS_COOLDOWN=1", NULL});
	struct responder *learns =
	        start("tasks", database, (const char *const[]){"JWKS_REFRESH=86400", "JWKS_COOLDOWN=3600", NULL});
	struct issuer *unknown = issuer_new(ALG_EDDSA, "unknown");
	cr_expect_eq(list_with(asks, api_token_by(good)), 200);
	cr_expect_eq(list_with(learns, api_token_by(good)), 200);
	postgres_run("better_auth", database, "GRANT INSERT ON jwks TO todo_app");
	until_list(asks, api_token_by(good), 503, "the one that asks serves nothing");
	/* An unknown kid makes the other one look at the common copy. */
	cr_expect_eq(list_with(learns, api_token_by(unknown)), 503);
	cr_expect_eq(list_with(learns, api_token_by(good)), 503);
	issuer_free(unknown);
}

/* ---- when the table is not there ---- */

Test(jwks_table, starts_without_the_table_and_takes_it_when_it_comes)
{
	const char *database = api_name("keys");
	postgres_database(database);
	const char *const more[] = {"JWKS_COOLDOWN=1", NULL};
	struct responder *tasks = start("tasks", database, more);
	struct issuer *early = issuer_new(ALG_EDDSA, "early");
	struct ask ask = {.target = "/api/anna/tasks", .token = api_token_by(early)};
	expect_problem(responder_ask(tasks, &ask), 503, "keys_unavailable", "no table");
	issuer_free(early);
	create_table(database);
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	until_list(tasks, api_token_by(good), 200, "it has the table's keys");
}

struct keeping {
	const struct responder *tasks;
	const char *token;
	const char *line;
};

static bool has_failed(void *context)
{
	const struct keeping *keeping = context;
	cr_assert_eq(list_with(keeping->tasks, keeping->token), 200);
	return responder_has_logged(keeping->tasks, keeping->line);
}

Test(jwks_table, keeps_the_last_good_keys_for_a_time)
{
	const char *database = database_with_table();
	const struct issuer *good = add_key(database, ALG_EDDSA, "good", "'EdDSA'", "NULL");
	struct responder *kept =
	        start("tasks", database, (const char *const[]){"JWKS_REFRESH=1", "JWKS_COOLDOWN=1", NULL});
	cr_expect_eq(list_with(kept, api_token_by(good)), 200);
	static const char *const faults[][2] = {
	        {"UPDATE jwks SET alg = repeat('x', 300000)",
	         "\"JWKS_TABLE: no key set fetched: larger than 256 KiB\""},
	        {"ALTER TABLE jwks RENAME TO elsewhere", "\"JWKS_TABLE: no key set fetched: the table can't be read\""},
	};
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		postgres_run("better_auth", database, faults[i][0]);
		struct keeping keeping = {kept, api_token_by(good), faults[i][1]};
		until(has_failed, &keeping, faults[i][1]);
		cr_expect_eq(list_with(kept, api_token_by(good)), 200);
	}
	struct responder *stale =
	        start("tasks", database,
	              (const char *const[]){"JWKS_REFRESH=1", "JWKS_COOLDOWN=1", "JWKS_MAX_STALE=2", NULL});
	until_list(stale, api_token_by(good), 503, "the keys are too old");
}

Test(jwks_table, needs_a_database)
{
	struct responder *auth =
	        responder_start("auth", api_settings((const char *const[]){"DATABASE_URL", "JWKS_TABLE=1", NULL}));
	cr_expect_eq(responder_wait(auth), EXIT_FAILURE);
	cr_expect(responder_has_logged(auth, "DATABASE_URL"));
}

/* The copy of the set that processes share begins with it. */
Test(jwks_table, does_not_start_with_an_address_that_is_too_long_to_be_noted)
{
	char *url = postgres_url("todo_app", "keys");
	struct responder *auth = start_at("auth", ask_format("%s%0*d", url, 2200, 0), ALONE);
	free(url);
	cr_expect_eq(responder_wait(auth), EXIT_FAILURE);
	cr_expect(responder_has_logged(auth,
	                               "JWKS_TABLE can't be used: no memory, or the database's address is too long"));
}
