/* Where files lie, told by their paths. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/view.h"

/* True when `path` is `folder` or lies below it; both absolute, without "." and "..". */
bool path_is_within(struct view path, struct view folder);

/* True when `path`, whose links were followed, lies where a web server hands files
 * out. Links of `document_root` are followed here; one that can't be is compared as
 * it is written, and one longer than any path can be holds everything. ABSENT or
 * empty: not known. */
bool path_is_published(struct view path, struct view document_root);

#endif
