/* Reads entity tags and Accept. */
#include "http/conditional.h"

/* Compression by the web server makes another representation, so it appends a
 * word to our tag; to us it is still the same task. */
static struct view without_coding(struct view opaque)
{
	static const struct view codings[] = {VIEW("-gzip"), VIEW("-br"), VIEW("-deflate"), VIEW("-zstd")};
	for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
		if (opaque.len > codings[i].len &&
		    view_equal(view_from(opaque, opaque.len - codings[i].len), codings[i]))
			return (struct view){opaque.ptr, opaque.len - codings[i].len};
	return opaque;
}

/* etagc (RFC 9110 §8.8.3): no controls, spaces or quotes. */
static bool opaque_valid(struct view opaque)
{
	for (size_t i = 0; i < opaque.len; i++)
		if ((unsigned char)opaque.ptr[i] <= ' ' || opaque.ptr[i] == '"' || opaque.ptr[i] == 0x7f)
			return false;
	return true;
}

/* One tag off the front of *rest. */
static bool etag_take(struct view *rest, struct etag *ret)
{
	bool weak = view_starts(*rest, VIEW("W/"));
	struct view text = view_from(*rest, weak ? 2 : 0);
	if (text.len < 2 || text.ptr[0] != '"')
		return false;
	text = view_from(text, 1);
	size_t end = view_find(text, '"');
	if (end == text.len || !opaque_valid((struct view){text.ptr, end}))
		return false;
	*ret = (struct etag){without_coding((struct view){text.ptr, end}), weak};
	*rest = view_from(text, end + 1);
	return true;
}

bool etags_read(struct view field, struct etags *ret)
{
	struct etags etags = {0};
	struct view rest = view_trim(field);
	if (view_equal(rest, VIEW("*"))) {
		*ret = (struct etags){.any = true};
		return true;
	}
	while (rest.len > 0) {
		if (etags.count == ETAGS_MAX || !etag_take(&rest, &etags.tags[etags.count]))
			return false;
		etags.count++;
		rest = view_trim(rest);
		if (rest.len == 0)
			break;
		if (rest.ptr[0] != ',')
			return false;
		rest = view_trim(view_from(rest, 1));
		if (rest.len == 0)
			return false;
	}
	if (etags.count == 0)
		return false;
	*ret = etags;
	return true;
}

bool etags_match_weakly(const struct etags *etags, struct view opaque)
{
	for (size_t i = 0; i < etags->count; i++)
		if (view_equal(etags->tags[i].opaque, opaque))
			return true;
	return etags->any;
}

bool etags_match_strongly(const struct etags *etags, struct view opaque)
{
	for (size_t i = 0; i < etags->count; i++)
		if (!etags->tags[i].weak && view_equal(etags->tags[i].opaque, opaque))
			return true;
	return etags->any;
}

/* "q=0", "q=0.0" and so on (RFC 9110 §12.4.2). */
static bool weight_is_zero(struct view parameters)
{
	while (!view_is_absent(parameters)) {
		struct view value = view_trim(view_cut(&parameters, ';'));
		struct view name = view_trim(view_cut(&value, '='));
		if (!view_equal_nocase(name, VIEW("q")) || view_is_absent(value))
			continue;
		value = view_trim(value);
		for (size_t i = 0; i < value.len; i++)
			if (value.ptr[i] != '0' && value.ptr[i] != '.')
				return false;
		return value.len > 0;
	}
	return false;
}

/* How exactly a media range means JSON: the most exact one decides. */
static int exactness(struct view range)
{
	if (view_equal_nocase(range, VIEW("application/json")))
		return 3;
	if (view_equal_nocase(range, VIEW("application/*")))
		return 2;
	return view_equal(range, VIEW("*/*")) ? 1 : 0;
}

bool accept_takes_json(struct view field)
{
	int best = 0;
	bool takes = false;
	if (view_trim(field).len == 0)
		return true;
	for (struct view rest = field; !view_is_absent(rest);) {
		struct view parameters = view_cut(&rest, ',');
		int exact = exactness(view_trim(view_cut(&parameters, ';')));
		if (exact > best) {
			best = exact;
			takes = !weight_is_zero(parameters);
		}
	}
	return takes;
}
