/* todoctl check: would programs with these settings serve, and how safely. */
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/machine.h"
#include "app/parts.h"
#include "app/settings.h"
#include "auth/jwk.h"
#include "auth/keyset.h"
#include "auth/secrets.h"
#include "base/clock.h"
#include "base/state_dir.h"
#include "ctl/ctl.h"
#include "db/operator.h"

enum { KEYS_MAX = KEYSET_MAX + SECRETS_MAX, NOTES_MAX = 64 * 1024 };

/* ---- who runs this ------------------------------------------------------ */

static const char *user_name(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user && user->pw_name ? user->pw_name : "this user";
}

static void check_user(const struct config *config)
{
	found(NOTE, "user", "this runs as %s; the programs must run as the same user for the rest to hold for them",
	      user_name());
	found(NOTE, "shared host",
	      "whatever else runs as %s can read the settings%s%s. On a host that runs the programs of all its "
	      "customers as one user (www-data, without suEXEC), those are all its customers. There, put no "
	      "BETTER_AUTH_SECRET into the settings but JWKS_URL or JWKS_FILE, keep nothing else in that database, and "
	      "better ask for a user of your own",
	      user_name(),
	      config->better_auth_secret.len > 0 ? ", sign tokens for every user with BETTER_AUTH_SECRET" : "",
	      config->database_url.len + config->todo_database_url.len > 0 ? ", and open the database with its password"
	                                                                   : "");
}

static void check_choices(const struct config *config)
{
	if (view_equal(config->environment, VIEW("development")))
		found(NOTE, "settings", "TODO_ENV=development lets todoctl make tokens: not for production");
	if (!config->database_role_check)
		found(BAD, "settings",
		      "TODO_DATABASE_ROLE_CHECK=off: a role that sees every user's tasks would not be noticed");
	if (view_equal(config->jwt_issuer, VIEW("none")))
		found(NOTE, "settings", "JWT_ISSUER=none: tokens of any issuer with our keys are taken");
	if (view_equal(config->jwt_audience, VIEW("none")))
		found(NOTE, "settings", "JWT_AUDIENCE=none: tokens made for other services with our keys are taken");
	if (config->jwks_insecure_loopback)
		found(NOTE, "settings", "JWKS_INSECURE_LOOPBACK=1: on a shared host anybody may own that port");
}

/* ---- keys --------------------------------------------------------------- */

static void tell_notes(struct view notes)
{
	while (notes.len > 0) {
		struct view line = view_cut(&notes, '\n');

		if (line.len > 0)
			found(NOTE, "keys", "%.*s", VIEW_ARGS(line));
	}
}

static void check_keys(const struct config *config, struct keyring *keyring)
{
	static struct keyring_key keys[KEYS_MAX];
	BUF notes = buf_make(NOTES_MAX);
	bool ready = keyring_ready(keyring, clock_now());
	size_t count = keyring_list(keyring, clock_now(), keys, KEYS_MAX);

	keyring_take_notes(keyring, &notes);
	tell_notes(buf_view(&notes));
	if (ready)
		found(FINE, "keys", "%zu can verify tokens; todoctl keys names them", count);
	else
		found(BAD, "keys",
		      "none can be had, so every request with a token is answered 503; why says the programs' log, and "
		      "todoctl doctor, which asks the issuer itself");
	if (config->better_auth_secret.len > 0 && count > 0 &&
	    !view_starts(view_of(keys[0].setting), VIEW("BETTER_AUTH")))
		found(NOTE, "keys",
		      "BETTER_AUTH_SECRET verifies no bearer token beside a key set, unless JWT_SHARED_SECRET=1");
}

/* ---- database ----------------------------------------------------------- */

static void explain_schema(int32_t version)
{
	if (version == 0)
		found(BAD, "schema", "there is none that this role can read: deploy sql/ with sqitch, as the owner");
	else if (version < DB_SCHEMA_VERSION)
		found(BAD, "schema", "is version %d, and these programs want %d: deploy sql/ with sqitch, as the owner",
		      (int)version, DB_SCHEMA_VERSION);
	else
		found(BAD, "schema",
		      "is version %d, and these programs want %d: they are older than it; install those that it came "
		      "with",
		      (int)version, DB_SCHEMA_VERSION);
}

static void check_role(struct db *db, const char *role)
{
	enum outcome outcome = db_ready(db);

	if (outcome == OUTCOME_DATABASE_ROLE) {
		found(BAD, "role",
		      "%s could see every user's tasks (superuser, BYPASSRLS, owner, or member of one that is), or "
		      "row-level security is not forced: nothing is served. Use the role todo_app in TODO_DATABASE_URL",
		      role);
		return;
	}
	if (outcome != OUTCOME_OK && outcome != OUTCOME_DATABASE_SCHEMA) {
		found(BAD, "role", "can't be judged: %.*s", VIEW_ARGS(outcome_row(outcome)->detail));
		return;
	}
	found(FINE, "role", "%s sees the rows of one user at a time", role);
	if (outcome == OUTCOME_OK)
		found(FINE, "schema", "version %d, as these programs want it", DB_SCHEMA_VERSION);
	else
		explain_schema(db_schema(db));
}

