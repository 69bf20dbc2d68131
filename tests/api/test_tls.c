/* TLS to a PostgreSQL on another machine: the name and the authority of its certificate decide, and nothing in the
 * address talks that away.
 *
 * The program has a network of its own, in which a real server listens at an address that is not loopback, and a hosts
 * file that gives it two names. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/operator.h"
#include "support/account.h"
#include "support/auth_folder.h"
#include "support/certificate.h"
#include "support/machine.h"
#include "support/postgres.h"

#define SERVER "db.example"
#define ALIAS "other.example"
#define ADDRESS "192.0.2.1" /* RFC 5737 */
#define HAVE_MACHINE "TEST_TLS_MACHINE"
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

static bool build_machine(void)
{
	return machine_own_files() && machine_own_network() && machine_add_address(1, ADDRESS) &&
	       machine_replace_file("/etc/hosts",
	                            VIEW("127.0.0.1 localhost\n" ADDRESS " " SERVER "\n" ADDRESS " " ALIAS "\n"));
}

/* The server lets everybody in from there, by password, with TLS or without: what is left to refuse is the client's. */
static bool admit_by_network(void)
{
	char path[256];
	snprintf(path, sizeof path, "%s/data/pg_hba.conf", postgres_folder());
	FILE *file = fopen(path, "a");
	bool written = file && fputs("host all all " ADDRESS "/32 scram-sha-256\n", file) >= 0;
	return file && fclose(file) == 0 && written;
}

ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
	(void)set;
	if (!build_machine())
		return;
	postgres_start_listening("127.0.0.1," ADDRESS);
	if (admit_by_network())
		setenv(HAVE_MACHINE, "1", 1);
}

static struct auth_folder folder = {.fd = -1};
static PGconn *turn;
static struct certificate authority;
static struct certificate foreign;
static const char *database;

/* Tests change the one server's certificate, so each waits for its turn. */
static void setup(void)
{
	if (!getenv(HAVE_MACHINE))
		cr_skip_test("only root can make namespaces");
	folder = auth_folder_make();
	turn = postgres_connect("postgres", "postgres");
	PQclear(PQexec(turn, "SELECT pg_advisory_lock(2)"));
	authority = certificate_make(folder.path, "authority", &(struct certificate_ask){0});
	foreign = certificate_make(folder.path, "foreign", &(struct certificate_ask){0});
	database = api_name("tls");
	postgres_database(database);
}

static void teardown(void)
{
	PQfinish(turn);
	auth_folder_remove(&folder);
	api_end();
}

TestSuite(tls, .init = setup, .fini = teardown, .timeout = 240);

/* ---- the server ---- */

/* Copies a file to where the server finds it, and gives it to the server. */
static const char *lend(const char *path)
{
	struct stat owner;
	char text[16 * 1024];
	const char *copy = api_path("tls");
	int from = open(path, O_RDONLY | O_CLOEXEC);
	int to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t len = read(from, text, sizeof text);
	cr_assert(len > 0 && write(to, text, (size_t)len) == len);
	cr_assert(stat(postgres_folder(), &owner) == 0 && fchown(to, owner.st_uid, owner.st_gid) == 0);
	close(from);
	close(to);
	return copy;
}

static bool has_reloaded(void *context)
{
	char *reloaded = postgres_value("postgres", "postgres", context);
	bool is = reloaded[0] == 't';
	free(reloaded);
	return is;
}

static void reload(void)
{
	char *before = postgres_value("postgres", "postgres", "SELECT pg_conf_load_time()");
	char *sql = ask_keep(view_of(ask_format("SELECT pg_conf_load_time() > '%s'", before)));
	free(before);
	postgres_run("postgres", "postgres", "SELECT pg_reload_conf()");
	until(has_reloaded, sql, "the server has read its settings again");
}

