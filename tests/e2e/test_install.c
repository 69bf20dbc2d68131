/* `make install`: what a system gets, with which rights, and nothing of the folder that it was built in. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/api.h"
#include "support/auth_folder.h"

static struct auth_folder folder;

/* What a command prints, errors too; its failure fails the test. */
static const char *output_of(const char *command)
{
	static char said[1 << 16];
	FILE *output = popen(ask_format("{ %s; } 2>&1", command), "r");
	cr_assert_not_null(output);
	said[fread(said, 1, sizeof said - 1, output)] = '\0';
	cr_assert_eq(pclose(output), 0, "%s: %s", command, said);
	return ask_keep(view_of(said));
}

static void install(void)
{
	folder = auth_folder_make();
	const char *build = getenv("BUILD");
	cr_assert_not_null(build);
	/* Whoever installs keeps their own files to themselves: what is installed is for all. */
	output_of(ask_format("umask 077; bin/make-install '%s' '%s' /opt/todo", build, folder.path));
}

static void remove_all(void)
{
	auth_folder_remove(&folder);
	api_end();
}

TestSuite(install, .init = install, .fini = remove_all, .timeout = 60);

Test(install, has_every_file_of_its_kind)
{
	static const struct {
		const char *from; /* in the tree */
		const char *to;   /* below the prefix */
	} kinds[] = {
	        {"cgi-bin/*.c", "lib/todo-fcgi/*.fcgi"},
	        {"bin/*.c", "bin/*"},
	        {"bin/systemd/system/*", "lib/systemd/system/*"},
	        {"bin/systemd/sysusers.d/*", "lib/sysusers.d/*"},
	        {"apache/*.conf apache/*.sample", "share/todo-fcgi/apache/*"},
	        {"lighttpd/*", "share/todo-fcgi/lighttpd/*"},
	        {"bin/nginx/*", "share/todo-fcgi/nginx/*"},
	        {"bin/cluster/*", "share/todo-fcgi/cluster/*"},
	        {"bin/fail2ban/filter.d/*", "share/todo-fcgi/fail2ban/filter.d/*"},
	        {"frontend/errors/*", "share/todo-fcgi/errors/*"},
	        {"frontend/public/js/*", "share/todo-fcgi/www/js/*"},
	        {"sql/deploy/*", "share/todo-fcgi/sql/deploy/*"},
	        {"sql/verify/*", "share/todo-fcgi/sql/verify/*"},
	        {"docs/*", "share/doc/todo-fcgi/[!R]*"},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const char *from = output_of(
		        ask_format("ls -d %s | sed 's,.*/,,; s,[.]c$,,; s,[.]fcgi$,,' | sort", kinds[i].from));
		const char *to = output_of(ask_format(
		        "cd '%s/opt/todo' && ls -d %s | sed 's,.*/,,; s,[.]fcgi$,,' | sort", folder.path, kinds[i].to));
		cr_expect_str_eq(to, from, "%s", kinds[i].to);
	}
}

Test(install, lets_nobody_but_its_owner_write_and_runs_programs_alone)
{
	const char *list = output_of(ask_format("cd '%s' && find . -mindepth 1 -printf '%%y %%m %%P\\n'", folder.path));
	struct view rest = view_of(list);
	size_t programs = 0;
	while (rest.len > 0) {
		struct view line = view_cut(&rest, '\n');
		bool program = strstr(ask_keep(line), "lib/todo-fcgi/") ||
		               view_equal(line, VIEW("f 755 opt/todo/bin/todoctl"));
		programs += program;
		cr_expect(view_starts(line, VIEW("d 755 ")) ||
		                  view_starts(line, program ? VIEW("f 755 ") : VIEW("f 644 ")),
		          "%.*s", VIEW_ARGS(line));
	}
	cr_expect_gt(programs, 5);
}

Test(install, says_no_path_but_its_own)
{
	char here[512];
	cr_assert_not_null(getcwd(here, sizeof here));
	cr_expect_str_empty(output_of(ask_format("! grep -rlF '%s' '%s/opt'", here, folder.path)));
	cr_expect_str_empty(output_of(ask_format("! grep -rlF /usr/local/ '%s/opt'", folder.path)));
	cr_expect_str_empty(output_of(ask_format("cd '%s/opt/todo' && ! readelf -d lib/todo-fcgi/* bin/* |"
	                                         " grep -E 'RPATH|RUNPATH'",
	                                         folder.path)));
	cr_expect(strstr(output_of(ask_format("cat '%s'/opt/todo/lib/systemd/system/*.service", folder.path)),
	                 "ExecStart=/opt/todo/lib/todo-fcgi/%i.fcgi\n"));
}

Test(install, is_what_runs)
{
	cr_expect(strstr(output_of(ask_format("'%s/opt/todo/bin/todoctl' --version", folder.path)), "todoctl "));
	const char *answer = output_of(
	        ask_format("cd / && env -i TODO_DATABASE_URL=postgresql:///none BETTER_AUTH_URL=https://todo.example"
	                   " BETTER_AUTH_SECRET=k3V9-q0Zt7_bW2xLr8Ny5Ju1Hd4Gf6Sa GATEWAY_INTERFACE=CGI/1.1 "
	                   "SERVER_PROTOCOL=HTTP/1.1"
	                   " REQUEST_METHOD=GET REQUEST_URI=/health REMOTE_ADDR=127.0.0.1 HOME=/nonexistent"
	                   " '%s/opt/todo/lib/todo-fcgi/health.fcgi' </dev/null",
	                   folder.path));
	cr_expect(strstr(answer, "{\"status\":\"ok\"}"), "%s", answer);
}
