/* Where the database is, and that TLS off the machine cannot be talked away. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "db/address.h"
#include "support/leaks.h"

#define CA_FILE "/dev/null" /* can be read; its contents are libpq's matter */

static void forget_environment(void)
{
	static const char *const names[] = {"PGHOST",
	                                    "PGHOSTADDR",
	                                    "PGSERVICE",
	                                    "PGSSLMODE",
	                                    "PGSSLROOTCERT",
	                                    "PGGSSENCMODE",
	                                    "PGSSLMINPROTOCOLVERSION",
	                                    "PGPORT",
	                                    "PGUSER",
	                                    "PGPASSWORD"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unsetenv(names[i]);
}

TestSuite(address, .init = forget_environment, .fini = leaks_check);

static struct config config_of(const char *url)
{
	return (struct config){.database_url = view_of(url),
	                       .database_tls = VIEW("verify"),
	                       .database_ca_file = VIEW(CA_FILE),
	                       .database_timeout = 10};
}

/* The value of an option, or what went wrong; lives until the next call. */
static const char *option_of(const struct config *config, const char *keyword)
{
	static char text[1024];
	struct address address;
	struct buf error = buf_make(1024);
	if (address_make(config, &address, &error)) {
		const char *value = address_option(&address, keyword);
		snprintf(text, sizeof text, "%s", value ? value : "(none)");
		address_destroy(&address);
	} else {
		snprintf(text, sizeof text, "error: %.*s", VIEW_ARGS(buf_view(&error)));
	}
	buf_destroy(&error);
	return text;
}

static void expect_option(const char *url, const char *keyword, const char *value)
{
	struct config config = config_of(url);
	const char *found = option_of(&config, keyword);
	cr_expect_str_eq(found, value, "%s of %s is %s, not %s", keyword, url, found, value);
}

Test(address, stays_as_it_is_said_on_this_machine)
{
	static const char *const urls[] = {
	        "postgresql://u@/d?host=/run/postgresql",
	        "postgresql://u@%2Frun%2Fpostgresql/d",
	        "host=@abstract",
	        "postgresql://u@localhost/d",
	        "postgresql://u@127.0.0.1/d",
	        "postgresql://u@127.8.9.10:5433/d",
	        "postgresql://u@[::1]/d",
	        "postgresql://u@localhost,127.0.0.1,[::1]/d",
	        "host=db.example hostaddr=127.0.0.1",
	        "postgresql:///d",
	        "host=,127.0.0.1", /* the first one is libpq's own socket folder */
	        "host=127.0.0.1,",
	};
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
		expect_option(urls[i], "sslmode", "prefer");
}

Test(address, raises_tls_to_verify_full_off_the_machine)
{
	static const char *const urls[] = {
	        "postgresql://u@db.example/d",
	        "postgres://u@db.example/d",
	        "postgresql://u@db.example/d?sslmode=disable",
	        "postgresql://u@db.example/d?sslmode=require",
	        "postgresql://u@db.example/d?sslmode=verify-ca&sslrootcert=/tmp/mine",
	        "host=db.example sslmode=prefer",
	        "postgresql://u@10.0.0.1/d",
	        "postgresql://u@[2001:db8::1]/d",
	        "postgresql://u@[fe80::1]/d",
	        /* One of several is enough. */
	        "postgresql://u@localhost,db.example/d",
	        "host=/run/postgresql,10.0.0.1",
	        /* hostaddr is where packets go, whatever the name. */
	        "host=localhost hostaddr=10.0.0.1",
	        "host=/run/postgresql hostaddr=10.0.0.1",
	        "host=localhost,localhost hostaddr=127.0.0.1,10.0.0.1",
	        "hostaddr=10.0.0.1",
	        "host=localhost hostaddr=127.0.0.1,10.0.0.1",
	        /* Longer than any number of an address, and as long as the longest and its NUL. */
	        "postgresql://u@ep-cool-darkness-123456-pooler.us-east-2.aws.neon.example/d",
	        "postgresql://u@ep-cool-darkness-12345-pooler.eu-2.aws.example/d",
	        /* Looks like loopback, and is not for sure. */
	        "postgresql://u@localhost.example/d",
	        "postgresql://u@127.0.0.1.example/d",
	        "postgresql://u@127.1/d",
	        "postgresql://u@LOCALHOST/d",
	        "postgresql://u@128.0.0.1/d",
	        "postgresql://u@[::2]/d",
	        "postgresql://u@[::ffff:10.0.0.1]/d",
	        "postgresql://u@0/d",
	};
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		expect_option(urls[i], "sslmode", "verify-full");
		expect_option(urls[i], "sslrootcert", CA_FILE);
		expect_option(urls[i], "gssencmode", "disable");
	}
}

