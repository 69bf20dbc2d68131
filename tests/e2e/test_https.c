/* Web servers that really speak TLS: Apache with the sample of a virtual host, lighttpd and nginx with their ready
 * configurations and one more socket. What a program knows of TLS is what they tell it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/api.h"
#include "support/certificate.h"
#include "support/http.h"
#include "support/web_server.h"

static void teardown(void)
{
	web_server_end();
	api_end();
}

TestSuite(vhost, .fini = teardown, .timeout = 120);
TestSuite(https, .fini = teardown, .timeout = 120);

#define MODULES "/usr/lib/apache2/modules/mod_"
#define HOST "todo.example.com"

enum { HEAD_MAX = 16 * 1024, LOG_MAX = 1024 * 1024 };

struct site {
	struct web_server server; /* its port is of plain HTTP */
	int tls_port;
	struct certificate certificate;
};

static const char *place_of(const struct site *site)
{
	return site->server.folder.path;
}

static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

/* A folder that holds what a server needs, for whoever runs it: the clone may be closed to that user. */
static struct site site_make(void)
{
	static const char *const programs[] = {"health", "auth", "account", "tasks"};
	struct site site = {.server = web_server_make(), .tls_port = web_server_free_port()};
	const char *place = place_of(&site);
	const char *const folders[] = {"programs", "www", "run", "state"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		cr_assert_eq(mkdir(ask_format("%s/%s", place, folders[i]), 0700), 0);
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		run(ask_format("cp '%s' '%s/programs/'", responder_program(programs[i]), place));
	run(ask_format("cp -r apache lighttpd frontend/errors '%s/'", place));
	site.certificate = certificate_make(place, "todo", &(struct certificate_ask){.names = "DNS:" HOST});
	auth_folder_write(&site.server.folder, "env",
	                  view_of(ask_format("BETTER_AUTH_SECRET=" API_SECRET "\nBETTER_AUTH_URL=" API_ORIGIN
	                                     "\n%s\nSTATE_DIR=%s/state\nHSTS_MAX_AGE=600\n",
	                                     api_database_in(place, "none"), place)),
	                  0600);
	return site;
}

/* ---- Apache ---- */

/* The server's own part of the configuration; the sample's follows. */
static const char *frame(const struct site *site)
{
	static const char *const modules[] = {"mpm_event", "authz_core", "alias", "ssl",   "socache_shmcb", "headers",
	                                      "rewrite",   "mime",       "fcgid", "proxy", "proxy_http",    "env"};
	const char *place = place_of(site);
	const char *text = ask_format(
	        "ServerRoot %s/run\nDefaultRuntimeDir %s/run\nPidFile %s/run/pid\nMutex file:%s/run default\n"
	        "ErrorLog /dev/stderr\nServerName localhost\nListen 127.0.0.1:%d\nListen 127.0.0.1:%d\n"
	        "TypesConfig /dev/null\n",
	        place, place, place, place, site->server.port, site->tls_port);
	for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
		text = ask_format("%sLoadModule %s_module " MODULES "%s.so\n", text, modules[i], modules[i]);
	return ask_format("%sFcgidIPCDir %s/run/fcgid\nFcgidProcessTableFile %s/run/fcgid.table\n", text, place, place);
}

static struct site apache_start(void)
{
	struct site site = site_make();
	const char *place = place_of(&site);
	const char *file = ask_format("%s/apache.conf", place);
	auth_folder_write(&site.server.folder, "apache.conf", view_of(frame(&site)), 0600);
	run(ask_format("sed -e 's,[*]:80>,127.0.0.1:%d>,; s,[*]:443>,127.0.0.1:%d>,'"
	               " -e 's,/etc/letsencrypt/live/.*/fullchain.pem,%s,; s,/etc/letsencrypt/live/.*/privkey.pem,%s,'"
	               " -e 's,/usr/local/share/todo-fcgi,%s,; s,/usr/local/lib/todo-fcgi,%s/programs,'"
	               " -e 's,/var/www/todo,%s/www,; s,/etc/todo-fcgi/env,%s/env,' apache/vhost.conf.sample >>'%s'",
	               site.server.port, site.tls_port, site.certificate.file, site.certificate.key, place, place,
	               place, place, file));
	web_server_start(&site.server, (const char *const[]){"apache2", "-D", "FOREGROUND", "-f", file, NULL});
	return site;
}

Test(vhost, sends_pages_on_to_https_and_refuses_the_api_in_the_clear)
{
	static const struct {
		const char *target;
		const char *place; /* NULL: refused */
	} cases[] = {
	        {"/", "https://" HOST "/"},
	        {"/index.html?x=1", "https://" HOST "/index.html?x=1"},
	        {"//evil.example/", "https://" HOST "/evil.example/"},
	        {"/apiary", "https://" HOST "/apiary"},
	        {"/api", NULL},
	        {"/api/anna/tasks", NULL},
	        {"/%61pi/anna/tasks", NULL},
	        {"/api/auth/token", NULL},
	        {"/auth/me", NULL},
	        {"/health", NULL},
	        {"/metrics", NULL},
	};
	struct site site = apache_start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_answer answer;
		const struct http_ask ask = {.method = "GET", .target = cases[i].target, .token = "x.y.z"};
		cr_assert_eq(http_ask(site.server.port, &ask, &answer), HTTP_OK, "%s", cases[i].target);
		struct view place = http_header(&answer, VIEW("Location"), 0);
		cr_expect_eq(answer.status, cases[i].place ? 301 : 403, "%s: %d", cases[i].target, answer.status);
		cr_expect(view_equal(place, view_of(cases[i].place)), "%s: %.*s", cases[i].target, VIEW_ARGS(place));
		http_answer_destroy(&answer);
	}
	web_server_stop(&site.server);
}

