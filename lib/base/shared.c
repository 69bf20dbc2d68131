/* Maps a file that nobody can be trusted to leave alone. */
#include "base/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/state_dir.h"

/* How long a process that makes the file may keep another from its request. */
#define MAKING_WAIT (CLOCK_SECOND / 10)

enum { CACHE_LINE = 64 };

static const char MAGIC[8] = {'t', 'o', 'd', 'o', '-', 'm', 'a', 'p'};

/* What the file begins with; the memory follows on a line of its own. */
struct head {
	char magic[sizeof(MAGIC)];
	uint64_t layout;
	uint64_t size; /* of the file */
	char rest[CACHE_LINE - sizeof(MAGIC) - 2 * sizeof(uint64_t)];
};

_Static_assert(sizeof(struct head) == CACHE_LINE, "the memory begins on a cache line");

/* The mappings of this process, for the handler below. */
static struct shared *mappings;
static struct sigaction previous_action;

/* A page that the file no longer has, or that the disk can't give, ends in
 * SIGBUS, and no check before an access can rule that out, since the file may be
 * cut between the two. So the access is let through to memory of our own in the
 * same place. The signal comes from the access itself, never in between, and
 * mmap() is a bare system call here. */
static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	const unsigned char *at = info->si_addr;

	(void)context;
	for (struct shared *shared = mappings; shared && info->si_code > 0; shared = shared->next) {
		size_t whole = sizeof(struct head) + shared->size;
		int saved = errno;

		if (at < shared->base || at >= shared->base + whole)
			continue;
		if (mmap(shared->base, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		    MAP_FAILED)
			break;
		errno = saved;
		shared->lost = 1;
		return;
	}
	/* None of ours: it goes the way it would have gone without us. */
	sigaction(signal, &previous_action, NULL);
	if (info->si_code <= 0)
		raise(signal);
}

static void watch(struct shared *shared)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	if (!mappings) {
		sigemptyset(&action.sa_mask);
		sigaction(SIGBUS, &action, &previous_action);
	}
	shared->next = mappings;
	mappings = shared;
}

static void unwatch(struct shared *shared)
{
	struct shared **at = &mappings;

	while (*at != shared)
		at = &(*at)->next;
	*at = shared->next;
	if (!mappings)
		sigaction(SIGBUS, &previous_action, NULL);
}

static size_t file_size(const struct shared *shared)
{
	return sizeof(struct head) + shared->size;
}

static struct head make_head(const struct shared *shared)
{
	struct head head = {.layout = shared->layout, .size = file_size(shared)};

	memcpy(head.magic, MAGIC, sizeof(MAGIC));
	return head;
}

/* Reads what is mapped: after a SIGBUS that is zeros, hence no good head. */
static bool head_is_good(const struct shared *shared)
{
	struct head expected = make_head(shared);

	return memcmp(shared->base, &expected, sizeof(expected)) == 0;
}

/* Memory of this process's own in the place of what is there. */
static bool map_own(const struct shared *shared)
{
	return mmap(shared->base, file_size(shared), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	            -1, 0) != MAP_FAILED;
}

/* Maps the file, and only then puts it in the place of what is there: when a file
 * system refuses to be mapped over that, it may be gone already. */
static bool map_file(const struct shared *shared, int fd)
{
	size_t whole = file_size(shared);
	void *fresh = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fresh == MAP_FAILED)
		return false;
	if (mremap(fresh, whole, whole, MREMAP_MAYMOVE | MREMAP_FIXED, shared->base) != MAP_FAILED)
		return true;
	munmap(fresh, whole);
	(void)map_own(shared);
	return false;
}

/* Maps the file over what is there. False: it is missing or odd. */
static bool attach(struct shared *shared)
{
	struct head expected = make_head(shared);
	struct head found;
	struct stat stat;
	int fd = state_file_open(shared->dir, shared->name);

	if (fd < 0)
		return false;
	bool good = fstat(fd, &stat) == 0 && stat.st_size == (off_t)file_size(shared) &&
	            pread(fd, &found, sizeof(found), 0) == (ssize_t)sizeof(found) &&
	            memcmp(&found, &expected, sizeof(found)) == 0 && map_file(shared, fd);
	close(fd);
	if (!good)
		return false;
	shared->device = stat.st_dev;
	shared->inode = stat.st_ino;
	shared->lost = 0;
	shared->attached = true;
	return true;
}

static bool make_file(const struct shared *shared)
{
	struct head head = make_head(shared);

	return state_file_allocate(shared->dir, shared->name, (struct view){(const char *)&head, sizeof(head)},
	                           file_size(shared));
}

/* Takes the file's memory away, if it was there, and gives this process its own. */
static void detach(struct shared *shared)
{
	if (!shared->attached)
		return;
	if (!shared->lost && !map_own(shared))
		return;
	shared->attached = false;
	shared->lost = 0;
}

/* Joins the file, or makes one; `renew` even if there is a good one. Only its
 * maker needs the lock, which ends with the maker, however that ends. */
static void join(struct shared *shared, bool renew)
{
	char lock_name[SHARED_NAME_MAX + 8];
	int lock = -1;

	if (!renew && attach(shared))
		return;
	detach(shared);
	snprintf(lock_name, sizeof(lock_name), "%s.lock", shared->name);
	if (state_file_lock(shared->dir, lock_name, clock_monotonic() + MAKING_WAIT, &lock) != STATE_LOCKED)
		return;
	/* While we waited another process may have made it. */
	if ((renew || !attach(shared)) && make_file(shared) && !attach(shared))
		detach(shared);
	close(lock);
}

bool shared_open(int dir, const char *name, uint64_t layout, size_t size, struct shared *shared)
{
	struct shared fresh = {.dir = dir, .layout = layout, .size = size};
	int length = snprintf(fresh.name, sizeof(fresh.name), "%s-%016llx", name, (unsigned long long)layout);

	if (length < 0 || (size_t)length >= sizeof(fresh.name))
		return false;
	fresh.base = mmap(NULL, file_size(&fresh), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh.base == MAP_FAILED)
		return false;
	fresh.memory = fresh.base + sizeof(struct head);
	fresh.checked_at = clock_monotonic();
	*shared = fresh;
	watch(shared);
	join(shared, false);
	return true;
}

void shared_close(struct shared *shared)
{
	if (!shared->base)
		return;
	unwatch(shared);
	munmap(shared->base, file_size(shared));
	*shared = (struct shared){0};
}

/* Is what we have mapped, or had, what others find under the name? */
static bool is_same_file(const struct shared *shared, off_t *ret_size)
{
	struct stat stat;

	if (!shared->attached || fstatat(shared->dir, shared->name, &stat, AT_SYMLINK_NOFOLLOW) != 0 ||
	    stat.st_dev != shared->device || stat.st_ino != shared->inode)
		return false;
	*ret_size = stat.st_size;
	return true;
}

bool shared_refresh(struct shared *shared, int64_t now)
{
	if (!shared->lost && now - shared->checked_at < CLOCK_SECOND)
		return false;
	shared->checked_at = now;
	off_t size = 0;
	bool same = is_same_file(shared, &size);
	/* A file that has failed us has holes that the disk can't fill, even if it looks whole. */
	if (same && shared->lost)
		join(shared, true);
	else if (!same || size != (off_t)file_size(shared) || !head_is_good(shared))
		join(shared, false);
	return true;
}

bool shared_is_common(const struct shared *shared)
{
	return shared->attached && !shared->lost;
}

void shared_renew(struct shared *shared)
{
	join(shared, true);
}
