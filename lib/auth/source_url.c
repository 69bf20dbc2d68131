/* Key sets by HTTP: what to ask whom. */
#include "auth/source_url.h"

#include <stdlib.h>

#include "auth/fetch.h"
#include "auth/source_shared.h"
#include "base/url.h"

enum { URL_MAX = 2048 };

struct source_url {
	struct source_shared shared;
	char *url;
	char *proxy;
	char *ca_file;
	bool is_loopback;
};

static enum source_answer ask(struct source_shared *shared, int64_t time, struct buf *ret, struct buf *notes,
                              const char **ret_fault)
{
	const struct source_url *source = (const struct source_url *)shared;
	const struct fetch_options options = {
	        .url = source->url,
	        .proxy = source->proxy,
	        .ca_file = source->ca_file,
	        .loopback_only = source->is_loopback,
	        .timeout = time,
	};
	const char *fault = fetch(&options, ret);

	(void)notes;
	if (!fault)
		return SOURCE_ANSWERED;
	*ret_fault = fault;
	return SOURCE_FAILED;
}

static void close_source(struct source *base)
{
	struct source_url *source = (struct source_url *)base;

	source_shared_destroy(&source->shared);
	free(source->url);
	free(source->proxy);
	free(source->ca_file);
	free(source);
	fetch_stop();
}

static const struct source_type type = {source_shared_update, source_shared_keys, close_source, "JWKS_URL"};

static const char *check_url(const struct source_url_options *options, bool *ret_is_loopback)
{
	struct url url;

	if (options->url.len > URL_MAX || !url_parse(options->url, &url))
		return "is not an http or https URL";
	if (!url.is_https && !(options->insecure_loopback && url_is_loopback(&url)))
		return "is not https; JWKS_INSECURE_LOOPBACK admits http to a loopback address";
	*ret_is_loopback = !url.is_https;
	return NULL;
}

static char *copy_text(struct view text)
{
	return strndup(text.len > 0 ? text.ptr : "", text.len);
}

static bool init(struct source_url *source, const struct source_url_options *options)
{
	struct buf origin = buf_make(SOURCE_ORIGIN_MAX);
	struct source_shared_options shared = {
	        .setting = "JWKS_URL",
	        .rsa_alg = options->rsa_alg,
	        .refresh = options->refresh,
	        .cooldown = options->cooldown,
	        .timeout = options->timeout,
	        .max_stale = options->max_stale,
	        .state_dir = options->state_dir,
	};

	source->shared.source.type = &type;
	source->shared.ask = ask;
	source->url = copy_text(options->url);
	source->proxy = copy_text(options->proxy);
	source->ca_file = copy_text(options->ca_file);
	BUF_LIT(&origin, "url ");
	buf_add(&origin, options->url);
	shared.origin = buf_view(&origin);
	bool made = source->url && source->proxy && source->ca_file && buf_ok(&origin) &&
	            source_shared_init(&source->shared, &shared);
	buf_destroy(&origin);
	return made;
}

bool source_url_open(const struct source_url_options *options, struct source **ret, struct buf *error)
{
	struct source_url *source;
	bool is_loopback = false;
	const char *fault = check_url(options, &is_loopback);

	if (!fault && options->state_dir < 0)
		fault = "needs STATE_DIR";
	if (fault) {
		buf_add(error, view_of(fault));
		return false;
	}
	source = calloc(1, sizeof(*source));
	if (!source || !fetch_start()) {
		free(source);
		BUF_LIT(error, "can't be used: no memory");
		return false;
	}
	source->is_loopback = is_loopback;
	if (!init(source, options)) {
		close_source(&source->shared.source);
		BUF_LIT(error, "can't be used: no memory");
		return false;
	}
	*ret = &source->shared.source;
	return true;
}
