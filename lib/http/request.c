/* Reads a request from CGI parameters: path, query, headers, body. */
#include "http/request.h"

#include "base/percent.h"
#include "base/utf8.h"

static const struct {
	struct view name;
	enum method method;
} known[] = {
        {VIEW("GET"), METHOD_GET},         {VIEW("POST"), METHOD_POST},     {VIEW("PATCH"), METHOD_PATCH},
        {VIEW("PUT"), METHOD_PUT},         {VIEW("DELETE"), METHOD_DELETE}, {VIEW("HEAD"), METHOD_HEAD},
        {VIEW("OPTIONS"), METHOD_OPTIONS},
};

static enum method method_of(struct view name)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (view_equal(name, known[i].name))
			return known[i].method;
	return METHOD_OTHER;
}

struct view request_method_name(enum method method)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].method == method)
			return known[i].name;
	return VIEW("OTHER");
}

/* One segment, percent-decoded once (RFC 3986 §2.1). False: empty, a dot
 * segment, a broken escape, or a byte that no segment of ours may hold. */
static bool segment_decode(struct view raw, char *out, struct view *ret)
{
	struct view segment;
	if (!percent_decode(raw, false, out, &segment) || segment.len == 0 || view_equal(segment, VIEW(".")) ||
	    view_equal(segment, VIEW("..")) || view_find(segment, '/') < segment.len ||
	    view_find(segment, '\\') < segment.len || view_has_control(segment) || !utf8_valid(segment))
		return false;
	*ret = segment;
	return true;
}

enum path_error { PATH_OK, PATH_NOT_OURS, PATH_NO_MEMORY };

/* Splits `path` after its leading slash. *ret_count is untouched on failure. */
static enum path_error path_split(struct arena *arena, struct view path, struct view *segments, size_t max,
                                  size_t *ret_count)
{
	if (path.len == 0 || path.ptr[0] != '/')
		return PATH_NOT_OURS;
	char *decoded = arena_alloc(arena, path.len);
	if (!decoded)
		return PATH_NO_MEMORY;
	size_t count = 0;
	for (struct view rest = view_from(path, 1); !view_is_absent(rest);) {
		struct view raw = view_cut(&rest, '/');
		if (count == max || !segment_decode(raw, decoded, &segments[count]))
			return PATH_NOT_OURS;
		decoded += segments[count++].len;
	}
	*ret_count = count;
	return PATH_OK;
}

enum { BASE_MAX = 16 };

bool request_base_path_valid(struct arena *arena, struct view base_path)
{
	struct view segments[BASE_MAX];
	size_t count;
	return base_path.len == 0 || path_split(arena, base_path, segments, BASE_MAX, &count) == PATH_OK;
}

static enum path_error path_read(struct arena *arena, struct view path, struct view base_path, struct request *request)
{
	struct view base[BASE_MAX];
	size_t base_count = 0;
	if (base_path.len > 0) {
		enum path_error error = path_split(arena, base_path, base, BASE_MAX, &base_count);
		if (error)
			return error;
	}
	struct view all[BASE_MAX + REQUEST_SEGMENTS_MAX];
	size_t count = 0;
	enum path_error error = path_split(arena, path, all, sizeof all / sizeof *all, &count);
	if (error)
		return error;
	if (count < base_count || count - base_count > REQUEST_SEGMENTS_MAX)
		return PATH_NOT_OURS;
	for (size_t i = 0; i < base_count; i++)
		if (!view_equal(all[i], base[i]))
			return PATH_NOT_OURS;
	request->segment_count = count - base_count;
	memcpy(request->segments, all + base_count, request->segment_count * sizeof *all);
	return PATH_OK;
}

static bool request_id_valid(struct view id)
{
	if (id.len == 0 || id.len > REQUEST_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.ptr[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
		      c == '_' || c == '-'))
			return false;
	}
	return true;
}

static struct view parameter(const struct transport *transport, struct view name)
{
	return transport->parameter(transport->context, name);
}

/* CGI can't tell an empty CONTENT_TYPE from an absent one: servers set both. */
static struct view parameter_not_empty(const struct transport *transport, struct view name)
{
	struct view value = parameter(transport, name);
	return value.len > 0 ? value : ABSENT;
}

