/* The same questions to every web server: tests/e2e/probes.txt through lighttpd
 * and Apache, with FastCGI and with plain CGI. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/sign.h"
#include "base/clock.h"
#include "http/router.h"
#include "support/probe.h"
#include "support/stack.h"

#define SECRET "2f1d7c9b4e8a60f3955b7c21d04ae86f"
#define FORGER "9a3c5e7f1b2d4c6e8f0a1b3c5d7e9f20"

enum {
	PROBES_MAX_TEXT = 256 * 1024,
	ARENA_MAX = 64 * 1024,
	REPORT_MAX = 4 * 1024 * 1024,
	TOKEN_MAX = 64 * 1024,
	ID_LENGTH = 32
};

/* ---- what placeholders stand for ---- */

struct names {
	const char *origin; /* issuer and audience of good tokens */
};

/* The id of a user of that name, of the form that Better Auth makes; any other name is an id by itself. */
static void user_write(struct view name, struct buf *out)
{
	if (!view_equal(name, VIEW("alice")) && !view_equal(name, VIEW("mallory"))) {
		buf_add(out, name);
		return;
	}
	buf_add(out, name);
	for (size_t i = name.len; i < ID_LENGTH; i++)
		buf_add_char(out, (char)('A' + i % 26));
}

static bool id_write(struct view name, struct buf *out)
{
	struct buf id = buf_make(ID_LENGTH);
	if (view_equal(name, VIEW("alice-rest"))) {
		user_write(VIEW("alice"), &id);
		buf_add(out, view_from(buf_view(&id), 1));
	} else if (view_equal(name, VIEW("alice-upper"))) {
		user_write(VIEW("alice"), &id);
		for (size_t i = 0; i < id.len; i++)
			buf_add_char(out, (char)(id.ptr[i] >= 'a' ? id.ptr[i] - 'a' + 'A' : id.ptr[i]));
	} else {
		user_write(name, out);
	}
	buf_destroy(&id);
	return true;
}

/* A token for the user of that name, with a claim that pads it out by so many bytes. */
static bool token_write(const struct names *names, struct view name, const char *secret, int64_t expires_in,
                        size_t padding, struct buf *out)
{
	struct buf claims = buf_make(TOKEN_MAX);
	struct buf id = buf_make(TOKEN_MAX);
	int64_t now = clock_now() / CLOCK_SECOND;
	user_write(name, &id);
	BUF_LIT(&claims, "{\"sub\":");
	buf_add_json(&claims, buf_view(&id));
	BUF_LIT(&claims, ",\"iss\":");
	buf_add_json(&claims, view_of(names->origin));
	BUF_LIT(&claims, ",\"aud\":");
	buf_add_json(&claims, view_of(names->origin));
	BUF_LIT(&claims, ",\"iat\":");
	buf_add_u64(&claims, (uint64_t)(now + (expires_in < 0 ? expires_in : 0)));
	BUF_LIT(&claims, ",\"exp\":");
	buf_add_u64(&claims, (uint64_t)(now + expires_in));
	BUF_LIT(&claims, ",\"pad\":\"");
	for (size_t i = 0; i < padding; i++)
		buf_add_char(&claims, 'x');
	BUF_LIT(&claims, "\"}");
	bool made = sign_token(ALG_HS256, view_of(secret), buf_view(&claims), out);
	buf_destroy(&id);
	buf_destroy(&claims);
	return made;
}

/* A good token of exactly so many bytes: three of padding make four of the token. */
static bool sized_token_write(const struct names *names, struct view name, size_t size, struct buf *out)
{
	bool made = false;
	struct buf token = buf_make(TOKEN_MAX);
	for (size_t padding = size / 2; !made && padding < size; padding++) {
		buf_reset(&token, TOKEN_MAX);
		if (!token_write(names, name, SECRET, 600, padding, &token) || token.len > size)
			break;
		made = token.len == size;
	}
	if (made)
		buf_add(out, buf_view(&token));
	buf_destroy(&token);
	return made;
}

static bool placeholder(void *context, struct view word, struct view argument, struct buf *out)
{
	const struct names *names = context;
	struct view name = view_cut(&argument, ':');
	uint64_t size;
	if (view_equal(word, VIEW("user")))
		return id_write(name, out);
	if (view_equal(word, VIEW("forged")))
		return token_write(names, name, FORGER, 600, 0, out);
	if (view_equal(word, VIEW("expired")))
		return token_write(names, name, SECRET, -600, 0, out);
	if (!view_equal(word, VIEW("token")))
		return false;
	if (view_is_absent(argument))
		return token_write(names, name, SECRET, 600, 0, out);
	if (!view_to_u64(argument, TOKEN_MAX, &size)) {
		/* A colon in a user's id, then. */
		name.len += argument.len + 1;
		return token_write(names, name, SECRET, 600, 0, out);
	}
	return sized_token_write(names, name, (size_t)size, out);
}

