/* Settles where the database is, and raises TLS to verify-full off the machine. */
#include "db/address.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void conninfo_release(PQconninfoOption **options)
{
	PQconninfoFree(*options);
}

#define CONNINFO __attribute__((cleanup(conninfo_release))) PQconninfoOption *

const char *address_option(const struct address *address, const char *keyword)
{
	for (size_t i = 0; i < address->count; i++)
		if (strcmp(address->keywords[i], keyword) == 0)
			return address->values[i];
	return NULL;
}

/* `keyword` must live as long as the process. */
static bool address_set(struct address *address, const char *keyword, const char *value)
{
	size_t i = 0;
	while (i < address->count && strcmp(address->keywords[i], keyword) != 0)
		i++;
	if (i == ADDRESS_OPTIONS_MAX)
		return false;
	char *copy = strdup(value);
	if (!copy)
		return false;
	free(address->values[i]);
	address->keywords[i] = keyword;
	address->values[i] = copy;
	if (i == address->count)
		address->count++;
	return true;
}

void address_destroy(struct address *address)
{
	for (size_t i = 0; i < address->count; i++) {
		explicit_bzero(address->values[i], strlen(address->values[i]));
		free(address->values[i]);
	}
	*address = (struct address){0};
}

/* libpq lists its options in one order, and keywords are constants of the
 * library, unlike the array that holds them. */
static bool merge(struct address *address, const PQconninfoOption *stated, const PQconninfoOption *standard)
{
	for (; stated->keyword; stated++, standard++) {
		const char *value = stated->val && stated->val[0] ? stated->val : standard->val;
		if (value && value[0] && !address_set(address, stated->keyword, value))
			return false;
	}
	return true;
}

