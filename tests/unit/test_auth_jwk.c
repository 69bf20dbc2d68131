/* JWK Sets: which keys are used, which are skipped and why, and which documents are none. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/jwk.h"
#include "support/arena.h"
#include "support/issuer.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

TestSuite(jwk, .init = arena_begin, .fini = arena_end);

/* RFC 8037 §A.2, RFC 7515 §A.3 */
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\""
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""
#define RSA_N                                                                                                    \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-" \
	"SFd2lZS-pC"                                                                                             \
	"gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"          \
	"UTo7WTBEMa2R2CapHg6"                                                                                    \
	"65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"                               \
	"h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"                                                               \
	"yuXpoQ"
#define RSA "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\""

static enum key_error parse(const char *members, enum alg *ret_alg)
{
	char text[4096];
	const cJSON *tree = NULL;
	struct key *key = NULL;
	enum key_error error;

	snprintf(text, sizeof(text), "{%s}", members);
	cr_assert_eq(json_parse(&arena, view_of(text), &tree), JSON_OK, "%s", text);
	error = jwk_parse(&arena, tree, ALG_RS256, &key);
	if (error == KEY_OK)
		*ret_alg = key_alg(key);
	key_free(key);
	return error;
}

Test(jwk, binds_a_key_to_one_algorithm)
{
	static const struct {
		const char *members;
		enum alg alg;
	} cases[] = {
	        {ED, ALG_EDDSA},
	        {ED ",\"alg\":\"EdDSA\"", ALG_EDDSA},
	        {ED ",\"alg\":\"Ed25519\"", ALG_EDDSA},
	        {EC, ALG_ES256},
	        {EC ",\"alg\":\"ES256\"", ALG_ES256},
	        {RSA, ALG_RS256},
	        {RSA ",\"alg\":\"RS256\"", ALG_RS256},
	        {RSA ",\"alg\":\"RS512\"", ALG_RS512},
	        {RSA ",\"alg\":\"PS384\"", ALG_PS384},
	        {ED ",\"use\":\"sig\"", ALG_EDDSA},
	        {ED ",\"key_ops\":[\"verify\"]", ALG_EDDSA},
	        {ED ",\"key_ops\":[\"sign\",\"verify\"]", ALG_EDDSA},
	        {ED ",\"key_ops\":[\"verify\",\"sign\"]", ALG_EDDSA},
	        {ED ",\"x5c\":[\"no certificate\"],\"x5u\":\"https://elsewhere.example/\",\"iat\":1", ALG_EDDSA},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum alg alg = ALG_COUNT;

		cr_expect_eq(parse(cases[i].members, &alg), KEY_OK, "%s", cases[i].members);
		cr_expect_eq(alg, cases[i].alg, "%s", cases[i].members);
	}
}

