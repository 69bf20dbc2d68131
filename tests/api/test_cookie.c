/* AUTH_COOKIE: a session in a cookie instead of a bearer token, and what a browser may do with it. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/issuer.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(cookie_mode, .fini = api_end, .timeout = 240);

/* API_ORIGIN is https. */
#define NAME "__Secure-better-auth.session_data"
#define SECRET_2 "Zq5-previous_secret_x2Bv9dY4nNt0P"
#define SECRET_3 "Ar6-foreign_secret_y3Cw0eZ5oOu1Qq"
#define FAR "2999-01-01T00:00:00Z"

static struct responder *start(const char *name, const char *const more[])
{
	const char *settings[16] = {"AUTH_COOKIE=1"};
	for (size_t i = 0; more[i]; i++)
		settings[1 + i] = more[i];
	return responder_start(name, api_settings(settings));
}

static struct responder *start_auth(void)
{
	return start("auth", (const char *const[]){"DATABASE_URL", NULL});
}

/* ---- sessions ---- */

static const char *signed_by(const char *secret, const char *header, const char *payload)
{
	struct issuer *issuer = issuer_new_secret(ALG_HS256, secret);
	char *token = issuer_token(issuer, header, payload);
	const char *kept = ask_keep(view_of(token));
	issuer_free(issuer);
	free(token);
	return kept;
}

struct session {
	const char *user;       /* NULL: anna; else a JSON value */
	const char *user_id;    /* the same */
	const char *expires_at; /* NULL: in a day; else a JSON value */
	int64_t exp;            /* seconds from now; 0: 300 */
	int64_t iat;            /* the same; 0: now */
	const char *more;       /* further members */
};

/* As better-auth 1.7 makes it. */
static const char *payload_of(struct session session)
{
	int64_t now = clock_now() / CLOCK_SECOND;
	char day[CLOCK_TEXT_SECONDS + 1];
	clock_format_seconds((now + 86400) * CLOCK_SECOND, day);
	return ask_format(
	        "{\"session\":{\"expiresAt\":%s,\"token\":\"" PRIVATE
	        "-live-session\",\"createdAt\":\"2026-01-01T00:00:00.000Z\","
	        "\"updatedAt\":\"2026-01-01T00:00:00.000Z\",\"ipAddress\":\"\",\"userAgent\":\"x\",\"userId\":%s,"
	        "\"id\":\"s1\"},\"user\":{\"name\":\"Anna " PRIVATE "\",\"email\":\"anna@" PRIVATE
	        ".example\",\"emailVerified\":false,\"image\":null,\"id\":%s},\"updatedAt\":1760000000000,"
	        "\"version\":\"1\",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "%s}",
	        session.expires_at ? session.expires_at : ask_format("\"%s\"", day),
	        session.user_id ? session.user_id : "\"anna\"", session.user ? session.user : "\"anna\"",
	        now + session.iat, now + (session.exp ? session.exp : 300), session.more ? session.more : "");
}

#define HEADER "{\"alg\":\"HS256\"}"

static const char *session_of(struct session session)
{
	return signed_by(API_SECRET, HEADER, payload_of(session));
}

static const char *good(void)
{
	return session_of((struct session){0});
}

/* ---- asking ---- */

static const struct answer *ask_with(const struct responder *responder, const char *method, const char *target,
                                     const char *cookies, const char *origin, const char *token)
{
	const char *params[3] = {NULL};
	size_t count = 0;
	if (cookies) {
		params[count++] = ask_format("HTTP_COOKIE=%s", cookies);
		responder_forbid(view_of(cookies));
	}
	if (origin)
		params[count++] = ask_format("HTTP_ORIGIN=%s", origin);
	struct ask ask = {.method = method, .target = target, .token = token, .params = params};
	if (strcmp(method, "POST") == 0)
		ask.body = strstr(target, "/api/") ? api_task("one", "") : NULL;
	return responder_ask(responder, &ask);
}

static int me(const struct responder *auth, const char *cookies)
{
	return ask_with(auth, "GET", "/auth/me", cookies, NULL, NULL)->status;
}

static const char *cookie(const char *token)
{
	return ask_format(NAME "=%s", token);
}

/* ---- who it is ---- */

