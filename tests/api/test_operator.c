/* todoctl for operators: what it finds, shows and does on a real database. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/account.h"
#include "support/api.h"
#include "support/auth_server.h"
#include "support/issuer.h"
#include "support/postgres.h"
#include "support/relay.h"

POSTGRES_FOR_ALL_TESTS

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *database;
static const char *url;

static void setup(void)
{
	database = api_name("operator");
	url = api_database(database);
	mkdir(responder_state_folder(), 0700);
}

TestSuite(operator, .init = setup, .fini = api_end, .timeout = 120);

struct said {
	int status;
	const char *text; /* standard output and error */
};

/* Runs todoctl with the settings under which programs start, and `more`, which is
 * "NAME=value" in the shell's quotes. */
static struct said run(const char *more, const char *arguments)
{
	static char text[1 << 20];
	const char *build = getenv("BUILD");
	const char *command = ask_format(
	        "umask 077; file=$(mktemp) && env -i TODO_ENV_FILE=\"$file\" BETTER_AUTH_SECRET=" API_SECRET
	        " BETTER_AUTH_URL=" API_ORIGIN " DATABASE_URL='%s' STATE_DIR='%s' %s %s/bin/todoctl %s 2>&1; status=$?;"
	        " rm -f \"$file\"; exit $status",
	        url, responder_state_folder(), more, build ? build : "build/release", arguments);
	FILE *output = popen(command, "r");
	cr_assert_not_null(output);
	size_t len = fread(text, 1, sizeof text - 1, output);
	text[len] = '\0';
	int status = pclose(output);
	cr_assert(WIFEXITED(status), "%s", text);
	return (struct said){WEXITSTATUS(status), ask_keep((struct view){text, len})};
}

static void expect_said(const struct said *said, int status, const char *part)
{
	cr_expect_eq(said->status, status, "%d, not %d:\n%s", said->status, status, said->text);
	cr_expect(strstr(said->text, part) != NULL, "no \"%s\" in\n%s", part, said->text);
}

/* ---- check -------------------------------------------------------------- */

Test(operator, check_finds_nothing_wrong_where_nothing_is)
{
	static const char *const subjects[] = {
	        "settings: ", "STATE_DIR: ", "keys: ", "database: ", "TLS: ", "role: ", "schema: ", "clock: "};
	struct said said = run("", "check");
	cr_expect_eq(said.status, 0, "%s", said.text);
	for (size_t i = 0; i < COUNT(subjects); i++)
		expect_said(&said, 0, ask_format("ok    %s", subjects[i]));
	expect_said(&said, 0, ask_format("PostgreSQL %s at ", account_value(database, "SHOW server_version")));
	cr_expect(!strstr(said.text, "BAD"), "%s", said.text);
	cr_expect(!strstr(said.text, API_SECRET), "a secret in\n%s", said.text);
}

Test(operator, check_says_what_a_shared_host_means_for_secrets)
{
	struct said said = run("", "check");
	expect_said(&said, 0, "note  shared host: ");
	expect_said(&said, 0, "sign tokens for every user with BETTER_AUTH_SECRET");
}

