/* FastCGI records: read, judged, written. */
#include "app/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"

/* §8 */
enum { VERSION = 1, MANAGEMENT = 0, BODY = 8 };
enum type {
	BEGIN_REQUEST = 1,
	END_REQUEST = 3,
	PARAMS = 4,
	STDIN = 5,
	STDOUT = 6,
	GET_VALUES = 9,
	GET_VALUES_RESULT = 10,
	UNKNOWN_TYPE = 11,
};
enum status { COMPLETE = 0, CANNOT_MULTIPLEX = 1, UNKNOWN_ROLE = 3 };

/* All that can be asked for, and the answer, take less. */
enum { MANAGEMENT_MAX = 1024, ANSWER_MAX = 64 };

_Static_assert(WIRE_HEADER == 8 && BODY == 8, "the specification's sizes");

void wire_init(struct wire *wire, enum wire_role role)
{
	wire->role = role;
	wire->parameters = buf_make(WIRE_PARAMETERS_MAX);
	wire->in_wipe = 0;
	wire->out_wipe = 0;
}

void wire_destroy(struct wire *wire)
{
	buf_destroy(&wire->parameters);
}

/* ---- waiting ---- */

/* Waits until the peer can be read or written, at the expense of *left. */
static bool wait_for(const struct wire *wire, short events, int64_t *left, const struct wire_stop *stop)
{
	struct pollfd polled = {.fd = wire->fd, .events = events};
	int count = 0;
	while (count == 0 && *left > 0) {
		if (stop && *stop->wanted && *left > WIRE_STOP_TIME)
			*left = WIRE_STOP_TIME;
		int64_t began = clock_monotonic();
		const struct timespec time = {*left / CLOCK_SECOND, (*left % CLOCK_SECOND) * 1000};
		count = ppoll(&polled, 1, &time, stop ? stop->open : NULL);
		*left -= clock_monotonic() - began;
		if (count < 0 && errno == EINTR)
			count = 0;
	}
	return count > 0;
}

/* ---- receiving ---- */

static bool fill(struct wire *wire, const struct wire_stop *stop)
{
	ssize_t got = -1;
	/* Nor does it matter what it speaks of: answers to its questions are at its expense. */
	if (wire->received > 0)
		wire->receiving -= clock_monotonic() - wire->received;
	while (got < 0 && wire->receiving > 0) {
		int64_t began = clock_monotonic();
		got = recv(wire->fd, wire->in, sizeof wire->in, MSG_DONTWAIT);
		wire->received = clock_monotonic();
		/* One who never stops speaking holds us as one who never speaks. */
		wire->receiving -= wire->received - began;
		if (got < 0 && errno != EINTR && (errno != EAGAIN || !wait_for(wire, POLLIN, &wire->receiving, stop)))
			return false;
	}
	if (got <= 0)
		return false;
	wire->in_at = 0;
	wire->in_len = (size_t)got;
	if (wire->in_wipe < wire->in_len)
		wire->in_wipe = wire->in_len;
	return true;
}

/* What has come, at least one byte and at most `size`; `out` NULL: forget it. */
static bool take_some(struct wire *wire, char *out, size_t size, const struct wire_stop *stop, size_t *ret)
{
	if (wire->in_at == wire->in_len && !fill(wire, stop))
		return false;
	size_t len = wire->in_len - wire->in_at;
	if (len > size)
		len = size;
	if (out)
		memcpy(out, wire->in + wire->in_at, len);
	wire->in_at += len;
	*ret = len;
	return true;
}

static bool take(struct wire *wire, char *out, size_t size, const struct wire_stop *stop)
{
	for (size_t len; size > 0; size -= len) {
		if (!take_some(wire, out, size, stop, &len))
			return false;
		out = out ? out + len : NULL;
	}
	return true;
}

/* ---- sending ---- */

static bool send_all(struct wire *wire, struct view bytes)
{
	while (bytes.len > 0 && !wire->cut) {
		ssize_t sent = send(wire->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent >= 0) {
			wire->sending += sent * CLOCK_SECOND / WIRE_SEND_RATE;
			if (wire->sending > wire->timeout)
				wire->sending = wire->timeout;
			bytes = view_from(bytes, (size_t)sent);
		} else if (errno != EINTR && (errno != EAGAIN || !wait_for(wire, POLLOUT, &wire->sending, NULL))) {
			wire->cut = true;
		}
	}
	return !wire->cut;
}

static void header_write(char *out, enum type type, unsigned int request, size_t content, size_t padding)
{
	const unsigned char header[WIRE_HEADER] = {
	        VERSION,
	        (unsigned char)type,
	        (unsigned char)(request >> 8),
	        (unsigned char)request,
	        (unsigned char)(content >> 8),
	        (unsigned char)content,
	        (unsigned char)padding,
	        0,
	};
	memcpy(out, header, sizeof header);
}

static void end_write(char *out, unsigned int request, enum status status)
{
	const char body[BODY] = {0, 0, 0, 0, (char)status};
	header_write(out, END_REQUEST, request, sizeof body, 0);
	memcpy(out + WIRE_HEADER, body, sizeof body);
}

