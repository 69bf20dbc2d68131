/* Percent-encoding (RFC 3986 §2.1). */
#ifndef BASE_PERCENT_H
#define BASE_PERCENT_H

#include "base/buf.h"

/* Decodes once into `out`, which has room for text.len bytes; with `form`, "+" is
 * a space. *ret is never ABSENT. False: a "%" without two hexadecimal digits. */
CHECKED bool percent_decode(struct view text, bool form, char *out, struct view *ret);

/* Appends the text; every byte but the unreserved ones (RFC 3986 §2.3) encoded. */
void percent_encode(struct buf *out, struct view text);

#endif
