/* The rows of errors.def. */
#include "http/outcome.h"

#include <assert.h>

static const struct outcome_row rows[] = {
#define OUTCOME(NAME, status, code, title, detail) [OUTCOME_##NAME] = {status, VIEW(code), VIEW(title), VIEW(detail)},
#include "http/errors.def"
#undef OUTCOME
};

const struct outcome_row *outcome_row(enum outcome outcome)
{
	assert(outcome > OUTCOME_OK && outcome < OUTCOME_COUNT);
	return &rows[outcome];
}
