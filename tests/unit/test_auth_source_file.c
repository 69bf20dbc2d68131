/* JWKS_FILE: what is read, when it is read again, and what is kept. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/source_file.h"
#include "base/clock.h"
#include "support/auth_folder.h"
#include "support/issuer.h"
#include "support/leaks.h"

#define REFRESH (300 * CLOCK_SECOND)

static struct auth_folder folder;
static struct buf notes;
static struct buf error;

static void setup(void)
{
	folder = auth_folder_make();
	notes = buf_make(4096);
	error = buf_make(1024);
}

static void teardown(void)
{
	auth_folder_remove(&folder);
	buf_destroy(&notes);
	buf_destroy(&error);
	leaks_check();
}

TestSuite(source_file, .init = setup, .fini = teardown);

/* Writes a set with one key of that kid, as an editor does: a new file in place of the old one. */
static const char *write_set(const char *kid)
{
	static char path[AUTH_FOLDER_PATH + 16];
	struct issuer *issuer = issuer_new(ALG_EDDSA, kid);
	struct buf jwks = buf_make(4096);

	issuer_jwks(&issuer, 1, &jwks);
	auth_folder_write(&folder, "new", buf_view(&jwks), 0644);
	cr_assert_eq(renameat(folder.fd, "new", folder.fd, "jwks.json"), 0);
	buf_destroy(&jwks);
	issuer_free(issuer);
	snprintf(path, sizeof(path), "%s/jwks.json", folder.path);
	return path;
}

static struct source *open_good(const char *path)
{
	struct source *source = NULL;

	cr_assert(source_file_open(view_of(path), ALG_RS256, REFRESH, &notes, &source, &error), "%.*s",
	          VIEW_ARGS(buf_view(&error)));
	return source;
}

static bool holds(const struct source *source, const char *kid)
{
	const struct jwks *jwks = source->type->keys(source);

	return jwks && jwks->count == 1 && view_equal(key_kid(jwks->keys[0]), view_of(kid));
}

static bool update(struct source *source, int64_t now, enum source_need need)
{
	return source->type->update(source, now, need, &notes);
}

Test(source_file, announces_its_set_once)
{
	struct source *source = open_good(write_set("a"));
	int64_t now = clock_now();

	cr_expect(holds(source, "a"));
	cr_expect(update(source, now, SOURCE_ROUTINE));
	cr_expect_not(update(source, now, SOURCE_ROUTINE));
	cr_expect_not(update(source, now, SOURCE_UNKNOWN_KID), "looked at, and found unchanged");
	source->type->close(source);
}

Test(source_file, takes_a_changed_file_when_it_is_due)
{
	struct source *source = open_good(write_set("a"));
	int64_t now = clock_now();

	write_set("b");
	cr_expect(update(source, now, SOURCE_ROUTINE));
	cr_expect(holds(source, "a"), "what opening it found");
	now += 2 * REFRESH;
	cr_expect(update(source, now, SOURCE_ROUTINE));
	cr_expect(holds(source, "b"));
	write_set("c");
	cr_expect_not(update(source, now, SOURCE_ROUTINE));
	cr_expect_not(update(source, now + REFRESH - 1, SOURCE_ROUTINE));
	cr_expect(holds(source, "b"));
	cr_expect(update(source, now + REFRESH, SOURCE_ROUTINE));
	cr_expect(holds(source, "c"));
	source->type->close(source);
}

Test(source_file, a_clock_that_was_set_back_makes_it_look)
{
	struct source *source = open_good(write_set("a"));
	int64_t now = clock_now() + 2 * REFRESH;

	cr_expect(update(source, now, SOURCE_ROUTINE));
	write_set("b");
	cr_expect(update(source, now - 1, SOURCE_ROUTINE));
	cr_expect(holds(source, "b"));
	source->type->close(source);
}

Test(source_file, keeps_no_descriptor)
{
	int before = dup(folder.fd);
	int after;

	close(before);
	struct source *source = open_good(write_set("a"));
	after = dup(folder.fd);
	cr_expect_eq(after, before);
	close(after);
	source->type->close(source);
}

