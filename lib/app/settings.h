/* What settings must keep to beyond the rules of base/config.h, since they would start a program whose pages, paths or
 * operator are never let in.
 */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "base/config.h"

/* False: `error` holds one line that names the setting, never its value. */
CHECKED bool settings_check(const struct config *config, struct buf *error);

#endif
