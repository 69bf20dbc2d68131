/* The header gate: which tokens get as far as a signature check. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "auth/jwt.h"
#include "support/arena.h"
#include "support/issuer.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

TestSuite(jwt, .init = arena_begin, .fini = arena_end);

/* Parses a token of this header, which lives in the arena. */
static enum jwt_error parse_header_bytes(struct view header, struct jwt *ret)
{
	char *part = issuer_base64url(header);
	struct buf token = buf_make(64 * 1024);
	char *kept;

	buf_add(&token, view_of(part));
	BUF_LIT(&token, ".e30.c2ln");
	kept = arena_string(&arena, buf_view(&token));
	cr_assert_not_null(kept);
	buf_destroy(&token);
	free(part);
	return jwt_parse(&arena, view_of(kept), ret);
}

static enum jwt_error parse_header(const char *header, struct jwt *ret)
{
	return parse_header_bytes(view_of(header), ret);
}

Test(jwt, takes_the_headers_that_issuers_send)
{
	static const struct {
		const char *header;
		enum alg alg;
		const char *kid;
		bool is_access_token;
	} cases[] = {
	        {"{\"alg\":\"EdDSA\",\"kid\":\"8pXbZQ0Pn1DgSE0Jk5rCzFqT3rj2yWvH\"}", ALG_EDDSA,
	         "8pXbZQ0Pn1DgSE0Jk5rCzFqT3rj2yWvH", false},
	        {"{\"alg\":\"Ed25519\"}", ALG_EDDSA, NULL, false},
	        {"{\"alg\":\"HS256\"}", ALG_HS256, NULL, false},
	        {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}", ALG_HS256, NULL, false},
	        {"{\"typ\":\"jwt\",\"alg\":\"HS256\"}", ALG_HS256, NULL, false},
	        {"{\"typ\":\"application/jwt\",\"alg\":\"HS256\"}", ALG_HS256, NULL, false},
	        {"{\"typ\":\"APPLICATION/JWT\",\"alg\":\"HS256\"}", ALG_HS256, NULL, false},
	        {"{\"typ\":\"at+jwt\",\"alg\":\"RS256\"}", ALG_RS256, NULL, true},
	        {"{\"typ\":\"application/at+jwt\",\"alg\":\"RS256\"}", ALG_RS256, NULL, true},
	        {"{\"typ\":\"AT+JWT\",\"alg\":\"RS256\"}", ALG_RS256, NULL, true},
	        {" {\n\t\"alg\" : \"PS512\" ,\r\n \"kid\" : \"a\\u002fb\" } ", ALG_PS512, "a/b", false},
	        {"{\"alg\":\"ES256\",\"cty\":\"json\"}", ALG_ES256, NULL, false},
	        /* Keys and addresses in a header are never used; they do no harm either. */
	        {"{\"alg\":\"ES256\",\"jku\":\"https://elsewhere.example/jwks\",\"x5u\":\"https://elsewhere.example/"
	         "\",\"jwk\":{},"
	         "\"x5c\":[]}",
	         ALG_ES256, NULL, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct jwt jwt;

		cr_assert_eq(parse_header(cases[i].header, &jwt), JWT_OK, "%s", cases[i].header);
		cr_expect_eq(jwt.alg, cases[i].alg, "%s", cases[i].header);
		cr_expect_eq(jwt.is_access_token, cases[i].is_access_token, "%s", cases[i].header);
		cr_expect_eq(view_is_absent(jwt.kid), cases[i].kid == NULL, "%s", cases[i].header);
		cr_expect(view_equal(jwt.kid, view_of(cases[i].kid)), "%s", cases[i].header);
		cr_expect(view_equal(jwt.payload, VIEW("{}")));
		cr_expect(view_equal(jwt.signature, VIEW("sig")));
		cr_expect(view_equal(view_from(jwt.signed_text, jwt.signed_text.len - 4), VIEW(".e30")));
	}
}

Test(jwt, refuses_bad_headers)
{
	static const struct {
		const char *header;
		enum jwt_error error;
	} cases[] = {
	        {"{\"alg\":\"none\"}", JWT_BAD_ALG},
	        {"{\"alg\":\"None\"}", JWT_BAD_ALG},
	        {"{\"alg\":\"NONE\"}", JWT_BAD_ALG},
	        {"{\"alg\":\"nOnE\"}", JWT_BAD_ALG},
	        {"{\"alg\":\"\"}", JWT_BAD_ALG},
	        {"{\"alg\":null}", JWT_BAD_ALG},
	        {"{\"alg\":256}", JWT_BAD_ALG},
	        {"{\"alg\":[\"HS256\"]}", JWT_BAD_ALG},
	        {"{\"alg\":\"hs256\"}", JWT_BAD_ALG},
	        {"{\"alg\":\"HS256 \"}", JWT_BAD_ALG},
	        {"{\"Alg\":\"HS256\"}", JWT_BAD_ALG},
	        {"{\"typ\":\"JWT\"}", JWT_BAD_ALG},
	        {"{\"alg\":\"dir\",\"enc\":\"A256GCM\"}", JWT_BAD_ALG},
	        {"{}", JWT_BAD_ALG},
	        {"{\"alg\":\"HS256\",\"alg\":\"none\"}", JWT_BAD_HEADER},
	        {"{\"alg\":\"none\",\"alg\":\"HS256\"}", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\"} x", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\"}{}", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\",}", JWT_BAD_HEADER},
	        {"{'alg':'HS256'}", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\\u0000\"}", JWT_BAD_HEADER},
	        {"\xef\xbb\xbf{\"alg\":\"HS256\"}", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\",\"kid\":\"\xff\"}", JWT_BAD_HEADER},
	        {"[{\"alg\":\"HS256\"}]", JWT_BAD_HEADER},
	        {"\"HS256\"", JWT_BAD_HEADER},
	        {"null", JWT_BAD_HEADER},
	        {"HS256", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\",\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}", JWT_BAD_HEADER},
	        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_CRIT},
	        {"{\"alg\":\"HS256\",\"crit\":[]}", JWT_CRIT},
	        {"{\"alg\":\"HS256\",\"crit\":null}", JWT_CRIT},
	        {"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", JWT_CRIT},
	        {"{\"alg\":\"HS256\",\"b64\":false}", JWT_B64},
	        {"{\"alg\":\"HS256\",\"b64\":true}", JWT_B64},
	        {"{\"alg\":\"HS256\",\"typ\":\"JWS\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"JOSE\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":null}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":1}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":[\"JWT\"]}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"application/\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"application/application/jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"text/jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"application.jwt\"}", JWT_BAD_TYP}, /* as long as what may be left out */
	        {"{\"alg\":\"HS256\",\"typ\":\"jwt \"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"EdDSA\",\"typ\":\"better-auth.session-cache+jwt\"}", JWT_BAD_TYP},
	        {"{\"alg\":\"HS256\",\"cty\":\"JWT\"}", JWT_BAD_CTY},
	        {"{\"alg\":\"HS256\",\"cty\":\"jwt\"}", JWT_BAD_CTY},
	        {"{\"alg\":\"HS256\",\"cty\":\"application/JWT\"}", JWT_BAD_CTY},
	        {"{\"alg\":\"HS256\",\"cty\":null}", JWT_BAD_CTY},
	        {"{\"alg\":\"HS256\",\"kid\":\"\"}", JWT_BAD_KID},
	        {"{\"alg\":\"HS256\",\"kid\":null}", JWT_BAD_KID},
	        {"{\"alg\":\"HS256\",\"kid\":7}", JWT_BAD_KID},
	        {"{\"alg\":\"HS256\",\"kid\":{\"a\":1}}", JWT_BAD_KID},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct jwt jwt;
		enum jwt_error error = parse_header(cases[i].header, &jwt);

		cr_expect_eq(error, cases[i].error, "%s: %s", cases[i].header, jwt_error_text(error));
	}
}