/* From now on the server has that certificate; NULL: it speaks no TLS. */
static void serve(const struct certificate *certificate)
{
	if (certificate) {
		postgres_run("postgres", "postgres",
		             ask_format("ALTER SYSTEM SET ssl_cert_file = '%s'", lend(certificate->file)));
		postgres_run("postgres", "postgres",
		             ask_format("ALTER SYSTEM SET ssl_key_file = '%s'", lend(certificate->key)));
	}
	postgres_run("postgres", "postgres", ask_format("ALTER SYSTEM SET ssl = %s", certificate ? "on" : "off"));
	reload();
}

static struct certificate make(const char *name, const char *names)
{
	return certificate_make(folder.path, name, &(struct certificate_ask){.names = names, .issuer = &authority});
}

/* ---- the client ---- */

#define TRUST ask_format("TODO_DATABASE_CA_FILE=%s", authority.file)
#define TRUST_FOREIGN ask_format("TODO_DATABASE_CA_FILE=%s", foreign.file)
#define INSECURE "TODO_DATABASE_TLS=insecure"

/* A program whose database is at that host, with these options in the address and that further setting. */
static struct responder *start(const char *program, const char *host, const char *options, const char *more)
{
	char *url = postgres_url_in(host, "todo_app", database);
	const char *const settings[] = {ask_format("DATABASE_URL=%s%s", url, options), more, NULL};
	free(url);
	return responder_start(program, api_settings(settings));
}

static const struct answer *list(struct responder *tasks)
{
	struct ask ask = {.target = "/api/anna/tasks", .token = api_token("anna")};
	return responder_ask(tasks, &ask);
}

/* What the server itself says of the connection that a program holds. */
static void expect_served(const char *host, const char *options, const char *more, bool encrypted)
{
	struct responder *tasks = start("tasks", host, options, more);
	const struct answer *answer = list(tasks);
	cr_expect_eq(answer->status, 200, "%s%s %s: %d %.*s", host, options, more, answer->status,
	             VIEW_ARGS(responder_log(tasks)));
	cr_expect_str_eq(account_value(database, "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
	                                         " WHERE usename = 'todo_app' AND datname = current_database()"),
	                 encrypted ? "t" : "f", "%s%s %s", host, options, more);
	cr_expect_eq(responder_stop(tasks), 0);
	/* The next one's connection must be the only one to be seen. */
	postgres_wait_for("postgres", database, "SELECT count(*) = 0 " POSTGRES_BACKENDS);
}

static void expect_refused(const char *host, const char *options, const char *more, const char *why)
{
	struct responder *tasks = start("tasks", host, options, more);
	const struct answer *answer = list(tasks);
	expect_problem(answer, 503, "database_unavailable", why);
	cr_expect(answer_header(answer, "Retry-After").len > 0, "%s", why);
	struct view log = responder_log(tasks);
	cr_expect_not_null(memmem(log.ptr, log.len, "connecting failed while agreeing on TLS", 39), "%s: %.*s", why,
	                   VIEW_ARGS(log));
	cr_expect_null(memmem(log.ptr, log.len, host, strlen(host)), "%s: %.*s", why, VIEW_ARGS(log));
}

/* ---- what is believed ---- */

Test(tls, believes_a_server_whose_name_its_authority_vouches_for)
{
	struct certificate server = make("server", "DNS:" SERVER ",IP:" ADDRESS);
	serve(&server);
	expect_served(SERVER, "", TRUST, true);
	expect_served(ADDRESS, "", TRUST, true);
	expect_served(SERVER, "&hostaddr=" ADDRESS, TRUST, true);
	/* It is sought at several places, and found at the second. */
	expect_served(SERVER "," SERVER, "&port=1,5432", TRUST, true);
	struct responder *health = start("health", SERVER, "", TRUST);
	cr_expect_eq(responder_ask(health, &(struct ask){.target = "/ready"})->status, 200);
}