/* ---- lighttpd ---- */

static const char *tls_socket(const struct site *site)
{
	return ask_format("server.modules += ( \"mod_openssl\" )\n$SERVER[\"socket\"] == \"127.0.0.1:%d\" {\n"
	                  "ssl.engine = \"enable\"\nssl.pemfile = \"%s\"\nssl.privkey = \"%s\"\n}\n",
	                  site->tls_port, site->certificate.file, site->certificate.key);
}

static const char *nothing_more(const struct site *site)
{
	(void)site;
	return "";
}

/* With that ready configuration, and what else it is to do. */
static struct site lighttpd_start(const char *configuration, const char *more(const struct site *))
{
	struct site site = site_make();
	const char *place = place_of(&site);
	const char *const variables[][2] = {
	        {"WEB_CONF", place},
	        {"WEB_PROGRAMS", ask_format("%s/programs", place)},
	        {"WEB_DOCUMENT_ROOT", ask_format("%s/www", place)},
	        {"WEB_ERRORS", ask_format("%s/errors", place)},
	        {"WEB_ADDRESS", "127.0.0.1"},
	        {"WEB_PORT", ask_format("%d", site.server.port)},
	        {"WEB_RUN", ask_format("%s/run", place)},
	        {"WEB_ENV_FILE", ask_format("%s/env", place)},
	        {"WEB_GATEWAY", "fcgi"},
	        {"WEB_ISSUER", "none"},
	        {"WEB_DEFLATE", "off"},
	        {"WEB_BALANCER", "127.0.0.1"},
	        {"WEB_TASKS_WORKERS", "0"},
	        {"WEB_AUTH_WORKERS", "0"},
	        {"WEB_ACCOUNT_WORKERS", "0"},
	        {"WEB_HEALTH_WORKERS", "0"},
	};
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		cr_assert_eq(setenv(variables[i][0], variables[i][1], 1), 0);
	auth_folder_write(&site.server.folder, "lighttpd.conf",
	                  view_of(ask_format("include \"%s/lighttpd/%s\"\n%s", place, configuration, more(&site))),
	                  0600);
	web_server_start(&site.server,
	                 (const char *const[]){"lighttpd", "-D", "-f", ask_format("%s/lighttpd.conf", place), NULL});
	return site;
}

/* ---- nginx, which starts no programs ---- */

static void auth_start(const struct site *site)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int len = snprintf(address.sun_path, sizeof address.sun_path, "%s/run/auth.sock", place_of(site));
	cr_assert_lt(len, (int)sizeof address.sun_path);
	cr_assert(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
	          listen(listener, SOMAXCONN) == 0);
	(void)responder_start_on(listener, "auth",
	                         api_settings((const char *const[]){"DATABASE_URL", "HSTS_MAX_AGE=600", NULL}));
	close(listener);
}

static struct site nginx_start(void)
{
	struct site site = site_make();
	const char *place = place_of(&site);
	run(ask_format(
	        "cp -r bin/nginx '%s/' && cd '%s/nginx' && mv nginx.conf.sample nginx.conf &&"
	        " sed -i -e 's,/usr/local/share/todo-fcgi,%s,; s,/run/todo-fcgi,%s/run,; s,/run/nginx.pid,%s/run/pid,'"
	        " -e 's,/var/www/todo,%s/www,; s,/var/lib/nginx,%s/run,; s,/var/log/nginx/error.log,stderr,'"
	        " -e '/^user /d; /issuer.conf;/d; s,listen .*,listen 127.0.0.1:%d; listen 127.0.0.1:%d ssl http2;"
	        " ssl_certificate %s; ssl_certificate_key %s;,' nginx.conf routes.conf",
	        place, place, place, place, place, place, place, site.server.port, site.tls_port, site.certificate.file,
	        site.certificate.key));
	auth_start(&site);
	web_server_start(&site.server, (const char *const[]){"nginx", "-e", "stderr", "-g", "daemon off;", "-c",
	                                                     ask_format("%s/nginx/nginx.conf", place), NULL});
	return site;
}

/* ---- what a program is told ---- */

