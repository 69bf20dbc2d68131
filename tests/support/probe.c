/* Reads probes, sends them, and compares the answers. */
#include "support/probe.h"

#include <stdlib.h>

#include "support/http.h"

enum {
	REQUEST_MAX = 8 * 1024 * 1024,
	TEXT_MAX = 64 * 1024,
	SHOWN_MAX = 400,
	JSON_ARENA = 32 * 1024 * 1024,
	TIMES_MAX = 10000
};

/* ---- the file ---- */

static bool word_known(struct view word)
{
	static const struct view known[] = {
	        VIEW("ask"),   VIEW(">"),    VIEW(">>"), VIEW("json"), VIEW("body"),
	        VIEW("times"), VIEW("shut"), VIEW("<"),  VIEW("on"),   VIEW("keep"),
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (view_equal(word, known[i]))
			return true;
	return false;
}

bool probe_next(struct view *rest, int *line, struct probe *ret, int *ret_bad)
{
	*ret_bad = 0;
	*ret = (struct probe){0};
	while (rest->len > 0) {
		struct view before = *rest;
		struct view text = view_cut(rest, '\n');
		struct view word = view_cut(&text, ' ');
		if (view_equal(word, VIEW("probe"))) {
			if (ret->count > 0) {
				*rest = before;
				return true;
			}
			ret->name = text;
		} else if (word.len > 0 && word.ptr[0] != '#') {
			if (ret->name.len == 0 || !word_known(word) || ret->count == PROBE_STEPS_MAX) {
				*ret_bad = *line;
				return false;
			}
			ret->steps[ret->count++] = (struct probe_step){*line, word, text};
		}
		++*line;
	}
	return ret->count > 0;
}

/* ---- placeholders ---- */

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool repeat(struct view argument, struct buf *out)
{
	uint64_t times;
	struct view text = view_cut(&argument, ':');
	if (view_is_absent(argument) || !view_to_u64(argument, REQUEST_MAX, &times))
		return false;
	for (uint64_t i = 0; i < times; i++)
		buf_add(out, text);
	return true;
}

/* "word:argument", without its braces. */
static bool placeholder_write(const struct probe_target *target, struct view inside, struct buf *out)
{
	struct view word = view_cut(&inside, ':');
	if (view_equal(word, VIEW("repeat")))
		return repeat(inside, out);
	if (view_equal(word, VIEW("host"))) {
		BUF_LIT(out, "127.0.0.1:");
		buf_add_u64(out, (uint64_t)target->port);
		return true;
	}
	for (size_t i = 0; i < target->kept_count; i++)
		if (view_equal(word, target->kept_names[i])) {
			buf_add(out, target->kept_values[i]);
			return true;
		}
	return target->placeholder(target->context, word, inside, out);
}

static bool hex_digit(char c, unsigned *ret)
{
	const char *digits = "0123456789abcdef";
	const char *found = c ? strchr(digits, c | 0x20) : NULL;
	if (found)
		*ret = (unsigned)(found - digits);
	return found != NULL;
}

/* One escape, after its backslash; the view moves past it. */
static bool escape_write(struct view *text, struct buf *out)
{
	unsigned high;
	unsigned low;
	char c = text->len > 0 ? text->ptr[0] : '\0';
	switch (c) {
	case 'r':
		buf_add_char(out, '\r');
		break;
	case 'n':
		buf_add_char(out, '\n');
		break;
	case 't':
		buf_add_char(out, '\t');
		break;
	case '0':
		buf_add_char(out, '\0');
		break;
	case '\\':
		buf_add_char(out, '\\');
		break;
	case 'x':
		if (text->len < 3 || !hex_digit(text->ptr[1], &high) || !hex_digit(text->ptr[2], &low))
			return false;
		buf_add_char(out, (char)(high << 4 | low));
		*text = view_from(*text, 2);
		break;
	default:
		return false;
	}
	*text = view_from(*text, 1);
	return true;
}

/* Only "{" before a lower-case letter begins a placeholder, so that JSON is written as it is. */
static bool expand(const struct probe_target *target, struct view text, struct buf *out)
{
	while (text.len > 0) {
		char c = text.ptr[0];
		if (c == '\\') {
			text = view_from(text, 1);
			if (!escape_write(&text, out))
				return false;
		} else if (c == '{' && text.len > 1 && is_lower(text.ptr[1])) {
			size_t end = view_find(text, '}');
			if (end == text.len || !placeholder_write(target, (struct view){text.ptr + 1, end - 1}, out))
				return false;
			text = view_from(text, end + 1);
		} else {
			buf_add_char(out, c);
			text = view_from(text, 1);
		}
	}
	return buf_ok(out);
}

/* ---- the request ---- */

/* "METHOD TARGET [as USER]" */
static bool ask_write(const struct probe_target *target, struct view text, struct buf *out)
{
	struct view method = view_cut(&text, ' ');
	struct view path = view_cut(&text, ' ');
	buf_add(out, method);
	BUF_LIT(out, " ");
	if (!expand(target, path, out) || !expand(target, VIEW(" HTTP/1.1\\r\\nHost: {host}\\r\\n"), out))
		return false;
	if (view_is_absent(text))
		return true;
	if (!view_equal(view_cut(&text, ' '), VIEW("as")))
		return false;
	struct buf user = buf_make(TEXT_MAX);
	BUF_LIT(out, "Authorization: Bearer ");
	bool known = expand(target, text, &user) &&
	             target->placeholder(target->context, VIEW("token"), buf_view(&user), out);
	BUF_LIT(out, "\r\n");
	buf_destroy(&user);
	return known;
}

static bool body_write(const struct probe_target *target, struct view text, bool json, struct buf *out)
{
	struct buf body = buf_make(REQUEST_MAX);
	bool known = expand(target, text, &body);
	if (json)
		BUF_LIT(out, "Content-Type: application/json\r\n");
	BUF_LIT(out, "Content-Length: ");
	buf_add_u64(out, body.len);
	BUF_LIT(out, "\r\n\r\n");
	buf_add(out, buf_view(&body));
	buf_destroy(&body);
	return known;
}

bool probe_write_request(const struct probe *probe, const struct probe_target *target, struct buf *out)
{
	bool open = false; /* the header section still wants its empty line */
	for (size_t i = 0; i < probe->count; i++) {
		struct view word = probe->steps[i].word;
		struct view text = probe->steps[i].text;
		bool known = true;
		if (view_equal(word, VIEW("ask"))) {
			known = ask_write(target, text, out);
			open = true;
		} else if (view_equal(word, VIEW(">"))) {
			known = expand(target, text, out);
			BUF_LIT(out, "\r\n");
			open = open && text.len > 0;
		} else if (view_equal(word, VIEW(">>"))) {
			known = expand(target, text, out);
		} else if (view_equal(word, VIEW("json")) || view_equal(word, VIEW("body"))) {
			known = body_write(target, text, view_equal(word, VIEW("json")), out);
			open = false;
		}
		if (!known)
			return false;
	}
	if (open)
		BUF_LIT(out, "\r\n");
	return buf_ok(out);
}

/* ---- the answer ---- */

/* What is being compared. */
struct check {
	const struct probe *probe;
	struct probe_target *target;
	const struct http_answer *answer;
	const cJSON *json; /* of the answer; NULL: it is none */
	struct buf *report;
	bool good;
};

static void complain(struct check *check, int line, struct view what, struct view detail)
{
	struct buf *out = check->report;
	check->good = false;
	BUF_LIT(out, "probes.txt:");
	buf_add_u64(out, (uint64_t)line);
	BUF_LIT(out, ": ");
	buf_add(out, check->target->server);
	BUF_LIT(out, ": ");
	buf_add(out, check->probe->name);
	BUF_LIT(out, ": ");
	buf_add(out, what);
	buf_add(out, detail);
	BUF_LIT(out, "\n");
}

static void complain_number(struct check *check, int line, struct view what, int number)
{
	struct buf text = buf_make(16);
	buf_add_u64(&text, (uint64_t)number);
	complain(check, line, what, buf_view(&text));
	buf_destroy(&text);
}

/* The header is there once, with that value; an absent `value` means that it is not there. */
static void check_header(struct check *check, int line, struct view name, struct view value)
{
	struct view first = http_header(check->answer, name, 0);
	bool alone = view_is_absent(http_header(check->answer, name, 1));
	if (view_is_absent(first) == view_is_absent(value) && view_equal(first, value) && alone)
		return;
	complain(check, line, VIEW("wrong or repeated header "), name);
}

static void check_header_there(struct check *check, int line, struct view name)
{
	if (view_is_absent(http_header(check->answer, name, 0)))
		complain(check, line, VIEW("missing header "), name);
}

static bool is_request_id(struct view id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!((id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'f')))
			return false;
	return id.len == 32;
}