Test(operator, check_names_what_would_keep_programs_from_serving)
{
	char *owner = postgres_url("todo_owner", database);
	char *super = postgres_url("postgres", database);
	char *nowhere = postgres_url("todo_app", "no_such_database");
	const struct {
		const char *more;
		const char *part;
	} cases[] = {
	        {"JWT_LEEWAY=61", "BAD   settings: JWT_LEEWAY"},
	        {"JWT_NONSENSE=1", "BAD   settings: JWT_NONSENSE"},
	        {"CORS_ORIGINS=https://app.example/", "BAD   settings: CORS_ORIGINS"},
	        {"BASE_PATH=/todo/", "BAD   settings: BASE_PATH"},
	        {"METRICS_TOKEN=0123456789abcdef,0123456789abcdef", "BAD   settings: METRICS_TOKEN"},
	        {"STATE_DIR=/tmp/x", "BAD   STATE_DIR: "},
	        {"BETTER_AUTH_SECRET=short", "BAD   settings: BETTER_AUTH_SECRET"},
	        {"JWKS_FILE=/nowhere", "BAD   settings: JWKS_FILE"},
	        {"DATABASE_URL=", "BAD   settings: DATABASE_URL"},
	        {ask_format("DATABASE_URL='%s'", owner), "BAD   role: todo_owner could see every user's tasks"},
	        {ask_format("DATABASE_URL='%s'", super), "BAD   role: postgres could see every user's tasks"},
	        {ask_format("DATABASE_URL='%s'", nowhere), "BAD   database: "},
	        {"TODO_DATABASE_ROLE_CHECK=off", "BAD   settings: TODO_DATABASE_ROLE_CHECK=off"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct said said = run(cases[i].more, "check");
		expect_said(&said, 1, cases[i].part);
	}
	free(owner);
	free(super);
	free(nowhere);
}

/* Which of the two is behind decides what is to be done. */
Test(operator, check_says_which_schema_there_is)
{
	static const struct {
		const char *sql;
		const char *part;
	} cases[] = {
	        {"UPDATE todo.schema_version SET version = 1",
	         "BAD   schema: is version 1, and these programs want 3: deploy sql/"},
	        {"UPDATE todo.schema_version SET version = 99",
	         "BAD   schema: is version 99, and these programs want 3: they are older than it"},
	        {"DROP SCHEMA todo CASCADE", "BAD   schema: there is none that this role can read: deploy sql/"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		postgres_run("postgres", database, cases[i].sql);
		struct said said = run("", "check");
		expect_said(&said, 1, cases[i].part);
	}
}

/* A provider may keep the server's statistics to itself. */
Test(operator, check_says_what_the_database_does_not_let_it_read)
{
	postgres_run("postgres", database, "REVOKE SELECT ON pg_catalog.pg_stat_database FROM PUBLIC");
	struct said said = run("", "check");
	expect_said(&said, 1, "BAD   database: ERROR:  permission denied for view pg_stat_database\n");
}

/* The one thing that no line of a log can tell. */
Test(operator, check_says_whose_clock_is_off)
{
	static const struct {
		const char *step;
		int status;
		const char *part;
	} cases[] = {
	        {"+300s", 1, " s behind ours; tokens and revocations are judged wrongly: run NTP on both"},
	        {"-300s", 1, " s ahead of ours; tokens and revocations are judged wrongly: run NTP on both"},
	        {"+0s", 0, "ok    clock: the database's is "},
	};
#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("a sanitizer leaves no room for another library in front");
#endif
	if (access(API_FAKETIME, R_OK) != 0)
		cr_skip_test("there is no libfaketime for this architecture");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct said said = run(ask_format("LD_PRELOAD=" API_FAKETIME " FAKETIME=%s", cases[i].step), "check");
		expect_said(&said, cases[i].status, cases[i].part);
	}
}

/* A limit for files is a full disk, or a quota that is used up. */
Test(operator, check_says_that_there_is_no_room_in_the_state_dir)
{
	const char *shell = "/bin/sh -c \"ulimit -f %d; trap '' XFSZ; exec \\\"\\$@\\\"\" sh";
	struct said said = run(ask_format(shell, 0), "check");
	expect_said(&said, 1, "BAD   STATE_DIR: has no room for a key set (256 KiB)");
	said = run(ask_format(shell, 1024), "check");
	expect_said(&said, 1, "BAD   STATE_DIR: has no room for the counters (1 MiB)");
	said = run(ask_format(shell, 8192), "check");
	expect_said(&said, 0, "ok    STATE_DIR: can be used");
	cr_expect_neq(access(ask_format("%s/check", responder_state_folder()), F_OK), 0, "nothing is left");
}

Test(operator, check_notes_what_is_less_safe_than_it_could_be)
{
	static const struct {
		const char *more;
		const char *part;
	} cases[] = {
	        {"TODO_ENV=development", "note  settings: TODO_ENV=development"},
	        {"JWT_ISSUER=none", "note  settings: JWT_ISSUER=none"},
	        {"JWT_AUDIENCE=none", "note  settings: JWT_AUDIENCE=none"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct said said = run(cases[i].more, "check");
		expect_said(&said, 0, cases[i].part);
	}
}

/* A neighbour's own server on that port, or behind that socket, could ask for the password in clear. */
Test(operator, check_notes_where_others_could_stand_in_for_the_database)
{
	if (geteuid() != 0)
		cr_skip_test("the cases take root for the socket's user");
	struct relay *relay = relay_start(postgres_folder());
	char *socket = postgres_url_in(relay->folder, "todo_app", database);
	const char *folder_at = strstr(socket, "@/");
	cr_assert_not_null(folder_at);
	const char *port = ask_format("%.*s@127.0.0.1:%d/%s", (int)(folder_at - socket), socket, relay->port, database);
	const char *named = ask_format("%s&requirepeer=root", socket);
	const char *misnamed = ask_format("%s&requirepeer=nobody", socket);
	const struct {
		const char *url;
		mode_t mode;
		int status;
		const char *part;
	} cases[] = {
	        {port, 0700, 0, "note  TLS: none, to 127.0.0.1 on this machine"},
	        {socket, 0700, 0, "ok    TLS: none is needed"},
	        {socket, 01777, 0, "note  TLS: everybody may write to "},
	        {named, 01777, 0, "ok    TLS: none is needed"},
	        {misnamed, 01777, 1, "BAD   database: "},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_assert_eq(chmod(relay->folder, cases[i].mode), 0);
		struct said said = run(ask_format("DATABASE_URL='%s'", cases[i].url), "check");
		expect_said(&said, cases[i].status, cases[i].part);
	}
	free(socket);
	relay_stop(relay);
}

/* ---- config and help ---------------------------------------------------- */

static const char *const names[] = {
#define SETTING(NAME, member, KIND, standard, low, high, help) #NAME,
#include "base/config.def"
#undef SETTING
};

Test(operator, config_shows_what_is_in_effect_and_no_secret)
{
	struct said said =
	        run("JWT_LEEWAY=7 CORS_ORIGINS=https://a.example JWKS_PROXY=http://me:" PRIVATE "@proxy.example/",
	            "config");
	expect_said(&said, 0, "\nJWT_LEEWAY=7\n");
	expect_said(&said, 0, "\nCORS_ORIGINS=https://a.example\n");
	expect_said(&said, 0, "\nBETTER_AUTH_SECRET=********\n");
	expect_said(&said, 0, "\nJWKS_PROXY=http://********@proxy.example/\n");
	expect_said(&said, 0, "\nJWT_SHARED_SECRET_ALG=HS256 (default)\n");
	expect_said(&said, 0, "\nBETTER_AUTH_PREVIOUS_SECRETS= (default)\n");
	cr_expect(!strstr(said.text, API_SECRET) && !strstr(said.text, PRIVATE) && !strstr(said.text, "postgresql"),
	          "%s", said.text);
	for (size_t i = 0; i < COUNT(names); i++)
		cr_expect(strncmp(said.text, names[i], strlen(names[i])) == 0 ||
		                  strstr(said.text, ask_format("\n%s=", names[i])),
		          "no %s", names[i]);
}

/* As libcurl takes it: the scheme may be missing, the last "@" ends the password. */
Test(operator, config_hides_a_proxys_password_however_it_is_written)
{
	static const char *const cases[][2] = {
	        {"me:" PRIVATE "@proxy.example:3128", "********@proxy.example:3128"},
	        {"http://me:a@" PRIVATE "@proxy.example", "http://********@proxy.example"},
	        {"socks5h://" PRIVATE "@proxy.example/x@y", "socks5h://********@proxy.example/x@y"},
	        {"proxy.example:3128", "proxy.example:3128"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct said said = run(ask_format("JWKS_PROXY=%s", cases[i][0]), "config");
		expect_said(&said, 0, ask_format("\nJWKS_PROXY=%s\n", cases[i][1]));
		cr_expect(!strstr(said.text, PRIVATE), "%s", said.text);
	}
	struct said said = run("JWT_ISSUER=accounts@issuer.example JWKS_FILE=/srv/a:b@c/keys", "config");
	expect_said(&said, 0, "\nJWT_ISSUER=accounts@issuer.example\n");
	expect_said(&said, 0, "\nJWKS_FILE=/srv/a:b@c/keys\n");
}

Test(operator, help_names_every_command_and_every_setting)
{
	static const char *const commands[] = {"check",   "doctor", "config", "settings", "keys",
	                                       "metrics", "export", "erase",  "revoke",   "token"};
	struct said said = run("", "--help");
	for (size_t i = 0; i < COUNT(commands); i++)
		expect_said(&said, 0, ask_format("\n  todoctl %s", commands[i]));
	for (size_t i = 0; i < COUNT(names); i++)
		expect_said(&said, 0, ask_format("\n  %s", names[i]));
}

/* ---- keys --------------------------------------------------------------- */

static const char *key_file(const char *text)
{
	const char *path = ask_format("%s/keys.json", responder_state_folder());
	umask(077);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
	return path;
}

Test(operator, keys_tells_where_keys_are_from_and_until_when_and_nothing_of_the_keys)
{
	struct issuer *one = issuer_new(ALG_EDDSA, "key-one");
	struct issuer *two = issuer_new(ALG_ES256, "key-two");
	struct issuer *same = issuer_new(ALG_ES256, "key-two");
	struct issuer *const all[] = {one, two};
	struct issuer *const disputed[] = {one, two, same};
	struct buf set = buf_make(1 << 16);
	issuer_jwks(all, 2, &set);
	const char *file = key_file(ask_keep(buf_view(&set)));
	struct said said = run(ask_format("JWKS_FILE='%s' JWT_SHARED_SECRET=1 "
	                                  "BETTER_AUTH_PREVIOUS_SECRETS=an-earlier-secret-0123456789abcdef"
	                                  " BETTER_AUTH_PREVIOUS_SECRETS_UNTIL=2099-01-01T00:00:00Z",
	                                  file),
	                       "keys");
	expect_said(&said, 0, "HS256     BETTER_AUTH_SECRET ");
	expect_said(&said, 0, "HS256     BETTER_AUTH_PREVIOUS_SECRETS  2099-01-01T00:00:00Z");
	cr_expect(strstr(said.text, "key-one ") && strstr(said.text, "EdDSA     JWKS_FILE"), "%s", said.text);
	cr_expect(strstr(said.text, "key-two ") && strstr(said.text, "ES256     JWKS_FILE"), "%s", said.text);
	cr_expect(!strstr(said.text, API_SECRET) && !strstr(said.text, "earlier-secret"), "%s", said.text);
	said = run(ask_format("JWKS_FILE='%s'", file), "keys");
	cr_expect(!strstr(said.text, "BETTER_AUTH_SECRET"), "the secret verifies nothing beside a key set:\n%s",
	          said.text);

	buf_reset(&set, 1 << 16);
	issuer_jwks(disputed, 3, &set);
	said = run(ask_format("JWKS_FILE='%s'", key_file(ask_keep(buf_view(&set)))), "keys");
	expect_said(&said, 0, "unused: another key has this kid");
	buf_destroy(&set);
	issuer_free(one);
	issuer_free(two);
	issuer_free(same);
}

Test(operator, keys_fails_where_there_is_none)
{
	struct said said = run("JWKS_URL=http://127.0.0.1:1/jwks JWKS_INSECURE_LOOPBACK=1", "keys");
	expect_said(&said, 1, "there is no key");
}

/* A key set, or whoever has the database's port, may want to do more than to be read. */
Test(operator, nothing_that_others_say_steers_the_terminal)
{
	char *nowhere = postgres_url("todo_app", "no%1B%5B31m%C2%9B31msuch");
	const struct said all[] = {
	        run(ask_format("DATABASE_URL='%s'", nowhere), "check"),
	        run(ask_format("DATABASE_URL='%s'", nowhere), "export anna"),
	        run(ask_format("OWNER_DATABASE_URL='%s'", nowhere), "revoke anna"),
	        run(ask_format("JWKS_FILE='%s'", key_file("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":"
	                                                  "\"a\\u001b[31m\\u009b31mkey\",\"x\":"
	                                                  "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}")),
	            "keys"),
	};
	expect_said(&all[0], 1, "BAD   database: ");
	expect_said(&all[0], 1, "no?[31m??31msuch");
	expect_said(&all[2], 1, "no?[31m??31msuch");
	expect_said(&all[3], 0, "a?[31m??31mkey ");
	for (size_t i = 0; i < COUNT(all); i++)
		cr_expect(!strpbrk(all[i].text, "\x1b\x9b"), "%s", all[i].text);
	free(nowhere);
}

/* ---- one user ----------------------------------------------------------- */

Test(operator, export_prints_what_the_user_would_get)
{
	account_fill(database, "anna", 3, 10);
	account_fill(database, "berta", 2, 10);
	struct said said = run("", "export anna");
	cr_assert_eq(said.status, 0, "%s", said.text);
	const cJSON *json = NULL;
	struct view text = view_of(said.text);
	cr_assert_eq(json_parse(ask_arena(), (struct view){text.ptr, text.len - 1}, &json), JSON_OK, "%s", said.text);
	cr_expect(view_equal(json_member_text(json, "user_id"), VIEW("anna")));
	cr_expect_eq(cJSON_GetArraySize(json_member(json, "tasks")), 3);
	cr_expect(!strstr(said.text, "berta"));
}

/* Started with descriptors closed, its own files would get their numbers, and the
 * document would be written into the file that it is read from. */
Test(operator, export_says_that_nobody_takes_its_output)
{
	static const char *const closed[] = {"<&- >&-", ">&-", ">/dev/full"};
	account_fill(database, "anna", 3, 10);
	for (size_t i = 0; i < COUNT(closed); i++) {
		struct said said = run("", ask_format("export anna 2>&1 %s || (exit $?)", closed[i]));
		expect_said(&said, 1, "todoctl export: the output can't be written");
	}
	struct said said = run("", "export anna <&- 2>&-");
	expect_said(&said, 0, "\"user_id\":\"anna\"");
}

Test(operator, export_says_that_there_is_no_room_for_it)
{
	account_fill(database, "anna", 3, 10);
	struct said said = run("sh -c 'ulimit -f 0; exec \"$0\" \"$@\"'", "export anna");
	expect_said(&said, 1, "todoctl export: STATE_DIR: there is no room");
}

Test(operator, erase_takes_the_users_name_twice)
{
	account_fill(database, "anna", 3, 10);
	account_fill(database, "berta", 2, 10);
	static const char *const wrong[] = {"erase anna", "erase anna --confirm berta", "erase anna --confirm", "erase",
	                                    "erase '' --confirm ''"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct said said = run("", wrong[i]);
		expect_said(&said, 2, "usage: todoctl erase");
	}
	cr_expect_str_eq(account_value(database, "SELECT count(*) FROM todo.task"), "5");
	struct said said = run("", "erase anna --confirm anna");
	expect_said(&said, 0, "3 tasks of that user are erased\n");
	cr_expect_str_eq(account_value(database, "SELECT string_agg(DISTINCT user_id, ',') FROM todo.task"), "berta");
	said = run("JWT_REVOCATION=1", "erase berta --confirm berta");
	expect_said(&said, 0, "tokens issued until now count no more");
	cr_expect_str_eq(account_value(database, "SELECT user_id FROM todo.revocation"), "berta");
}

Test(operator, revoke_takes_the_owner_and_is_seen_by_programs)
{
	char *owner = postgres_url("todo_owner", database);
	const char *token = account_token("anna", -1);
	struct responder *tasks = responder_start(
	        "tasks",
	        api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url), "JWT_REVOCATION=1", NULL}));
	const struct ask ask = {.target = "/api/anna/tasks", .token = token};
	cr_expect_eq(responder_ask(tasks, &ask)->status, 200);
	struct said said = run("", "revoke anna");
	expect_said(&said, 1, "OWNER_DATABASE_URL");
	said = run(ask_format("OWNER_DATABASE_URL='%s'", url), "revoke anna");
	cr_expect_eq(said.status, 1, "the programs' own role may not: %s", said.text);
	said = run("OWNER_DATABASE_URL='postgresql://%zz@/'", "revoke anna");
	expect_said(&said, 1, "todoctl revoke: OWNER_DATABASE_URL: not a connection string that libpq can read\n");
	cr_expect_eq(responder_ask(tasks, &ask)->status, 200);
	said = run(ask_format("OWNER_DATABASE_URL='%s' JWT_REVOCATION=1", owner), "revoke anna");
	expect_said(&said, 0, "tokens of that user issued up to 20");
	expect_problem(responder_ask(tasks, &ask), 401, "unauthorized", "the token of before");
	said = run(ask_format("OWNER_DATABASE_URL='%s'", owner), "revoke anna");
	expect_said(&said, 0, "JWT_REVOCATION is off here");
	free(owner);
}

