/* UTF-8: is it valid, and how many characters (code points) is it. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/view.h"

/* Well-formed UTF-8 (RFC 3629 §4): no overlong forms, surrogates or values
 * above U+10FFFF. */
CHECKED bool utf8_valid(struct view text);

/* The number of code points in valid UTF-8. */
size_t utf8_count(struct view text);

/* Without white space (Unicode White_Space, in UTF-8) at both ends. */
struct view utf8_trim(struct view text);

#endif