/* ---- the file ---- */

static struct buf probes_read(void)
{
	struct buf text = buf_make(PROBES_MAX_TEXT);
	FILE *file = fopen("tests/e2e/probes.txt", "r");
	cr_assert_not_null(file, "tests run from the root of the clone");
	for (size_t got = 1; got > 0; text.len += got) {
		char *room = buf_reserve(&text, 4096);
		cr_assert_not_null(room);
		got = fread(room, 1, 4096, file);
	}
	fclose(file);
	return text;
}

/* Asks what the file says, and fails for every difference. */
static void run(const char *server, struct stack *stack)
{
	struct arena arena;
	cr_assert(arena_init(&arena, ARENA_MAX));
	struct names names = {.origin = stack_value(stack, "BASE_URL")};
	struct probe_target target = {
	        .server = view_of(server),
	        .port = stack_port(stack),
	        .placeholder = placeholder,
	        .context = &names,
	        .arena = &arena,
	};
	struct buf text = probes_read();
	struct buf report = buf_make(REPORT_MAX);
	struct view rest = buf_view(&text);
	struct probe probe;
	int line = 1;
	int bad;
	while (probe_next(&rest, &line, &probe, &bad)) {
		buf_reset(&report, REPORT_MAX);
		bool good = probe_run(&probe, &target, &report);
		cr_expect(good, "%.*s", VIEW_ARGS(buf_view(&report)));
	}
	cr_expect_eq(bad, 0, "probes.txt:%d can't be understood", bad);
	buf_destroy(&report);
	buf_destroy(&text);
	arena_destroy(&arena);
}

/* ---- no endpoint without a probe ---- */

/* Do the segments fit, a route's "{…}" to anything? */
static bool path_fits(struct view route, struct view target)
{
	target = view_cut(&target, '?');
	while (!view_is_absent(route) && !view_is_absent(target)) {
		struct view expected = view_cut(&route, '/');
		struct view actual = view_cut(&target, '/');
		if (!view_starts(expected, VIEW("{")) && !view_equal(expected, actual))
			return false;
	}
	return view_is_absent(route) && view_is_absent(target);
}

/* Does the probe ask for this route, and expect it to go well? */
static bool asks_for(const struct probe *probe, const struct route_row *row, struct view method)
{
	bool asks = false;
	for (size_t i = 0; i < probe->count; i++) {
		struct view text = probe->steps[i].text;
		if (view_equal(probe->steps[i].word, VIEW("ask")))
			asks = view_equal(view_cut(&text, ' '), method) && path_fits(row->path, view_cut(&text, ' '));
		else if (view_equal(probe->steps[i].word, VIEW("<")))
			return asks && view_starts(text, VIEW("2"));
	}
	return false;
}

static const struct {
	struct view method;
	enum route route;
} rows[] = {
#define ROUTE(NAME, METHOD, path, PROGRAM, GUARD, BODY) {VIEW(#METHOD), ROUTE_##NAME},
#include "http/routes.def"
#undef ROUTE
};

Test(probes, ask_for_every_route)
{
	struct buf text = probes_read();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct route_row *row = route_row(rows[i].route);
		struct view rest = buf_view(&text);
		struct probe probe;
		bool asked = false;
		int line = 1;
		int bad;
		while (!asked && probe_next(&rest, &line, &probe, &bad))
			asked = asks_for(&probe, row, rows[i].method);
		cr_expect(asked, "no probe for %.*s %.*s", VIEW_ARGS(rows[i].method), VIEW_ARGS(row->path));
	}
	buf_destroy(&text);
}

/* ---- one server after the other ---- */

static void ask_all(const char *server, const char *name)
{
	char setting[64];
	snprintf(setting, sizeof setting, "SERVER=%s", server);
	const char *const settings[] = {
	        setting,
	        "BETTER_AUTH_SECRET=" SECRET,
	        "CORS_ORIGINS=https://app.example",
	        "METRICS_TOKEN=a-token-for-operators-alone",
	        NULL,
	};
	struct stack stack = stack_make(name, settings);
	cr_assert(stack_up(&stack), "%s does not start:\n%s", server, stack.said.ptr);
	run(server, &stack);
	cr_expect(stack_down(&stack), "%s does not stop:\n%s", server, stack.said.ptr);
	stack_destroy(&stack);
}

Test(probes, lighttpd)
{
	ask_all("lighttpd", "probes-l");
}

Test(probes, apache)
{
	ask_all("apache", "probes-a");
}

Test(probes, apache_proxy)
{
	ask_all("apache-proxy", "probes-ap");
}

Test(probes, nginx)
{
	ask_all("nginx", "probes-n");
}

Test(probes, apache_plain_cgi)
{
	ask_all("apache-cgi", "probes-acgi");
}

Test(probes, lighttpd_plain_cgi)
{
	ask_all("lighttpd-cgi", "probes-lcgi");
}
