/* Settings: where they come from, what wins, and what stops the process. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "support/leaks.h"

static char folder[] = "/tmp/test_base_config.XXXXXX";
static struct buf error;

static void setup(void)
{
	error = buf_make(4096);
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
}

static void teardown(void)
{
	unlink("env");
	unlink("secret");
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(rmdir(folder), 0);
	buf_destroy(&error);
	leaks_check();
}

TestSuite(config, .init = setup, .fini = teardown);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void write_file(const char *path, struct view text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text.ptr, text.len), (ssize_t)text.len);
	close(fd);
}

/* Loads from up to three variables and the file "env", which is made of
 * `file`. */
static bool load(const char *file, const char *first, const char *second, const char *third, struct config *ret)
{
	char *environment[] = {(char *)"TODO_ENV_FILE=env", (char *)first, (char *)second, (char *)third, NULL};
	struct config_source source = {environment, ABSENT};

	write_file("env", view_of(file));
	buf_reset(&error, 4096);
	return config_load(&source, ret, &error);
}

static void expect_refused(const char *file, const char *variable, const char *line)
{
	struct config config;

	memset(&config, 0x55, sizeof(config));
	struct config before = config;
	cr_expect_not(load(file, variable, NULL, NULL, &config), "%s", line);
	cr_expect(view_equal(buf_view(&error), view_of(line)), "not \"%s\" but \"%.*s\"", line,
	          VIEW_ARGS(buf_view(&error)));
	cr_expect_eq(memcmp(&config, &before, sizeof(config)), 0, "touched: %s", line);
}

Test(config, has_defaults)
{
	struct config config;

	cr_assert(load("", NULL, NULL, NULL, &config));
	cr_expect(view_is_absent(config.database_url));
	cr_expect(view_is_absent(config.cors_origins));
	cr_expect(view_equal(config.database_tls, VIEW("verify")));
	cr_expect(view_equal(config.environment, VIEW("production")));
	cr_expect(config.database_role_check);
	cr_expect_not(config.jwt_shared_secret);
	cr_expect_eq(config.jwt_leeway, 30);
	cr_expect_eq(config.hsts_max_age, 0);
	/* What the contract names. */
	cr_expect_eq(config.jwks_max_stale, 24 * 3600);
	cr_expect_eq(config.erase_max_token_age, 300);
	cr_expect(view_equal(config.jwt_shared_secret_alg, VIEW("HS256")));
	cr_expect(view_equal(config.jwks_rsa_alg, VIEW("RS256")));
	cr_expect(view_equal(config.auth_cookie_name, VIEW("better-auth.session_data")));
	cr_expect_not(config.jwt_shared_secret || config.jwks_table || config.jwks_insecure_loopback ||
	              config.auth_cookie || config.jwt_revocation || config.server_timing);
	cr_expect_eq(config.limit_user, 0);
	cr_expect_eq(config.limit_address, 0);
}

Test(config, reads_the_env_of_better_auth_as_it_is)
{
	struct config config;

	cr_assert(load("# made by the wizard\n"
	               "export DATABASE_URL=\"postgres://u:p@h/d?x=#y\" # comment\n"
	               "BETTER_AUTH_SECRET='0123456789 abcdef'\n"
	               "BETTER_AUTH_URL=http://localhost:3000\n"
	               "CORS_ORIGINS=http://a.example,http://b.example\n"
	               "GOOGLE_CLIENT_ID=x\nNEXT_PUBLIC_URL\nPRIVATE_KEY=\"-----BEGIN\nabc\n\"\nBROKEN=\"x\" y\n"
	               "BETTER_AUTH_TRUSTED_ORIGINS=z\nODD='\n",
	               NULL, NULL, NULL, &config));
	cr_expect(view_equal(config.database_url, VIEW("postgres://u:p@h/d?x=#y")));
	cr_expect(view_equal(config.better_auth_secret, VIEW("0123456789 abcdef")));
	cr_expect(view_equal(config.better_auth_url, VIEW("http://localhost:3000")));
	cr_expect(view_equal(config.cors_origins, VIEW("http://a.example,http://b.example")));
}

