/* Private folders for tests. */
#include "support/auth_folder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct auth_folder auth_folder_make(void)
{
	struct auth_folder folder = {.fd = -1};
	char here[PATH_MAX];

	mkdir("build", 0755);
	cr_assert(realpath("build", here) != NULL);
	if (view_starts(view_of(here), VIEW("/tmp/")) || view_starts(view_of(here), VIEW("/var/tmp/")))
		snprintf(here, sizeof(here), "%s", getpwuid(geteuid())->pw_dir);
	cr_assert_lt(snprintf(folder.path, sizeof(folder.path), "%s/auth-test-XXXXXX", here), (int)sizeof(folder.path));
	cr_assert_not_null(mkdtemp(folder.path), "%s", folder.path);
	folder.fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(folder.fd, 0);
	return folder;
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
	(void)stat;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void auth_folder_remove(struct auth_folder *folder)
{
	if (folder->fd < 0)
		return;
	close(folder->fd);
	folder->fd = -1;
	nftw(folder->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *auth_folder_write(const struct auth_folder *folder, const char *name, struct view contents,
                              unsigned int mode)
{
	static char path[AUTH_FOLDER_PATH + NAME_MAX + 2];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(write(fd, contents.ptr, contents.len), (ssize_t)contents.len);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
	return path;
}