Test(cookie_mode, takes_the_session_of_the_cookie)
{
	struct responder *auth = start_auth();
	const struct answer *answer = ask_with(auth, "GET", "/auth/me", cookie(good()), NULL, NULL);
	cr_expect_eq(answer->status, 200);
	const cJSON *user = json_member(answer_json(answer), "user");
	cr_expect(view_equal(json_member_text(user, "id"), VIEW("anna")));
	cr_expect(view_equal(json_member_text(user, "email"), VIEW("anna@" PRIVATE ".example")));
	cr_expect(view_equal(json_member_text(user, "name"), VIEW("Anna " PRIVATE)));
	struct responder *tasks = start(
	        "tasks", (const char *const[]){ask_format("DATABASE_URL=%s", api_database(api_name("cookie"))), NULL});
	cr_expect_eq(ask_with(tasks, "POST", "/api/anna/tasks", cookie(good()), API_ORIGIN, NULL)->status, 201);
	cr_expect_eq(ask_with(tasks, "GET", "/api/anna/tasks", cookie(good()), NULL, NULL)->status, 200);
	expect_problem(ask_with(tasks, "GET", "/api/berta/tasks", cookie(good()), NULL, NULL), 403, "forbidden",
	               "another's path");
	expect_problem(ask_with(tasks, "POST", "/api/berta/tasks", cookie(good()), API_ORIGIN, NULL), 403, "forbidden",
	               "another's path");
}

Test(cookie_mode, is_off_by_default)
{
	struct responder *auth = responder_start("auth", api_settings((const char *const[]){"DATABASE_URL", NULL}));
	const struct answer *answer = ask_with(auth, "GET", "/auth/me", cookie(good()), "https://front.example", NULL);
	expect_problem(answer, 401, "unauthorized", "off");
	cr_expect(view_equal(answer_header(answer, "WWW-Authenticate"), VIEW("Bearer realm=\"todo\"")));
	cr_expect(view_is_absent(answer_header(answer, "Access-Control-Allow-Credentials")));
}

Test(cookie_mode, ends_with_the_session_or_the_cookie_whichever_is_earlier)
{
	struct responder *auth = start_auth();
	char soon[CLOCK_TEXT_SECONDS + 1];
	clock_format_seconds(clock_now() + 100 * CLOCK_SECOND, soon);
	const char *ends = session_of((struct session){.expires_at = ask_format("\"%s\"", soon)});
	const struct answer *answer = ask_with(auth, "GET", "/auth/me", cookie(ends), NULL, NULL);
	cr_expect_eq(answer->status, 200);
	cr_expect(view_equal(answer_text(answer, "expires_at"), view_of(soon)));
	expect_problem(ask_with(auth, "GET", "/auth/me", cookie(session_of((struct session){.exp = -60})), NULL, NULL),
	               401, "token_expired", "exp is over");
	expect_problem(ask_with(auth, "GET", "/auth/me",
	                        cookie(session_of((struct session){.expires_at = "\"2026-01-01T00:00:00.000Z\""})),
	                        NULL, NULL),
	               401, "token_expired", "the session is over");
	cr_expect_eq(me(auth, cookie(session_of((struct session){.exp = -20}))), 200, "within the leeway");
}