/* The head of the answer to GET /auth/me, by TLS and that version of HTTP, from whoever has the certificate. */
static const char *head_by_tls(const struct site *site, const char *version)
{
	char said[HEAD_MAX];
	const char *command = ask_format("curl -sS --noproxy '*' --max-time 30 %s --cacert '%s' -D - -o /dev/null"
	                                 " --resolve " HOST ":%d:127.0.0.1 https://" HOST ":%d/auth/me",
	                                 version, site->certificate.file, site->tls_port, site->tls_port);
	FILE *output = popen(command, "r");
	cr_assert_not_null(output);
	said[fread(said, 1, sizeof said - 1, output)] = '\0';
	cr_assert_eq(pclose(output), 0, "%s", command);
	return ask_keep(view_of(said));
}

/* Names of fields are small letters by HTTP/2. */
static void expect_strict(const char *head, const char *start)
{
	cr_expect(view_starts(view_of(head), view_of(start)), "%s", head);
	cr_expect_not_null(strcasestr(head, "\r\nStrict-Transport-Security: max-age=600\r\n"), "%s", head);
}

Test(vhost, has_programs_ask_for_strict_transport)
{
	struct site site = apache_start();
	expect_strict(head_by_tls(&site, "--http1.1"), "HTTP/1.1 401 ");
	web_server_stop(&site.server);
}

static void expect_strict_on_tls_alone(struct site site)
{
	struct http_answer answer;
	expect_strict(head_by_tls(&site, "--http1.1"), "HTTP/1.1 401 ");
	expect_strict(head_by_tls(&site, "--http2"), "HTTP/2 401");
	const struct http_ask ask = {.method = "GET", .target = "/auth/me", .headers = "X-Forwarded-Proto: https\r\n"};
	cr_assert_eq(http_ask(site.server.port, &ask, &answer), HTTP_OK);
	cr_expect_eq(answer.status, 401);
	cr_expect(view_is_absent(http_header(&answer, VIEW("Strict-Transport-Security"), 0)));
	http_answer_destroy(&answer);
	web_server_stop(&site.server);
}

Test(https, lighttpd_has_programs_ask_for_strict_transport_on_tls_alone)
{
	expect_strict_on_tls_alone(lighttpd_start("server.conf", tls_socket));
}

Test(https, nginx_has_programs_ask_for_strict_transport_on_tls_alone)
{
	expect_strict_on_tls_alone(nginx_start());
}

/* ---- behind a balancer ---- */

/* The PROXY protocol, version 2 (§2.2): a client of 192.0.2.7, and that it came by TLS. */
#define BALANCED(length) "\r\n\r\n\0\r\nQUIT\n\x21\x11\0" length "\xC0\0\x02\x07\x7F\0\0\x01\x12\x34\0\x50"
#define IN_THE_CLEAR VIEW(BALANCED("\x0C"))
#define BY_TLS VIEW(BALANCED("\x14") "\x20\0\x05\x01\0\0\0\0")

static enum http_result ask_behind(const struct site *site, struct view balancer, struct http_answer *ret)
{
	struct http http;
	cr_assert(http_open(site->server.port, &http));
	http_send(&http, balancer);
	http_send(&http, VIEW("GET /auth/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-Proto: https\r\n"
	                      "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=198.51.100.9;proto=https\r\n\r\n"));
	enum http_result result = http_receive(&http, false, ret);
	http_close(&http);
	return result;
}

/* The program's line for a request, in the server's log; "" while it is not there. */
struct line {
	const struct site *site;
	const char *request;
	const char *text;
};

static bool is_logged(void *context)
{
	static char room[LOG_MAX];
	struct line *line = context;
	FILE *file = fopen(ask_format("%s/log", place_of(line->site)), "r");
	cr_assert_not_null(file);
	room[fread(room, 1, sizeof room - 1, file)] = '\0';
	fclose(file);
	for (struct view rest = view_of(room); rest.len > 0 && !line->text;) {
		struct view one = view_cut(&rest, '\n');
		if (memmem(one.ptr, one.len, line->request, strlen(line->request)))
			line->text = ask_keep(one);
	}
	return line->text;
}

static void expect_balanced(const struct site *site, struct view balancer, bool strict)
{
	struct http_answer answer;
	cr_assert_eq(ask_behind(site, balancer, &answer), HTTP_OK);
	cr_expect_eq(answer.status, 401);
	struct view told = http_header(&answer, VIEW("Strict-Transport-Security"), 0);
	cr_expect_eq(!view_is_absent(told), strict, "%.*s", VIEW_ARGS(told));
	struct line line = {site, ask_keep(http_header(&answer, VIEW("X-Request-Id"), 0)), NULL};
	http_answer_destroy(&answer);
	until(is_logged, &line, "the request is logged");
	cr_expect_not_null(strstr(line.text, "\"client\":\"192.0.2.0/24\""), "%s", line.text);
}

Test(https, lighttpd_takes_address_and_tls_from_its_balancer_and_no_header)
{
	struct http_answer answer;
	struct site site = lighttpd_start("behind-balancer.conf", nothing_more);
	expect_balanced(&site, BY_TLS, true);
	expect_balanced(&site, IN_THE_CLEAR, false);
	cr_expect_neq(ask_behind(&site, VIEW(""), &answer), HTTP_OK, "nobody comes but by the balancer");
	web_server_stop(&site.server);
}
