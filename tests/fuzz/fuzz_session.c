/* Better Auth's session in a cookie, under a good signature: what is taken has one
 * user, who owns the session, and is no token.
 *
 * The first line is the header, the rest the payload. */
#include "base/clock.h"
#include "fuzz/fuzz.h"
#include "fuzz/keys.h"
#include "fuzz/second.h"

static void keeps_the_rules(struct view text, const struct claims *claims)
{
	static const char *const of_tokens[] = {"sub", "iss", "aud", "cnf"};
	json_t *payload = second_json(text);
	json_t *user = json_object_get(payload, "user");
	json_t *session = json_object_get(payload, "session");
	int64_t ends = 0;
	HOLDS(view_equal(second_text(json_object_get(user, "id")), claims->subject));
	HOLDS(view_equal(second_text(json_object_get(session, "userId")), claims->subject));
	HOLDS(claims->subject.len > 0 && claims->subject.len <= CLAIMS_SUBJECT_MAX);
	HOLDS(json_is_real(json_object_get(payload, "exp")));
	HOLDS(clock_parse(second_text(json_object_get(session, "expiresAt")), &ends) && claims->expires_at <= ends);
	HOLDS(FUZZ_NOW < claims->expires_at + 30 * CLOCK_SECOND);
	for (size_t i = 0; i < sizeof of_tokens / sizeof *of_tokens; i++)
		HOLDS(!json_object_get(payload, of_tokens[i]));
	json_decref(payload);
}

void fuzz_one(struct view input)
{
	struct view payload = input;
	struct view header = view_cut(&payload, '\n');
	struct view token = keys_sign_shared(header, payload);
	struct claims claims;
	if (keyring_verify_session(keys_ring(), fuzz_arena(), token, FUZZ_NOW, &claims) != JWT_OK)
		return;
	keeps_the_rules(payload, &claims);
	HOLDS(keyring_verify(keys_ring(), fuzz_arena(), token, FUZZ_NOW, &claims) != JWT_OK);
}
