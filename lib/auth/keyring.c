/* The keyring: settings to keys and policy, and the way of a token through them. */
#include "auth/keyring.h"

#include <stdlib.h>

#include "auth/cookie.h"
#include "auth/keyset.h"
#include "auth/secrets.h"
#include "auth/source_file.h"
#include "auth/source_url.h"
#include "base/clock.h"
#include "base/url.h"

/* A key file is looked at this often; nobody has to be asked for it. */
#define FILE_REFRESH CLOCK_SECOND

enum { SOURCES_MAX = 3, ORIGIN_MAX = 2100, NOTES_MAX = 64 * 1024, FAULT_MAX = 200 };

struct keyring {
	struct claims_policy policy;
	struct buf origin; /* of BETTER_AUTH_URL; the policy may view it */
	struct secrets secrets;
	bool secrets_verify_bearers;
	struct secrets cookie_secrets; /* the same for HS256; none unless sessions may come in cookies */
	struct buf cookie_name;        /* with its prefix; empty: there is no such cookie */
	size_t source_count;
	struct source *sources[SOURCES_MAX];
	struct keyset keys; /* of all sources */
	bool is_changed;    /* a source has another set than is in keys */
	struct buf notes;
};

static bool fail(struct buf *error, const char *setting, const char *fault)
{
	buf_add(error, view_of(setting));
	BUF_LIT(error, " ");
	buf_add(error, view_of(fault));
	return false;
}

/* The setting; without one the origin of BETTER_AUTH_URL; ABSENT for `none`. */
static bool read_expected(struct view setting, const char *name, struct view origin, struct view *ret,
                          struct buf *error)
{
	struct view expected = setting.len > 0 ? setting : origin;

	if (expected.len == 0)
		return fail(error, name, "is not set, nor is BETTER_AUTH_URL; the word none switches the check off");
	*ret = view_equal(expected, VIEW("none")) ? ABSENT : expected;
	return true;
}

/* RFC 6749 §3.3: one scope is one word. */
static bool is_scope(struct view scope)
{
	for (size_t i = 0; i < scope.len; i++)
		if (scope.ptr[i] <= ' ' || scope.ptr[i] > '~' || scope.ptr[i] == '"' || scope.ptr[i] == '\\')
			return false;
	return true;
}

static bool read_policy(const struct config *config, struct keyring *keyring, struct buf *error)
{
	struct claims_policy *policy = &keyring->policy;
	struct url url;

	if (config->better_auth_url.len > 0) {
		if (!url_parse(config->better_auth_url, &url))
			return fail(error, "BETTER_AUTH_URL", "is not an http or https URL");
		url_write_origin(&url, &keyring->origin);
		if (!buf_ok(&keyring->origin))
			return fail(error, "BETTER_AUTH_URL", "can't be used: no memory");
	}
	if (!is_scope(config->jwt_required_scope))
		return fail(error, "JWT_REQUIRED_SCOPE", "is not one scope");
	policy->required_scope = config->jwt_required_scope.len > 0 ? config->jwt_required_scope : ABSENT;
	policy->leeway = config->jwt_leeway * CLOCK_SECOND;
	policy->dated = config->jwt_revocation;
	return read_expected(config->jwt_issuer, "JWT_ISSUER", buf_view(&keyring->origin), &policy->issuer, error) &&
	       read_expected(config->jwt_audience, "JWT_AUDIENCE", buf_view(&keyring->origin), &policy->audience,
	                     error);
}

