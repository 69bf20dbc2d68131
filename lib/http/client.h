/* The client's address, from REMOTE_ADDR alone: what a header says of it is
 * anybody's word.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/view.h"

/* One network address; IPv4 in IPv6 (::ffff:192.0.2.1) is IPv4. */
struct client {
	unsigned char bytes[16];
	size_t count; /* 4, 16, or 0: not known */
};

/* Reads REMOTE_ADDR (RFC 3875 §4.1.8); a zone (%eth0) is left out. Anything else,
 * ABSENT too, is not known. */
struct client client_read(struct view text);

/* The part of the address that limits count by: all of IPv4; the /64 of IPv6,
 * which is what one subscriber has (RFC 6177). */
struct view client_key(const struct client *client);

enum client_detail { CLIENT_FULL, CLIENT_PREFIX };
enum { CLIENT_TEXT_MAX = 64 };

/* The address as text (RFC 5952), or with CLIENT_PREFIX its /24 or /48:
 * "192.0.2.0/24". ABSENT: not known. The view points into `ret`, and has a NUL behind it. */
struct view client_text(const struct client *client, enum client_detail detail, char ret[CLIENT_TEXT_MAX]);

#endif
