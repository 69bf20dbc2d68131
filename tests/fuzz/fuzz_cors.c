/* CORS: a list of origins is taken when each is what libcurl makes of it, and an Origin
 * is allowed when it is one of them, byte for byte.
 *
 * The first line is the list, the second the Origin. */
#include "http/cors.h"

#include "fuzz/fuzz.h"
#include "fuzz/second.h"

static bool second_allows(struct view list, struct view origin)
{
	while (!view_is_absent(list))
		if (view_equal(view_trim(view_cut(&list, ',')), origin))
			return true;
	return false;
}

static void all_are_origins(struct view list)
{
	while (list.len > 0) {
		struct view origin = view_trim(view_cut(&list, ','));
		struct buf theirs = buf_make(4096 + origin.len);
		HOLDS(second_origin(origin, &theirs));
		/* Of one IPv6 address libcurl writes a shorter form where there is one. */
		HOLDS(view_equal(buf_view(&theirs), origin) ||
		      (view_find(origin, '[') < origin.len && theirs.len < origin.len));
		buf_destroy(&theirs);
	}
}

void fuzz_one(struct view input)
{
	struct view origin = input;
	struct cors cors = {.origins = view_cut(&origin, '\n')};
	struct request request = {.method = METHOD_GET, .origin = origin};
	struct response response = response_make();
	struct view bad = ABSENT;
	if (!cors_origins_valid(cors.origins, &bad)) {
		HOLDS(!view_is_absent(bad));
		return;
	}
	all_are_origins(cors.origins);
	bool allowed = cors_allows(&cors, origin);
	HOLDS(allowed == (origin.len > 0 && second_allows(cors.origins, origin)));
	cors_answer(&cors, &request, &response);
	for (size_t i = 0; i < response.header_count; i++)
		if (view_equal(response.headers[i].name, VIEW("Access-Control-Allow-Origin")))
			HOLDS(allowed && view_equal(response.headers[i].value, origin));
	response_destroy(&response);
}
