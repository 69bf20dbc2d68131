/* The machine's key, and what is made with it. */
#include "base/secret.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/leaks.h"

static char folder[] = "/tmp/secret-XXXXXX";
static int dir = -1;

static void begin(void)
{
	cr_assert_not_null(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void end(void)
{
	unlinkat(dir, "machine.key", 0);
	unlinkat(dir, "machine.key.lock", 0);
	close(dir);
	rmdir(folder);
	leaks_check();
}

TestSuite(secret, .init = begin, .fini = end);

static struct secret_key read_key(void)
{
	struct secret_key key;
	bool common = false;

	cr_assert(secret_key_read(dir, &key, &common));
	cr_expect(common);
	return key;
}

static bool same(const struct secret_key *a, const struct secret_key *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

Test(secret, the_key_is_made_once_and_kept_in_private)
{
	struct secret_key first = read_key();
	struct secret_key second = read_key();
	struct stat stat;

	cr_expect(same(&first, &second));
	cr_assert_eq(fstatat(dir, "machine.key", &stat, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect_eq(stat.st_mode & 07777, 0600);
	unlinkat(dir, "machine.key", 0);
	second = read_key();
	cr_expect_not(same(&first, &second));
}

Test(secret, an_odd_key_is_replaced)
{
	for (int len = 0; len < 64; len += 31) {
		int fd = openat(dir, "machine.key", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		cr_assert_eq(write(fd, "0123456789012345678901234567890123456789012345678901234567890123", (size_t)len),
		             len);
		close(fd);
		struct secret_key first = read_key();
		struct secret_key second = read_key();
		cr_expect(same(&first, &second), "%d bytes", len);
	}
}

Test(secret, a_key_that_others_may_read_is_replaced)
{
	struct secret_key first = read_key();

	cr_assert_eq(fchmodat(dir, "machine.key", 0640, 0), 0);
	struct secret_key second = read_key();
	cr_expect_not(same(&first, &second));
}

Test(secret, processes_that_start_together_agree)
{
	enum { PROCESSES = 8 };
	int ends[2];
	struct secret_key keys[PROCESSES];

	cr_assert_eq(pipe(ends), 0);
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		struct secret_key key;
		bool common;
		bool done = secret_key_read(dir, &key, &common) && write(ends[1], &key, sizeof(key)) == sizeof(key);
		_exit(done ? 0 : 1);
	}
	for (int i = 0; i < PROCESSES; i++) {
		cr_assert_eq(read(ends[0], &keys[i], sizeof(keys[i])), (ssize_t)sizeof(keys[i]));
		cr_expect(same(&keys[0], &keys[i]));
	}
	while (wait(NULL) > 0)
		continue;
	close(ends[0]);
	close(ends[1]);
}

Test(secret, hashes_depend_on_key_purpose_and_text)
{
	struct secret_key a = {.bytes = {1}};
	struct secret_key b = {.bytes = {2}};

	cr_expect_eq(secret_hash(&a, 'u', VIEW("anna")), secret_hash(&a, 'u', VIEW("anna")));
	cr_expect_neq(secret_hash(&a, 'u', VIEW("anna")), secret_hash(&b, 'u', VIEW("anna")));
	cr_expect_neq(secret_hash(&a, 'u', VIEW("anna")), secret_hash(&a, 'a', VIEW("anna")));
	cr_expect_neq(secret_hash(&a, 'u', VIEW("anna")), secret_hash(&a, 'u', VIEW("anne")));
	cr_expect_neq(secret_hash(&a, 'u', VIEW("")), secret_hash(&a, 'u', VIEW("a")));
	cr_expect_eq(secret_hash(&a, 'u', ABSENT), secret_hash(&a, 'u', VIEW("")));
}

/* The published vectors (RFC 4231 §4) have keys of other lengths; this is their
 * first one with a key of 32 bytes, by another implementation. */
Test(secret, a_pseudonym_is_the_start_of_an_hmac)
{
	unsigned char bytes[SECRET_KEY_BYTES];
	char text[SECRET_PSEUDONYM_TEXT + 1];

	memset(bytes, 0x0b, sizeof(bytes));
	struct secret_key key = secret_key_make(bytes);
	secret_pseudonym(&key, VIEW("Hi There"), text);
	cr_expect_str_eq(text, "198a607eb44bfbc6");
}

Test(secret, equal_means_every_byte)
{
	cr_expect(secret_equal(VIEW("secret"), VIEW("secret")));
	cr_expect_not(secret_equal(VIEW("secret"), VIEW("secreT")));
	cr_expect_not(secret_equal(VIEW("secret"), VIEW("Secret")));
	cr_expect_not(secret_equal(VIEW("secret"), VIEW("secrets")));
	cr_expect_not(secret_equal(VIEW("secret"), VIEW("")));
	cr_expect_not(secret_equal(VIEW("secret"), ABSENT));
}