Test(cookie_mode, refuses_what_is_no_session_of_ours)
{
	struct responder *auth = start_auth();
	const char *payload = payload_of((struct session){0});
	const struct {
		const char *what;
		const char *token;
	} cases[] = {
	        {"another secret", signed_by(SECRET_3, HEADER, payload)},
	        {"another user's session", session_of((struct session){.user_id = "\"berta\""})},
	        {"no user", session_of((struct session){.user = "null"})},
	        {"a numeric user", session_of((struct session){.user = "1", .user_id = "1"})},
	        {"an empty user", session_of((struct session){.user = "\"\"", .user_id = "\"\""})},
	        {"a session without its user", session_of((struct session){.user_id = "null"})},
	        {"a session without end", session_of((struct session){.expires_at = "null"})},
	        {"a session that ends in a number", session_of((struct session){.expires_at = "4102444800000"})},
	        {"a session that ends some time", session_of((struct session){.expires_at = "\"tomorrow\""})},
	        {"not yet", session_of((struct session){.iat = 120})},
	        {"sub beside it", session_of((struct session){.more = ",\"sub\":\"anna\""})},
	        {"iss beside it", session_of((struct session){.more = ",\"iss\":\"" API_ORIGIN "\""})},
	        {"aud beside it", session_of((struct session){.more = ",\"aud\":\"better-auth:session-cache\""})},
	        {"cnf", session_of((struct session){.more = ",\"cnf\":{}"})},
	        {"exp twice", session_of((struct session){.more = ",\"exp\":4102444800"})},
	        {"an access token", api_token("anna")},
	        {"typ at+jwt", signed_by(API_SECRET, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", payload)},
	        {"typ of the one signed with a key pair",
	         signed_by(API_SECRET, "{\"alg\":\"HS256\",\"typ\":\"better-auth.session-cache+jwt\"}", payload)},
	        {"a kid", signed_by(API_SECRET, "{\"alg\":\"HS256\",\"kid\":\"1\"}", payload)},
	        {"alg none", signed_by(API_SECRET, "{\"alg\":\"none\"}", payload)},
	        {"alg HS512", signed_by(API_SECRET, "{\"alg\":\"HS512\"}", payload)},
	        {"no exp",
	         signed_by(API_SECRET, HEADER,
	                   "{\"session\":{\"userId\":\"anna\",\"expiresAt\":\"" FAR "\"},\"user\":{\"id\":\"anna\"}}")},
	        {"a verification mail's token",
	         signed_by(API_SECRET, HEADER,
	                   "{\"email\":\"anna@" PRIVATE ".example\",\"userId\":\"anna\",\"exp\":4102444800}")},
	        {"not a token", "abc"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct answer *answer = ask_with(auth, "GET", "/auth/me", cookie(cases[i].token), NULL, NULL);
		expect_problem(answer, 401, "unauthorized", cases[i].what);
		cr_expect(view_equal(answer_header(answer, "WWW-Authenticate"),
		                     VIEW("Bearer realm=\"todo\", error=\"invalid_token\"")),
		          "%s", cases[i].what);
	}
	cr_expect_eq(me(auth, cookie(good())), 200);
}

Test(cookie_mode, does_not_take_the_cookies_token_as_a_bearer_token)
{
	struct responder *auth = start_auth();
	cr_expect_eq(ask_with(auth, "GET", "/auth/me", NULL, NULL, good())->status, 401);
}

Test(cookie_mode, takes_hs256_by_the_secret_whatever_bearer_tokens_are_signed_with)
{
	const char *secret = API_SECRET "-and-as-long-as-HS512-wants-it-to-be";
	struct responder *auth = start("auth", (const char *const[]){"DATABASE_URL", "BETTER_AUTH_SECRET",
	                                                             ask_format("BETTER_AUTH_SECRET=%s", secret),
	                                                             "JWT_SHARED_SECRET_ALG=HS512", NULL});
	cr_expect_eq(me(auth, cookie(signed_by(secret, HEADER, payload_of((struct session){0})))), 200);
}

Test(cookie_mode, takes_an_earlier_secret_while_it_counts)
{
	const char *old = signed_by(SECRET_2, HEADER, payload_of((struct session){0}));
	const char *const until_then[] = {"2999-01-01T00:00:00Z", "2020-01-01T00:00:00Z"};
	for (size_t i = 0; i < 2; i++) {
		struct responder *auth =
		        start("auth",
		              (const char *const[]){"DATABASE_URL", "BETTER_AUTH_PREVIOUS_SECRETS=" SECRET_2,
		                                    ask_format("BETTER_AUTH_PREVIOUS_SECRETS_UNTIL=%s", until_then[i]),
		                                    NULL});
		cr_expect_eq(me(auth, cookie(old)), i == 0 ? 200 : 401);
	}
}

/* ---- which cookie ---- */

Test(cookie_mode, has_the_secure_prefix_exactly_where_the_address_is_https)
{
	const char *token = good();
	struct responder *secure = start_auth();
	struct responder *plain =
	        start("auth", (const char *const[]){"DATABASE_URL", "BETTER_AUTH_URL=http://localhost:3000", NULL});
	const char *with = ask_format("__Secure-better-auth.session_data=%s", token);
	const char *without = ask_format("better-auth.session_data=%s", token);
	cr_expect_eq(me(secure, with), 200);
	cr_expect_eq(me(secure, without), 401);
	cr_expect_eq(me(plain, with), 401);
	cr_expect_eq(me(plain, without), 200);
	cr_expect_eq(me(secure, ask_format("better-auth.session_data=%s; %s", token, with)), 200);
	struct responder *renamed =
	        start("auth", (const char *const[]){"DATABASE_URL", "AUTH_COOKIE_NAME=my.data", NULL});
	cr_expect_eq(me(renamed, ask_format("__Secure-my.data=%s", token)), 200);
	cr_expect_eq(me(renamed, with), 401);
}

Test(cookie_mode, refuses_two_of_one_name_and_chunks_beside_a_whole)
{
	struct responder *auth = start_auth();
	const char *token = good();
	size_t half = strlen(token) / 2;
	const char *chunks = ask_format(NAME ".0=%.*s; " NAME ".1=%s", (int)half, token, token + half);
	const char *turned = ask_format(NAME ".1=%s; x=y; " NAME ".0=%.*s", token + half, (int)half, token);
	cr_expect_eq(me(auth, chunks), 200);
	cr_expect_eq(me(auth, turned), 200);
	cr_expect_eq(me(auth, ask_format("%s; %s", cookie(token), cookie(token))), 401);
	cr_expect_eq(me(auth, ask_format("%s; %s", cookie(token), chunks)), 401);
	cr_expect_eq(me(auth, ask_format("%s, %s", cookie(token), cookie(token))), 401);
	cr_expect_eq(me(auth, ask_format(NAME ".0=%.*s", (int)half, token)), 401);
	cr_expect_eq(me(auth, ask_format(NAME ".1=%s", token + half)), 401);
}

/* ---- beside a bearer token ---- */

Test(cookie_mode, judges_a_bearer_token_alone_when_one_is_sent)
{
	struct responder *auth = start_auth();
	const char *berta = api_token("berta");
	const struct answer *answer = ask_with(auth, "GET", "/auth/me", cookie(good()), NULL, berta);
	cr_expect(view_equal(json_member_text(json_member(answer_json(answer), "user"), "id"), VIEW("berta")));
	cr_expect_eq(ask_with(auth, "GET", "/auth/me", cookie("bad"), NULL, berta)->status, 200);
	cr_expect_eq(ask_with(auth, "GET", "/auth/me", cookie(good()), NULL, ask_format("%sx", berta))->status, 401);
	cr_expect_eq(ask_with(auth, "GET", "/auth/me", cookie(good()), NULL, "")->status, 401);
	cr_expect_eq(ask_with(auth, "POST", "/auth/validate", NULL, NULL, berta)->status, 200,
	             "no browser sends it by itself");
	const char *const params[] = {ask_format("HTTP_COOKIE=%s", cookie(good())), "HTTP_AUTHORIZATION=Basic YTpi",
	                              NULL};
	struct ask ask = {.target = "/auth/me", .params = params};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200, "another scheme is no bearer token");
}

/* ---- where from ---- */

Test(cookie_mode, needs_an_origin_of_ours_for_what_changes_something)
{
	struct responder *tasks =
	        start("tasks", (const char *const[]){ask_format("DATABASE_URL=%s", api_database(api_name("cookie"))),
	                                             "CORS_ORIGINS=https://front.example", NULL});
	static const char *const refused[] = {
	        NULL,
	        "",
	        "null",
	        "https://evil.example",
	        "http://todo.example",
	        "https://todo.example:8443",
	        "https://todo.example.evil.example",
	        "https://TODO.example",
	        "https://todo.example/",
	        "https://front.example.evil",
	        API_ORIGIN ", " API_ORIGIN,
	};
	static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
			const char *target =
			        m == 0 ? "/api/anna/tasks" : "/api/anna/tasks/0189f7a0-1234-7abc-8def-0123456789ab";
			expect_problem(ask_with(tasks, methods[m], target, cookie(good()), refused[i], NULL), 403,
			               "origin_refused",
			               ask_format("%s %s", methods[m], refused[i] ? refused[i] : "(none)"));
		}
	cr_expect_eq(ask_with(tasks, "POST", "/api/anna/tasks", cookie(good()), API_ORIGIN, NULL)->status, 201);
	cr_expect_eq(ask_with(tasks, "POST", "/api/anna/tasks", cookie(good()), "https://front.example", NULL)->status,
	             201);
	cr_expect_eq(ask_with(tasks, "GET", "/api/anna/tasks", cookie(good()), "https://evil.example", NULL)->status,
	             200);
	cr_expect_eq(ask_with(tasks, "HEAD", "/api/anna/tasks", cookie(good()), NULL, NULL)->status, 200);
	expect_problem(ask_with(tasks, "POST", "/api/anna/tasks", cookie("bad"), NULL, NULL), 401, "unauthorized",
	               "a bad cookie comes first");
	expect_problem(ask_with(tasks, "POST", "/api/berta/tasks", cookie(good()), NULL, NULL), 403, "origin_refused",
	               "the origin is the credential's, and comes before the owner");
}

/* As browsers write the address that the setting means (RFC 6454 §6.2). */
Test(cookie_mode, knows_its_own_origin_however_the_setting_writes_it)
{
	static const char *const addresses[] = {"HTTPS://TODO.example", "https://todo.example:443/",
	                                        "https://Todo.Example/api/auth?x=y"};
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		struct responder *auth =
		        start("auth", (const char *const[]){"DATABASE_URL", "BETTER_AUTH_URL",
		                                            ask_format("BETTER_AUTH_URL=%s", addresses[i]), NULL});
		cr_expect_eq(ask_with(auth, "POST", "/auth/validate", cookie(good()), API_ORIGIN, NULL)->status, 200,
		             "%s", addresses[i]);
		cr_expect_eq(ask_with(auth, "POST", "/auth/validate", cookie(good()), "https://todo.example:443", NULL)
		                     ->status,
		             403, "%s", addresses[i]);
	}
}

