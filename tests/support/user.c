/* Signs users up with a running stack, and asks its web server. */
#include "support/user.h"

#include <criterion/criterion.h>

#include "support/ask.h"

struct reply reply_to(const struct stack *stack, const struct http_ask *ask)
{
	struct http_answer answer;
	enum http_result result = http_ask(stack_port(stack), ask, &answer);
	cr_assert_eq(result, HTTP_OK, "%s %s: %s", ask->method, ask->target, http_result_text(result));
	struct reply reply = {
	        .status = answer.status,
	        .json = answer.body.len > 0 ? http_json(&answer, ask_arena()) : NULL,
	        .head = view_of(ask_keep(answer.head)),
	        .len = answer.body.len,
	};
	http_answer_destroy(&answer);
	return reply;
}

char *reply_text(const struct reply *reply, const char *member)
{
	struct view value = json_member_text(reply->json, member);
	return value.len > 0 ? ask_keep(value) : NULL;
}

struct view reply_header(const struct reply *reply, struct view name)
{
	return http_header(&(struct http_answer){.head = reply->head}, name, 0);
}

struct reply user_ask_issuer(const struct stack *stack, const char *path, const char *session, const char *body)
{
	const char *origin = ask_format("Origin: %s\r\n", stack_value(stack, "PUBLIC_URL"));
	return reply_to(stack, &(struct http_ask){
	                               .method = body ? "POST" : "GET",
	                               .target = ask_format("/api/auth%s", path),
	                               .token = session,
	                               .headers = origin,
	                               .body = body,
	                       });
}

char *user_token(const struct stack *stack, const struct user *user)
{
	struct reply reply = user_ask_issuer(stack, "/token", user->session, NULL);
	cr_assert_eq(reply.status, 200, "no token: %d", reply.status);
	char *token = reply_text(&reply, "token");
	cr_assert_not_null(token);
	return token;
}

struct user user_sign_up(const struct stack *stack, const char *name)
{
	struct user user = {.email = ask_format("%s@example.com", name)};
	struct reply reply = user_ask_issuer(
	        stack, "/sign-up/email", NULL,
	        ask_format("{\"email\":\"%s\",\"password\":\"" USER_PASSWORD "\",\"name\":\"%s\"}", user.email, name));
	cr_assert_eq(reply.status, 200, "%s can't sign up: %d", name, reply.status);
	struct view id = json_member_text(json_member(reply.json, "user"), "id");
	cr_assert_gt(id.len, 0);
	user.id = ask_keep(id);
	user.session = reply_text(&reply, "token");
	user.head = reply.head;
	cr_assert_not_null(user.session);
	user.token = user_token(stack, &user);
	return user;
}
