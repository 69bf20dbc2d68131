/* The keyring: settings that stop the start, tokens of every algorithm, and the attacks, each by its name. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/keyring.h"
#include "base/base64url.h"
#include "base/clock.h"
#include "support/auth_config.h"
#include "support/auth_folder.h"
#include "support/auth_server.h"
#include "support/issuer.h"
#include "support/leaks.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NOW (INT64_C(1800000000) * CLOCK_SECOND)
#define ORIGIN "https://app.example"
#define SECRET "Zq3v8Kx1Lm5Np7Rt9Wy2Bc4Df6Gh0Js-current-and-long-enough-for-HS512"
#define PREVIOUS "Hj2k4Mn6Pq8Rs0Tv1Xz3Bd5Fg7Jl9Cw-previous"
#define GOOD_CLAIMS "\"sub\":\"u1\",\"iss\":\"" ORIGIN "\",\"aud\":\"" ORIGIN "\",\"exp\":1800000900"
#define GOOD "{" GOOD_CLAIMS "}"

static struct auth_folder folder;
static struct arena arena;
static struct buf error;

static void setup(void)
{
	folder = auth_folder_make();
	cr_assert(arena_init(&arena, 4 * 1024 * 1024));
	error = buf_make(1024);
}

static void teardown(void)
{
	auth_folder_remove(&folder);
	arena_destroy(&arena);
	buf_destroy(&error);
	leaks_check();
}

TestSuite(keyring, .init = setup, .fini = teardown);

static struct config standard(void)
{
	struct config config = auth_config();

	config.better_auth_url = VIEW(ORIGIN "/api/auth");
	return config;
}

static struct keyring *open_with(const struct config *config)
{
	struct keyring_parts parts = {.state_dir = folder.fd};
	struct keyring *keyring = NULL;

	cr_assert(keyring_open(config, &parts, &keyring, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	return keyring;
}

/* A file with the public keys of these issuers. */
static struct view write_jwks(struct issuer *const *issuers, size_t count)
{
	struct buf jwks = buf_make(64 * 1024);
	const char *path;

	issuer_jwks(issuers, count, &jwks);
	path = auth_folder_write(&folder, "jwks.json", buf_view(&jwks), 0644);
	buf_destroy(&jwks);
	return view_of(path);
}

static struct keyring *open_jwks(struct issuer *const *issuers, size_t count)
{
	struct config config = standard();

	config.jwks_file = write_jwks(issuers, count);
	return open_with(&config);
}

static struct keyring *open_secret(void)
{
	struct config config = standard();

	config.better_auth_secret = VIEW(SECRET);
	return open_with(&config);
}

static enum jwt_error verify(struct keyring *keyring, const char *token)
{
	struct claims claims;

	arena_reset(&arena);
	return keyring_verify(keyring, &arena, view_of(token), NOW, &claims);
}

static enum jwt_error verify_signed(struct keyring *keyring, const struct issuer *issuer, const char *header,
                                    const char *payload)
{
	char *token = issuer_token(issuer, header, payload);
	enum jwt_error result = verify(keyring, token);

	free(token);
	return result;
}

static void expect(enum jwt_error actual, enum jwt_error expected, const char *what)
{
	cr_expect_eq(actual, expected, "%s: %s instead of %s", what, jwt_error_text(actual), jwt_error_text(expected));
}

/* ---- good tokens ------------------------------------------------------------------- */

Test(keyring, verifies_tokens_of_every_algorithm_of_a_key_set)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		struct issuer *issuer = issuer_new((enum alg)i, "k1");
		struct keyring *keyring;
		struct claims claims;
		char *token;

		if (alg_is_hmac((enum alg)i)) {
			issuer_free(issuer);
			continue;
		}
		keyring = open_jwks(&issuer, 1);
		token = issuer_token_for(issuer, "u1", ORIGIN, NOW);
		expect(keyring_verify(keyring, &arena, view_of(token), NOW, &claims), JWT_OK,
		       alg_row((enum alg)i)->spelling.ptr);
		cr_expect(view_equal(claims.subject, VIEW("u1")));
		free(token);
		keyring_close(keyring);
		issuer_free(issuer);
	}
}

Test(keyring, takes_an_rsa_key_without_alg_for_one_of_the_set_algorithm)
{
	static const char member[] = ",\"alg\":\"PS256\"";
	struct issuer *issuer = issuer_new(ALG_PS256, "k1");
	struct config config = standard();
	struct buf jwks = buf_make(64 * 1024);
	struct keyring *keyring;
	char *alg;

	issuer_jwks(&issuer, 1, &jwks);
	alg = memmem(jwks.ptr, jwks.len, member, sizeof(member) - 1);
	cr_assert_not_null(alg);
	memset(alg, ' ', sizeof(member) - 1);
	config.jwks_file = view_of(auth_folder_write(&folder, "jwks.json", buf_view(&jwks), 0644));
	config.jwks_rsa_alg = VIEW("PS256");
	keyring = open_with(&config);
	expect(verify_signed(keyring, issuer, "{\"alg\":\"PS256\",\"kid\":\"k1\"}", GOOD), JWT_OK, "PS256");
	keyring_close(keyring);
	buf_destroy(&jwks);
	issuer_free(issuer);
}

Test(keyring, verifies_eddsa_under_both_names)
{
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	struct keyring *keyring = open_jwks(&issuer, 1);

	expect(verify_signed(keyring, issuer, "{\"alg\":\"EdDSA\",\"kid\":\"k1\"}", GOOD), JWT_OK, "EdDSA");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"Ed25519\",\"kid\":\"k1\"}", GOOD), JWT_OK, "Ed25519");
	keyring_close(keyring);
	issuer_free(issuer);
}

Test(keyring, verifies_hmac_by_the_secret)
{
	static const enum alg algs[] = {ALG_HS256, ALG_HS384, ALG_HS512};

	for (size_t i = 0; i < COUNT(algs); i++) {
		struct issuer *issuer = issuer_new_secret(algs[i], SECRET);
		struct config config = standard();
		struct keyring *keyring;
		char *token = issuer_token_for(issuer, "u1", ORIGIN, NOW);

		config.better_auth_secret = VIEW(SECRET);
		config.jwt_shared_secret_alg = alg_row(algs[i])->spelling;
		keyring = open_with(&config);
		expect(verify(keyring, token), JWT_OK, alg_row(algs[i])->spelling.ptr);
		keyring_close(keyring);
		free(token);
		issuer_free(issuer);
	}
}