Test(jwk, skips_what_is_no_good)
{
	static const struct {
		const char *members;
		enum key_error error;
	} cases[] = {
	        {"\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"", KEY_SYMMETRIC},
	        {"\"kty\":\"oct\"", KEY_SYMMETRIC},
	        {ED ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"", KEY_PRIVATE},
	        {ED ",\"d\":null", KEY_PRIVATE},
	        {ED ",\"k\":\"AAAA\"", KEY_PRIVATE},
	        {RSA ",\"p\":\"AQAB\"", KEY_PRIVATE},
	        {RSA ",\"q\":\"AQAB\"", KEY_PRIVATE},
	        {RSA ",\"dp\":\"AQAB\"", KEY_PRIVATE},
	        {RSA ",\"dq\":\"AQAB\"", KEY_PRIVATE},
	        {RSA ",\"qi\":\"AQAB\"", KEY_PRIVATE},
	        {RSA ",\"oth\":[]", KEY_PRIVATE},
	        {ED ",\"use\":\"enc\"", KEY_BAD_USE},
	        {ED ",\"use\":\"SIG\"", KEY_BAD_USE},
	        {ED ",\"use\":null", KEY_BAD_USE},
	        {ED ",\"use\":[\"sig\"]", KEY_BAD_USE},
	        {ED ",\"key_ops\":[\"sign\"]", KEY_BAD_KEY_OPS},
	        {ED ",\"key_ops\":[]", KEY_BAD_KEY_OPS},
	        {ED ",\"key_ops\":\"verify\"", KEY_BAD_KEY_OPS},
	        {ED ",\"key_ops\":[\"verify\",1]", KEY_BAD_KEY_OPS},
	        {ED ",\"key_ops\":{\"a\":\"verify\"}", KEY_BAD_KEY_OPS},
	        {ED ",\"kid\":1", KEY_BAD_KID},
	        {ED ",\"kid\":\"\"", KEY_BAD_KID},
	        {ED ",\"kid\":null", KEY_BAD_KID},
	        {ED ",\"alg\":\"HS256\"", KEY_BAD_ALG},
	        {ED ",\"alg\":\"none\"", KEY_BAD_ALG},
	        {ED ",\"alg\":\"ES256\"", KEY_BAD_ALG},
	        {ED ",\"alg\":null", KEY_BAD_ALG},
	        {ED ",\"alg\":\"ECDH-ES\"", KEY_BAD_ALG},
	        {EC ",\"alg\":\"ES384\"", KEY_BAD_ALG},
	        {EC ",\"alg\":\"RS256\"", KEY_BAD_ALG},
	        {EC ",\"alg\":\"HS256\"", KEY_BAD_ALG},
	        {RSA ",\"alg\":\"HS256\"", KEY_BAD_ALG},
	        {RSA ",\"alg\":\"ES256\"", KEY_BAD_ALG},
	        {RSA ",\"alg\":\"EdDSA\"", KEY_BAD_ALG},
	        {RSA ",\"alg\":\"RSA-OAEP\"", KEY_BAD_ALG},
	        {"\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED_X "\"", KEY_BAD_CURVE},
	        {"\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" ED_X "\"", KEY_BAD_CURVE},
	        {"\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" ED_X "\"", KEY_BAD_CURVE},
	        {"\"kty\":\"OKP\",\"x\":\"" ED_X "\"", KEY_BAD_CURVE},
	        {"\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\",\"y\":\"" EC_Y "\"", KEY_BAD_CURVE},
	        {"\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"", KEY_BAD_CURVE},
	        {"\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"", KEY_BAD_LENGTH},
	        {"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_Y "\",\"y\":\"" EC_X "\"", KEY_BAD_POINT},
	        {"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"", KEY_BAD_ENCODING},
	        {"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":1,\"y\":\"" EC_Y "\"", KEY_BAD_ENCODING},
	        {"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "=\"", KEY_BAD_ENCODING},
	        {"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"\"", KEY_BAD_LENGTH},
	        {"\"kty\":\"OKP\",\"crv\":\"Ed25519\"", KEY_BAD_ENCODING},
	        {"\"kty\":\"RSA\",\"n\":\"" RSA_N "\"", KEY_BAD_ENCODING},
	        {"\"kty\":\"RSA\",\"e\":\"AQAB\"", KEY_BAD_ENCODING},
	        {"\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"", KEY_BAD_EXPONENT},
	        {"\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"", KEY_BAD_MODULUS},
	        {"\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"", KEY_BAD_KTY},
	        {"\"kty\":\"okp\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"", KEY_BAD_KTY},
	        {"\"kty\":7", KEY_BAD_KTY},
	        {"", KEY_BAD_KTY},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum alg alg;
		enum key_error error = parse(cases[i].members, &alg);

		cr_expect_eq(error, cases[i].error, "%s: %s", cases[i].members, key_error_text(error));
	}
}

Test(jwk, bounds_the_kid)
{
	char members[1024];
	enum alg alg;

	for (int len = KEY_KID_MAX; len <= KEY_KID_MAX + 1; len++) {
		snprintf(members, sizeof(members), ED ",\"kid\":\"%0*d\"", len, 7);
		cr_expect_eq(parse(members, &alg), len <= KEY_KID_MAX ? KEY_OK : KEY_BAD_KID, "%d", len);
	}
}

Test(jwk, needs_memory_for_what_it_decodes)
{
	static const char *const texts[] = {"{" ED "}", "{" EC "}", "{" RSA "}"};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct arena small;
		const cJSON *tree = NULL;
		struct key *key = NULL;

		cr_assert(arena_init(&small, 1));
		cr_assert_eq(json_parse(&arena, view_of(texts[i]), &tree), JSON_OK);
		cr_expect_eq(jwk_parse(&small, tree, ALG_RS256, &key), KEY_NO_MEMORY, "%s", texts[i]);
		cr_expect_null(key);
		arena_destroy(&small);
	}
}

/* ---- sets -------------------------------------------------------------------------- */

static enum jwks_error parse_set(const char *text, enum alg rsa_alg, size_t *ret_count, struct buf *notes)
{
	struct jwks *jwks = NULL;
	enum jwks_error error = jwks_parse(view_of(text), rsa_alg, notes, &jwks);

	*ret_count = jwks ? jwks->count : 0;
	jwks_free(jwks);
	return error;
}

Test(jwk, set_keeps_the_good_keys_and_tells_of_the_others)
{
	struct buf notes = buf_make(4096);
	size_t count;

	cr_expect_eq(parse_set("{\"keys\":[{" ED ",\"kid\":\"a\"},{" ED ",\"kid\":\"old\",\"use\":\"enc\"},7,{" EC
	                       ",\"kid\":\"b\\nforged line\",\"alg\":\"HS256\"}],\"other\":{}}",
	                       ALG_RS256, &count, &notes),
	             JWKS_OK);
	cr_expect_eq(count, 1);
	cr_expect(
	        view_equal(buf_view(&notes), VIEW("key set: key 2 (kid old) skipped: use is not sig\n"
	                                          "key set: key 3 skipped: not a JSON object\n"
	                                          "key set: key 4 skipped: alg is unknown or does not fit the kind of "
	                                          "key\n")),
	        "%.*s", VIEW_ARGS(buf_view(&notes)));
	buf_destroy(&notes);
}

/* A log line is one line, and no longer than it must be. */
Test(jwk, set_tells_a_kid_that_is_fit_to_be_printed)
{
	static const struct {
		const char *kid;
		bool told;
	} cases[] = {
	        {"!", true},
	        {"~", true},
	        {" ", false},
	        {"a b", false},
	        {"a\x7f", false},
	        {"\xc3\xa9", false},
	        {"0123456789012345678901234567890123456789012345678901234567890123", true},
	        {"01234567890123456789012345678901234567890123456789012345678901234", false},
	};
	struct buf notes = buf_make(4096);
	size_t count;

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[512];
		char expected[256];

		snprintf(text, sizeof(text), "{\"keys\":[{" ED ",\"use\":\"enc\",\"kid\":\"%s\"}]}", cases[i].kid);
		snprintf(expected, sizeof(expected), "key set: key 1%s%s%s skipped: use is not sig\n",
		         cases[i].told ? " (kid " : "", cases[i].told ? cases[i].kid : "", cases[i].told ? ")" : "");
		buf_reset(&notes, 0);
		cr_expect_eq(parse_set(text, ALG_RS256, &count, &notes), JWKS_EMPTY);
		cr_expect(view_equal(buf_view(&notes), view_of(expected)), "%.*s", VIEW_ARGS(buf_view(&notes)));
	}
	buf_destroy(&notes);
}

Test(jwk, set_binds_rsa_by_the_setting)
{
	struct buf notes = buf_make(4096);
	struct jwks *jwks = NULL;

	cr_assert_eq(jwks_parse(VIEW("{\"keys\":[{" RSA "},{" RSA ",\"alg\":\"RS256\"}]}"), ALG_PS512, &notes, &jwks),
	             JWKS_OK);
	cr_expect_eq(key_alg(jwks->keys[0]), ALG_PS512);
	cr_expect_eq(key_alg(jwks->keys[1]), ALG_RS256);
	jwks_free(jwks);
	buf_destroy(&notes);
}

Test(jwk, set_refuses_other_documents)
{
	static const struct {
		const char *text;
		enum jwks_error error;
	} cases[] = {
	        {"", JWKS_MALFORMED},
	        {"null", JWKS_MALFORMED},
	        {"[]", JWKS_MALFORMED},
	        {"[{" ED "}]", JWKS_MALFORMED},
	        {"{" ED "}", JWKS_MALFORMED},
	        {"{}", JWKS_MALFORMED},
	        {"{\"keys\":{}}", JWKS_MALFORMED},
	        {"{\"keys\":null}", JWKS_MALFORMED},
	        {"{\"Keys\":[{" ED "}]}", JWKS_MALFORMED},
	        {"{\"keys\":[{" ED "}]} ,", JWKS_MALFORMED},
	        {"{\"keys\":[{" ED "}]}{}", JWKS_MALFORMED},
	        {"{\"keys\":[{" ED "}],\"keys\":[]}", JWKS_MALFORMED},
	        {"{\"keys\":[{" ED ",\"kid\":\"a\",\"kid\":\"b\"}]}", JWKS_MALFORMED},
	        {"\xef\xbb\xbf{\"keys\":[{" ED "}]}", JWKS_MALFORMED},
	        {"<!doctype html><title>Sign in</title>", JWKS_MALFORMED},
	        {"{\"keys\":[]}", JWKS_EMPTY},
	        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", JWKS_EMPTY},
	        {"{\"keys\":[null]}", JWKS_EMPTY},
	};
	struct buf notes = buf_make(64 * 1024);

	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t count;

		cr_expect_eq(parse_set(cases[i].text, ALG_RS256, &count, &notes), cases[i].error, "%s", cases[i].text);
	}
	buf_destroy(&notes);
}

Test(jwk, set_has_a_largest_size_and_number)
{
	struct buf text = buf_make(JWKS_MAX_BYTES * 4);
	struct buf notes = buf_make(1024 * 1024);
	size_t count;

	for (size_t keys = JWKS_MAX_KEYS; keys <= JWKS_MAX_KEYS + 1; keys++) {
		buf_reset(&text, 0);
		BUF_LIT(&text, "{\"keys\":[");
		for (size_t i = 0; i < keys; i++)
			buf_add(&text, i > 0 ? VIEW(",{" ED "}") : VIEW("{" ED "}"));
		BUF_LIT(&text, "]}");
		buf_add_char(&text, '\0');
		cr_expect_eq(parse_set(text.ptr, ALG_RS256, &count, &notes),
		             keys <= JWKS_MAX_KEYS ? JWKS_OK : JWKS_TOO_LARGE);
	}
	for (size_t size = JWKS_MAX_BYTES; size <= JWKS_MAX_BYTES + 1; size++) {
		buf_reset(&text, 0);
		BUF_LIT(&text, "{\"keys\":[{" ED "}]}");
		while (text.len < size)
			buf_add_char(&text, ' ');
		buf_add_char(&text, '\0');
		cr_expect_eq(parse_set(text.ptr, ALG_RS256, &count, &notes),
		             size <= JWKS_MAX_BYTES ? JWKS_OK : JWKS_TOO_LARGE);
	}
	buf_reset(&text, 0);
	BUF_LIT(&text, "{\"keys\":[");
	while (text.len < JWKS_MAX_BYTES - 8)
		BUF_LIT(&text, "1,");
	BUF_LIT(&text, "1]}");
	buf_add_char(&text, '\0');
	cr_expect_neq(parse_set(text.ptr, ALG_RS256, &count, &notes), JWKS_OK, "a set of nothing but numbers");
	buf_destroy(&text);
	buf_destroy(&notes);
}

Test(jwk, reads_the_keys_of_every_issuer)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		struct issuer *issuer = issuer_new((enum alg)i, "k1");
		struct buf text = buf_make(8192);
		struct buf notes = buf_make(4096);
		struct jwks *jwks = NULL;

		issuer_jwks(&issuer, 1, &text);
		cr_expect_eq(jwks_parse(buf_view(&text), ALG_RS256, &notes, &jwks),
		             alg_is_hmac((enum alg)i) ? JWKS_EMPTY : JWKS_OK);
		if (jwks) {
			cr_expect_eq(key_alg(jwks->keys[0]), i);
			cr_expect(view_equal(key_kid(jwks->keys[0]), VIEW("k1")));
		}
		jwks_free(jwks);
		buf_destroy(&text);
		buf_destroy(&notes);
		issuer_free(issuer);
	}
}