/* libpq's own default lies in the home of the process, which may be nobody's. */
Test(address, verifies_by_our_file_where_the_url_names_none)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "db.example"};
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		char url[256];
		struct config config = config_of("");
		config.database_tls = VIEW("insecure");
		snprintf(url, sizeof url, "postgresql://u@%s/d?sslmode=verify-full", hosts[i]);
		config.database_url = view_of(url);
		cr_expect_str_eq(option_of(&config, "sslrootcert"), CA_FILE, "%s", url);
		cr_expect_str_eq(option_of(&config, "sslmode"), "verify-full", "%s", url);
		snprintf(url, sizeof url, "postgresql://u@%s/d?sslmode=verify-ca&sslrootcert=/mine", hosts[i]);
		config.database_url = view_of(url);
		cr_expect_str_eq(option_of(&config, "sslrootcert"), "/mine", "%s", url);
		snprintf(url, sizeof url, "postgresql://u@%s/d?sslmode=require", hosts[i]);
		config.database_url = view_of(url);
		cr_expect_str_eq(option_of(&config, "sslrootcert"), "(none)", "%s", url);
	}
}

Test(address, the_environment_cannot_weaken_it)
{
	setenv("PGSSLMODE", "disable", 1);
	setenv("PGSSLROOTCERT", "/tmp/mine", 1);
	setenv("PGGSSENCMODE", "require", 1);
	setenv("PGSSLMINPROTOCOLVERSION", "TLSv1", 1);
	expect_option("postgresql://u@db.example/d", "sslmode", "verify-full");
	expect_option("postgresql://u@db.example/d", "sslrootcert", CA_FILE);
	expect_option("postgresql://u@db.example/d", "gssencmode", "disable");
	expect_option("postgresql://u@db.example/d", "ssl_min_protocol_version", "TLSv1.2");
}

Test(address, the_environment_cannot_lead_a_local_address_away_unseen)
{
	setenv("PGHOST", "db.example", 1);
	expect_option("postgresql:///d", "host", "db.example");
	expect_option("postgresql:///d", "sslmode", "verify-full");
	expect_option("postgresql://u@localhost/d", "sslmode", "prefer");
	expect_option("host='' user=u", "host", "db.example");
	expect_option("host='' user=u", "sslmode", "verify-full");
	setenv("PGHOSTADDR", "10.0.0.1", 1);
	expect_option("postgresql://u@localhost/d", "hostaddr", "10.0.0.1");
	expect_option("postgresql://u@localhost/d", "sslmode", "verify-full");
}

Test(address, a_service_file_is_refused)
{
	expect_option("postgresql:///d?service=other", "host",
	              "error: DATABASE_URL: a service file (also PGSERVICE) is not used; write the address itself");
	setenv("PGSERVICE", "", 1);
	expect_option("postgresql://u@localhost/d", "host", "localhost");
	setenv("PGSERVICE", "other", 1);
	cr_expect_eq(strncmp(option_of(&(struct config){.database_url = VIEW("postgresql://u@localhost/d")}, "host"),
	                     "error: ", 7),
	             0);
}

Test(address, opting_out_takes_the_word)
{
	struct config config = config_of("postgresql://u@db.example/d?sslmode=require");
	config.database_tls = VIEW("insecure");
	cr_expect_str_eq(option_of(&config, "sslmode"), "require");
	config.database_tls = VIEW("verify");
	cr_expect_str_eq(option_of(&config, "sslmode"), "verify-full");
}

Test(address, our_own_setting_wins)
{
	struct config config = config_of("postgresql://owner@localhost/d");
	config.todo_database_url = VIEW("postgresql://app@localhost/d");
	cr_expect_str_eq(option_of(&config, "user"), "app");
	config.todo_database_url = VIEW("x");
	cr_expect_str_eq(option_of(&config, "user"),
	                 "error: TODO_DATABASE_URL: not a connection string that libpq can read");
	config.todo_database_url = VIEW("");
	cr_expect_str_eq(option_of(&config, "user"), "owner");
}

Test(address, none_set_is_an_error)
{
	struct config config = {.database_timeout = 10};
	cr_expect_str_eq(option_of(&config, "user"), "error: DATABASE_URL: not set, nor is TODO_DATABASE_URL");
}