static bool open_sources(const struct config *config, int state_dir, struct keyring *keyring, struct buf *error)
{
	struct buf fault = buf_make(FAULT_MAX);
	enum alg rsa_alg;
	const char *failed = NULL;

	if (!alg_parse(config->jwks_rsa_alg, &rsa_alg) || !alg_is_rsa(rsa_alg))
		return fail(error, "JWKS_RSA_ALG", "is not an RSA algorithm");
	if (config->jwks_file.len > 0) {
		if (source_file_open(config->jwks_file, rsa_alg, FILE_REFRESH, &keyring->notes,
		                     &keyring->sources[keyring->source_count], &fault))
			keyring->source_count++;
		else
			failed = "JWKS_FILE";
	}
	if (config->jwks_url.len > 0 && !failed) {
		struct source_url_options options = {
		        .url = config->jwks_url,
		        .proxy = config->jwks_proxy,
		        .ca_file = config->jwks_ca_file,
		        .insecure_loopback = config->jwks_insecure_loopback,
		        .rsa_alg = rsa_alg,
		        .refresh = config->jwks_refresh * CLOCK_SECOND,
		        .cooldown = config->jwks_cooldown * CLOCK_SECOND,
		        .timeout = config->jwks_timeout * CLOCK_SECOND,
		        .max_stale = config->jwks_max_stale * CLOCK_SECOND,
		        .state_dir = state_dir,
		};

		if (source_url_open(&options, &keyring->sources[keyring->source_count], &fault))
			keyring->source_count++;
		else
			failed = "JWKS_URL";
	}
	if (failed) {
		buf_add(error, view_of(failed));
		BUF_LIT(error, " ");
		buf_add(error, buf_view(&fault));
	}
	buf_destroy(&fault);
	return !failed;
}

static bool open_keys(const struct config *config, const struct keyring_parts *parts, struct keyring *keyring,
                      struct buf *error)
{
	bool has_key_set;

	if (!secrets_open(config, &keyring->secrets, error) || !open_sources(config, parts->state_dir, keyring, error))
		return false;
	has_key_set = keyring->source_count > 0 || parts->extra;
	/* A Better Auth .env always holds the secret, and the secret signs other things too. */
	keyring->secrets_verify_bearers = keyring->secrets.count > 0 && (!has_key_set || config->jwt_shared_secret);
	if (config->jwt_shared_secret && keyring->secrets.count == 0)
		return fail(error, "JWT_SHARED_SECRET", "needs BETTER_AUTH_SECRET");
	if (!has_key_set && keyring->secrets.count == 0)
		return fail(error, "BETTER_AUTH_SECRET",
		            "is not set, nor is JWKS_URL, JWKS_FILE or JWKS_TABLE: no key to verify with");
	return true;
}

/* Better Auth signs the cookie with HS256 whatever signs its tokens. */
static bool open_cookie(const struct config *config, struct keyring *keyring, struct buf *error)
{
	struct config hs256 = *config;

	if (!config->auth_cookie)
		return true;
	if (config->better_auth_secret.len == 0)
		return fail(error, "AUTH_COOKIE", "needs BETTER_AUTH_SECRET");
	if (keyring->origin.len == 0)
		return fail(error, "AUTH_COOKIE", "needs BETTER_AUTH_URL");
	if (!cookie_name_valid(config->auth_cookie_name))
		return fail(error, "AUTH_COOKIE_NAME",
		            "is no name of a cookie; __Secure- is put before it where it belongs");
	hs256.jwt_shared_secret_alg = VIEW("HS256");
	if (!secrets_open(&hs256, &keyring->cookie_secrets, error))
		return false;
	/* RFC 6265bis §4.1.3.1; as Better Auth does it. */
	if (view_starts(buf_view(&keyring->origin), VIEW("https:")))
		BUF_LIT(&keyring->cookie_name, "__Secure-");
	buf_add(&keyring->cookie_name, config->auth_cookie_name);
	return buf_ok(&keyring->cookie_name) || fail(error, "AUTH_COOKIE", "can't be used: no memory");
}

/* Asked at once: what it is refused for, no set of it makes good again. */
static bool take_extra(struct keyring *keyring, struct source *extra, struct buf *error)
{
	keyring->is_changed = extra->type->update(extra, clock_now(), SOURCE_ROUTINE, &keyring->notes);
	if (extra->refusal)
		return fail(error, "JWKS_TABLE:", extra->refusal);
	keyring->sources[keyring->source_count++] = extra;
	return true;
}

