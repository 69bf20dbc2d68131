/* The reader of URLs in settings. */
#include "base/url.h"

#include <arpa/inet.h>

enum { HTTP_PORT = 80, HTTPS_PORT = 443, PORT_MAX = 65535 };

static bool is_plain(struct view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '\\' || text.ptr[i] == '#')
			return false;
	return true;
}

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Four numbers of one to three digits, each at most 255. */
static bool is_ipv4(struct view host)
{
	unsigned int parts = 0;

	for (struct view rest = host; !view_is_absent(rest); parts++) {
		uint64_t number;

		if (!view_to_u64(view_cut(&rest, '.'), 255, &number))
			return false;
	}
	return parts == 4;
}

/* Is the last label one that others read as a part of an IPv4 address, decimal, octal or
 * hexadecimal, whatever stands before it (URL standard, "ends in a number")? */
static bool ends_in_number(struct view host)
{
	size_t start = host.len > 0 && host.ptr[host.len - 1] == '.' ? host.len - 1 : host.len;
	bool digits = true;

	for (host.len = start; start > 0 && host.ptr[start - 1] != '.'; start--)
		digits = digits && host.ptr[start - 1] >= '0' && host.ptr[start - 1] <= '9';
	struct view label = view_from(host, start);
	return label.len > 0 &&
	       (digits || view_equal_nocase((struct view){label.ptr, label.len < 2 ? 0 : 2}, VIEW("0x")));
}

/* An address is a name only where everybody reads it as the same one. */
static bool is_name(struct view host)
{
	for (size_t i = 0; i < host.len; i++)
		if (!is_alphanumeric(host.ptr[i]) && host.ptr[i] != '.' && host.ptr[i] != '-' && host.ptr[i] != '_')
			return false;
	return host.len > 0 && (!ends_in_number(host) || is_ipv4(host));
}

static bool is_ipv6(struct view host)
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];
	size_t len = host.len - 2;

	if (host.len < 4 || host.ptr[0] != '[' || host.ptr[host.len - 1] != ']' || len >= sizeof(text))
		return false;
	memcpy(text, host.ptr + 1, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* Takes "scheme://" off the front. */
static bool take_scheme(struct view *text, bool *ret_is_https)
{
	const struct view http = VIEW("http://");
	const struct view https = VIEW("https://");

	*ret_is_https = text->len > https.len && view_equal_nocase((struct view){text->ptr, https.len}, https);
	if (!*ret_is_https && !(text->len > http.len && view_equal_nocase((struct view){text->ptr, http.len}, http)))
		return false;
	*text = view_from(*text, *ret_is_https ? https.len : http.len);
	return true;
}

static struct view authority_of(struct view rest)
{
	size_t len = 0;

	while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
		len++;
	return (struct view){rest.ptr, len};
}

bool url_parse(struct view text, struct url *ret)
{
	struct url url = {0};
	struct view rest = text;
	struct view authority;
	struct view port;
	uint64_t number;
	size_t host_len;

	if (!is_plain(text) || !take_scheme(&rest, &url.is_https))
		return false;
	authority = authority_of(rest);
	host_len = authority.len > 0 && authority.ptr[0] == '[' ? view_find(authority, ']') + 1
	                                                        : view_find(authority, ':');
	if (host_len > authority.len)
		return false;
	url.host = (struct view){authority.ptr, host_len};
	if (!is_name(url.host) && !is_ipv6(url.host))
		return false;
	port = view_from(authority, host_len);
	number = url.is_https ? HTTPS_PORT : HTTP_PORT;
	if (port.len > 0 && (port.ptr[0] != ':' || !view_to_u64(view_from(port, 1), PORT_MAX, &number) || number == 0))
		return false;
	url.port = (uint16_t)number;
	*ret = url;
	return true;
}

bool url_is_loopback(const struct url *url)
{
	return view_equal_nocase(url->host, VIEW("localhost")) || view_equal(url->host, VIEW("[::1]")) ||
	       (view_starts(url->host, VIEW("127.")) && is_ipv4(url->host));
}

void url_write_origin(const struct url *url, struct buf *out)
{
	buf_add(out, url->is_https ? VIEW("https://") : VIEW("http://"));
	for (size_t i = 0; i < url->host.len; i++) {
		char c = url->host.ptr[i];

		buf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
	}
	if (url->port != (url->is_https ? HTTPS_PORT : HTTP_PORT)) {
		BUF_LIT(out, ":");
		buf_add_u64(out, url->port);
	}
}