Test(jwt, bounds_the_kid)
{
	struct buf header = buf_make(4096);
	struct jwt jwt;

	for (size_t len = JWT_KID_MAX; len <= JWT_KID_MAX + 1; len++) {
		buf_reset(&header, 0);
		BUF_LIT(&header, "{\"alg\":\"HS256\",\"kid\":\"");
		for (size_t i = 0; i < len; i++)
			buf_add_char(&header, 'k');
		BUF_LIT(&header, "\"}");
		cr_expect_eq(parse_header_bytes(buf_view(&header), &jwt), len <= JWT_KID_MAX ? JWT_OK : JWT_BAD_KID);
	}
	buf_destroy(&header);
}

#define H "eyJhbGciOiJIUzI1NiJ9" /* {"alg":"HS256"} */

Test(jwt, takes_exactly_three_parts_of_strict_base64url)
{
	static const struct {
		const char *token;
		enum jwt_error error;
	} cases[] = {
	        {H ".e30.c2ln", JWT_OK},
	        {H "..c2ln", JWT_OK}, /* an empty payload is the business of the claims */
	        {"", JWT_NOT_THREE_PARTS},
	        {".", JWT_NOT_THREE_PARTS},
	        {"..", JWT_NOT_THREE_PARTS},
	        {"...", JWT_NOT_THREE_PARTS},
	        {H, JWT_NOT_THREE_PARTS},
	        {H ".e30", JWT_NOT_THREE_PARTS},
	        {H ".e30.", JWT_NOT_THREE_PARTS},
	        {".e30.c2ln", JWT_NOT_THREE_PARTS},
	        {H ".e30.c2ln.", JWT_NOT_THREE_PARTS},
	        {"." H ".e30.c2ln", JWT_NOT_THREE_PARTS},
	        {H ".e30.c2ln.e30", JWT_NOT_THREE_PARTS},
	        {H ".e30.c2ln.e30.e30", JWT_NOT_THREE_PARTS},
	        {H "..e30.c2ln", JWT_NOT_THREE_PARTS},
	        {H "=.e30.c2ln", JWT_BAD_BASE64URL},
	        {H ".e30=.c2ln", JWT_BAD_BASE64URL},
	        {H ".e30.c2ln=", JWT_BAD_BASE64URL},
	        {H ".e30.c2l+", JWT_BAD_BASE64URL},
	        {H ".e30.c2l/", JWT_BAD_BASE64URL},
	        {H ".e3 0.c2ln", JWT_BAD_BASE64URL},
	        {H ".e30.c2ln\n", JWT_BAD_BASE64URL},
	        {" " H ".e30.c2ln", JWT_BAD_BASE64URL},
	        {H ".e31.c2ln", JWT_BAD_BASE64URL}, /* last bits that are not zero */
	        {H ".e30.c2k1", JWT_OK},
	        {H ".e30.c2l", JWT_BAD_BASE64URL},
	        {H ".e30.c", JWT_BAD_BASE64URL},
	        {H ".e30.\xc3\xa9", JWT_BAD_BASE64URL},
	        {"eyJhbGciOiJIUzI1NiJ.e30.c2ln", JWT_BAD_BASE64URL},
	        {"{\"payload\":\"e30\",\"protected\":\"" H "\",\"signature\":\"c2ln\"}", JWT_NOT_THREE_PARTS},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct jwt jwt;
		enum jwt_error error = jwt_parse(&arena, view_of(cases[i].token), &jwt);

		cr_expect_eq(error, cases[i].error, "%s: %s", cases[i].token, jwt_error_text(error));
	}
	cr_expect_eq(jwt_parse(&arena, (struct view){H ".e30.c2\0n", sizeof(H) - 1 + 9}, &(struct jwt){0}),
	             JWT_BAD_BASE64URL, "a NUL inside");
	cr_expect_eq(jwt_parse(&arena, ABSENT, &(struct jwt){0}), JWT_NOT_THREE_PARTS);
}