bool keyring_open(const struct config *config, const struct keyring_parts *parts, struct keyring **ret,
                  struct buf *error)
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));

	if (!keyring)
		return fail(error, "keys", "can't be read: no memory");
	keyring->origin = buf_make(ORIGIN_MAX);
	keyring->notes = buf_make(NOTES_MAX);
	keyring->cookie_name = buf_make(2 * COOKIE_NAME_MAX);
	if (!read_policy(config, keyring, error) || !open_keys(config, parts, keyring, error) ||
	    !open_cookie(config, keyring, error) || (parts->extra && !take_extra(keyring, parts->extra, error))) {
		keyring_close(keyring);
		return false;
	}
	*ret = keyring;
	return true;
}

void keyring_close(struct keyring *keyring)
{
	if (!keyring)
		return;
	for (size_t i = 0; i < keyring->source_count; i++)
		keyring->sources[i]->type->close(keyring->sources[i]);
	secrets_close(&keyring->secrets);
	secrets_close(&keyring->cookie_secrets);
	buf_destroy(&keyring->cookie_name);
	buf_destroy(&keyring->origin);
	buf_destroy(&keyring->notes);
	free(keyring);
}

void keyring_set_deadline(struct keyring *keyring, int64_t deadline)
{
	for (size_t i = 0; i < keyring->source_count; i++)
		keyring->sources[i]->deadline = deadline;
}

/* Brings all sources up to date; their keys are put together anew when one changed. */
static void update(struct keyring *keyring, int64_t now, enum source_need need)
{
	bool is_changed = keyring->is_changed;

	keyring->is_changed = false;
	for (size_t i = 0; i < keyring->source_count; i++) {
		struct source *source = keyring->sources[i];

		is_changed |= source->type->update(source, now, need, &keyring->notes);
	}
	if (!is_changed)
		return;
	keyset_clear(&keyring->keys);
	for (size_t i = 0; i < keyring->source_count; i++) {
		const struct jwks *jwks = keyring->sources[i]->type->keys(keyring->sources[i]);

		for (size_t k = 0; jwks && k < jwks->count; k++)
			keyset_add(&keyring->keys, jwks->keys[k], &keyring->notes);
	}
}

static enum jwt_error verify_by_set(struct keyring *keyring, const struct jwt *jwt, int64_t now)
{
	struct key *key = NULL;
	enum jwt_error error;

	update(keyring, now, SOURCE_ROUTINE);
	error = keyset_find(&keyring->keys, jwt, &key);
	if (error == JWT_UNKNOWN_KID) {
		update(keyring, now, SOURCE_UNKNOWN_KID);
		error = keyset_find(&keyring->keys, jwt, &key);
	}
	if (error != JWT_OK)
		return keyring->keys.count == 0 ? JWT_NO_KEYS : error;
	return key_verify(key, jwt->signed_text, jwt->signature) ? JWT_OK : JWT_BAD_SIGNATURE;
}

static enum jwt_error verify_signature(struct keyring *keyring, const struct jwt *jwt, int64_t now)
{
	/* Key sets hold no symmetric keys and secrets no others: the algorithm tells
	 * where to look, and no token can make one kind of key serve as the other. */
	if (alg_is_hmac(jwt->alg))
		return keyring->secrets_verify_bearers ? secrets_verify(&keyring->secrets, jwt, now) : JWT_ALG_MISMATCH;
	return keyring->source_count > 0 ? verify_by_set(keyring, jwt, now) : JWT_ALG_MISMATCH;
}

/* A JWT has claims; a JWS may go without a payload (RFC 7515 §7.1). */
static enum jwt_error parse(struct arena *arena, struct view token, struct jwt *ret)
{
	enum jwt_error error = jwt_parse(arena, token, ret);

	return error == JWT_OK && ret->payload.len == 0 ? JWT_NOT_THREE_PARTS : error;
}

enum jwt_error keyring_verify(struct keyring *keyring, struct arena *arena, struct view token, int64_t now,
                              struct claims *ret)
{
	struct jwt jwt;
	enum jwt_error error = parse(arena, token, &jwt);

