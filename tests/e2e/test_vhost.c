/* The sample of a virtual host, as it is but for its names and places, in an Apache of its own. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/api.h"
#include "support/auth_folder.h"
#include "support/certificate.h"
#include "support/http.h"
#include "support/web_server.h"

TestSuite(vhost, .fini = api_end, .timeout = 120);

#define MODULES "/usr/lib/apache2/modules/mod_"

struct apache {
	struct auth_folder folder;
	int port; /* of plain HTTP */
	pid_t pid;
};

/* The server's own part of the configuration; the sample's follows. */
static const char *frame(const struct apache *apache, int tls_port)
{
	static const char *const modules[] = {"mpm_event", "authz_core", "alias", "ssl",   "socache_shmcb", "headers",
	                                      "rewrite",   "mime",       "fcgid", "proxy", "proxy_http",    "env"};
	const char *text = ask_format(
	        "ServerRoot %s\nDefaultRuntimeDir %s\nPidFile %s/pid\nMutex file:%s default\n"
	        "ErrorLog %s/log\nServerName localhost\nListen 127.0.0.1:%d\nListen 127.0.0.1:%d\n"
	        "TypesConfig /dev/null\n%s",
	        apache->folder.path, apache->folder.path, apache->folder.path, apache->folder.path, apache->folder.path,
	        apache->port, tls_port, geteuid() == 0 ? "User www-data\nGroup www-data\n" : "");
	for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
		text = ask_format("%sLoadModule %s_module " MODULES "%s.so\n", text, modules[i], modules[i]);
	return ask_format("%sFcgidIPCDir %s/fcgid\nFcgidProcessTableFile %s/fcgid.table\n", text, apache->folder.path,
	                  apache->folder.path);
}

static bool answers(void *context)
{
	struct apache *apache = context;
	struct http http;
	cr_assert_eq(waitpid(apache->pid, NULL, WNOHANG), 0, "apache has ended");
	if (!http_open(apache->port, &http))
		return false;
	http_close(&http);
	return true;
}

static struct apache apache_start(void)
{
	char here[512];
	struct apache apache = {.folder = auth_folder_make(), .port = web_server_free_port()};
	int tls_port = web_server_free_port();
	const char *place = apache.folder.path;
	const char *file = ask_format("%s/apache.conf", place);
	struct certificate certificate =
	        certificate_make(place, "todo", &(struct certificate_ask){.names = "DNS:todo.example.com"});
	auth_folder_write(&apache.folder, "apache.conf", view_of(frame(&apache, tls_port)), 0600);
	cr_assert_not_null(getcwd(here, sizeof here));
	cr_assert_eq(
	        system(ask_format(
	                "sed -e 's,[*]:80>,127.0.0.1:%d>,; s,[*]:443>,127.0.0.1:%d>,'"
	                " -e 's,/etc/letsencrypt/live/.*/fullchain.pem,%s,; s,/etc/letsencrypt/live/.*/privkey.pem,%s,'"
	                " -e 's,/usr/local/share/todo-fcgi/apache,%s/apache,; s,/usr/local/lib/todo-fcgi,%s/build,'"
	                " -e 's,/var/www/todo,%s/frontend/public,' apache/vhost.conf.sample >>'%s'",
	                apache.port, tls_port, certificate.file, certificate.key, here, here, here, file)),
	        0);
	apache.pid = fork();
	cr_assert_geq(apache.pid, 0);
	if (apache.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execlp("apache2", "apache2", "-D", "FOREGROUND", "-f", file, (char *)NULL);
		_exit(127);
	}
	until(answers, &apache, "apache listens");
	return apache;
}

static void apache_stop(struct apache *apache)
{
	kill(apache->pid, SIGTERM);
	cr_expect_eq(waitpid(apache->pid, NULL, 0), apache->pid);
	auth_folder_remove(&apache->folder);
}

Test(vhost, sends_pages_on_to_https_and_refuses_the_api_in_the_clear)
{
	static const struct {
		const char *target;
		const char *place; /* NULL: refused */
	} cases[] = {
	        {"/", "https://todo.example.com/"},
	        {"/index.html?x=1", "https://todo.example.com/index.html?x=1"},
	        {"//evil.example/", "https://todo.example.com/evil.example/"},
	        {"/apiary", "https://todo.example.com/apiary"},
	        {"/api", NULL},
	        {"/api/anna/tasks", NULL},
	        {"/%61pi/anna/tasks", NULL},
	        {"/api/auth/token", NULL},
	        {"/auth/me", NULL},
	        {"/health", NULL},
	        {"/metrics", NULL},
	};
	struct apache apache = apache_start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_answer answer;
		const struct http_ask ask = {.method = "GET", .target = cases[i].target, .token = "x.y.z"};
		cr_assert_eq(http_ask(apache.port, &ask, &answer), HTTP_OK, "%s", cases[i].target);
		struct view place = http_header(&answer, VIEW("Location"), 0);
		cr_expect_eq(answer.status, cases[i].place ? 301 : 403, "%s: %d", cases[i].target, answer.status);
		cr_expect(view_equal(place, view_of(cases[i].place)), "%s: %.*s", cases[i].target, VIEW_ARGS(place));
		http_answer_destroy(&answer);
	}
	apache_stop(&apache);
}
