/* Reads and writes queries. */
#include "http/query.h"

#include "base/percent.h"
#include "base/utf8.h"

_Static_assert(ROUTE_COUNT <= 32, "a mask of routes has 32 bits");

static const struct {
	struct view spelling;
	uint32_t routes;
} rows[PARAMETERS] = {
#define ON(ROUTE) (UINT32_C(1) << ROUTE_##ROUTE)
#define PARAMETER(NAME, spelling, routes) [PARAMETER_##NAME] = {VIEW(spelling), (routes)},
#include "http/parameters.def"
#undef PARAMETER
#undef ON
};

struct view query_spelling(enum parameter parameter)
{
	return rows[parameter].spelling;
}

unsigned query_known(enum route route)
{
	unsigned known = 0;
	for (unsigned i = 0; i < PARAMETERS; i++)
		if (rows[i].routes & UINT32_C(1) << route)
			known |= 1U << i;
	return known;
}

static bool find(struct view name, enum route route, enum parameter *ret)
{
	for (unsigned i = 0; i < PARAMETERS; i++) {
		if ((rows[i].routes & UINT32_C(1) << route) && view_equal(rows[i].spelling, name)) {
			*ret = (enum parameter)i;
			return true;
		}
	}
	return false;
}

enum outcome query_read(struct arena *arena, struct view raw, enum route route, struct query *ret)
{
	struct query query = {0};
	char *text = arena_alloc(arena, raw.len + 1);
	if (!text)
		return OUTCOME_INTERNAL;
	for (struct view rest = raw; rest.len > 0;) {
		enum parameter parameter;
		struct view value = view_cut(&rest, '&');
		if (value.len == 0)
			continue;
		struct view name = view_cut(&value, '=');
		if (!find(name, route, &parameter) || !view_is_absent(query.values[parameter]))
			return OUTCOME_BAD_QUERY;
		struct view decoded;
		if (!percent_decode(value, true, text, &decoded) || view_has_control(decoded) || !utf8_valid(decoded))
			return OUTCOME_BAD_QUERY;
		query.values[parameter] = decoded;
		text += decoded.len;
	}
	*ret = query;
	return OUTCOME_OK;
}

void query_write(struct buf *out, const struct query *query)
{
	bool first = true;
	for (unsigned i = 0; i < PARAMETERS; i++) {
		if (view_is_absent(query->values[i]))
			continue;
		if (!first)
			buf_add_char(out, '&');
		first = false;
		buf_add(out, rows[i].spelling);
		buf_add_char(out, '=');
		percent_encode(out, query->values[i]);
	}
}
