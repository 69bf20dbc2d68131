/* Live reload: secrets that changed in their files take the place of the old ones
 * between two requests, and a STATE_DIR that was removed is made anew.
 */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include "app/app.h"

/* Of app->refusal. */
enum { RELOAD_REFUSAL_MAX = 4096 };

/* To be called before each request: looks at the folder and at the files of the
 * settings, once a second at most. Files that are no good, or whose new database
 * can't be used, change nothing: app->refusal says why, and so does the log, once.
 * Other settings than secrets stay as they are. `now` is by clock_monotonic(). */
void reload(struct app *app, int64_t now);

#endif