Test(source_file, looks_at_once_for_an_unknown_kid)
{
	struct source *source = open_good(write_set("a"));
	int64_t now = clock_now();

	cr_expect(update(source, now, SOURCE_ROUTINE));
	write_set("b");
	cr_expect(update(source, now, SOURCE_UNKNOWN_KID));
	cr_expect(holds(source, "b"));
	cr_expect_not(update(source, now, SOURCE_UNKNOWN_KID));
	source->type->close(source);
}

/* The set is `kid`'s still, and nothing but this was told since the last time. */
static void expect_kept(const struct source *source, const char *kid, const char *note)
{
	cr_expect(holds(source, kid));
	cr_expect(source->is_outdated);
	cr_expect(view_equal(buf_view(&notes), view_of(note)), "%.*s", VIEW_ARGS(buf_view(&notes)));
	buf_reset(&notes, 0);
}

Test(source_file, keeps_the_last_good_set_and_says_so_once)
{
	struct source *source = open_good(write_set("a"));
	int64_t now = clock_now();

	cr_expect(update(source, now, SOURCE_ROUTINE));
	auth_folder_write(&folder, "jwks.json", VIEW("{\"keys\":["), 0644);
	cr_expect_not(update(source, now, SOURCE_UNKNOWN_KID));
	expect_kept(source, "a", "JWKS_FILE not a JWK Set; the last good keys stay in use\n");
	cr_expect_not(update(source, now, SOURCE_UNKNOWN_KID));
	expect_kept(source, "a", "");
	cr_assert_eq(unlinkat(folder.fd, "jwks.json", 0), 0);
	cr_expect_not(update(source, now, SOURCE_UNKNOWN_KID));
	expect_kept(source, "a", "JWKS_FILE can't be opened; the last good keys stay in use\n");
	cr_expect_not(update(source, now, SOURCE_UNKNOWN_KID));
	expect_kept(source, "a", "");
	write_set("b");
	cr_expect(update(source, now, SOURCE_UNKNOWN_KID));
	cr_expect(holds(source, "b"));
	cr_expect_not(source->is_outdated);
	source->type->close(source);
}

static void expect_refusal(const char *path, const char *expected)
{
	struct source *source = NULL;

	buf_reset(&error, 0);
	cr_expect_not(source_file_open(view_of(path), ALG_RS256, REFRESH, &notes, &source, &error), "%s", path);
	cr_expect(view_equal(buf_view(&error), view_of(expected)), "%s: %.*s", path, VIEW_ARGS(buf_view(&error)));
}

Test(source_file, refuses_files_that_are_no_good)
{
	char big[JWKS_MAX_BYTES + 1];
	struct buf set = buf_make(1024);

	BUF_LIT(&set, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
	              "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
	memset(big, ' ', sizeof(big));
	expect_refusal("jwks.json", "is not an absolute path");
	expect_refusal("", "is not an absolute path");
	expect_refusal(NULL, "is not an absolute path");
	expect_refusal("/", "is not a regular file");
	expect_refusal("/nowhere/jwks.json", "can't be opened");
	expect_refusal(folder.path, "is not a regular file");
	expect_refusal(auth_folder_write(&folder, "a", VIEW(""), 0644), "not a JWK Set");
	expect_refusal(auth_folder_write(&folder, "a", VIEW("{\"keys\":[]}"), 0644), "without a usable key");
	expect_refusal(auth_folder_write(&folder, "a", buf_view(&set), 0646), "can be written by others");
	expect_refusal(auth_folder_write(&folder, "a", buf_view(&set), 0664), "can be written by others");
	memcpy(big, set.ptr, set.len);
	expect_refusal(auth_folder_write(&folder, "b", (struct view){big, sizeof(big)}, 0644),
	               "larger than 256 KiB or more than 256 keys");
	/* Nothing is mapped where it begins. */
	expect_refusal("/proc/self/mem", "can't be read");
	cr_assert_eq(mkfifoat(folder.fd, "fifo", 0600), 0);

	char fifo[AUTH_FOLDER_PATH + 16];

	snprintf(fifo, sizeof(fifo), "%s/fifo", folder.path);
	expect_refusal(fifo, "is not a regular file");
	buf_destroy(&set);
}
