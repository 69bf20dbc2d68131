/* Makes, writes and hands over unnamed files. */
#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/random.h"

/* Written in pieces of this size: a write for each row would cost more than the row. */
enum { WRITE_AT = 64 * 1024 };

static enum spool_state state_of(int fault)
{
	static const int shortages[] = {ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE, ENOMEM};
	for (size_t i = 0; i < sizeof shortages / sizeof *shortages; i++)
		if (fault == shortages[i])
			return SPOOL_FULL;
	return SPOOL_FAILED;
}

/* For file systems that can't make a file without a name: it has one for a moment. */
static int open_and_unlink(int dir)
{
	char name[32];
	uint64_t chance;
	if (!random_bytes(&chance, sizeof chance)) {
		errno = EAGAIN;
		return -1;
	}
	snprintf(name, sizeof name, "spool.%016llx", (unsigned long long)chance);
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && unlinkat(dir, name, 0) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

enum spool_state spool_open(int dir, struct spool *ret)
{
	/* O_EXCL: nobody gives it a name later. */
	int fd = openat(dir, ".", O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		fd = open_and_unlink(dir);
	if (fd < 0)
		return state_of(errno);
	*ret = (struct spool){.fd = fd, .pending = buf_make(SPOOL_PIECE_MAX + WRITE_AT)};
	return SPOOL_OK;
}

void spool_destroy(struct spool *spool)
{
	if (spool->fd >= 0)
		close(spool->fd);
	buf_destroy(&spool->pending);
	*spool = spool_none();
}

static void write_pending(struct spool *spool)
{
	struct view rest = buf_view(&spool->pending);
	while (rest.len > 0 && spool->state == SPOOL_OK) {
		ssize_t put = pwrite(spool->fd, rest.ptr, rest.len, (off_t)spool->len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			spool->state = put == 0 ? SPOOL_FAILED : state_of(errno);
			break;
		}
		spool->len += (uint64_t)put;
		rest = view_from(rest, (size_t)put);
	}
	buf_reset(&spool->pending, SPOOL_PIECE_MAX + WRITE_AT);
}

void spool_took(struct spool *spool)
{
	if (!buf_ok(&spool->pending) && spool->state == SPOOL_OK)
		spool->state = SPOOL_FAILED;
	if (spool->state != SPOOL_OK)
		buf_reset(&spool->pending, SPOOL_PIECE_MAX + WRITE_AT);
	else if (spool->pending.len >= WRITE_AT)
		write_pending(spool);
}

void spool_cut(struct spool *spool, uint64_t len)
{
	if (spool->state != SPOOL_OK)
		return;
	write_pending(spool);
	if (spool->state == SPOOL_OK && len < spool->len) {
		if (ftruncate(spool->fd, (off_t)len) != 0)
			spool->state = SPOOL_FAILED;
		else
			spool->len = len;
	}
}

enum spool_state spool_finish(struct spool *spool)
{
	spool_took(spool);
	if (spool->state == SPOOL_OK)
		write_pending(spool);
	return spool->state;
}

int spool_take_file(struct spool *spool)
{
	int fd = spool->fd;
	spool->fd = -1;
	return fd;
}
