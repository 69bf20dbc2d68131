/* base/spool: texts too long for memory, in files that nobody finds. */
#include "base/spool.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/leaks.h"

static char folder[64];
static int dir = -1;

static void setup(void)
{
	snprintf(folder, sizeof folder, "/tmp/todo-spool-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0);
}

static void teardown(void)
{
	close(dir);
	cr_expect_eq(rmdir(folder), 0, "something is left in the folder");
	leaks_check();
}

TestSuite(base_spool, .init = setup, .fini = teardown);

static struct spool open_spool(void)
{
	struct spool spool = spool_none();
	cr_assert_eq(spool_open(dir, &spool), SPOOL_OK);
	return spool;
}

/* Appends `count` lines of ten bytes. */
static void append_lines(struct spool *spool, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		char line[16];
		snprintf(line, sizeof line, "%09u\n", i);
		buf_add(spool_buf(spool), view_of(line));
		spool_took(spool);
	}
}

static void expect_lines(int fd, unsigned first, unsigned count, uint64_t at)
{
	for (unsigned i = first; i < first + count; i++) {
		char line[16], expected[16];
		snprintf(expected, sizeof expected, "%09u\n", i);
		cr_assert_eq(pread(fd, line, 10, (off_t)(at + 10 * (i - first))), 10);
		cr_assert_eq(memcmp(line, expected, 10), 0, "line %u", i);
	}
}

Test(base_spool, gives_back_what_was_appended)
{
	SPOOL spool = open_spool();
	append_lines(&spool, 0, 50000);
	cr_expect_eq(spool_len(&spool), 500000);
	cr_assert_eq(spool_finish(&spool), SPOOL_OK);
	cr_expect_eq(spool_len(&spool), 500000);
	expect_lines(spool.fd, 0, 50000, 0);
}

Test(base_spool, may_be_empty)
{
	struct stat stat;
	SPOOL spool = open_spool();
	cr_assert_eq(spool_finish(&spool), SPOOL_OK);
	cr_assert_eq(fstat(spool.fd, &stat), 0);
	cr_expect_eq(stat.st_size, 0);
}

Test(base_spool, keeps_memory_small)
{
	SPOOL spool = open_spool();
	append_lines(&spool, 0, 200000);
	cr_expect_leq(spool.pending.capacity, 256 * 1024);
}

static void expect_hidden(int fd)
{
	struct stat stat;
	cr_assert_eq(fstat(fd, &stat), 0);
	cr_expect_eq(stat.st_nlink, 0);
	cr_expect_eq(stat.st_mode & 0777, 0600);
	cr_expect_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	DIR *entries = fdopendir(dup(dir));
	rewinddir(entries);
	unsigned count = 0;
	while (readdir(entries))
		count++;
	closedir(entries);
	cr_expect_eq(count, 2, "more than . and .. is in the folder");
}

Test(base_spool, has_a_file_without_a_name_that_only_its_user_reads)
{
	SPOOL spool = open_spool();
	expect_hidden(spool.fd);
}

/* What a file system says that makes no file without a name, or none with one; 0: it makes one. */
static int unnamed_fault, named_fault;

int openat(int at, const char *path, int flags, ...)
{
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	bool named = (flags & O_CREAT) != 0;
	va_list more;
	va_start(more, flags);
	mode_t mode = unnamed || named ? va_arg(more, mode_t) : 0;
	va_end(more);
	int fault = unnamed ? unnamed_fault : named ? named_fault : 0;
	if (fault != 0) {
		errno = fault;
		return -1;
	}
	return (int)syscall(SYS_openat, at, path, flags, mode);
}

Test(base_spool, takes_the_name_away_where_every_file_has_one)
{
	static const int faults[] = {EOPNOTSUPP, EISDIR, EINVAL};
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		unnamed_fault = faults[i];
		SPOOL spool = open_spool();
		expect_hidden(spool.fd);
		append_lines(&spool, 0, 3);
		cr_assert_eq(spool_finish(&spool), SPOOL_OK);
		expect_lines(spool.fd, 0, 3, 0);
	}
}

Test(base_spool, gives_no_name_to_a_file_that_fails_for_another_reason)
{
	struct spool spool = spool_none();
	unnamed_fault = EACCES;
	cr_expect_eq(spool_open(dir, &spool), SPOOL_FAILED);
	unnamed_fault = ENOSPC;
	cr_expect_eq(spool_open(dir, &spool), SPOOL_FULL);
}

