/* Replaces parts of the machine, by namespaces. */
#include "support/machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

enum { FILE_SIZE_MAX = 1024 * 1024 };

static bool write_text(const char *path, struct view text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool written = fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len;
	if (fd >= 0)
		close(fd);
	return written;
}

static bool set_interface(const char *name, const char *address)
{
	struct ifreq request = {0};
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	bool set = fd >= 0;
	if (set && address) {
		set = inet_pton(AF_INET, address, &in.sin_addr) == 1;
		memcpy(&request.ifr_addr, &in, sizeof in);
		set = set && ioctl(fd, SIOCSIFADDR, &request) == 0;
	}
	set = set && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
	request.ifr_flags |= IFF_UP;
	set = set && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	if (fd >= 0)
		close(fd);
	return set;
}

bool machine_own_files(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

bool machine_own_network(void)
{
	return unshare(CLONE_NEWNET) == 0 && set_interface("lo", NULL);
}

bool machine_replace_file(const char *path, struct view text)
{
	char fresh[] = "/tmp/todo-test-file-XXXXXX";
	struct stat now;
	/* The one from before: nothing can be put in the place of a file without a name. */
	if (stat(path, &now) == 0 && now.st_nlink == 0 && umount2(path, MNT_DETACH) != 0)
		return false;
	int fd = mkstemp(fresh);
	if (fd < 0)
		return false;
	bool replaced =
	        write_text(fresh, text) && fchmod(fd, 0644) == 0 && mount(fresh, path, NULL, MS_BIND, NULL) == 0;
	close(fd);
	/* The mount keeps it. */
	unlink(fresh);
	return replaced;
}

bool machine_add_address(unsigned int number, const char *address)
{
	char name[IFNAMSIZ];
	snprintf(name, sizeof name, "lo:%u", number);
	return set_interface(name, address);
}

static bool add_file(struct buf *text, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;
	char *room;
	while (fd >= 0 && (room = buf_reserve(text, 4096)) && (got = read(fd, room, 4096)) > 0)
		text->len += (size_t)got;
	if (fd >= 0)
		close(fd);
	return got == 0;
}

bool machine_set_home(const char *home)
{
	struct buf text = buf_make(FILE_SIZE_MAX);
	/* The first line of a user counts. */
	BUF_LIT(&text, "tester:x:");
	buf_add_u64(&text, geteuid());
	BUF_LIT(&text, ":");
	buf_add_u64(&text, getegid());
	BUF_LIT(&text, "::");
	buf_add(&text, view_of(home));
	BUF_LIT(&text, ":/bin/sh\n");
	bool set =
	        add_file(&text, "/etc/passwd") && buf_ok(&text) && machine_replace_file("/etc/passwd", buf_view(&text));
	buf_destroy(&text);
	return set;
}
