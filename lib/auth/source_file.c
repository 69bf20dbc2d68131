/* Key sets from a file. */
#include "auth/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

struct source_file {
	struct source source;
	char *path;
	enum alg rsa_alg;
	int64_t refresh;
	int64_t looked_at;
	struct stat seen; /* of the file that was last read, good or not; all 0: none was there */
	struct jwks *jwks;
	bool is_new; /* jwks has not been announced by update() yet */
};

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Reads at most what a key set may have, and one byte more to see that it has not. */
static bool read_all(int fd, struct buf *document)
{
	while (document->len <= JWKS_MAX_BYTES) {
		char *room = buf_reserve(document, 4096);
		ssize_t got = room ? read(fd, room, 4096) : -1;

		if (got < 0 && room && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			return true;
		document->len += (size_t)got;
	}
	return true;
}

/* NULL: good. Otherwise what is wrong. */
static const char *load_open_file(struct source_file *file, int fd, struct buf *notes)
{
	struct buf document = buf_make(JWKS_MAX_BYTES + 8192);
	struct stat stat;
	struct jwks *jwks = NULL;
	enum jwks_error error;

	if (fstat(fd, &stat) != 0)
		return "can't be read";
	file->seen = stat;
	if (!S_ISREG(stat.st_mode))
		return "is not a regular file";
	/* A user's group may be that of all users. */
	if ((stat.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "can be written by others";
	if (!read_all(fd, &document)) {
		buf_destroy(&document);
		return "can't be read";
	}
	error = jwks_parse(buf_view(&document), file->rsa_alg, notes, &jwks);
	buf_destroy(&document);
	if (error != JWKS_OK)
		return jwks_error_text(error);
	jwks_free(file->jwks);
	file->jwks = jwks;
	file->is_new = true;
	return NULL;
}

static const char *load(struct source_file *file, struct buf *notes)
{
	/* Without O_NONBLOCK a FIFO in its place would hold us until somebody writes. */
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *fault = "can't be opened";

	if (fd >= 0) {
		fault = load_open_file(file, fd, notes);
		close(fd);
	}
	return fault;
}

static bool is_due(const struct source_file *file, int64_t now, enum source_need need)
{
	return need == SOURCE_UNKNOWN_KID || now < file->looked_at || now - file->looked_at >= file->refresh;
}

/* The same fault is told once, not for every token that makes us look. */
static void look(struct source_file *file, struct buf *notes)
{
	struct stat found;
	const char *fault;

	if (stat(file->path, &found) != 0)
		found = (struct stat){0};
	if (is_same_file(&found, &file->seen))
		return;
	file->seen = found;
	fault = load(file, notes);
	file->source.is_outdated = fault != NULL;
	if (fault) {
		BUF_LIT(notes, "JWKS_FILE ");
		buf_add(notes, view_of(fault));
		BUF_LIT(notes, "; the last good keys stay in use\n");
	}
}

static bool update(struct source *source, int64_t now, enum source_need need, struct buf *notes)
{
	struct source_file *file = (struct source_file *)source;
	bool is_new;

	if (is_due(file, now, need)) {
		file->looked_at = now;
		look(file, notes);
	}
	is_new = file->is_new;
	file->is_new = false;
	return is_new;
}

static const struct jwks *keys(const struct source *source)
{
	return ((const struct source_file *)source)->jwks;
}

static void close_source(struct source *source)
{
	struct source_file *file = (struct source_file *)source;

	jwks_free(file->jwks);
	free(file->path);
	free(file);
}

static const struct source_type type = {update, keys, close_source, "JWKS_FILE"};

bool source_file_open(struct view path, enum alg rsa_alg, int64_t refresh, struct buf *notes, struct source **ret,
                      struct buf *error)
{
	struct source_file *file;
	const char *fault;

	if (path.len == 0 || path.ptr[0] != '/') {
		BUF_LIT(error, "is not an absolute path");
		return false;
	}
	file = calloc(1, sizeof(*file));
	if (file)
		file->path = strndup(path.ptr, path.len);
	if (!file || !file->path) {
		free(file);
		BUF_LIT(error, "no memory");
		return false;
	}
	file->source.type = &type;
	file->rsa_alg = rsa_alg;
	file->refresh = refresh;
	file->looked_at = clock_now();
	fault = load(file, notes);
	if (fault) {
		buf_add(error, view_of(fault));
		close_source(&file->source);
		return false;
	}
	*ret = &file->source;
	return true;
}
