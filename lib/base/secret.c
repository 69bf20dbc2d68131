/* Keeps the machine's key, and hashes and compares by libsodium. */
#include "base/secret.h"

#include <sodium.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/state_dir.h"

#define MAKING_WAIT CLOCK_SECOND

_Static_assert(SECRET_KEY_BYTES == crypto_auth_hmacsha256_KEYBYTES, "one key serves both");
_Static_assert(SECRET_KEY_BYTES >= crypto_shorthash_siphash24_KEYBYTES, "one key serves both");
_Static_assert(sizeof(crypto_auth_hmacsha256_state) == SECRET_PREPARED_BYTES, "kept as bytes");

static const char key_file[] = "machine.key";
static const char lock_file[] = "machine.key.lock";

struct secret_key secret_key_make(const unsigned char bytes[SECRET_KEY_BYTES])
{
	struct secret_key key;
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, bytes, SECRET_KEY_BYTES);
	memcpy(key.bytes, bytes, sizeof(key.bytes));
	memcpy(key.prepared, &state, sizeof(state));
	return key;
}

static bool read_key(int state_dir, struct secret_key *ret)
{
	struct buf text = buf_make(SECRET_KEY_BYTES);
	bool good = state_file_read(state_dir, key_file, &text) && text.len == SECRET_KEY_BYTES;

	if (good)
		*ret = secret_key_make((const unsigned char *)text.ptr);
	buf_destroy(&text);
	return good;
}

bool secret_key_read(int state_dir, struct secret_key *ret, bool *ret_common)
{
	unsigned char bytes[SECRET_KEY_BYTES];
	int lock = -1;

	if (read_key(state_dir, ret)) {
		*ret_common = true;
		return true;
	}
	if (!random_bytes(bytes, sizeof(bytes)))
		return false;
	struct secret_key key = secret_key_make(bytes);
	bool common = false;
	if (state_file_lock(state_dir, lock_file, clock_monotonic() + MAKING_WAIT, &lock) == STATE_LOCKED) {
		/* While we waited another process may have made it. */
		common = read_key(state_dir, &key) ||
		         state_file_replace(state_dir, key_file,
		                            (struct view){(const char *)key.bytes, sizeof(key.bytes)});
		close(lock);
	}
	*ret = key;
	*ret_common = common;
	return true;
}

uint64_t secret_hash(const struct secret_key *key, char purpose, struct view text)
{
	unsigned char derived[crypto_shorthash_siphash24_KEYBYTES];
	unsigned char out[crypto_shorthash_siphash24_BYTES];
	uint64_t hash;

	/* One key a purpose, as far as a table needs it apart. */
	memcpy(derived, key->bytes, sizeof(derived));
	derived[0] ^= (unsigned char)purpose;
	crypto_shorthash_siphash24(out, (const unsigned char *)(text.len > 0 ? text.ptr : ""), text.len, derived);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

void secret_pseudonym(const struct secret_key *key, struct view text, char ret[SECRET_PSEUDONYM_TEXT + 1])
{
	unsigned char out[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	memcpy(&state, key->prepared, sizeof(state));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)(text.len > 0 ? text.ptr : ""), text.len);
	crypto_auth_hmacsha256_final(&state, out);
	sodium_bin2hex(ret, SECRET_PSEUDONYM_TEXT + 1, out, SECRET_PSEUDONYM_TEXT / 2);
}

bool secret_equal(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}
