/* The key source JWKS_FILE: a JWK Set in a file. */
#ifndef AUTH_SOURCE_FILE_H
#define AUTH_SOURCE_FILE_H

#include "auth/source.h"

/* Reads the file, an absolute path, which must be regular and not writable by
 * others. It is read again when it has changed, looked at every `refresh`
 * microseconds and for an unknown kid. A changed file that is no good leaves the
 * last good set in use. False: no good now, and `error` says why, without the
 * setting's name. */
CHECKED bool source_file_open(struct view path, enum alg rsa_alg, int64_t refresh, struct buf *notes,
                              struct source **ret, struct buf *error);

#endif
