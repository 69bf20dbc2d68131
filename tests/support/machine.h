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

/* Gives this process such a machine: the files as they are, and a network of which
 * nothing but loopback is there. False: this user may not. */
CHECKED bool machine_enter(void);

/* Puts a file with that text in the place of one that is there. */
CHECKED bool machine_replace_file(const char *path, struct view text);

/* Gives the machine another IPv4 address. `number` tells its addresses apart. */
CHECKED bool machine_add_address(unsigned int number, const char *address);

/* Gives the user of this process a home in the password database. */
CHECKED bool machine_set_home(const char *home);

#endif
