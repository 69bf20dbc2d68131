/* Published vectors: the RFCs' own, from tests/vectors, and the JOSE collection, from ../shared/vectors or VECTORS=dir.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/keyset.h"
#include "auth/secrets.h"
#include "base/base64url.h"
#include "support/auth_keys.h"
#include "support/leaks.h"

static struct arena arena;

static void setup(void)
{
	cr_assert(arena_init(&arena, 16 * 1024 * 1024));
}

static void teardown(void)
{
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(vectors, .init = setup, .fini = teardown);

/* Verifies a token by the way of the keyring up to the signature: the payload of a vector is no JWT's. */
static bool verifies(const struct keyset *set, struct view token)
{
	struct jwt jwt;
	struct key *key;

	return jwt_parse(&arena, token, &jwt) == JWT_OK && keyset_find(set, &jwt, &key) == JWT_OK &&
	       key_verify(key, jwt.signed_text, jwt.signature);
}

static bool verifies_with_jwk(const cJSON *jwk, struct view alg_name, struct view token)
{
	static struct keyset set;
	struct buf notes = buf_make(4096);
	struct key *key = NULL;
	enum alg alg;
	bool good;

	cr_assert(alg_parse(alg_name, &alg), "%.*s", VIEW_ARGS(alg_name));
	keyset_clear(&set);
	if (auth_key_read(&arena, jwk, alg, &key))
		keyset_add(&set, key, &notes);
	good = verifies(&set, token);
	key_free(key);
	buf_destroy(&notes);
	return good;
}

/* ---- the RFCs ---------------------------------------------------------------- */

Test(vectors, of_the_rfcs)
{
	DIR *folder = opendir("tests/vectors");
	size_t count = 0;

	cr_assert_not_null(folder, "run it from the repository's root");
	for (const struct dirent *entry; (entry = readdir(folder));) {
		char path[512];
		const cJSON *vector;
		bool expected;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "tests/vectors/%s", entry->d_name);
		vector = auth_json_file(&arena, path);
		cr_assert_not_null(vector, "%s", path);
		expected = view_equal(json_member_text(vector, "expect"), VIEW("accept"));
		cr_expect_eq(verifies_with_jwk(json_member(vector, "key"), json_member_text(vector, "alg"),
		                               json_member_text(vector, "token")),
		             expected, "%s", entry->d_name);
		count++;
	}
	closedir(folder);
	cr_expect_geq(count, 12);
}

/* ---- the collection ------------------------------------------------------------ */

typedef bool judge(const cJSON *vector);

static struct view unhex(struct view hex)
{
	char *bytes = arena_alloc(&arena, hex.len / 2 + 1);

	cr_assert_not_null(bytes);
	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		char pair[3] = {hex.ptr[i], hex.ptr[i + 1], '\0'};

		bytes[i / 2] = (char)strtoul(pair, NULL, 16);
	}
	return (struct view){bytes, hex.len / 2};
}

static bool judge_jws(const cJSON *vector)
{
	return verifies_with_jwk(json_member(vector, "key"), json_member_text(vector, "alg"),
	                         json_member_text(vector, "token"));
}

/* A symmetric key is never taken from a set; those of the vectors are loaded as
 * secrets, under the rules for secrets. */
static void add_secrets(struct keyset *set, const cJSON *array, struct key *keys[], size_t *count, struct buf *notes)
{
	const cJSON *jwk;

	cJSON_ArrayForEach(jwk, array)
	{
		struct view k = json_member_text(jwk, "k");
		unsigned char secret[4096];
		size_t len;
		enum alg alg;

		if (!view_equal(json_member_text(jwk, "kty"), VIEW("oct")) ||
		    !alg_parse(json_member_text(jwk, "alg"), &alg) || !base64url_decode(k, secret, &len) ||
		    secret_fault((struct view){(const char *)secret, len}, alg))
			continue;
		cr_assert(auth_key_read(&arena, jwk, alg, &keys[*count]));
		keyset_add(set, keys[(*count)++], notes);
	}
}

static bool judge_jwks(const cJSON *vector)
{
	static struct keyset set;
	const cJSON *document = json_member(vector, "jwks");
	char *text = cJSON_PrintUnformatted(document);
	struct buf notes = buf_make(64 * 1024);
	struct jwks *jwks = NULL;
	struct key *secrets[16];
	size_t secret_count = 0;
	bool good;

	keyset_clear(&set);
	if (jwks_parse(view_of(text), ALG_RS256, &notes, &jwks) != JWKS_OK)
		jwks = NULL;
	for (size_t i = 0; jwks && i < jwks->count; i++)
		keyset_add(&set, jwks->keys[i], &notes);
	add_secrets(&set, json_member(document, "keys"), secrets, &secret_count, &notes);
	good = verifies(&set, json_member_text(vector, "token"));
	for (size_t i = 0; i < secret_count; i++)
		key_free(secrets[i]);
	jwks_free(jwks);
	free(text);
	buf_destroy(&notes);
	return good;
}

static bool judge_raw(const cJSON *vector)
{
	const cJSON *jwk = json_member(vector, "key");
	struct key *key = NULL;
	enum alg alg;
	bool good;

	cr_assert(alg_parse(json_member_text(vector, "alg"), &alg));
	if (jwk && !auth_key_read(&arena, jwk, alg, &key))
		return false;
	if (!jwk && key_new_hmac(alg, ABSENT, unhex(json_member_text(vector, "keyHex")), &key) != KEY_OK)
		return false;
	good = key_verify(key, unhex(json_member_text(vector, "msg")), unhex(json_member_text(vector, "sig")));
	key_free(key);
	return good;
}

static void judge_line(judge *judge_one, struct view line, size_t counts[2])
{
	const cJSON *vector = NULL;
	bool expected;
	bool good;

	arena_reset(&arena);
	cr_assert_eq(json_parse(&arena, line, &vector), JSON_OK, "%.*s", VIEW_ARGS(line));
	expected = view_equal(json_member_text(vector, "expect"), VIEW("accept"));
	good = judge_one(vector);
	if (!cJSON_IsTrue(json_member(vector, "either")))
		cr_expect_eq(good, expected, "%.*s", VIEW_ARGS(json_member_text(vector, "id")));
	counts[good]++;
}

static void judge_file(const char *name, judge *judge_one, size_t expected_lines)
{
	const char *folder = getenv("VECTORS");
	char path[4096];
	FILE *file;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	size_t counts[2] = {0, 0};

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/vectors", name);
	file = fopen(path, "r");
	if (!file) {
		fprintf(stderr, "skipped: %s is absent; VECTORS=dir says where the published vectors are\n", path);
		cr_skip("the published vectors are absent");
	}
	while ((len = getline(&line, &size, file)) > 0)
		judge_line(judge_one, (struct view){line, (size_t)len}, counts);
	free(line);
	fclose(file);
	cr_expect_geq(counts[0] + counts[1], expected_lines, "%s: %zu lines", path, counts[0] + counts[1]);
	cr_expect_gt(counts[1], 0, "%s: nothing was accepted", path);
}

Test(vectors, jws)
{
	judge_file("jws.jsonl", judge_jws, 424);
}

Test(vectors, jwks)
{
	judge_file("jwks.jsonl", judge_jwks, 26);
}

Test(vectors, raw_signatures)
{
	judge_file("raw-signatures.jsonl", judge_raw, 1201);
}

Test(vectors, raw_hmac)
{
	judge_file("raw-hmac-sha256.jsonl", judge_raw, 87);
}
