/* The JSON gate: what it takes Jansson takes too and reads as the same tree; what it
 * refuses Jansson refuses, but for our own limits and for NUL. */
#include "base/json.h"

#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "fuzz/second.h"

static void is_read_as_written(json_t *theirs)
{
	const cJSON *again;
	char *text = json_dumps(theirs, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
	HOLDS(text != NULL);
	HOLDS(json_parse(fuzz_arena(), view_of(text), &again) == JSON_OK && second_json_equal(again, theirs));
	free(text);
}

void fuzz_one(struct view input)
{
	const cJSON *tree = NULL;
	enum json_error error = json_parse(fuzz_arena(), input, &tree);
	json_t *theirs = second_json(input);
	HOLDS(error != JSON_NO_MEMORY || input.len > 64 * 1024);
	if (error == JSON_OK) {
		HOLDS(theirs != NULL);
		HOLDS(second_json_equal(tree, theirs));
		is_read_as_written(theirs);
	} else if (error != JSON_TOO_COMPLEX && view_find(input, '\0') == input.len) {
		/* After a number Jansson takes a NUL for the end of what it has. */
		HOLDS(theirs == NULL);
	}
	json_decref(theirs);
}
