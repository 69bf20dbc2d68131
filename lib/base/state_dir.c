/* The shared folder: opening it, and files in it. */
#include "base/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"

#define STANDARD_NAME "todo-fcgi"

/* How often a lock that another holds is tried. */
#define LOCK_POLL (CLOCK_SECOND / 100)

enum { READ_STEP = 4096, ERROR_MAX = 256 };

static bool fail(struct buf *error, const char *fault)
{
	BUF_LIT(error, "STATE_DIR ");
	buf_add(error, view_of(fault));
	return false;
}

/* Judges the place by its real path, so that no link hides where it is. */
static bool is_good_place(int fd, struct view document_root, struct buf *error)
{
	char link[64];
	char place[PATH_MAX];
	struct view path;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, place, sizeof(place));
	if (len <= 0 || (size_t)len == sizeof(place))
		return fail(error, "has no path that can be told");
	path = (struct view){place, (size_t)len};
	if (path_is_within(path, VIEW("/tmp")) || path_is_within(path, VIEW("/var/tmp")) ||
	    path_is_within(path, VIEW("/dev/shm")))
		return fail(error, "lies where everybody may write");
	return !path_is_published(path, document_root) || fail(error, "lies in the document root");
}

static bool check(int fd, struct view document_root, struct buf *error)
{
	struct stat stat;

	if (fstat(fd, &stat) != 0)
		return fail(error, "can't be examined");
	if (stat.st_uid != geteuid())
		return fail(error, "belongs to another user");
	if ((stat.st_mode & 0777) != 0700)
		return fail(error, "does not have mode 0700");
	return is_good_place(fd, document_root, error);
}

static int open_folder(int parent, const char *name, bool *ret_made)
{
	*ret_made = mkdirat(parent, name, 0700) == 0;
	if (!*ret_made && errno != EEXIST)
		return -1;
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Opens the folder below the home; *ret_parent is the one that it lies in. */
static int open_standard(int *ret_parent, bool *ret_made)
{
	static const char *const above[] = {".local", "state"};
	const struct passwd *user = getpwuid(geteuid());
	int fd = user && user->pw_dir ? open(user->pw_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	for (size_t i = 0; i < sizeof(above) / sizeof(above[0]) && fd >= 0; i++) {
		bool made;
		int below = open_folder(fd, above[i], &made);

		close(fd);
		fd = below;
	}
	*ret_parent = fd;
	return fd < 0 ? -1 : open_folder(fd, STANDARD_NAME, ret_made);
}

bool state_dir_open(struct view path, struct view document_root, int *ret, struct buf *error)
{
	char name[PATH_MAX] = STANDARD_NAME;
	bool made = false;
	int parent = AT_FDCWD;
	int fd;

	if (path.len == 0) {
		fd = open_standard(&parent, &made);
	} else {
		if (path.ptr[0] != '/' || path.len >= sizeof(name))
			return fail(error, "is not an absolute path");
		/* With a slash behind it the kernel would follow a link after all. */
		while (path.len > 1 && path.ptr[path.len - 1] == '/')
			path.len--;
		memcpy(name, path.ptr, path.len);
		name[path.len] = '\0';
		fd = open_folder(parent, name, &made);
	}
	bool good = fd >= 0 ? check(fd, document_root, error) : fail(error, "can't be opened or made, or is no folder");
	/* What is refused is not left behind either. */
	if (!good && made)
		unlinkat(parent, name, AT_REMOVEDIR);
	if (parent >= 0)
		close(parent);
	if (good)
		*ret = fd;
	else if (fd >= 0)
		close(fd);
	return good;
}

bool state_dir_renew(struct view path, struct view document_root, int dir)
{
	struct stat stat;
	struct buf error = buf_make(ERROR_MAX);
	int fresh = -1;

	if (fstat(dir, &stat) == 0 && stat.st_nlink > 0)
		return false;
	bool renewed = state_dir_open(path, document_root, &fresh, &error) && dup3(fresh, dir, O_CLOEXEC) == dir;
	if (fresh >= 0)
		close(fresh);
	buf_destroy(&error);
	return renewed;
}

static bool is_private_file(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_uid == geteuid() &&
	       (stat.st_mode & 077) == 0 && stat.st_nlink == 1;
}

static bool read_all(int fd, struct buf *ret)
{
	for (;;) {
		size_t room = ret->max - ret->len < READ_STEP ? ret->max - ret->len : READ_STEP;
		/* At the maximum one more byte tells whether the file ends here. */
		char beyond = 0;
		char *to = room > 0 ? buf_reserve(ret, room) : &beyond;
		ssize_t got = to ? read(fd, to, room > 0 ? room : 1) : -1;

		if (got < 0 && to && errno == EINTR)
			continue;
		if (got <= 0 || room == 0)
			return got == 0;
		ret->len += (size_t)got;
	}
}

bool state_file_read(int dir, const char *name, struct buf *ret)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return false;
	good = is_private_file(fd) && read_all(fd, ret);
	close(fd);
	return good;
}

static bool write_all(int fd, struct view contents)
{
	while (contents.len > 0) {
		ssize_t put = write(fd, contents.ptr, contents.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		contents = view_from(contents, (size_t)put);
	}
	return true;
}

int state_file_open(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && !is_private_file(fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool state_file_replace(int dir, const char *name, struct view contents)
{
	return state_file_allocate(dir, name, contents, 0);
}

bool state_file_allocate(int dir, const char *name, struct view contents, size_t size)
{
	char fresh[NAME_MAX + 1];
	uint64_t chance;
	int fd;
	bool good;

	if (!random_bytes(&chance, sizeof(chance)))
		return false;
	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.%016llx", name, (unsigned long long)chance) >= sizeof(fresh))
		return false;
	fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	good = (size == 0 || posix_fallocate(fd, 0, (off_t)size) == 0) && write_all(fd, contents);
	good = close(fd) == 0 && good && renameat(dir, fresh, dir, name) == 0;
	if (!good)
		unlinkat(dir, fresh, 0);
	return good;
}

enum state_lock state_file_lock(int dir, const char *name, int64_t deadline, int *ret_fd)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0)
		return STATE_LOCK_FAILED;
	if (!is_private_file(fd)) {
		close(fd);
		return STATE_LOCK_FAILED;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		bool is_busy = errno == EWOULDBLOCK || errno == EINTR;

		if (!is_busy || clock_monotonic() >= deadline) {
			close(fd);
			return is_busy ? STATE_LOCK_BUSY : STATE_LOCK_FAILED;
		}
		clock_wait(LOCK_POLL);
	}
	*ret_fd = fd;
	return STATE_LOCKED;
}