/* TODO_DATABASE_CA_FILE is the system's where nobody says otherwise. */
Test(tls, believes_the_authorities_of_the_system_unless_told_otherwise)
{
	struct certificate server = make("server", "DNS:" SERVER);
	char text[16 * 1024];
	serve(&server);
	expect_refused(SERVER, "", "JWT_LEEWAY=30", "an authority that this system does not know");
	int fd = open(authority.file, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof text);
	close(fd);
	cr_assert(len > 0 && machine_own_files() &&
	          machine_replace_file(SYSTEM_CA_FILE, (struct view){text, (size_t)len}));
	expect_served(SERVER, "", "JWT_LEEWAY=30", true);
}

/* ---- what is not ---- */

Test(tls, refuses_a_server_of_another_name)
{
	struct certificate server = make("server", "DNS:" SERVER);
	serve(&server);
	expect_refused(ALIAS, "", TRUST, "another name");
	expect_refused(ADDRESS, "", TRUST, "a number that the certificate does not have");
	expect_refused(ALIAS, "&hostaddr=" ADDRESS, TRUST, "another name, by its number");
	/* The common name of a subject counts no more where there are names of the right kind (RFC 6125 §6.4.4). */
	struct certificate common = certificate_make(
	        folder.path, "common",
	        &(struct certificate_ask){.names = "DNS:" ALIAS, .common_name = SERVER, .issuer = &authority});
	serve(&common);
	expect_refused(SERVER, "", TRUST, "named by its common name alone");
	struct certificate longer = make("longer", "DNS:" SERVER ".attacker.example,DNS:a." SERVER ",DNS:*." SERVER);
	serve(&longer);
	expect_refused(SERVER, "", TRUST, "names that hold the right one");
}

Test(tls, refuses_an_authority_that_is_none_of_ours)
{
	struct certificate server = certificate_make(
	        folder.path, "server", &(struct certificate_ask){.names = "DNS:" SERVER, .issuer = &foreign});
	struct certificate self =
	        certificate_make(folder.path, "self", &(struct certificate_ask){.names = "DNS:" SERVER});
	/* A certificate of ours is no authority to make others with. */
	struct certificate ours = make("ours", "DNS:" ALIAS);
	struct certificate minted = certificate_make(
	        folder.path, "minted", &(struct certificate_ask){.names = "DNS:" SERVER, .issuer = &ours});
	serve(&server);
	expect_refused(SERVER, "", TRUST, "a foreign authority");
	expect_refused(SERVER, ask_format("&sslrootcert=%s", foreign.file), TRUST, "one that the address trusts");
	expect_served(SERVER, "", TRUST_FOREIGN, true);
	serve(&self);
	expect_refused(SERVER, "", TRUST, "its own authority");
	serve(&minted);
	expect_refused(SERVER, "", TRUST, "a server that plays authority");
}

Test(tls, refuses_a_certificate_out_of_its_time)
{
	const struct certificate_ask expired = {
	        .names = "DNS:" SERVER, .issuer = &authority, .from = -7200, .until = -60};
	const struct certificate_ask early = {
	        .names = "DNS:" SERVER, .issuer = &authority, .from = 3600, .until = 7200};
	struct certificate server = certificate_make(folder.path, "expired", &expired);
	serve(&server);
	expect_refused(SERVER, "", TRUST, "expired");
	struct responder *health = start("health", SERVER, "", TRUST);
	expect_problem(responder_ask(health, &(struct ask){.target = "/ready"}), 503, "database_unavailable", "/ready");
	server = certificate_make(folder.path, "early", &early);
	serve(&server);
	expect_refused(SERVER, "", TRUST, "not yet valid");
}

