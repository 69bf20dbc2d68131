/* Folders for tests: private, and outside of the places where everybody may write. */
#ifndef SUPPORT_AUTH_FOLDER_H
#define SUPPORT_AUTH_FOLDER_H

#include "base/view.h"

enum { AUTH_FOLDER_PATH = 512 };

struct auth_folder {
	char path[AUTH_FOLDER_PATH];
	int fd;
};

/* A new empty folder, 0700. Below build/ of the working folder or, when that lies
 * below /tmp, below the user's home. */
struct auth_folder auth_folder_make(void);

/* Removes it with all that is in it. */
void auth_folder_remove(struct auth_folder *folder);

/* Writes a file in it with that mode, and gives its path (until the next call). */
const char *auth_folder_write(const struct auth_folder *folder, const char *name, struct view contents,
                              unsigned int mode);

#endif
