/* The real issuer: users sign up with Better Auth through the web server's own
 * proxy, and work on their tasks with the tokens that it gives them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64url.h"
#include "base/clock.h"
#include "support/ask.h"
#include "support/http2.h"
#include "support/user.h"

enum { FILE_MAX = 1024 * 1024, PATIENCE = 30 };

TestSuite(issuer, .fini = ask_end);

/* ---- one running application, and asking it ---- */

static struct stack stack;

static struct reply ask(const char *method, const char *target, const char *token, const char *body)
{
	return reply_to(&stack, &(struct http_ask){.method = method, .target = target, .token = token, .body = body});
}

static char *tasks_of(const struct user *user)
{
	return ask_format("/api/%s/tasks", user->id);
}

static int count(struct reply reply)
{
	cr_assert_eq(reply.status, 200);
	cr_assert(cJSON_IsArray(reply.json));
	return cJSON_GetArraySize(reply.json);
}

/* A string member of the token's header, unverified. */
static char *header_member(const char *token, const char *name)
{
	struct view rest = view_of(token);
	struct view part = view_cut(&rest, '.');
	const cJSON *json = NULL;
	unsigned char *room = arena_alloc(ask_arena(), part.len);
	size_t len = 0;
	cr_assert_not_null(room);
	cr_assert(base64url_decode(part, room, &len));
	cr_assert_eq(json_parse(ask_arena(), (struct view){(char *)room, len}, &json), JSON_OK);
	struct view value = json_member_text(json, name);
	return value.len > 0 ? ask_keep(value) : NULL;
}

/* ---- sign up, token, tasks ---- */

static void work_on_a_task(const struct user *user)
{
	char *tasks = tasks_of(user);
	cr_assert_eq(count(ask("GET", tasks, user->token, NULL)), 0);

	struct reply created = ask("POST", tasks, user->token, "{\"title\":\"Buy milk\"}");
	cr_assert_eq(created.status, 201);
	char *task = ask_format("%s/%s", tasks, reply_text(&created, "id"));
	cr_expect_eq(count(ask("GET", tasks, user->token, NULL)), 1);

	struct reply completed = ask("PATCH", ask_format("%s/complete", task), user->token, "{\"completed\":true}");
	cr_expect_eq(completed.status, 200);
	cr_expect(cJSON_IsTrue(json_member(completed.json, "completed")));

	cr_expect_eq(ask("DELETE", task, user->token, NULL).status, 204);
	cr_expect_eq(ask("GET", task, user->token, NULL).status, 404);
	cr_expect_eq(count(ask("GET", tasks, user->token, NULL)), 0);
}

static void never_meet(const struct user *owner, const struct user *other)
{
	char *tasks = tasks_of(owner);
	struct reply created = ask("POST", tasks, owner->token, "{\"title\":\"mine\"}");
	cr_assert_eq(created.status, 201);
	char *id = reply_text(&created, "id");
	char *mine = ask_format("%s/%s", tasks, id);
	char *as_theirs = ask_format("%s/%s", tasks_of(other), id);

	cr_expect_eq(ask("GET", tasks, other->token, NULL).status, 403);
	cr_expect_eq(ask("POST", tasks, other->token, "{\"title\":\"x\"}").status, 403);
	cr_expect_eq(ask("GET", mine, other->token, NULL).status, 403);
	cr_expect_eq(ask("PUT", mine, other->token, "{\"title\":\"x\"}").status, 403);
	cr_expect_eq(ask("PATCH", ask_format("%s/complete", mine), other->token, NULL).status, 403);
	cr_expect_eq(ask("DELETE", mine, other->token, NULL).status, 403);

	cr_expect_eq(count(ask("GET", tasks_of(other), other->token, NULL)), 0);
	cr_expect_eq(ask("GET", as_theirs, other->token, NULL).status, 404);
	cr_expect_eq(ask("PUT", as_theirs, other->token, "{\"title\":\"x\"}").status, 404);
	cr_expect_eq(ask("PATCH", ask_format("%s/complete", as_theirs), other->token, NULL).status, 404);
	cr_expect_eq(ask("DELETE", as_theirs, other->token, NULL).status, 404);

	struct reply still = ask("GET", mine, owner->token, NULL);
	cr_expect_eq(still.status, 200);
	cr_expect_str_eq(reply_text(&still, "title"), "mine");
	cr_expect(cJSON_IsFalse(json_member(still.json, "completed")));
}

