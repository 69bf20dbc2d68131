/* The choice of a key: by kid exactly that one, without kid the only one that fits. */
#include <criterion/criterion.h>

#include "auth/keyset.h"
#include "support/leaks.h"

enum { KEYS = 5 };

static struct keyset set;
static struct buf notes;
static struct key *keys[KEYS];

static void add(size_t i, enum alg alg, struct view kid, struct view secret)
{
	cr_assert_eq(key_new_hmac(alg, kid, secret, &keys[i]), KEY_OK);
	keyset_add(&set, keys[i], &notes);
}

static void setup(void)
{
	notes = buf_make(4096);
	keyset_clear(&set);
}

static void teardown(void)
{
	for (size_t i = 0; i < KEYS; i++)
		key_free(keys[i]);
	buf_destroy(&notes);
	leaks_check();
}

TestSuite(keyset, .init = setup, .fini = teardown);

static enum jwt_error find(enum alg alg, struct view kid, struct key **ret)
{
	*ret = NULL;
	return keyset_find(&set, &(struct jwt){.alg = alg, .kid = kid}, ret);
}

Test(keyset, finds_exactly_the_key_of_that_kid)
{
	struct key *found;

	add(0, ALG_HS256, VIEW("a"), VIEW("secret a"));
	add(1, ALG_HS256, VIEW("b"), VIEW("secret b"));
	cr_expect_eq(find(ALG_HS256, VIEW("b"), &found), JWT_OK);
	cr_expect_eq(found, keys[1]);
	cr_expect_eq(find(ALG_HS256, VIEW("c"), &found), JWT_UNKNOWN_KID);
	cr_expect_eq(find(ALG_HS256, VIEW("B"), &found), JWT_UNKNOWN_KID);
	cr_expect_eq(find(ALG_HS256, VIEW("b "), &found), JWT_UNKNOWN_KID);
	cr_expect_null(found);
}

Test(keyset, does_not_fall_back_from_a_kid_to_the_only_key)
{
	struct key *found;

	add(0, ALG_HS256, ABSENT, VIEW("secret a"));
	cr_expect_eq(find(ALG_HS256, VIEW("a"), &found), JWT_UNKNOWN_KID);
	cr_expect_eq(find(ALG_HS256, VIEW(""), &found), JWT_UNKNOWN_KID);
	cr_expect_eq(find(ALG_HS256, ABSENT, &found), JWT_OK);
}

Test(keyset, binds_the_algorithm_to_the_key)
{
	struct key *found;

	add(0, ALG_HS256, VIEW("a"), VIEW("secret a"));
	cr_expect_eq(find(ALG_HS384, VIEW("a"), &found), JWT_ALG_MISMATCH);
	cr_expect_eq(find(ALG_HS384, ABSENT, &found), JWT_NO_SUCH_KEY);
	cr_expect_null(found);
}

Test(keyset, without_a_kid_takes_the_only_key_of_the_algorithm)
{
	struct key *found;

	add(0, ALG_HS256, VIEW("a"), VIEW("secret a"));
	add(1, ALG_HS384, VIEW("b"), VIEW("secret b"));
	cr_expect_eq(find(ALG_HS256, ABSENT, &found), JWT_OK);
	cr_expect_eq(found, keys[0]);
	add(2, ALG_HS256, VIEW("c"), VIEW("secret c"));
	cr_expect_eq(find(ALG_HS256, ABSENT, &found), JWT_AMBIGUOUS_KEY);
	cr_expect_eq(find(ALG_HS384, ABSENT, &found), JWT_OK);
}

Test(keyset, uses_neither_of_two_different_keys_under_one_kid)
{
	struct key *found;

	add(0, ALG_HS256, VIEW("a"), VIEW("secret a"));
	add(1, ALG_HS384, VIEW("a"), VIEW("secret b"));
	add(2, ALG_HS512, VIEW("c"), VIEW("secret c"));
	cr_expect_eq(find(ALG_HS256, VIEW("a"), &found), JWT_DISPUTED_KID);
	cr_expect_eq(find(ALG_HS384, VIEW("a"), &found), JWT_DISPUTED_KID);
	cr_expect_eq(find(ALG_HS256, ABSENT, &found), JWT_NO_SUCH_KEY);
	cr_expect_eq(find(ALG_HS512, VIEW("c"), &found), JWT_OK);
	add(3, ALG_HS256, VIEW("a"), VIEW("secret a"));
	cr_expect_eq(find(ALG_HS256, VIEW("a"), &found), JWT_DISPUTED_KID, "the first one once more changes nothing");
	const struct view told = VIEW("key set: two different keys (kid a) under one kid, neither is used\n");
	cr_expect(view_starts(buf_view(&notes), told), "%.*s", VIEW_ARGS(buf_view(&notes)));
}

/* A kid is somebody else's text. */
Test(keyset, tells_of_no_kid_that_is_not_fit_to_be_printed)
{
	add(0, ALG_HS256, VIEW("a\nforged line"), VIEW("secret a"));
	add(1, ALG_HS384, VIEW("a\nforged line"), VIEW("secret b"));
	cr_expect(view_equal(buf_view(&notes), VIEW("key set: two different keys under one kid, neither is used\n")),
	          "%.*s", VIEW_ARGS(buf_view(&notes)));
}

Test(keyset, is_not_usable_when_all_keys_are_disputed)
{
	cr_expect_not(keyset_is_usable(&set));
	add(0, ALG_HS256, VIEW("a"), VIEW("secret a"));
	cr_expect(keyset_is_usable(&set));
	add(1, ALG_HS256, VIEW("a"), VIEW("secret b"));
	cr_expect_not(keyset_is_usable(&set));
}

Test(keyset, counts_the_same_key_once)
{
	struct key *found;

	add(0, ALG_HS256, VIEW("a"), VIEW("secret a"));
	add(1, ALG_HS256, VIEW("a"), VIEW("secret a"));
	cr_expect_eq(set.count, 1);
	cr_expect_eq(find(ALG_HS256, VIEW("a"), &found), JWT_OK);
	add(2, ALG_HS256, VIEW("b"), VIEW("secret a"));
	cr_expect_eq(find(ALG_HS256, ABSENT, &found), JWT_OK, "one key under two names is one key");
	cr_expect_eq(notes.len, 0);
}

Test(keyset, leaves_out_what_it_has_no_room_for_and_says_so)
{
	struct key *found;

	add(0, ALG_HS256, ABSENT, VIEW("secret a"));
	while (set.count < KEYSET_MAX)
		keyset_add(&set, keys[0], &notes);
	cr_expect_eq(notes.len, 0);
	add(1, ALG_HS384, VIEW("b"), VIEW("secret b"));
	cr_expect_eq(set.count, KEYSET_MAX);
	cr_expect_eq(find(ALG_HS384, VIEW("b"), &found), JWT_UNKNOWN_KID);
	cr_expect(view_equal(buf_view(&notes), VIEW("key set: too many keys, one is left out\n")));
}