Test(config, takes_the_environment_first)
{
	struct config config;

	cr_assert(load("JWT_LEEWAY=5\nJWT_ISSUER=file\nJWT_ISSUER=last\nJWT_AUDIENCE=file\n", "JWT_LEEWAY=7",
	               "JWT_LEEWAY=8", "JWT_AUDIENCE=", &config));
	cr_expect_eq(config.jwt_leeway, 7);
	cr_expect(view_equal(config.jwt_issuer, VIEW("last")));
	/* Set to empty it hides the file's and is as good as none. */
	cr_expect(view_is_absent(config.jwt_audience));
}

Test(config, takes_an_empty_value_for_none)
{
	struct config config;

	cr_assert(load("JWT_LEEWAY=\nJWT_SHARED_SECRET=''\nTODO_ENV=\nBETTER_AUTH_SECRET=\nTODO_DATABASE_CA_FILE=\n",
	               NULL, NULL, NULL, &config));
	cr_expect_eq(config.jwt_leeway, 30);
	cr_expect_not(config.jwt_shared_secret);
	cr_expect(view_equal(config.environment, VIEW("production")));
	cr_expect(view_is_absent(config.better_auth_secret));
	cr_expect(view_equal(config.database_ca_file, VIEW("/etc/ssl/certs/ca-certificates.crt")));
}

Test(config, gives_texts_that_outlive_their_source_and_end_in_nul)
{
	struct config config;
	char variable[] = "JWT_ISSUER=https://issuer";

	cr_assert(load("JWT_AUDIENCE=aud\n", variable, NULL, NULL, &config));
	memset(variable, 'x', sizeof(variable) - 1);
	cr_expect_str_eq(config.jwt_issuer.ptr, "https://issuer");
	cr_expect_str_eq(config.jwt_audience.ptr, "aud");
	cr_expect_str_eq(config.jwks_rsa_alg.ptr, "RS256");
}

Test(config, reads_switches)
{
	static const struct {
		const char *text;
		bool on;
	} cases[] = {{"JWT_SHARED_SECRET=1", true},    {"JWT_SHARED_SECRET=true", true},
	             {"JWT_SHARED_SECRET=On", true},   {"JWT_SHARED_SECRET=YES", true},
	             {"JWT_SHARED_SECRET=0", false},   {"JWT_SHARED_SECRET=false", false},
	             {"JWT_SHARED_SECRET=OFF", false}, {"JWT_SHARED_SECRET=no", false}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config config;

		cr_assert(load("", cases[i].text, NULL, NULL, &config), "%s", cases[i].text);
		cr_expect_eq(config.jwt_shared_secret, cases[i].on, "%s", cases[i].text);
	}
}

Test(config, reads_numbers_within_their_bounds)
{
	struct config config;

	cr_assert(load("JWT_LEEWAY=0\nJWKS_TIMEOUT=1\nHSTS_MAX_AGE=63072000", NULL, NULL, NULL, &config));
	cr_expect_eq(config.jwt_leeway, 0);
	cr_expect_eq(config.jwks_timeout, 1);
	cr_expect_eq(config.hsts_max_age, 63072000);
}

