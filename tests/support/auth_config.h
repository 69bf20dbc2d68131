/* Settings for tests: the defaults of config.def, without an environment or a file. */
#ifndef SUPPORT_AUTH_CONFIG_H
#define SUPPORT_AUTH_CONFIG_H

#include "base/config.h"

/* Every setting at its default. */
struct config auth_config(void);

#endif
