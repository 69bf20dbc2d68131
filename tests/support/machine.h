/* A machine of the test's own, as far as a test needs one: system files and the
 * network are replaced for this process and for whatever it starts, by namespaces
 * of the kernel (namespaces(7)). Nobody else sees it, and nothing is left of it.
 *
 * It takes root: a user namespace would let others have one too, but not a process
 * with two threads, which every test of Criterion's is (unshare(2)).
 */
#ifndef SUPPORT_MACHINE_H
#define SUPPORT_MACHINE_H

#include "base/view.h"

/* Gives this process files of its own, the same at first. False: this user may not. */
CHECKED bool machine_own_files(void);

/* Gives this process a network of its own, of which only loopback is there. False:
 * this user may not. */
CHECKED bool machine_own_network(void);

/* Puts a file with that text in the place of one that is there; the files are own
 * ones. */
CHECKED bool machine_replace_file(const char *path, struct view text);

/* Gives the own network another IPv4 address. `number` tells its addresses apart. */
CHECKED bool machine_add_address(unsigned int number, const char *address);

/* Gives the user of this process that home in the password database; the files are
 * own ones. */
CHECKED bool machine_set_home(const char *home);

#endif
