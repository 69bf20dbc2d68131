/* Values in PostgreSQL's binary format (the send functions of its types). */
#ifndef DB_VALUE_H
#define DB_VALUE_H

#include "base/view.h"

/* A boolean. False: not one byte of 0 or 1. */
CHECKED bool value_to_bool(struct view value, bool *ret);

/* An integer (int4). False: not four bytes. */
CHECKED bool value_to_int32(struct view value, int32_t *ret);

/* A bigint (int8). False: not eight bytes. */
CHECKED bool value_to_int64(struct view value, int64_t *ret);

/* A timestamptz as microseconds since 1970. False: not eight bytes, infinity,
 * or outside the years 0001 to 9999 that RFC 3339 can say. */
CHECKED bool value_to_instant(struct view value, int64_t *ret);

/* A uuid as 36 lower-case characters and a NUL. False: not 16 bytes. */
CHECKED bool value_to_uuid(struct view value, char ret[37]);

/* Walks a one-dimensional text[] without NULLs. */
struct value_array {
	struct view rest;
	size_t left; /* elements not taken yet */
};

/* False: another shape. */
CHECKED bool value_to_array(struct view value, struct value_array *ret);
/* Takes the next element; call it `left` times. False: the value is cut short. */
CHECKED bool value_array_next(struct value_array *array, struct view *ret);

#endif