Test(operator, commands_on_users_take_ids_as_they_are)
{
	account_fill(database, "o''brien \u00e9", 1, 1);
	struct said said = run("", "export \"o'brien \u00e9\"");
	expect_said(&said, 0, "\"user_id\":\"o'brien \u00e9\"");
	said = run("", "export \"$(printf 'a\\nb')\"");
	cr_expect_eq(said.status, 2);
}

/* ---- metrics and doctor ------------------------------------------------- */

Test(operator, metrics_prints_what_the_programs_counted)
{
	struct responder *tasks = responder_start("tasks", api_settings_for(url));
	const struct ask ask = {.target = "/api/anna/tasks", .token = api_token("anna")};
	cr_expect_eq(responder_ask(tasks, &ask)->status, 200);
	struct said said = run("", "metrics");
	expect_said(&said, 0, "# TYPE todo_requests_total counter\n");
	expect_said(&said, 0, "todo_requests_total{method=\"GET\",route=\"/api/{user_id}/tasks\",status=\"2xx\"} ");
}

/* Others' too: they may be what leaves no room. */
Test(operator, doctor_counts_the_connections_that_are_given_out)
{
	PGconn *others[3];
	long long given = -1;
	for (size_t i = 0; i < COUNT(others); i++)
		others[i] = postgres_connect("better_auth", "postgres");
	struct said said = run("", "doctor --processes 5 http://127.0.0.1:1/");
	const char *line =
	        strstr(said.text, "ok    connections: 5 processes hold one each, and the database lets todo_app have ");
	cr_assert(line && sscanf(strchr(line, ';'), "; %lld are given out now", &given) == 1, "%s", said.text);
	cr_expect_geq(given, (long long)COUNT(others));
	for (size_t i = 0; i < COUNT(others); i++)
		PQfinish(others[i]);
}

