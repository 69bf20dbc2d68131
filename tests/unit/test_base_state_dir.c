/* STATE_DIR: which folders and files are trusted. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/state_dir.h"
#include "support/auth_folder.h"
#include "support/leaks.h"
#include "support/machine.h"

static struct auth_folder folder;
static struct buf error;
static struct buf text;

static void setup(void)
{
	folder = auth_folder_make();
	error = buf_make(1024);
	text = buf_make(64);
}

static void teardown(void)
{
	auth_folder_remove(&folder);
	buf_destroy(&error);
	buf_destroy(&text);
	leaks_check();
}

TestSuite(state_dir, .init = setup, .fini = teardown);

static const char *below(const char *name)
{
	static char path[AUTH_FOLDER_PATH + 64];

	snprintf(path, sizeof(path), "%s/%s", folder.path, name);
	return path;
}

static void expect_refusal(const char *path, struct view document_root, const char *expected)
{
	int fd = -1;

	buf_reset(&error, 0);
	cr_expect_not(state_dir_open(view_of(path), document_root, &fd, &error), "%s", path);
	cr_expect_eq(fd, -1);
	cr_expect(view_equal(buf_view(&error), view_of(expected)), "%s: %.*s", path, VIEW_ARGS(buf_view(&error)));
}

Test(state_dir, opens_a_private_folder_of_ours)
{
	int fd = -1;

	cr_expect(state_dir_open(view_of(folder.path), ABSENT, &fd, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	cr_expect_geq(fd, 0);
	close(fd);
}

Test(state_dir, makes_the_last_part_for_itself)
{
	struct stat stat_now;
	int fd = -1;

	cr_assert(state_dir_open(view_of(below("made")), ABSENT, &fd, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	cr_assert_eq(fstat(fd, &stat_now), 0);
	cr_expect_eq(stat_now.st_mode & 0777, 0700);
	close(fd);
	expect_refusal(below("not/there"), ABSENT, "STATE_DIR can't be opened or made, or is no folder");
}

Test(state_dir, refuses_rights_for_others)
{
	static const mode_t modes[] = {0701, 0710, 0750, 0755, 0770, 0777, 01777};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		cr_assert_eq(fchmod(folder.fd, modes[i]), 0);
		expect_refusal(folder.path, ABSENT, "STATE_DIR does not have mode 0700");
	}
	cr_assert_eq(fchmod(folder.fd, 0700), 0);
}

Test(state_dir, refuses_another_owner)
{
	if (geteuid() != 0)
		cr_skip("only root can make a folder of another user");
	cr_assert_eq(fchown(folder.fd, 65534, 65534), 0);
	expect_refusal(folder.path, ABSENT, "STATE_DIR belongs to another user");
}

Test(state_dir, refuses_links_files_and_relative_paths)
{
	auth_folder_write(&folder, "file", VIEW("x"), 0600);
	cr_assert_eq(mkdir(below("real"), 0700), 0);
	cr_assert_eq(symlinkat("real", folder.fd, "link"), 0);
	expect_refusal(below("file"), ABSENT, "STATE_DIR can't be opened or made, or is no folder");
	expect_refusal(below("link"), ABSENT, "STATE_DIR can't be opened or made, or is no folder");
	expect_refusal(below("link//"), ABSENT, "STATE_DIR can't be opened or made, or is no folder");
	expect_refusal("build", ABSENT, "STATE_DIR is not an absolute path");
	expect_refusal("./build", ABSENT, "STATE_DIR is not an absolute path");
}

Test(state_dir, refuses_places_where_everybody_may_write)
{
	static const char *const patterns[] = {"/tmp/auth-test-XXXXXX", "/var/tmp/auth-test-XXXXXX",
	                                       "/dev/shm/auth-test-XXXXXX"};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s", patterns[i]);
		if (!mkdtemp(path))
			continue;
		expect_refusal(path, ABSENT, "STATE_DIR lies where everybody may write");
		cr_assert_eq(rmdir(path), 0, "a folder that was there stays");
		expect_refusal(path, ABSENT, "STATE_DIR lies where everybody may write");
		cr_expect_neq(rmdir(path), 0, "one that was made to be refused is left behind");
	}
}

Test(state_dir, sees_through_a_link_in_the_path)
{
	char path[] = "/tmp/auth-test-XXXXXX";

	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(symlinkat(path, folder.fd, "link"), 0);
	expect_refusal(below("link/state"), ABSENT, "STATE_DIR lies where everybody may write");
	cr_expect_neq(rmdir(below("link/state")), 0, "nothing is left of it");
	rmdir(path);
}

Test(state_dir, stays_out_of_the_document_root)
{
	int fd = -1;

	cr_assert_eq(mkdir(below("www"), 0755), 0);
	cr_assert_eq(mkdir(below("www/state"), 0700), 0);
	cr_assert_eq(mkdir(below("www-state"), 0700), 0);
	cr_assert_eq(symlinkat("www", folder.fd, "current"), 0);

	char root[AUTH_FOLDER_PATH + 64];

	snprintf(root, sizeof(root), "%s/www", folder.path);
	expect_refusal(below("www/state"), view_of(root), "STATE_DIR lies in the document root");
	snprintf(root, sizeof(root), "%s/current/", folder.path);
	expect_refusal(below("www/state"), view_of(root), "STATE_DIR lies in the document root");
	expect_refusal(below("www/state"), VIEW("/"), "STATE_DIR lies in the document root");
	snprintf(root, sizeof(root), "%s/www/state", folder.path);
	expect_refusal(below("www/state"), view_of(root), "STATE_DIR lies in the document root");
	snprintf(root, sizeof(root), "%s/www", folder.path);
	cr_expect(state_dir_open(view_of(below("www-state")), view_of(root), &fd, &error), "%.*s",
	          VIEW_ARGS(buf_view(&error)));
	close(fd);
}

Test(state_dir, the_standard_folder_is_below_home_and_nothing_is_left_of_a_refused_one)
{
	int fd = -1;

	if (!machine_own_files())
		cr_skip_test("only root can make namespaces");
	cr_assert(machine_set_home(folder.path));
	expect_refusal("", view_of(folder.path), "STATE_DIR lies in the document root");
	cr_expect_neq(rmdir(below(".local/state/todo-fcgi")), 0, "nothing is left of it");
	cr_assert(state_dir_open(VIEW(""), ABSENT, &fd, &error), "%.*s", VIEW_ARGS(buf_view(&error)));
	close(fd);
	expect_refusal("", view_of(folder.path), "STATE_DIR lies in the document root");
	cr_expect_eq(rmdir(below(".local/state/todo-fcgi")), 0, "one that was there stays");
}

Test(state_dir, one_that_was_removed_is_made_anew_behind_the_same_descriptor)
{
	struct view path = view_of(strdup(below("made")));
	struct stat stat_now;
	int fd = -1;

	cr_assert(state_dir_open(path, ABSENT, &fd, &error));
	cr_expect_not(state_dir_renew(path, ABSENT, fd), "it is there");
	cr_assert_eq(rmdir(path.ptr), 0);
	cr_expect_not(state_dir_renew(path, view_of(folder.path), fd), "it would lie in the document root");
	cr_expect_not(state_file_replace(fd, "file", VIEW("x")));
	cr_expect_neq(rmdir(path.ptr), 0);
	cr_expect(state_dir_renew(path, ABSENT, fd));
	cr_expect(state_file_replace(fd, "file", VIEW("x")));
	cr_expect_eq(unlink(below("made/file")), 0);
	cr_assert_eq(fstat(fd, &stat_now), 0);
	cr_expect_eq(stat_now.st_mode & 0777, 0700);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_expect_not(state_dir_renew(path, ABSENT, fd));
	/* What has taken its place is taken as it is, if it is good. */
	cr_assert_eq(rmdir(path.ptr), 0);
	cr_assert_eq(symlinkat("elsewhere", folder.fd, "made"), 0);
	cr_expect_not(state_dir_renew(path, ABSENT, fd), "a link");
	close(fd);
	free((char *)(uintptr_t)path.ptr);
}