static bool is_loopback_number(const char *text)
{
	struct in_addr four;
	struct in6_addr six;
	if (inet_pton(AF_INET, text, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* One place of libpq's host and hostaddr lists; hostaddr is where packets go. */
static bool is_on_this_machine(struct view host, struct view hostaddr)
{
	struct view where = hostaddr.len > 0 ? hostaddr : host;
	char text[INET6_ADDRSTRLEN];
	if (where.len == 0)
		return true; /* libpq's own socket folder */
	if (hostaddr.len == 0 && (host.ptr[0] == '/' || host.ptr[0] == '@' || view_equal(host, VIEW("localhost"))))
		return true;
	if (where.len >= sizeof text)
		return false;
	memcpy(text, where.ptr, where.len);
	text[where.len] = '\0';
	return is_loopback_number(text);
}

static bool leaves_the_machine(const struct address *address)
{
	struct view hosts = view_of(address_option(address, "host"));
	struct view addresses = view_of(address_option(address, "hostaddr"));
	while (!view_is_absent(hosts) || !view_is_absent(addresses)) {
		struct view host = view_is_absent(hosts) ? ABSENT : view_cut(&hosts, ',');
		struct view hostaddr = view_is_absent(addresses) ? ABSENT : view_cut(&addresses, ',');
		if (!is_on_this_machine(host, hostaddr))
			return true;
	}
	return false;
}

/* libpq would find a bad one at each connect, and call it the database's fault. */
static bool has_good_ports(const struct address *address)
{
	uint64_t number;
	for (struct view ports = view_of(address_option(address, "port")); !view_is_absent(ports);) {
		struct view port = view_cut(&ports, ',');
		if (port.len > 0 && (!view_to_u64(port, 65535, &number) || number == 0))
			return false;
	}
	return true;
}

static bool is_among(struct view value, struct view words)
{
	while (!view_is_absent(words))
		if (view_equal(view_trim(view_cut(&words, ',')), value))
			return true;
	return false;
}

/* The same of options that have a few words for values. */
static bool has_good_words(const struct address *address, struct view setting, struct buf *error)
{
	static const struct {
		const char *keyword;
		const char *words;
	} options[] = {
	        {"sslmode", "disable, allow, prefer, require, verify-ca, verify-full"},
	        {"target_session_attrs", "any, read-write, read-only, primary, standby, prefer-standby"},
	        {"channel_binding", "disable, prefer, require"},
	};
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		struct view value = view_of(address_option(address, options[i].keyword));
		if (view_is_absent(value) || is_among(value, view_of(options[i].words)))
			continue;
		buf_add(error, setting);
		BUF_LIT(error, ": ");
		buf_add(error, view_of(options[i].keyword));
		BUF_LIT(error, " is none of ");
		buf_add(error, view_of(options[i].words));
		return false;
	}
	return true;
}

static bool trust_ca_file(struct address *address, const struct config *config, struct buf *error)
{
	/* A text of the settings has a NUL behind it. */
	const char *file = config->database_ca_file.ptr;
	if (access(file, R_OK) != 0) {
		BUF_LIT(error,
		        "TODO_DATABASE_CA_FILE: can't be read, and the database's certificate is to be verified");
		return false;
	}
	return address_set(address, "sslrootcert", file);
}

static bool require_tls(struct address *address, const struct config *config, struct buf *error)
{
	/* PGSSLMINPROTOCOLVERSION could ask for less. */
	return address_set(address, "sslmode", "verify-full") && trust_ca_file(address, config, error) &&
	       address_set(address, "ssl_min_protocol_version", "TLSv1.2");
}

/* By libpq's default whoever is vouched for by a file in the process's home would be believed. */
static bool lacks_authorities(const struct address *address)
{
	return view_starts(view_of(address_option(address, "sslmode")), VIEW("verify-")) &&
	       !address_option(address, "sslrootcert");
}

static bool settle(struct address *address, const struct config *config, const char *url, struct view setting,
                   struct buf *error)
{
	CONNINFO stated = PQconninfoParse(url, NULL);
	CONNINFO standard = PQconndefaults();
	if (!stated || !standard) {
		/* libpq's message would quote the URL, and so the password. */
		buf_add(error, setting);
		BUF_LIT(error, ": not a connection string that libpq can read");
		return false;
	}
	if (!merge(address, stated, standard))
		return false;
	if (address_option(address, "service")) {
		buf_add(error, setting);
		BUF_LIT(error, ": a service file (also PGSERVICE) is not used; write the address itself");
		return false;
	}
	if (!has_good_ports(address)) {
		buf_add(error, setting);
		BUF_LIT(error, ": the port must be a number from 1 to 65535");
		return false;
	}
	/* Encryption by GSSAPI would take the place of TLS, unverified. */
	if (!address_set(address, "gssencmode", "disable") || !address_set(address, "client_encoding", "UTF8") ||
	    !address_set(address, "fallback_application_name", "todo-fcgi"))
		return false;
	if (!address_option(address, "tcp_user_timeout")) {
		/* With several addresses a silent one must leave time for the next. */
		char milliseconds[24];
		snprintf(milliseconds, sizeof milliseconds, "%lld", (long long)config->database_timeout * 500);
		if (!address_set(address, "tcp_user_timeout", milliseconds))
			return false;
	}
	if (leaves_the_machine(address) && !view_equal(config->database_tls, VIEW("insecure"))) {
		if (!require_tls(address, config, error))
			return false;
	} else if (lacks_authorities(address) && !trust_ca_file(address, config, error)) {
		return false;
	}
	return has_good_words(address, setting, error);
}

bool address_make_from(const struct config *config, struct view setting, struct view value, struct address *ret,
                       struct buf *error)
{
	struct address address = {0};
	size_t before = error->len;
	char *url = strndup(value.ptr, value.len);
	bool done = url && settle(&address, config, url, setting, error);
	if (url) {
		explicit_bzero(url, value.len);
		free(url);
	}
	if (!done) {
		address_destroy(&address);
		if (error->len == before) {
			buf_add(error, setting);
			BUF_LIT(error, ": no memory");
		}
		return false;
	}
	*ret = address;
	return true;
}

bool address_make(const struct config *config, struct address *ret, struct buf *error)
{
	if (config->todo_database_url.len > 0)
		return address_make_from(config, VIEW("TODO_DATABASE_URL"), config->todo_database_url, ret, error);
	if (config->database_url.len > 0)
		return address_make_from(config, VIEW("DATABASE_URL"), config->database_url, ret, error);
	BUF_LIT(error, "DATABASE_URL: not set, nor is TODO_DATABASE_URL");
	return false;
}
