/* The gate in front of every signature check. */
#include "auth/jwt.h"

#include "base/base64url.h"
#include "base/json.h"

const char *jwt_error_text(enum jwt_error error)
{
	static const char *const words[JWT_ERROR_COUNT] = {
	        [JWT_OK] = "ok",
#define JWT_ERROR(NAME, word) [JWT_##NAME] = word,
#include "auth/jwt_error.def"
#undef JWT_ERROR
	};

	return words[error];
}

/* Exactly two dots; the payload may be empty here, a JWS may (RFC 7515 §7.1). */
static bool split(struct view token, struct view *ret_header, struct view *ret_payload, struct view *ret_signature)
{
	struct view rest = token;
	struct view header = view_cut(&rest, '.');
	struct view payload = view_cut(&rest, '.');

	if (header.len == 0 || view_is_absent(rest) || rest.len == 0 || view_find(rest, '.') != rest.len)
		return false;
	*ret_header = header;
	*ret_payload = payload;
	*ret_signature = rest;
	return true;
}

/* Puts the bytes of a part in its place. */
static enum jwt_error decode(struct arena *arena, struct view *part)
{
	unsigned char *bytes = arena_alloc(arena, BASE64URL_DECODED(part->len) + 1);
	size_t len;

	if (!bytes)
		return JWT_NO_MEMORY;
	if (!base64url_decode(*part, bytes, &len))
		return JWT_BAD_BASE64URL;
	*part = (struct view){(const char *)bytes, len};
	return JWT_OK;
}

/* A media type without the "application/" that may be left out (RFC 7515 §4.1.9). */
static struct view short_type(struct view type)
{
	const struct view prefix = VIEW("application/");

	if (type.len > prefix.len && view_equal_nocase((struct view){type.ptr, prefix.len}, prefix))
		return view_from(type, prefix.len);
	return type;
}

static enum jwt_error read_types(const cJSON *header, struct jwt *jwt)
{
	const cJSON *typ = json_member(header, "typ");
	const cJSON *cty = json_member(header, "cty");
	struct view type = short_type(json_text(typ));

	jwt->is_access_token = typ && view_equal_nocase(type, VIEW("at+jwt"));
	if (typ && !jwt->is_access_token && !view_equal_nocase(type, VIEW("JWT")))
		return JWT_BAD_TYP;
	/* A JWT in a JWT (RFC 7519 §5.2). */
	if (cty && (!cJSON_IsString(cty) || view_equal_nocase(short_type(json_text(cty)), VIEW("JWT"))))
		return JWT_BAD_CTY;
	return JWT_OK;
}

static enum jwt_error read_header(const cJSON *header, struct jwt *jwt)
{
	const cJSON *kid = json_member(header, "kid");

	if (!cJSON_IsObject(header))
		return JWT_BAD_HEADER;
	if (json_member(header, "crit"))
		return JWT_CRIT;
	if (json_member(header, "b64"))
		return JWT_B64;
	if (!alg_parse(json_member_text(header, "alg"), &jwt->alg))
		return JWT_BAD_ALG;
	if (kid && (!cJSON_IsString(kid) || json_text(kid).len == 0 || json_text(kid).len > JWT_KID_MAX))
		return JWT_BAD_KID;
	jwt->kid = json_text(kid);
	return read_types(header, jwt);
}

enum jwt_error jwt_parse(struct arena *arena, struct view token, struct jwt *ret)
{
	struct jwt jwt = {0};
	struct view header;
	const cJSON *tree;
	enum jwt_error error;

	if (token.len > JWT_MAX_BYTES)
		return JWT_TOO_LARGE;
	if (!split(token, &header, &jwt.payload, &jwt.signature))
		return JWT_NOT_THREE_PARTS;
	jwt.signed_text = (struct view){token.ptr, header.len + 1 + jwt.payload.len};
	error = decode(arena, &header);
	if (error == JWT_OK)
		error = decode(arena, &jwt.payload);
	if (error == JWT_OK)
		error = decode(arena, &jwt.signature);
	if (error != JWT_OK)
		return error;
	switch (json_parse(arena, header, &tree)) {
	case JSON_OK:
		break;
	case JSON_NO_MEMORY:
		return JWT_NO_MEMORY;
	case JSON_MALFORMED:
	case JSON_DUPLICATE:
	case JSON_TOO_COMPLEX:
		return JWT_BAD_HEADER;
	}
	error = read_header(tree, &jwt);
	if (error == JWT_OK)
		*ret = jwt;
	return error;
}