Test(operator, doctor_counts_no_more_connections_than_the_role_may_have)
{
	postgres_role("operator_few", "IN ROLE todo_app CONNECTION LIMIT 3");
	char *few = postgres_url("operator_few", database);
	const char *more = ask_format("DATABASE_URL='%s'", few);
	struct said said = run(more, "doctor --processes 3 http://127.0.0.1:1/");
	expect_said(&said, 1,
	            "ok    connections: 3 processes hold one each, and the database lets operator_few have 3;");
	said = run(more, "doctor --processes 4 http://127.0.0.1:1/");
	expect_said(&said, 1, "BAD   connections: 4 processes hold a connection each");
	postgres_role("operator_many", "IN ROLE todo_app CONNECTION LIMIT 100000");
	char *many = postgres_url("operator_many", database);
	said = run(ask_format("DATABASE_URL='%s'", many), "doctor --processes 99999 http://127.0.0.1:1/");
	expect_said(&said, 1, "BAD   connections: 99999 processes hold a connection each");
	free(few);
	free(many);
}

/* A server that has no such path often answers with a page and 200. */
Test(operator, doctor_says_what_an_issuer_gives_in_the_place_of_keys)
{
	static const struct {
		enum auth_server_manner manner;
		const char *body;
		const char *part;
	} cases[] = {
	        {AUTH_SERVER_OK, "<!doctype html><title>Sign in</title>",
	         "gives something else than a key set: a page"},
	        {AUTH_SERVER_OK, "{}", "gives something else than a key set\n"},
	        {AUTH_SERVER_NOT_FOUND, "", "gives no key set, but status 404"},
	};
	struct auth_server server = auth_server_start(NULL, NULL);
	const char *more = ask_format("JWKS_URL=%s JWKS_INSECURE_LOOPBACK=1", server.url);
	for (size_t i = 0; i < COUNT(cases); i++) {
		auth_server_serve(&server, cases[i].manner, view_of(cases[i].body));
		struct said said = run(more, "doctor http://127.0.0.1:1/");
		expect_said(&said, 1, ask_format("BAD   issuer: %s %s", server.url, cases[i].part));
	}
	auth_server_stop(&server);
}

