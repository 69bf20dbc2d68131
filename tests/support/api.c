/* Makes what every test of the api ring needs. */
#include "support/api.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/issuer.h"
#include "support/postgres.h"

enum { SETTINGS_MAX = 64 };

static struct issuer *issuer;

static const struct issuer *own_issuer(void)
{
	if (!issuer)
		issuer = issuer_new_secret(ALG_HS256, API_SECRET);
	return issuer;
}

/* Takes over what the issuer has made. */
static const char *keep_and_free(char *text)
{
	const char *kept = ask_keep(view_of(text));
	free(text);
	return kept;
}

const char *api_name(const char *start)
{
	static int count;
	return ask_format("%s_%d_%d", start, getpid(), count++);
}

const char *api_path(const char *start)
{
	return ask_format("%s/%s", postgres_folder(), api_name(start));
}

/* ---- settings ---- */

static bool same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");
	return strcspn(b, "=") == len && memcmp(a, b, len) == 0;
}

const char *const *api_settings(const char *const more[])
{
	static const char *const standard[] = {
	        "BETTER_AUTH_SECRET=" API_SECRET,
	        "BETTER_AUTH_URL=" API_ORIGIN,
	        "METRICS_TOKEN=" API_METRICS_TOKEN,
	        "DATABASE_URL=postgresql://todo_app:" PRIVATE "-password@/nowhere?host=/nowhere",
	};
	const char **settings = arena_calloc(ask_arena(), SETTINGS_MAX, sizeof *settings);
	size_t count = 0;
	cr_assert_not_null(settings);
	for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
		bool replaced = false;
		for (size_t j = 0; more[j]; j++)
			replaced = replaced || same_name(more[j], standard[i]);
		if (!replaced)
			settings[count++] = standard[i];
	}
	for (size_t j = 0; more[j]; j++) {
		cr_assert(count + 1 < SETTINGS_MAX);
		if (strchr(more[j], '='))
			settings[count++] = ask_keep(view_of(more[j]));
	}
	return settings;
}

const char *const *api_settings_for(const char *database_url)
{
	return api_settings((const char *const[]){ask_format("DATABASE_URL=%s", database_url), NULL});
}

const char *api_database_in(const char *folder, const char *database)
{
	return ask_format("DATABASE_URL=%s", keep_and_free(postgres_url_in(folder, "todo_app", database)));
}

const char *api_database(const char *name)
{
	postgres_database(name);
	return keep_and_free(postgres_url("todo_app", name));
}

/* ---- tokens ---- */

const char *api_token(const char *user)
{
	return keep_and_free(issuer_token_for(own_issuer(), user, API_ORIGIN, clock_now()));
}

const char *api_signed(const char *header, const char *payload)
{
	return keep_and_free(issuer_token(own_issuer(), header, payload));
}

const char *api_token_by(const struct issuer *other)
{
	return keep_and_free(issuer_token_for(other, "anna", API_ORIGIN, clock_now()));
}

#define HEADER "{\"alg\":\"HS256\"}"

const char *api_token_of(const char *payload)
{
	return api_signed(HEADER, payload);
}

static const char *payload_of(const char *user, int64_t from_now, const char *more)
{
	return ask_format("{\"sub\":\"%s\",\"iss\":\"" API_ORIGIN "\",\"aud\":\"" API_ORIGIN "\",\"exp\":%" PRId64
	                  "%s}",
	                  user, clock_now() / CLOCK_SECOND + from_now, more);
}

static const char *by_another_issuer(const char *user)
{
	struct issuer *other = issuer_new(ALG_HS256, NULL);
	const char *token = keep_and_free(issuer_token_for(other, user, API_ORIGIN, clock_now()));
	issuer_free(other);
	return token;
}

/* The token with its third part replaced. */
static const char *with_signature(const char *token, const char *signature)
{
	return ask_format("%.*s.%s", (int)(strrchr(token, '.') - token), token, signature);
}

/* A good signature under somebody else's payload. */
static const char *with_swapped_payload(const char *user)
{
	const char *mine = api_token_of(payload_of("somebody-else", 900, ""));
	const char *wanted = api_token_of(payload_of(user, 900, ""));
	return with_signature(wanted, strrchr(mine, '.') + 1);
}

static const char *unsigned_token(const char *alg, const char *user)
{
	return with_signature(api_signed(ask_format("{\"alg\":\"%s\"}", alg), payload_of(user, 900, "")), "");
}

