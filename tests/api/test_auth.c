/* Whose token is this: /auth/validate and /auth/me through the real program,
 * which needs no database. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/issuer.h"

static struct responder *auth;

static void setup(void)
{
	auth = responder_start("auth", api_settings((const char *const[]){"DATABASE_URL", NULL}));
}

TestSuite(auth, .init = setup, .fini = api_end, .timeout = 120);

#define CHALLENGE "Bearer realm=\"todo\""
#define CHALLENGE_INVALID CHALLENGE ", error=\"invalid_token\""

static const struct answer *ask(const char *method, const char *target, const char *token, const char *param)
{
	const char *const params[] = {param, NULL};
	struct ask ask = {.method = method, .target = target, .token = token, .params = param ? params : NULL};
	return responder_ask(auth, &ask);
}

/* The one answer that is no problem document. */
static void expect_verdict_invalid(const struct answer *answer, const char *challenge, const char *asked)
{
	cr_expect_eq(answer->status, 401, "%s: %d", asked, answer->status);
	cr_expect(view_equal(answer->body, VIEW("{\"valid\":false,\"error\":\"Invalid token\"}")), "%s: %.*s", asked,
	          VIEW_ARGS(answer->body));
	cr_expect(view_equal(answer_header(answer, "Content-Type"), VIEW("application/json")), "%s", asked);
	cr_expect(view_equal(answer_header(answer, "WWW-Authenticate"), view_of(challenge)), "%s", asked);
}

static int64_t now_in_seconds(void)
{
	return clock_now() / CLOCK_SECOND;
}

/* A signed token of these claims beside iss and aud, that expires at `exp`. */
static const char *token_with(const char *claims, int64_t exp)
{
	return api_token_of(ask_format(
	        "{\"iss\":\"" API_ORIGIN "\",\"aud\":[\"" API_ORIGIN "\"],\"exp\":%" PRId64 ",%s}", exp, claims));
}

Test(auth, finds_a_good_token_valid_and_says_whose_and_until_when)
{
	int64_t exp = now_in_seconds() + 600;
	char until[CLOCK_TEXT_SECONDS + 1];
	clock_format_seconds(exp * CLOCK_SECOND, until);
	const struct answer *answer = ask("POST", "/auth/validate", token_with("\"sub\":\"anna\"", exp), NULL);
	cr_expect_eq(answer->status, 200);
	cr_expect(view_equal(answer->body,
	                     view_of(ask_format("{\"valid\":true,\"user_id\":\"anna\",\"expires_at\":\"%s\"}", until))),
	          "%.*s", VIEW_ARGS(answer->body));
	cr_expect(view_is_absent(answer_header(answer, "WWW-Authenticate")));
}

Test(auth, answers_who_i_am_from_the_claims)
{
	int64_t exp = now_in_seconds() + 600;
	char until[CLOCK_TEXT_SECONDS + 1];
	clock_format_seconds(exp * CLOCK_SECOND, until);
	const struct {
		const char *claims;
		const char *user;
	} cases[] = {
	        {"\"sub\":\"anna\",\"email\":\"anna@" PRIVATE ".example\",\"name\":\"Anna " PRIVATE "\"",
	         "{\"id\":\"anna\",\"email\":\"anna@" PRIVATE ".example\",\"name\":\"Anna " PRIVATE "\"}"},
	        {"\"sub\":\"anna\"", "{\"id\":\"anna\",\"email\":null,\"name\":null}"},
	        {"\"sub\":\"anna\",\"email\":null,\"name\":1", "{\"id\":\"anna\",\"email\":null,\"name\":null}"},
	        {"\"sub\":\"anna\",\"email\":\"\",\"name\":\"\"", "{\"id\":\"anna\",\"email\":\"\",\"name\":\"\"}"},
	        {"\"sub\":\"a\\\"b\",\"name\":\"</script>\\u0001\\n\"",
	         "{\"id\":\"a\\\"b\",\"email\":null,\"name\":\"</script>\\u0001\\n\"}"},
	        {"\"sub\":\"anna\",\"id\":\"berta\",\"userId\":\"berta\"",
	         "{\"id\":\"anna\",\"email\":null,\"name\":null}"},
	        {"\"sub\":\"\xC3\xA9\",\"name\":\"\\ud83e\\udd5b\"",
	         "{\"id\":\"\xC3\xA9\",\"email\":null,\"name\":\"\xF0\x9F\xA5\x9B\"}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct answer *answer = ask("GET", "/auth/me", token_with(cases[i].claims, exp), NULL);
		const char *expected = ask_format("{\"user\":%s,\"expires_at\":\"%s\"}", cases[i].user, until);
		cr_expect_eq(answer->status, 200, "%s", cases[i].claims);
		cr_expect(view_equal(answer->body, view_of(expected)), "%.*s is not %s", VIEW_ARGS(answer->body),
		          expected);
		answer_json(answer);
	}
}

Test(auth, answers_head_of_who_i_am_without_a_body)
{
	const char *token = api_token("anna");
	const struct answer *get = ask("GET", "/auth/me", token, NULL);
	const struct answer *head = ask("HEAD", "/auth/me", token, NULL);
	cr_expect_eq(head->status, 200);
	cr_expect_eq(head->body.len, 0);
	cr_expect(view_equal(answer_header(head, "Content-Length"), answer_header(get, "Content-Length")));
}

/* RFC 6750 §3: without a token the challenge names no error. */
Test(auth, challenges_whoever_sends_no_token_without_naming_an_error)
{
	static const char *const params[] = {NULL, "HTTP_AUTHORIZATION=", "HTTP_AUTHORIZATION=Basic dXNlcjpwYXNz"};
	for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
		const char *asked = params[i] ? params[i] : "(none)";
		expect_verdict_invalid(ask("POST", "/auth/validate", NULL, params[i]), CHALLENGE, asked);
		const struct answer *me = ask("GET", "/auth/me", NULL, params[i]);
		expect_problem(me, 401, "unauthorized", asked);
		cr_expect(view_equal(answer_header(me, "WWW-Authenticate"), VIEW(CHALLENGE)), "%s", asked);
	}
}

