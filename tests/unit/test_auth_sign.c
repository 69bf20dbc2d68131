/* Signing by libjwt, and libjwt as a second opinion on what the verifier says of HMAC. */
#include <criterion/criterion.h>
#include <jwt.h>
#include <limits.h>
#include <stdlib.h>

#include "auth/jwt.h"
#include "auth/key.h"
#include "auth/sign.h"
#include "support/issuer.h"
#include "support/leaks.h"

static const enum alg algs[] = {ALG_HS256, ALG_HS384, ALG_HS512};

TestSuite(sign, .fini = leaks_check);

static bool we_accept(enum alg alg, struct view secret, struct view token)
{
	struct arena arena;
	struct key *key = NULL;
	struct jwt jwt;
	bool good;

	cr_assert(arena_init(&arena, 1024 * 1024));
	cr_assert_eq(key_new_hmac(alg, ABSENT, secret, &key), KEY_OK);
	good = jwt_parse(&arena, token, &jwt) == JWT_OK && jwt.alg == alg &&
	       key_verify(key, jwt.signed_text, jwt.signature);
	key_free(key);
	arena_destroy(&arena);
	return good;
}

static bool libjwt_accepts(struct view secret, const char *token)
{
	jwt_t *jwt = NULL;
	bool good = jwt_decode(&jwt, token, (const unsigned char *)secret.ptr, (int)secret.len) == 0;

	jwt_free(jwt);
	return good;
}

Test(sign, makes_tokens_that_verify)
{
	for (size_t i = 0; i < 3; i++) {
		struct buf token = buf_make(4096);
		struct view secret = VIEW("any bytes of sufficient length, say sixty-four of them or more..");

		cr_assert(sign_token(algs[i], secret, VIEW("{\"sub\":\"u1\",\"exp\":1800000900}"), &token));
		cr_expect(we_accept(algs[i], secret, buf_view(&token)));
		cr_expect_not(we_accept(algs[i], VIEW("another secret of sufficient length"), buf_view(&token)));
		cr_expect_not(we_accept(algs[(i + 1) % 3], secret, buf_view(&token)));
		buf_destroy(&token);
	}
}

Test(sign, refuses_what_it_cannot_sign)
{
	struct buf token = buf_make(4096);

	cr_expect_not(sign_token(ALG_RS256, VIEW("secret"), VIEW("{}"), &token));
	cr_expect_not(sign_token(ALG_EDDSA, VIEW("secret"), VIEW("{}"), &token));
	cr_expect_not(sign_token(ALG_HS256, ABSENT, VIEW("{}"), &token));
	cr_expect_not(sign_token(ALG_HS256, VIEW("secret"), VIEW("not json"), &token));
	cr_expect_not(sign_token(ALG_HS256, VIEW("secret"), ABSENT, &token));
	cr_expect_not(sign_token(ALG_RS256, ABSENT, VIEW("{}"), &token), "which libjwt would not sign at all");
	cr_expect_not(sign_token(ALG_HS256, (struct view){"secret", (size_t)UINT_MAX + 7}, VIEW("{}"), &token),
	              "of which libjwt would use the first six bytes");
	cr_expect_eq(token.len, 0);
	buf_destroy(&token);
}

Test(sign, libjwt_agrees_with_the_verifier)
{
	for (size_t i = 0; i < 3; i++) {
		struct issuer *issuer = issuer_new(algs[i], NULL);
		char *token = issuer_token_for(issuer, "u1", "https://app.example", 1800000000 * INT64_C(1000000));
		struct view secret = issuer_secret(issuer);
		size_t signature_at = 0;

		cr_expect(libjwt_accepts(secret, token));
		cr_expect(we_accept(algs[i], secret, view_of(token)));
		for (size_t k = 0; token[k] != '\0'; k++)
			signature_at = token[k] == '.' ? k + 1 : signature_at;
		for (size_t k = signature_at; token[k + 1] != '\0'; k++) {
			char was = token[k];

			token[k] = was == 'A' ? 'B' : 'A';
			cr_expect_not(libjwt_accepts(secret, token), "character %zu", k);
			cr_expect_not(we_accept(algs[i], secret, view_of(token)), "character %zu", k);
			token[k] = was;
		}
		free(token);
		issuer_free(issuer);
	}
}
