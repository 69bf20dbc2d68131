/* Entity tags while the web server compresses: it makes another representation and says so in the
 * tag, and what clients send back must still be the same task to us. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "auth/sign.h"
#include "base/clock.h"
#include "support/ask.h"
#include "support/http.h"
#include "support/stack.h"

#define SECRET "2f1d7c9b4e8a60f3955b7c21d04ae86f"

enum { TOKEN_MAX = 8192 };

TestSuite(compression, .fini = ask_end);

static struct stack stack;
static const char *token;

static const char *make_token(void)
{
	struct buf made = buf_make(TOKEN_MAX);
	const char *origin = stack_value(&stack, "BASE_URL");
	const char *claims = ask_format("{\"sub\":\"zoe\",\"iss\":\"%s\",\"aud\":\"%s\",\"exp\":%lld}", origin, origin,
	                                (long long)(clock_now() / CLOCK_SECOND + 600));
	cr_assert(sign_token(ALG_HS256, VIEW(SECRET), view_of(claims), &made));
	const char *kept = ask_keep(buf_view(&made));
	buf_destroy(&made);
	return kept;
}

/* What of an answer outlives it. */
struct reply {
	int status;
	const char *etag;
	const char *coding;
	const char *vary;
	size_t len;
	const cJSON *json; /* of an answer without a coding */
};

static const char *header(const struct http_answer *answer, const char *name)
{
	struct view value = http_header(answer, view_of(name), 0);
	return view_is_absent(value) ? "" : ask_keep(value);
}

static struct reply ask(const char *method, const char *target, const char *body, const char *headers)
{
	struct http_answer answer;
	const struct http_ask request = {
	        .method = method, .target = target, .token = token, .body = body, .headers = headers};
	enum http_result result = http_ask(stack_port(&stack), &request, &answer);
	cr_assert_eq(result, HTTP_OK, "%s %s: %s", method, target, http_result_text(result));
	struct reply reply = {
	        .status = answer.status,
	        .etag = header(&answer, "ETag"),
	        .coding = header(&answer, "Content-Encoding"),
	        .vary = header(&answer, "Vary"),
	        .len = answer.body.len,
	};
	if (!*reply.coding && answer.body.len > 0)
		reply.json = http_json(&answer, ask_arena());
	http_answer_destroy(&answer);
	return reply;
}

#define PLACE "/api/zoe/tasks/0189f7a0-1234-7000-8000-0123456789ab"

/* A task large enough to be worth compressing. */
static void make_task(const char *packing)
{
	char description[801] = "";
	memset(description, 'x', sizeof description - 1);
	struct reply made = ask("PUT", PLACE, ask_format("{\"title\":\"t\",\"description\":\"%s\"}", description),
	                        ask_format("If-None-Match: *\r\n%s", packing));
	cr_assert_eq(made.status, 201);
}

/* The strong tag with what a server writes on it. */
static const char *with_suffix(const char *etag, const char *coding)
{
	return ask_format("%.*s-%s\"", (int)strlen(etag) - 1, etag, coding);
}

/* What a client has of a task that the server sent it in that coding. */
static void expect_conditions_to_hold(const char *coding)
{
	const char *packing = ask_format("Accept-Encoding: %s\r\n", coding);
	make_task(packing);
	struct reply plain = ask("GET", PLACE, NULL, NULL);
	struct reply packed = ask("GET", PLACE, NULL, packing);
	cr_assert_eq(plain.status, 200);
	cr_assert_eq(packed.status, 200);
	cr_expect_str_eq(plain.coding, "");
	cr_assert_str_eq(packed.coding, coding, "the server does not compress");
	cr_expect_lt(packed.len, plain.len);
	cr_expect(strstr(plain.vary, "Origin") && strstr(packed.vary, "Origin"), "Vary: %s", packed.vary);
	cr_expect(strstr(packed.vary, "Accept-Encoding") != NULL, "Vary: %s", packed.vary);
	/* Two representations, so two tags where the tags are strong (RFC 9110 §8.8.3.3). */
	cr_assert(*plain.etag && *packed.etag);
	cr_expect_str_neq(plain.etag, packed.etag);
	cr_expect_str_eq(packed.etag, with_suffix(plain.etag, coding));

	const char *const tags[] = {plain.etag, packed.etag};
	for (size_t i = 0; i < 2; i++) {
		struct reply known = ask("GET", PLACE, NULL, ask_format("If-None-Match: %s\r\n%s", tags[i], packing));
		cr_expect_eq(known.status, 304, "%s, compressed", tags[i]);
		cr_expect_eq(known.len, 0);
		cr_expect_eq(ask("GET", PLACE, NULL, ask_format("If-None-Match: %s\r\n", tags[i])).status, 304, "%s",
		             tags[i]);
	}

	/* Every tag that the server gives opens the next change, with what the server writes on it. */
	const char *tag = packed.etag;
	for (int i = 0; i < 3; i++) {
		struct reply patched = ask("PATCH", PLACE, ask_format("{\"title\":\"%d\"}", i),
		                           ask_format("If-Match: %s\r\n%s", tag, i == 1 ? "" : packing));
		cr_assert_eq(patched.status, 200, "If-Match: %s", tag);
		struct reply stale =
		        ask("PATCH", PLACE, "{\"title\":\"stale\"}", ask_format("If-Match: %s\r\n%s", tag, packing));
		cr_expect_eq(stale.status, 412);
		struct reply now = ask("GET", PLACE, NULL, packing);
		cr_assert_eq(now.status, 200);
		tag = i == 1 ? patched.etag : now.etag;
	}

	struct reply list = ask("GET", "/api/zoe/tasks?limit=1", NULL, packing);
	cr_expect_eq(list.status, 200);
	cr_expect_str_eq(list.coding, coding);
	cr_expect_eq(ask("DELETE", PLACE, NULL, ask_format("If-Match: %s\r\n%s", packed.etag, packing)).status, 412);
	cr_expect_eq(ask("DELETE", PLACE, NULL, ask_format("If-Match: %s\r\n%s", tag, packing)).status, 204);
}