Test(auth, gives_every_bad_token_the_same_verdict)
{
	struct attack attack;
	for (size_t i = 0; api_attack(i, "anna", &attack); i++) {
		expect_verdict_invalid(ask("POST", "/auth/validate", attack.token, NULL), CHALLENGE_INVALID,
		                       attack.name);
		const struct answer *me = ask("GET", "/auth/me", attack.token, NULL);
		expect_problem(me, 401, attack.expired ? "token_expired" : "unauthorized", attack.name);
		cr_expect(view_equal(answer_header(me, "WWW-Authenticate"), VIEW(CHALLENGE_INVALID)), "%s",
		          attack.name);
	}
}

Test(auth, names_an_expired_token_only_when_its_signature_was_good)
{
	int64_t long_ago = now_in_seconds() - 3600;
	const char *expired = token_with("\"sub\":\"anna\"", long_ago);
	struct issuer *other = issuer_new(ALG_HS256, NULL);
	char *forged = issuer_token_for(other, "anna", API_ORIGIN, long_ago * CLOCK_SECOND);
	expect_problem(ask("GET", "/auth/me", expired, NULL), 401, "token_expired", "expired");
	expect_problem(ask("GET", "/auth/me", forged, NULL), 401, "unauthorized", "forged");
	free(forged);
	issuer_free(other);
}

/* An expired token that would not have been taken anyway is no reason to refresh. */
Test(auth, names_no_token_expired_that_was_never_good)
{
	int64_t long_ago = now_in_seconds() - 3600;
	expect_problem(ask("GET", "/auth/me",
	                   token_with("\"email\":\"anna@" PRIVATE ".example\",\"userId\":\"anna\"", long_ago), NULL),
	               401, "unauthorized", "without sub");
	expect_problem(
	        ask("GET", "/auth/me",
	            api_token_of(ask_format("{\"sub\":\"anna\",\"iss\":\"https://evil.example\",\"aud\":\"" API_ORIGIN
	                                    "\",\"exp\":%" PRId64 "}",
	                                    long_ago)),
	            NULL),
	        401, "unauthorized", "of another issuer");
}

Test(auth, allows_clocks_the_leeway_and_no_more)
{
	static const struct {
		const char *leeway;
		int64_t ago;
		int status;
	} cases[] = {{"JWT_LEEWAY=30", 10, 200},
	             {"JWT_LEEWAY=30", 31, 401},
	             {"JWT_LEEWAY=0", 1, 401},
	             {"JWT_LEEWAY=60", 40, 200}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auth = responder_start("auth", api_settings((const char *const[]){cases[i].leeway, NULL}));
		const char *token = token_with("\"sub\":\"anna\"", now_in_seconds() - cases[i].ago);
		cr_expect_eq(ask("GET", "/auth/me", token, NULL)->status, cases[i].status, "row %zu", i);
	}
}

Test(auth, refuses_two_credentials)
{
	const char *token = api_token("anna");
	const char *param = ask_format("HTTP_AUTHORIZATION=Bearer %s, Bearer %s", token, token);
	expect_problem(ask("GET", "/auth/me", NULL, param), 400, "two_credentials", "/auth/me");
	expect_problem(ask("POST", "/auth/validate", NULL, param), 400, "two_credentials", "/auth/validate");
}

