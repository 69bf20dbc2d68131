/* base64url: what is read is what libsodium reads, and there is one text for each value. */
#include "base/base64url.h"
#include "fuzz/fuzz.h"
#include "fuzz/second.h"

static void any_bytes_come_back(struct view bytes)
{
	char *text = fuzz_alloc(BASE64URL_ENCODED(bytes.len));
	unsigned char *back = fuzz_alloc(bytes.len);
	size_t len = base64url_encode((const unsigned char *)bytes.ptr, bytes.len, text);
	HOLDS(len == BASE64URL_ENCODED(bytes.len));
	HOLDS(base64url_decode((struct view){text, len}, back, &len));
	HOLDS(view_equal((struct view){(const char *)back, len}, bytes));
}

void fuzz_one(struct view input)
{
	unsigned char *ours = fuzz_alloc(BASE64URL_DECODED(input.len));
	unsigned char *theirs = fuzz_alloc(input.len);
	size_t len = 0;
	size_t second_len = 0;
	bool good = base64url_decode(input, ours, &len);
	HOLDS(good == second_base64url(input, theirs, &second_len));
	if (good) {
		char *text = fuzz_alloc(input.len);
		HOLDS(len == BASE64URL_DECODED(input.len) && len == second_len && memcmp(ours, theirs, len) == 0);
		HOLDS(view_equal((struct view){text, base64url_encode(ours, len, text)}, input));
	}
	any_bytes_come_back(input);
}
