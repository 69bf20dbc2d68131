/* Our verifier and jose, the one that Better Auth itself uses, judge the same tokens
 * under the same policy: whatever we take jose takes too, for the same user, and what we
 * alone refuse has a rule that says so. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/keyring.h"
#include "base/base64url.h"
#include "base/clock.h"
#include "support/auth_config.h"
#include "support/auth_folder.h"
#include "support/issuer.h"
#include "support/leaks.h"
#include "support/stack.h"

#define ORIGIN "https://todo.example"
/* 64 bytes, so that it is one for HS512 too; of several scripts, since the key is the UTF-8 that it is written in. */
#define SECRET "k3V9-q0Zt7_bW2xLr8Ny5Ju1Hd4Gf6Sa.Schl\xc3\xbcssel-\xe5\xaf\x86\xe9\x92\xa5-\xf0\x9f\x97\x9d-Vc2Xz1Qr"
#define NOW_SECONDS "1800000000"
#define NOW (INT64_C(1800000000) * CLOCK_SECOND)

enum { CASES = 10000, TOKEN_MAX = 16 * 1024 };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

TestSuite(jose, .fini = leaks_check, .timeout = 300);

/* ---- chance ---- */

static uint64_t random_state;

/* xorshift64* */
static size_t pick(size_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (size_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

/* SEED, or another one each time. */
static void random_begin(void)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	random_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	fprintf(stderr, "SEED=%llu\n", (unsigned long long)seed);
}

/* ---- what a token says: each part as a good one has it, or changed ---- */

enum part {
	ALG,
	KID,
	TYP,
	CTY,
	HEADER_MORE,
	HEADER,
	SUB,
	ISS,
	AUD,
	EXP,
	NBF,
	IAT,
	PAYLOAD_MORE,
	PAYLOAD,
	PARTS,
	TEXT = PARTS
};

/* A member that makes a token longer than any may be; filled by issuers_make(). */
static char bulky[6100];

/* Texts of JSON. NULL: the member is left out; HEADER and PAYLOAD: the whole text. */
static const struct change {
	enum part part;
	const char *text;
} changes[] = {
        {ALG, NULL},
        {ALG, "\"none\""},
        {ALG, "\"None\""},
        {ALG, "\"HS256\""},
        {ALG, "\"hs256\""},
        {ALG, "\"HS384\""},
        {ALG, "\"ES256\""},
        {ALG, "\"ES256K\""},
        {ALG, "\"RS256\""},
        {ALG, "\"PS256\""},
        {ALG, "\"EdDSA\""},
        {ALG, "\"Ed448\""},
        {ALG, "\"\\u0048S256\""},
        {ALG, "1"},
        {ALG, "null"},
        {ALG, "[\"HS256\"]"},
        {KID, NULL},
        {KID, "\"no such kid\""},
        {KID, "\"ES256\""},
        {KID, "\"EdDSA\""},
        {KID, "\"\""},
        {KID, "1"},
        {KID, "null"},
        {KID, "\"../../etc/passwd\""},
        {TYP, "\"JWT\""},
        {TYP, "\"jwt\""},
        {TYP, "\"application/jwt\""},
        {TYP, "\"at+jwt\""},
        {TYP, "\"better-auth.session-cache+jwt\""},
        {TYP, "\"\""},
        {TYP, "1"},
        {TYP, "null"},
        {CTY, "\"JWT\""},
        {CTY, "\"json\""},
        {CTY, "1"},
        {HEADER_MORE, ",\"crit\":[\"exp\"],\"exp\":1"},
        {HEADER_MORE, ",\"crit\":[]"},
        {HEADER_MORE, ",\"crit\":[\"b64\"],\"b64\":true"},
        {HEADER_MORE, ",\"crit\":[\"b64\"],\"b64\":false"},
        {HEADER_MORE, ",\"b64\":true"},
        {HEADER_MORE, ",\"b64\":false"},
        {HEADER_MORE, ",\"jku\":\"http://127.0.0.1:1/\",\"x5u\":\"http://127.0.0.1:1/\""},
        {HEADER_MORE, ",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}"},
        {HEADER_MORE, ",\"alg\":\"none\""},
        {HEADER_MORE, ",\"a\":1,\"a\":2"},
        {HEADER_MORE, ",\"a\":\"\\u0000\""},
        {HEADER_MORE, ",\"a\":\"\\ud800\""},
        {HEADER_MORE, ",\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"},
        {HEADER_MORE, ",\"a\":1e999"},
        {HEADER_MORE, ",\"a\":\"\xc3\xa4\""},
        {HEADER_MORE, ",\"a\":\"\xff\""},
        {HEADER_MORE, ","},
        {HEADER, ""},
        {HEADER, "[]"},
        {HEADER, "\"HS256\""},
        {HEADER, "{} {}"},
        {HEADER, "\xef\xbb\xbf{\"alg\":\"HS256\"}"},
        {SUB, NULL},
        {SUB, "\"\""},
        {SUB, "\" \""},
        {SUB, "1"},
        {SUB, "null"},
        {SUB, "true"},
        {SUB, "[\"u1\"]"},
        {SUB, "\"a\\u0007b\""},
        {SUB, "\"a\\u0000b\""},
        {SUB, "\"\xc3\xa4\xe4\xb8\x96\""},
        {SUB, "\"\\u00e4\\ud83d\\ude00\""},
        {SUB,
         "\"12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
         "567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789012345678\""},
        {ISS, NULL},
        {ISS, "\"https://other.example\""},
        {ISS, "\"" ORIGIN "/\""},
        {ISS, "\"HTTPS://TODO.EXAMPLE\""},
        {ISS, "\"\""},
        {ISS, "null"},
        {ISS, "[\"" ORIGIN "\"]"},
        {AUD, NULL},
        {AUD, "\"https://other.example\""},
        {AUD, "\"\""},
        {AUD, "[]"},
        {AUD, "[\"" ORIGIN "\"]"},
        {AUD, "[\"other\",\"" ORIGIN "\"]"},
        {AUD, "[\"other\"]"},
        {AUD, "[1,\"" ORIGIN "\"]"},
        {AUD, "[[\"" ORIGIN "\"]]"},
        {AUD, "{\"" ORIGIN "\":1}"},
        {AUD, "null"},
        {EXP, NULL},
        {EXP, "1799999969"},
        {EXP, "1799999970"},
        {EXP, "1799999970.5"},
        {EXP, "1799999971"},
        {EXP, "1799999999"},
        {EXP, "0"},
        {EXP, "-1"},
        {EXP, "1e300"},
        {EXP, "-1e300"},
        {EXP, "1e999"},
        {EXP, "18e8"},
        {EXP, "\"1800000900\""},
        {EXP, "null"},
        {EXP, "true"},
        {EXP, "[1800000900]"},
        {EXP, "01800000900"},
        {EXP, "NaN"},
        {EXP, "1800000900000"},
        {NBF, "1800000000"},
        {NBF, "1800000030"},
        {NBF, "1800000030.5"},
        {NBF, "1800000031"},
        {NBF, "-1e300"},
        {NBF, "1e300"},
        {NBF, "\"1\""},
        {NBF, "null"},
        {IAT, NULL},
        {IAT, "1800000030"},
        {IAT, "1800000031"},
        {IAT, "1900000000"},
        {IAT, "\"1\""},
        {IAT, "null"},
        {IAT, "-1"},
        {PAYLOAD_MORE, ",\"cnf\":{\"jkt\":\"x\"}"},
        {PAYLOAD_MORE, ",\"cnf\":null"},
        {PAYLOAD_MORE, ",\"sub\":\"u2\""},
        {PAYLOAD_MORE, ",\"s\\u0075b\":\"u2\""},
        {PAYLOAD_MORE, ",\"exp\":1900000000"},
        {PAYLOAD_MORE, ",\"Sub\":\"u2\",\"id\":\"u2\",\"userId\":\"u2\""},
        {PAYLOAD_MORE, ",\"__proto__\":{\"sub\":\"u2\"}"},
        {PAYLOAD_MORE, ",\"email\":1,\"name\":[]"},
        {PAYLOAD_MORE, ",\"a\":\"\xff\""},
        {PAYLOAD_MORE, ",\"a\":\"\xed\xa0\x80\""},
        {PAYLOAD_MORE, ",\"a\":\"\\ud800\""},
        {PAYLOAD_MORE, ",\"a\":\"\t\""},
        {PAYLOAD_MORE, ",\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"},
        {PAYLOAD_MORE, ",\"a\":1."},
        {PAYLOAD_MORE, bulky},
        {PAYLOAD_MORE, "}"},
        {PAYLOAD_MORE, "} "},
        {PAYLOAD, ""},
        {PAYLOAD, "[]"},
        {PAYLOAD, "null"},
        {PAYLOAD, "\"sub\""},
        {PAYLOAD, "no JSON"},
        {PAYLOAD, "\xef\xbb\xbf{}"},
};

/* ---- what is done to the text of a token ---- */

static const char *const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *signature_of(char *token)
{
	return strrchr(token, '.') + 1;
}

/* Each of them has room for TOKEN_MAX bytes. */
typedef void change_text(char *token);

static void another_character(char *token)
{
	token[pick(strlen(token))] = (char)(' ' + pick('~' - ' ' + 1));
}

static void another_character_of_the_signature(char *token)
{
	char *signature = signature_of(token);
	signature[pick(strlen(signature))] = alphabet[pick(64)];
}

static void another_last_character(char *token)
{
	token[strlen(token) - 1] = alphabet[pick(64)];
}

static void a_character_less(char *token)
{
	size_t at = pick(strlen(token));
	memmove(token + at, token + at + 1, strlen(token + at));
}

static void a_character_more(char *token)
{
	size_t at = pick(strlen(token) + 1);
	memmove(token + at + 1, token + at, strlen(token + at) + 1);
	token[at] = alphabet[pick(64)];
}

static void another_case(char *token)
{
	char *at = token + pick(strlen(token));
	*at = (char)(((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z')) ? *at ^ 0x20 : *at);
}

static void cut(char *token)
{
	token[pick(strlen(token))] = '\0';
}

static void no_signature(char *token)
{
	*signature_of(token) = '\0';
}

static void zeros_for_a_signature(char *token)
{
	char *signature = signature_of(token);
	memset(signature, 'A', strlen(signature));
}

static void append(char *token, const char *text)
{
	size_t len = strlen(token);
	snprintf(token + len, TOKEN_MAX - len, "%s", text);
}

static void padded(char *token)
{
	append(token, "=");
}

static void padded_twice(char *token)
{
	append(token, "==");
}

static void with_a_line_end(char *token)
{
	append(token, "\n");
}

static void with_a_space_before(char *token)
{
	memmove(token + 1, token, strlen(token) + 1);
	*token = ' ';
}

static void with_a_space_in_its_signature(char *token)
{
	char *signature = signature_of(token);
	memmove(signature + 3, signature + 2, strlen(signature + 2) + 1);
	signature[2] = ' ';
}

static void in_the_other_alphabet(char *token)
{
	for (char *c = token; *c; c++)
		*c = (char)(*c == '-' ? '+' : *c == '_' ? '/' : *c);
}

static void with_four_parts(char *token)
{
	append(token, ".e30");
}

static void with_five_parts(char *token)
{
	append(token, ".e30.e30");
}

static void with_two_parts(char *token)
{
	signature_of(token)[-1] = '\0';
}

static void with_another_header(char *token)
{
	static const char header[] = "eyJhbGciOiJub25lIn0";
	char *rest = strchr(token, '.');
	memmove(token + sizeof header - 1, rest, strlen(rest) + 1);
	memcpy(token, header, sizeof header - 1);
}

static change_text *const text_changes[] = {
        another_character,
        another_character_of_the_signature,
        another_last_character,
        a_character_less,
        a_character_more,
        another_case,
        cut,
        no_signature,
        zeros_for_a_signature,
        padded,
        padded_twice,
        with_a_line_end,
        with_a_space_before,
        with_a_space_in_its_signature,
        in_the_other_alphabet,
        with_four_parts,
        with_five_parts,
        with_two_parts,
        with_another_header,
};

/* ---- tokens ---- */

static struct issuer *issuers[ALG_COUNT];
static struct issuer *stranger; /* with a key of its own */
static struct issuer *confused; /* whose secret is a public key */

static const enum alg shared_algs[] = {ALG_HS256, ALG_HS384, ALG_HS512};

static void issuers_make(void)
{
	struct buf pem = buf_make(4096);
	snprintf(bulky, sizeof bulky, ",\"a\":\"%06000d\"", 0);
	for (unsigned alg = 0; alg < ALG_COUNT; alg++)
		issuers[alg] = alg_is_hmac((enum alg)alg)
		                       ? issuer_new_secret((enum alg)alg, SECRET)
		                       : issuer_new((enum alg)alg, alg_row((enum alg)alg)->spelling.ptr);
	stranger = issuer_new(ALG_ES256, "ES256");
	issuer_public_pem(issuers[ALG_RS256], &pem);
	confused = issuer_new_secret_bytes(ALG_HS256, buf_view(&pem));
	buf_destroy(&pem);
}

static void issuers_free(void)
{
	for (unsigned alg = 0; alg < ALG_COUNT; alg++)
		issuer_free(issuers[alg]);
	issuer_free(stranger);
	issuer_free(confused);
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_add(out, buf_view(out).len > 1 ? VIEW(",\"") : VIEW("\""));
	buf_add(out, view_of(name));
	BUF_LIT(out, "\":");
	buf_add(out, view_of(text));
}

static void add_object(struct buf *out, const char *const parts[PARTS], enum part first, enum part more)
{
	static const char *const names[PARTS] = {
	        [ALG] = "alg", [KID] = "kid", [TYP] = "typ", [CTY] = "cty", [SUB] = "sub",
	        [ISS] = "iss", [AUD] = "aud", [EXP] = "exp", [NBF] = "nbf", [IAT] = "iat"};
	const char *whole = parts[more + 1];
	if (whole) {
		buf_add(out, view_of(whole));
		return;
	}
	buf_add_char(out, '{');
	for (enum part part = first; part < more; part++)
		add_member(out, names[part], parts[part]);
	buf_add(out, view_of(parts[more]));
	buf_add_char(out, '}');
}

/* A token of that algorithm: as it should be, or with one or two parts changed, or with
 * its text changed after it was signed. In memory for free(); *ret_changed is what was. */
static char *token_make(enum alg alg, unsigned *ret_changed)
{
	char spelling[16];
	snprintf(spelling, sizeof spelling, "\"%s\"",
	         alg == ALG_EDDSA && pick(2) ? "Ed25519" : alg_row(alg)->spelling.ptr);
	char kid[16];
	snprintf(kid, sizeof kid, "\"%s\"", alg_row(alg)->spelling.ptr);
	const char *parts[PARTS] = {
	        [ALG] = spelling,         [KID] = alg_is_hmac(alg) ? NULL : kid,
	        [HEADER_MORE] = "",       [SUB] = "\"u1\"",
	        [ISS] = "\"" ORIGIN "\"", [AUD] = "\"" ORIGIN "\"",
	        [EXP] = "1800000900",     [IAT] = "1800000000",
	        [PAYLOAD_MORE] = "",
	};
	struct buf header = buf_make(TOKEN_MAX);
	struct buf payload = buf_make(TOKEN_MAX);
	const struct issuer *issuer = issuers[alg];
	char *room = malloc(TOKEN_MAX);
	cr_assert_not_null(room);
	size_t kind = pick(10);
	for (size_t i = 0; kind > 0 && kind < 8 && i < 1 + kind % 2; i++) {
		const struct change *change = &changes[pick(COUNT(changes))];
		parts[change->part] = change->text;
		*ret_changed |= 1U << change->part;
	}
	if (kind == 9 && pick(4) == 0)
		issuer = pick(2) ? stranger : confused;
	add_object(&header, parts, ALG, HEADER_MORE);
	add_object(&payload, parts, SUB, PAYLOAD_MORE);
	char *token = issuer_token_bytes(issuer, buf_view(&header), buf_view(&payload));
	snprintf(room, TOKEN_MAX, "%s", token);
	if (kind == 8 || kind == 9) {
		text_changes[pick(COUNT(text_changes))](room);
		*ret_changed |= 1U << TEXT;
	}
	free(token);
	buf_destroy(&header);
	buf_destroy(&payload);
	return room;
}

/* ---- the two verdicts ---- */

struct verdict {
	char *token;
	unsigned changed; /* one bit for each part */
	enum alg shared;  /* the algorithm that the secret has for this one */
	enum jwt_error error;
	char subject[2 * CLAIMS_SUBJECT_MAX + 1]; /* in hexadecimal */
};

static struct verdict verdicts[CASES];

static void keyrings_open(const char *keys, struct keyring *ret[COUNT(shared_algs)])
{
	struct buf error = buf_make(1024);
	for (size_t i = 0; i < COUNT(shared_algs); i++) {
		const struct keyring_parts parts = {.state_dir = -1};
		struct config config = auth_config();
		config.better_auth_url = VIEW(ORIGIN);
		config.better_auth_secret = VIEW(SECRET);
		config.jwt_shared_secret = true;
		config.jwt_shared_secret_alg = alg_row(shared_algs[i])->spelling;
		config.jwks_file = view_of(keys);
		cr_assert(keyring_open(&config, &parts, &ret[i], &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	}
	buf_destroy(&error);
}

static void judge_ours(struct keyring *const keyrings[])
{
	struct arena arena;
	cr_assert(arena_init(&arena, 4 * 1024 * 1024));
	for (size_t i = 0; i < CASES; i++) {
		struct verdict *verdict = &verdicts[i];
		size_t shared = pick(COUNT(shared_algs));
		enum alg alg = (enum alg)pick(ALG_COUNT);
		struct claims claims;
		/* Half of all tokens by a secret are by the algorithm that it has. */
		if (alg_is_hmac(alg) && pick(2))
			alg = shared_algs[shared];
		verdict->shared = shared_algs[shared];
		verdict->token = token_make(alg, &verdict->changed);
		verdict->error = keyring_verify(keyrings[shared], &arena, view_of(verdict->token), NOW, &claims);
		if (verdict->error == JWT_OK) {
			struct buf hex = {.ptr = verdict->subject,
			                  .max = sizeof verdict->subject,
			                  .capacity = sizeof verdict->subject};
			buf_add_hex(&hex, (const unsigned char *)claims.subject.ptr, claims.subject.len);
		}
		arena_reset(&arena);
	}
	arena_destroy(&arena);
}

static void write_cases(const struct auth_folder *folder)
{
	struct buf text = buf_make(64 * 1024 * 1024);
	BUF_LIT(&text, "{\"origin\":\"" ORIGIN "\",\"now\":" NOW_SECONDS ",\"leeway\":30,\"secret\":\"" SECRET
	               "\",\"algorithms\":[");
	for (unsigned alg = 0; alg < ALG_COUNT; alg++) {
		if (alg_is_hmac((enum alg)alg))
			continue;
		buf_add_json(&text, alg_row((enum alg)alg)->spelling);
		buf_add_char(&text, ',');
	}
	BUF_LIT(&text, "\"Ed25519\"],\"cases\":[");
	for (size_t i = 0; i < CASES; i++) {
		buf_add(&text, i > 0 ? VIEW(",\n{\"alg\":") : VIEW("\n{\"alg\":"));
		buf_add_json(&text, alg_row(verdicts[i].shared)->spelling);
		BUF_LIT(&text, ",\"token\":");
		buf_add_json(&text, view_of(verdicts[i].token));
		buf_add_char(&text, '}');
	}
	BUF_LIT(&text, "\n]}\n");
	cr_assert(buf_ok(&text));
	auth_folder_write(folder, "cases.json", buf_view(&text), 0600);
	buf_destroy(&text);
}

static void ask_jose(const struct auth_folder *folder)
{
	const char *const settings[] = {NULL};
	struct stack stack = stack_make("jose", settings);
	int status = stack_run(
	        &stack, (const char *const[]){"tests/support/npm-run", "jose", "verify.mjs", folder->path, NULL});
	cr_assert_eq(status, 0, "jose does not run:\n%.*s", VIEW_ARGS(buf_view(&stack.said)));
	stack_destroy(&stack);
}

/* ---- what they may differ in ---- */

/* What we refuse for that reason and jose takes: the rule of ours that it breaks. */
#define ON(PART) (1U << (PART))

static const struct rule {
	enum jwt_error error;
	unsigned parts; /* in which it can be broken: one of them was changed */
	const char *rule;
} rules[] = {
        {JWT_TOO_LARGE, ON(PAYLOAD_MORE), "at most 7 KiB"},
        {JWT_BAD_BASE64URL, ON(TEXT),
         "strict base64url: no padding, no white space, one alphabet, canonical last bits"},
        {JWT_BAD_HEADER, ON(HEADER_MORE) | ON(HEADER),
         "strict JSON: no duplicate members, bounded depth, UTF-8, finite"},
        {JWT_BAD_PAYLOAD, ON(SUB) | ON(EXP) | ON(PAYLOAD_MORE) | ON(PAYLOAD), "strict JSON: the same"},
        {JWT_BAD_TYP, ON(TYP), "typ absent or JWT"},
        {JWT_BAD_CTY, ON(CTY), "cty JWT is refused, and a cty that is no string"},
        {JWT_BAD_KID, ON(KID), "a kid is a string of 1 to 255 bytes"},
        {JWT_CRIT, ON(HEADER_MORE), "any crit is refused"},
        {JWT_B64, ON(HEADER_MORE), "any b64 is refused"},
        {JWT_UNKNOWN_KID, ON(KID), "a secret has no kid"},
        {JWT_BAD_SUB, ON(SUB), "sub is a string of 1 to 255 bytes, without control characters, not blank"},
        {JWT_BAD_AUD, ON(AUD), "aud is a string, or an array of strings"},
        {JWT_NOT_YET, ON(IAT), "iat is not ahead of us"},
        {JWT_CNF, ON(PAYLOAD_MORE), "a token with cnf is refused"},
};

static const struct rule *rule_of(enum jwt_error error)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		if (rules[i].error == error)
			return &rules[i];
	return NULL;
}

static void compare(const struct verdict *ours, struct view theirs, size_t explained[COUNT(rules)])
{
	struct view subject = theirs;
	bool taken = view_equal(view_cut(&subject, ' '), VIEW("ok"));
	const struct rule *rule = rule_of(ours->error);
	if (ours->error == JWT_OK)
		cr_expect(taken && view_equal(subject, view_of(ours->subject)),
		          "ours takes it for %s, jose says %.*s: %s", ours->subject, VIEW_ARGS(theirs), ours->token);
	else if (taken && rule && (rule->parts & ours->changed))
		explained[rule - rules]++;
	else
		cr_expect(!taken, "jose takes it for %.*s, ours says %s: %s", VIEW_ARGS(subject),
		          jwt_error_text(ours->error), ours->token);
	if (ours->error == JWT_EXPIRED)
		cr_expect(view_equal(theirs, VIEW("ERR_JWT_EXPIRED")), "ours says expired, jose %.*s: %s",
		          VIEW_ARGS(theirs), ours->token);
}

static void compare_all(const struct auth_folder *folder)
{
	char path[AUTH_FOLDER_PATH + 32];
	char line[1024];
	size_t explained[COUNT(rules)] = {0};
	size_t count = 0;
	size_t taken = 0;
	snprintf(path, sizeof path, "%s/verdicts.txt", folder->path);
	FILE *file = fopen(path, "r");
	cr_assert_not_null(file);
	for (; count < CASES && fgets(line, sizeof line, file); count++) {
		line[strcspn(line, "\n")] = '\0';
		compare(&verdicts[count], view_of(line), explained);
		taken += verdicts[count].error == JWT_OK;
	}
	fclose(file);
	cr_expect_eq(count, CASES, "%zu verdicts", count);
	fprintf(stderr, "%zu tokens, %zu taken by both; ours alone refused\n", count, taken);
	for (size_t i = 0; i < COUNT(rules); i++)
		fprintf(stderr, "%6zu  %s: %s\n", explained[i], jwt_error_text(rules[i].error), rules[i].rule);
	/* A rule that explains nothing is none, and a comparison of refusals alone compares little. */
	for (size_t i = 0; i < COUNT(rules); i++)
		cr_expect(explained[i] > 0, "nothing was refused for: %s", rules[i].rule);
	cr_expect_gt(taken, CASES / 10);
}

Test(jose, agrees_on_ten_thousand_tokens_or_a_rule_says_why)
{
	struct auth_folder folder = auth_folder_make();
	struct keyring *keyrings[COUNT(shared_algs)] = {NULL};
	struct buf keys = buf_make(1 << 20);
	random_begin();
	issuers_make();
	issuer_jwks(issuers + ALG_EDDSA, ALG_COUNT - ALG_EDDSA, &keys);
	keyrings_open(auth_folder_write(&folder, "keys.json", buf_view(&keys), 0600), keyrings);
	judge_ours(keyrings);
	write_cases(&folder);
	ask_jose(&folder);
	compare_all(&folder);
	for (size_t i = 0; i < CASES; i++)
		free(verdicts[i].token);
	for (size_t i = 0; i < COUNT(shared_algs); i++)
		keyring_close(keyrings[i]);
	issuers_free();
	buf_destroy(&keys);
	auth_folder_remove(&folder);
}
