/* Reads, cuts and writes addresses. */
#include "http/client.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { IPV4_BYTES = 4, IPV6_BYTES = 16, SUBSCRIBER_BYTES = 8 };
enum { IPV4_PREFIX = 24, IPV6_PREFIX = 48 };

struct client client_read(struct view text)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct client client = {.count = 0};
	char copy[INET6_ADDRSTRLEN];
	size_t len = view_find(text, '%');
	if (len == 0 || len >= sizeof copy)
		return client;
	memcpy(copy, text.ptr, len);
	copy[len] = '\0';
	if (strlen(copy) != len)
		return client;
	if (inet_pton(AF_INET, copy, client.bytes) == 1) {
		client.count = IPV4_BYTES;
	} else if (inet_pton(AF_INET6, copy, client.bytes) == 1) {
		client.count = IPV6_BYTES;
		if (memcmp(client.bytes, mapped, sizeof mapped) == 0) {
			memmove(client.bytes, client.bytes + sizeof mapped, IPV4_BYTES);
			client.count = IPV4_BYTES;
		}
	}
	return client;
}

struct view client_key(const struct client *client)
{
	return (struct view){(const char *)client->bytes,
	                     client->count < SUBSCRIBER_BYTES ? client->count : SUBSCRIBER_BYTES};
}

struct view client_text(const struct client *client, enum client_detail detail, char ret[CLIENT_TEXT_MAX])
{
	if (client->count == 0)
		return ABSENT;
	bool is_ipv4 = client->count == IPV4_BYTES;
	unsigned char bytes[IPV6_BYTES] = {0};
	char text[INET6_ADDRSTRLEN];
	int prefix = is_ipv4 ? IPV4_PREFIX : IPV6_PREFIX;
	memcpy(bytes, client->bytes, detail == CLIENT_FULL ? client->count : (size_t)prefix / 8);
	(void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, bytes, text, sizeof text);
	int len = detail == CLIENT_FULL ? snprintf(ret, CLIENT_TEXT_MAX, "%s", text)
	                                : snprintf(ret, CLIENT_TEXT_MAX, "%s/%d", text, prefix);
	return (struct view){ret, (size_t)len};
}