/* What each answer of a responder carries. */
static void check_responder(struct check *check, int line)
{
	static const struct header {
		struct view name;
		struct view value;
	} always[] = {
	        {VIEW("X-Content-Type-Options"), VIEW("nosniff")},
	        {VIEW("X-Frame-Options"), VIEW("DENY")},
	        {VIEW("Referrer-Policy"), VIEW("no-referrer")},
	        {VIEW("Content-Security-Policy"), VIEW("default-src 'none'")},
	        {VIEW("Cache-Control"), VIEW("no-store")},
	        {VIEW("Vary"), VIEW("Origin")},
	        {VIEW("Access-Control-Allow-Credentials"), ABSENT},
	        {VIEW("Strict-Transport-Security"), ABSENT},
	        {VIEW("Set-Cookie"), ABSENT},
	        {VIEW("Status"), ABSENT},
	};
	int status = check->answer->status;
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		check_header(check, line, always[i].name, always[i].value);
	if (!is_request_id(http_header(check->answer, VIEW("X-Request-Id"), 0)))
		complain(check, line, VIEW("bad X-Request-Id"), ABSENT);
	bool cross = !view_is_absent(http_header(check->answer, VIEW("Access-Control-Allow-Origin"), 0));
	check_header(check, line, VIEW("Cross-Origin-Resource-Policy"),
	             cross ? VIEW("cross-origin") : VIEW("same-origin"));
	struct view challenge = http_header(check->answer, VIEW("WWW-Authenticate"), 0);
	if ((status == 401) != view_starts(challenge, VIEW("Bearer realm=\"")))
		complain(check, line, VIEW("wrong WWW-Authenticate: "), challenge);
	if (status == 405)
		check_header_there(check, line, VIEW("Allow"));
	if (status == 503 || status == 504)
		check_header_there(check, line, VIEW("Retry-After"));
}