/* ---- files --------------------------------------------------------------------- */

Test(state_dir, file_reads_back_what_was_put)
{
	struct stat stat_now;

	cr_assert(state_file_replace(folder.fd, "copy", VIEW("first")));
	cr_assert(state_file_replace(folder.fd, "copy", VIEW("second")));
	cr_assert(state_file_read(folder.fd, "copy", &text));
	cr_expect(view_equal(buf_view(&text), VIEW("second")));
	cr_assert_eq(fstatat(folder.fd, "copy", &stat_now, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect_eq(stat_now.st_mode & 07777, 0600);
}

Test(state_dir, file_is_bounded_by_the_buffer)
{
	char bytes[65];

	memset(bytes, 'x', sizeof(bytes));
	auth_folder_write(&folder, "full", (struct view){bytes, 64}, 0600);
	auth_folder_write(&folder, "over", (struct view){bytes, 65}, 0600);
	cr_expect(state_file_read(folder.fd, "full", &text));
	cr_expect_eq(text.len, 64);
	buf_reset(&text, 0);
	cr_expect_not(state_file_read(folder.fd, "over", &text));
}

Test(state_dir, file_of_doubtful_origin_is_not_read)
{
	auth_folder_write(&folder, "good", VIEW("x"), 0600);
	auth_folder_write(&folder, "group", VIEW("x"), 0640);
	auth_folder_write(&folder, "world", VIEW("x"), 0606);
	cr_assert_eq(symlinkat("good", folder.fd, "link"), 0);
	cr_assert_eq(mkfifoat(folder.fd, "fifo", 0600), 0);
	cr_expect(state_file_read(folder.fd, "good", &text));
	cr_expect_not(state_file_read(folder.fd, "missing", &text));
	cr_expect_not(state_file_read(folder.fd, "group", &text));
	cr_expect_not(state_file_read(folder.fd, "world", &text));
	cr_expect_not(state_file_read(folder.fd, "link", &text));
	cr_expect_not(state_file_read(folder.fd, "fifo", &text));
	cr_assert_eq(linkat(folder.fd, "good", folder.fd, "twice", 0), 0);
	cr_expect_not(state_file_read(folder.fd, "good", &text), "a file with two names may be another's");
}

Test(state_dir, file_of_another_user_is_not_read)
{
	if (geteuid() != 0)
		cr_skip("only root can make a file of another user");
	auth_folder_write(&folder, "planted", VIEW("x"), 0600);
	cr_assert_eq(fchownat(folder.fd, "planted", 65534, 65534, 0), 0);
	cr_expect_not(state_file_read(folder.fd, "planted", &text));
}

Test(state_dir, replacing_follows_no_link)
{
	auth_folder_write(&folder, "victim", VIEW("precious"), 0600);
	cr_assert_eq(symlinkat("victim", folder.fd, "copy"), 0);
	cr_assert(state_file_replace(folder.fd, "copy", VIEW("new")));
	cr_assert(state_file_read(folder.fd, "victim", &text));
	cr_expect(view_equal(buf_view(&text), VIEW("precious")));
}

/* Until it takes the place of the old one the new file has a longer name. */
Test(state_dir, file_with_a_name_that_has_no_room_for_more_is_not_replaced)
{
	char name[NAME_MAX + 1] = "";

	memset(name, 'n', NAME_MAX - 17);
	cr_expect(state_file_replace(folder.fd, name, VIEW("new")));
	memset(name, 'n', NAME_MAX - 16);
	cr_expect_not(state_file_replace(folder.fd, name, VIEW("new")));
}

Test(state_dir, lock_is_held_by_one_process)
{
	int pipes[2];
	int lock = -1;
	int status;
	pid_t child;
	char byte;

	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(state_file_lock(folder.fd, "lock", 0, &lock), STATE_LOCKED);
	child = fork();
	if (child == 0) {
		int own = -1;
		bool good = state_file_lock(folder.fd, "lock", 0, &own) == STATE_LOCK_BUSY;

		/* The other one lets go only after it has read this. */
		good = write(pipes[1], "x", 1) == 1 && good;
		close(lock);
		good = state_file_lock(folder.fd, "lock", clock_monotonic() + 30 * CLOCK_SECOND, &own) ==
		               STATE_LOCKED &&
		       good;
		_exit(good ? 0 : 1);
	}
	cr_assert_eq(read(pipes[0], &byte, 1), 1);
	close(lock);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	close(pipes[0]);
	close(pipes[1]);
}

Test(state_dir, lock_file_of_doubtful_origin_is_none)
{
	int lock = -1;

	auth_folder_write(&folder, "other", VIEW(""), 0600);
	cr_assert_eq(symlinkat("other", folder.fd, "link"), 0);
	auth_folder_write(&folder, "open", VIEW(""), 0666);
	cr_expect_eq(state_file_lock(folder.fd, "link", 0, &lock), STATE_LOCK_FAILED);
	cr_expect_eq(state_file_lock(folder.fd, "open", 0, &lock), STATE_LOCK_FAILED);
	cr_expect_eq(lock, -1);
}
