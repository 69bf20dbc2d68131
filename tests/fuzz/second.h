/* Second opinions: parsers of other people, to hold ours against. None of them
 * shares a line with lib/. */
#ifndef FUZZ_SECOND_H
#define FUZZ_SECOND_H

#include <jansson.h>

#include "base/buf.h"
#include "base/json.h"

/* Jansson's reading of one whole strict JSON text without duplicate members; NULL:
 * it is none. Given back by json_decref(). */
json_t *second_json(struct view text);

/* Does our tree say the same as Jansson's, member by member? */
bool second_json_equal(const cJSON *ours, json_t *theirs);

/* Is it UTF-8 to Jansson? */
bool second_utf8(struct view text);

/* The characters of valid UTF-8, by the lengths that their first bytes announce (RFC 3629 §3). */
size_t second_count(struct view text);

/* Jansson's string; ABSENT: it is none. */
struct view second_text(json_t *node);

/* Does the whole text fit the extended regular expression (regex.h)? `pattern` is a literal. */
bool second_matches(struct view text, const char *pattern);

/* libsodium's reading of base64url without padding. `out` has room for text.len bytes. */
bool second_base64url(struct view text, unsigned char *out, size_t *ret_len);

/* Percent-decoded by libcurl, in the arena. */
struct view second_unescape(struct view text);

/* The origin of a URL by libcurl, in lower case and without the scheme's own port. False: no URL. */
bool second_origin(struct view url, struct buf *out);

#endif
