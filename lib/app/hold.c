/* Counts those who are kept, and lets all go at once. */
#include "app/hold.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"

enum { LOOK_AGAIN = 2000 };

static void write_id(const uint64_t name[2], char id[HOLD_ID_TEXT + 1])
{
	snprintf(id, HOLD_ID_TEXT + 1, "hold-%016" PRIx64 "%016" PRIx64, name[0], name[1]);
}

bool hold_begin(struct hold *hold, uint64_t wanted, int64_t until, char id[HOLD_ID_TEXT + 1])
{
	uint64_t name[2];
	if (!random_bytes(name, sizeof name))
		return false;
	atomic_store(&hold->until, 0);
	atomic_store(&hold->name[0], name[0]);
	atomic_store(&hold->name[1], name[1]);
	atomic_store(&hold->wanted, wanted);
	atomic_store(&hold->held, 0);
	atomic_store(&hold->until, (uint64_t)until);
	write_id(name, id);
	return true;
}

uint64_t hold_end(struct hold *hold)
{
	atomic_store(&hold->until, 0);
	return atomic_load(&hold->held);
}

/* A process that ended, or the file of another boot, may have left any number. */
static bool goes_on(const struct hold *hold, int64_t now)
{
	uint64_t until = atomic_load(&hold->until);
	return until > (uint64_t)now && until - (uint64_t)now <= HOLD_MOST;
}

void hold_wait(struct hold *hold, struct view id)
{
	/* The one look that every request pays for. */
	if (atomic_load_explicit(&hold->until, memory_order_relaxed) == 0 || id.len != HOLD_ID_TEXT)
		return;
	const uint64_t name[2] = {atomic_load(&hold->name[0]), atomic_load(&hold->name[1])};
	char text[HOLD_ID_TEXT + 1];
	write_id(name, text);
	if (!view_equal(id, view_of(text)) || !goes_on(hold, clock_monotonic()))
		return;
	int64_t end = clock_monotonic() + HOLD_MOST;
	atomic_fetch_add(&hold->held, 1);
	while (atomic_load(&hold->held) < atomic_load(&hold->wanted) && goes_on(hold, clock_monotonic()) &&
	       clock_monotonic() < end)
		clock_wait(LOOK_AGAIN);
}
