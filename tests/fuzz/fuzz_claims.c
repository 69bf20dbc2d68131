/* Headers and claims under a good signature: what is taken keeps the rules of
 * auth/claims.h as Jansson reads it, libjwt takes it too, and one changed bit undoes it.
 *
 * The first line is the header, the rest the payload. */
#include <jwt.h>

#include "base/clock.h"
#include "fuzz/fuzz.h"
#include "fuzz/keys.h"
#include "fuzz/second.h"

#define LEEWAY 30
#define TYPE_JWT "([aA][pP][pP][lL][iI][cC][aA][tT][iI][oO][nN]/)?[jJ][wW][tT]"

/* libjwt knows no type but JWT, without "application/", and integers of 64 bits alone. */
static bool second_knows(struct view header, struct view payload)
{
	json_t *read = second_json(header);
	json_t *small = json_loadb(payload.ptr, payload.len, 0, NULL);
	struct view type = second_text(json_object_get(read, "typ"));
	bool knows = small && (view_is_absent(type) || view_equal_nocase(type, VIEW("JWT")));
	json_decref(read);
	json_decref(small);
	return knows;
}

static void second_takes(struct view token)
{
	jwt_t *jwt = NULL;
	HOLDS(jwt_decode(&jwt, fuzz_string(token), (const unsigned char *)FUZZ_SECRET, sizeof FUZZ_SECRET - 1) == 0);
	HOLDS(jwt_get_alg(jwt) == JWT_ALG_HS256);
	jwt_free(jwt);
}

static bool is_past(json_t *claims, const char *name)
{
	json_t *node = json_object_get(claims, name);
	return !node || (json_is_real(node) && json_real_value(node) <= (double)(FUZZ_NOW / CLOCK_SECOND) + LEEWAY);
}

static bool has_audience(json_t *aud)
{
	bool found = view_equal(second_text(aud), VIEW(FUZZ_ORIGIN));
	for (size_t i = 0; i < json_array_size(aud); i++) {
		HOLDS(json_is_string(json_array_get(aud, i)));
		found = found || view_equal(second_text(json_array_get(aud, i)), VIEW(FUZZ_ORIGIN));
	}
	return found;
}

static void keeps_the_rules(struct view header_text, struct view payload_text, const struct claims *claims)
{
	json_t *header = second_json(header_text);
	json_t *payload = second_json(payload_text);
	json_t *exp = json_object_get(payload, "exp");
	json_t *typ = json_object_get(header, "typ");
	json_t *cty = json_object_get(header, "cty");
	HOLDS(view_equal(second_text(json_object_get(header, "alg")), VIEW("HS256")));
	HOLDS(!json_object_get(header, "kid") && !json_object_get(header, "crit") && !json_object_get(header, "b64"));
	HOLDS(!typ || second_matches(second_text(typ), TYPE_JWT));
	HOLDS(!cty || (json_is_string(cty) && !second_matches(second_text(cty), TYPE_JWT)));
	HOLDS(view_equal(second_text(json_object_get(payload, "sub")), claims->subject));
	HOLDS(claims->subject.len > 0 && claims->subject.len <= CLAIMS_SUBJECT_MAX);
	HOLDS(!second_matches(claims->subject, "(.|\n)*[\001-\037\177](.|\n)*"));
	HOLDS(view_equal(second_text(json_object_get(payload, "iss")), VIEW(FUZZ_ORIGIN)));
	HOLDS(has_audience(json_object_get(payload, "aud")));
	HOLDS(json_is_real(exp) && json_real_value(exp) > (double)(FUZZ_NOW / CLOCK_SECOND) - LEEWAY - 1e-6);
	HOLDS(is_past(payload, "nbf") && is_past(payload, "iat") && !json_object_get(payload, "cnf"));
	HOLDS(view_equal(second_text(json_object_get(payload, "email")), claims->email));
	HOLDS(view_equal(second_text(json_object_get(payload, "name")), claims->name));
	json_decref(header);
	json_decref(payload);
}

static void one_bit_undoes_it(struct view token)
{
	struct claims claims;
	char *changed = fuzz_string(token);
	char *signature = strrchr(changed, '.') + 1;
	*signature = *signature == 'A' ? 'B' : 'A';
	HOLDS(keyring_verify(keys_ring(), fuzz_arena(), view_of(changed), FUZZ_NOW, &claims) == JWT_BAD_SIGNATURE);
}

void fuzz_one(struct view input)
{
	struct view payload = input;
	struct view header = view_cut(&payload, '\n');
	struct view token = keys_sign_shared(header, payload);
	struct claims claims;
	enum jwt_error error = keyring_verify(keys_ring(), fuzz_arena(), token, FUZZ_NOW, &claims);
	HOLDS(error != JWT_BAD_BASE64URL && error != JWT_NO_MEMORY && error != JWT_NO_KEYS);
	if (error != JWT_OK)
		return;
	keeps_the_rules(header, payload, &claims);
	if (second_knows(header, payload))
		second_takes(token);
	one_bit_undoes_it(token);
}