Test(keyring, takes_better_auths_text_ids)
{
	static const char *const ids[] = {"aB3dEfGh1JkLmN0pQrStUvWxYz012345", "0190b5d2-0c5e-7d5e-8d0c-0123456789ab",
	                                  "17", "user:J\xc3\xbcrgen"};
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();

	for (size_t i = 0; i < COUNT(ids); i++) {
		char *token = issuer_token_for(issuer, ids[i], ORIGIN, NOW);

		expect(verify(keyring, token), JWT_OK, ids[i]);
		free(token);
	}
	keyring_close(keyring);
	issuer_free(issuer);
}

/* ---- which key ------------------------------------------------------------------------ */

Test(keyring, the_secret_verifies_no_bearer_beside_a_key_set)
{
	struct issuer *set = issuer_new(ALG_EDDSA, "k1");
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct config config = standard();
	struct keyring *keyring;

	config.better_auth_secret = VIEW(SECRET);
	config.jwks_file = write_jwks(&set, 1);
	keyring = open_with(&config);
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}", GOOD), JWT_ALG_MISMATCH, "off");
	keyring_close(keyring);
	config.jwt_shared_secret = true;
	config.jwks_file = write_jwks(&set, 1);
	keyring = open_with(&config);
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}", GOOD), JWT_OK, "on");
	expect(verify_signed(keyring, set, "{\"alg\":\"EdDSA\",\"kid\":\"k1\"}", GOOD), JWT_OK, "the key set as well");
	keyring_close(keyring);
	issuer_free(issuer);
	issuer_free(set);
}

Test(keyring, a_secret_has_no_kid)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();

	cr_expect(keyring_ready(keyring, NOW), "and needs no key set");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\",\"kid\":\"k1\"}", GOOD), JWT_UNKNOWN_KID, "kid");
	keyring_close(keyring);
	issuer_free(issuer);
}

Test(keyring, an_unknown_kid_does_not_fall_back)
{
	struct issuer *issuer = issuer_new(ALG_ES256, "k1");
	struct keyring *keyring = open_jwks(&issuer, 1);

	expect(verify_signed(keyring, issuer, "{\"alg\":\"ES256\",\"kid\":\"k2\"}", GOOD), JWT_UNKNOWN_KID, "another");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"ES256\",\"kid\":\"K1\"}", GOOD), JWT_UNKNOWN_KID, "its case");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"ES256\",\"kid\":\"../k1\"}", GOOD), JWT_UNKNOWN_KID,
	       "a path");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"ES256\",\"kid\":\"k1' OR 1=1\"}", GOOD), JWT_UNKNOWN_KID,
	       "SQL");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"ES256\",\"kid\":\"k1\\u0000\"}", GOOD), JWT_BAD_HEADER,
	       "NUL");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"ES256\"}", GOOD), JWT_OK, "none, and only one key fits");
	keyring_close(keyring);
	issuer_free(issuer);
}

Test(keyring, two_keys_under_one_kid_are_not_used)
{
	struct issuer *issuers[] = {issuer_new(ALG_ES256, "k1"), issuer_new(ALG_ES256, "k1"),
	                            issuer_new(ALG_EDDSA, "k2")};
	struct keyring *keyring = open_jwks(issuers, 3);
	struct buf notes = buf_make(4096);

	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"ES256\",\"kid\":\"k1\"}", GOOD), JWT_DISPUTED_KID,
	       "first");
	expect(verify_signed(keyring, issuers[1], "{\"alg\":\"ES256\",\"kid\":\"k1\"}", GOOD), JWT_DISPUTED_KID,
	       "second");
	expect(verify_signed(keyring, issuers[2], "{\"alg\":\"EdDSA\",\"kid\":\"k2\"}", GOOD), JWT_OK, "the third");
	keyring_take_notes(keyring, &notes);
	cr_expect(view_equal(buf_view(&notes),
	                     VIEW("key set: two different keys (kid k1) under one kid, neither is used\n")),
	          "%.*s", VIEW_ARGS(buf_view(&notes)));
	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"ES256\",\"kid\":\"k1\"}", GOOD), JWT_DISPUTED_KID,
	       "again");
	buf_reset(&notes, 0);
	keyring_take_notes(keyring, &notes);
	cr_expect_eq(notes.len, 0, "it is told once");
	keyring_close(keyring);
	buf_destroy(&notes);
	for (size_t i = 0; i < COUNT(issuers); i++)
		issuer_free(issuers[i]);
}

Test(keyring, a_key_verifies_its_own_algorithm_only)
{
	struct issuer *issuers[] = {issuer_new(ALG_RS256, "k1"), issuer_new(ALG_ES256, "k2")};
	struct keyring *keyring = open_jwks(issuers, 2);

	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"PS256\",\"kid\":\"k1\"}", GOOD), JWT_ALG_MISMATCH,
	       "PS256");
	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"RS512\",\"kid\":\"k1\"}", GOOD), JWT_ALG_MISMATCH,
	       "RS512");
	expect(verify_signed(keyring, issuers[1], "{\"alg\":\"ES256\",\"kid\":\"k1\"}", GOOD), JWT_ALG_MISMATCH,
	       "ES256");
	expect(verify_signed(keyring, issuers[1], "{\"alg\":\"ES384\"}", GOOD), JWT_NO_SUCH_KEY, "ES384");
	keyring_close(keyring);
	issuer_free(issuers[0]);
	issuer_free(issuers[1]);
}

Test(keyring, previous_secrets_count_until_their_instant)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, PREVIOUS);
	struct config config = standard();
	struct keyring *keyring;
	struct claims claims;
	char *token = issuer_token_for(issuer, "u1", ORIGIN, NOW);

	config.better_auth_secret = VIEW(SECRET);
	config.better_auth_previous_secrets = VIEW(PREVIOUS);
	config.better_auth_previous_secrets_until = VIEW("2027-01-15T08:00:10Z");
	keyring = open_with(&config);
	expect(keyring_verify(keyring, &arena, view_of(token), NOW, &claims), JWT_OK, "before");
	expect(keyring_verify(keyring, &arena, view_of(token), NOW + 10 * CLOCK_SECOND, &claims), JWT_BAD_SIGNATURE,
	       "after");
	keyring_close(keyring);
	free(token);
	issuer_free(issuer);
}

/* ---- attacks ----------------------------------------------------------------------------- */

