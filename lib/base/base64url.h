/* base64url without padding, strictly (RFC 4648 §5, RFC 7515 §2). */
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

#include "base/view.h"

/* Decoded length of `len` characters; only an upper bound for invalid input. */
#define BASE64URL_DECODED(len) ((len) / 4 * 3 + ((len) % 4 * 3) / 4)
/* Encoded length of `len` bytes. */
#define BASE64URL_ENCODED(len) ((len) / 3 * 4 + ((len) % 3 * 4 + 2) / 3)

/* Decodes into `out`, which has room for BASE64URL_DECODED(text.len) bytes.
 * Refuses padding, white space, characters outside the alphabet, a length of
 * 4n+1 and last bits that are not zero: exactly one text decodes to one value. */
CHECKED bool base64url_decode(struct view text, unsigned char *out, size_t *ret_len);

/* Encodes into `out`, which has room for BASE64URL_ENCODED(len) characters; no NUL. */
size_t base64url_encode(const unsigned char *bytes, size_t len, char *out);

#endif
