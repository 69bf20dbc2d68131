/* base/spool: texts too long for memory, in files that nobody finds. */
#include "base/spool.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

Test(base_spool, has_a_file_without_a_name_that_only_its_user_reads)
{
	struct stat stat;
	SPOOL spool = open_spool();
	cr_assert_eq(fstat(spool.fd, &stat), 0);
	cr_expect_eq(stat.st_nlink, 0);
	cr_expect_eq(stat.st_mode & 0777, 0600);
	cr_expect_eq(fcntl(spool.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	DIR *entries = fdopendir(dup(dir));
	unsigned count = 0;
	while (readdir(entries))
		count++;
	closedir(entries);
	cr_expect_eq(count, 2, "more than . and .. is in the folder");
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
