/* Limits: who may ask how often.
 *
 * A request with a good token is judged by its user's bucket alone; one whose
 * credential is bad or missing by the bucket of its address alone. So whatever
 * others send, from the same address too, no good token is refused for it: it
 * is verified first, and the buckets of addresses are kept apart from those of
 * users. Requests that need no credential, preflights among them, are not
 * counted.
 */
#ifndef APP_LIMITS_H
#define APP_LIMITS_H

#include "app/machine.h"
#include "base/config.h"
#include "http/client.h"
#include "http/outcome.h"

/* Judges a request whose credential was judged to be `verdict`, `user` then being
 * the subject of a good one. Returns `verdict`, or OUTCOME_RATE_LIMITED with the
 * microseconds until a token is there in *ret_wait. A verdict that is no fault of
 * the client's costs no token. */
CHECKED enum outcome limits_judge(struct machine *machine, const struct config *config, enum outcome verdict,
                                  struct view user, const struct client *client, int64_t *ret_wait);

/* Judges once more a request that was let in as that user's, when the database
 * has found its token to be revoked: the user gets their token back, and the
 * address pays. Whoever holds a revoked token can't use up its owner's limit. */
CHECKED enum outcome limits_judge_revoked(struct machine *machine, const struct config *config, struct view user,
                                          const struct client *client, int64_t *ret_wait);

#endif
