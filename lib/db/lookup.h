/* Names of database hosts to addresses, within a deadline.
 *
 * getaddrinfo(3) can't be given one: a resolver that does not answer holds it for
 * some seconds a server, attempt and search domain. So it runs in a process of its
 * own, which is ended when time is up; libpq then gets numbers.
 */
#ifndef DB_LOOKUP_H
#define DB_LOOKUP_H

#include "base/buf.h"
#include "db/address.h"

/* The options host, hostaddr and port with a place in their lists for each address
 * of each host. Views end in a NUL. */
struct lookup {
	struct buf text; /* of the views */
	struct view host;
	struct view hostaddr;
	struct view port;
};

enum lookup_end {
	LOOKUP_NEEDLESS, /* no host of it is a name: libpq takes the address as it is */
	LOOKUP_DONE,     /* at least one host is known; those that are not are left out */
	LOOKUP_FAILED,   /* no host is known, or no process can be had */
	LOOKUP_LATE,     /* the deadline has passed, by clock_monotonic() */
};

/* After LOOKUP_DONE *ret is the caller's, for lookup_destroy(). */
CHECKED enum lookup_end lookup_hosts(const struct address *address, int64_t deadline, struct lookup *ret);
void lookup_destroy(struct lookup *lookup);

#endif
