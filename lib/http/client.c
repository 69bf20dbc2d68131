/* Reads, cuts and writes addresses. */
#include "http/client.h"

#include <arpa/inet.h>

enum { IPV4_BYTES = 4, IPV6_BYTES = 16, SUBSCRIBER_BYTES = 8 };

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
	bool is_full = detail == CLIENT_FULL;
	size_t told = is_full ? client->count : is_ipv4 ? 24 / 8 : 48 / 8;
	struct view suffix = is_full ? VIEW("") : is_ipv4 ? VIEW("/24") : VIEW("/48");
	unsigned char bytes[IPV6_BYTES] = {0};
	memcpy(bytes, client->bytes, told);
	(void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, bytes, ret, INET6_ADDRSTRLEN);
	size_t len = strlen(ret);
	memcpy(ret + len, suffix.ptr, suffix.len + 1);
	return (struct view){ret, len + suffix.len};
}