Test(jwt, takes_7_kib_and_not_a_byte_more)
{
	struct buf token = buf_make(16 * 1024);
	struct jwt jwt;

	cr_assert_eq(JWT_MAX_BYTES, 7168);
	BUF_LIT(&token, H ".");
	while (token.len < JWT_MAX_BYTES - 5)
		buf_add_char(&token, 'A');
	BUF_LIT(&token, ".c2ln");
	cr_assert_eq(token.len, JWT_MAX_BYTES);
	cr_expect_neq(jwt_parse(&arena, buf_view(&token), &jwt), JWT_TOO_LARGE);
	buf_add_char(&token, 'A');
	cr_expect_eq(jwt_parse(&arena, buf_view(&token), &jwt), JWT_TOO_LARGE);
	buf_destroy(&token);
}

Test(jwt, says_when_the_arena_is_full)
{
	struct jwt jwt;

	for (size_t size = 1; size <= 64; size++) {
		struct arena small;

		cr_assert(arena_init(&small, size));
		cr_expect_eq(jwt_parse(&small, VIEW(H ".e30.c2ln"), &jwt), JWT_NO_MEMORY, "%zu bytes", size);
		arena_destroy(&small);
	}
}

Test(jwt, has_a_word_for_every_error)
{
	for (size_t i = 0; i < JWT_ERROR_COUNT; i++) {
		cr_assert_not_null(jwt_error_text((enum jwt_error)i));
		for (size_t k = 0; k < i; k++)
			cr_expect_str_neq(jwt_error_text((enum jwt_error)i), jwt_error_text((enum jwt_error)k));
	}
}