Test(base_spool, says_that_there_is_no_room_for_a_file_with_a_name)
{
	struct spool spool = spool_none();
	unnamed_fault = EOPNOTSUPP;
	named_fault = ENOSPC;
	cr_expect_eq(spool_open(dir, &spool), SPOOL_FULL);
}

static bool chance_fails;

ssize_t getrandom(void *out, size_t len, unsigned flags)
{
	if (chance_fails) {
		errno = ENOMEM;
		return -1;
	}
	return syscall(SYS_getrandom, out, len, flags);
}

Test(base_spool, makes_no_file_whose_name_could_be_guessed)
{
	struct spool spool = spool_none();
	unnamed_fault = EOPNOTSUPP;
	chance_fails = true;
	cr_expect_eq(spool_open(dir, &spool), SPOOL_FAILED);
}

static int unlink_fault;

int unlinkat(int at, const char *path, int flags)
{
	if (unlink_fault != 0) {
		errno = unlink_fault;
		return -1;
	}
	return (int)syscall(SYS_unlinkat, at, path, flags);
}

/* The lowest number that is free. */
static int next_fd(void)
{
	int fd = dup(dir);
	close(fd);
	return fd;
}

Test(base_spool, keeps_no_file_whose_name_stays)
{
	struct spool spool = spool_none();
	int free_fd = next_fd();
	unnamed_fault = EOPNOTSUPP;
	unlink_fault = EACCES;
	cr_expect_eq(spool_open(dir, &spool), SPOOL_FAILED);
	cr_expect_eq(next_fd(), free_fd, "it is still open");
	unlink_fault = 0;
	DIR *entries = fdopendir(dup(dir));
	rewinddir(entries);
	for (struct dirent *entry; (entry = readdir(entries));)
		if (strncmp(entry->d_name, "spool.", 6) == 0)
			cr_expect_eq(unlinkat(dir, entry->d_name, 0), 0);
	closedir(entries);
}

Test(base_spool, forgets_what_is_cut_off)
{
	/* Cut in what is pending, and in what has been written long ago. */
	static const unsigned written[] = {10, 20000};
	for (size_t i = 0; i < 2; i++) {
		SPOOL spool = open_spool();
		append_lines(&spool, 0, written[i]);
		spool_cut(&spool, 50);
		cr_expect_eq(spool_len(&spool), 50);
		append_lines(&spool, 700, 3);
		cr_assert_eq(spool_finish(&spool), SPOOL_OK);
		cr_expect_eq(spool_len(&spool), 80);
		expect_lines(spool.fd, 0, 5, 0);
		expect_lines(spool.fd, 700, 3, 50);
		struct stat stat;
		cr_assert_eq(fstat(spool.fd, &stat), 0);
		cr_expect_eq(stat.st_size, 80);
	}
}

Test(base_spool, says_that_there_is_no_room)
{
	struct rlimit before;
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	const struct rlimit small = {100 * 1024, before.rlim_max};
	SPOOL spool = open_spool();
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	append_lines(&spool, 0, 20000);
	enum spool_state state = spool_finish(&spool);
	/* Once it has failed it stays so, whatever is cut off. */
	spool_cut(&spool, 0);
	enum spool_state later = spool_finish(&spool);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	cr_expect_eq(state, SPOOL_FULL);
	cr_expect_eq(later, SPOOL_FULL);
}

Test(base_spool, fails_in_a_folder_that_is_none)
{
	struct spool spool = spool_none();
	cr_expect_eq(spool_open(-1, &spool), SPOOL_FAILED);
	cr_expect_eq(spool.fd, -1);
	spool_destroy(&spool);
}

Test(base_spool, fails_at_a_piece_that_is_too_long)
{
	SPOOL spool = open_spool();
	char *piece = calloc(1, 1024 * 1024);
	cr_assert_not_null(piece);
	buf_add(spool_buf(&spool), (struct view){piece, 1024 * 1024});
	spool_took(&spool);
	free(piece);
	cr_expect_eq(spool_finish(&spool), SPOOL_FAILED);
}

Test(base_spool, hands_its_file_over)
{
	struct spool spool = open_spool();
	append_lines(&spool, 0, 3);
	cr_assert_eq(spool_finish(&spool), SPOOL_OK);
	int fd = spool_take_file(&spool);
	spool_destroy(&spool);
	expect_lines(fd, 0, 3, 0);
	cr_expect_eq(close(fd), 0);
}
