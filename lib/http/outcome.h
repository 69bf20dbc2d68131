/* What became of a request: OUTCOME_OK or one row of errors.def. */
#ifndef HTTP_OUTCOME_H
#define HTTP_OUTCOME_H

#include "base/view.h"

enum outcome {
	OUTCOME_OK,
#define OUTCOME(NAME, status, code, title, detail) OUTCOME_##NAME,
#include "http/errors.def"
#undef OUTCOME
	OUTCOME_COUNT
};

struct outcome_row {
	int status;
	struct view code;
	struct view title;
	struct view detail;
};

/* The row of any outcome but OUTCOME_OK. */
const struct outcome_row *outcome_row(enum outcome outcome);

#endif
