/* What the processes of one machine have in common: the key that pseudonyms and
 * hashes are made with, counters, the buckets of limits, and whom an operator keeps
 * waiting. All of it lies in STATE_DIR; without a place there each process has its own.
 */
#ifndef APP_MACHINE_H
#define APP_MACHINE_H

#include "app/hold.h"
#include "app/metrics.h"
#include "base/bucket.h"
#include "base/buf.h"
#include "base/secret.h"

struct machine;

/* `state_dir` is borrowed (base/state_dir.h). On failure `error` holds one line.
 * The caller closes *ret. */
CHECKED bool machine_open(int state_dir, struct machine **ret, struct buf *error);
void machine_close(struct machine *machine);

/* To be called before each request: joins the others again if they were lost.
 * `now` is by clock_monotonic(). */
void machine_refresh(struct machine *machine, int64_t now);

/* Another folder is behind `state_dir` now: takes its key, or makes it. The rest of it is
 * joined by machine_refresh(). */
void machine_move(struct machine *machine);

/* Are counters and buckets those of all processes, or this one's own for want of a place? */
CHECKED bool machine_is_common(const struct machine *machine);

/* Each lives as long as the machine is open. */
struct metrics *machine_metrics(struct machine *machine);
const struct secret_key *machine_key(const struct machine *machine);
struct hold *machine_hold(struct machine *machine);

/* Buckets of users, and of addresses without a good credential: apart, so that
 * these crowd out none of those. */
struct bucket_table machine_users(struct machine *machine);
struct bucket_table machine_addresses(struct machine *machine);

/* What there was to say since the last call, one line each, for the log. */
void machine_take_notes(struct machine *machine, struct buf *ret);

/* Writes what all processes with that STATE_DIR have counted so far, in the text
 * format of Prometheus. On failure `error` holds one line. */
CHECKED bool machine_write_metrics(int state_dir, struct buf *ret, struct buf *error);

#endif