/* RFC 9700 §4.3.2; even beside a good header, and not only on its own. */
Test(auth, refuses_a_token_in_the_address)
{
	const char *token = api_token("anna");
	static const char *const queries[] = {"access_token=%s",  "a=b&access_token=%s", "access_token",
	                                      "access_token=",    "&access_token=%s&",   "access%5Ftoken=%s",
	                                      "%61ccess_token=%s"};
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
		for (int with_header = 0; with_header < 2; with_header++) {
			const char *at = strstr(queries[i], "%s");
			const char *query =
			        at ? ask_format("%.*s%s%s", (int)(at - queries[i]), queries[i], token, at + 2)
			           : queries[i];
			const char *header = with_header ? token : NULL;
			expect_problem(ask("GET", ask_format("/auth/me?%s", query), header, NULL), 400,
			               "token_in_query", queries[i]);
			expect_problem(ask("POST", ask_format("/auth/validate?%s", query), header, NULL), 400,
			               "token_in_query", queries[i]);
		}
	/* another name is no token */
	cr_expect_eq(ask("GET", "/auth/me?access_token_x=1&xaccess_token=2", token, NULL)->status, 200);
}

Test(auth, takes_no_token_from_anywhere_but_the_authorization_header)
{
	const char *token = api_token("anna");
	const char *const params[] = {
	        ask_format("HTTP_COOKIE=better-auth.session_data=%s; access_token=%s", token, token),
	        ask_format("HTTP_X_ACCESS_TOKEN=%s", token),
	        ask_format("HTTP_PROXY_AUTHORIZATION=Bearer %s", token),
	        ask_format("REDIRECT_HTTP_AUTHORIZATION=Bearer %s", token),
	        ask_format("HTTP_X_AUTHORIZATION=Bearer %s", token),
	        "REMOTE_USER=anna",
	};
	for (size_t i = 0; i < sizeof params / sizeof *params; i++)
		expect_problem(ask("GET", "/auth/me", NULL, params[i]), 401, "unauthorized", params[i]);
	/* nor from a body */
	struct ask form = {.method = "POST",
	                   .target = "/auth/validate",
	                   .body = ask_format("access_token=%s", token),
	                   .type = "application/x-www-form-urlencoded"};
	expect_verdict_invalid(responder_ask(auth, &form), CHALLENGE, "a form");
	form = (struct ask){
	        .method = "POST", .target = "/auth/validate", .body = ask_format("{\"token\":\"%s\"}", token)};
	expect_verdict_invalid(responder_ask(auth, &form), CHALLENGE, "JSON");
}

/* What is sent to a row that reads no body is read and forgotten, however long. */
Test(auth, reads_no_body_and_stumbles_over_none)
{
	struct buf blanks = buf_make(1024 * 1024);
	while (blanks.len < 300 * 1000)
		BUF_LIT(&blanks, "{\"not\" json");
	struct ask ask = {.method = "POST",
	                  .target = "/auth/validate",
	                  .token = api_token("anna"),
	                  .body = ask_keep(buf_view(&blanks))};
	cr_expect_eq(responder_ask(auth, &ask)->status, 200);
	buf_destroy(&blanks);
}

Test(auth, takes_a_token_up_to_seven_kibibytes)
{
	for (size_t over = 0; over < 2; over++) {
		/* The payload's padding makes the token exactly as long as wanted. */
		size_t wanted = 7 * 1024 + over * 16;
		size_t fill = 0;
		const char *token;
		do {
			char *name = ask_format("%*s", (int)fill, "");
			token = token_with(ask_format("\"sub\":\"anna\",\"name\":\"%s\"", name),
			                   now_in_seconds() + 600);
			fill += fill == 0 ? (wanted - strlen(token)) / 4 * 3 - 8 : 1;
		} while (strlen(token) < wanted - 2);
		cr_assert_leq(strlen(token), wanted);
		cr_expect_eq(ask("GET", "/auth/me", token, NULL)->status, over ? 401 : 200, "%zu bytes", strlen(token));
	}
}

Test(auth, keeps_to_its_own_paths)
{
	static const char *const targets[] = {"/auth",        "/auth/",      "/auth/me/",    "/auth//me",
	                                      "/AUTH/me",     "/auth/login", "/api/auth/me", "/auth/me%2F",
	                                      "/auth/%6De/x", "/auth/./me",  "/health",      "/api/anna/tasks",
	                                      "/auth/me%00"};
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		expect_problem(ask("GET", targets[i], api_token("anna"), NULL), 404, "not_found", targets[i]);
	cr_expect_eq(ask("GET", "/auth/%6D%65", api_token("anna"), NULL)->status, 200, "the same path, decoded once");
}