Test(operator, doctor_says_when_nobody_is_there)
{
	struct said said = run("", "doctor --processes 5 http://127.0.0.1:1/");
	expect_said(&said, 1, "BAD   server: http://127.0.0.1:1 can't be asked: ");
	expect_said(&said, 1, "ok    connections: 5 processes");
	said = run("", "doctor --processes 99999 http://127.0.0.1:1/");
	expect_said(&said, 1, "BAD   connections: 99999 processes hold a connection each");
	said = run("DATABASE_URL='postgresql://%zz@/'", "doctor http://127.0.0.1:1/");
	expect_said(&said, 1, "BAD   database: DATABASE_URL: not a connection string that libpq can read\n");
}

Test(operator, doctor_judges_a_token)
{
	const char *path = ask_format("%s/token", responder_state_folder());
	const char *good = api_token("anna");
	const struct {
		const char *token;
		const char *part;
	} cases[] = {
	        {good, "ok    token: is good for"},
	        {account_token("anna", 3600), "BAD   token: is from the future"},
	        {api_signed("{\"alg\":\"HS256\",\"kid\":\"gone\"}", "{\"sub\":\"anna\"}"),
	         "BAD   token: its kid is in no key source here"},
	        {api_token_of("{\"sub\":\"anna\",\"iss\":\"https://x.example\",\"aud\":\"" API_ORIGIN
	                      "\",\"exp\":4000000000}"),
	         "BAD   token: is for another application"},
	        {ask_format("%.*sAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", (int)strlen(good) - 43, good),
	         "BAD   token: is signed with another key or secret, or forged (bad_signature)"},
	        {"x.y.z", "BAD   token: is refused here: bad_base64url (docs/operations.md"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		FILE *file = fopen(path, "w");
		cr_assert_not_null(file);
		fprintf(file, "%s\n", cases[i].token);
		fclose(file);
		struct said said = run("", ask_format("doctor --token-file '%s' http://127.0.0.1:1", path));
		expect_said(&said, 1, cases[i].part);
		cr_expect(!strstr(said.text, cases[i].token));
	}
}

Test(operator, wrong_use_is_explained)
{
	static const char *const cases[] = {"doctor",
	                                    "doctor nonsense",
	                                    "doctor --processes x http://a.example",
	                                    "doctor http://a.example more",
	                                    "doctor --token-file /nowhere http://a.example",
	                                    "check all",
	                                    "config all",
	                                    "keys all",
	                                    "metrics all",
	                                    "export",
	                                    "export a b",
	                                    "revoke",
	                                    "revoke a b"};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct said said = run("", cases[i]);
		expect_said(&said, 2, "usage: todoctl ");
	}
}