bool request_read(const struct transport *transport, struct arena *arena, struct view base_path, struct request *ret)
{
	struct request request = {0};
	request.method = method_of(parameter(transport, VIEW("REQUEST_METHOD")));

	struct view target = parameter(transport, VIEW("REQUEST_URI"));
	size_t path_len = view_find(target, '?');
	request.query = path_len < target.len ? view_from(target, path_len + 1) : ABSENT;
	if (path_read(arena, (struct view){target.ptr, path_len}, base_path, &request) == PATH_NO_MEMORY)
		return false;

	request.authorization = parameter(transport, VIEW("HTTP_AUTHORIZATION"));
	request.cookie = parameter(transport, VIEW("HTTP_COOKIE"));
	request.content_type = parameter_not_empty(transport, VIEW("CONTENT_TYPE"));
	request.content_length = parameter_not_empty(transport, VIEW("CONTENT_LENGTH"));
	request.content_encoding = parameter(transport, VIEW("HTTP_CONTENT_ENCODING"));
	request.transfer_encoding = parameter(transport, VIEW("HTTP_TRANSFER_ENCODING"));
	request.accept = parameter(transport, VIEW("HTTP_ACCEPT"));
	request.if_match = parameter(transport, VIEW("HTTP_IF_MATCH"));
	request.if_none_match = parameter(transport, VIEW("HTTP_IF_NONE_MATCH"));
	request.confirm_erase = parameter(transport, VIEW("HTTP_X_CONFIRM_ERASE"));
	request.origin = parameter(transport, VIEW("HTTP_ORIGIN"));
	request.preflight_method = parameter(transport, VIEW("HTTP_ACCESS_CONTROL_REQUEST_METHOD"));
	request.tls = view_equal_nocase(parameter(transport, VIEW("HTTPS")), VIEW("on"));
	struct view id = parameter(transport, VIEW("HTTP_X_REQUEST_ID"));
	request.client_request_id = request_id_valid(id) ? id : ABSENT;
	if (!trace_read(parameter(transport, VIEW("HTTP_TRACEPARENT")), &request.trace))
		request.trace = (struct trace){.id = ABSENT};
	request.client = client_read(parameter(transport, VIEW("REMOTE_ADDR")));
	*ret = request;
	return true;
}

bool request_has_no_body(const struct request *request)
{
	return view_is_absent(request->content_type) && view_is_absent(request->transfer_encoding) &&
	       (view_is_absent(request->content_length) || view_equal(request->content_length, VIEW("0")));
}

/* The type alone or with charset=utf-8 (RFC 9110 §8.3). */
static bool media_type_fits(struct view type, enum request_media media)
{
	struct view essence = view_trim(view_cut(&type, ';'));
	if (!view_equal_nocase(essence, VIEW("application/json")) &&
	    !(media == REQUEST_MERGE_PATCH && view_equal_nocase(essence, VIEW("application/merge-patch+json"))))
		return false;
	while (!view_is_absent(type)) {
		struct view part = view_trim(view_cut(&type, ';'));
		if (part.len > 0 && !view_equal_nocase(part, VIEW("charset=utf-8")) &&
		    !view_equal_nocase(part, VIEW("charset=\"utf-8\"")))
			return false;
	}
	return true;
}

static bool coding_is_identity(struct view coding)
{
	return view_is_absent(coding) || view_equal_nocase(view_trim(coding), VIEW("identity"));
}

enum outcome request_read_body(const struct transport *transport, const struct request *request,
                               enum request_media media, struct buf *body)
{
	bool sized = !view_is_absent(request->content_length);
	bool broken = false;
	uint64_t length = 0;
	if (sized && !view_to_u64(request->content_length, UINT64_MAX, &length))
		return OUTCOME_BAD_REQUEST;
	if (length > REQUEST_BODY_MAX)
		return OUTCOME_BODY_TOO_LARGE;
	for (size_t got = 1; got > 0 && !broken; body->len += got) {
		size_t size = REQUEST_BODY_MAX + 1 - body->len;
		char *room = buf_reserve(body, size);
		if (!room)
			return OUTCOME_INTERNAL;
		got = 0;
		broken = !transport->read(transport->context, room, size, &got);
		if (body->len + got > REQUEST_BODY_MAX)
			return OUTCOME_BODY_TOO_LARGE;
	}
	/* An empty body has no type to be wrong: say what is really missing. */
	if (body->len > 0 &&
	    !(media_type_fits(request->content_type, media) && coding_is_identity(request->content_encoding)))
		return OUTCOME_MEDIA_TYPE;
	if (broken || (sized && body->len != length))
		return OUTCOME_BODY_INCOMPLETE;
	return body->len > 0 ? OUTCOME_OK : OUTCOME_BODY_EMPTY;
}

void request_drain(const struct transport *transport)
{
	char sink[4096];
	size_t got = 0;
	while (transport->read(transport->context, sink, sizeof sink, &got) && got > 0)
		;
}