static bool end_send(struct wire *wire, unsigned int request, enum status status)
{
	char record[WIRE_HEADER + BODY];
	end_write(record, request, status);
	return send_all(wire, (struct view){record, sizeof record});
}

/* Completes the record that is being filled: its header and padding. *ret: its length. */
static void record_close(struct wire *wire, size_t *ret)
{
	size_t padding = (8 - wire->out_len % 8) % 8;
	header_write(wire->out, STDOUT, wire->request, wire->out_len, padding);
	memset(wire->out + WIRE_HEADER + wire->out_len, 0, padding);
	*ret = WIRE_HEADER + wire->out_len + padding;
	if (wire->out_wipe < *ret)
		wire->out_wipe = *ret;
	wire->out_len = 0;
}

bool wire_write(struct wire *wire, struct view bytes)
{
	wire->answered = true;
	while (bytes.len > 0 && !wire->cut) {
		size_t room = WIRE_RECORD_MAX - wire->out_len;
		size_t len = bytes.len < room ? bytes.len : room;
		memcpy(wire->out + WIRE_HEADER + wire->out_len, bytes.ptr, len);
		wire->out_len += len;
		bytes = view_from(bytes, len);
		if (wire->out_len == WIRE_RECORD_MAX) {
			size_t size;
			record_close(wire, &size);
			(void)send_all(wire, (struct view){wire->out, size});
		}
	}
	return !wire->cut;
}

static void finish(struct wire *wire, enum status status)
{
	size_t size = 0;
	if (wire->out_len > 0)
		record_close(wire, &size);
	header_write(wire->out + size, STDOUT, wire->request, 0, 0);
	end_write(wire->out + size + WIRE_HEADER, wire->request, status);
	(void)send_all(wire, (struct view){wire->out, size + 2 * WIRE_HEADER + BODY});
}

void wire_finish(struct wire *wire)
{
	if (wire->answered)
		finish(wire, COMPLETE);
}

/* ---- names and values (§3.4) ---- */

static bool length_take(struct view *rest, size_t *ret)
{
	const unsigned char *at = (const unsigned char *)rest->ptr;
	if (rest->len < 1)
		return false;
	size_t size = at[0] < 128 ? 1 : 4;
	if (rest->len < size)
		return false;
	*ret = size == 1 ? at[0] : (size_t)(at[0] & 127) << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
	*rest = view_from(*rest, size);
	return true;
}

static bool pair_take(struct view *rest, struct wire_pair *pair)
{
	size_t name_len;
	size_t value_len;
	if (!length_take(rest, &name_len) || !length_take(rest, &value_len) || name_len > rest->len ||
	    value_len > rest->len - name_len)
		return false;
	pair->name = (struct view){rest->ptr, name_len};
	pair->value = (struct view){rest->ptr + name_len, value_len};
	*rest = view_from(*rest, name_len + value_len);
	return true;
}

/* A request asks for two dozen names: what most requests send is taken apart once. */
static bool parameters_index(struct wire *wire)
{
	struct view rest = buf_view(&wire->parameters);
	struct wire_pair pair;
	for (wire->indexed = 0; rest.len > 0 && wire->indexed < WIRE_INDEX; wire->indexed++)
		if (!pair_take(&rest, &wire->index[wire->indexed]))
			return false;
	wire->unindexed = rest;
	while (rest.len > 0)
		if (!pair_take(&rest, &pair))
			return false;
	return true;
}

struct view wire_parameter(const struct wire *wire, struct view name)
{
	struct view rest = wire->unindexed;
	struct wire_pair pair;
	for (size_t i = 0; i < wire->indexed; i++)
		if (view_equal(wire->index[i].name, name))
			return wire->index[i].value;
	while (rest.len > 0 && pair_take(&rest, &pair))
		if (view_equal(pair.name, name))
			return pair.value;
	return ABSENT;
}

/* ---- records that are no part of the request ---- */

/* §4.1: what a web server may want to know, each told once however often it asks. */
static bool values_answer(struct wire *wire, struct view rest)
{
	static const struct {
		struct view name;
		char value;
	} known[] = {{VIEW("FCGI_MAX_CONNS"), '1'}, {VIEW("FCGI_MAX_REQS"), '1'}, {VIEW("FCGI_MPXS_CONNS"), '0'}};
	bool asked[sizeof known / sizeof *known] = {false};
	struct wire_pair pair;
	char answer[ANSWER_MAX];
	size_t len = WIRE_HEADER;
	while (rest.len > 0) {
		if (!pair_take(&rest, &pair))
			return false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			asked[i] = asked[i] || view_equal(pair.name, known[i].name);
	}
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!asked[i])
			continue;
		answer[len++] = (char)known[i].name.len;
		answer[len++] = 1;
		memcpy(answer + len, known[i].name.ptr, known[i].name.len);
		len += known[i].name.len;
		answer[len++] = known[i].value;
	}
	header_write(answer, GET_VALUES_RESULT, MANAGEMENT, len - WIRE_HEADER, 0);
	return send_all(wire, (struct view){answer, len});
}

