/* The Authorization header: a token gets in exactly where the header is the scheme, a
 * space and that one token (RFC 6750 §2.1).
 *
 * "@" stands for a good token. */
#include "auth/guard.h"
#include "fuzz/fuzz.h"
#include "fuzz/keys.h"
#include "fuzz/second.h"

static struct view with_token(struct view text, struct view token)
{
	struct view rest = text;
	struct view before = view_cut(&rest, '@');
	return view_is_absent(rest) ? text : fuzz_join(fuzz_join(before, token), rest);
}

static void operator_gets_in(struct view input)
{
	struct request request = {.authorization = view_of(fuzz_string(with_token(input, VIEW("Operators-0wn"))))};
	const char *reason = NULL;
	bool good = guard_operator(&request, VIEW("Operators-0wn"), &reason) == OUTCOME_OK;
	HOLDS(good == second_matches(request.authorization, "[ \t]*[bB][eE][aA][rR][eE][rR][ \t]+Operators-0wn[ \t]*"));
}

void fuzz_one(struct view input)
{
	struct request request = {.authorization = view_of(fuzz_string(with_token(input, keys_issued(0))))};
	struct view sent = view_of(fuzz_string(input));
	const struct claims *claims = NULL;
	const char *reason = NULL;
	enum outcome outcome = guard_bearer(keys_ring(), fuzz_arena(), &request, &claims, &reason);
	HOLDS((outcome == OUTCOME_OK) == second_matches(sent, "[ \t]*[bB][eE][aA][rR][eE][rR][ \t]+@[ \t]*"));
	HOLDS((outcome == OUTCOME_TWO_CREDENTIALS) == (view_find(sent, ',') < sent.len));
	HOLDS(outcome == OUTCOME_OK || outcome == OUTCOME_TWO_CREDENTIALS || outcome == OUTCOME_UNAUTHENTICATED ||
	      outcome == OUTCOME_TOKEN_INVALID);
	HOLDS((claims != NULL) == (outcome == OUTCOME_OK));
	operator_gets_in(input);
}
