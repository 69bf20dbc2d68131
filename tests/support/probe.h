/* Probes: requests and the answers they must get, read from one text file, so
 * that every web server is asked the same (tests/e2e/probes.txt describes it).
 */
#ifndef SUPPORT_PROBE_H
#define SUPPORT_PROBE_H

#include "base/arena.h"
#include "base/buf.h"

enum { PROBE_KEPT_MAX = 16, PROBE_STEPS_MAX = 64 };

/* One line of a probe. */
struct probe_step {
	int line;
	struct view word; /* what it is: "ask", ">", "<", "on", … */
	struct view text; /* the rest of the line */
};

struct probe {
	struct view name;
	struct probe_step steps[PROBE_STEPS_MAX];
	size_t count;
};

/* Takes the next probe off *rest, the text of the file; *line counts its lines
 * and begins as 1. False with *ret_bad 0: there are no more. False with
 * *ret_bad set: that line can't be understood. */
CHECKED bool probe_next(struct view *rest, int *line, struct probe *ret, int *ret_bad);

/* Whom to ask, and what placeholders stand for. */
struct probe_target {
	struct view server; /* a name that "on" lines use */
	int port;
	/* Writes what {word:argument} stands for. False: unknown. */
	bool (*placeholder)(void *context, struct view word, struct view argument, struct buf *out);
	void *context;
	struct arena *arena; /* for what is kept from one probe to the next */
	struct view kept_names[PROBE_KEPT_MAX];
	struct view kept_values[PROBE_KEPT_MAX];
	size_t kept_count;
};

/* Asks and compares. False: something differs, and `report` says what. */
CHECKED bool probe_run(const struct probe *probe, struct probe_target *target, struct buf *report);

/* Writes the bytes that the probe sends. False: a placeholder is unknown. */
CHECKED bool probe_write_request(const struct probe *probe, const struct probe_target *target, struct buf *out);

#endif
