/* auth.fcgi: whose token is this, judged by the token alone. */
#include "app/app.h"
#include "base/clock.h"

static void add_member(struct buf *out, struct view name, struct view value)
{
	buf_add_json(out, name);
	buf_add_char(out, ':');
	if (view_is_absent(value))
		BUF_LIT(out, "null");
	else
		buf_add_json(out, value);
}

static void add_expiry(struct buf *out, const struct claims *claims)
{
	char text[CLOCK_TEXT_SECONDS + 1];
	clock_format_seconds(claims->expires_at, text);
	add_member(out, VIEW("expires_at"), view_of(text));
}

/* The one answer that is no problem document: front ends ask it for a verdict. */
static enum outcome validate(struct exchange *x)
{
	struct buf *out = &x->response->body;
	enum outcome outcome = app_bearer(x);
	if (outcome == OUTCOME_OK) {
		BUF_LIT(out, "{\"valid\":true,");
		add_member(out, VIEW("user_id"), x->claims->subject);
		buf_add_char(out, ',');
		add_expiry(out, x->claims);
		buf_add_char(out, '}');
		return app_answer_json(x, 200);
	}
	if (outcome_row(outcome)->status != 401)
		return outcome;
	app_challenge(x, outcome);
	BUF_LIT(out, "{\"valid\":false,\"error\":\"Invalid token\"}");
	return app_answer_json(x, 401);
}

static enum outcome me(struct exchange *x)
{
	struct buf *out = &x->response->body;
	BUF_LIT(out, "{\"user\":{");
	add_member(out, VIEW("id"), x->claims->subject);
	buf_add_char(out, ',');
	add_member(out, VIEW("email"), x->claims->email);
	buf_add_char(out, ',');
	add_member(out, VIEW("name"), x->claims->name);
	BUF_LIT(out, "},");
	add_expiry(out, x->claims);
	buf_add_char(out, '}');
	return app_answer_json(x, 200);
}

static const struct app_program program = {
        .name = "auth",
        .program = PROGRAM_AUTH,
        .handlers = {[ROUTE_VALIDATE] = validate, [ROUTE_ME] = me},
};

int main(void)
{
	return app_main(&program);
}
