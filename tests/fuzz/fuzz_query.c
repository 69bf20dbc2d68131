/* The query: every value is what libcurl decodes, and written anew it is the same
 * query; of a list it asks nothing that the contract does not have.
 *
 * The first byte chooses the route. */
#include "http/query.h"

#include "fuzz/fuzz.h"
#include "fuzz/second.h"
#include "task/list.h"

static void second_agrees(struct view raw, const struct query *query)
{
	size_t sent = 0;
	size_t known = 0;
	while (raw.len > 0) {
		struct view value = view_cut(&raw, '&');
		if (value.len == 0)
			continue;
		struct view name = view_cut(&value, '=');
		char *text = fuzz_string(value);
		for (char *plus = text; (plus = strchr(plus, '+')); plus++)
			*plus = ' ';
		for (unsigned i = 0; i < PARAMETERS; i++) {
			if (!view_equal(query_spelling((enum parameter)i), name))
				continue;
			HOLDS(view_equal(query->values[i], second_unescape(view_of(text))));
			known++;
		}
		sent++;
	}
	HOLDS(sent == known);
}

static void comes_back(const struct query *query, enum route route)
{
	struct buf text = buf_make(1 << 22);
	struct query again;
	query_write(&text, query);
	HOLDS(query_read(fuzz_arena(), buf_view(&text), route, &again) == OUTCOME_OK);
	for (unsigned i = 0; i < PARAMETERS; i++) {
		HOLDS(view_equal(query->values[i], again.values[i]));
		HOLDS(view_is_absent(query->values[i]) == view_is_absent(again.values[i]));
		HOLDS(view_is_absent(query->values[i]) || (query_known(route) & 1U << i));
		HOLDS(second_utf8(query->values[i]));
	}
	buf_destroy(&text);
}

/* The pattern without its escapes is what was searched for. */
static void pattern_is_literal(struct view pattern, struct view search)
{
	HOLDS(pattern.len >= 2 && pattern.ptr[0] == '%' && pattern.ptr[pattern.len - 1] == '%');
	size_t at = 0;
	for (size_t i = 1; i < pattern.len - 1; i++) {
		HOLDS(pattern.ptr[i] != '%' && pattern.ptr[i] != '_');
		if (pattern.ptr[i] == '\\')
			i++;
		HOLDS(i < pattern.len - 1 && at < search.len && pattern.ptr[i] == search.ptr[at]);
		at++;
	}
	HOLDS(at == search.len);
}

static void reads_a_list(const struct query *query)
{
	struct task_list list;
	if (task_list_read(fuzz_arena(), query, &list) != OUTCOME_OK)
		return;
	HOLDS(list.limit >= 1 && list.limit <= TASK_LIST_MAX && list.sort < SORT_COUNT);
	HOLDS(view_is_absent(list.status) || second_matches(list.status, "pending|completed"));
	HOLDS(view_is_absent(list.priority) || second_matches(list.priority, "low|medium|high"));
	HOLDS(view_is_absent(list.id) == view_is_absent(query->values[PARAMETER_CURSOR]));
	HOLDS(view_is_absent(list.id) || router_is_uuid(list.id));
	if (!view_is_absent(list.pattern))
		pattern_is_literal(list.pattern, query->values[PARAMETER_SEARCH]);
}

void fuzz_one(struct view input)
{
	static const enum route routes[] = {ROUTE_TASK_LIST, ROUTE_TASK_CLEAR, ROUTE_TASK_GET};
	enum route route = input.len > 0 ? routes[(unsigned char)input.ptr[0] % 3] : ROUTE_TASK_LIST;
	struct view raw = view_of(fuzz_string(view_from(input, input.len > 0)));
	struct query query;
	if (query_read(fuzz_arena(), raw, route, &query) != OUTCOME_OK)
		return;
	second_agrees(raw, &query);
	comes_back(&query, route);
	if (route == ROUTE_TASK_LIST)
		reads_a_list(&query);
}
