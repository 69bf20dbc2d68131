/* The claims of a verified token that the program uses. */
#ifndef AUTH_CLAIMS_H
#define AUTH_CLAIMS_H

#include "base/view.h"

struct claims {
	struct view subject;  /* 1..255 bytes, no control characters, not blank */
	struct view email;    /* ABSENT when the token has none */
	struct view name;     /* ABSENT when the token has none */
	int64_t expires_at;   /* microseconds since 1970 */
	int64_t issued_at;    /* the same; CLAIMS_NO_TIME when the token has none */
};

#define CLAIMS_NO_TIME INT64_MIN

#endif
