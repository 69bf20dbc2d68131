/* Serves one request without a server, and knows what every answer must be like. */
#include "fuzz/request.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz/fuzz.h"
#include "fuzz/keys.h"
#include "fuzz/second.h"
#include "support/buffers.h"

#define SESSION                                                                                                 \
	"{\"session\":{\"userId\":\"u1\",\"expiresAt\":\"2199-12-31T00:00:00.000Z\"},\"user\":{\"id\":\"u1\"}," \
	"\"iat\":1767225600,\"exp\":7258118400}"

/* ---- a program that has started ---- */

struct place {
	char state_dir[1024];
	char env_file[1024];
};

/* STATE_DIR, with an empty file of settings in it, so that nobody's own are read. It
 * can't lie below /tmp; a clone may. */
static struct place place_make(void)
{
	struct place place;
	char here[512];
	HOLDS(getcwd(here, sizeof here));
	if (view_starts(view_of(here), VIEW("/tmp/")) || view_starts(view_of(here), VIEW("/var/tmp/")))
		snprintf(place.state_dir, sizeof place.state_dir, "STATE_DIR=%s/.todo-fcgi-fuzz",
		         getpwuid(geteuid())->pw_dir);
	else
		snprintf(place.state_dir, sizeof place.state_dir, "STATE_DIR=%s/build/fuzz-state", here);
	const char *folder = strchr(place.state_dir, '/');
	snprintf(place.env_file, sizeof place.env_file, "TODO_ENV_FILE=%s/env", folder);
	mkdir(folder, 0700);
	close(open(strchr(place.env_file, '/'), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return place;
}

static struct app *started(const struct app_program *program)
{
	static struct app app;
	if (app.parts.keyring)
		return &app;
	/* Settings are read again when their file has changed. */
	static struct place place;
	static char *environment[] = {
	        "BETTER_AUTH_SECRET=" FUZZ_SECRET,
	        "BETTER_AUTH_URL=" FUZZ_ORIGIN,
	        "AUTH_COOKIE=on",
	        "CORS_ORIGINS=https://app.example,http://localhost:3000",
	        "TODO_DATABASE_URL=postgresql://todo_app@/todo?host=/nonexistent",
	        "LOG_REQUESTS=off",
	        place.state_dir,
	        place.env_file,
	        NULL,
	};
	const struct config_source source = {environment, ABSENT};
	place = place_make();
	struct buf error = buf_make(4096);
	log_open("fuzz", LOG_JSON, (enum log_level)(LOG_LEVEL_ERROR + 1));
	if (!app_open(program, &source, &app, &error))
		fuzz_find(fuzz_string(buf_view(&error)), __FILE__, __LINE__);
	return &app;
}

/* ---- what is asked ---- */

static struct view with_credential(struct view value, struct view credential)
{
	struct view rest = value;
	struct view before = view_cut(&rest, '@');
	return view_is_absent(rest) ? value : fuzz_join(fuzz_join(before, credential), rest);
}

static void set(struct buffers *buffers, struct view name, struct view value)
{
	if (buffers->parameter_count == BUFFERS_PARAMETERS_MAX)
		return;
	if (view_equal(name, VIEW("HTTP_AUTHORIZATION")))
		value = with_credential(value, keys_issued(0));
	if (view_equal(name, VIEW("HTTP_COOKIE")))
		value = with_credential(value, keys_sign_shared(VIEW("{\"alg\":\"HS256\"}"), VIEW(SESSION)));
	buffers_set(buffers, fuzz_string(name), fuzz_string(value));
}

static struct view parameter(const struct transport *transport, struct view name)
{
	return transport->parameter(transport->context, name);
}

/* ---- what is answered ---- */

struct answer {
	struct view head; /* with the line end of its last line */
	struct view body;
};

static struct answer split(struct view written)
{
	const char *end = written.len > 0 ? memmem(written.ptr, written.len, "\r\n\r\n", 4) : NULL;
	HOLDS(end != NULL);
	size_t len = (size_t)(end - written.ptr) + 2;
	return (struct answer){{written.ptr, len}, view_from(written, len + 2)};
}

/* ABSENT: there is none. */
static struct view header(const struct answer *answer, struct view name)
{
	struct view found = ABSENT;
	for (struct view rest = answer->head; rest.len > 0;) {
		struct view value = view_cut(&rest, '\n');
		if (!view_equal(view_cut(&value, ':'), name))
			continue;
		HOLDS(view_is_absent(found));
		found = view_trim((struct view){value.ptr, value.len - 1});
	}
	return found;
}

static void lines_are_headers(struct view head)
{
	while (head.len > 0) {
		struct view line = view_cut(&head, '\n');
		HOLDS(second_matches(line, "[A-Za-z-]+: [^\001-\037\177]*\r") && view_find(line, '\0') == line.len);
	}
}

static void body_is_json(const struct answer *answer, bool to_head)
{
	char length[24];
	struct view announced = header(answer, VIEW("Content-Length"));
	if (to_head) {
		HOLDS(answer->body.len == 0);
		return;
	}
	HOLDS(view_is_absent(announced) == (answer->body.len == 0));
	if (view_is_absent(announced))
		return;
	snprintf(length, sizeof length, "%zu", answer->body.len);
	json_t *document = second_json(answer->body);
	HOLDS(view_equal(announced, view_of(length)) && document);
	json_decref(document);
}

/* A credential and its own path come before everything that needs them. */
static void guard_stood(struct view status, const struct transport *transport)
{
	struct view target = parameter(transport, VIEW("REQUEST_URI"));
	struct view path = second_unescape((struct view){target.ptr, view_find(target, '?')});
	struct view rest = path;
	bool sent = parameter(transport, VIEW("HTTP_AUTHORIZATION")).len > 100 ||
	            parameter(transport, VIEW("HTTP_COOKIE")).len > 100;
	if (second_matches(status, "204|400|401|403|404|405"))
		return;
	HOLDS(sent);
	(void)view_cut(&rest, '/');
	if (view_equal(view_cut(&rest, '/'), VIEW("api")))
		HOLDS(view_equal(view_cut(&rest, '/'), VIEW(FUZZ_USER)));
}

void request_fuzz(const struct app_program *program, struct view input)
{
	BUFFERS buffers = buffers_make();
	struct transport transport = buffers_transport(&buffers);
	struct view rest = input;
	while (!view_is_absent(rest)) {
		struct view value = view_cut(&rest, '\n');
		struct view name = view_cut(&value, '=');
		if (name.len == 0)
			break;
		if (!view_is_absent(value))
			set(&buffers, name, value);
	}
	buffers.body = rest;
	app_serve(started(program), program, &transport);
	HOLDS(buffers.body.len == 0);

	struct answer answer = split(buf_view(&buffers.written));
	struct view status = header(&answer, VIEW("Status"));
	struct view number = view_cut(&status, ' ');
	lines_are_headers(answer.head);
	HOLDS(second_matches(number, "200|204|400|401|403|404|405|406|413|415|422|428|503"));
	HOLDS(second_matches(header(&answer, VIEW("X-Request-Id")), "[0-9a-f]{32}"));
	HOLDS(view_is_absent(header(&answer, VIEW("WWW-Authenticate"))) == !view_equal(number, VIEW("401")));
	HOLDS(view_is_absent(header(&answer, VIEW("Access-Control-Allow-Origin"))) ||
	      second_matches(parameter(&transport, VIEW("HTTP_ORIGIN")),
	                     "https://app\\.example|http://localhost:3000"));
	body_is_json(&answer, view_equal(parameter(&transport, VIEW("REQUEST_METHOD")), VIEW("HEAD")));
	guard_stood(number, &transport);
}
