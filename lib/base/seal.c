/* Gives up, for good, what a program with secrets does not need. */
#include "base/seal.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void seal_process(void)
{
	const struct rlimit none = {0, 0};

	/* The limit says no to a file but not to a collector of cores, which core(5)
	 * hands the whole memory through a pipe. That takes a process that is dumpable. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	umask(S_IRWXG | S_IRWXO);
}

void seal_descriptors(void)
{
	/* A kernel before 5.9 can't. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
}

void seal_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}
