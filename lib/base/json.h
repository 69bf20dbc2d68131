/* Strict JSON: our gate in front of cJSON, and the tree in an arena.
 *
 * cJSON by itself takes trailing text, duplicate members, raw controls,
 * invalid UTF-8, numbers such as 01, and cuts a value at \u0000; the gate
 * refuses them all first (RFC 8259, RFC 7493 §2). All nodes lie in the arena:
 * nobody deletes one.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>

#include "base/arena.h"

enum json_error {
	JSON_OK,
	JSON_MALFORMED,   /* not JSON, not UTF-8, trailing text, \u0000, a lone surrogate, a non-finite number */
	JSON_DUPLICATE,   /* two members of one name in one object */
	JSON_TOO_COMPLEX, /* deeper than JSON_MAX_DEPTH, more than JSON_MAX_MEMBERS in an object, a number of over 63
	                     characters */
	JSON_NO_MEMORY,   /* the arena's limit */
};

enum { JSON_MAX_DEPTH = 16, JSON_MAX_MEMBERS = 256 };

/* Parses one whole JSON text, which needs no terminating NUL. *ret lives in the
 * arena; what a failed call took of it stays taken until the reset. */
CHECKED enum json_error json_parse(struct arena *arena, struct view text, const cJSON **ret);

/* The member of that exact name, or NULL. `object` may be NULL or no object. */
const cJSON *json_member(const cJSON *object, const char *name);

/* A view of a string node; ABSENT for NULL and for every other kind of node. */
struct view json_text(const cJSON *node);

/* A view of the string member of that exact name; ABSENT when missing or no string. */
struct view json_member_text(const cJSON *object, const char *name);

/* A whole number from -(2^53)+1 to (2^53)-1, where each has a double of its own
 * (RFC 7493 §2.2). False: another kind, fraction or range. */
CHECKED bool json_to_integer(const cJSON *node, int64_t *ret);

#endif
