/* Files with secrets: whose they must be, and where they must not lie. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/private.h"
#include "support/leaks.h"

static struct arena arena;
static char folder[] = "/tmp/test_base_private.XXXXXX";

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static void setup(void)
{
	cr_assert(arena_init(&arena, 65536));
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
}

static void teardown(void)
{
	cr_assert_eq(chdir("/"), 0);
	nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	arena_destroy(&arena);
	leaks_check();
}

TestSuite(private, .init = setup, .fini = teardown);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void write_file(const char *path, struct view text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text.ptr, text.len), (ssize_t)text.len);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static enum private_error read_file(const char *path, struct view document_root)
{
	char *text = NULL;
	size_t len = 4711;
	enum private_error error = private_read(&arena, path, document_root, 100, &text, &len);

	cr_expect_eq(text != NULL, error == PRIVATE_OK);
	cr_expect_eq(len != 4711, error == PRIVATE_OK);
	return error;
}

Test(private, reads_a_whole_file)
{
	char *text = NULL;
	size_t len = 0;

	write_file("f", VIEW("a\0b\n"), 0600);
	cr_assert_eq(private_read(&arena, "f", ABSENT, 4, &text, &len), PRIVATE_OK);
	cr_expect_eq(len, 4);
	cr_expect_arr_eq(text, "a\0b\n", 5);
}

Test(private, reads_an_empty_file)
{
	char *text = NULL;
	size_t len = 1;

	write_file("f", VIEW(""), 0400);
	cr_assert_eq(private_read(&arena, "f", ABSENT, 0, &text, &len), PRIVATE_OK);
	cr_expect_eq(len, 0);
	cr_expect_eq(*text, '\0');
}

Test(private, refuses_a_byte_more_than_allowed)
{
	char *text = NULL;
	size_t len = 0;

	write_file("f", VIEW("12345"), 0600);
	cr_expect_eq(private_read(&arena, "f", ABSENT, 4, &text, &len), PRIVATE_TOO_LARGE);
	cr_expect_eq(private_read(&arena, "f", ABSENT, 5, &text, &len), PRIVATE_OK);
	cr_expect_eq(private_read(&arena, "f", ABSENT, 1000000, &text, &len), PRIVATE_TOO_LARGE);
}

Test(private, tells_missing_from_unreadable)
{
	cr_expect_eq(read_file("nothing", ABSENT), PRIVATE_MISSING);
	cr_expect_eq(read_file("nothing/at/all", ABSENT), PRIVATE_MISSING);
	cr_expect_eq(read_file("", ABSENT), PRIVATE_MISSING);
	cr_expect_eq(read_file(folder, ABSENT), PRIVATE_UNREADABLE);
	cr_assert_eq(symlink("loop", "loop"), 0);
	cr_expect_eq(read_file("loop", ABSENT), PRIVATE_UNREADABLE);
}

Test(private, does_not_wait_for_the_writer_of_a_pipe, .timeout = 20)
{
	cr_assert_eq(mkfifo("pipe", 0600), 0);
	cr_expect_eq(read_file("pipe", ABSENT), PRIVATE_UNREADABLE);
}

Test(private, refuses_whatever_others_can_open)
{
	static const mode_t modes[] = {0604, 0602, 0601, 0644, 0660, 0620, 0610, 0666, 0777};

	for (size_t i = 0; i < COUNT(modes); i++) {
		write_file("f", VIEW("x"), modes[i]);
		cr_expect_eq(read_file("f", ABSENT), PRIVATE_MODE, "%o", modes[i]);
	}
	write_file("f", VIEW("x"), 0700);
	cr_expect_eq(read_file("f", ABSENT), PRIVATE_OK);
}

Test(private, lets_a_group_read_what_belongs_to_root_only)
{
	write_file("f", VIEW("x"), 0640);
	cr_expect_eq(read_file("f", ABSENT), geteuid() == 0 ? PRIVATE_OK : PRIVATE_MODE);
	if (geteuid() != 0)
		return;
	/* The same file as another user's own. */
	cr_assert_eq(chown("f", 12345, 12345), 0);
	cr_assert_eq(chmod(folder, 0711), 0);
	cr_assert_eq(seteuid(12345), 0);
	cr_expect_eq(read_file("f", ABSENT), PRIVATE_MODE);
	cr_assert_eq(chmod("f", 0600), 0);
	cr_expect_eq(read_file("f", ABSENT), PRIVATE_OK);
	cr_assert_eq(seteuid(0), 0);
}