Test(cookie_mode, refuses_validate_without_an_origin)
{
	struct responder *auth = start_auth();
	expect_problem(ask_with(auth, "POST", "/auth/validate", cookie(good()), NULL, NULL), 403, "origin_refused",
	               "no origin");
	cr_expect_eq(ask_with(auth, "POST", "/auth/validate", cookie(good()), API_ORIGIN, NULL)->status, 200);
	cr_expect_eq(ask_with(auth, "POST", "/auth/validate", cookie("bad"), NULL, NULL)->status, 401);
}

Test(cookie_mode, lets_pages_of_allowed_origins_alone_send_cookies)
{
	struct responder *with =
	        start("auth", (const char *const[]){"DATABASE_URL", "CORS_ORIGINS=https://front.example", NULL});
	struct responder *without = responder_start(
	        "auth",
	        api_settings((const char *const[]){"DATABASE_URL", "CORS_ORIGINS=https://front.example", NULL}));
	const struct {
		struct responder *responder;
		const char *origin;
		const char *expected;
	} cases[] = {{with, "https://front.example", "true"},
	             {with, "https://evil.example", NULL},
	             {with, "null", NULL},
	             {with, NULL, NULL},
	             {without, "https://front.example", NULL}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view allowed =
		        answer_header(ask_with(cases[i].responder, "GET", "/auth/me", NULL, cases[i].origin, NULL),
		                      "Access-Control-Allow-Credentials");
		cr_expect(view_equal(allowed, view_of(cases[i].expected)), "%zu", i);
		const char *const params[] = {ask_format("HTTP_ORIGIN=%s", cases[i].origin ? cases[i].origin : ""),
		                              "HTTP_ACCESS_CONTROL_REQUEST_METHOD=GET", NULL};
		struct ask preflight = {.method = "OPTIONS", .target = "/auth/me", .params = params};
		allowed = answer_header(responder_ask(cases[i].responder, &preflight),
		                        "Access-Control-Allow-Credentials");
		cr_expect(view_equal(allowed, view_of(cases[i].expected)), "preflight %zu", i);
	}
}