static void check_problem(struct check *check, int line, struct view code)
{
	static const char *const members[] = {"type", "title", "detail", "code", "request_id"};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_member_text(check->json, members[i]).len == 0)
			complain(check, line, VIEW("problem document without "), view_of(members[i]));
	int64_t status = 0;
	if (!json_to_integer(json_member(check->json, "status"), &status) || status != check->answer->status)
		complain(check, line, VIEW("problem document with another status"), ABSENT);
	struct view actual = json_member_text(check->json, "code");
	if (!view_equal(actual, code))
		complain(check, line, VIEW("wrong code: "), actual);
	if (!view_equal(json_member_text(check->json, "request_id"),
	                http_header(check->answer, VIEW("X-Request-Id"), 0)))
		complain(check, line, VIEW("two request ids"), ABSENT);
}

/* A body, its type, its length; and that it is JSON if it was sent. */
static void check_json(struct check *check, int line, struct view type, bool to_head)
{
	check_header(check, line, VIEW("Content-Type"), type);
	check_header_there(check, line, VIEW("Content-Length"));
	if (!to_head && !check->json)
		complain(check, line, VIEW("the body is not JSON"), ABSENT);
}

static void check_no_content(struct check *check, int line)
{
	check_header(check, line, VIEW("Content-Type"), ABSENT);
	check_header(check, line, VIEW("Content-Length"), ABSENT);
	check_header(check, line, VIEW("Transfer-Encoding"), ABSENT);
	if (check->answer->body.len > 0)
		complain(check, line, VIEW("a body where there is none"), ABSENT);
}

/* "STATUS WHO [CODE]" */
static void check_status(struct check *check, int line, struct view text, bool to_head)
{
	uint64_t status = 0;
	struct view number = view_cut(&text, ' ');
	struct view who = view_cut(&text, ' ');
	if (!view_to_u64(number, 599, &status)) {
		complain(check, line, VIEW("no status: "), number);
		return;
	}
	if ((int)status != check->answer->status) {
		complain_number(check, line, VIEW("status "), check->answer->status);
		return;
	}
	if (view_equal(who, VIEW("json"))) {
		check_responder(check, line);
		check_json(check, line, VIEW("application/json"), to_head);
	} else if (view_equal(who, VIEW("text"))) {
		check_responder(check, line);
		check_header_there(check, line, VIEW("Content-Length"));
	} else if (view_equal(who, VIEW("problem"))) {
		check_responder(check, line);
		check_json(check, line, VIEW("application/problem+json"), to_head);
		if (!to_head)
			check_problem(check, line, text);
	} else if (view_equal(who, VIEW("empty"))) {
		check_responder(check, line);
		check_no_content(check, line);
	} else if (view_equal(who, VIEW("server"))) {
		int64_t member = 0;
		check_json(check, line, VIEW("application/problem+json"), to_head);
		check_header(check, line, VIEW("X-Request-Id"), ABSENT);
		if (!to_head &&
		    (!json_to_integer(json_member(check->json, "status"), &member) || member != check->answer->status))
			complain(check, line, VIEW("error document with another status"), ABSENT);
	} else if (!view_equal(who, VIEW("page")) && !view_equal(who, VIEW("bare"))) {
		complain(check, line, VIEW("not known who answers: "), who);
	}
}