/* Anybody may put a socket there while the database has none. */
static bool is_open_to_all(const char *folder)
{
	struct stat status;

	return stat(folder, &status) != 0 || (status.st_mode & S_IWOTH) != 0;
}

static void check_tls(const struct config *config, const struct operator_facts *facts)
{
	if (facts->is_socket && !facts->is_peer_named && is_open_to_all(facts->host))
		found(NOTE, "TLS",
		      "everybody may write to %s: who puts a socket there while the database is away is sent the "
		      "password. Have its socket elsewhere, or name its user in the URL (requirepeer)",
		      facts->host);
	else if (facts->is_socket)
		found(FINE, "TLS", "none is needed on the socket in %s", facts->host);
	else if (facts->is_encrypted && strcmp(facts->sslmode, "verify-full") == 0)
		found(FINE, "TLS", "to %s, which proves its name (verify-full)", facts->host);
	else if (view_equal(config->database_tls, VIEW("insecure")))
		found(NOTE, "TLS",
		      "TODO_DATABASE_TLS=insecure: whoever sits between here and %s reads and changes everything",
		      facts->host);
	else
		found(NOTE, "TLS",
		      "%s, to %s on this machine: on a shared host anybody may own that port while the database is "
		      "away, and is sent the password. Reach it by its socket, or with sslmode=verify-full",
		      facts->is_encrypted ? "unverified" : "none", facts->host);
}

static void check_clock(const struct config *config, const struct operator_facts *facts)
{
	double seconds = (double)facts->ahead / (double)CLOCK_SECOND;
	bool far = seconds > (double)config->jwt_leeway || seconds < -(double)config->jwt_leeway;

	found(far ? BAD : FINE, "clock", "the database's is %.1f s %s ours%s", seconds < 0 ? -seconds : seconds,
	      seconds < 0 ? "behind" : "ahead of",
	      far ? "; tokens and revocations are judged wrongly: run NTP on both" : "");
}

static void check_database(const struct config *config, struct db *db)
{
	struct operator_facts facts;
	BUF error = buf_make(ERROR_MAX);

	if (operator_read_facts(config, &facts, &error)) {
		found(FINE, "database", "PostgreSQL %s at %s, %lld connections for %s", facts.version, facts.host,
		      (long long)facts.connections, facts.role);
		check_tls(config, &facts);
		check_role(db, facts.role);
		check_clock(config, &facts);
	} else {
		found(BAD, "database", "%.*s", VIEW_ARGS(buf_view(&error)));
	}
}

/* ---- all of it ---------------------------------------------------------- */

/* As much as the largest key set takes. */
static bool has_room(int state_dir)
{
	static const char name[] = "check";
	bool room = state_file_allocate(state_dir, name, VIEW(""), JWKS_MAX_BYTES);

	unlinkat(state_dir, name, 0);
	return room;
}

/* Makes them, as the first program would. */
static bool has_counters(int state_dir)
{
	struct buf error = buf_make(ERROR_MAX);
	struct machine *machine = NULL;
	bool common = machine_open(state_dir, &machine, &error) && machine_is_common(machine);

	machine_close(machine);
	buf_destroy(&error);
	return common;
}

static void check_state_dir(int state_dir)
{
	const char *lacks = !has_room(state_dir)       ? "a key set (256 KiB), so each process fetches for itself"
	                    : !has_counters(state_dir) ? "the counters (1 MiB), so each process counts for itself"
	                                               : NULL;

	if (lacks)
		found(BAD, "STATE_DIR",
		      "has no room for %s, and exports are answered 503. Make room on that disk, or look at the quota "
		      "of %s",
		      lacks, user_name());
	else
		found(FINE, "STATE_DIR", "can be used");
}

static void check_parts(const struct config *config, int state_dir)
{
	BUF error = buf_make(ERROR_MAX);
	struct parts parts;

	if (parts_open(config, true, state_dir, INT64_MAX, &parts, &error)) {
		check_keys(config, parts.keyring);
		check_database(config, parts.db);
		parts_close(&parts);
	} else {
		found(BAD, "settings", "%.*s", VIEW_ARGS(buf_view(&error)));
	}
}

int run_check(const struct command *command, int argc, char **argv)
{
	struct config config;
	BUF error = buf_make(ERROR_MAX);
	int state_dir = -1;

	(void)argv;
	if (argc > 1)
		return refuse_usage(command, "too many arguments");
	if (!read_settings(&config, &error) || !settings_check(&config, &error)) {
		found(BAD, "settings", "%.*s", VIEW_ARGS(buf_view(&error)));
	} else {
		found(FINE, "settings", "can be read");
		check_user(&config);
		check_choices(&config);
		if (state_dir_open(config.state_dir, ABSENT, &state_dir, &error)) {
			check_state_dir(state_dir);
			check_parts(&config, state_dir);
			close(state_dir);
		} else {
			found(BAD, "STATE_DIR", "%.*s", VIEW_ARGS(buf_view(&error)));
		}
	}
	return found_status();
}