static void journey(const char *server, const char *alg)
{
	char name[32];
	char server_setting[32];
	char alg_setting[32];
	snprintf(name, sizeof name, "issuer-%c-%s", server[0], alg);
	for (char *c = name; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
	snprintf(server_setting, sizeof server_setting, "SERVER=%s", server);
	snprintf(alg_setting, sizeof alg_setting, "ISSUER_ALG=%s", alg);
	stack = stack_start(name, (const char *const[]){server_setting, alg_setting, "ISSUER_RATE_LIMIT=off", NULL});

	struct user alice = user_sign_up(&stack, "alice");
	struct user mallory = user_sign_up(&stack, "mallory");
	cr_expect_str_eq(header_member(alice.token, "alg"), alg);

	struct reply me = ask("GET", "/auth/me", alice.token, NULL);
	cr_expect_eq(me.status, 200);
	struct view id = json_member_text(json_member(me.json, "user"), "id");
	struct view email = json_member_text(json_member(me.json, "user"), "email");
	cr_expect(view_equal(id, view_of(alice.id)));
	cr_expect(view_equal(email, view_of(alice.email)));

	work_on_a_task(&alice);
	never_meet(&alice, &mallory);
	stack_stop(&stack);
}

#define JOURNEY(name, server, alg)            \
	Test(issuer, name##_through_##server) \
	{                                     \
		journey(#server, alg);        \
	}

JOURNEY(eddsa, lighttpd, "EdDSA")
JOURNEY(eddsa, apache, "EdDSA")
JOURNEY(eddsa, nginx, "EdDSA")
JOURNEY(es256, lighttpd, "ES256")
JOURNEY(es256, apache, "ES256")
JOURNEY(es512, lighttpd, "ES512")
JOURNEY(es512, apache, "ES512")
JOURNEY(rs256, lighttpd, "RS256")
JOURNEY(rs256, apache, "RS256")
JOURNEY(ps256, lighttpd, "PS256")
JOURNEY(ps256, apache, "PS256")
JOURNEY(hs256, lighttpd, "HS256")
JOURNEY(hs256, apache, "HS256")

/* ---- which paths are whose ---- */

/* A responder's answers have an id, and Better Auth's have none. */
static void expect_answered_by_responder(const char *target, bool by_responder, int status)
{
	struct http_answer answer;
	enum http_result result =
	        http_ask(stack_port(&stack), &(struct http_ask){.method = "GET", .target = target}, &answer);
	cr_assert_eq(result, HTTP_OK, "%s: %s", target, http_result_text(result));
	cr_expect_eq(view_is_absent(http_header(&answer, VIEW("X-Request-Id"), 0)), !by_responder, "%s", target);
	cr_expect_eq(answer.status, status, "%s: %d", target, answer.status);
	http_answer_destroy(&answer);
}

static void keeps_paths_apart(void)
{
	expect_answered_by_responder("/api/auth/ok", false, 200);
	expect_answered_by_responder("/api/auth/jwks", false, 200);
	expect_answered_by_responder("/api/auth/nothing", false, 404);
	expect_answered_by_responder("/api/auth/tasks", false, 404);
	expect_answered_by_responder("/api/authx/tasks", true, 401);
	expect_answered_by_responder("/api/Auth/tasks", true, 401);
	expect_answered_by_responder("/api/a/tasks", true, 401);
	expect_answered_by_responder("/auth/jwks", true, 404);
	/* The servers look at a path without its dots; a responder looks at what was sent. */
	expect_answered_by_responder("/api/auth/../a/tasks", true, 404);
	expect_answered_by_responder("/api/auth/%2e%2e/a/tasks", true, 404);
}

/* ---- who asks ---- */

/* Better Auth counts who signs in by the address that it also writes into the session. */
static void hears_the_address_of_the_connection(void)
{
	static const char *const forged[] = {
	        "",
	        "X-Forwarded-For: 203.0.113.9\r\n",
	        "X-Forwarded-For: 203.0.113.9\r\nx-forwarded-for: 203.0.113.10\r\n",
	        "X-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n",
	        "X-Forwarded-For:\r\n",
	        "X-Forwarded-For: ,\r\n",
	        "X_Forwarded_For: 203.0.113.9\r\n",
	        "Connection: X-Forwarded-For\r\n",
	        "X-Forwarded-For: 203.0.113.9\r\nConnection: X-Forwarded-For\r\n",
	        ("X-Real-IP: 203.0.113.9\r\nX-Client-IP: 203.0.113.9\r\nCF-Connecting-IP: 203.0.113.9\r\n"
	         "True-Client-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n"),
	};
	(void)user_sign_up(&stack, "alice");
	for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
		const char *headers = ask_format("Origin: %s\r\n%s", stack_value(&stack, "BASE_URL"), forged[i]);
		struct reply reply = reply_to(
		        &stack, &(struct http_ask){
		                        .method = "POST",
		                        .target = "/api/auth/sign-in/email",
		                        .headers = headers,
		                        .body = "{\"email\":\"alice@example.com\",\"password\":\"" USER_PASSWORD "\"}",
		                });
		cr_assert_eq(reply.status, 200, "%s: %d", forged[i], reply.status);
		reply = user_ask_issuer(&stack, "/get-session", reply_text(&reply, "token"), NULL);
		struct view address = json_member_text(json_member(reply.json, "session"), "ipAddress");
		cr_expect(view_equal(address, VIEW("127.0.0.1")), "%s: %.*s", forged[i], VIEW_ARGS(address));
	}
}

/* A file beside the stack's logs, where Better Auth writes; empty when it is not there. */
static struct view file_read(const char *name)
{
	FILE *file = fopen(ask_format("%s/../%s", stack_value(&stack, "LOG_DIR"), name), "r");
	if (!file)
		return VIEW("");
	char *room = malloc(FILE_MAX);
	cr_assert_not_null(room);
	size_t len = fread(room, 1, FILE_MAX, file);
	fclose(file);
	char *copy = ask_keep((struct view){room, len});
	free(room);
	cr_assert_not_null(copy);
	return view_of(copy);
}

/* As user_ask_issuer(), from a client that says it is at another address. */
static struct reply ask_issuer_elsewhere(const char *path, const char *session, const char *body)
{
	struct http http;
	struct http_answer answer;
	const char *token = session ? ask_format("Authorization: Bearer %s\r\n", session) : "";
	cr_assert(http_open(stack_port(&stack), &http));
	http_send(&http, view_of(ask_format("POST /api/auth%s HTTP/1.1\r\nHost: attacker.example\r\nOrigin: %s\r\n%s"
	                                    "X-Forwarded-Host: attacker.example\r\nX-Forwarded-Proto: https\r\n"
	                                    "Forwarded: host=attacker.example;proto=https\r\nConnection: close\r\n"
	                                    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	                                    path, stack_value(&stack, "PUBLIC_URL"), token, strlen(body), body)));
	enum http_result result = http_receive(&http, false, &answer);
	cr_assert_eq(result, HTTP_OK, "%s: %s", path, http_result_text(result));
	struct reply reply = {.status = answer.status, .json = http_json(&answer, ask_arena())};
	http_answer_destroy(&answer);
	http_close(&http);
	return reply;
}

/* Neither who signs nor where a mail leads depends on what a client says of itself. */
static void believes_no_client_where_it_is(void)
{
	struct reply reply = ask_issuer_elsewhere("/sign-up/email", NULL,
	                                          "{\"email\":\"bob@example.com\",\"password\":\"" USER_PASSWORD
	                                          "\",\"name\":\"bob\"}");
	cr_assert_eq(reply.status, 200, "%d", reply.status);
	struct user bob = {.session = reply_text(&reply, "token")};
	cr_expect_eq(ask("GET", "/auth/me", user_token(&stack, &bob), NULL).status, 200);
	reply = ask_issuer_elsewhere("/send-verification-email", bob.session,
	                             "{\"email\":\"bob@example.com\",\"callbackURL\":\"/\"}");
	cr_assert_eq(reply.status, 200, "%d", reply.status);
	struct view lines = file_read("outbox.jsonl");
	const cJSON *mail = NULL;
	cr_assert_eq(json_parse(ask_arena(), view_cut(&lines, '\n'), &mail), JSON_OK);
	struct view link = json_member_text(mail, "url");
	cr_expect(view_starts(link, view_of(ask_format("%s/api/auth/", stack_value(&stack, "PUBLIC_URL")))), "%.*s",
	          VIEW_ARGS(link));
}

/* One stack for all three, since starting it takes longer than they do. */
static void proxied(const char *name, const char *server)
{
	stack = stack_start(name, (const char *const[]){server, "ISSUER_RATE_LIMIT=off", NULL});
	keeps_paths_apart();
	hears_the_address_of_the_connection();
	believes_no_client_where_it_is();
	stack_stop(&stack);
}

Test(issuer, has_its_paths_and_the_truth_about_a_client_through_lighttpd)
{
	proxied("issuer-l-proxied", "SERVER=lighttpd");
}

Test(issuer, has_its_paths_and_the_truth_about_a_client_through_apache)
{
	proxied("issuer-a-proxied", "SERVER=apache");
}

Test(issuer, has_its_paths_and_the_truth_about_a_client_through_nginx)
{
	proxied("issuer-n-proxied", "SERVER=nginx");
}

#define SIGN_IN "/api/auth/sign-in/email"
enum { TOO_MANY = 429, WRONG_PASSWORD = 401 };

static int guess_password(const char *path, const char *headers)
{
	return reply_to(&stack,
	                &(struct http_ask){
	                        .method = "POST",
	                        .target = path,
	                        .headers = ask_format("Origin: %s\r\n%s", stack_value(&stack, "BASE_URL"), headers),
	                        .body = "{\"email\":\"alice@example.com\",\"password\":\"wrong horse battery\"}",
	                })
	        .status;
}

/* What such a guess is answered while an ordinary one is refused, just before it and just after. */
static int guess_while_limited(const char *path, const char *headers)
{
	int64_t deadline = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	while (clock_monotonic() < deadline) {
		if (guess_password(SIGN_IN, "") != TOO_MANY)
			continue;
		int status = guess_password(path, headers);
		if (guess_password(SIGN_IN, "") == TOO_MANY)
			return status;
	}
	cr_assert_fail("guesses are not limited");
	return 0;
}

static void limits_guesses(const char *name, const char *server)
{
	static const char *const headers[] = {
	        "X-Forwarded-For: 203.0.113.9\r\n", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 203.0.113.10\r\n",
	        "X-Real-IP: 203.0.113.9\r\n",       "Forwarded: for=203.0.113.9\r\n",
	        "Connection: X-Forwarded-For\r\n",  "User-Agent: somebody else\r\n",
	};
	static const char *const paths[] = {
	        SIGN_IN "/",
	        SIGN_IN "//",
	        SIGN_IN "?x=1",
	        SIGN_IN ";x",
	        SIGN_IN "%2f",
	        SIGN_IN "%20",
	        "/api/auth//sign-in/email",
	        "/api/auth/sign-in//email",
	        "/api/auth/%73ign-in/email",
	        "/api/auth/./sign-in/email",
	        "/api/auth/x/../sign-in/email",
	        "/x/../api/auth/sign-in/email",
	        "/api/%61uth/sign-in/email",
	        "/api/auth/sign-in%2femail",
	        "/api/auth/sign-in\\email",
	};
	stack = stack_start(name, (const char *const[]){server, NULL});
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		cr_expect_eq(guess_while_limited(SIGN_IN, headers[i]), TOO_MANY, "%s", headers[i]);
	/* A path that means nothing is as good a refusal. */
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		cr_expect_neq(guess_while_limited(paths[i], ""), WRONG_PASSWORD, "%s", paths[i]);
	stack_stop(&stack);
}

Test(issuer, limits_guesses_whatever_header_or_path_they_come_with_through_lighttpd)
{
	limits_guesses("issuer-l-guess", "SERVER=lighttpd");
}

Test(issuer, limits_guesses_whatever_header_or_path_they_come_with_through_apache)
{
	limits_guesses("issuer-a-guess", "SERVER=apache");
}

Test(issuer, limits_guesses_whatever_header_or_path_they_come_with_through_nginx)
{
	limits_guesses("issuer-n-guess", "SERVER=nginx");
}

/* ---- what Better Auth signs that is no access token ---- */

/* The value of the cookie of that name that the answer sets; NULL: none. */
static char *cookie_set(struct view head, const char *name)
{
	struct view start = view_of(ask_format("set-cookie: %s=", name));
	for (struct view rest = head; rest.len > 0;) {
		struct view line = view_cut(&rest, '\n');
		if (line.len > start.len && view_equal_nocase((struct view){line.ptr, start.len}, start)) {
			struct view value = view_from(line, start.len);
			return ask_keep(view_cut(&value, ';'));
		}
	}
	return NULL;
}

static void is_refused(const struct user *user, const char *credential, const char *what)
{
	cr_assert_not_null(credential, "there is no %s", what);
	cr_expect_eq(ask("GET", "/auth/me", credential, NULL).status, 401, "%s", what);
	cr_expect_eq(ask("GET", tasks_of(user), credential, NULL).status, 401, "%s", what);
	struct reply validated = ask("POST", "/auth/validate", credential, "{}");
	cr_expect_eq(validated.status, 401, "%s", what);
	cr_expect(cJSON_IsFalse(json_member(validated.json, "valid")), "%s", what);
}

static size_t dots(const char *token)
{
	size_t count = 0;
	for (; *token; token++)
		count += *token == '.';
	return count;
}

/* All are signed with the very secret that signs access tokens here, or are known to Better Auth. */
Test(issuer, refuses_what_the_secret_signs_beside_access_tokens)
{
	stack = stack_start("issuer-secret",
	                    (const char *const[]){"ISSUER_ALG=HS256", "ISSUER_COOKIE_CACHE=1", "ISSUER_RATE_LIMIT=off",
	                                          "ISSUER_OUTBOX=outbox", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	cr_assert_eq(ask("GET", "/auth/me", alice.token, NULL).status, 200);

	struct reply sent = user_ask_issuer(&stack, "/send-verification-email", alice.session,
	                                    ask_format("{\"email\":\"%s\",\"callbackURL\":\"/\"}", alice.email));
	cr_assert_eq(sent.status, 200);
	struct view lines = file_read("outbox");
	const cJSON *mail = NULL;
	cr_assert_eq(json_parse(ask_arena(), view_cut(&lines, '\n'), &mail), JSON_OK);
	char *verification = ask_keep(json_member_text(mail, "token"));
	cr_assert_eq(dots(verification), 2);
	cr_expect_str_eq(header_member(verification, "alg"), "HS256");
	is_refused(&alice, verification, "verification token");

	char *cached = cookie_set(alice.head, "better-auth.session_data");
	cr_assert_not_null(cached);
	cr_expect_str_eq(header_member(cached, "alg"), "HS256");
	is_refused(&alice, cached, "session cookie's JWT");

	is_refused(&alice, alice.session, "session token");
	is_refused(&alice, cookie_set(alice.head, "better-auth.session_token"), "signed session token");
	stack_stop(&stack);
}

Test(issuer, refuses_the_session_cookie_signed_with_the_published_key)
{
	stack = stack_start("issuer-cookie",
	                    (const char *const[]){"ISSUER_COOKIE_CACHE=keys", "ISSUER_RATE_LIMIT=off", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	cr_assert_eq(ask("GET", "/auth/me", alice.token, NULL).status, 200);
	char *cached = cookie_set(alice.head, "better-auth.session_data");
	cr_assert_not_null(cached);
	cr_expect_str_eq(header_member(cached, "kid"), header_member(alice.token, "kid"), "it is the same key");
	is_refused(&alice, cached, "session cookie's JWT");
	is_refused(&alice, alice.session, "session token");
	stack_stop(&stack);
}

/* ---- the session cookie in the place of a token ---- */

/* A request with that Cookie header and, unless it is NULL, an Origin. */
static struct reply ask_with_cookie(const char *method, const char *target, const char *cookies, const char *origin,
                                    const char *body)
{
	const char *headers = origin ? ask_format("Cookie: %s\r\nOrigin: %s\r\n", cookies, origin)
	                             : ask_format("Cookie: %s\r\n", cookies);
	return reply_to(&stack,
	                &(struct http_ask){.method = method, .target = target, .headers = headers, .body = body});
}

static void work_with_cookie(const char *server, const char *public_url, const char *name)
{
	char stack_name[32];
	char server_setting[32];
	char url_setting[64];
	snprintf(stack_name, sizeof stack_name, "session-%.8s-%d", server, public_url != NULL);
	snprintf(server_setting, sizeof server_setting, "SERVER=%s", server);
	snprintf(url_setting, sizeof url_setting, "BETTER_AUTH_URL=%s", public_url ? public_url : "");
	stack = stack_start(stack_name,
	                    (const char *const[]){server_setting, "ISSUER_COOKIE_CACHE=1", "AUTH_COOKIE=1",
	                                          "ISSUER_RATE_LIMIT=off", "CORS_ORIGINS=https://front.example",
	                                          public_url ? url_setting : NULL, NULL});
	const char *own = ask_format("%s", stack_value(&stack, "PUBLIC_URL"));
	struct user alice = user_sign_up(&stack, "alice");
	struct user mallory = user_sign_up(&stack, "mallory");
	const char *value = cookie_set(alice.head, name);
	cr_assert_not_null(value, "Better Auth sets no %s", name);
	/* as a browser sends it: with whatever else it holds */
	const char *cookies = ask_format("theme=dark; %s=%s", name, value);

	struct reply me = ask_with_cookie("GET", "/auth/me", cookies, NULL, NULL);
	cr_expect_eq(me.status, 200);
	struct view id = json_member_text(json_member(me.json, "user"), "id");
	cr_expect(view_equal(id, view_of(alice.id)));
	cr_expect_eq(count(ask_with_cookie("GET", tasks_of(&alice), cookies, NULL, NULL)), 0);
	cr_expect_eq(ask_with_cookie("GET", tasks_of(&mallory), cookies, NULL, NULL).status, 403);

	const char *task = "{\"title\":\"Buy milk\"}";
	cr_expect_eq(ask_with_cookie("POST", tasks_of(&alice), cookies, NULL, task).status, 403);
	cr_expect_eq(ask_with_cookie("POST", tasks_of(&alice), cookies, "null", task).status, 403);
	cr_expect_eq(ask_with_cookie("POST", tasks_of(&alice), cookies, "https://evil.example", task).status, 403);
	cr_expect_eq(ask_with_cookie("POST", tasks_of(&alice), cookies, own, task).status, 201);
	cr_expect_eq(ask_with_cookie("POST", tasks_of(&alice), cookies, "https://front.example", task).status, 201);
	cr_expect_eq(count(ask_with_cookie("GET", tasks_of(&alice), cookies, NULL, NULL)), 2);

	/* two of one name, in one header and in two */
	const char *twice = ask_format("%s; %s=%s", cookies, name, value);
	cr_expect_eq(ask_with_cookie("GET", "/auth/me", twice, NULL, NULL).status, 401);
	const char *both = ask_format("%s\r\nCookie: %s=%s", cookies, name, value);
	cr_expect_eq(ask_with_cookie("GET", "/auth/me", both, NULL, NULL).status, 401);
	/* Apache puts a comma between them, which is no end of a cookie. */
	const char *apart = ask_format("theme=dark\r\nCookie: %s=%s", name, value);
	cr_expect_eq(ask_with_cookie("GET", "/auth/me", apart, NULL, NULL).status,
	             strcmp(server, "apache") == 0 ? 401 : 200);
	cr_expect_eq(ask_with_cookie("GET", "/auth/me", ask_format("better-auth.session_token=%s", value), NULL, NULL)
	                     .status,
	             401);
	is_refused(&alice, value, "session cookie's JWT");
	stack_stop(&stack);
}

#define SESSION_COOKIE(server)                                                                          \
	Test(issuer, takes_the_session_cookie_through_##server)                                         \
	{                                                                                               \
		work_with_cookie(#server, NULL, "better-auth.session_data");                            \
	}                                                                                               \
	Test(issuer, takes_the_secure_session_cookie_through_##server)                                  \
	{                                                                                               \
		work_with_cookie(#server, "https://todo.example", "__Secure-better-auth.session_data"); \
	}

SESSION_COOKIE(lighttpd)
SESSION_COOKIE(apache)
SESSION_COOKIE(nginx)

static void work_with_chunks(const char *server)
{
	enum { LONG_NAME = 3000 };
	char stack_name[32];
	char server_setting[32];
	snprintf(stack_name, sizeof stack_name, "chunks-%.8s", server);
	snprintf(server_setting, sizeof server_setting, "SERVER=%s", server);
	stack = stack_start(stack_name, (const char *const[]){server_setting, "ISSUER_COOKIE_CACHE=1", "AUTH_COOKIE=1",
	                                                      "ISSUER_RATE_LIMIT=off", NULL});
	char *name = ask_format("%0*d", LONG_NAME, 0);
	struct reply reply = user_ask_issuer(&stack, "/sign-up/email", NULL,
	                                     ask_format("{\"email\":\"alice@example.com\",\"password\":\"" USER_PASSWORD
	                                                "\",\"name\":\"%s\"}",
	                                                name));
	cr_assert_eq(reply.status, 200);
	cr_assert_null(cookie_set(reply.head, "better-auth.session_data"), "it is not long enough to be cut");
	const char *first = cookie_set(reply.head, "better-auth.session_data.0");
	const char *second = cookie_set(reply.head, "better-auth.session_data.1");
	cr_assert(first && second);
	first = ask_format("better-auth.session_data.0=%s", first);
	second = ask_format("better-auth.session_data.1=%s", second);
	struct reply me = ask_with_cookie("GET", "/auth/me", ask_format("%s; %s", first, second), NULL, NULL);
	cr_expect_eq(me.status, 200);
	struct view own_name = json_member_text(json_member(me.json, "user"), "name");
	cr_expect(view_equal(own_name, view_of(name)));
	cr_expect_eq(ask_with_cookie("GET", "/auth/me", first, NULL, NULL).status, 401);
	cr_expect_eq(ask_with_cookie("GET", "/auth/me", second, NULL, NULL).status, 401);
	stack_stop(&stack);
}

Test(issuer, takes_a_session_cookie_in_chunks_through_lighttpd)
{
	work_with_chunks("lighttpd");
}

Test(issuer, takes_a_session_cookie_in_chunks_through_apache)
{
	work_with_chunks("apache");
}

/* ---- HTTP/2, which lighttpd speaks with whoever does; behind TLS that is every browser ---- */

#define FIELD(name, value)              \
	{                               \
		VIEW(name), VIEW(value) \
	}

/* What is said with these fields, and `body` if that is not NULL; NULL: no answer, or one that is not JSON. */
static const cJSON *ask_http2(const struct http2_field *fields, size_t count, const char *body)
{
	struct buf content = buf_make(FILE_MAX);
	const cJSON *json = NULL;
	enum http_result result = http2_ask(stack_port(&stack), fields, count, view_of(body), &content);
	cr_assert_neq(result, HTTP_SILENT);
	if (result != HTTP_OK || json_parse(ask_arena(), buf_view(&content), &json) != JSON_OK)
		json = NULL;
	buf_destroy(&content);
	return json;
}

/* The same to a program, with further fields behind those that every request has. */
static const cJSON *ask_program(const char *method, const char *path, const struct http2_field *more, size_t count,
                                const char *body)
{
	enum { FIELDS_MAX = 16 };
	struct http2_field fields[FIELDS_MAX] = {
	        {VIEW(":method"), view_of(method)},
	        FIELD(":scheme", "http"),
	        {VIEW(":path"), view_of(path)},
	        FIELD(":authority", "localhost"),
	        FIELD("content-type", "application/json"),
	        {VIEW("content-length"), view_of(ask_format("%zu", body ? strlen(body) : 0))},
	};
	size_t usual = body ? 6 : 4;
	cr_assert_leq(usual + count, FIELDS_MAX);
	memcpy(fields + usual, more, count * sizeof *more);
	return ask_http2(fields, usual + count, body);
}

#define ASK_PROGRAM(method, path, body, ...)                                 \
	ask_program(method, path, (const struct http2_field[]){__VA_ARGS__}, \
	            sizeof((const struct http2_field[]){__VA_ARGS__}) / sizeof(struct http2_field), body)

static void expect_me(const cJSON *answer, const struct user *user, const char *what)
{
	struct view id = json_member_text(json_member(answer, "user"), "id");
	cr_expect(view_equal(id, view_of(user->id)), "%s: %.*s", what, VIEW_ARGS(id));
}

static void expect_code(const cJSON *answer, const char *code, const char *what)
{
	struct view said = json_member_text(answer, "code");
	cr_expect(view_equal(said, view_of(code)), "%s: %.*s", what, VIEW_ARGS(said));
}

Test(issuer, takes_credentials_by_http_2_as_by_http_1)
{
	stack = stack_start("issuer-http2", (const char *const[]){"SERVER=lighttpd", "ISSUER_COOKIE_CACHE=1",
	                                                          "AUTH_COOKIE=1", "ISSUER_RATE_LIMIT=off", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	const struct http2_field token = {VIEW("authorization"), view_of(ask_format("Bearer %s", alice.token))};
	expect_me(ASK_PROGRAM("GET", "/auth/me", NULL, token), &alice, "a token");
	expect_code(ASK_PROGRAM("GET", "/auth/me", NULL, token, token), "two_credentials", "two tokens");
	expect_code(ASK_PROGRAM("GET", "/auth/me", NULL, FIELD("authorization_", "x"), FIELD("origin", "null")),
	            "unauthorized", "no token");
	const cJSON *made = ASK_PROGRAM("POST", tasks_of(&alice), "{\"title\":\"Buy milk\"}", token);
	cr_expect(view_equal(json_member_text(made, "title"), VIEW("Buy milk")));

	/* Browsers send one field for each cookie (RFC 9113 §8.2.3). */
	const char *value =
	        ask_format("better-auth.session_data=%s", cookie_set(alice.head, "better-auth.session_data"));
	const struct http2_field cookie = {VIEW("cookie"), view_of(value)};
	const struct http2_field other = FIELD("cookie", "theme=dark");
	const struct http2_field own = {VIEW("origin"), view_of(stack_value(&stack, "PUBLIC_URL"))};
	const struct http2_field foreign = FIELD("origin", "https://evil.example");
	expect_me(ASK_PROGRAM("GET", "/auth/me", NULL, other, cookie, other), &alice, "a cookie among others");
	expect_code(ASK_PROGRAM("GET", "/auth/me", NULL, cookie, other, cookie), "unauthorized", "two of one name");
	const char *task = "{\"title\":\"Buy bread\"}";
	expect_code(ASK_PROGRAM("POST", tasks_of(&alice), task, cookie), "origin_refused", "no origin");
	expect_code(ASK_PROGRAM("POST", tasks_of(&alice), task, cookie, foreign), "origin_refused", "another's");
	expect_code(ASK_PROGRAM("POST", tasks_of(&alice), task, cookie, own, foreign), "origin_refused", "two");
	made = ASK_PROGRAM("POST", tasks_of(&alice), task, cookie, own);
	cr_expect(view_equal(json_member_text(made, "title"), VIEW("Buy bread")));
	cr_expect_eq(count(ask("GET", tasks_of(&alice), alice.token, NULL)), 2);
	stack_stop(&stack);
}

/* How many requests for paths that begin so Better Auth has seen. */
static size_t requests_for(const char *start)
{
	size_t count = 0;
	for (struct view rest = file_read("requests"); rest.len > 0;) {
		struct view path = view_cut(&rest, '\n');
		(void)view_cut(&path, ' ');
		count += view_starts(path, view_of(start));
	}
	return count;
}

#define METHOD FIELD(":method", "GET")
#define POST FIELD(":method", "POST")
#define SCHEME FIELD(":scheme", "http")
#define PATH FIELD(":path", "/api/auth/bad")
#define AUTHORITY FIELD(":authority", "localhost")
#define USUAL METHOD, SCHEME, PATH, AUTHORITY
/* What would be a request of its own to whoever reads HTTP/1.1. */
#define SMUGGLED "x\r\n\r\nGET /api/auth/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

/* The web server makes HTTP/1.1 of it for Better Auth, where other bytes would end a field or a request. */
Test(issuer, hears_of_no_http_2_request_that_is_malformed)
{
	enum { FIELDS_MAX = 8 };
	static const struct {
		const char *what;
		struct http2_field fields[FIELDS_MAX];
		const char *content;
	} cases[] = {
	        {"CR LF in a value", {USUAL, FIELD("x-a", SMUGGLED)}},
	        {"LF in a value", {USUAL, FIELD("x-a", "x\nx-b: y")}},
	        {"CR in a value", {USUAL, FIELD("x-a", "x\rx-b: y")}},
	        {"NUL in a value", {USUAL, FIELD("x-a", "x\0y")}},
	        {"CR LF in a name", {USUAL, FIELD("x-a: " SMUGGLED "x-b", "y")}},
	        {"a blank in a name", {USUAL, FIELD("x a", "y")}},
	        {"a colon in a name", {USUAL, FIELD("x-a:", "y")}},
	        {"a colon before a name", {USUAL, FIELD(":x-a", "y")}},
	        {"NUL in a name", {USUAL, FIELD("x\0a", "y")}},
	        {"a capital in a name", {USUAL, FIELD("X-a", "y")}},
	        {"no name", {USUAL, FIELD("", "y")}},
	        {"CR LF in the method", {FIELD(":method", "GET / HTTP/1.1\r\n" SMUGGLED), SCHEME, PATH, AUTHORITY}},
	        {"a blank in the method", {FIELD(":method", "GET /api/auth/smuggled"), SCHEME, PATH, AUTHORITY}},
	        {"CR LF in the path", {METHOD, SCHEME, FIELD(":path", "/ HTTP/1.1\r\n" SMUGGLED), AUTHORITY}},
	        {"NUL in the path", {METHOD, SCHEME, FIELD(":path", "/api/auth/bad\0x"), AUTHORITY}},
	        {"a path without its slash", {METHOD, SCHEME, FIELD(":path", "api/auth/bad"), AUTHORITY}},
	        {"CR LF in the authority", {METHOD, SCHEME, PATH, FIELD(":authority", SMUGGLED)}},
	        {"a path in the authority", {METHOD, SCHEME, PATH, FIELD(":authority", "localhost/x")}},
	        {"an authority and another host", {USUAL, FIELD("host", "attacker.example")}},
	        {"no method", {SCHEME, PATH, AUTHORITY}},
	        {"no path", {METHOD, SCHEME, AUTHORITY}},
	        {"two methods", {USUAL, METHOD}},
	        {"two paths", {USUAL, PATH}},
	        {"a path behind a field", {METHOD, SCHEME, AUTHORITY, FIELD("x-a", "y"), PATH}},
	        {"a web socket (RFC 8441)",
	         {FIELD(":protocol", "websocket"), FIELD(":method", "CONNECT"), SCHEME, PATH, AUTHORITY}},
	        {"connection", {USUAL, FIELD("connection", "close")}},
	        {"upgrade", {USUAL, FIELD("upgrade", "websocket")}},
	        {"transfer-encoding", {USUAL, FIELD("transfer-encoding", "chunked")}, "0\r\n\r\n"},
	        {"more content than its length",
	         {POST, SCHEME, PATH, AUTHORITY, FIELD("content-length", "2")},
	         "{}" SMUGGLED},
	        {"less content than its length", {POST, SCHEME, PATH, AUTHORITY, FIELD("content-length", "9")}, "{}"},
	        {"two lengths",
	         {POST, SCHEME, PATH, AUTHORITY, FIELD("content-length", "2"), FIELD("content-length", "3")},
	         "{}x"},
	};
	static const struct http2_field blank[] = {METHOD, SCHEME, FIELD(":path", "/api/auth/blank HTTP/1.1"),
	                                           AUTHORITY};
	static const struct http2_field good[] = {METHOD, SCHEME, FIELD(":path", "/api/auth/good"), AUTHORITY};
	stack = stack_start("issuer-http2bad", (const char *const[]){"SERVER=lighttpd", "ISSUER_RATE_LIMIT=off",
	                                                             "ISSUER_REQUEST_LOG=requests", NULL});
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t count = 0;
		while (count < FIELDS_MAX && !view_is_absent(cases[i].fields[count].name))
			count++;
		size_t before = requests_for("/api/auth/bad");
		const cJSON *answer = ask_http2(cases[i].fields, count, cases[i].content);
		cr_expect(!answer || cJSON_GetNumberValue(json_member(answer, "status")) >= 400, "%s", cases[i].what);
		cr_expect_eq(requests_for("/api/auth/bad"), before, "%s", cases[i].what);
	}
	(void)ask_http2(blank, sizeof blank / sizeof *blank, NULL);
	(void)ask_http2(good, sizeof good / sizeof *good, NULL);
	cr_expect_eq(requests_for("/api/auth/blank%20HTTP/1.1"), 1);
	cr_expect_eq(requests_for("/api/auth/good"), 1);
	cr_expect_eq(requests_for("/api/auth/smuggled"), 0);
	stack_stop(&stack);
}

/* ---- keys that change ---- */

static size_t key_set_requests(void)
{
	return requests_for("/api/auth/jwks");
}

/* Waits for a new key, and until it is learnt beside the old one: the user's token of the new key. */
static char *expect_rotation_to_be_followed(const struct user *user)
{
	char *old = user->token;
	char *old_kid = header_member(old, "kid");
	cr_assert_eq(ask("GET", "/auth/me", old, NULL).status, 200);

	/* The next signature after the interval makes the new key. */
	int64_t deadline = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	char *fresh = old;
	while (strcmp(header_member(fresh, "kid"), old_kid) == 0 && clock_monotonic() < deadline)
		fresh = user_token(&stack, user);
	cr_assert_str_neq(header_member(fresh, "kid"), old_kid, "no new key in time");

	int status = 0;
	while (status != 200 && clock_monotonic() < deadline)
		status = ask("GET", "/auth/me", fresh, NULL).status;
	cr_expect_eq(status, 200, "the new key is not learnt");
	cr_expect_eq(ask("GET", "/auth/me", old, NULL).status, 200, "the old key is forgotten");
	return fresh;
}

Test(issuer, follows_a_rotation_and_still_knows_the_old_key)
{
	stack = stack_start("issuer-turns", (const char *const[]){"ISSUER_ROTATION=2", "ISSUER_RATE_LIMIT=off",
	                                                          "JWKS_COOLDOWN=1", "JWKS_REFRESH=86400", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	expect_rotation_to_be_followed(&alice);
	stack_stop(&stack);
}

/* From the sign-up on, what verifies comes from Better Auth's table: it is never asked by HTTP. */
Test(issuer, follows_a_rotation_in_the_table_with_no_request_at_all)
{
	stack = stack_start("issuer-table", (const char *const[]){"ISSUER_ROTATION=2", "ISSUER_RATE_LIMIT=off",
	                                                          "ISSUER_REQUEST_LOG=requests", "JWKS_TABLE=1",
	                                                          "JWKS_COOLDOWN=1", "JWKS_REFRESH=86400", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	char *fresh = expect_rotation_to_be_followed(&alice);
	cr_expect_eq(count(ask("GET", tasks_of(&alice), fresh, NULL)), 0);
	cr_expect_eq(key_set_requests(), 0);
	stack_stop(&stack);
}

Test(issuer, answers_a_storm_of_unknown_keys_with_at_most_one_fetch)
{
	enum { STORM = 200 };
	stack = stack_start("issuer-storm",
	                    (const char *const[]){"ISSUER_RATE_LIMIT=off", "ISSUER_REQUEST_LOG=requests",
	                                          "JWKS_COOLDOWN=3600", "JWKS_REFRESH=86400", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	cr_assert_eq(ask("GET", "/auth/me", alice.token, NULL).status, 200);
	const char *rest = strchr(alice.token, '.');
	size_t before = key_set_requests();
	cr_assert_gt(before, 0);

	for (int i = 0; i < STORM; i++) {
		char *header = ask_format("{\"alg\":\"EdDSA\",\"kid\":\"unknown-%d\"}", i);
		char encoded[128];
		size_t len = base64url_encode((const unsigned char *)header, strlen(header), encoded);
		char *token = ask_format("%.*s%s", (int)len, encoded, rest);
		const char *target = i % 2 == 0 ? "/auth/me" : tasks_of(&alice);
		cr_expect_eq(ask("GET", target, token, NULL).status, 401);
	}
	cr_expect_leq(key_set_requests() - before, 1, "%zu fetches", key_set_requests() - before);
	cr_expect_eq(ask("GET", "/auth/me", alice.token, NULL).status, 200);
	stack_stop(&stack);
}
