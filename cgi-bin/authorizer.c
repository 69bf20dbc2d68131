/* authorizer.fcgi: may a request go on to another application of this host, and whose is it
 * (FastCGI Specification 1.0 §6.3). */
#include "app/app.h"

/* A field's value neither begins nor ends with a blank (RFC 9110 §5.5): who does would be somebody else behind it. */
static bool can_be_passed_on(struct view user)
{
	return view_equal(view_trim(user), user);
}

static enum outcome authorize(struct exchange *x)
{
	if (!can_be_passed_on(x->claims->subject)) {
		x->reason = "unfit_subject";
		return OUTCOME_TOKEN_INVALID;
	}
	/* mod_fcgid puts all that it says into the other application's answer. */
	response_reset(x->response);
	x->response->bare = true;
	response_header(x->response, VIEW("Variable-TODO_USER"), x->claims->subject);
	return app_answer_empty(x, 200);
}

static const struct app_program program = {
        .name = "authorizer",
        .program = PROGRAM_AUTHORIZER,
        .authorize = authorize,
};

int main(void)
{
	return app_main(&program);
}
