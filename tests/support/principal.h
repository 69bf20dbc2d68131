/* Principals for tests, made the one way there is: by the guard. */
#ifndef SUPPORT_PRINCIPAL_H
#define SUPPORT_PRINCIPAL_H

#include "auth/guard.h"

/* The proof that `user` was let into the own path. Lives as long as the test. */
const struct principal *principal_of(const char *user);

#endif
