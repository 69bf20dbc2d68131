/* Files that change: every way of it is seen, and nothing else. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/watch.h"
#include "support/auth_folder.h"
#include "support/leaks.h"

static struct auth_folder folder;
static struct watch watch;

static void setup(void)
{
	folder = auth_folder_make();
}

static void teardown(void)
{
	watch_clear(&watch);
	auth_folder_remove(&folder);
	leaks_check();
}

TestSuite(watch, .init = setup, .fini = teardown, .timeout = 60);

static void wait_until_old(const char *path)
{
	struct stat found;
	cr_assert_eq(stat(path, &found), 0);
	while (clock_now() - (int64_t)found.st_ctim.tv_sec * CLOCK_SECOND < 3 * CLOCK_SECOND)
		poll(NULL, 0, 5);
}

/* A file that has been there for a while. */
static const char *old_file(void)
{
	const char *path = auth_folder_write(&folder, "file", VIEW("one"), 0600);
	wait_until_old(path);
	return path;
}

Test(watch, finds_an_untouched_file_unchanged)
{
	cr_assert(watch_add(&watch, old_file()));
	cr_expect_not(watch_changed(&watch));
}

Test(watch, sees_a_file_written_into)
{
	cr_assert(watch_add(&watch, old_file()));
	auth_folder_write(&folder, "file", VIEW("two"), 0600);
	cr_expect(watch_changed(&watch));
}

Test(watch, sees_a_file_replaced_by_an_older_one_of_its_size)
{
	const char *other = auth_folder_write(&folder, "other", VIEW("two"), 0600);
	wait_until_old(other);
	cr_assert(watch_add(&watch, auth_folder_write(&folder, "file", VIEW("one"), 0600)));
	cr_assert_eq(renameat(folder.fd, "other", folder.fd, "file"), 0);
	cr_expect(watch_changed(&watch));
}

Test(watch, sees_rights_change)
{
	const char *path = old_file();
	cr_assert(watch_add(&watch, path));
	cr_assert_eq(chmod(path, 0640), 0);
	cr_expect(watch_changed(&watch));
}

Test(watch, sees_a_file_go_and_come)
{
	const char *path = old_file();
	cr_assert(watch_add(&watch, path));
	cr_assert_eq(unlink(path), 0);
	cr_expect(watch_changed(&watch));
	watch_clear(&watch);
	cr_assert(watch_add(&watch, path));
	cr_expect_not(watch_changed(&watch), "it is still not there");
	auth_folder_write(&folder, "file", VIEW("one"), 0600);
	cr_expect(watch_changed(&watch));
}

/* Two writes within one tick of the clock look like one. */
Test(watch, looks_twice_at_a_file_that_had_just_been_written)
{
	const char *path = auth_folder_write(&folder, "file", VIEW("one"), 0600);
	cr_assert(watch_add(&watch, path));
	while (!watch_changed(&watch))
		poll(NULL, 0, 5);
	wait_until_old(path);
	watch_clear(&watch);
	cr_assert(watch_add(&watch, path));
	cr_expect_not(watch_changed(&watch));
}

Test(watch, takes_no_more_files_than_it_has_room_for)
{
	const char *path = old_file();
	for (size_t i = 0; i < WATCH_MAX; i++)
		cr_assert(watch_add(&watch, path));
	cr_expect_not(watch_add(&watch, path));
}
