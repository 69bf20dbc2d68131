/* The table of signature algorithms. */
#include "auth/alg.h"

static const struct alg_row rows[ALG_COUNT] = {
#define ALG(NAME, spelling, KIND, hash, hash_len, curve, coordinate_len) \
	[ALG_##NAME] = {VIEW(spelling), ALG_KIND_##KIND, hash, hash_len, curve, coordinate_len},
#include "auth/alg.def"
#undef ALG
};

const struct alg_row *alg_row(enum alg alg)
{
	return &rows[alg];
}

bool alg_parse(struct view spelling, enum alg *ret)
{
	if (view_equal(spelling, VIEW("Ed25519"))) {
		*ret = ALG_EDDSA;
		return true;
	}
	for (size_t i = 0; i < ALG_COUNT; i++) {
		if (view_equal(spelling, rows[i].spelling)) {
			*ret = (enum alg)i;
			return true;
		}
	}
	return false;
}
