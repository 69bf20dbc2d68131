/* Writes requests, reads answers, and knows what every answer must be like. */
#include "support/ask.h"

#include <criterion/criterion.h>
#include <stdarg.h>

#include "support/fastcgi.h"

enum { POOL_MAX = 512 * 1024 * 1024, BODY_MAX = 16 * 1024 * 1024 };

static struct arena pool;

struct arena *ask_arena(void)
{
	if (!pool.base)
		cr_assert(arena_init(&pool, POOL_MAX));
	return &pool;
}

void ask_end(void)
{
	arena_destroy(&pool);
}

char *ask_keep(struct view text)
{
	char *copy = arena_string(ask_arena(), text);
	cr_assert_not_null(copy);
	return copy;
}

char *ask_format(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int len = vsnprintf(NULL, 0, format, list);
	va_end(list);
	char *text = arena_alloc(ask_arena(), (size_t)len + 1);
	cr_assert(len >= 0 && text);
	va_start(list, format);
	vsnprintf(text, (size_t)len + 1, format, list);
	va_end(list);
	return text;
}

/* ---- requests ---- */

static bool is_named(const char *param, const char *name)
{
	size_t len = strlen(name);
	return strncmp(param, name, len) == 0 && param[len] == '=';
}

void ask_params(const struct ask *ask, void (*take)(void *context, struct view name, struct view value), void *context)
{
	const char *type = ask->type ? ask->type : ask->body ? "application/json" : "";
	const struct {
		const char *name;
		const char *value;
	} standard[] = {
	        {"GATEWAY_INTERFACE", "CGI/1.1"},
	        {"SERVER_PROTOCOL", "HTTP/1.1"},
	        {"REMOTE_ADDR", "127.0.0.1"},
	        {"REQUEST_METHOD", ask->method ? ask->method : "GET"},
	        {"REQUEST_URI", ask->target},
	        {"HTTP_AUTHORIZATION", ask->token ? ask_format("Bearer %s", ask->token) : NULL},
	        {"CONTENT_LENGTH", ask->body ? ask_format("%zu", strlen(ask->body)) : NULL},
	        {"CONTENT_TYPE", type[0] ? type : NULL},
	};
	for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
		bool replaced = false;
		for (size_t j = 0; ask->params && ask->params[j]; j++)
			replaced = replaced || is_named(ask->params[j], standard[i].name);
		if (standard[i].value && !replaced)
			take(context, view_of(standard[i].name), view_of(standard[i].value));
	}
	for (size_t j = 0; ask->params && ask->params[j]; j++) {
		struct view value = view_of(ask->params[j]);
		struct view name = view_cut(&value, '=');
		if (!view_is_absent(value))
			take(context, name, value);
	}
}

static void take_pair(void *context, struct view name, struct view value)
{
	fastcgi_pair(context, name, value);
}

void ask_write(const struct ask *ask, struct buf *out)
{
	struct buf params = buf_make(BODY_MAX);
	fastcgi_begin(out, false);
	ask_params(ask, take_pair, &params);
	fastcgi_stream(out, FASTCGI_PARAMS, buf_view(&params), 0);
	fastcgi_stream(out, FASTCGI_STDIN, view_of(ask->body), ask->chunk);
	cr_assert(buf_ok(&params) && buf_ok(out));
	buf_destroy(&params);
}

/* ---- answers ---- */

static struct view find_header(struct view head, const char *name, struct view *rest)
{
	*rest = ABSENT;
	while (head.len > 0) {
		struct view line = view_cut(&head, '\n');
		struct view field = view_cut(&line, ':');
		if (view_equal_nocase(field, view_of(name)) && line.len > 0) {
			*rest = head;
			line.len--; /* the CR */
			return view_trim(line);
		}
	}
	return ABSENT;
}

struct view answer_header(const struct answer *answer, const char *name)
{
	struct view rest;
	struct view again;
	struct view value = find_header(answer->head, name, &rest);
	if (!view_is_absent(value))
		cr_expect(view_is_absent(find_header(rest, name, &again)), "%s twice in\n%.*s", name,
		          VIEW_ARGS(answer->head));
	return value;
}