/* The token's three parts, changed. */
static char *with_parts(const char *token, const char *header, const char *payload, const char *signature)
{
	struct buf made = buf_make(64 * 1024);
	struct view rest = view_of(token);
	struct view old[3] = {view_cut(&rest, '.'), view_cut(&rest, '.'), rest};
	const char *fresh[3] = {header, payload, signature};

	for (size_t i = 0; i < 3; i++) {
		if (i > 0)
			BUF_LIT(&made, ".");
		buf_add(&made, fresh[i] ? view_of(fresh[i]) : old[i]);
	}
	buf_add_char(&made, '\0');
	return made.ptr;
}

static void expect_refused(struct keyring *keyring, char *token, const char *attack)
{
	enum jwt_error result = verify(keyring, token);

	cr_expect_neq(result, JWT_OK, "%s got in", attack);
	cr_expect_neq(result, JWT_EXPIRED, "%s was taken for expired", attack);
	free(token);
}

/* {"alg":none} in every spelling, with the signature taken off, kept or made up. */
Test(keyring, attack_alg_none)
{
	static const char *const names[] = {"none",  "None",  "NONE",       "nOnE", "NoNe",
	                                    "none ", " none", "n\\u006fne", "",     "null"};
	static const char *const signatures[] = {"", "AA", NULL};
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct issuer *set = issuer_new(ALG_EDDSA, "k1");
	struct keyring *keyrings[] = {open_secret(), open_jwks(&set, 1)};
	char *good = issuer_token(issuer, "{\"alg\":\"HS256\"}", GOOD);

	for (size_t i = 0; i < COUNT(names); i++) {
		char header[64];
		char *encoded;

		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
		encoded = issuer_base64url(view_of(header));
		for (size_t k = 0; k < COUNT(signatures); k++)
			for (size_t r = 0; r < COUNT(keyrings); r++)
				expect_refused(keyrings[r], with_parts(good, encoded, NULL, signatures[k]), header);
		free(encoded);
	}
	free(good);
	keyring_close(keyrings[0]);
	keyring_close(keyrings[1]);
	issuer_free(issuer);
	issuer_free(set);
}

static void confuse(struct keyring *keyring, struct view secret, const char *what)
{
	static const enum alg algs[] = {ALG_HS256, ALG_HS384, ALG_HS512};

	for (size_t i = 0; i < COUNT(algs); i++) {
		struct issuer *forger = issuer_new_secret_bytes(algs[i], secret);
		char header[64];

		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"k1\"}", alg_row(algs[i])->spelling.ptr);
		expect_refused(keyring, issuer_token(forger, header, GOOD), what);
		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", alg_row(algs[i])->spelling.ptr);
		expect_refused(keyring, issuer_token(forger, header, GOOD), what);
		issuer_free(forger);
	}
}

/* A public key as the secret of an HMAC, in each form that a library might have at hand. */
Test(keyring, attack_key_confusion)
{
	static const enum alg algs[] = {ALG_EDDSA, ALG_ES256, ALG_RS256};

	for (size_t i = 0; i < COUNT(algs); i++) {
		struct issuer *issuer = issuer_new(algs[i], "k1");
		struct config config = standard();
		struct keyring *keyring;
		struct buf form = buf_make(4096);

		config.better_auth_secret = VIEW(SECRET);
		config.jwt_shared_secret = true;
		config.jwks_file = write_jwks(&issuer, 1);
		keyring = open_with(&config);
		issuer_public_pem(issuer, &form);
		confuse(keyring, buf_view(&form), "PEM");
		confuse(keyring, (struct view){form.ptr, form.len - 1}, "PEM without the last newline");
		buf_reset(&form, 0);
		issuer_jwk(issuer, NULL, &form);
		confuse(keyring, buf_view(&form), "JWK text");
		buf_reset(&form, 0);
		issuer_public_der(issuer, &form);
		confuse(keyring, buf_view(&form), "DER");
		keyring_close(keyring);
		buf_destroy(&form);
		issuer_free(issuer);
	}
}

/* The forger's own key inside the header, or an address to fetch it from. */
Test(keyring, attack_embedded_key)
{
	struct issuer *issuer = issuer_new(ALG_ES256, "k1");
	struct issuer *forger = issuer_new(ALG_ES256, "k1");
	struct keyring *keyring = open_jwks(&issuer, 1);
	struct auth_server server = auth_server_start(NULL, NULL);
	struct buf jwk = buf_make(4096);
	char header[4096];

	issuer_jwk(forger, NULL, &jwk);
	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"k1\",\"jwk\":%.*s}", VIEW_ARGS(buf_view(&jwk)));
	expect(verify_signed(keyring, forger, header, GOOD), JWT_BAD_SIGNATURE, "jwk");
	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":%.*s}", VIEW_ARGS(buf_view(&jwk)));
	expect(verify_signed(keyring, forger, header, GOOD), JWT_BAD_SIGNATURE, "jwk without kid");
	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"k1\",\"jku\":\"%s\",\"x5u\":\"%s\"}", server.url,
	         server.url);
	expect(verify_signed(keyring, forger, header, GOOD), JWT_BAD_SIGNATURE, "jku, x5u");
	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", server.url);
	expect(verify_signed(keyring, forger, header, GOOD), JWT_UNKNOWN_KID, "an address as the kid");
	cr_expect_eq(server.state->hits, 0, "nothing in a token makes us fetch");
	auth_server_stop(&server);
	keyring_close(keyring);
	buf_destroy(&jwk);
	issuer_free(issuer);
	issuer_free(forger);
}

/* Properly signed, and refused all the same. */
Test(keyring, attack_headers)
{
	static const struct {
		const char *header;
		enum jwt_error error;
	} cases[] = {
	        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_CRIT},
	        {"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":true}", JWT_CRIT},
	        {"{\"alg\":\"HS256\",\"b64\":false}", JWT_B64},
	        {"{\"alg\":\"HS256\",\"cty\":\"JWT\"}", JWT_BAD_CTY},
	        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"better-auth.session-cache+jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"secevent+jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\"}\n{}", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS384\"}", JWT_ALG_MISMATCH},
	        {"{\"alg\":\"HS256\"}", JWT_OK},
	};
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();

	for (size_t i = 0; i < COUNT(cases); i++)
		expect(verify_signed(keyring, issuer, cases[i].header, GOOD), cases[i].error, cases[i].header);
	keyring_close(keyring);
	issuer_free(issuer);
}