/* ---- settings ---- */

Test(cookie_mode, does_not_start_without_what_it_needs)
{
	static const struct {
		const char *settings[4];
		const char *said;
	} cases[] = {
	        {{"BETTER_AUTH_SECRET", "JWKS_URL=https://todo.example/jwks"}, "AUTH_COOKIE needs BETTER_AUTH_SECRET"},
	        {{"BETTER_AUTH_URL", "JWT_ISSUER=none", "JWT_AUDIENCE=none"}, "AUTH_COOKIE needs BETTER_AUTH_URL"},
	        {{"AUTH_COOKIE_NAME=a b"}, "AUTH_COOKIE_NAME is no name"},
	        {{"AUTH_COOKIE_NAME=__Secure-a"}, "AUTH_COOKIE_NAME is no name"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *more[6] = {"DATABASE_URL"};
		for (size_t k = 0; k < 4 && cases[i].settings[k]; k++)
			more[k + 1] = cases[i].settings[k];
		struct responder *auth = start("auth", more);
		cr_expect_eq(responder_wait(auth), EXIT_FAILURE, "%s", cases[i].said);
		struct view log = responder_log(auth);
		cr_expect(memmem(log.ptr, log.len, cases[i].said, strlen(cases[i].said)), "%.*s", VIEW_ARGS(log));
	}
}
