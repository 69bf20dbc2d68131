/* authorizer.fcgi guards a folder of files and PHP, with the samples of both web servers as they are but for their
 * places. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/api.h"
#include "support/http2.h"
#include "support/web_server.h"

static void teardown(void)
{
	web_server_end();
	api_end();
}

TestSuite(authorizer, .fini = teardown, .timeout = 300);

#define MODULES "/usr/lib/apache2/modules/mod_"
#define WHO "/members/who.php"
#define NOTES "/members/notes.txt"
#define COOKIE "__Secure-better-auth.session_data"

enum { APACHE, LIGHTTPD, CROWD = 64, BACKLOG = 4, LARGE = 100000 };

struct guarded {
	struct web_server server;
	const char *program;
};

/* ---- the servers ---- */

static void write_file(const struct guarded *guarded, const char *name, const char *text)
{
	(void)auth_folder_write(&guarded->server.folder, name, view_of(text), 0600);
}

static const char *place_of(const struct guarded *guarded)
{
	return guarded->server.folder.path;
}

static void write_content(const struct guarded *guarded, const char *program)
{
	const char *const folders[] = {"programs", "www", "www/members", "run", "state"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		cr_assert_eq(mkdir(ask_format("%s/%s", place_of(guarded), folders[i]), 0700), 0);
	write_file(guarded, "www/open.txt", "open to all");
	write_file(guarded, "www/members/notes.txt", PRIVATE);
	write_file(guarded, "www/members/who.php",
	           "<?php header('X-Saw: ' . $_SERVER['REQUEST_METHOD']);"
	           " echo $_SERVER['TODO_USER'] ?? 'nobody', '|', file_get_contents('php://input');");
	write_file(guarded, "env",
	           ask_format("BETTER_AUTH_SECRET=" API_SECRET "\nBETTER_AUTH_URL=" API_ORIGIN
	                      "\nAUTH_COOKIE=1\nSTATE_DIR=%s/state\n",
	                      place_of(guarded)));
	cr_assert_eq(system(ask_format("cp '%s' '%s'", responder_program(program), guarded->program)), 0);
}

/* A sample with the places and limits of this test, behind what the test's configuration says. */
static void write_configuration(const struct guarded *guarded, const char *name, const char *before, const char *sample,
                                const char *after)
{
	write_file(guarded, name, before);
	cr_assert_eq(system(ask_format("sed -e 's,/usr/local/lib/todo-fcgi/authorizer.fcgi,%s,'"
	                               " -e 's,/run/lighttpd/,%s/run/,; s,/etc/todo-fcgi/env,%s/env,'"
	                               " -e 's,\"WORKERS\" => \"4\",\"WORKERS\" => \"0\",'"
	                               " -e 's,\"read-timeout\" => 60,\"read-timeout\" => 1,'"
	                               " -e 's,\"listen-backlog\" => 4096,\"listen-backlog\" => %d,' %s >>'%s/%s'",
	                               guarded->program, place_of(guarded), place_of(guarded), BACKLOG, sample,
	                               place_of(guarded), name)),
	             0);
	cr_assert_eq(system(ask_format("printf '%%s' '%s' >>'%s/%s'", after, place_of(guarded), name)), 0);
}

static const char *apache_frame(const struct guarded *guarded)
{
	static const char *const modules[] = {"mpm_event", "authz_core", "dir", "mime", "fcgid", "env"};
	const char *place = place_of(guarded);
	const char *text = ask_format("ServerRoot %s/run\nDefaultRuntimeDir %s/run\nPidFile %s/run/pid\n"
	                              "Mutex file:%s/run default\nErrorLog /dev/stderr\nServerName localhost\n"
	                              "Listen 127.0.0.1:%d\nTypesConfig /dev/null\n",
	                              place, place, place, place, guarded->server.port);
	for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
		text = ask_format("%sLoadModule %s_module " MODULES "%s.so\n", text, modules[i], modules[i]);
	return ask_format("%sFcgidIPCDir %s/run/fcgid\nFcgidProcessTableFile %s/run/fcgid.table\n"
	                  "FcgidInitialEnv TODO_ENV_FILE %s/env\nFcgidIOTimeout 1\nFcgidMaxProcessesPerClass 1\n"
	                  "DocumentRoot %s/www\n<Directory %s/www>\nRequire all granted\nOptions None\n"
	                  "AllowOverride AuthConfig FileInfo Indexes Options=ExecCGI\n</Directory>\n",
	                  text, place, place, place, place, place);
}

/* With that program for the authorizer, and what else the server is told. */
static struct guarded guarded_by(const char *program, int kind, const char *more)
{
	struct guarded guarded = {.server = web_server_make()};
	const char *place = guarded.server.folder.path;
	guarded.program = ask_format("%s/programs/authorizer.fcgi", place);
	write_content(&guarded, program);
	if (kind == LIGHTTPD) {
		write_configuration(&guarded, "lighttpd.conf",
		                    ask_format("server.modules = ( \"mod_fastcgi\" )\nserver.bind = \"127.0.0.1\"\n"
		                               "server.port = %d\nserver.document-root = \"%s/www\"\n"
		                               "index-file.names = ( \"who.php\" )\n",
		                               guarded.server.port, place),
		                    "lighttpd/guard.conf.sample", more);
		web_server_start(&guarded.server, (const char *const[]){"lighttpd", "-D", "-f",
		                                                        ask_format("%s/lighttpd.conf", place), NULL});
	} else {
		write_file(&guarded, "apache.conf", ask_format("%s%s", apache_frame(&guarded), more));
		write_configuration(&guarded, "www/members/.htaccess", "", "apache/guard.htaccess.sample",
		                    "Options +ExecCGI\nAddHandler fcgid-script .php\n"
		                    "FcgidWrapper /usr/bin/php-cgi .php\nDirectoryIndex who.php\n");
		web_server_start(&guarded.server, (const char *const[]){"apache2", "-D", "FOREGROUND", "-f",
		                                                        ask_format("%s/apache.conf", place), NULL});
	}
	return guarded;
}

static struct guarded guarded_start(int kind)
{
	return guarded_by("authorizer", kind, "");
}

/* ---- asking ---- */

struct seen {
	int status;
	const char *body;
	const char *challenge; /* "" without one */
	const char *method;    /* that the page saw; "" when it was not reached */
	const char *type;
	bool marked; /* the authorizer's own headers are in the answer */
};

static const char *header_of(const struct http_answer *answer, const char *name)
{
	struct view value = http_header(answer, view_of(name), 0);
	return view_is_absent(value) ? "" : ask_keep(value);
}

static struct seen ask(const struct guarded *guarded, const struct http_ask *request)
{
	struct http_answer answer;
	enum http_result result = http_ask(guarded->server.port, request, &answer);
	cr_assert_eq(result, HTTP_OK, "%s %s: %s", request->method, request->target, http_result_text(result));
	const struct seen seen = {
	        .status = answer.status,
	        .body = ask_keep(answer.body),
	        .challenge = header_of(&answer, "WWW-Authenticate"),
	        .method = header_of(&answer, "X-Saw"),
	        .type = header_of(&answer, "Content-Type"),
	        .marked = *header_of(&answer, "Content-Security-Policy") || *header_of(&answer, "X-Request-Id"),
	};
	http_answer_destroy(&answer);
	return seen;
}

static struct seen get(const struct guarded *guarded, const char *target, const char *token)
{
	return ask(guarded, &(struct http_ask){.method = "GET", .target = target, .token = token});
}

/* Kept out, and nothing of what is guarded is in the answer. */
static void expect_kept_out(struct seen seen, const char *what)
{
	cr_expect(seen.status >= 400, "%s: %d", what, seen.status);
	cr_expect_str_eq(seen.method, "", "%s: the page was reached", what);
	cr_expect_null(strstr(seen.body, PRIVATE), "%s: %s", what, seen.body);
}

static void expect_refused(struct seen seen, const char *challenge, const char *what)
{
	expect_kept_out(seen, what);
	cr_expect_eq(seen.status, 401, "%s: %d", what, seen.status);
	cr_expect_str_eq(seen.challenge, challenge, "%s: %s", what, seen.challenge);
}

static void expect_user(struct seen seen, const char *body, const char *what)
{
	cr_expect_eq(seen.status, 200, "%s: %d", what, seen.status);
	cr_expect_str_eq(seen.body, body, "%s: %s", what, seen.body);
}

#define NO_TOKEN "Bearer realm=\"todo\""
#define BAD_TOKEN "Bearer realm=\"todo\", error=\"invalid_token\""

static void lets_in_whom_the_token_names(int kind)
{
	const char *anna = api_token("anna");
	struct guarded guarded = guarded_start(kind);
	expect_refused(get(&guarded, WHO, NULL), NO_TOKEN, "nobody");
	expect_refused(get(&guarded, NOTES, NULL), NO_TOKEN, "nobody, a file");
	expect_refused(get(&guarded, "/members/", NULL), NO_TOKEN, "nobody, the folder");
	expect_refused(get(&guarded, "/members/missing", NULL), NO_TOKEN, "nobody, what is not there");
	expect_user(get(&guarded, "/open.txt", NULL), "open to all", "beside it");
	expect_user(get(&guarded, WHO, anna), "anna|", "anna");
	expect_user(get(&guarded, "/members/", anna), "anna|", "anna, the folder");
	expect_user(get(&guarded, NOTES, anna), PRIVATE, "anna, a file");
	cr_expect_eq(get(&guarded, "/members/missing", anna).status, 404);
	/* A page has its own policies; ours would take its scripts away. */
	cr_expect_not(get(&guarded, WHO, anna).marked);
	cr_expect_not(get(&guarded, NOTES, anna).marked);
	struct seen seen = get(&guarded, WHO, NULL);
	cr_expect(strstr(seen.body, "\"code\":\"unauthorized\"") && strstr(seen.body, "\"status\":401"), "%s",
	          seen.body);
	if (kind == LIGHTTPD)
		cr_expect_str_eq(seen.type, "application/problem+json");

	static const char *const others[] = {"u-5f0c", "Ünï ©", "a,b;c=\"d\"", "%61nna", "anna berta"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		expect_user(get(&guarded, WHO, api_token(others[i])), ask_format("%s|", others[i]), others[i]);
	/* Behind the web server they would be anna. */
	expect_refused(get(&guarded, WHO, api_token(" anna")), BAD_TOKEN, "a blank before");
	expect_refused(get(&guarded, WHO, api_token("anna ")), BAD_TOKEN, "a blank behind");
	web_server_stop(&guarded.server);
}

Test(authorizer, lets_in_whom_the_token_names_behind_lighttpd)
{
	lets_in_whom_the_token_names(LIGHTTPD);
}

Test(authorizer, lets_in_whom_the_token_names_behind_apache)
{
	lets_in_whom_the_token_names(APACHE);
}

static void passes_method_and_body_on(int kind)
{
	const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
	const char *anna = api_token("anna");
	struct guarded guarded = guarded_start(kind);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		struct http_ask request = {.method = methods[i], .target = WHO, .body = "{\"x\":1}"};
		expect_refused(ask(&guarded, &request), NO_TOKEN, methods[i]);
		request.token = anna;
		struct seen seen = ask(&guarded, &request);
		expect_user(seen, "anna|{\"x\":1}", methods[i]);
		cr_expect_str_eq(seen.method, methods[i]);
	}
	char *large = arena_calloc(ask_arena(), LARGE + 1, 1);
	cr_assert_not_null(large);
	memset(large, 'x', LARGE);
	struct seen seen =
	        ask(&guarded, &(struct http_ask){.method = "POST", .target = WHO, .token = anna, .body = large});
	expect_user(seen, ask_format("anna|%s", large), "a body that no authorizer would take");
	struct http_ask head = {.method = "HEAD", .target = WHO};
	expect_refused(ask(&guarded, &head), NO_TOKEN, "HEAD");
	head.token = anna;
	cr_expect_str_eq(ask(&guarded, &head).method, "HEAD");
	const struct http_ask preflight = {.method = "OPTIONS",
	                                   .target = WHO,
	                                   .headers =
	                                           "Origin: " API_ORIGIN "\r\nAccess-Control-Request-Method: PUT\r\n"};
	expect_refused(ask(&guarded, &preflight), NO_TOKEN, "a preflight");
	web_server_stop(&guarded.server);
}

Test(authorizer, passes_method_and_body_on_behind_lighttpd)
{
	passes_method_and_body_on(LIGHTTPD);
}

Test(authorizer, passes_method_and_body_on_behind_apache)
{
	passes_method_and_body_on(APACHE);
}

/* None of these names begins with what a web server puts before a header's. */
static const char forged[] =
        "Variable-TODO_USER: eve\r\nVariable_TODO_USER: eve\r\nTODO_USER: eve\r\nTodo-User: eve\r\n"
        "Todo_User: eve\r\nHTTP_TODO_USER: eve\r\nREDIRECT_TODO_USER: eve\r\nREMOTE_USER: eve\r\n";

/* What is said by HTTP/2, to whoever says it is eve; "" where nothing is. */
static const char *body_by_http2(const struct guarded *guarded, const char *path, const char *token)
{
	const struct http2_field fields[] = {
	        {VIEW(":method"), VIEW("GET")},
	        {VIEW(":scheme"), VIEW("http")},
	        {VIEW(":path"), view_of(path)},
	        {VIEW(":authority"), VIEW("localhost")},
	        {VIEW("todo_user"), VIEW("eve")},
	        {VIEW("variable-todo_user"), VIEW("eve")},
	        {VIEW("authorization"), view_of(token ? ask_format("Bearer %s", token) : "Basic YW5uYTphbm5h")},
	};
	struct buf content = buf_make(LARGE);
	enum http_result result =
	        http2_ask(guarded->server.port, fields, sizeof fields / sizeof *fields, ABSENT, &content);
	cr_expect(result == HTTP_OK || result == HTTP_CLOSED, "%s: %s", path, http_result_text(result));
	const char *body = ask_keep(buf_view(&content));
	buf_destroy(&content);
	return body;
}

static void a_client_cannot_say_who_it_is(int kind)
{
	struct attack attack;
	struct guarded guarded = guarded_start(kind);
	struct http_ask request = {.method = "GET", .target = WHO, .headers = forged};
	expect_refused(ask(&guarded, &request), NO_TOKEN, "headers alone");
	request.token = api_token("anna");
	expect_user(ask(&guarded, &request), "anna|", "headers beside a token");
	request.headers = "Connection: close, Authorization\r\n";
	expect_user(ask(&guarded, &request), "anna|", "a token that is called hop-by-hop");
	for (size_t i = 0; api_attack(i, "anna", &attack); i++)
		expect_kept_out(get(&guarded, WHO, attack.token), attack.name);
	cr_expect_eq(get(&guarded, ask_format(WHO "?access_token=%s", api_token("anna")), api_token("anna")).status /
	                     100,
	             4);
	const struct http_ask basic = {
	        .method = "GET", .target = WHO, .headers = "Authorization: Basic YW5uYTphbm5h\r\n"};
	expect_refused(ask(&guarded, &basic), NO_TOKEN, "another scheme");

	static const char *const paths[] = {
	        "//members/notes.txt",
	        "/./members/notes.txt",
	        "/x/../members/notes.txt",
	        "/%6dembers/notes.txt",
	        "/members%2fnotes.txt",
	        "/members//notes.txt",
	        "/members/notes.txt/",
	        "/members/notes.txt%00",
	        "/members/notes.txt?x=/open.txt",
	        "/members/who.php/../notes.txt",
	        "/members/who.php/x",
	        "/open.txt/../members/notes.txt",
	        "/members;x/notes.txt",
	        "/MEMBERS/notes.txt",
	        "/members\\notes.txt",
	        "http://127.0.0.1/members/notes.txt",
	        "/open.txt%2f..%2fmembers/notes.txt",
	        "/members/.htaccess",
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		expect_kept_out(get(&guarded, paths[i], NULL), paths[i]);
		if (kind == LIGHTTPD)
			cr_expect_null(strstr(body_by_http2(&guarded, paths[i], NULL), PRIVATE), "HTTP/2: %s",
			               paths[i]);
	}
	if (kind == LIGHTTPD) {
		cr_expect_str_eq(body_by_http2(&guarded, NOTES, request.token), PRIVATE);
		cr_expect_str_eq(body_by_http2(&guarded, WHO, request.token), "anna|");
	}
	web_server_stop(&guarded.server);
}

Test(authorizer, a_client_cannot_say_who_it_is_behind_lighttpd)
{
	a_client_cannot_say_who_it_is(LIGHTTPD);
}

Test(authorizer, a_client_cannot_say_who_it_is_behind_apache)
{
	a_client_cannot_say_who_it_is(APACHE);
}

/* The server's own ways to a guarded file from an address that is not. */
static void guards_what_the_server_turns_to_by_itself(int kind)
{
	static const char *const more[] = {[APACHE] = "DirectoryIndex " NOTES "\nErrorDocument 404 " NOTES "\n",
	                                   [LIGHTTPD] = "server.error-handler-404 = \"" NOTES "\"\n"};
	struct guarded guarded = guarded_by("authorizer", kind, more[kind]);
	const char *anna = api_token("anna");
	/* The index of a folder is lighttpd's too, and unguarded, as the sample says. */
	static const char *const paths[] = {"/missing", "/missing/", "/"};
	for (size_t i = 0; i < (kind == APACHE ? 3 : 2); i++) {
		expect_kept_out(get(&guarded, paths[i], NULL), paths[i]);
		expect_user(get(&guarded, paths[i], anna), PRIVATE, paths[i]);
	}
	web_server_stop(&guarded.server);
}

Test(authorizer, guards_what_the_server_turns_to_by_itself_behind_lighttpd)
{
	guards_what_the_server_turns_to_by_itself(LIGHTTPD);
}

Test(authorizer, guards_what_the_server_turns_to_by_itself_behind_apache)
{
	guards_what_the_server_turns_to_by_itself(APACHE);
}

static const char *session(const char *user, int64_t from_now)
{
	int64_t end = clock_now() / CLOCK_SECOND + from_now;
	char text[CLOCK_TEXT_SECONDS + 1];
	clock_format_seconds(end * CLOCK_SECOND, text);
	return api_token_of(ask_format("{\"session\":{\"expiresAt\":\"%s\",\"token\":\"" PRIVATE
	                               "\",\"userId\":\"%s\",\"id\":\"s1\"},\"user\":{\"id\":\"%s\"},\"iat\":%" PRId64
	                               ",\"exp\":%" PRId64 "}",
	                               text, user, user, end - 1000, end));
}

static void takes_a_cookie_and_changes_nothing_for_another_site(int kind)
{
	struct guarded guarded = guarded_start(kind);
	const char *good = ask_format("Cookie: " COOKIE "=%s\r\n", session("anna", 300));
	struct http_ask request = {.method = "GET", .target = WHO, .headers = good};
	expect_user(ask(&guarded, &request), "anna|", "a cookie");
	request.headers = ask_format("Cookie: " COOKIE "=%s\r\n", session("anna", -300));
	expect_refused(ask(&guarded, &request), BAD_TOKEN, "a cookie that is over");
	request.headers = ask_format("Cookie: better-auth.session_data=%s\r\n", session("anna", 300));
	expect_refused(ask(&guarded, &request), NO_TOKEN, "a cookie that any site next door may set");

	request = (struct http_ask){.method = "POST", .target = WHO, .body = "{}", .headers = good};
	expect_kept_out(ask(&guarded, &request), "a change without an Origin");
	request.headers = ask_format("%sOrigin: https://evil.example\r\n", good);
	expect_kept_out(ask(&guarded, &request), "a change for another site");
	request.headers = ask_format("%sOrigin: " API_ORIGIN "\r\n", good);
	expect_user(ask(&guarded, &request), "anna|{}", "a change of our own");
	request.token = api_token("berta");
	expect_user(ask(&guarded, &request), "berta|{}", "a token beside a cookie");
	web_server_stop(&guarded.server);
}

Test(authorizer, takes_a_cookie_and_changes_nothing_for_another_site_behind_lighttpd)
{
	takes_a_cookie_and_changes_nothing_for_another_site(LIGHTTPD);
}

Test(authorizer, takes_a_cookie_and_changes_nothing_for_another_site_behind_apache)
{
	takes_a_cookie_and_changes_nothing_for_another_site(APACHE);
}

/* ---- faults: nobody is let in because nobody could be asked ---- */

static bool none_runs(void *context)
{
	return web_server_processes(context, NULL, 0) == 0;
}

static void each_process(const struct guarded *guarded, int signal)
{
	pid_t pids[CROWD];
	size_t count = web_server_processes(guarded->program, pids, CROWD);
	for (size_t i = 0; i < count && i < CROWD; i++)
		kill(pids[i], signal);
}

static void begin(const struct guarded *guarded, struct http *ret)
{
	cr_assert(http_open(guarded->server.port, ret));
	http_send(ret, VIEW("GET " NOTES " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
}

/* A server that gave up is no answer, which is as good as a refusal. */
static void end_kept_out(struct http *http, const char *what)
{
	struct http_answer answer;
	enum http_result result = http_receive(http, false, &answer);
	cr_expect(result == HTTP_OK || result == HTTP_CLOSED, "%s: %s", what, http_result_text(result));
	if (result == HTTP_OK) {
		cr_expect(answer.status >= 400, "%s: %d", what, answer.status);
		cr_expect_null(strstr(ask_keep(answer.body), PRIVATE), "%s", what);
		http_answer_destroy(&answer);
	}
	http_close(http);
}

static void lets_nobody_in_when_it_is_dead_silent_or_full(int kind)
{
	struct http crowd[3];
	struct guarded guarded = guarded_start(kind);
	const char *anna = api_token("anna");
	expect_user(get(&guarded, NOTES, anna), PRIVATE, "before");

	/* Killed with requests under way. */
	each_process(&guarded, SIGSTOP);
	begin(&guarded, &crowd[0]);
	begin(&guarded, &crowd[1]);
	each_process(&guarded, SIGKILL);
	end_kept_out(&crowd[0], "killed");
	end_kept_out(&crowd[1], "killed");

	/* One that does not answer in time, with others waiting behind. */
	expect_kept_out(get(&guarded, NOTES, NULL), "after");
	each_process(&guarded, SIGSTOP);
	for (size_t i = 0; i < 3; i++)
		begin(&guarded, &crowd[i]);
	for (size_t i = 0; i < 3; i++)
		end_kept_out(&crowd[i], "silent");
	each_process(&guarded, SIGKILL);

	/* One that can't be started. */
	cr_assert_eq(rename(guarded.program, ask_format("%s.away", guarded.program)), 0);
	each_process(&guarded, SIGKILL);
	until(none_runs, ask_keep(view_of(guarded.program)), "no authorizer runs");
	begin(&guarded, &crowd[0]);
	end_kept_out(&crowd[0], "missing");
	web_server_stop(&guarded.server);
}

Test(authorizer, lets_nobody_in_when_it_is_dead_silent_or_full_behind_lighttpd)
{
	lets_nobody_in_when_it_is_dead_silent_or_full(LIGHTTPD);
}

Test(authorizer, lets_nobody_in_when_it_is_dead_silent_or_full_behind_apache)
{
	lets_nobody_in_when_it_is_dead_silent_or_full(APACHE);
}

/* lighttpd takes a request that ends without a status for one that is let in, and a role that a program does not have
 * is a request that ends: whoever wrote the wrong name let everybody in. */
static void a_responder_in_its_place_lets_nobody_in(int kind)
{
	struct guarded guarded = guarded_by("auth", kind, "");
	expect_kept_out(get(&guarded, NOTES, NULL), "nobody");
	expect_kept_out(get(&guarded, NOTES, api_token("anna")), "anna");
	web_server_stop(&guarded.server);
}

Test(authorizer, a_responder_in_its_place_lets_nobody_in_behind_lighttpd)
{
	a_responder_in_its_place_lets_nobody_in(LIGHTTPD);
}

Test(authorizer, a_responder_in_its_place_lets_nobody_in_behind_apache)
{
	a_responder_in_its_place_lets_nobody_in(APACHE);
}

/* A connection that waits, or -1: there is no room. */
static int join_queue(const struct guarded *guarded)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_lt(
	        snprintf(address.sun_path, sizeof address.sun_path, "%s/run/todo-authorizer.sock-0", place_of(guarded)),
	        (int)sizeof address.sun_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	cr_assert_eq(errno, EAGAIN);
	close(fd);
	return -1;
}

Test(authorizer, lets_nobody_in_when_its_queue_is_full)
{
	int waiting[2 * BACKLOG];
	struct http http;
	struct guarded guarded = guarded_start(LIGHTTPD);
	expect_user(get(&guarded, NOTES, api_token("anna")), PRIVATE, "before");
	each_process(&guarded, SIGSTOP);
	size_t count = 0;
	while (count < 2 * BACKLOG && (waiting[count] = join_queue(&guarded)) >= 0)
		count++;
	cr_expect_lt(count, 2 * BACKLOG, "the queue has no end");
	begin(&guarded, &http);
	end_kept_out(&http, "full");
	while (count > 0)
		close(waiting[--count]);
	each_process(&guarded, SIGKILL);
	web_server_stop(&guarded.server);
}

Test(authorizer, is_no_program_of_plain_cgi)
{
	cr_expect_neq(system(ask_format("BETTER_AUTH_SECRET=" API_SECRET " BETTER_AUTH_URL=" API_ORIGIN
	                                " REQUEST_METHOD=GET '%s' </dev/null >/dev/null 2>&1",
	                                responder_program("authorizer"))),
	              0);
}
