/* One GET by HTTP for a key set: bounded, without redirects, blind to the environment. */
#ifndef AUTH_FETCH_H
#define AUTH_FETCH_H

#include "base/buf.h"
#include "base/view.h"

/* Strings end in NUL. */
struct fetch_options {
	const char *url;
	const char *proxy;   /* "": none, whatever the environment says */
	const char *ca_file; /* the only certificates that vouch for the host */
	bool loopback_only;  /* plain http, and only if the address connected to is a loopback one */
	int64_t timeout;     /* microseconds for the whole of it */
};

/* Must be called once before fetch(), and fetch_stop() after the last. */
CHECKED bool fetch_start(void);
void fetch_stop(void);

/* Appends the body to *ret, whose maximum bounds it. NULL: the answer was a 200
 * and is whole. Otherwise what went wrong, in words that live as long as the
 * process; *ret is then not to be used. No netrc, no cookies, no credentials. */
CHECKED const char *fetch(const struct fetch_options *options, struct buf *ret);

/* Removes the variables by which the environment would steer an HTTP client
 * (HTTP_PROXY, which under CGI a request header can set, and its like). A
 * program calls it first of all. */
void fetch_drop_environment(void);

#endif
