/* URLs of settings: http and https, strictly. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include "base/buf.h"
#include "base/view.h"

struct url {
	bool is_https;
	struct view host; /* as written; an IPv6 address with its brackets */
	uint16_t port;    /* the scheme's own when none is written */
};

/* Reads an absolute http or https URL (RFC 3986 §4.3). Refused: user names, a
 * fragment, controls, spaces, bytes above 0x7e, backslashes, an empty host,
 * hosts of other characters than letters, digits, "-", "_" and ".", and those
 * that end in a number without being an IPv4 address of four decimal numbers,
 * since others read 127.1 and 0x7f000001 as one too. The view points into `text`. */
CHECKED bool url_parse(struct view text, struct url *ret);

/* True for localhost, a dotted 127.x.y.z and [::1]: nothing else, since any
 * other name may mean another machine tomorrow. */
bool url_is_loopback(const struct url *url);

/* Writes the origin as browsers do (RFC 6454 §6.2): lower case, no default port. */
void url_write_origin(const struct url *url, struct buf *out);

#endif
