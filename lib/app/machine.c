/* Lays out the shared memory and judges what is in it. */
#include "app/machine.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/shared.h"

/* 65,536 buckets of each kind in half a megabyte. */
enum { SETS = 8192, CACHE_LINE = 64, LAYOUT_VERSION = 2 };

struct area {
	_Alignas(CACHE_LINE) struct metrics metrics;
	_Alignas(CACHE_LINE) struct hold hold;
	_Alignas(CACHE_LINE) _Atomic uint64_t users[SETS * BUCKET_WAYS];
	_Alignas(CACHE_LINE) _Atomic uint64_t addresses[SETS * BUCKET_WAYS];
};

struct machine {
	struct shared shared;
	struct secret_key key;
	bool key_is_common;
	bool told;       /* what is told below, at least once */
	bool was_common; /* … when it was last told */
	bool was_odd;
	bool has_moved;
};

static struct area *area(const struct machine *machine)
{
	return machine->shared.memory;
}

/* The file's head says whose it is; that its numbers can be is judged here. */
static void judge(struct machine *machine)
{
	int64_t now = clock_now();
	if (!metrics_is_plausible(&area(machine)->metrics, now)) {
		machine->was_odd = true;
		shared_renew(&machine->shared);
	}
	metrics_begin(&area(machine)->metrics, now);
}

bool machine_open(int state_dir, struct machine **ret, struct buf *error)
{
	struct machine *machine = calloc(1, sizeof *machine);
	if (!machine) {
		BUF_LIT(error, "out of memory");
		return false;
	}
	if (!secret_key_read(state_dir, &machine->key, &machine->key_is_common)) {
		BUF_LIT(error, "no random bytes to be had");
		free(machine);
		return false;
	}
	if (!shared_open(state_dir, "shared", metrics_layout() ^ SETS ^ LAYOUT_VERSION, sizeof(struct area),
	                 &machine->shared)) {
		BUF_LIT(error, "out of memory");
		free(machine);
		return false;
	}
	judge(machine);
	*ret = machine;
	return true;
}

void machine_close(struct machine *machine)
{
	if (!machine)
		return;
	shared_close(&machine->shared);
	free(machine);
}

void machine_refresh(struct machine *machine, int64_t now)
{
	if (shared_refresh(&machine->shared, now))
		judge(machine);
}

void machine_move(struct machine *machine)
{
	/* Without random bytes the old key goes on. */
	if (secret_key_read(machine->shared.dir, &machine->key, &machine->key_is_common))
		machine->has_moved = true;
}

bool machine_is_common(const struct machine *machine)
{
	return shared_is_common(&machine->shared);
}

struct metrics *machine_metrics(struct machine *machine)
{
	return &area(machine)->metrics;
}

const struct secret_key *machine_key(const struct machine *machine)
{
	return &machine->key;
}

struct hold *machine_hold(struct machine *machine)
{
	return &area(machine)->hold;
}

struct bucket_table machine_users(struct machine *machine)
{
	return (struct bucket_table){area(machine)->users, SETS};
}

struct bucket_table machine_addresses(struct machine *machine)
{
	return (struct bucket_table){area(machine)->addresses, SETS};
}

void machine_take_notes(struct machine *machine, struct buf *ret)
{
	bool common = machine_is_common(machine);
	if (!machine->told && !machine->key_is_common)
		BUF_LIT(ret, "STATE_DIR: the machine's key can't be kept there: pseudonyms and limits are this "
		             "process's own\n");
	if (machine->has_moved)
		BUF_LIT(ret, "STATE_DIR: the folder was removed and has been made anew\n");
	if (machine->was_odd)
		BUF_LIT(ret, "STATE_DIR: the shared counters were odd and have been reset\n");
	if (!common && (!machine->told || machine->was_common))
		BUF_LIT(ret,
		        "STATE_DIR: no shared memory to be had there: counters and limits are this process's own\n");
	if (common && machine->told && !machine->was_common)
		BUF_LIT(ret, "STATE_DIR: counters and limits are shared again\n");
	machine->told = true;
	machine->was_common = common;
	machine->was_odd = false;
	machine->has_moved = false;
}

bool machine_write_metrics(int state_dir, struct buf *ret, struct buf *error)
{
	struct machine *machine = NULL;
	if (!machine_open(state_dir, &machine, error))
		return false;
	bool common = machine_is_common(machine);
	if (common)
		metrics_write(machine_metrics(machine), ret);
	else
		BUF_LIT(error, "STATE_DIR has no shared counters, and no room for them");
	machine_close(machine);
	return common;
}