/* The node at "a.b.c", of objects alone. */
static const cJSON *node_at(const cJSON *json, struct view path)
{
	while (json && !view_is_absent(path)) {
		char name[64];
		struct view part = view_cut(&path, '.');
		if (part.len >= sizeof name)
			return NULL;
		memcpy(name, part.ptr, part.len);
		name[part.len] = '\0';
		json = json_member(json, name);
	}
	return json;
}

/* ".path = JSON" */
static void check_member(struct check *check, int line, struct view text)
{
	struct arena arena;
	const cJSON *wanted = NULL;
	struct buf value = buf_make(TEXT_MAX);
	struct view path = view_cut(&text, ' ');
	bool equals = view_equal(view_cut(&text, ' '), VIEW("="));
	if (!arena_init(&arena, JSON_ARENA))
		abort();
	if (!equals || !expand(check->target, text, &value) || json_parse(&arena, buf_view(&value), &wanted) != JSON_OK)
		complain(check, line, VIEW("no expectation: "), text);
	else if (!cJSON_Compare(node_at(check->json, view_from(path, 1)), wanted, true))
		complain(check, line, VIEW("wrong member "), path);
	buf_destroy(&value);
	arena_destroy(&arena);
}

/* "Name: value", "Name ~ part" or "-Name" */
static void check_header_line(struct check *check, int line, struct view text)
{
	struct buf value = buf_make(TEXT_MAX);
	size_t colon = view_find(text, ':');
	size_t tilde = view_find(text, '~');
	size_t end = tilde < colon ? tilde : colon;
	struct view name = view_trim((struct view){text.ptr, end});
	if (text.ptr[0] == '-') {
		check_header(check, line, view_from(text, 1), ABSENT);
	} else if (end == text.len || !expand(check->target, view_trim(view_from(text, end + 1)), &value)) {
		complain(check, line, VIEW("no expectation: "), text);
	} else if (tilde < colon) {
		struct view actual = http_header(check->answer, name, 0);
		if (actual.len == 0 || !memmem(actual.ptr, actual.len, value.ptr, value.len))
			complain(check, line, VIEW("wrong header "), name);
	} else {
		check_header(check, line, name, buf_view(&value));
	}
	buf_destroy(&value);
}

/* ---- one probe ---- */

/* Is the server's name among those before the colon? */
static bool names_server(struct view text, struct view server)
{
	struct view names = view_cut(&text, ':');
	while (!view_is_absent(names))
		if (view_equal(view_cut(&names, ' '), server))
			return true;
	return false;
}

/* Where the expectations for this server begin: after its own "on" line, else at the first "<". */
static size_t expectations_find(const struct probe *probe, struct view server)
{
	size_t first = probe->count;
	for (size_t i = probe->count; i-- > 0;) {
		if (view_equal(probe->steps[i].word, VIEW("on")) && names_server(probe->steps[i].text, server))
			return i + 1;
		if (view_equal(probe->steps[i].word, VIEW("<")))
			first = i;
	}
	return first;
}

static bool begins_with_digit(struct view text)
{
	return text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9';
}

static void keep(struct check *check, const struct probe_step *step)
{
	struct probe_target *target = check->target;
	struct view path = step->text;
	struct view name = view_cut(&path, ' ');
	struct view value = ABSENT;
	if (view_starts(path, VIEW(".")))
		value = json_text(node_at(check->json, view_from(path, 1)));
	if (value.len == 0 || target->kept_count == PROBE_KEPT_MAX) {
		complain(check, step->line, VIEW("nothing to keep at "), path);
		return;
	}
	char *copy = arena_string(target->arena, value);
	if (!copy)
		abort();
	target->kept_names[target->kept_count] = name;
	target->kept_values[target->kept_count++] = view_of(copy);
}

/* Compares the answer with the lines from *at to the next "then" line, or to the end of these expectations. */
static void check_lines(struct check *check, size_t *at, bool to_head)
{
	for (bool first = true; *at < check->probe->count; ++*at, first = false) {
		const struct probe_step *step = &check->probe->steps[*at];
		struct view text = step->text;
		if (view_equal(step->word, VIEW("keep"))) {
			keep(check, step);
			continue;
		}
		if (!view_equal(step->word, VIEW("<")) || (!first && view_starts(text, VIEW("then "))))
			return;
		if (view_starts(text, VIEW("then ")))
			text = view_from(text, 5);
		if (begins_with_digit(text))
			check_status(check, step->line, text, to_head);
		else if (text.len > 0 && text.ptr[0] == '.')
			check_member(check, step->line, text);
		else
			check_header_line(check, step->line, text);
	}
}

