/* Shared memory in a file that anything may happen to. */
#include "base/shared.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/state_dir.h"
#include "support/leaks.h"

enum { SIZE = 64 * 1024, FILE_SIZE = SIZE + 64, LAYOUT = 7 };
#define FILE_NAME "common-0000000000000007"

static char folder[] = "/tmp/shared-XXXXXX";
static int dir = -1;

static void begin(void)
{
	cr_assert_not_null(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void end(void)
{
	unlinkat(dir, FILE_NAME, 0);
	unlinkat(dir, FILE_NAME ".lock", 0);
	close(dir);
	rmdir(folder);
	leaks_check();
}

TestSuite(shared, .init = begin, .fini = end);

static _Atomic uint64_t *number(const struct shared *shared, size_t index)
{
	return (_Atomic uint64_t *)shared->memory + index;
}

static void open_one(struct shared *ret)
{
	cr_assert(shared_open(dir, "common", LAYOUT, SIZE, ret));
}

/* As if a second had passed since the last look. */
static void look(struct shared *shared)
{
	cr_assert(shared_refresh(shared, shared->checked_at + CLOCK_SECOND));
}

/* Do both see what the other counts? */
static void expect_common(struct shared *a, struct shared *b)
{
	uint64_t before = atomic_load(number(a, 3));

	cr_expect(shared_is_common(a) && shared_is_common(b));
	atomic_fetch_add(number(b, 3), 2);
	cr_expect_eq(atomic_load(number(a, 3)), before + 2);
}

static int open_file(void)
{
	int fd = openat(dir, FILE_NAME, O_RDWR | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

Test(shared, is_common_to_all_who_open_it_and_outlives_them)
{
	struct shared a, b;

	open_one(&a);
	cr_expect_eq(atomic_load(number(&a, 0)), 0);
	atomic_store(number(&a, 0), 42);
	atomic_store(number(&a, SIZE / 8 - 1), 43);
	open_one(&b);
	expect_common(&a, &b);
	shared_close(&a);
	shared_close(&b);
	open_one(&a);
	cr_expect_eq(atomic_load(number(&a, 0)), 42);
	cr_expect_eq(atomic_load(number(&a, SIZE / 8 - 1)), 43);
	shared_close(&a);
}

Test(shared, the_file_is_private_and_really_there)
{
	struct shared a;
	struct stat stat;

	open_one(&a);
	cr_assert_eq(fstatat(dir, FILE_NAME, &stat, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect_eq(stat.st_mode & 07777, 0600);
	cr_expect_eq(stat.st_size, FILE_SIZE);
	cr_expect_geq(stat.st_blocks * 512, FILE_SIZE);
	shared_close(&a);
}

Test(shared, another_layout_has_a_file_of_its_own)
{
	struct shared a, b;

	open_one(&a);
	atomic_store(number(&a, 0), 42);
	cr_assert(shared_open(dir, "common", LAYOUT + 1, SIZE, &b));
	cr_expect_eq(atomic_load(number(&b, 0)), 0);
	cr_expect(shared_is_common(&a) && shared_is_common(&b));
	unlinkat(dir, "common-0000000000000008", 0);
	unlinkat(dir, "common-0000000000000008.lock", 0);
	shared_close(&a);
	shared_close(&b);
}

Test(shared, a_name_without_room_in_it_is_refused)
{
	struct shared a = {0};

	cr_expect_not(shared_open(dir, "a-name-of-twenty-three-", LAYOUT, SIZE, &a));
	cr_expect_null(a.memory);
	shared_close(&a);
}

Test(shared, a_good_file_is_replaced_by_an_empty_one_where_that_is_asked_for)
{
	struct shared a, b;

	open_one(&a);
	open_one(&b);
	atomic_store(number(&a, 0), 42);
	shared_renew(&b);
	cr_expect_eq(atomic_load(number(&b, 0)), 0);
	cr_expect_eq(atomic_load(number(&a, 0)), 42);
	look(&a);
	cr_expect_eq(atomic_load(number(&a, 0)), 0);
	expect_common(&a, &b);
	shared_close(&a);
	shared_close(&b);
}

Test(shared, a_cut_file_kills_nobody)
{
	static const off_t sizes[] = {0, 1, 63, 64, 4096, FILE_SIZE - 1};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct shared a, b;

		open_one(&a);
		open_one(&b);
		int fd = open_file();
		cr_assert_eq(ftruncate(fd, sizes[i]), 0);
		close(fd);
		/* The last page is gone; whatever is read there, the process lives and can count. */
		atomic_fetch_add(number(&a, SIZE / 8 - 1), 1);
		atomic_fetch_add(number(&a, 0), 1);
		look(&a);
		look(&b);
		expect_common(&a, &b);
		shared_close(&a);
		shared_close(&b);
	}
}

Test(shared, one_that_lost_its_memory_joins_again_at_once)
{
	struct shared a;

	open_one(&a);
	int fd = open_file();
	cr_assert_eq(ftruncate(fd, 0), 0);
	close(fd);
	cr_expect_eq(atomic_load(number(&a, 0)), 0);
	cr_expect_not(shared_is_common(&a));
	cr_expect(shared_refresh(&a, a.checked_at));
	cr_expect(shared_is_common(&a));
	shared_close(&a);
}

Test(shared, a_file_that_has_failed_is_not_used_again_even_if_it_looks_whole)
{
	struct shared a;
	struct stat before, after;

	open_one(&a);
	int fd = open_file();
	cr_assert_eq(fstat(fd, &before), 0);
	cr_assert(ftruncate(fd, 64) == 0);
	atomic_fetch_add(number(&a, SIZE / 8 - 1), 1);
	cr_expect_not(shared_is_common(&a));
	cr_assert(ftruncate(fd, FILE_SIZE) == 0);
	cr_expect(shared_refresh(&a, a.checked_at));
	cr_expect(shared_is_common(&a));
	cr_assert_eq(fstatat(dir, FILE_NAME, &after, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect_neq(before.st_ino, after.st_ino);
	close(fd);
	shared_close(&a);
}

Test(shared, looks_at_most_once_a_second)
{
	struct shared a;

	open_one(&a);
	cr_expect_not(shared_refresh(&a, a.checked_at + CLOCK_SECOND - 1));
	cr_expect(shared_refresh(&a, a.checked_at + CLOCK_SECOND));
	shared_close(&a);
}

Test(shared, a_removed_file_is_made_anew_and_everybody_joins_it)
{
	struct shared a, b;

	open_one(&a);
	open_one(&b);
	cr_assert_eq(unlinkat(dir, FILE_NAME, 0), 0);
	look(&a);
	look(&b);
	expect_common(&a, &b);
	shared_close(&a);
	shared_close(&b);
}

Test(shared, an_odd_file_is_replaced)
{
	static const struct {
		const char *what;
		off_t at;
		unsigned char bytes[8];
	} cases[] = {
	        {"another magic", 0, "garbage"},
	        {"another layout", 8, {9}},
	        {"another size", 16, {1}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct shared a, b;

		open_one(&a);
		atomic_store(number(&a, 0), 42);
		int fd = open_file();
		cr_assert_eq(pwrite(fd, cases[i].bytes, 8, cases[i].at), 8);
		close(fd);
		open_one(&b);
		cr_expect_eq(atomic_load(number(&b, 0)), 0, "%s", cases[i].what);
		look(&a);
		expect_common(&a, &b);
		shared_close(&a);
		shared_close(&b);
	}
}

Test(shared, an_odd_head_is_noticed_while_mapped)
{
	struct shared a;

	open_one(&a);
	atomic_store(number(&a, 0), 42);
	int fd = open_file();
	cr_assert_eq(pwrite(fd, "garbage", 7, 0), 7);
	close(fd);
	look(&a);
	cr_expect(shared_is_common(&a));
	cr_expect_eq(atomic_load(number(&a, 0)), 0);
	shared_close(&a);
}

Test(shared, a_file_that_others_may_touch_is_replaced)
{
	struct shared a;
	struct stat stat;

	open_one(&a);
	atomic_store(number(&a, 0), 42);
	shared_close(&a);
	cr_assert_eq(fchmodat(dir, FILE_NAME, 0644, 0), 0);
	open_one(&a);
	cr_expect_eq(atomic_load(number(&a, 0)), 0);
	cr_assert_eq(fstatat(dir, FILE_NAME, &stat, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect_eq(stat.st_mode & 07777, 0600);
	shared_close(&a);
}

Test(shared, a_link_is_not_followed)
{
	struct shared a;
	struct stat stat;

	cr_assert_eq(symlinkat("elsewhere", dir, FILE_NAME), 0);
	open_one(&a);
	cr_expect(shared_is_common(&a));
	cr_expect_eq(fstatat(dir, "elsewhere", &stat, 0), -1);
	shared_close(&a);
}

Test(shared, a_full_disk_leaves_each_its_own_memory_until_there_is_room)
{
	struct shared a, b;
	struct rlimit limit, before;

	/* The limit for files is what a full disk looks like to posix_fallocate(3). */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 4096;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	open_one(&a);
	open_one(&b);
	cr_expect_not(shared_is_common(&a));
	atomic_fetch_add(number(&a, 0), 1);
	atomic_fetch_add(number(&a, SIZE / 8 - 1), 1);
	cr_expect_eq(atomic_load(number(&a, 0)), 1);
	cr_expect_eq(atomic_load(number(&b, 0)), 0);
	look(&a);
	cr_expect_not(shared_is_common(&a));
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	look(&a);
	look(&b);
	expect_common(&a, &b);
	shared_close(&a);
	shared_close(&b);
}

/* Stands for a file system on which files can't be shared by mapping (some of
 * FUSE and 9P): the kernel asks it when the old mapping is gone. */
static bool maps_no_files;

void *mmap(void *at, size_t size, int rights, int flags, int fd, off_t offset)
{
	if (maps_no_files && fd >= 0) {
		if ((flags & MAP_FIXED) != 0)
			munmap(at, size);
		errno = ENODEV;
		return MAP_FAILED;
	}
	long mapped = syscall(SYS_mmap, at, size, rights, flags, fd, offset);
	return mapped == -1 ? MAP_FAILED : (void *)mapped;
}

Test(shared, a_file_system_that_maps_no_files_leaves_each_its_own_memory)
{
	struct shared a, b;

	maps_no_files = true;
	open_one(&a);
	cr_expect_not(shared_is_common(&a));
	atomic_fetch_add(number(&a, 0), 1);
	atomic_fetch_add(number(&a, SIZE / 8 - 1), 1);
	look(&a);
	cr_expect_not(shared_is_common(&a));
	cr_expect_eq(atomic_load(number(&a, 0)), 1);
	maps_no_files = false;
	open_one(&b);
	look(&a);
	expect_common(&a, &b);
	shared_close(&a);
	shared_close(&b);
}

Test(shared, a_maker_that_hangs_stops_nobody)
{
	struct shared a;
	int lock = -1;

	cr_assert_eq(state_file_lock(dir, FILE_NAME ".lock", 0, &lock), STATE_LOCKED);
	open_one(&a);
	cr_expect_not(shared_is_common(&a));
	atomic_fetch_add(number(&a, 0), 1);
	close(lock);
	look(&a);
	cr_expect(shared_is_common(&a));
	shared_close(&a);
}

/* Counts until it is told to stop. */
static void hammer(const _Atomic int *stop)
{
	struct shared a;

	if (!shared_open(dir, "common", LAYOUT, SIZE, &a))
		_exit(1);
	for (size_t i = 0; !atomic_load(stop); i++) {
		bool looked = shared_refresh(&a, a.checked_at + CLOCK_SECOND / 16 * (int64_t)(i % 32));
		for (size_t j = looked; j < SIZE / 8; j += 97)
			atomic_fetch_add(number(&a, j), 1);
	}
	shared_close(&a);
	_exit(0);
}

Test(shared, survives_cuts_garbage_removal_and_kills_under_load)
{
	enum { PROCESSES = 3, ROUNDS = 400 };
	_Atomic int *stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static const unsigned char garbage[512] = {0x5a, 0xff, 1};
	pid_t pids[PROCESSES];
	struct shared a, b;

	cr_assert(stop != MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++)
		if ((pids[i] = fork()) == 0)
			hammer(stop);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = openat(dir, FILE_NAME, O_RDWR | O_CLOEXEC);

		if (fd < 0) {
			sched_yield();
			continue;
		}
		(void)!pwrite(fd, garbage, sizeof(garbage), round * 128 % FILE_SIZE);
		if (round % 3 == 0)
			(void)!ftruncate(fd, round * 331 % FILE_SIZE);
		close(fd);
		if (round % 7 == 0)
			unlinkat(dir, FILE_NAME, 0);
		if (round % 50 == 49) {
			int victim = round / 50 % PROCESSES;
			int status = 0;

			kill(pids[victim], SIGKILL);
			waitpid(pids[victim], &status, 0);
			cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
			if ((pids[victim] = fork()) == 0)
				hammer(stop);
		}
	}
	atomic_store(stop, 1);
	for (int i = 0; i < PROCESSES; i++) {
		int status = 0;

		waitpid(pids[i], &status, 0);
		cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	}
	open_one(&a);
	open_one(&b);
	expect_common(&a, &b);
	shared_close(&a);
	shared_close(&b);
	munmap((void *)stop, 4096);
}

Test(shared, closing_one_leaves_the_others_guarded_and_the_last_takes_the_guard_away)
{
	struct shared a, b, c;
	struct sigaction before, now;

	sigaction(SIGBUS, NULL, &before);
	open_one(&a);
	open_one(&b);
	open_one(&c);
	shared_close(&b);
	int fd = open_file();
	cr_assert_eq(ftruncate(fd, 0), 0);
	close(fd);
	atomic_fetch_add(number(&a, SIZE / 8 - 1), 1);
	shared_close(&c);
	shared_close(&a);
	sigaction(SIGBUS, NULL, &now);
	cr_expect(now.sa_sigaction == before.sa_sigaction);
}

#ifndef __SANITIZE_ADDRESS__
Test(shared, a_fault_elsewhere_is_as_deadly_as_ever, .signal = SIGBUS)
{
	struct shared a;
	int fd = memfd_create("elsewhere", MFD_CLOEXEC);

	open_one(&a);
	cr_assert_eq(ftruncate(fd, 4096), 0);
	volatile char *elsewhere = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(elsewhere != MAP_FAILED);
	cr_assert_eq(ftruncate(fd, 0), 0);
	unlinkat(dir, FILE_NAME, 0);
	unlinkat(dir, FILE_NAME ".lock", 0);
	rmdir(folder);
	elsewhere[0] = 1;
}

Test(shared, a_signal_that_somebody_sends_is_as_deadly_as_ever, .signal = SIGBUS)
{
	struct shared a;

	open_one(&a);
	unlinkat(dir, FILE_NAME, 0);
	unlinkat(dir, FILE_NAME ".lock", 0);
	rmdir(folder);
	kill(getpid(), SIGBUS);
}
#endif