Test(config, stops_at_a_bad_value_without_telling_it)
{
	static const struct {
		const char *file;
		const char *variable;
		const char *line;
	} cases[] = {
	        {"", "JWT_LEEWAY=61", "JWT_LEEWAY (environment): must be a whole number from 0 to 60"},
	        {"", "JWT_LEEWAY=-1", "JWT_LEEWAY (environment): must be a whole number from 0 to 60"},
	        {"", "JWT_LEEWAY= 1", "JWT_LEEWAY (environment): must be a whole number from 0 to 60"},
	        {"", "JWT_LEEWAY=30s", "JWT_LEEWAY (environment): must be a whole number from 0 to 60"},
	        {"\n\nJWKS_TIMEOUT=0", NULL, "JWKS_TIMEOUT (env:3): must be a whole number from 1 to 60"},
	        {"JWT_SHARED_SECRET=2", NULL, "JWT_SHARED_SECRET (env:1): must be on or off"},
	        {"A=\"\n\"\nTODO_ENV=test", NULL, "TODO_ENV (env:3): must be one of production|development"},
	        {"", "JWKS_RSA_ALG=rs256",
	         "JWKS_RSA_ALG (environment): must be one of RS256|RS384|RS512|PS256|PS384|PS512"},
	        {"", "JWKS_RSA_ALG=RS256|RS384", "JWKS_RSA_ALG (environment): must have 0 to 8 bytes"},
	        {"", "BETTER_AUTH_SECRET=a\tb",
	         "BETTER_AUTH_SECRET (environment): must be UTF-8 without control characters"},
	        {"BETTER_AUTH_SECRET=\"a\\nb\"", NULL,
	         "BETTER_AUTH_SECRET (env:1): must be UTF-8 without control characters"},
	        {"", "JWT_ISSUER=\xff", "JWT_ISSUER (environment): must be UTF-8 without control characters"},
	        {"", "JWT_ISSUER=\xc2\x85", "JWT_ISSUER (environment): must be UTF-8 without control characters"},
	        {"JWT_ISSUER=\"x\" secret", NULL, "JWT_ISSUER (env:1): there is text after the closing quote"},
	        {"A=1\nBETTER_AUTH_SECRET='secret", NULL, "BETTER_AUTH_SECRET (env:2): the closing quote is missing"},
	        {"JWT_ISSUER secret", NULL, "JWT_ISSUER (env:1): there is no = on this line"},
	        {"", "STATE_DIR=/12345678901234567890123456789012345678901234567890123456789012345678901234567890",
	         "STATE_DIR (environment): must have 0 to 80 bytes"},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		expect_refused(cases[i].file, cases[i].variable, cases[i].line);
}

Test(config, stops_at_an_unknown_name_that_looks_like_ours)
{
	static const char *const names[] = {"JWT_SECRET", "JWKS_URI",        "TODO_X",     "AUTH_COOKIES",
	                                    "JWT_",       "JWT_LEEWAY_FILE", "JWT_LEEWAY2"};

	for (size_t i = 0; i < COUNT(names); i++) {
		char text[100];
		char line[100];

		snprintf(text, sizeof(text), "%s=secret", names[i]);
		snprintf(line, sizeof(line), "%s (environment): no such setting", names[i]);
		expect_refused("", text, line);
		snprintf(line, sizeof(line), "%s (env:1): no such setting", names[i]);
		expect_refused(text, NULL, line);
	}
	expect_refused("AUTH_X secret = y", NULL, "AUTH_X (env:1): no such setting");
}

Test(config, ignores_all_other_names)
{
	struct config config;

	cr_expect(load("jwt_leeway=99\nMY_JWT_X=1\nBETTER_AUTH_X=1\nDATABASE_URL2=1\nCORS=1\n", "JWTX=1", "PATH=/bin",
	               "no equals sign", &config));
	cr_expect_eq(config.jwt_leeway, 30);
	/* A web server's own word for how a client logged in (RFC 3875 §4.1.1). */
	cr_expect(load("", "AUTH_TYPE=Basic", NULL, NULL, &config));
	expect_refused("AUTH_TYPE=Basic", NULL, "AUTH_TYPE (env:1): no such setting");
}

Test(config, keeps_names_of_the_environment_out_of_the_file)
{
	expect_refused("WORKERS=4", NULL, "WORKERS (env:1): is read from the environment only");
	expect_refused("TODO_ENV_FILE=x", NULL, "TODO_ENV_FILE (env:1): is read from the environment only");
}

Test(config, reads_secrets_from_files)
{
	static const struct view texts[] = {{"the secret", 10}, {"the secret\n", 11}, {"the secret\r\n", 12}};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct config config;

		write_file("secret", texts[i]);
		cr_assert(load("", "BETTER_AUTH_SECRET_FILE=secret", NULL, NULL, &config), "%.*s",
		          VIEW_ARGS(buf_view(&error)));
		cr_expect(view_equal(config.better_auth_secret, VIEW("the secret")));
		cr_assert(load("TODO_DATABASE_URL_FILE='secret'", "TODO_DATABASE_URL=", NULL, NULL, &config));
		cr_expect(view_equal(config.todo_database_url, VIEW("the secret")));
	}
}