static void show(struct check *check)
{
	struct view body = check->answer->body;
	struct buf *out = check->report;
	BUF_LIT(out, "    the answer was ");
	buf_add_u64(out, (uint64_t)check->answer->status);
	BUF_LIT(out, "\n");
	for (struct view rest = check->answer->head; rest.len > 0;) {
		BUF_LIT(out, "    ");
		buf_add(out, view_cut(&rest, '\r'));
		BUF_LIT(out, "\n");
		(void)view_cut(&rest, '\n');
	}
	for (size_t i = 0; i < body.len && i < SHOWN_MAX; i++)
		buf_add_char(out, body.ptr[i] >= ' ' || body.ptr[i] == '\n' ? body.ptr[i] : '?');
	BUF_LIT(out, "\n");
}

/* Reads one answer and compares it. False: there was none. */
static bool check_answer(struct check *check, struct http *http, bool to_head, size_t *at)
{
	struct http_answer answer;
	struct arena arena;
	int line = check->probe->steps[*at].line;
	bool close_wanted = view_equal(check->probe->steps[*at].text, VIEW("closed"));
	enum http_result result = http_receive(http, to_head, &answer);
	if (result != HTTP_OK) {
		if (!close_wanted || result != HTTP_CLOSED)
			complain(check, line, VIEW("got "), view_of(http_result_text(result)));
		++*at;
		return false;
	}
	if (!arena_init(&arena, JSON_ARENA))
		abort();
	check->answer = &answer;
	check->json = answer.body.len > 0 ? http_json(&answer, &arena) : NULL;
	if (close_wanted)
		complain(check, line, VIEW("an answer instead of a closed connection"), ABSENT);
	else
		check_lines(check, at, to_head);
	if (!check->good)
		show(check);
	arena_destroy(&arena);
	http_answer_destroy(&answer);
	return !close_wanted;
}

/* No byte follows what was expected, when the server has closed. */
static void check_silence(struct check *check, struct http *http, int line)
{
	struct http_answer answer;
	enum http_result result = http_receive(http, false, &answer);
	if (result == HTTP_OK) {
		complain_number(check, line, VIEW("one answer too many: "), answer.status);
		http_answer_destroy(&answer);
	} else if (result != HTTP_CLOSED) {
		complain(check, line, VIEW("after the answer: "), view_of(http_result_text(result)));
	}
}

static bool has_step(const struct probe *probe, struct view word)
{
	for (size_t i = 0; i < probe->count; i++)
		if (view_equal(probe->steps[i].word, word))
			return true;
	return false;
}

static bool run_once(const struct probe *probe, struct probe_target *target, struct buf *report)
{
	struct check check = {.probe = probe, .target = target, .report = report, .good = true};
	struct http http;
	struct buf request = buf_make(REQUEST_MAX);
	int line = probe->steps[0].line;
	size_t at = expectations_find(probe, target->server);
	if (at == probe->count || !probe_write_request(probe, target, &request)) {
		complain(&check, line, VIEW("the probe can't be understood"), ABSENT);
	} else if (!http_open(target->port, &http)) {
		complain(&check, line, VIEW("nobody listens"), ABSENT);
	} else {
		bool to_head = view_starts(buf_view(&request), VIEW("HEAD "));
		http_send(&http, buf_view(&request));
		if (has_step(probe, VIEW("shut")))
			http_shut(&http);
		bool answered = check_answer(&check, &http, to_head, &at);
		/* Told that no more will come, the server closes when it has said all: so an answer too
		 * many is seen without waiting for what does not come. */
		http_shut(&http);
		while (answered && at < probe->count && view_starts(probe->steps[at].text, VIEW("then ")))
			answered = check_answer(&check, &http, false, &at);
		if (answered)
			check_silence(&check, &http, line);
		http_close(&http);
	}
	buf_destroy(&request);
	return check.good;
}

bool probe_run(const struct probe *probe, struct probe_target *target, struct buf *report)
{
	uint64_t times = 1;
	bool good = true;
	for (size_t i = 0; i < probe->count; i++)
		if (view_equal(probe->steps[i].word, VIEW("times")) &&
		    !view_to_u64(probe->steps[i].text, TIMES_MAX, &times))
			times = 0;
	for (uint64_t i = 0; i < times && good; i++)
		good = run_once(probe, target, report);
	return good && times > 0;
}