Test(keyring, attack_mac_cut_or_extended)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();
	char *good = issuer_token(issuer, "{\"alg\":\"HS256\"}", GOOD);
	struct view rest = view_of(good);
	unsigned char mac[64] = {0};
	size_t len;

	(void)view_cut(&rest, '.');
	(void)view_cut(&rest, '.');
	cr_assert(base64url_decode(rest, mac, &len));
	cr_assert_eq(len, 32);
	expect(verify(keyring, good), JWT_OK, "as it was");
	for (size_t i = 1; i <= 40; i++) {
		char *signature = issuer_base64url((struct view){(const char *)mac, i});

		if (i != 32)
			expect_refused(keyring, with_parts(good, NULL, NULL, signature), "a MAC of another length");
		free(signature);
	}
	free(good);
	keyring_close(keyring);
	issuer_free(issuer);
}

/* One token, one text: no second spelling of the same bytes passes. */
Test(keyring, attack_other_spellings_of_base64url)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();
	char *good = issuer_token(issuer, "{\"alg\":\"HS256\"}", GOOD);
	size_t len = strlen(good);
	static const char *const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char text[2048];

	/* 32 bytes leave two bits in the last character: three more characters decode to the same in a lax decoder. */
	for (const char *c = alphabet; *c != '\0'; c++) {
		snprintf(text, sizeof(text), "%.*s%c", (int)len - 1, good, *c);
		if (strcmp(text, good) != 0)
			expect_refused(keyring, strdup(text), "last bits");
	}
	snprintf(text, sizeof(text), "%s=", good);
	expect_refused(keyring, strdup(text), "padding");
	snprintf(text, sizeof(text), "%s\n", good);
	expect_refused(keyring, strdup(text), "newline");
	snprintf(text, sizeof(text), " %s", good);
	expect_refused(keyring, strdup(text), "space");
	snprintf(text, sizeof(text), "%s.", good);
	expect_refused(keyring, strdup(text), "four parts");
	snprintf(text, sizeof(text), "%s.e30.e30", good);
	expect_refused(keyring, strdup(text), "five parts");
	snprintf(text, sizeof(text), "Bearer %s", good);
	expect_refused(keyring, strdup(text), "the scheme twice");
	expect_refused(keyring, with_parts(good, NULL, "", NULL), "no payload");
	expect_refused(keyring, with_parts(good, NULL, NULL, ""), "no signature");
	free(good);
	keyring_close(keyring);
	issuer_free(issuer);
}

/* An empty payload under a good MAC is a JWS, and no JWT. */
Test(keyring, attack_empty_payload)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();

	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}", ""), JWT_NOT_THREE_PARTS, "empty");
	keyring_close(keyring);
	issuer_free(issuer);
}

/* Public programs were seen to skip the signature for a magic suffix, or the check for an unsigned part. */
Test(keyring, attack_magic_signatures)
{
	static const char *const signatures[] = {"mock", "test",   "signature", "fake_signature",
	                                         "AAAA", "bW9jaw", "dev"};
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();
	char *good = issuer_token(issuer, "{\"alg\":\"HS256\"}", GOOD);

	for (size_t i = 0; i < COUNT(signatures); i++)
		expect_refused(keyring, with_parts(good, NULL, NULL, signatures[i]), signatures[i]);
	free(good);
	keyring_close(keyring);
	issuer_free(issuer);
}

Test(keyring, attack_changed_payload)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();
	char *good = issuer_token(issuer, "{\"alg\":\"HS256\"}", GOOD);
	char *payload = issuer_base64url(
	        VIEW("{\"sub\":\"u2\",\"iss\":\"" ORIGIN "\",\"aud\":\"" ORIGIN "\",\"exp\":1800000900}"));

	expect(verify(keyring, good), JWT_OK, "as it was");
	expect_refused(keyring, with_parts(good, NULL, payload, NULL), "another user");
	free(payload);
	free(good);
	keyring_close(keyring);
	issuer_free(issuer);
}

/* Signed with Better Auth's published default, the empty key, or other guesses. */
Test(keyring, attack_default_secrets)
{
	static const char *const guesses[] = {"better-auth-secret-12345678901234567890", "", "secret", "changeme",
	                                      "your-256-bit-secret"};
	struct keyring *keyring = open_secret();

	for (size_t i = 0; i < COUNT(guesses); i++) {
		struct issuer *forger = issuer_new_secret(ALG_HS256, guesses[i]);

		expect(verify_signed(keyring, forger, "{\"alg\":\"HS256\"}", GOOD), JWT_BAD_SIGNATURE, guesses[i]);
		issuer_free(forger);
	}
	keyring_close(keyring);
}

/* With a key set the secret that Better Auth encrypts and signs cookies with opens nothing. */
Test(keyring, attack_session_cookie_as_bearer)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct keyring *keyring = open_secret();

	expect(verify_signed(
	               keyring, issuer, "{\"alg\":\"HS256\"}",
	               "{\"session\":{\"token\":\"t\",\"userId\":\"u1\"},\"user\":{\"id\":\"u1\"},\"iat\":1800000000,"
	               "\"exp\":1800000300}"),
	       JWT_BAD_SUB, "session cookie");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}",
	                     "{\"email\":\"a@b.example\",\"userId\":\"u1\",\"iat\":1800000000,\"exp\":1800003600}"),
	       JWT_BAD_SUB, "verification mail");
	expect(verify(keyring, "aB3dEfGh1JkLmN0pQrStUvWxYz012345"), JWT_NOT_THREE_PARTS, "session token");
	expect(verify(keyring, "aB3dEfGh1JkLmN0pQrStUvWxYz012345.c2lnbmF0dXJl"), JWT_NOT_THREE_PARTS,
	       "signed session token");
	keyring_close(keyring);
	issuer_free(issuer);
}

/* The signature comes first: what a forged token says about its time is told nobody. */
Test(keyring, says_expired_only_of_a_good_signature)
{
	static const char expired[] =
	        "{\"sub\":\"u1\",\"iss\":\"" ORIGIN "\",\"aud\":\"" ORIGIN "\",\"exp\":1799999000}";
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct issuer *forger = issuer_new_secret(ALG_HS256, PREVIOUS);
	struct keyring *keyring = open_secret();

	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}", expired), JWT_EXPIRED, "ours");
	expect(verify_signed(keyring, forger, "{\"alg\":\"HS256\"}", expired), JWT_BAD_SIGNATURE, "a forged one");
	expect(verify_signed(keyring, forger, "{\"alg\":\"HS256\"}", "no JSON"), JWT_BAD_SIGNATURE, "not even parsed");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}", "no JSON"), JWT_BAD_PAYLOAD, "parsed");
	keyring_close(keyring);
	issuer_free(issuer);
	issuer_free(forger);
}

