/* Takes one cookie out of a Cookie header. */
#include "auth/cookie.h"

#include "auth/jwt.h"

/* What is said of one cookie, by its name. */
struct found {
	struct view whole;                     /* ABSENT: not sent */
	struct view chunks[COOKIE_CHUNKS_MAX]; /* the same */
	bool bad;
};

/* The alphabet of a compact JWS (RFC 7515 §7.1), all of it cookie-octets, so no
 * quoting and no encoding is ever needed (RFC 6265 §4.1.1). */
static bool is_token_text(struct view value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
		      c == '_' || c == '.'))
			return false;
	}
	return value.len > 0 && value.len <= JWT_MAX_BYTES;
}

static void take(struct view *slot, struct view value, struct found *found)
{
	if (!view_is_absent(*slot) || !is_token_text(value))
		found->bad = true;
	*slot = value;
}

/* `rest` is what follows the cookie's name in a name; "" for the whole. A name such as
 * NAME.00 or NAME.x is another cookie's. */
static void take_named(struct view rest, struct view value, struct found *found)
{
	uint64_t number = 0;

	if (rest.len == 0) {
		take(&found->whole, value, found);
		return;
	}
	struct view digits = view_from(rest, 1);
	if (rest.ptr[0] != '.' || !view_to_u64(digits, UINT64_MAX, &number))
		return;
	if (number < COOKIE_CHUNKS_MAX)
		take(&found->chunks[number], value, found);
	else
		found->bad = true;
}

static enum cookie_result join(struct arena *arena, const struct found *found, size_t count, struct view *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += found->chunks[i].len;
	if (len > JWT_MAX_BYTES)
		return COOKIE_BAD;
	char *joined = arena_alloc(arena, len);
	if (!joined)
		return COOKIE_NO_MEMORY;
	len = 0;
	for (size_t i = 0; i < count; i++) {
		memcpy(joined + len, found->chunks[i].ptr, found->chunks[i].len);
		len += found->chunks[i].len;
	}
	*ret = (struct view){joined, len};
	return COOKIE_OK;
}

enum cookie_result cookie_find(struct arena *arena, struct view header, struct view name, struct view *ret)
{
	struct found found = {0};
	size_t count = 0;
	size_t chunks = 0;

	while (!view_is_absent(header)) {
		struct view value = view_trim(view_cut(&header, ';'));
		struct view own = view_cut(&value, '=');

		if (!view_is_absent(value) && view_starts(own, name))
			take_named(view_from(own, name.len), value, &found);
	}
	while (count < COOKIE_CHUNKS_MAX && !view_is_absent(found.chunks[count]))
		count++;
	for (size_t i = 0; i < COOKIE_CHUNKS_MAX; i++)
		chunks += !view_is_absent(found.chunks[i]);
	if (found.bad || chunks != count || (count > 0 && !view_is_absent(found.whole)))
		return COOKIE_BAD;
	if (count > 0)
		return join(arena, &found, count, ret);
	if (view_is_absent(found.whole))
		return COOKIE_NONE;
	*ret = found.whole;
	return COOKIE_OK;
}

bool cookie_name_valid(struct view name)
{
	/* RFC 9110 §5.6.2 */
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      memchr(marks, c, sizeof marks - 1)))
			return false;
	}
	return name.len > 0 && name.len <= COOKIE_NAME_MAX && !view_starts(name, VIEW("__"));
}
