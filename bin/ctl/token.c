/* todoctl token: a token for development. */
#include <getopt.h>

#include "auth/claims.h"
#include "auth/secrets.h"
#include "auth/sign.h"
#include "base/clock.h"
#include "base/url.h"
#include "base/utf8.h"
#include "ctl/ctl.h"

enum { TTL_MAX = 3600, CLAIM_MAX = 1024, TOKEN_MAX = 16 * 1024 };

struct token_options {
	struct view user;
	struct view email;
	struct view name;
	uint64_t ttl;
};

static bool is_claim(struct view text, size_t max)
{
	return text.len > 0 && text.len <= max && utf8_valid(text) && !view_has_control(text) &&
	       utf8_trim(text).len > 0;
}

/* NULL, or what is wrong with the arguments. */
static const char *read_token_options(int argc, char **argv, struct token_options *ret)
{
	static const struct option options[] = {
	        {"user", required_argument, NULL, 'u'},
	        {"email", required_argument, NULL, 'e'},
	        {"name", required_argument, NULL, 'n'},
	        {"ttl", required_argument, NULL, 't'},
	        {NULL, 0, NULL, 0},
	};
	struct token_options read = {.ttl = TTL_MAX};

	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 'u')
			read.user = view_of(optarg);
		else if (option == 'e')
			read.email = view_of(optarg);
		else if (option == 'n')
			read.name = view_of(optarg);
		else if (option != 't')
			return "unknown option, or one without its value";
		else if (!view_to_u64(view_of(optarg), TTL_MAX, &read.ttl) || read.ttl == 0)
			return "--ttl is a whole number of seconds from 1 to 3600";
	}
	if (optind < argc)
		return "too many arguments";
	if (!is_claim(read.user, CLAIMS_SUBJECT_MAX))
		return "--user is needed: 1 to 255 bytes of UTF-8 without control characters";
	if (!view_is_absent(read.email) && !is_claim(read.email, CLAIM_MAX))
		return "--email is UTF-8 without control characters";
	if (!view_is_absent(read.name) && !is_claim(read.name, CLAIM_MAX))
		return "--name is UTF-8 without control characters";
	*ret = read;
	return NULL;
}

/* NULL, or why no responder with these settings would take the token. */
static const char *find_token_fault(const struct config *config, enum alg alg)
{
	if (!view_equal(config->environment, VIEW("development")))
		return "tokens are made with TODO_ENV=development only";
	if (config->better_auth_secret.len == 0)
		return "BETTER_AUTH_SECRET is not set";
	if ((config->jwks_url.len > 0 || config->jwks_file.len > 0 || config->jwks_table) && !config->jwt_shared_secret)
		return "with JWKS_URL, JWKS_FILE or JWKS_TABLE the shared secret verifies no token, unless "
		       "JWT_SHARED_SECRET=1";
	return secret_fault(config->better_auth_secret, alg);
}

static void add_member(struct buf *claims, struct view name, struct view value)
{
	if (view_is_absent(value))
		return;
	buf_add(claims, claims->len > 1 ? VIEW(",") : VIEW(""));
	buf_add_json(claims, name);
	BUF_LIT(claims, ":");
	buf_add_json(claims, value);
}

/* What responders expect: the setting, else the origin; ABSENT for `none`. */
static struct view expected_value(struct view setting, const struct buf *origin)
{
	if (view_equal(setting, VIEW("none")))
		return ABSENT;
	return setting.len > 0 ? setting : buf_view(origin);
}

static void write_claims(const struct config *config, const struct token_options *options, const struct buf *origin,
                         struct buf *claims)
{
	uint64_t now = (uint64_t)(clock_now() / CLOCK_SECOND);

	BUF_LIT(claims, "{");
	add_member(claims, VIEW("sub"), options->user);
	add_member(claims, VIEW("email"), options->email);
	add_member(claims, VIEW("name"), options->name);
	add_member(claims, VIEW("iss"), expected_value(config->jwt_issuer, origin));
	add_member(claims, VIEW("aud"), expected_value(config->jwt_audience, origin));
	BUF_LIT(claims, ",\"iat\":");
	buf_add_u64(claims, now);
	BUF_LIT(claims, ",\"exp\":");
	buf_add_u64(claims, now + options->ttl);
	BUF_LIT(claims, "}");
}

static int sign_and_print(const struct command *command, const struct config *config,
                          const struct token_options *options, enum alg alg, const struct buf *origin)
{
	struct buf claims = buf_make(TOKEN_MAX);
	struct buf token = buf_make(TOKEN_MAX);

	write_claims(config, options, origin, &claims);
	bool made = buf_ok(&claims) && sign_token(alg, config->better_auth_secret, buf_view(&claims), &token);
	buf_destroy(&claims);
	if (!made || token.len > JWT_MAX_BYTES) {
		buf_destroy(&token);
		return refuse(command, made ? "the token is too long" : "the token can't be signed");
	}
	buf_add_char(&token, '\n');
	return print(command, &token);
}

int run_token(const struct command *command, int argc, char **argv)
{
	struct token_options options;
	struct config config;
	struct url url;
	enum alg alg;
	struct buf origin = buf_make(TOKEN_MAX);

	const char *fault = read_token_options(argc, argv, &options);
	if (fault)
		return refuse_usage(command, fault);
	if (!load_settings(command, &config))
		return EXIT_FAILURE;
	if (!alg_parse(config.jwt_shared_secret_alg, &alg))
		return refuse(command, "JWT_SHARED_SECRET_ALG is unknown");
	fault = find_token_fault(&config, alg);
	if (fault)
		return refuse(command, fault);
	if (config.better_auth_url.len > 0) {
		if (!url_parse(config.better_auth_url, &url))
			return refuse(command, "BETTER_AUTH_URL is not an http or https URL");
		url_write_origin(&url, &origin);
	}
	if (origin.len == 0 && (config.jwt_issuer.len == 0 || config.jwt_audience.len == 0))
		return refuse(command, "set BETTER_AUTH_URL, or both JWT_ISSUER and JWT_AUDIENCE");
	int status = sign_and_print(command, &config, &options, alg, &origin);
	buf_destroy(&origin);
	return status;
}
