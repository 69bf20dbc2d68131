/* STATE_DIR: the folder for what the processes of one machine share, and safe files in it.
 *
 * It belongs to the process's user and nobody else may enter it. Files in it are
 * reached through its descriptor only, never through links, and are replaced by
 * rename, so a reader sees a whole file or none.
 */
#ifndef BASE_STATE_DIR_H
#define BASE_STATE_DIR_H

#include "base/buf.h"
#include "base/view.h"

/* Opens the folder of that absolute path; its last part is made (0700) when it is
 * not there. Empty: .local/state/todo-fcgi below the home that the password
 * database gives, every part made as needed. Refused: another owner, rights for
 * others, a link, a place below /tmp, /var/tmp, /dev/shm or `document_root`
 * (ABSENT: not known); one that was made for it does not stay. On failure `error`
 * holds one line that names STATE_DIR. The caller closes *ret. */
CHECKED bool state_dir_open(struct view path, struct view document_root, int *ret, struct buf *error);

/* Has the folder been removed? Then it is opened, and made, anew as above, and takes the
 * old one's place behind the same descriptor. True: it did. Where that can't be done,
 * everything stays as it is. */
CHECKED bool state_dir_renew(struct view path, struct view document_root, int dir);

/* Appends the whole file to *ret, whose maximum bounds it. False: not there, not
 * a plain file of our own that only we can touch, or too large. */
CHECKED bool state_file_read(int dir, const char *name, struct buf *ret);

/* Replaces the file's contents as a whole, mode 0600. */
CHECKED bool state_file_replace(int dir, const char *name, struct view contents);

/* Replaces the file by one of `size` bytes that the disk really has: `contents`, then
 * zeros. A disk without that room is false here, and no fault of a later write. */
CHECKED bool state_file_allocate(int dir, const char *name, struct view contents, size_t size);

/* Opens the file for reading and writing. -1: not there, or not a plain file of
 * our own that only we can touch. The caller closes it. */
CHECKED int state_file_open(int dir, const char *name);

/* Opens the file as a lock that one process on the machine can hold, waiting
 * until `deadline` (clock_monotonic(); 0: not at all). *ret_fd may be read and
 * written while it is held; closing it lets go. */
enum state_lock { STATE_LOCKED, STATE_LOCK_BUSY, STATE_LOCK_FAILED };
CHECKED enum state_lock state_file_lock(int dir, const char *name, int64_t deadline, int *ret_fd);

#endif
