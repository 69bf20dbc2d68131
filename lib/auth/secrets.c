/* Shared secrets: the rules for them, and verifying with them. */
#include "auth/secrets.h"

#include "base/clock.h"

/* Texts that stand in examples and tutorials, in lower case without anything
 * but letters and digits; a secret that contains one was never replaced. */
static const char *const placeholders[] = {
        "betterauthsecret12345678901234567890", /* what Better Auth takes when none is set */
        "astringsecretatleast256bitslong",      /* the sample of jwt.io */
        "your256bitsecret",
        "your384bitsecret",
        "your512bitsecret",
        "yoursecret",
        "yoursuper",
        "yourjwt",
        "yourbetterauth",
        "yourrandom",
        "yourgenerated",
        "yourproduction",
        "your32char",
        "changeme",
        "changethis",
        "changein",
        "replaceme",
        "replacethis",
        "replacewith",
        "placeholder",
        "generatealong",
        "generatea32",
        "generate32",
        "insertsecret",
};

static bool contains(struct view text, struct view part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (memcmp(text.ptr + i, part.ptr, part.len) == 0)
			return true;
	return false;
}

/* The letters and digits of the secret, in lower case; a long one is cut. */
static struct view squeeze(struct view secret, char *room, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < secret.len && len < size; i++) {
		char c = secret.ptr[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			room[len++] = c;
	}
	return (struct view){room, len};
}

static size_t count_different(struct view secret)
{
	bool seen[256] = {false};
	size_t count = 0;

	for (size_t i = 0; i < secret.len; i++) {
		unsigned char byte = (unsigned char)secret.ptr[i];

		count += !seen[byte];
		seen[byte] = true;
	}
	return count;
}

const char *secret_fault(struct view secret, enum alg alg)
{
	char room[512];
	struct view squeezed = squeeze(secret, room, sizeof(room));
	const char *fault = NULL;

	if (secret.len < alg_row(alg)->hash_len)
		fault = alg == ALG_HS256   ? "is shorter than 32 bytes"
		        : alg == ALG_HS384 ? "is shorter than 48 bytes"
		                           : "is shorter than 64 bytes";
	else if (count_different(secret) < SECRET_MIN_DIFFERENT_BYTES)
		fault = "has fewer than 8 different bytes";
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]) && !fault; i++)
		if (contains(squeezed, view_of(placeholders[i])))
			fault = "is a published default or a placeholder";
	explicit_bzero(room, sizeof(room));
	return fault;
}

static bool fail(struct buf *error, const char *setting, const char *fault)
{
	buf_add(error, view_of(setting));
	BUF_LIT(error, " ");
	buf_add(error, view_of(fault));
	return false;
}

static bool add(struct secrets *secrets, struct view secret, const char *setting, struct buf *error)
{
	const char *fault = secret_fault(secret, secrets->alg);

	if (fault)
		return fail(error, setting, fault);
	if (secrets->count == SECRETS_MAX)
		return fail(error, setting, "holds more than two secrets");
	if (key_new_hmac(secrets->alg, ABSENT, secret, &secrets->keys[secrets->count]) != KEY_OK)
		return fail(error, setting, "can't be used: no memory");
	secrets->count++;
	return true;
}

static bool read_all(const struct config *config, struct secrets *secrets, struct buf *error)
{
	static const char previous_setting[] = "BETTER_AUTH_PREVIOUS_SECRETS";
	struct view previous = config->better_auth_previous_secrets;
	struct view until = config->better_auth_previous_secrets_until;

	if (!alg_parse(config->jwt_shared_secret_alg, &secrets->alg) || !alg_is_hmac(secrets->alg))
		return fail(error, "JWT_SHARED_SECRET_ALG", "is not HS256, HS384 or HS512");
	if (until.len > 0 && !clock_parse(until, &secrets->previous_until))
		return fail(error, "BETTER_AUTH_PREVIOUS_SECRETS_UNTIL", "is not an RFC 3339 date and time");
	if (previous.len > 0 && until.len == 0)
		return fail(error, previous_setting, "needs BETTER_AUTH_PREVIOUS_SECRETS_UNTIL");
	if (previous.len > 0 && config->better_auth_secret.len == 0)
		return fail(error, previous_setting, "needs BETTER_AUTH_SECRET");
	if (config->better_auth_secret.len > 0 &&
	    !add(secrets, config->better_auth_secret, "BETTER_AUTH_SECRET", error))
		return false;
	while (previous.len > 0)
		if (!add(secrets, view_trim(view_cut(&previous, ',')), previous_setting, error))
			return false;
	return true;
}

bool secrets_open(const struct config *config, struct secrets *ret, struct buf *error)
{
	struct secrets secrets = {0};

	if (!read_all(config, &secrets, error)) {
		secrets_close(&secrets);
		return false;
	}
	*ret = secrets;
	return true;
}

void secrets_close(struct secrets *secrets)
{
	for (size_t i = 0; i < secrets->count; i++)
		key_free(secrets->keys[i]);
	secrets->count = 0;
}

enum jwt_error secrets_verify(struct secrets *secrets, const struct jwt *jwt, int64_t now)
{
	size_t count = now < secrets->previous_until ? secrets->count : secrets->count > 0;

	if (!view_is_absent(jwt->kid))
		return JWT_UNKNOWN_KID;
	if (jwt->alg != secrets->alg)
		return JWT_ALG_MISMATCH;
	for (size_t i = 0; i < count; i++)
		if (key_verify(secrets->keys[i], jwt->signed_text, jwt->signature))
			return JWT_OK;
	return JWT_BAD_SIGNATURE;
}