static const char *good_for(const char *header, const char *user)
{
	return api_signed(header, payload_of(user, 900, ""));
}

bool api_attack(size_t number, const char *user, struct attack *ret)
{
	const char *good = api_token_of(payload_of(user, 900, ""));
	int64_t soon = clock_now() / CLOCK_SECOND + 900;
	const struct attack attacks[] = {
	        {"signed by another key", by_another_issuer(user), false},
	        {"alg none", unsigned_token("none", user), false},
	        {"alg None", unsigned_token("None", user), false},
	        {"alg nOnE, with a signature", api_signed("{\"alg\":\"nOnE\"}", payload_of(user, 900, "")), false},
	        {"no alg", good_for("{\"typ\":\"JWT\"}", user), false},
	        {"signature taken away", with_signature(good, ""), false},
	        {"signature of zeros", with_signature(good, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), false},
	        {"signature cut", with_signature(good, ask_format("%.22s", strrchr(good, '.') + 1)), false},
	        {"signature extended", with_signature(good, ask_format("%sAAAA", strrchr(good, '.') + 1)), false},
	        {"payload swapped", with_swapped_payload(user), false},
	        {"another algorithm than the key's", good_for("{\"alg\":\"HS512\"}", user), false},
	        {"an asymmetric algorithm over the secret", good_for("{\"alg\":\"RS256\"}", user), false},
	        {"a kid where there is none", good_for("{\"alg\":\"HS256\",\"kid\":\"k1\"}", user), false},
	        {"a key of its own in the header",
	         good_for("{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
	                  "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}",
	                  user),
	         false},
	        {"crit", good_for("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", user), false},
	        {"b64 false", good_for("{\"alg\":\"HS256\",\"b64\":false}", user), false},
	        {"typ of an access token for third parties", good_for("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", user),
	         false},
	        {"typ of a session cookie",
	         good_for("{\"alg\":\"HS256\",\"typ\":\"better-auth.session-cache+jwt\"}", user), false},
	        {"no exp",
	         api_token_of(
	                 ask_format("{\"sub\":\"%s\",\"iss\":\"" API_ORIGIN "\",\"aud\":\"" API_ORIGIN "\"}", user)),
	         false},
	        {"exp in a string",
	         api_token_of(ask_format("{\"sub\":\"%s\",\"iss\":\"" API_ORIGIN "\",\"aud\":\"" API_ORIGIN
	                                 "\",\"exp\":\"%" PRId64 "\"}",
	                                 user, soon)),
	         false},
	        {"not yet valid", api_token_of(payload_of(user, 900, ask_format(",\"nbf\":%" PRId64, soon))), false},
	        {"another issuer",
	         api_token_of(ask_format("{\"sub\":\"%s\",\"iss\":\"https://evil.example\",\"aud\":\"" API_ORIGIN
	                                 "\",\"exp\":%" PRId64 "}",
	                                 user, soon)),
	         false},
	        {"another audience",
	         api_token_of(ask_format("{\"sub\":\"%s\",\"iss\":\"" API_ORIGIN
	                                 "\",\"aud\":\"https://evil.example\",\"exp\":%" PRId64 "}",
	                                 user, soon)),
	         false},
	        {"a verification mail's token, without sub",
	         api_token_of(ask_format("{\"email\":\"%s@" PRIVATE
	                                 ".example\",\"userId\":\"%s\",\"id\":\"%s\",\"iss\":\"" API_ORIGIN
	                                 "\",\"aud\":\"" API_ORIGIN "\",\"exp\":%" PRId64 "}",
	                                 user, user, user, soon)),
	         false},
	        {"two subjects", api_token_of(payload_of("somebody-else", 900, ask_format(",\"sub\":\"%s\"", user))),
	         false},
	        {"subject in an array",
	         api_token_of(ask_format("{\"sub\":[\"%s\"],\"iss\":\"" API_ORIGIN "\",\"aud\":\"" API_ORIGIN
	                                 "\",\"exp\":%" PRId64 "}",
	                                 user, soon)),
	         false},
	        {"bound to a key by cnf", api_token_of(payload_of(user, 900, ",\"cnf\":{\"jkt\":\"x\"}")), false},
	        {"padded", ask_format("%s=", good), false},
	        {"a fourth part", ask_format("%s.e30", good), false},
	        {"a magic suffix", ask_format("%s.magic", good), false},
	        {"two parts", ask_format("%.*s", (int)(strrchr(good, '.') - good), good), false},
	        {"no token", "x", false},
	        {"a session token", "Zr8Xk2mQ5vT1yW7nB4cJ9dL3fH6gP0sA.c2lnbmF0dXJl", false},
	        {"expired", api_token_of(payload_of(user, -3600, "")), true},
	};
	if (number >= sizeof attacks / sizeof *attacks)
		return false;
	*ret = attacks[number];
	return true;
}

