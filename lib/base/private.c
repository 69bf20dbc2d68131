/* Reading files with secrets. */
#include "base/private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"

static enum private_error check_status(int fd)
{
	struct stat status;
	mode_t allowed = S_IRWXU;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return PRIVATE_UNREADABLE;
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return PRIVATE_OWNER;
	/* root chooses the group of its own files with care; a user's group may be
	 * that of all users. */
	if (status.st_uid == 0)
		allowed |= S_IRGRP;
	return (status.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO) & ~allowed) == 0 ? PRIVATE_OK : PRIVATE_MODE;
}

/* `path` with the links in its folders followed, but not a link at its end. */
static bool resolve_folder(const char *path, char ret[PATH_MAX])
{
	char folder[PATH_MAX];
	struct view text = view_of(path);
	size_t cut = text.len;

	while (cut > 0 && path[cut - 1] != '/')
		cut--;
	struct view name = view_from(text, cut);
	struct view above = cut > 0 ? (struct view){path, cut} : VIEW(".");
	if (above.len >= sizeof(folder))
		return false;
	memcpy(folder, above.ptr, above.len);
	folder[above.len] = '\0';
	if (!realpath(folder, ret))
		return false;
	size_t len = strlen(ret);
	if (len + 1 + name.len >= PATH_MAX)
		return false;
	ret[len] = '/';
	memcpy(ret + len + 1, name.ptr, name.len + 1);
	return true;
}

static bool is_public(const char *path, struct view document_root)
{
	char place[PATH_MAX];

	if (document_root.len == 0)
		return false;
	if (!resolve_folder(path, place) || path_is_published(view_of(place), document_root))
		return true;
	return !realpath(path, place) || path_is_published(view_of(place), document_root);
}

static enum private_error read_all(struct arena *arena, int fd, size_t max, char **ret, size_t *ret_len)
{
	char *text = arena_alloc(arena, max + 1);
	size_t len = 0;

	if (!text)
		return PRIVATE_TOO_LARGE;
	/* The last byte of room is for the NUL; filled, it shows a file too large. */
	while (len <= max) {
		ssize_t got = read(fd, text + len, max + 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return PRIVATE_UNREADABLE;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	if (len > max)
		return PRIVATE_TOO_LARGE;
	text[len] = '\0';
	*ret = text;
	*ret_len = len;
	return PRIVATE_OK;
}

enum private_error private_read(struct arena *arena, const char *path, struct view document_root, size_t max,
                                char **ret, size_t *ret_len)
{
	/* O_NONBLOCK: opening a pipe must not wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? PRIVATE_MISSING : PRIVATE_UNREADABLE;
	enum private_error error = check_status(fd);
	if (error == PRIVATE_OK && is_public(path, document_root))
		error = PRIVATE_PUBLIC;
	if (error == PRIVATE_OK)
		error = read_all(arena, fd, max, ret, ret_len);
	close(fd);
	return error;
}

const char *private_error_text(enum private_error error)
{
	switch (error) {
	case PRIVATE_OK:
		break;
	case PRIVATE_MISSING:
		return "does not exist";
	case PRIVATE_UNREADABLE:
		return "can't be read or is no regular file";
	case PRIVATE_OWNER:
		return "belongs to neither this user nor root";
	case PRIVATE_MODE:
		return "can be read or written by others; chmod 600 it";
	case PRIVATE_PUBLIC:
		return "lies below the web server's document root";
	case PRIVATE_TOO_LARGE:
		return "is too large";
	}
	return "";
}