static bool management_answer(struct wire *wire, unsigned char type, const struct wire_stop *stop)
{
	char content[MANAGEMENT_MAX];
	char answer[WIRE_HEADER + BODY] = {0};
	size_t len = wire->content;
	if (len > sizeof content || !take(wire, content, len, stop))
		return false;
	wire->content = 0;
	if (type == GET_VALUES)
		return values_answer(wire, (struct view){content, len});
	header_write(answer, UNKNOWN_TYPE, MANAGEMENT, BODY, 0);
	answer[WIRE_HEADER] = (char)type;
	return send_all(wire, (struct view){answer, sizeof answer});
}

/* The end alone would say it (§5.5); but see wire_finish(). */
static void role_refuse(struct wire *wire, unsigned int request)
{
	wire->request = request;
	if (wire_write(wire, VIEW("Status: 500 Internal Server Error\r\n\r\n")))
		finish(wire, UNKNOWN_ROLE);
}

static bool request_begin(struct wire *wire, unsigned int request, const struct wire_stop *stop)
{
	unsigned char body[BODY];
	if (request == MANAGEMENT || wire->content != BODY || (wire->begun && request == wire->request) ||
	    !take(wire, (char *)body, sizeof body, stop))
		return false;
	wire->content = 0;
	if (wire->begun)
		return end_send(wire, request, CANNOT_MULTIPLEX);
	if ((body[0] << 8 | body[1]) != (int)wire->role) {
		role_refuse(wire, request);
		return false;
	}
	wire->begun = true;
	wire->request = request;
	return true;
}

/* ---- the request's own streams ---- */

/* Goes to the next record of this request, answering or skipping what is none
 * (§3.3: ids that are not active). */
static bool record_next(struct wire *wire, const struct wire_stop *stop, unsigned char *ret_type)
{
	unsigned char header[WIRE_HEADER];
	for (;;) {
		if (!take(wire, NULL, wire->content + wire->padding, stop) ||
		    !take(wire, (char *)header, sizeof header, stop) || header[0] != VERSION)
			return false;
		unsigned int request = (unsigned int)header[2] << 8 | header[3];
		wire->content = (size_t)header[4] << 8 | header[5];
		wire->padding = header[6];
		bool good = true;
		if (header[1] == BEGIN_REQUEST) {
			good = request_begin(wire, request, stop);
		} else if (request == MANAGEMENT) {
			good = management_answer(wire, header[1], stop);
		} else if (wire->begun && request == wire->request) {
			*ret_type = header[1];
			return true;
		}
		if (!good)
			return false;
	}
}

/* True at the end of the parameters. An abort ends the request as any other
 * record does that has no place here. */
static bool parameters_read(struct wire *wire, const struct wire_stop *stop)
{
	unsigned char type;
	while (record_next(wire, stop, &type) && type == PARAMS) {
		size_t len = wire->content;
		if (len == 0)
			return parameters_index(wire);
		char *room = buf_reserve(&wire->parameters, len);
		if (!room)
			return false;
		/* Counted before it is here: what a cut record leaves is wiped as well. */
		wire->parameters.len += len;
		if (!take(wire, room, len, stop))
			return false;
		wire->content = 0;
	}
	return false;
}

bool wire_begin(struct wire *wire, int fd, int64_t timeout, const struct wire_stop *stop)
{
	wire->fd = fd;
	wire->timeout = timeout;
	wire->receiving = timeout;
	wire->received = 0;
	wire->sending = timeout;
	wire->begun = false;
	wire->body_ended = wire->role == WIRE_AUTHORIZER;
	wire->broken = false;
	wire->answered = false;
	wire->cut = false;
	wire->indexed = 0;
	wire->unindexed = ABSENT;
	wire->content = 0;
	wire->padding = 0;
	wire->in_at = 0;
	wire->in_len = 0;
	wire->out_len = 0;
	bool begun = parameters_read(wire, stop);
	wire->receiving = timeout;
	return begun;
}

static bool body_read(struct wire *wire, char *out, size_t size, size_t *ret)
{
	size_t len = 0;
	unsigned char type;
	if (wire->content == 0 && !wire->body_ended) {
		if (!record_next(wire, NULL, &type) || type != STDIN)
			return false;
		wire->body_ended = wire->content == 0;
	}
	if (wire->content > 0 && size > 0) {
		if (!take_some(wire, out, size < wire->content ? size : wire->content, NULL, &len))
			return false;
		wire->content -= len;
	}
	*ret = len;
	return true;
}

/* Behind what broke it, an abort for one, there may be a wait for nothing. */
bool wire_read(struct wire *wire, char *out, size_t size, size_t *ret)
{
	wire->received = 0;
	wire->broken = wire->broken || !body_read(wire, out, size, ret);
	return !wire->broken;
}

void wire_end(struct wire *wire)
{
	size_t unsent = WIRE_HEADER + wire->out_len;
	buf_reset(&wire->parameters, WIRE_PARAMETERS_KEPT);
	explicit_bzero(wire->in, wire->in_wipe);
	explicit_bzero(wire->out, wire->out_wipe > unsent ? wire->out_wipe : unsent);
	wire->in_wipe = 0;
	wire->out_wipe = 0;
}