/* ---- policy ----------------------------------------------------------------------------------- */

Test(keyring, expects_the_origin_of_better_auth_url)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, SECRET);
	struct config config = standard();
	struct keyring *keyring;

	config.better_auth_secret = VIEW(SECRET);
	config.better_auth_url = VIEW("HTTPS://App.Example:443/api/auth/");
	keyring = open_with(&config);
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}", GOOD), JWT_OK, "origin");
	keyring_close(keyring);
	config.jwt_issuer = VIEW("https://other.example");
	keyring = open_with(&config);
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}", GOOD), JWT_BAD_ISS, "JWT_ISSUER");
	keyring_close(keyring);
	config.jwt_issuer = VIEW("none");
	config.jwt_audience = VIEW("todo");
	keyring = open_with(&config);
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}", GOOD), JWT_BAD_AUD, "JWT_AUDIENCE");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"HS256\"}",
	                     "{\"sub\":\"u1\",\"aud\":[\"todo\"],\"exp\":1800000900}"),
	       JWT_OK, "JWT_AUDIENCE");
	keyring_close(keyring);
	issuer_free(issuer);
}

Test(keyring, admits_access_tokens_by_scope)
{
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	struct config config = standard();
	struct keyring *keyring;

	config.jwks_file = write_jwks(&issuer, 1);
	config.jwt_required_scope = VIEW("tasks");
	keyring = open_with(&config);
	expect(verify_signed(keyring, issuer, "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
	                     "{\"scope\":\"openid tasks\"," GOOD_CLAIMS "}"),
	       JWT_OK, "with the scope");
	expect(verify_signed(keyring, issuer, "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}", GOOD),
	       JWT_BAD_SCOPE, "without");
	keyring_close(keyring);
	issuer_free(issuer);
}

/* ---- start ------------------------------------------------------------------------------------- */

static void expect_refusal(const struct config *config, int state_dir, const char *expected)
{
	struct keyring_parts parts = {.state_dir = state_dir};
	struct keyring *keyring = NULL;

	buf_reset(&error, 0);
	cr_expect_not(keyring_open(config, &parts, &keyring, &error), "%s", expected);
	cr_expect(view_equal(buf_view(&error), view_of(expected)), "%.*s", VIEW_ARGS(buf_view(&error)));
	cr_expect_null(keyring);
}

Test(keyring, refuses_to_start_without_a_key_an_issuer_or_an_audience)
{
	struct config config = auth_config();

	config.better_auth_secret = VIEW(SECRET);
	expect_refusal(&config, -1,
	               "JWT_ISSUER is not set, nor is BETTER_AUTH_URL; the word none switches the check off");
	config.jwt_issuer = VIEW("none");
	expect_refusal(&config, -1,
	               "JWT_AUDIENCE is not set, nor is BETTER_AUTH_URL; the word none switches the check off");
	config.jwt_audience = VIEW("todo");
	keyring_close(open_with(&config));
	keyring_close(NULL);
	config.better_auth_secret = ABSENT;
	expect_refusal(
	        &config, -1,
	        "BETTER_AUTH_SECRET is not set, nor is JWKS_URL, JWKS_FILE or JWKS_TABLE: no key to verify with");
	config.jwt_shared_secret = true;
	expect_refusal(&config, -1, "JWT_SHARED_SECRET needs BETTER_AUTH_SECRET");
}

Test(keyring, refuses_to_start_with_bad_settings)
{
	struct config config = standard();

	config.better_auth_secret = VIEW("hush-hush");
	expect_refusal(&config, -1, "BETTER_AUTH_SECRET is shorter than 32 bytes");
	config.better_auth_secret = VIEW("better-auth-secret-12345678901234567890");
	config.jwks_file = VIEW("/nowhere/jwks.json");
	expect_refusal(&config, -1, "BETTER_AUTH_SECRET is a published default or a placeholder");
	config.better_auth_secret = ABSENT;
	expect_refusal(&config, -1, "JWKS_FILE can't be opened");
	config.jwks_file = ABSENT;
	config.jwks_url = VIEW("http://app.example/jwks");
	expect_refusal(&config, folder.fd,
	               "JWKS_URL is not https; JWKS_INSECURE_LOOPBACK admits http to a loopback address");
	config.jwks_url = VIEW("https://app.example/jwks");
	expect_refusal(&config, -1, "JWKS_URL needs STATE_DIR");
	config.jwks_rsa_alg = VIEW("HS256");
	expect_refusal(&config, folder.fd, "JWKS_RSA_ALG is not an RSA algorithm");
	config.jwks_rsa_alg = VIEW("RSA256");
	expect_refusal(&config, folder.fd, "JWKS_RSA_ALG is not an RSA algorithm");
	config = standard();
	config.jwks_file = VIEW("/nowhere/jwks.json");
	config.jwks_url = VIEW("http://app.example/jwks");
	expect_refusal(&config, folder.fd, "JWKS_FILE can't be opened");
	config = standard();
	config.better_auth_secret = VIEW(SECRET);
	config.better_auth_url = VIEW("app.example");
	expect_refusal(&config, -1, "BETTER_AUTH_URL is not an http or https URL");
	config = standard();
	config.better_auth_secret = VIEW(SECRET);
	static const char *const no_scopes[] = {"two words", " a", "a\"b", "a\\b", "a\x7f", "a\xc3\xa9", "a\t"};
	for (size_t i = 0; i < COUNT(no_scopes); i++) {
		config.jwt_required_scope = view_of(no_scopes[i]);
		expect_refusal(&config, -1, "JWT_REQUIRED_SCOPE is not one scope");
	}
	config.jwt_required_scope = VIEW("!tasks:read~");
	keyring_close(open_with(&config));
}

