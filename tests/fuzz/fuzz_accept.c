/* Accept: what a client says first of JSON itself decides, whatever follows. */
#include "fuzz/fuzz.h"
#include "http/conditional.h"

void fuzz_one(struct view input)
{
	struct view list = fuzz_join(VIEW(", "), input);
	bool takes = accept_takes_json(input);
	HOLDS(accept_takes_json(fuzz_join(VIEW("application/json"), list)));
	HOLDS(accept_takes_json(fuzz_join(VIEW("Application/JSON;q=0.001"), list)));
	HOLDS(!accept_takes_json(fuzz_join(VIEW("application/json;q=0.000"), list)));
	/* What is no media range changes nothing. */
	if (view_trim(input).len > 0)
		HOLDS(accept_takes_json(fuzz_join(VIEW("text, */, ;q=0"), list)) == takes);
	/* A range that is less exact can't take back what a more exact one says. */
	if (takes && view_trim(input).len > 0)
		HOLDS(accept_takes_json(fuzz_join(VIEW("application/json ;v=1"), list)));
}
