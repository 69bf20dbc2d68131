/* The machine's own key, and what is done with secrets: keyed hashes, and
 * comparing without telling.
 *
 * The key is random and lies in STATE_DIR. Hashes under it tell the same from
 * another, and nothing to whoever does not have the key.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/view.h"

enum { SECRET_KEY_BYTES = 32, SECRET_PREPARED_BYTES = 208, SECRET_PSEUDONYM_TEXT = 16 };

/* With what an HMAC under it begins, which is the half of its cost. */
struct secret_key {
	unsigned char bytes[SECRET_KEY_BYTES];
	unsigned char prepared[SECRET_PREPARED_BYTES];
};

/* The key of these bytes. */
struct secret_key secret_key_make(const unsigned char bytes[SECRET_KEY_BYTES]);

/* Reads the machine's key from STATE_DIR (base/state_dir.h), and makes it when
 * there is no good one. *ret_common is false when it could not be kept there, and
 * is this process's own. False: the system has no random bytes. */
CHECKED bool secret_key_read(int state_dir, struct secret_key *ret, bool *ret_common);

/* A hash for tables (SipHash-2-4). `purpose` keeps hashes of different uses apart. */
uint64_t secret_hash(const struct secret_key *key, char purpose, struct view text);

/* A pseudonym for logs: the first 64 bits of an HMAC-SHA-256 (RFC 2104) in
 * hexadecimal, with a NUL. */
void secret_pseudonym(const struct secret_key *key, struct view text, char ret[SECRET_PSEUDONYM_TEXT + 1]);

/* Equal? The time it takes depends on the lengths alone. */
bool secret_equal(struct view a, struct view b);

#endif