Test(keyring, takes_a_cookie_only_with_what_that_needs)
{
	struct config config = standard();

	config.better_auth_secret = VIEW(SECRET);
	config.auth_cookie_name = VIEW("data");
	struct keyring *keyring = open_with(&config);
	cr_expect(view_is_absent(keyring_cookie_name(keyring)), "off by default");
	keyring_close(keyring);
	config.auth_cookie = true;
	keyring = open_with(&config);
	cr_expect(view_equal(keyring_cookie_name(keyring), VIEW("__Secure-data")));
	cr_expect(view_equal(keyring_origin(keyring), VIEW(ORIGIN)));
	keyring_close(keyring);
	config.better_auth_url = VIEW("http://localhost:3000");
	keyring = open_with(&config);
	cr_expect(view_equal(keyring_cookie_name(keyring), VIEW("data")));
	keyring_close(keyring);
	config.auth_cookie_name = VIEW("a b");
	expect_refusal(&config, -1,
	               "AUTH_COOKIE_NAME is no name of a cookie; __Secure- is put before it where it belongs");
	config.auth_cookie_name = VIEW("data");
	config.better_auth_url = ABSENT;
	config.jwt_issuer = VIEW("none");
	config.jwt_audience = VIEW("none");
	expect_refusal(&config, -1, "AUTH_COOKIE needs BETTER_AUTH_URL");
	config.better_auth_secret = ABSENT;
	config.jwks_url = VIEW("https://app.example/jwks");
	expect_refusal(&config, folder.fd, "AUTH_COOKIE needs BETTER_AUTH_SECRET");
}

/* Better Auth signs the cookie with HS256, whatever signs its tokens. */
Test(keyring, verifies_a_session_by_the_secret_alone)
{
	static const char session[] = "{\"session\":{\"userId\":\"u1\",\"expiresAt\":\"2999-01-01T00:00:00Z\"},"
	                              "\"user\":{\"id\":\"u1\"},\"exp\":1800000900}";
	static const struct {
		enum alg alg;
		const char *secret;
		const char *header;
		const char *payload;
		enum jwt_error error;
	} cases[] = {
	        {ALG_HS256, SECRET, "{\"alg\":\"HS256\"}", session, JWT_OK},
	        {ALG_HS256, PREVIOUS, "{\"alg\":\"HS256\"}", session, JWT_BAD_SIGNATURE},
	        {ALG_HS512, SECRET, "{\"alg\":\"HS512\"}", session, JWT_ALG_MISMATCH},
	        {ALG_HS256, SECRET, "{\"alg\":\"HS256\",\"kid\":\"k1\"}", session, JWT_UNKNOWN_KID},
	        {ALG_HS256, SECRET, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", session, JWT_BAD_TYP},
	        {ALG_HS256, SECRET, "{\"alg\":\"HS256\"}", "", JWT_NOT_THREE_PARTS},
	        {ALG_HS256, SECRET, "{\"alg\":\"HS256\"}", GOOD, JWT_BAD_SESSION},
	};
	struct config config = standard();
	struct keyring *keyring;
	struct claims claims;

	config.better_auth_secret = VIEW(SECRET);
	config.jwt_shared_secret_alg = VIEW("HS512");
	config.auth_cookie = true;
	config.auth_cookie_name = VIEW("data");
	keyring = open_with(&config);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct issuer *issuer = issuer_new_secret(cases[i].alg, cases[i].secret);
		char *token = issuer_token(issuer, cases[i].header, cases[i].payload);

		expect(keyring_verify_session(keyring, &arena, view_of(token), NOW, &claims), cases[i].error,
		       cases[i].header);
		free(token);
		issuer_free(issuer);
	}
	expect(keyring_verify_session(keyring, &arena, VIEW("abc"), NOW, &claims), JWT_NOT_THREE_PARTS, "no token");
	expect(keyring_verify_session(keyring, &arena, VIEW("e30.e30.AA"), NOW, &claims), JWT_BAD_ALG, "no alg");
	keyring_close(keyring);
}

/* ---- key sets by HTTP ---------------------------------------------------------------------------- */

static struct keyring *open_url(const struct auth_server *server)
{
	struct config config = standard();

	config.jwks_url = view_of(server->url);
	config.jwks_insecure_loopback = true;
	return open_with(&config);
}