/* The register alone decides which settings have a file: those of kind SECRET. */
static void expect_from_file(const char *name, size_t offset, bool is_secret)
{
	const struct view value = VIEW("postgresql://u:p\xc3\xa4ss@h/d-0123456789abcdef");
	char variable[128];
	struct config config;

	snprintf(variable, sizeof(variable), "%s_FILE=secret", name);
	write_file("secret", value);
	bool loaded = load("", variable, NULL, NULL, &config);
	if (!is_secret) {
		struct config defaults;

		cr_assert(load("", NULL, NULL, NULL, &defaults));
		cr_expect(!loaded || config_equal(&config, &defaults), "%s", variable);
		return;
	}
	cr_assert(loaded, "%s: %.*s", variable, VIEW_ARGS(buf_view(&error)));
	cr_expect(view_equal(*(const struct view *)((const char *)&config + offset), value), "%s", variable);
	/* In the settings file the same. */
	cr_assert(load(variable, NULL, NULL, NULL, &config));
	cr_expect(view_equal(*(const struct view *)((const char *)&config + offset), value), "%s", variable);
	cr_assert_eq(chmod("secret", 0644), 0);
	cr_expect_not(load("", variable, NULL, NULL, &config), "%s", variable);
	cr_expect(view_starts(buf_view(&error), view_of(name)));
	unlink("secret");
}

