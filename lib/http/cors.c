/* Answers cross-origin requests by the allow list. */
#include "http/cors.h"

#include "base/url.h"

/* Nothing but an URL's own origin, as browsers write it. */
static bool origin_valid(struct view origin)
{
	struct url url;
	struct buf text = buf_make(origin.len + 1);
	if (!url_parse(origin, &url))
		return false;
	url_write_origin(&url, &text);
	bool same = buf_ok(&text) && view_equal(buf_view(&text), origin);
	buf_destroy(&text);
	return same;
}

bool cors_origins_valid(struct view origins, struct view *ret_bad)
{
	for (struct view rest = origins; rest.len > 0;) {
		struct view origin = view_trim(view_cut(&rest, ','));
		if (!origin_valid(origin)) {
			*ret_bad = origin;
			return false;
		}
	}
	return true;
}

bool cors_is_preflight(const struct request *request)
{
	return request->method == METHOD_OPTIONS && !view_is_absent(request->origin) &&
	       !view_is_absent(request->preflight_method);
}

bool cors_allows(const struct cors *cors, struct view origin)
{
	if (origin.len == 0)
		return false;
	for (struct view rest = cors->origins; rest.len > 0;)
		if (view_equal(view_trim(view_cut(&rest, ',')), origin))
			return true;
	return false;
}

void cors_answer(const struct cors *cors, const struct request *request, struct response *response)
{
	bool allowed = cors_allows(cors, request->origin);
	response_header(response, VIEW("Cross-Origin-Resource-Policy"),
	                allowed ? VIEW("cross-origin") : VIEW("same-origin"));
	if (!allowed)
		return;
	response_header(response, VIEW("Access-Control-Allow-Origin"), request->origin);
	if (cors->credentials)
		response_header(response, VIEW("Access-Control-Allow-Credentials"), VIEW("true"));
	if (!cors_is_preflight(request)) {
		if (cors->timing)
			response_header(response, VIEW("Timing-Allow-Origin"), request->origin);
		response_header(response, VIEW("Access-Control-Expose-Headers"),
		                VIEW("Accept-Patch, Allow, Content-Disposition, ETag, Link, Location, Retry-After, "
		                     "WWW-Authenticate, X-Request-Id, X-Total-Count"));
		return;
	}
	response_header(response, VIEW("Access-Control-Allow-Methods"), VIEW("GET, HEAD, POST, PUT, PATCH, DELETE"));
	response_header(response, VIEW("Access-Control-Allow-Headers"),
	                VIEW("Authorization, Content-Type, If-Match, If-None-Match, X-Confirm-Erase, X-Request-Id"));
	response_header(response, VIEW("Access-Control-Max-Age"), view_of(cors->max_age));
}
