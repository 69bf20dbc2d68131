/* Starts web servers as an ordinary user. */
#include "support/web_server.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/ask.h"
#include "support/http.h"
#include "support/responder.h"

int web_server_free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 &&
	          getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	close(fd);
	return ntohs(address.sin_port);
}

static struct web_server present = {.folder = {.fd = -1}, .pid = -1};

/* A user that is not root enters neither root's home nor a closed clone. */
static struct auth_folder folder_for_everybody(void)
{
	struct auth_folder folder = {.path = "/var/lib/todo-test-XXXXXX"};
	if (geteuid() != 0)
		return auth_folder_make();
	cr_assert_not_null(mkdtemp(folder.path));
	folder.fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(folder.fd, 0);
	return folder;
}

struct web_server web_server_make(void)
{
	present = (struct web_server){.folder = folder_for_everybody(), .port = web_server_free_port(), .pid = -1};
	return present;
}

static void become_ordinary(void)
{
	const struct passwd *user = getpwnam("www-data");
	if (geteuid() == 0 &&
	    (!user || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
		_exit(126);
}

static bool listens(void *context)
{
	const struct web_server *server = context;
	struct http http;
	cr_assert_eq(waitpid(server->pid, NULL, WNOHANG), 0, "the web server has ended, see %s/log",
	             server->folder.path);
	if (!http_open(server->port, &http))
		return false;
	http_close(&http);
	return true;
}

void web_server_start(struct web_server *server, const char *const command[])
{
	if (geteuid() == 0)
		cr_assert_eq(system(ask_format("chown -R www-data: '%s'", server->folder.path)), 0);
	server->pid = fork();
	cr_assert_geq(server->pid, 0);
	if (server->pid == 0) {
		become_ordinary();
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		int log = open(ask_format("%s/log", server->folder.path), O_WRONLY | O_CREAT | O_APPEND, 0600);
		if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
			_exit(126);
		execvp(command[0], (char *const *)(uintptr_t)command);
		_exit(127);
	}
	present.pid = server->pid;
	until(listens, server, "the web server listens");
}

void web_server_stop(struct web_server *server)
{
	present = *server;
	server->folder.fd = -1;
	web_server_end();
}

void web_server_end(void)
{
	if (present.pid > 0) {
		kill(present.pid, SIGTERM);
		waitpid(present.pid, NULL, 0);
	}
	present.pid = -1;
	auth_folder_remove(&present.folder);
}

static bool runs(pid_t pid, const char *program)
{
	char line[1024] = "";
	int fd = open(ask_format("/proc/%d/cmdline", (int)pid), O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
	if (fd >= 0)
		close(fd);
	return got > 0 && strcmp(line, program) == 0;
}

size_t web_server_processes(const char *program, pid_t *out, size_t max)
{
	size_t count = 0;
	DIR *all = opendir("/proc");
	cr_assert_not_null(all);
	for (const struct dirent *entry; (entry = readdir(all));) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;
		if (pid <= 0 || !runs(pid, program))
			continue;
		if (count < max)
			out[count] = pid;
		count++;
	}
	closedir(all);
	return count;
}