const char *api_task(const char *title, const char *more)
{
	return ask_format("{\"title\":\"" PRIVATE " %s\"%s}", title, more);
}

/* ---- asking ---- */

const struct answer *api_ask(const struct responder *responder, const char *method, const char *target,
                             const char *body)
{
	struct ask ask = {.method = method, .target = target, .token = api_token("anna"), .body = body};
	return responder_ask(responder, &ask);
}

int api_status(const struct responder *responder, const char *target, const char *token)
{
	return responder_ask(responder, &(struct ask){.target = target, .token = token})->status;
}

struct status {
	const struct responder *responder;
	const char *target;
	const char *token;
	int status;
};

static bool is_status(void *context)
{
	const struct status *wanted = context;
	return api_status(wanted->responder, wanted->target, wanted->token) == wanted->status;
}

void api_until_status(const struct responder *responder, const char *target, const char *token, int status,
                      const char *what)
{
	struct status wanted = {responder, target, token, status};
	until(is_status, &wanted, what);
}

const struct answer *api_create(const struct responder *tasks, const char *title, const char *more)
{
	const struct answer *answer = api_ask(tasks, "POST", "/api/anna/tasks", api_task(title, more));
	cr_assert_eq(answer->status, 201, "%.*s", VIEW_ARGS(answer->body));
	return answer;
}

const char *api_task_path(const struct answer *answer, const char *below)
{
	return ask_format("/api/anna/tasks/%.*s%s", VIEW_ARGS(answer_text(answer, "id")), below);
}

void expect_try_again(const struct answer *answer, int status, const char *code, const char *asked)
{
	expect_problem(answer, status, code, asked);
	cr_expect(answer_header(answer, "Retry-After").len > 0, "%s: no Retry-After", asked);
}

void expect_outcome_unknown(const struct answer *answer, const char *asked)
{
	expect_problem(answer, 503, "outcome_unknown", asked);
	cr_expect(view_is_absent(answer_header(answer, "Retry-After")), "%s: Retry-After", asked);
}

static bool lists(void *tasks)
{
	return api_ask(tasks, "GET", "/api/anna/tasks", NULL)->status == 200;
}

void api_until_lists(struct responder *tasks)
{
	until(lists, tasks, "the tasks are listed");
}

struct readiness {
	struct responder *health;
	int status;
	const char *code; /* NULL: none */
};

static const struct ask ready = {.target = "/ready"};

static bool is_ready_as(void *context)
{
	const struct readiness *wanted = context;
	const struct answer *answer = responder_ask(wanted->health, &ready);
	return answer->status == wanted->status &&
	       (!wanted->code || view_equal(answer_text(answer, "code"), view_of(wanted->code)));
}

void api_until_ready(struct responder *health, int status, const char *code)
{
	struct readiness wanted = {health, status, code};
	until(is_ready_as, &wanted, ask_format("/ready says %d %s", status, code ? code : ""));
	if (code)
		expect_try_again(responder_ask(health, &ready), 503, code, "/ready");
	const struct answer *answer = responder_ask(health, &(struct ask){.target = "/health"});
	cr_expect_eq(answer->status, 200, "/health looks at nothing but the process");
	cr_expect(view_equal(answer->body, VIEW("{\"status\":\"ok\"}")));
}

int64_t api_metric(const struct responder *health, const char *sample)
{
	static const struct ask ask = {.target = "/metrics", .token = API_METRICS_TOKEN};
	const struct answer *answer = responder_ask(health, &ask);
	cr_assert_eq(answer->status, 200);
	cr_expect(view_equal(answer_header(answer, "Content-Type"), VIEW("text/plain; version=0.0.4; charset=utf-8")));
	for (struct view rest = answer->body; rest.len > 0;) {
		struct view line = view_cut(&rest, '\n');
		if (view_starts(line, view_of(sample)) && line.ptr[strlen(sample)] == ' ')
			return strtoll(line.ptr + strlen(sample) + 1, NULL, 10);
	}
	return -1;
}

void api_end(void)
{
	issuer_free(issuer);
	issuer = NULL;
	responders_close();
}