Test(config, reads_every_secret_and_nothing_else_from_a_file_of_its_own)
{
#define IS_TEXT false
#define IS_SECRET true
#define IS_LIST false
#define IS_CHOICE false
#define IS_NUMBER false
#define IS_SWITCH false
#define SETTING(NAME, member, KIND, standard, low, high, help) \
	/* This name is taken, by the settings file itself. */ \
	if (strcmp(#NAME, "TODO_ENV") != 0)                    \
		expect_from_file(#NAME, offsetof(struct config, member), IS_##KIND);
#include "base/config.def"
#undef SETTING
}

Test(config, stops_at_a_secret_given_twice)
{
	write_file("secret", VIEW("x"));
	expect_refused("BETTER_AUTH_SECRET=y", "BETTER_AUTH_SECRET_FILE=secret",
	               "BETTER_AUTH_SECRET_FILE (environment): the same setting is also given without _FILE");
	expect_refused("BETTER_AUTH_SECRET=y\nBETTER_AUTH_SECRET_FILE=secret", NULL,
	               "BETTER_AUTH_SECRET_FILE (env:2): the same setting is also given without _FILE");
}

Test(config, stops_at_a_secret_file_that_is_bad)
{
	static const struct {
		struct view text;
		const char *line;
	} cases[] = {
	        {{"", 0}, "BETTER_AUTH_SECRET_FILE (environment): the file is empty"},
	        {{"\n", 1}, "BETTER_AUTH_SECRET_FILE (environment): the file is empty"},
	        {{"a\n\n", 3}, "BETTER_AUTH_SECRET (secret): must be UTF-8 without control characters"},
	        {{"a\0b", 3}, "BETTER_AUTH_SECRET (secret): must be UTF-8 without control characters"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file("secret", cases[i].text);
		expect_refused("", "BETTER_AUTH_SECRET_FILE=secret", cases[i].line);
	}
	write_file("secret", VIEW("x"));
	cr_assert_eq(chmod("secret", 0644), 0);
	expect_refused(
	        "", "BETTER_AUTH_SECRET_FILE=secret",
	        "BETTER_AUTH_SECRET_FILE (environment): the file can be read or written by others; chmod 600 it");
	expect_refused("", "BETTER_AUTH_SECRET_FILE=nothing",
	               "BETTER_AUTH_SECRET_FILE (environment): the file does not exist");
}

Test(config, does_not_cut_the_path_of_a_secret_file_at_a_nul)
{
	char *environment[] = {(char *)"TODO_ENV_FILE=env", NULL};
	struct config_source source = {environment, ABSENT};
	struct config config;

	write_file("secret", VIEW("a secret of some length, in a file"));
	write_file("env", VIEW("BETTER_AUTH_SECRET_FILE=secret\0s"));
	cr_expect_not(config_load(&source, &config, &error));
	cr_expect(view_equal(buf_view(&error),
	                     VIEW("BETTER_AUTH_SECRET_FILE (env:1): the file can't be read or is no regular file")),
	          "%.*s", VIEW_ARGS(buf_view(&error)));
}

Test(config, stops_at_a_secret_longer_than_its_bound)
{
	struct buf text = buf_make(5000);
	struct config config;

	while (text.len < 4096)
		buf_add_char(&text, 'x');
	write_file("secret", buf_view(&text));
	cr_expect(load("", "BETTER_AUTH_SECRET_FILE=secret", NULL, NULL, &config));
	buf_add_char(&text, 'x');
	write_file("secret", buf_view(&text));
	expect_refused("", "BETTER_AUTH_SECRET_FILE=secret", "BETTER_AUTH_SECRET (secret): must have 0 to 4096 bytes");
	buf_destroy(&text);
}

Test(config, stops_at_a_settings_file_that_others_can_read)
{
	char *environment[] = {(char *)"TODO_ENV_FILE=env", NULL};
	struct config_source source = {environment, ABSENT};
	struct config config;

	write_file("env", VIEW("JWT_LEEWAY=1"));
	cr_assert_eq(chmod("env", 0644), 0);
	cr_expect_not(config_load(&source, &config, &error));
	cr_expect(view_equal(buf_view(&error),
	                     VIEW("TODO_ENV_FILE (env): the file can be read or written by others; chmod 600 it")));
}

Test(config, stops_at_a_settings_file_below_the_document_root)
{
	char *environment[] = {(char *)"TODO_ENV_FILE=env", NULL};
	struct config_source source = {environment, view_of(folder)};
	struct config config;

	write_file("env", VIEW("JWT_LEEWAY=1"));
	cr_expect_not(config_load(&source, &config, &error));
	cr_expect(view_equal(buf_view(&error),
	                     VIEW("TODO_ENV_FILE (env): the file lies below the web server's document root")));
	source.document_root = VIEW("/var/empty/www");
	cr_expect(config_load(&source, &config, &error));
}

Test(config, stops_when_the_chosen_settings_file_is_missing)
{
	char *environment[] = {(char *)"TODO_ENV_FILE=nothing", NULL};
	struct config_source source = {environment, ABSENT};
	struct config config;

	cr_expect_not(config_load(&source, &config, &error));
	cr_expect(view_equal(buf_view(&error), VIEW("TODO_ENV_FILE (nothing): the file does not exist")));
}

Test(config, stops_at_a_path_of_a_settings_file_that_is_too_long)
{
	char variable[5000] = "TODO_ENV_FILE=";
	char *environment[] = {variable, NULL};
	struct config_source source = {environment, ABSENT};
	struct config config;

	memset(variable + strlen(variable), 'f', sizeof(variable) - strlen(variable) - 1);
	cr_expect_not(config_load(&source, &config, &error));
	cr_expect(view_equal(buf_view(&error), VIEW("TODO_ENV_FILE (environment): the path is too long")), "%.*s",
	          VIEW_ARGS(buf_view(&error)));
}

Test(config, works_without_a_settings_file)
{
	char *environment[] = {(char *)"JWT_LEEWAY=9", NULL};
	struct config_source source = {environment, ABSENT};
	struct config config;

	if (geteuid() != 0)
		cr_skip_test("the user that runs the tests may have settings");
	/* A user whom the password database does not know has no home. */
	cr_assert_eq(seteuid(54321), 0);
	bool loaded = config_load(&source, &config, &error);
	cr_assert_eq(seteuid(0), 0);
	cr_assert(loaded, "%.*s", VIEW_ARGS(buf_view(&error)));
	cr_expect_eq(config.jwt_leeway, 9);
}

Test(config, reads_workers_from_the_environment)
{
	static const struct {
		const char *variable;
		bool good;
		int64_t number;
	} cases[] = {{"X=1", true, 0},         {"WORKERS=", true, 0},      {"WORKERS=0", true, 0},
	             {"WORKERS=8", true, 8},   {"WORKERS=128", true, 128}, {"WORKERS=129", false, 0},
	             {"WORKERS=-1", false, 0}, {"WORKERS=many", false, 0}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *environment[] = {(char *)cases[i].variable, NULL};
		int64_t number = 4711;

		buf_reset(&error, 4096);
		cr_expect_eq(config_workers(environment, &number, &error), cases[i].good, "%s", cases[i].variable);
		cr_expect_eq(number, cases[i].good ? cases[i].number : 4711, "%s", cases[i].variable);
		cr_expect(view_equal(buf_view(&error), cases[i].good
		                                               ? VIEW("")
		                                               : VIEW("WORKERS (environment): must be a whole number "
		                                                      "from 0 to 128")),
		          "%s", cases[i].variable);
	}
}

/* The sample with its settings commented in: every "#NAME=" loses its "#". */
static void uncomment(struct buf *sample)
{
	size_t kept = 0;

	for (size_t i = 0; i < sample->len; i++) {
		bool line_start = i == 0 || sample->ptr[i - 1] == '\n';

		if (!(line_start && sample->ptr[i] == '#' && sample->ptr[i + 1] >= 'A' && sample->ptr[i + 1] <= 'Z'))
			sample->ptr[kept++] = sample->ptr[i];
	}
	sample->ptr[kept] = '\0';
	sample->len = kept;
}

Test(config, writes_a_sample_that_loads_as_the_defaults)
{
	struct buf sample = buf_make(65536);
	struct config config;
	struct config defaults;

	config_write_sample(&sample);
	cr_assert(buf_ok(&sample));
	cr_assert_not_null(memmem(sample.ptr, sample.len, "\n#JWT_LEEWAY=30\n", 16));
	uncomment(&sample);
	cr_assert_not_null(strstr(sample.ptr, "\nJWT_LEEWAY=30\n"));
	cr_assert(load(sample.ptr, NULL, NULL, NULL, &config), "%.*s", VIEW_ARGS(buf_view(&error)));
	cr_assert(load("", NULL, NULL, NULL, &defaults));
#define EXPECT_TEXT(member) cr_expect(view_equal(config.member, defaults.member), #member)
#define EXPECT_SECRET EXPECT_TEXT
#define EXPECT_LIST EXPECT_TEXT
#define EXPECT_CHOICE EXPECT_TEXT
#define EXPECT_NUMBER(member) cr_expect_eq(config.member, defaults.member, #member)
#define EXPECT_SWITCH EXPECT_NUMBER
#define SETTING(NAME, member, KIND, standard, low, high, help) \
	EXPECT_##KIND(member);                                 \
	cr_expect_not_null(strstr(sample.ptr, "\n" #NAME "="), #NAME);
#include "base/config.def"
#undef SETTING
	buf_destroy(&sample);
}

/* ---- live reload -------------------------------------------------------- */

Test(config, takes_secrets_from_one_and_the_rest_from_another)
{
	struct config old;
	struct config new;
	struct config merged;

	cr_assert(load("BETTER_AUTH_SECRET=one\nJWT_LEEWAY=10\nBASE_PATH=/a\n", NULL, NULL, NULL, &old));
	cr_assert(load("BETTER_AUTH_SECRET=two\nJWT_LEEWAY=20\nBASE_PATH=/b\nMETRICS_TOKEN=0123456789abcdef\n"
	               "BETTER_AUTH_PREVIOUS_SECRETS_UNTIL=2999-01-01T00:00:00Z\n",
	               NULL, NULL, NULL, &new));
	cr_assert(config_with_secrets(&old, &new, &merged));
	cr_expect(config_equal(&old, &old));
	cr_expect_not(config_equal(&old, &new));
	cr_expect_not(config_equal(&old, &merged));
	config_release(&old);
	config_release(&new);
	cr_expect(view_equal(merged.better_auth_secret, VIEW("two")));
	cr_expect(view_equal(merged.metrics_token, VIEW("0123456789abcdef")));
	cr_expect(view_equal(merged.better_auth_previous_secrets_until, VIEW("2999-01-01T00:00:00Z")));
	cr_expect_eq(merged.jwt_leeway, 10);
	cr_expect(view_equal(merged.base_path, VIEW("/a")));
	config_release(&merged);
}

Test(config, tells_which_files_it_looked_for)
{
	struct watch files = {0};
	struct config config;
	char *environment[] = {(char *)"TODO_ENV_FILE=env", (char *)"BETTER_AUTH_SECRET_FILE=secret", NULL};
	struct config_source source = {environment, ABSENT};

	write_file("env", VIEW(""));
	cr_expect_not(config_load_files(&source, &files, &config, &error), "the secret is missing");
	cr_assert_eq(files.count, 2);
	cr_expect_str_eq(files.files[0].path, "env");
	cr_expect_str_eq(files.files[1].path, "secret");
	write_file("secret", VIEW("one"));
	cr_expect(watch_changed(&files));
	watch_clear(&files);
}
