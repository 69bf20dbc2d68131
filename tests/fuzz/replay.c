/* The main of a fuzz target without libFuzzer: replays its corpus, packs and unpacks it.
 *
 *	fuzz_NAME                   replays tests/fuzz/corpus/NAME.txt
 *	fuzz_NAME --unpack FOLDER   makes each input a file of its own
 *	fuzz_NAME --pack FOLDER     prints such files in the form of a corpus
 *
 * A corpus has one input a line; "\n", "\\" and "\xNN" stand for what they stand
 * for in C. Lines that begin with "# " and empty ones are for people: an input
 * that begins so has "\x23" instead.
 *
 * Inputs are replayed in a process of their own, so that one that ends it fails
 * alone and is named. The last line is what Criterion would print.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

enum { PATH_SIZE = 1024 };

/* Shared with the process that replays. */
struct progress {
	size_t line;
	size_t inputs;
	bool done;
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* ---- the form of a corpus ---- */

/* In place; the new length. */
static size_t unescape(char *line, size_t len)
{
	size_t kept = 0;
	for (size_t i = 0; i < len; i++) {
		char c = line[i];
		if (c == '\\' && i + 3 < len && line[i + 1] == 'x') {
			const char digits[] = {line[i + 2], line[i + 3], '\0'};
			c = (char)strtoul(digits, NULL, 16);
			i += 3;
		} else if (c == '\\' && i + 1 < len) {
			c = line[++i] == 'n' ? '\n' : line[i];
		}
		line[kept++] = c;
	}
	return kept;
}

static void escape(FILE *file)
{
	size_t at = 0;
	for (int c; (c = getc(file)) != EOF; at++) {
		if (c == '\n')
			fputs("\\n", stdout);
		else if (c == '\\')
			fputs("\\\\", stdout);
		else if (c < ' ' || c > '~' || (c == '#' && at == 0))
			printf("\\x%02x", (unsigned)c);
		else
			putchar(c);
	}
	putchar('\n');
}

/* Calls `take` for each input, with the number of its line. */
static void each_input(const char *path, void (*take)(void *context, size_t number, struct view input), void *context)
{
	FILE *corpus = fopen(path, "r");
	char *line = NULL;
	size_t room = 0, number = 0;
	if (!corpus)
		die(path);
	for (ssize_t got; (got = getline(&line, &room, corpus)) >= 0;) {
		size_t len = (size_t)got;
		number++;
		if (len > 0 && line[len - 1] == '\n')
			len--;
		if (len > 0 && !view_starts((struct view){line, len}, VIEW("# ")))
			take(context, number, (struct view){line, unescape(line, len)});
	}
	free(line);
	fclose(corpus);
}

/* ---- replaying ---- */

/* Those behind the line of the progress: the others have been replayed. */
static void replay_one(void *context, size_t number, struct view input)
{
	struct progress *progress = context;
	if (number <= progress->line)
		return;
	progress->line = number;
	progress->inputs++;
	uint8_t *exact = malloc(input.len > 0 ? input.len : 1);
	if (!exact)
		die("memory");
	memcpy(exact, input.ptr, input.len);
	(void)LLVMFuzzerTestOneInput(exact, input.len);
	free(exact);
}

static int replay(const char *path)
{
	struct progress *progress =
	        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t failed = 0;
	if (progress == MAP_FAILED)
		die("mmap");
	while (!progress->done) {
		size_t before = progress->line;
		int status = 0;
		pid_t child = fork();
		if (child < 0)
			die("fork");
		if (child == 0) {
			each_input(path, replay_one, progress);
			progress->done = true;
			/* By way of exit, so that the leak sanitizer is asked. */
			exit(EXIT_SUCCESS);
		}
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			continue;
		if (status == 0)
			continue;
		failed++;
		fprintf(stderr, "[FAIL] %s:%zu%s\n", path, progress->line,
		        progress->done ? ": at the end, which is a leak" : "");
		if (progress->line == before)
			break;
	}
	printf("[====] Synthesis: Tested: %zu | Passing: %zu | Failing: %zu | Crashing: 0\n", progress->inputs,
	       progress->inputs - failed, failed);
	return failed > 0 || progress->inputs == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- files of their own ---- */

static void unpack_one(void *context, size_t number, struct view input)
{
	const char *folder = context;
	char name[PATH_SIZE];
	snprintf(name, sizeof name, "%s/line-%04zu", folder, number);
	FILE *file = fopen(name, "w");
	if (!file || fwrite(input.ptr, 1, input.len, file) != input.len || fclose(file) != 0)
		die(name);
}

static int is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void pack(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_file, alphasort);
	if (count < 0)
		die(folder);
	for (int i = 0; i < count; i++) {
		char name[PATH_SIZE];
		snprintf(name, sizeof name, "%s/%s", folder, entries[i]->d_name);
		FILE *file = fopen(name, "r");
		if (!file)
			die(name);
		escape(file);
		fclose(file);
		free(entries[i]);
	}
	free(entries);
}

int main(int count, char **arguments)
{
	const struct view prefix = VIEW("fuzz_");
	const char *slash = strrchr(arguments[0], '/');
	const char *name = slash ? slash + 1 : arguments[0];
	char path[PATH_SIZE];
	if (!view_starts(view_of(name), prefix))
		return EXIT_FAILURE;
	snprintf(path, sizeof path, "tests/fuzz/corpus/%s.txt", name + prefix.len);
	if (count == 3 && strcmp(arguments[1], "--unpack") == 0)
		each_input(path, unpack_one, arguments[2]);
	else if (count == 3 && strcmp(arguments[1], "--pack") == 0)
		pack(arguments[2]);
	else
		return replay(path);
	return EXIT_SUCCESS;
}