/* Each line: a token, a colon, a space, printable text, CR LF. */
static void check_lines(struct view head)
{
	struct view rest = head;
	cr_assert(view_starts(head, VIEW("Status: ")), "no status in\n%.*s", VIEW_ARGS(head));
	while (rest.len > 0) {
		struct view line = view_cut(&rest, '\n');
		struct view value = line;
		struct view name = view_cut(&value, ':');
		bool good = name.len > 0 && value.len >= 2 && value.ptr[0] == ' ' && value.ptr[value.len - 1] == '\r';
		for (size_t i = 0; i < name.len; i++)
			good = good && (name.ptr[i] == '-' || (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') ||
			                (name.ptr[i] >= 'a' && name.ptr[i] <= 'z'));
		if (good)
			value.len--;
		cr_assert(good && !view_has_control(value), "a bad line in\n%.*s", VIEW_ARGS(head));
	}
}

static void expect_header(const struct answer *answer, const char *name, const char *value)
{
	cr_expect(view_equal(answer_header(answer, name), view_of(value)), "%s is not %s in\n%.*s", name, value,
	          VIEW_ARGS(answer->head));
}

static void check_standing_headers(const struct answer *answer)
{
	struct view policy = answer_header(answer, "Cross-Origin-Resource-Policy");
	struct view id = answer_header(answer, "X-Request-Id");
	expect_header(answer, "X-Content-Type-Options", "nosniff");
	expect_header(answer, "X-Frame-Options", "DENY");
	expect_header(answer, "Referrer-Policy", "no-referrer");
	expect_header(answer, "Content-Security-Policy", "default-src 'none'");
	expect_header(answer, "Cache-Control", "no-store");
	expect_header(answer, "Vary", "Origin");
	cr_expect(view_equal(policy, VIEW("same-origin")) || view_equal(policy, VIEW("cross-origin")));
	cr_expect_eq(id.len, 32, "a request id in\n%.*s", VIEW_ARGS(answer->head));
}

static void check_content(const struct answer *answer, bool to_head)
{
	struct view type = answer_header(answer, "Content-Type");
	struct view length = answer_header(answer, "Content-Length");
	uint64_t announced = 0;
	if (answer->status == 204 || answer->status == 304) {
		cr_expect(view_is_absent(type) && view_is_absent(length) && answer->body.len == 0, "content in\n%.*s",
		          VIEW_ARGS(answer->head));
		return;
	}
	/* /auth/validate gives its verdict in a form of its own. */
	bool problem = answer->status >= 400 && !view_starts(answer->body, VIEW("{\"valid\":"));
	bool metrics = answer->status == 200 && view_equal(type, VIEW("text/plain; version=0.0.4; charset=utf-8"));
	cr_expect(metrics || view_equal(type, problem ? VIEW("application/problem+json") : VIEW("application/json")),
	          "the type in\n%.*s", VIEW_ARGS(answer->head));
	cr_expect(view_to_u64(length, UINT64_MAX, &announced) && announced > 0, "no length in\n%.*s",
	          VIEW_ARGS(answer->head));
	cr_expect_eq(answer->body.len, to_head ? 0 : announced, "%zu bytes after\n%.*s", answer->body.len,
	             VIEW_ARGS(answer->head));
}

const struct answer *answer_read(struct view bytes, bool to_head)
{
	struct answer *answer = arena_calloc(ask_arena(), 1, sizeof *answer);
	cr_assert_not_null(answer);
	struct view text = {ask_keep(bytes), bytes.len};
	const char *end = bytes.len > 0 ? memmem(text.ptr, text.len, "\r\n\r\n", 4) : NULL;
	cr_assert_not_null(end, "no head: %.*s", VIEW_ARGS(text));
	answer->head = (struct view){text.ptr, (size_t)(end - text.ptr) + 2};
	answer->body = view_from(text, answer->head.len + 2);
	check_lines(answer->head);
	struct view line = answer_header(answer, "Status");
	uint64_t status = 0;
	cr_assert(view_to_u64(view_cut(&line, ' '), 599, &status) && line.len > 0, "%.*s", VIEW_ARGS(answer->head));
	answer->status = (int)status;
	check_standing_headers(answer);
	check_content(answer, to_head);
	return answer;
}

const cJSON *answer_json(const struct answer *answer)
{
	const cJSON *json = NULL;
	cr_assert_eq(json_parse(ask_arena(), answer->body, &json), JSON_OK, "no strict JSON: %.*s",
	             VIEW_ARGS(answer->body));
	return json;
}

struct view answer_text(const struct answer *answer, const char *member)
{
	return json_member_text(answer_json(answer), member);
}

void expect_problem(const struct answer *answer, int status, const char *code, const char *asked)
{
	int64_t told = 0;
	cr_expect_eq(answer->status, status, "%s: %d, not %d: %.*s", asked, answer->status, status,
	             VIEW_ARGS(answer->body));
	if (answer->status != status)
		return;
	cr_expect(view_equal(answer_text(answer, "code"), view_of(code)), "%s: not %s: %.*s", asked, code,
	          VIEW_ARGS(answer->body));
	cr_expect(view_equal(answer_text(answer, "type"), view_of(ask_format("/problems/%s", code))), "%s: %.*s", asked,
	          VIEW_ARGS(answer->body));
	cr_expect(answer_text(answer, "title").len > 0 && answer_text(answer, "detail").len > 0, "%s: %.*s", asked,
	          VIEW_ARGS(answer->body));
	cr_expect(json_to_integer(json_member(answer_json(answer), "status"), &told) && told == status, "%s: %.*s",
	          asked, VIEW_ARGS(answer->body));
	cr_expect(view_equal(answer_text(answer, "request_id"), answer_header(answer, "X-Request-Id")), "%s: %.*s",
	          asked, VIEW_ARGS(answer->body));
	bool has_errors = json_member(answer_json(answer), "errors") != NULL;
	cr_expect_eq(has_errors, status == 422, "%s: %.*s", asked, VIEW_ARGS(answer->body));
}

struct view answer_without_id(const struct answer *answer)
{
	struct view id = answer_header(answer, "X-Request-Id");
	char *text = ask_format("%.*s%.*s", VIEW_ARGS(answer->head), VIEW_ARGS(answer->body));
	for (char *at; id.len > 0 && (at = memmem(text, strlen(text), id.ptr, id.len));)
		memset(at, '*', id.len);
	return view_of(text);
}