Test(address, an_error_names_the_setting_and_never_the_value)
{
	static const char *const urls[] = {
	        "postgresql://u:topsecret@[::1/d",
	        "postgresql://u:topsecret@localhost/d?nonsense=1",
	        "mysql://u:topsecret@localhost/d",
	        "password=topsecret nonsense",
	        "password='topsecret",
	};
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		expect_option(urls[i], "host", "error: DATABASE_URL: not a connection string that libpq can read");
		struct config config = {.todo_database_url = view_of(urls[i])};
		cr_expect_str_eq(option_of(&config, "host"),
		                 "error: TODO_DATABASE_URL: not a connection string that libpq can read");
	}
}

/* libpq finds them when it connects, and calls it the server's fault. */
Test(address, values_that_an_option_does_not_have_are_refused_at_once)
{
	static const struct {
		const char *options;
		const char *error; /* NULL: none */
	} cases[] = {
	        {"sslmode=off", "error: DATABASE_URL: sslmode is none of "
	                        "disable, allow, prefer, require, verify-ca, verify-full"},
	        {"sslmode=Require", "error: DATABASE_URL: sslmode is none of "
	                            "disable, allow, prefer, require, verify-ca, verify-full"},
	        {"target_session_attrs=master", "error: DATABASE_URL: target_session_attrs is none of "
	                                        "any, read-write, read-only, primary, standby, prefer-standby"},
	        {"channel_binding=on", "error: DATABASE_URL: channel_binding is none of disable, prefer, require"},
	        {"sslmode=disable", NULL},
	        {"sslmode=verify-ca", NULL},
	        {"target_session_attrs=prefer-standby", NULL},
	        {"channel_binding=require", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char url[200];
		snprintf(url, sizeof url, "postgresql://u@localhost/d?%s", cases[i].options);
		expect_option(url, "host", cases[i].error ? cases[i].error : "localhost");
	}
	/* Off the machine the word is ours. */
	expect_option("postgresql://u@db.example/d?sslmode=off", "sslmode", "verify-full");
}

Test(address, certificates_must_be_readable_where_they_are_needed)
{
	struct config config = config_of("postgresql://u@db.example/d");
	config.database_ca_file = VIEW("/nonexistent");
	cr_expect_str_eq(
	        option_of(&config, "host"),
	        "error: TODO_DATABASE_CA_FILE: can't be read, and the database's certificate is to be verified");
	config.database_url = VIEW("postgresql://u@localhost/d");
	cr_expect_str_eq(option_of(&config, "host"), "localhost");
}

Test(address, keeps_what_the_url_says_besides)
{
	const char *url = "postgresql://u:p%40ss@db.example:6543/d?options=endpoint%3Dx&application_name=mine"
	                  "&connect_timeout=3&tcp_user_timeout=77";
	expect_option(url, "user", "u");
	expect_option(url, "password", "p@ss");
	expect_option(url, "port", "6543");
	expect_option(url, "dbname", "d");
	expect_option(url, "options", "endpoint=x");
	expect_option(url, "application_name", "mine");
	expect_option(url, "tcp_user_timeout", "77");
}

/* libpq would find a bad one at each connect only. */
Test(address, takes_ports_that_there_are)
{
	static const char bad[] = "error: DATABASE_URL: the port must be a number from 1 to 65535";
	static const struct {
		const char *url;
		const char *port;
	} cases[] = {
	        {"postgresql://u@localhost:1/d", "1"},
	        {"postgresql://u@localhost:65535/d", "65535"},
	        {"host=localhost,127.0.0.1 port=5432,5433", "5432,5433"},
	        {"host=localhost,127.0.0.1 port=5433,", "5433,"}, /* the second one's is the default */
	        {"host=localhost port=0", bad},
	        {"host=localhost port=65536", bad},
	        {"host=localhost port=-1", bad},
	        {"host=localhost port=5432x", bad},
	        {"host=localhost,127.0.0.1 port=5432,0", bad},
	        {"host=localhost,127.0.0.1 port=0,5432", bad},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_option(cases[i].url, "port", cases[i].port);
}

Test(address, a_silent_server_leaves_half_of_the_time_for_the_next)
{
	expect_option("postgresql://u@localhost,127.0.0.1/d", "tcp_user_timeout", "5000");
}

Test(address, says_who_it_is_and_speaks_utf8)
{
	setenv("PGCLIENTENCODING", "LATIN1", 1);
	expect_option("postgresql://u@localhost/d?client_encoding=LATIN1", "client_encoding", "UTF8");
	expect_option("postgresql://u@localhost/d", "fallback_application_name", "todo-fcgi");
}
