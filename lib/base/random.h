/* Random bytes from the system. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/view.h"

/* Fills `out` by getrandom(2). False: the system has none to give. */
CHECKED bool random_bytes(void *out, size_t len);

#endif
