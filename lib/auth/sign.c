/* The signer: the one file that knows libjwt. */
#include "auth/sign.h"

#include <jwt.h>
#include <limits.h>
#include <stdlib.h>

static jwt_alg_t libjwt_alg(enum alg alg)
{
	if (alg == ALG_HS256)
		return JWT_ALG_HS256;
	if (alg == ALG_HS384)
		return JWT_ALG_HS384;
	return alg == ALG_HS512 ? JWT_ALG_HS512 : JWT_ALG_NONE;
}

static char *sign(enum alg alg, struct view secret, const char *claims)
{
	jwt_t *jwt = NULL;
	char *token = NULL;

	if (jwt_new(&jwt) != 0)
		return NULL;
	if (jwt_add_grants_json(jwt, claims) == 0 &&
	    jwt_set_alg(jwt, libjwt_alg(alg), (const unsigned char *)secret.ptr, (int)secret.len) == 0)
		token = jwt_encode_str(jwt);
	jwt_free(jwt);
	return token;
}

bool sign_token(enum alg alg, struct view secret, struct view claims, struct buf *ret)
{
	char *text;
	char *token = NULL;

	if (libjwt_alg(alg) == JWT_ALG_NONE || secret.len == 0 || secret.len > INT_MAX || claims.len == 0)
		return false;
	text = strndup(claims.ptr, claims.len);
	if (text)
		token = sign(alg, secret, text);
	free(text);
	if (!token)
		return false;
	buf_add(ret, view_of(token));
	free(token);
	return buf_ok(ret);
}
