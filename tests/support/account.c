/* Makes old tokens, full accounts and slow requests. */
#include "support/account.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/postgres.h"

#define PAYLOAD "{\"sub\":\"%s\",\"iss\":\"" API_ORIGIN "\",\"aud\":\"" API_ORIGIN "\""

static int64_t now(void)
{
	return clock_now() / CLOCK_SECOND;
}

const char *account_token_of(const char *user, int64_t issued_at)
{
	return api_token_of(
	        ask_format(PAYLOAD ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", user, issued_at, now() + 900));
}

const char *account_token(const char *user, int64_t issued_from_now)
{
	return account_token_of(user, now() + issued_from_now);
}

const char *account_token_undated(const char *user)
{
	return api_token_of(ask_format(PAYLOAD ",\"exp\":%" PRId64 "}", user, now() + 900));
}

void account_fill(const char *database, const char *user, unsigned count, unsigned bytes)
{
	postgres_run("postgres", database,
	             ask_format("INSERT INTO todo.task (user_id, id, title, description)"
	                        " SELECT '%s', gen_random_uuid(), 'task ' || n, repeat('x', %u)"
	                        " FROM generate_series(1, %u) n",
	                        user, bytes, count));
}

const char *account_value(const char *database, const char *sql)
{
	char *value = postgres_value("postgres", database, sql);
	const char *kept = ask_keep(view_of(value));
	free(value);
	return kept;
}

struct ask account_erase(const char *user, const char *token)
{
	const char **params = arena_calloc(ask_arena(), 2, sizeof *params);
	cr_assert_not_null(params);
	params[0] = ask_format("HTTP_X_CONFIRM_ERASE=%s", user);
	return (struct ask){
	        .method = "DELETE", .target = ask_format("/api/%s", user), .token = token, .params = params};
}
