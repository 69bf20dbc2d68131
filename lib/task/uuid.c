/* Makes UUIDs of version 7 that grow within a process. */
#include "task/uuid.h"

#include "base/random.h"
#include "db/value.h"

enum { COUNTER_MAX = 0xfff };

/* Order within a process is the process's own matter, so this lives as long. */
static struct {
	uint64_t millisecond;
	unsigned counter; /* rand_a */
} last;

bool uuid_new(int64_t now, char ret[37])
{
	unsigned char bytes[16];
	if (!random_bytes(bytes + 6, 10))
		return false;
	uint64_t millisecond = now > 0 ? (uint64_t)now / 1000 : 0;
	if (millisecond > last.millisecond) {
		last.millisecond = millisecond;
		/* The top bit starts at zero, which leaves the counter room to grow. */
		last.counter = ((unsigned)bytes[6] << 8 | bytes[7]) & (COUNTER_MAX >> 1);
	} else if (last.counter < COUNTER_MAX) {
		last.counter++;
	} else {
		last.millisecond++;
		last.counter = 0;
	}
	for (unsigned i = 0; i < 6; i++)
		bytes[i] = (unsigned char)(last.millisecond >> (40 - 8 * i));
	bytes[6] = (unsigned char)(0x70 | last.counter >> 8);
	bytes[7] = (unsigned char)last.counter;
	bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
	return value_to_uuid((struct view){(const char *)bytes, sizeof bytes}, ret);
}
