/* The algorithms: which names exist, and what they stand for. */
#include <criterion/criterion.h>

#include "auth/alg.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

Test(alg, knows_every_name_of_its_table)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		enum alg alg = ALG_COUNT;

		cr_expect(alg_parse(alg_row((enum alg)i)->spelling, &alg));
		cr_expect_eq(alg, i);
	}
	cr_expect_eq(ALG_COUNT, 13);
}

Test(alg, takes_ed25519_for_eddsa)
{
	enum alg alg = ALG_COUNT;

	cr_expect(alg_parse(VIEW("Ed25519"), &alg));
	cr_expect_eq(alg, ALG_EDDSA);
}

Test(alg, refuses_none_and_every_other_spelling)
{
	static const char *const names[] = {
	        "",      "none",    "None",   "NONE", "nOnE",    "none ",    "hs256",   "Hs256",   "HS256 ", " HS256",
	        "HS",    "HS257",   "HS1",    "RS1",  "eddsa",   "EDDSA",    "ED25519", "ed25519", "Ed448",  "ES256K",
	        "ES521", "RS256\n", "RSA1_5", "dir",  "A256GCM", "RSA-OAEP", "HS2560",  "ES25",
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		enum alg alg = ALG_COUNT;

		cr_expect_not(alg_parse(view_of(names[i]), &alg), "\"%s\"", names[i]);
		cr_expect_eq(alg, ALG_COUNT, "\"%s\" changed the result", names[i]);
	}
	cr_expect_not(alg_parse(ABSENT, &(enum alg){ALG_HS256}));
	cr_expect_not(alg_parse((struct view){"HS256\0", 6}, &(enum alg){ALG_HS256}));
}
