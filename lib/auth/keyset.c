/* The choice of a key. */
#include "auth/keyset.h"

void keyset_clear(struct keyset *set)
{
	set->count = 0;
}

void keyset_add(struct keyset *set, struct key *key, struct buf *notes)
{
	struct view kid = key_kid(key);
	struct keyset_entry added = {.key = key};

	for (size_t i = 0; i < set->count && !view_is_absent(kid); i++) {
		struct keyset_entry *entry = &set->entries[i];

		if (view_is_absent(key_kid(entry->key)) || !view_equal(key_kid(entry->key), kid))
			continue;
		if (key_same(entry->key, key))
			return;
		entry->disputed = true;
		added.disputed = true;
	}
	if (added.disputed) {
		BUF_LIT(notes, "key set: two different keys");
		key_note_kid(kid, notes);
		BUF_LIT(notes, " under one kid, neither is used\n");
	}
	if (set->count == KEYSET_MAX) {
		BUF_LIT(notes, "key set: too many keys, one is left out\n");
		return;
	}
	set->entries[set->count++] = added;
}

bool keyset_is_usable(const struct keyset *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (!set->entries[i].disputed)
			return true;
	return false;
}

static enum jwt_error find_by_kid(const struct keyset *set, const struct jwt *jwt, struct key **ret)
{
	for (size_t i = 0; i < set->count; i++) {
		struct view kid = key_kid(set->entries[i].key);

		if (view_is_absent(kid) || !view_equal(kid, jwt->kid))
			continue;
		if (set->entries[i].disputed)
			return JWT_DISPUTED_KID;
		if (key_alg(set->entries[i].key) != jwt->alg)
			return JWT_ALG_MISMATCH;
		*ret = set->entries[i].key;
		return JWT_OK;
	}
	return JWT_UNKNOWN_KID;
}

static enum jwt_error find_by_alg(const struct keyset *set, enum alg alg, struct key **ret)
{
	struct key *found = NULL;

	for (size_t i = 0; i < set->count; i++) {
		struct key *key = set->entries[i].key;

		if (set->entries[i].disputed || key_alg(key) != alg)
			continue;
		if (found && !key_same(found, key))
			return JWT_AMBIGUOUS_KEY;
		found = key;
	}
	if (!found)
		return JWT_NO_SUCH_KEY;
	*ret = found;
	return JWT_OK;
}

enum jwt_error keyset_find(const struct keyset *set, const struct jwt *jwt, struct key **ret)
{
	return view_is_absent(jwt->kid) ? find_by_alg(set, jwt->alg, ret) : find_by_kid(set, jwt, ret);
}
