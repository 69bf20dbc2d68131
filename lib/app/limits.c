/* Chooses the bucket of a request and takes a token from it. */
#include "app/limits.h"

#include "base/clock.h"

/* What a hash is for, so that a user called like an address has another. */
enum { PURPOSE_USER = 'u', PURPOSE_ADDRESS = 'a' };

static bool is_bad_credential(enum outcome verdict)
{
	int status = outcome_row(verdict)->status;
	return status == 400 || status == 401 || verdict == OUTCOME_ORIGIN_REFUSED;
}

static bool take(struct bucket_table table, const struct secret_key *key, char purpose, struct view name,
                 int64_t per_minute, int64_t burst, int64_t *ret_wait)
{
	return bucket_take(table, secret_hash(key, purpose, name), bucket_rate(per_minute, burst), clock_monotonic(),
	                   ret_wait);
}

enum outcome limits_judge(struct machine *machine, const struct config *config, enum outcome verdict, struct view user,
                          const struct client *client, int64_t *ret_wait)
{
	const struct secret_key *key = machine_key(machine);
	if (verdict == OUTCOME_OK) {
		if (config->limit_user == 0 || take(machine_users(machine), key, PURPOSE_USER, user, config->limit_user,
		                                    config->limit_user_burst, ret_wait))
			return verdict;
		metrics_add(machine_metrics(machine), COUNTER_LIMITED_USER, 1);
		return OUTCOME_RATE_LIMITED;
	}
	if (config->limit_address == 0 || !is_bad_credential(verdict) ||
	    take(machine_addresses(machine), key, PURPOSE_ADDRESS, client_key(client), config->limit_address,
	         config->limit_address_burst, ret_wait))
		return verdict;
	metrics_add(machine_metrics(machine), COUNTER_LIMITED_ADDRESS, 1);
	return OUTCOME_RATE_LIMITED;
}

enum outcome limits_judge_revoked(struct machine *machine, const struct config *config, struct view user,
                                  const struct client *client, int64_t *ret_wait)
{
	if (config->limit_user > 0)
		bucket_give_back(machine_users(machine), secret_hash(machine_key(machine), PURPOSE_USER, user),
		                 bucket_rate(config->limit_user, config->limit_user_burst), clock_monotonic());
	return limits_judge(machine, config, OUTCOME_TOKEN_INVALID, user, client, ret_wait);
}