Test(private, refuses_the_file_of_another_user)
{
	if (geteuid() != 0)
		cr_skip_test("only root can give files away");
	write_file("f", VIEW("x"), 0600);
	cr_assert_eq(chown("f", 12345, 12345), 0);
	cr_expect_eq(read_file("f", ABSENT), PRIVATE_OWNER);
}

Test(private, refuses_what_lies_below_the_document_root)
{
	char root[PATH_MAX];

	cr_assert_eq(mkdir("www", 0755), 0);
	cr_assert_eq(mkdir("www/deep", 0755), 0);
	cr_assert_eq(mkdir("wwwx", 0755), 0);
	cr_assert_eq(symlink("www", "link"), 0);
	write_file("f", VIEW("x"), 0600);
	write_file("wwwx/f", VIEW("x"), 0600);
	write_file("www/deep/f", VIEW("x"), 0600);
	cr_assert_eq(symlink("../f", "www/out"), 0);
	cr_assert_eq(symlink("www/deep/f", "in"), 0);
	static const char *const roots[] = {"www", "www/", "link", "./www/deep/.."};
	for (size_t i = 0; i < COUNT(roots); i++) {
		snprintf(root, sizeof(root), "%s/%s", folder, roots[i]);
		cr_expect_eq(read_file("www/deep/f", view_of(root)), PRIVATE_PUBLIC, "%s", root);
		cr_expect_eq(read_file("link/deep/f", view_of(root)), PRIVATE_PUBLIC, "%s", root);
		cr_expect_eq(read_file("wwwx/../www/deep/f", view_of(root)), PRIVATE_PUBLIC, "%s", root);
		cr_expect_eq(read_file("in", view_of(root)), PRIVATE_PUBLIC, "a link into %s", root);
		cr_expect_eq(read_file("www/out", view_of(root)), PRIVATE_PUBLIC, "a link in %s", root);
		cr_expect_eq(read_file("f", view_of(root)), PRIVATE_OK, "%s", root);
		cr_expect_eq(read_file("wwwx/f", view_of(root)), PRIVATE_OK, "%s", root);
	}
	cr_expect_eq(read_file("f", VIEW("/")), PRIVATE_PUBLIC);
	cr_expect_eq(read_file("f", view_of(folder)), PRIVATE_PUBLIC);
	cr_expect_eq(read_file("f", VIEW("/no/such/root")), PRIVATE_OK);
	cr_expect_eq(read_file("f", VIEW("")), PRIVATE_OK);
}

Test(private, a_file_that_can_not_be_read_is_none)
{
	/* Nothing is mapped where it begins. */
	cr_expect_eq(read_file("/proc/self/mem", ABSENT), PRIVATE_UNREADABLE);
}

/* The path of the folder we stand in is as long as the kernel lets one be asked for, or longer. */
Test(private, takes_a_place_that_is_too_long_to_be_told_for_public)
{
	char part[201], root[PATH_MAX + 1];
	size_t depth = 0;

	memset(part, 'd', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	memset(root, 'r', sizeof(root));
	root[0] = '/';
	write_file("f", VIEW("x"), 0600);
	cr_expect_eq(read_file("f", (struct view){root, PATH_MAX - 1}), PRIVATE_OK, "the longest root");
	cr_expect_eq(read_file("f", (struct view){root, PATH_MAX}), PRIVATE_PUBLIC, "a root that is too long");
	for (; depth < 21; depth++) {
		cr_assert_eq(mkdir(part, 0700), 0);
		cr_assert_eq(chdir(part), 0);
		write_file(part, VIEW("x"), 0600);
		enum private_error expected =
		        strlen(folder) + (depth + 2) * sizeof(part) < PATH_MAX ? PRIVATE_OK : PRIVATE_PUBLIC;
		cr_expect_eq(read_file(part, VIEW("/srv")), expected, "at a depth of %zu", depth);
		cr_assert_eq(unlink(part), 0);
	}
	for (; depth > 0; depth--) {
		cr_assert_eq(chdir(".."), 0);
		cr_assert_eq(rmdir(part), 0);
	}
}

Test(private, names_each_error)
{
	cr_expect_str_eq(private_error_text(PRIVATE_OK), "");
	for (int error = PRIVATE_OK + 1; error <= PRIVATE_TOO_LARGE; error++)
		cr_expect_neq(*private_error_text((enum private_error)error), '\0');
}
