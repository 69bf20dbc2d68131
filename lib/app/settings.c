/* Checks settings that can never match anything. */
#include "app/settings.h"

#include "auth/guard.h"
#include "http/cors.h"
#include "http/request.h"

/* Room for what a BASE_PATH of the greatest length is taken apart into. */
enum { PATH_MEMORY = 4096 };

static bool base_path_valid(struct view base_path)
{
	struct arena arena;
	if (!arena_init(&arena, PATH_MEMORY))
		return false;
	bool valid = request_base_path_valid(&arena, base_path);
	arena_destroy(&arena);
	return valid;
}

bool settings_check(const struct config *config, struct buf *error)
{
	struct view bad;
	if (!cors_origins_valid(config->cors_origins, &bad))
		BUF_LIT(error, "CORS_ORIGINS: every entry is an origin such as https://app.example");
	else if (!base_path_valid(config->base_path))
		BUF_LIT(error, "BASE_PATH: must be a path such as /~user/todo, without a slash at its end");
	else if (!guard_operator_valid(config->metrics_token))
		BUF_LIT(error, "METRICS_TOKEN: no bearer token has a comma, or a blank at its beginning or end");
	else
		return true;
	return false;
}
