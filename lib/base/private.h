/* Files with secrets: read only if nobody else could have read or written them. */
#ifndef BASE_PRIVATE_H
#define BASE_PRIVATE_H

#include "base/arena.h"

enum private_error {
	PRIVATE_OK,
	PRIVATE_MISSING,    /* no such file */
	PRIVATE_UNREADABLE, /* it can't be opened or read, or is no regular file */
	PRIVATE_OWNER,      /* it belongs to neither this process's user nor root */
	PRIVATE_MODE,       /* others may read or write it */
	PRIVATE_PUBLIC,     /* it lies below the document root */
	PRIVATE_TOO_LARGE,  /* over the caller's limit, or the arena's */
};

/* Reads a whole file of at most `max` bytes. Its owner is the process's user or
 * root. Nobody else has any access, but a group may read what belongs to root
 * (mode 0640). Neither the path, once the links in its folders are followed,
 * nor the file that it leads to lies below `document_root` (ABSENT: not
 * checked). The text lives in the arena, may be rewritten, and has a NUL
 * behind it. */
CHECKED enum private_error private_read(struct arena *arena, const char *path, struct view document_root, size_t max,
                                        char **ret, size_t *ret_len);

/* What the error is, to follow "the file ". */
const char *private_error_text(enum private_error error);

#endif
