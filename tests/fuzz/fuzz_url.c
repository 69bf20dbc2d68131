/* URLs of settings: what is taken is one to libcurl too, of the same origin. Of one IPv6
 * address libcurl writes a shorter form where there is one. */
#include "base/url.h"

#include "fuzz/fuzz.h"
#include "fuzz/second.h"

void fuzz_one(struct view input)
{
	struct buf ours = buf_make(4096 + input.len);
	struct buf theirs = buf_make(4096 + input.len);
	struct url url;
	struct url again;
	if (url_parse(input, &url)) {
		url_write_origin(&url, &ours);
		HOLDS(second_origin(input, &theirs));
		HOLDS(view_equal(buf_view(&ours), buf_view(&theirs)) ||
		      (url.host.ptr[0] == '[' && theirs.len < ours.len));
		HOLDS(url_parse(buf_view(&ours), &again) && url_is_loopback(&again) == url_is_loopback(&url));
	}
	buf_destroy(&ours);
	buf_destroy(&theirs);
}
