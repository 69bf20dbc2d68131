/* A text too long for memory: written to a file without a name, then read again.
 *
 * The file lies in a folder of base/state_dir.h, mode 0600, and is gone with its
 * descriptor, however the process ends. A failed append marks the spool and later
 * appends do nothing, so a writer asks spool_finish() once, at its end.
 */
#ifndef BASE_SPOOL_H
#define BASE_SPOOL_H

#include "base/buf.h"

enum spool_state {
	SPOOL_OK,
	SPOOL_FULL,   /* no room on the disk, in a quota, under a limit for files, or for one more open file */
	SPOOL_FAILED, /* any other fault, memory for what is written too */
};

struct spool {
	int fd; /* -1: none */
	uint64_t len;
	struct buf pending; /* appended and not written yet */
	enum spool_state state;
};

/* A spool without a file: spool_destroy() may be called on it. */
static inline struct spool spool_none(void)
{
	return (struct spool){.fd = -1};
}

/* Makes the file in the folder `dir`. On failure *ret is untouched. */
CHECKED enum spool_state spool_open(int dir, struct spool *ret);
void spool_destroy(struct spool *spool);
#define SPOOL __attribute__((cleanup(spool_destroy))) struct spool

/* Where a writer appends its next piece, at most SPOOL_PIECE_MAX bytes long,
 * before it calls spool_took(). */
enum { SPOOL_PIECE_MAX = 64 * 1024 };
static inline struct buf *spool_buf(struct spool *spool)
{
	return &spool->pending;
}
void spool_took(struct spool *spool);

/* Forgets everything after the first `len` bytes, which were appended before. */
void spool_cut(struct spool *spool, uint64_t len);

/* Bytes appended so far. */
static inline uint64_t spool_len(const struct spool *spool)
{
	return spool->len + spool->pending.len;
}

/* Writes what is pending. SPOOL_OK: the file holds all that was appended. */
CHECKED enum spool_state spool_finish(struct spool *spool);

/* Takes the file out of the spool: its descriptor, to be read from the beginning
 * by pread(2) and closed by the caller. */
CHECKED int spool_take_file(struct spool *spool);

#endif