	if (error != JWT_OK)
		return error;
	error = verify_signature(keyring, &jwt, now);
	if (error != JWT_OK)
		return error;
	return claims_read(arena, &jwt, &keyring->policy, now, ret);
}

struct view keyring_cookie_name(const struct keyring *keyring)
{
	return keyring->cookie_name.len > 0 ? buf_view(&keyring->cookie_name) : ABSENT;
}

struct view keyring_origin(const struct keyring *keyring)
{
	return buf_view(&keyring->origin);
}

enum jwt_error keyring_verify_session(struct keyring *keyring, struct arena *arena, struct view token, int64_t now,
                                      struct claims *ret)
{
	struct jwt jwt;
	enum jwt_error error = parse(arena, token, &jwt);

	if (error != JWT_OK)
		return error;
	error = secrets_verify(&keyring->cookie_secrets, &jwt, now);
	if (error != JWT_OK)
		return error;
	return claims_read_session(arena, &jwt, &keyring->policy, now, ret);
}

bool keyring_ready(struct keyring *keyring, int64_t now)
{
	update(keyring, now, SOURCE_ROUTINE);
	return keyring->secrets_verify_bearers || keyset_is_usable(&keyring->keys);
}

/* By its kid, which a disputed key has: of a key that came twice the second is not in the set. */
static bool is_disputed(const struct keyring *keyring, struct view kid)
{
	for (size_t i = 0; i < keyring->keys.count; i++)
		if (keyring->keys.entries[i].disputed && view_equal(key_kid(keyring->keys.entries[i].key), kid))
			return true;
	return false;
}

static size_t list_secrets(const struct keyring *keyring, int64_t now, struct keyring_key *out, size_t max)
{
	const struct secrets *secrets = &keyring->secrets;
	size_t count = 0;

	for (size_t i = 0; keyring->secrets_verify_bearers && i < secrets->count && count < max; i++) {
		if (i > 0 && now >= secrets->previous_until)
			break;
		out[count++] = (struct keyring_key){
		        .setting = i == 0 ? "BETTER_AUTH_SECRET" : "BETTER_AUTH_PREVIOUS_SECRETS",
		        .alg = secrets->alg,
		        .until = i == 0 ? INT64_MAX : secrets->previous_until,
		};
	}
	return count;
}

size_t keyring_list(struct keyring *keyring, int64_t now, struct keyring_key *out, size_t max)
{
	size_t count = list_secrets(keyring, now, out, max);

	update(keyring, now, SOURCE_ROUTINE);
	for (size_t i = 0; i < keyring->source_count; i++) {
		const struct source *source = keyring->sources[i];
		const struct jwks *jwks = source->type->keys(source);

		for (size_t k = 0; jwks && k < jwks->count && count < max; k++)
			out[count++] = (struct keyring_key){
			        .setting = source->type->setting,
			        .kid = key_kid(jwks->keys[k]),
			        .alg = key_alg(jwks->keys[k]),
			        .is_disputed = is_disputed(keyring, key_kid(jwks->keys[k])),
			        .until = INT64_MAX,
			};
	}
	return count;
}

bool keyring_is_outdated(const struct keyring *keyring)
{
	for (size_t i = 0; i < keyring->source_count; i++)
		if (keyring->sources[i]->is_outdated)
			return true;
	return false;
}

struct source_counts keyring_counts(const struct keyring *keyring)
{
	struct source_counts sum = {0};

	for (size_t i = 0; i < keyring->source_count; i++) {
		sum.fetches += keyring->sources[i]->counts.fetches;
		sum.failures += keyring->sources[i]->counts.failures;
	}
	return sum;
}

void keyring_take_notes(struct keyring *keyring, struct buf *ret)
{
	if (buf_ok(&keyring->notes))
		buf_add(ret, buf_view(&keyring->notes));
	else
		BUF_LIT(ret, "key sets: too many notes\n");
	buf_reset(&keyring->notes, 0);
}
