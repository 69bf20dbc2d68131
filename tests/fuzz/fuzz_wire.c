/* FastCGI records: whatever a peer sends, what comes back is FastCGI, parameters
 * are what they are when sent anew in one piece, and a body that ends has ended. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/wire.h"
#include "base/clock.h"
#include "fuzz/fuzz.h"

/* For a peer that sends more questions than its socket holds answers: it reads none until the end. */
#define PATIENCE (CLOCK_SECOND / 100)

enum { SOCKET_HOLDS = 64 * 1024, BEGIN = 1, END = 3, PARAMS = 4, STDOUT = 6, VALUES = 10, UNKNOWN = 11 };

/* A new connection on which that was sent and nothing more will come. */
static void connection(struct view bytes, int pair[2])
{
	const int room = 8 * SOCKET_HOLDS;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
	    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) != 0)
		abort();
	HOLDS(write(pair[1], bytes.ptr, bytes.len) == (ssize_t)bytes.len);
	shutdown(pair[1], SHUT_WR);
}

/* Only answers to requests that are none of ours and their ends, values, and types not known. */
static void answers_are_records(int peer)
{
	unsigned char header[8];
	char content[256];
	while (recv(peer, header, sizeof header, MSG_DONTWAIT | MSG_WAITALL) == sizeof header) {
		size_t len = (size_t)header[4] << 8 | header[5];
		bool ours = (header[2] << 8 | header[3]) == 0;
		bool of_request = header[1] == STDOUT || header[1] == END;
		HOLDS(header[0] == 1 && (of_request || header[1] == VALUES || header[1] == UNKNOWN));
		HOLDS(ours != of_request && len + header[6] <= sizeof content);
		len += header[6];
		HOLDS(len == 0 || recv(peer, content, len, MSG_DONTWAIT | MSG_WAITALL) == (ssize_t)len);
	}
}

static void add(struct buf *out, int type, struct view content)
{
	const char header[] = {1, (char)type, 0, 1, (char)(content.len >> 8), (char)content.len, 0, 0};
	buf_add(out, (struct view){header, sizeof header});
	buf_add(out, content);
}

static void comes_back(const struct wire *first)
{
	static struct wire again;
	int pair[2];
	struct buf anew = buf_make(4 * SOCKET_HOLDS);
	add(&anew, BEGIN, VIEW("\0\1\0\0\0\0\0\0"));
	for (struct view rest = buf_view(&first->parameters); rest.len > 0;) {
		struct view piece = {rest.ptr, rest.len < 4096 ? rest.len : 4096};
		add(&anew, PARAMS, piece);
		rest = view_from(rest, piece.len);
	}
	add(&anew, PARAMS, VIEW(""));
	connection(buf_view(&anew), pair);
	wire_init(&again, WIRE_RESPONDER);
	HOLDS(wire_begin(&again, pair[0], CLOCK_SECOND, NULL));
	HOLDS(view_equal(buf_view(&again.parameters), buf_view(&first->parameters)));
	struct view value = wire_parameter(first, VIEW("REQUEST_URI"));
	struct view other = wire_parameter(&again, VIEW("REQUEST_URI"));
	HOLDS(view_equal(value, other) && view_is_absent(value) == view_is_absent(other));
	wire_end(&again);
	wire_destroy(&again);
	buf_destroy(&anew);
	close(pair[0]);
	close(pair[1]);
}

void fuzz_one(struct view input)
{
	static struct wire wire;
	int pair[2];
	char piece[100];
	size_t len = 1;
	if (input.len > SOCKET_HOLDS)
		return;
	connection(input, pair);
	wire_init(&wire, WIRE_RESPONDER);
	if (wire_begin(&wire, pair[0], PATIENCE, NULL)) {
		comes_back(&wire);
		bool good = true;
		while (good && len > 0)
			good = wire_read(&wire, piece, sizeof piece, &len);
		HOLDS(!good || (wire_read(&wire, piece, sizeof piece, &len) && len == 0));
	}
	answers_are_records(pair[1]);
	wire_end(&wire);
	wire_destroy(&wire);
	close(pair[0]);
	close(pair[1]);
}