Test(keyring, starts_without_the_issuer_and_recovers)
{
	struct auth_server server = auth_server_start(NULL, NULL);
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	struct keyring *keyring = open_url(&server);
	struct buf jwks = buf_make(4096);
	struct claims claims;
	char *token = issuer_token_for(issuer, "u1", ORIGIN, NOW);

	auth_server_serve(&server, AUTH_SERVER_ERROR, VIEW(""));
	expect(keyring_verify(keyring, &arena, view_of(token), NOW, &claims), JWT_NO_KEYS, "away");
	cr_expect_not(keyring_ready(keyring, NOW));
	cr_expect_eq(keyring_list(keyring, NOW, &(struct keyring_key){0}, 1), 0);
	issuer_jwks(&issuer, 1, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	expect(keyring_verify(keyring, &arena, view_of(token), NOW + 30 * CLOCK_SECOND, &claims), JWT_OK, "back");
	cr_expect(keyring_ready(keyring, NOW + 30 * CLOCK_SECOND));
	cr_expect_eq(server.state->hits, 2);
	keyring_close(keyring);
	buf_destroy(&jwks);
	free(token);
	issuer_free(issuer);
	auth_server_stop(&server);
}

/* JWKS_MAX_STALE as it is when nobody sets it: a day, to the microsecond. */
Test(keyring, trusts_the_last_good_set_for_a_day_while_the_issuer_is_away)
{
	const int64_t day = INT64_C(24) * 3600 * CLOCK_SECOND;
	struct auth_server server = auth_server_start(NULL, NULL);
	struct issuer *issuer = issuer_new(ALG_EDDSA, "k1");
	struct keyring *keyring = open_url(&server);
	struct buf jwks = buf_make(4096);
	struct claims claims;
	char *token = issuer_token(issuer, "{\"alg\":\"EdDSA\",\"kid\":\"k1\"}",
	                           "{\"sub\":\"u1\",\"iss\":\"" ORIGIN "\",\"aud\":\"" ORIGIN "\",\"exp\":4102444800}");

	issuer_jwks(&issuer, 1, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	expect(keyring_verify(keyring, &arena, view_of(token), NOW, &claims), JWT_OK, "fetched");
	cr_expect_not(keyring_is_outdated(keyring));
	auth_server_serve(&server, AUTH_SERVER_ERROR, VIEW(""));
	expect(keyring_verify(keyring, &arena, view_of(token), NOW + day - 1, &claims), JWT_OK, "almost a day");
	cr_expect(keyring_is_outdated(keyring));
	expect(keyring_verify(keyring, &arena, view_of(token), NOW + day, &claims), JWT_NO_KEYS, "a day");
	cr_expect_not(keyring_ready(keyring, NOW + day));
	keyring_close(keyring);
	buf_destroy(&jwks);
	free(token);
	issuer_free(issuer);
	auth_server_stop(&server);
}

Test(keyring, follows_a_rotation)
{
	struct auth_server server = auth_server_start(NULL, NULL);
	struct issuer *issuers[] = {issuer_new(ALG_EDDSA, "old"), issuer_new(ALG_EDDSA, "new")};
	struct keyring *keyring = open_url(&server);
	struct buf jwks = buf_make(4096);
	char *old = issuer_token_for(issuers[0], "u1", ORIGIN, NOW);
	char *new = issuer_token_for(issuers[1], "u1", ORIGIN, NOW);
	struct claims claims;

	issuer_jwks(issuers, 1, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	expect(keyring_verify(keyring, &arena, view_of(old), NOW, &claims), JWT_OK, "before");
	buf_reset(&jwks, 0);
	issuer_jwks(issuers, 2, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	expect(keyring_verify(keyring, &arena, view_of(new), NOW + 1, &claims), JWT_OK, "the new key at once");
	expect(keyring_verify(keyring, &arena, view_of(old), NOW + 2, &claims), JWT_OK, "the old one still");
	cr_expect_eq(server.state->hits, 2);
	buf_reset(&jwks, 0);
	issuer_jwks(issuers + 1, 1, &jwks);
	auth_server_serve(&server, AUTH_SERVER_OK, buf_view(&jwks));
	expect(keyring_verify(keyring, &arena, view_of(old), NOW + 301 * CLOCK_SECOND, &claims), JWT_UNKNOWN_KID,
	       "removed");
	cr_expect_eq(server.state->hits, 3);
	keyring_close(keyring);
	buf_destroy(&jwks);
	free(old);
	free(new);
	issuer_free(issuers[0]);
	issuer_free(issuers[1]);
	auth_server_stop(&server);
}

Test(keyring, garbage_and_hmac_tokens_fetch_nothing)
{
	struct auth_server server = auth_server_start(NULL, NULL);
	struct keyring *keyring = open_url(&server);
	struct issuer *forger = issuer_new_secret(ALG_HS256, SECRET);

	expect(verify(keyring, "garbage"), JWT_NOT_THREE_PARTS, "garbage");
	expect(verify(keyring, "e30.e30.AA"), JWT_BAD_ALG, "no alg");
	expect(verify_signed(keyring, forger, "{\"alg\":\"HS256\",\"kid\":\"x\"}", GOOD), JWT_ALG_MISMATCH, "HS256");
	cr_expect_eq(server.state->hits, 0);
	keyring_close(keyring);
	issuer_free(forger);
	auth_server_stop(&server);
}

/* ---- a further source ------------------------------------------------------------------------------ */

struct table {
	struct source source;
	struct jwks *jwks;
	bool *is_closed;
};

static bool table_update(struct source *source, int64_t now, enum source_need need, struct buf *notes)
{
	(void)source;
	(void)now;
	(void)need;
	(void)notes;
	return true;
}

static const struct jwks *table_keys(const struct source *source)
{
	return ((const struct table *)source)->jwks;
}

static void table_close(struct source *source)
{
	struct table *table = (struct table *)source;

	jwks_free(table->jwks);
	*table->is_closed = true;
}

Test(keyring, adds_up_its_sources)
{
	static const struct source_type type = {table_update, table_keys, table_close};
	struct issuer *issuers[] = {issuer_new(ALG_EDDSA, "file"), issuer_new(ALG_EDDSA, "table"),
	                            issuer_new(ALG_ES256, "both")};
	struct issuer *in_table[] = {issuers[1], issuers[2]};
	struct issuer *in_file[] = {issuers[0], issuers[2]};
	bool is_closed = false;
	struct table table = {.source = {&type}, .is_closed = &is_closed};
	struct keyring_parts parts = {.state_dir = -1, .extra = &table.source};
	struct config config = standard();
	struct keyring *keyring = NULL;
	struct buf text = buf_make(8192);

	issuer_jwks(in_table, 2, &text);
	cr_assert_eq(jwks_parse(buf_view(&text), ALG_RS256, &error, &table.jwks), JWKS_OK);
	config.jwks_file = write_jwks(in_file, 2);
	config.better_auth_secret = VIEW(SECRET);
	cr_assert(keyring_open(&config, &parts, &keyring, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"EdDSA\",\"kid\":\"file\"}", GOOD), JWT_OK, "file");
	expect(verify_signed(keyring, issuers[1], "{\"alg\":\"EdDSA\",\"kid\":\"table\"}", GOOD), JWT_OK, "table");
	expect(verify_signed(keyring, issuers[2], "{\"alg\":\"ES256\",\"kid\":\"both\"}", GOOD), JWT_OK, "both");
	expect(verify_signed(keyring, issuers[2], "{\"alg\":\"ES256\"}", GOOD), JWT_OK, "the same key twice is one");
	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"EdDSA\"}", GOOD), JWT_AMBIGUOUS_KEY, "two fit");
	keyring_close(keyring);
	cr_expect(is_closed);
	buf_destroy(&text);
	for (size_t i = 0; i < COUNT(issuers); i++)
		issuer_free(issuers[i]);
}

static bool table_update_without_news(struct source *source, int64_t now, enum source_need need, struct buf *notes)
{
	(void)source;
	(void)now;
	(void)need;
	(void)notes;
	return false;
}

/* The set that was taken first owned the key; it is the other's from then on. */
Test(keyring, keeps_a_key_that_one_of_two_sources_has_dropped)
{
	static const struct source_type type = {table_update_without_news, table_keys, table_close};
	struct issuer *issuers[] = {issuer_new(ALG_EDDSA, "both"), issuer_new(ALG_EDDSA, "file")};
	bool is_closed = false;
	struct table table = {.source = {&type}, .is_closed = &is_closed};
	struct keyring_parts parts = {.state_dir = -1, .extra = &table.source};
	struct config config = standard();
	struct keyring *keyring = NULL;
	struct buf text = buf_make(8192);

	issuer_jwks(issuers, 1, &text);
	cr_assert_eq(jwks_parse(buf_view(&text), ALG_RS256, &error, &table.jwks), JWKS_OK);
	config.jwks_file = write_jwks(issuers, 2);
	cr_assert(keyring_open(&config, &parts, &keyring, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"EdDSA\",\"kid\":\"both\"}", GOOD), JWT_OK, "in both");
	(void)write_jwks(issuers + 1, 1);
	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"EdDSA\",\"kid\":\"new\"}", GOOD), JWT_UNKNOWN_KID,
	       "makes it look");
	expect(verify_signed(keyring, issuers[0], "{\"alg\":\"EdDSA\",\"kid\":\"both\"}", GOOD), JWT_OK, "in one");
	expect(verify_signed(keyring, issuers[1], "{\"alg\":\"EdDSA\",\"kid\":\"file\"}", GOOD), JWT_OK, "beside it");
	keyring_close(keyring);
	buf_destroy(&text);
	issuer_free(issuers[0]);
	issuer_free(issuers[1]);
}

