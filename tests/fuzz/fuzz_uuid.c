/* Ids in a path: one is a UUID exactly when it fits the grammar of RFC 9562 §4. */
#include "fuzz/fuzz.h"
#include "fuzz/second.h"
#include "http/router.h"

void fuzz_one(struct view input)
{
	HOLDS(router_is_uuid(input) ==
	      second_matches(input, "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"));
}
