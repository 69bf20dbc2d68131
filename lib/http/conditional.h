/* Conditional requests: entity tags and what they ask for (RFC 9110 §8.8.3, §13). */
#ifndef HTTP_CONDITIONAL_H
#define HTTP_CONDITIONAL_H

#include "base/view.h"

enum { ETAGS_MAX = 16 };

/* The value of If-Match or If-None-Match. */
struct etags {
	bool any; /* "*" */
	size_t count;
	struct etag {
		struct view opaque; /* between the quotes, without what a web server's compression added */
		bool weak;
	} tags[ETAGS_MAX];
};

/* Reads a field's value. False: malformed, or more than ETAGS_MAX tags. */
CHECKED bool etags_read(struct view field, struct etags *ret);

/* Weak comparison (RFC 9110 §8.8.3.2): is `opaque` among them? */
bool etags_match_weakly(const struct etags *etags, struct view opaque);

/* Strong comparison: the same, and neither is weak. */
bool etags_match_strongly(const struct etags *etags, struct view opaque);

/* Does a client that sent this Accept field take JSON (RFC 9110 §12.5.1)? ABSENT
 * does. A malformed range is passed over, as if it had not been sent. */
bool accept_takes_json(struct view field);

#endif
