/* The path: its segments are what libcurl decodes, none can be taken for another
 * place, and encoded anew they are the same path. */
#include <curl/curl.h>

#include "base/percent.h"
#include "fuzz/fuzz.h"
#include "fuzz/second.h"
#include "http/router.h"

static struct view parameter(void *context, struct view name)
{
	return view_equal(name, VIEW("REQUEST_URI")) ? *(struct view *)context : ABSENT;
}

static struct request read_target(struct view target, struct view base_path)
{
	const struct transport transport = {.context = &target, .parameter = parameter};
	struct request request;
	HOLDS(request_read(&transport, fuzz_arena(), base_path, &request));
	return request;
}

static bool same_segments(const struct request *a, const struct request *b)
{
	bool same = a->segment_count == b->segment_count;
	for (size_t i = 0; same && i < a->segment_count; i++)
		same = view_equal(a->segments[i], b->segments[i]);
	return same;
}

static void is_safe(struct view segment)
{
	HOLDS(segment.len > 0 && !second_matches(segment, "\\.\\.?") && second_utf8(segment));
	for (size_t i = 0; i < segment.len; i++)
		HOLDS((unsigned char)segment.ptr[i] >= ' ' && !strchr("/\\\x7f", segment.ptr[i]));
}

static void second_agrees(struct view path, const struct request *request)
{
	CURLU *url = curl_url();
	struct view joined = VIEW("");
	char *decoded = NULL;
	struct view whole = fuzz_join(VIEW("http://h"), path);
	for (size_t i = 0; i < request->segment_count; i++)
		joined = fuzz_join(fuzz_join(joined, VIEW("/")), request->segments[i]);
	HOLDS(curl_url_set(url, CURLUPART_URL, fuzz_string(whole), CURLU_PATH_AS_IS | CURLU_ALLOW_SPACE) == CURLUE_OK);
	HOLDS(curl_url_get(url, CURLUPART_PATH, &decoded, CURLU_URLDECODE) == CURLUE_OK);
	HOLDS(view_equal(view_of(decoded), joined));
	curl_free(decoded);
	curl_url_cleanup(url);
}

static void comes_back(const struct request *request)
{
	struct buf target = buf_make(1 << 20);
	for (size_t i = 0; i < request->segment_count; i++) {
		buf_add_char(&target, '/');
		percent_encode(&target, request->segments[i]);
	}
	struct request again = read_target(buf_view(&target), VIEW(""));
	HOLDS(same_segments(request, &again));
	again = read_target(fuzz_join(VIEW("/%7eu/todo"), buf_view(&target)), VIEW("/~u/todo"));
	HOLDS(same_segments(request, &again));
	buf_destroy(&target);
}

static void routes(const struct request *request)
{
	static const enum program programs[] = {PROGRAM_HEALTH, PROGRAM_AUTH, PROGRAM_TASKS, PROGRAM_ACCOUNT};
	size_t knowing = 0;
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		struct route_match match = router_match(programs[i], request);
		knowing += match.methods != 0;
		if (match.methods == 0 || (programs[i] != PROGRAM_TASKS && programs[i] != PROGRAM_ACCOUNT))
			continue;
		HOLDS(view_equal(request->segments[0], VIEW("api")));
		HOLDS(view_equal(match.user_id, request->segments[1]) && !view_equal(match.user_id, VIEW("auth")));
		HOLDS(view_is_absent(match.id) || (request->segment_count > 3 && router_is_uuid(match.id)));
	}
	HOLDS(knowing <= 1);
}

void fuzz_one(struct view input)
{
	struct view target = view_of(fuzz_string(input));
	struct view path = {target.ptr, view_find(target, '?')};
	struct request request = read_target(target, VIEW(""));
	HOLDS(view_is_absent(request.query) == (path.len == target.len));
	if (request.segment_count == 0)
		return;
	for (size_t i = 0; i < request.segment_count; i++)
		is_safe(request.segments[i]);
	/* A fragment is never sent; to us it is a character as any other. */
	if (view_find(path, '#') == path.len)
		second_agrees(path, &request);
	comes_back(&request);
	routes(&request);
}