/* What it is refused for, no set of it makes good again. */
Test(keyring, does_not_start_with_a_source_that_is_refused)
{
	static const struct source_type type = {table_update, table_keys, table_close};
	bool is_closed = false;
	struct table table = {.source = {.type = &type, .refusal = "can be written"}, .is_closed = &is_closed};
	struct keyring_parts parts = {.state_dir = -1, .extra = &table.source};
	struct config config = standard();
	struct keyring *keyring = NULL;

	cr_expect_not(keyring_open(&config, &parts, &keyring, &error));
	cr_expect(view_equal(buf_view(&error), VIEW("JWKS_TABLE: can be written")), "%.*s",
	          VIEW_ARGS(buf_view(&error)));
	cr_expect_null(keyring);
	cr_expect_not(is_closed, "it remains the caller's");
}

Test(keyring, lists_its_keys_as_far_as_they_may_be_told)
{
	const int64_t until = NOW + 10 * CLOCK_SECOND;
	struct issuer *issuers[] = {issuer_new(ALG_ES256, "k1"), issuer_new(ALG_ES256, "k1"),
	                            issuer_new(ALG_EDDSA, "k2")};
	struct config config = standard();
	struct keyring *keyring;
	struct keyring_key keys[8];

	config.better_auth_secret = VIEW(SECRET);
	config.better_auth_previous_secrets = VIEW(PREVIOUS);
	config.better_auth_previous_secrets_until = VIEW("2027-01-15T08:00:10Z");
	config.jwks_file = write_jwks(issuers, COUNT(issuers));
	keyring = open_with(&config);
	cr_expect_eq(keyring_list(keyring, NOW, keys, COUNT(keys)), 3, "secrets verify no bearer beside a key set");
	keyring_close(keyring);
	config.jwt_shared_secret = true;
	keyring = open_with(&config);
	cr_expect_eq(keyring_list(keyring, until, keys, COUNT(keys)), 4, "the previous one counts no more");
	cr_assert_eq(keyring_list(keyring, until - 1, keys, COUNT(keys)), 5);
	cr_expect_str_eq(keys[0].setting, "BETTER_AUTH_SECRET");
	cr_expect_eq(keys[0].until, INT64_MAX);
	cr_expect_eq(keys[0].alg, ALG_HS256);
	cr_expect_str_eq(keys[1].setting, "BETTER_AUTH_PREVIOUS_SECRETS");
	cr_expect_eq(keys[1].until, until);
	for (size_t i = 2; i < 5; i++) {
		cr_expect_str_eq(keys[i].setting, "JWKS_FILE");
		cr_expect_eq(keys[i].is_disputed, i < 4);
		cr_expect(view_equal(keys[i].kid, i < 4 ? VIEW("k1") : VIEW("k2")));
		cr_expect_eq(keys[i].alg, i < 4 ? ALG_ES256 : ALG_EDDSA);
	}
	for (size_t max = 0; max <= 5; max++)
		cr_expect_eq(keyring_list(keyring, NOW, keys, max), max);
	keyring_close(keyring);
	for (size_t i = 0; i < COUNT(issuers); i++)
		issuer_free(issuers[i]);
}

Test(keyring, lists_a_disputed_key_that_came_twice_as_disputed_both_times)
{
	struct issuer *issuers[] = {issuer_new(ALG_ES256, "k1"), issuer_new(ALG_ES256, "k1"), NULL,
	                            issuer_new(ALG_EDDSA, NULL)};
	struct config config = standard();
	struct keyring *keyring;
	struct keyring_key keys[8];

	issuers[2] = issuers[0];
	config.jwks_file = write_jwks(issuers, COUNT(issuers));
	keyring = open_with(&config);
	cr_assert_eq(keyring_list(keyring, NOW, keys, COUNT(keys)), 4);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(keys[i].is_disputed, i < 3, "key %zu", i);
	(void)write_jwks(issuers, 1);
	cr_assert_eq(keyring_list(keyring, NOW + 2 * CLOCK_SECOND, keys, COUNT(keys)), 1);
	cr_expect_not(keys[0].is_disputed, "the other is gone");
	keyring_close(keyring);
	issuer_free(issuers[0]);
	issuer_free(issuers[1]);
	issuer_free(issuers[3]);
}

static bool table_update_with_a_flood_of_notes(struct source *source, int64_t now, enum source_need need,
                                               struct buf *notes)
{
	(void)source;
	(void)now;
	(void)need;
	for (size_t i = 0; i < 1000; i++)
		BUF_LIT(notes, "JWKS_TABLE is told of for the thousandth time, and nobody reads it all\n");
	return false;
}

Test(keyring, says_that_there_are_more_notes_than_it_keeps)
{
	static const struct source_type type = {table_update_with_a_flood_of_notes, table_keys, table_close};
	bool is_closed = false;
	struct table table = {.source = {&type}, .is_closed = &is_closed};
	struct keyring_parts parts = {.state_dir = -1, .extra = &table.source};
	struct config config = standard();
	struct keyring *keyring = NULL;
	struct buf notes = buf_make(1024);

	cr_assert(keyring_open(&config, &parts, &keyring, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	keyring_take_notes(keyring, &notes);
	cr_expect(view_equal(buf_view(&notes), VIEW("key sets: too many notes\n")));
	buf_reset(&notes, 0);
	keyring_take_notes(keyring, &notes);
	cr_expect_eq(notes.len, 0, "it is told once");
	keyring_close(keyring);
	buf_destroy(&notes);
}
