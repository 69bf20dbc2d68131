/* The client's address: what is taken the resolver takes as a number too, and it comes
 * back when written. */
#include "http/client.h"

#include <netdb.h>
#include <netinet/in.h>

#include "fuzz/fuzz.h"

static void second_agrees(const struct client *client, struct view text)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *info;
	HOLDS(getaddrinfo(fuzz_string((struct view){text.ptr, view_find(text, '%')}), NULL, &hints, &info) == 0);
	if (info->ai_family == AF_INET) {
		const struct sockaddr_in *address = (const void *)info->ai_addr;
		HOLDS(client->count == 4 && memcmp(client->bytes, &address->sin_addr, 4) == 0);
	} else {
		const struct in6_addr *address = &((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr;
		bool mapped = IN6_IS_ADDR_V4MAPPED(address);
		HOLDS(client->count == (mapped ? 4 : 16));
		HOLDS(memcmp(client->bytes, address->s6_addr + (mapped ? 12 : 0), client->count) == 0);
	}
	freeaddrinfo(info);
}

void fuzz_one(struct view input)
{
	char full[CLIENT_TEXT_MAX];
	char prefix[CLIENT_TEXT_MAX];
	struct client client = client_read(input);
	struct view text = client_text(&client, CLIENT_FULL, full);
	HOLDS(view_is_absent(text) == (client.count == 0));
	HOLDS(client_key(&client).len == (client.count == 16 ? 8 : client.count));
	if (view_is_absent(text))
		return;
	second_agrees(&client, input);
	struct client again = client_read(text);
	HOLDS(again.count == client.count && memcmp(again.bytes, client.bytes, client.count) == 0);
	HOLDS(client_text(&client, CLIENT_PREFIX, prefix).len > 0);
}