/* A tag that got its suffix elsewhere: this server makes nothing of that coding, and passes the tag on. */
static void expect_suffix_to_pass(const char *coding)
{
	const char *packing = ask_format("Accept-Encoding: %s\r\n", coding);
	make_task(packing);
	struct reply plain = ask("GET", PLACE, NULL, packing);
	cr_expect_str_eq(plain.coding, "", "the server does make %s", coding);
	const char *tag = with_suffix(plain.etag, coding);
	cr_expect_eq(ask("GET", PLACE, NULL, ask_format("If-None-Match: %s\r\n", tag)).status, 304, "%s", tag);
	cr_expect_eq(ask("GET", PLACE, NULL, ask_format("If-None-Match: %s\r\n%s", tag, packing)).status, 304, "%s",
	             tag);
	struct reply patched = ask("PATCH", PLACE, "{\"title\":\"new\"}", ask_format("If-Match: %s\r\n", tag));
	cr_assert_eq(patched.status, 200, "%s", tag);
	cr_expect_eq(ask("DELETE", PLACE, NULL, ask_format("If-Match: %s\r\n", tag)).status, 412, "%s", tag);
	tag = with_suffix(patched.etag, coding);
	cr_expect_eq(ask("DELETE", PLACE, NULL, ask_format("If-Match: %s\r\n", tag)).status, 204, "%s", tag);
}

/* Who takes everything gets one coding, and a tag that says so once. */
static void expect_one_coding(void)
{
	make_task("");
	struct reply plain = ask("GET", PLACE, NULL, NULL);
	struct reply packed = ask("GET", PLACE, NULL, "Accept-Encoding: gzip, deflate, br, zstd\r\n");
	cr_expect_str_eq(packed.coding, "gzip");
	cr_expect_str_eq(packed.etag, with_suffix(plain.etag, "gzip"));
	cr_expect_eq(ask("DELETE", PLACE, NULL, ask_format("If-Match: %s\r\n", packed.etag)).status, 204);
}

/* `codings`: those that the server makes; `others`: those that it does not. */
static void run(const char *server, const char *name, const char *const codings[], const char *const others[])
{
	const char *const settings[] = {ask_format("SERVER=%s", server), "BETTER_AUTH_SECRET=" SECRET, "WEB_DEFLATE=on",
	                                NULL};
	stack = stack_start(name, settings);
	token = make_token();
	expect_one_coding();
	for (size_t i = 0; codings[i]; i++)
		expect_conditions_to_hold(codings[i]);
	for (size_t i = 0; others[i]; i++)
		expect_suffix_to_pass(others[i]);
	stack_stop(&stack);
}

Test(compression, tags_hold_behind_lighttpd)
{
	run("lighttpd", "deflate-lighttpd", (const char *const[]){"gzip", "deflate", "br", "zstd", NULL},
	    (const char *const[]){NULL});
}

Test(compression, tags_hold_behind_apache)
{
	run("apache", "deflate-apache", (const char *const[]){"gzip", "br", NULL},
	    (const char *const[]){"deflate", "zstd", NULL});
}