/* libpq says no more than that it is refused: an operator at night needs the next step. */
Test(tls, an_operator_is_told_what_a_refused_certificate_can_be)
{
	const struct certificate_ask expired = {
	        .names = "DNS:" SERVER, .issuer = &authority, .from = -7200, .until = -60};
	struct certificate server = certificate_make(folder.path, "expired", &expired);
	char *url = postgres_url_in(SERVER, "todo_app", database);
	char *environment[] = {(char *)"TODO_ENV_FILE=", ask_format("DATABASE_URL=%s", url), TRUST, NULL};
	const struct config_source source = {environment, ABSENT};
	struct buf error = buf_make(4096);
	struct config config;
	struct operator_facts facts;
	cr_assert(config_load(&source, &config, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	serve(&server);
	cr_expect_not(operator_read_facts(&config, &facts, &error));
	cr_expect(error.len > 0 && memmem(error.ptr, error.len,
	                                  "it has expired, or its authority is not in "
	                                  "TODO_DATABASE_CA_FILE; openssl s_client -starttls",
	                                  92),
	          "%.*s", VIEW_ARGS(buf_view(&error)));
	config_release(&config);
	buf_destroy(&error);
	free(url);
}

/* Whoever stands in between may say that the server knows no TLS. */
Test(tls, refuses_a_server_that_speaks_none)
{
	serve(NULL);
	expect_refused(SERVER, "", TRUST, "no TLS");
	expect_refused(SERVER, "&sslmode=disable", TRUST, "no TLS, and none asked for");
	expect_refused(SERVER, "&sslmode=allow", TRUST, "no TLS, and none asked for");
}

Test(tls, takes_no_less_because_the_address_asks_for_less)
{
	static const char *const modes[] = {"disable", "allow", "prefer", "require", "verify-ca"};
	struct certificate server = make("server", "DNS:" SERVER);
	serve(&server);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		const char *options = ask_format("&sslmode=%s", modes[i]);
		expect_refused(ALIAS, options, TRUST, modes[i]);
		expect_served(SERVER, options, TRUST, true);
	}
}

/* ---- what is left to the operator ---- */

Test(tls, opting_out_takes_the_word_insecure)
{
	const struct certificate_ask expired = {
	        .names = "DNS:" SERVER, .issuer = &foreign, .from = -7200, .until = -60};
	struct certificate server = certificate_make(folder.path, "expired", &expired);
	serve(&server);
	expect_served(ALIAS, "", INSECURE, true);
	expect_served(ALIAS, "&sslmode=disable", INSECURE, false);
	expect_served(ALIAS, "&sslmode=require", INSECURE, true);
	serve(NULL);
	expect_served(SERVER, "", INSECURE, false);
}

/* On this machine there is nothing in between, but what the address asks for holds. */
Test(tls, on_loopback_holds_what_the_address_asks_for)
{
	struct certificate server = make("server", "DNS:" SERVER);
	const char *verify = ask_format("&sslmode=verify-full&sslrootcert=%s", authority.file);
	const char *verify_foreign = ask_format("&sslmode=verify-full&sslrootcert=%s", foreign.file);
	serve(&server);
	expect_served("localhost", "", TRUST, true);
	expect_served("127.0.0.1", "&sslmode=disable", TRUST, false);
	expect_refused("localhost", verify, TRUST, "another name");
	expect_refused("127.0.0.1", verify, TRUST, "a number that the certificate does not have");
	/* Whoever has the number has no name yet: a tunnel to the server. */
	expect_served(SERVER, ask_format("&hostaddr=127.0.0.1%s", verify), TRUST, true);
	expect_refused(SERVER, ask_format("&hostaddr=127.0.0.1%s", verify_foreign), TRUST, "a foreign authority");
	server = make("local", "DNS:localhost,IP:127.0.0.1");
	serve(&server);
	expect_served("localhost", verify, TRUST, true);
	expect_served("127.0.0.1", verify, TRUST, true);
	expect_served("localhost", "&sslmode=verify-full", TRUST, true);
	expect_refused("localhost", "&sslmode=verify-full", TRUST_FOREIGN, "a foreign authority, by the setting");
	expect_refused("localhost", verify_foreign, TRUST, "a foreign authority");
}
