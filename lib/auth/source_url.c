/* Key sets by HTTP: when to fetch, what to keep, what to share. */
#include "auth/source_url.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/fetch.h"
#include "base/clock.h"
#include "base/state_dir.h"
#include "base/url.h"

/* How far two instants of one machine may disagree: a request's `now` is when it began. */
#define SLACK (60 * CLOCK_SECOND)
/* How long a token with an unknown kid waits for another process's fetch: long
 * enough to see a new key, too short to stop the service by asking. */
#define UNKNOWN_KID_WAIT (1 * CLOCK_SECOND)

enum { URL_MAX = 2048, HEAD_MAX = URL_MAX + 128, NAME_HASH_BYTES = 8, NAME_SIZE = 32 };

/* When somebody on this machine last fetched, and for an unknown kid: the lock file's contents. */
struct attempts {
	int64_t any;
	int64_t unknown_kid;
};

struct source_url {
	struct source source;
	struct source_url_options options;
	char *url;
	char *proxy;
	char *ca_file;
	bool is_loopback;
	char copy_name[NAME_SIZE];
	char lock_name[NAME_SIZE];
	struct attempts attempts;                       /* as far as this process knows */
	struct jwks *jwks;                              /* NULL: none so far, or too old */
	int64_t fetched_at;                             /* of jwks, by whichever process */
	unsigned char digest[crypto_hash_sha256_BYTES]; /* of its document */
	bool is_new;                                    /* not announced by update() yet */
};

/* Time since then; an instant ahead of ours is a clock set back, hence no age to rely on. */
static int64_t age(int64_t then, int64_t now)
{
	if (then > now + SLACK)
		return INT64_MAX;
	return then < now ? now - then : 0;
}

static bool is_due(const struct source_url *source, int64_t now)
{
	return !source->jwks || age(source->fetched_at, now) >= source->options.refresh;
}

static int64_t lifetime(const struct source_url_options *options)
{
	return options->max_stale > options->refresh ? options->max_stale : options->refresh;
}

static bool may_fetch(const struct source_url *source, int64_t now, enum source_need need)
{
	const struct source_url_options *options = &source->options;
	int64_t pause = options->cooldown < options->refresh ? options->cooldown : options->refresh;

	/* Still due after an attempt: it has failed, and counts for unknown kids too. */
	if (is_due(source, now))
		return age(source->attempts.any, now) >= pause;
	/* A set that was fetched after the request began can't be older than its token. */
	return need == SOURCE_UNKNOWN_KID && source->fetched_at < now &&
	       age(source->attempts.unknown_kid, now) >= options->cooldown;
}

/* Puts a document to use, if it is a good one. */
static enum jwks_error install(struct source_url *source, struct view document, int64_t fetched_at, struct buf *notes)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	struct jwks *jwks = NULL;
	enum jwks_error error;

	crypto_hash_sha256(digest, (const unsigned char *)document.ptr, document.len);
	if (!source->jwks || memcmp(digest, source->digest, sizeof(digest)) != 0) {
		error = jwks_parse(document, source->options.rsa_alg, notes, &jwks);
		if (error != JWKS_OK)
			return error;
		jwks_free(source->jwks);
		source->jwks = jwks;
		memcpy(source->digest, digest, sizeof(digest));
		source->is_new = true;
	}
	source->fetched_at = fetched_at;
	return JWKS_OK;
}

/* ---- the shared copy: three lines, then the document as it came ----------- */

static void write_copy(struct source_url *source, struct view document, struct buf *notes)
{
	struct buf copy = buf_make(JWKS_MAX_BYTES + HEAD_MAX);

	BUF_LIT(&copy, "url ");
	buf_add(&copy, view_of(source->url));
	BUF_LIT(&copy, "\nfetched ");
	buf_add_u64(&copy, (uint64_t)source->fetched_at);
	BUF_LIT(&copy, "\n\n");
	buf_add(&copy, document);
	if (!buf_ok(&copy) || !state_file_replace(source->options.state_dir, source->copy_name, buf_view(&copy)))
		BUF_LIT(notes, "JWKS_URL: the copy of the key set in STATE_DIR can't be written\n");
	buf_destroy(&copy);
}

static bool take_value(struct view *rest, struct view name, struct view *ret)
{
	struct view line = view_cut(rest, '\n');

	if (!view_starts(line, name))
		return false;
	*ret = view_from(line, name.len);
	return true;
}

/* Takes over what another process has fetched, if it is of our URL and newer than ours. */
static void read_copy(struct source_url *source, int64_t now, struct buf *notes)
{
	struct buf copy = buf_make(JWKS_MAX_BYTES + HEAD_MAX);
	struct view rest;
	struct view url;
	struct view fetched;
	uint64_t fetched_at;

	if (state_file_read(source->options.state_dir, source->copy_name, &copy)) {
		rest = buf_view(&copy);
		if (take_value(&rest, VIEW("url "), &url) && view_equal(url, view_of(source->url)) &&
		    take_value(&rest, VIEW("fetched "), &fetched) && view_to_u64(fetched, INT64_MAX, &fetched_at) &&
		    view_cut(&rest, '\n').len == 0 && (!source->jwks || (int64_t)fetched_at > source->fetched_at) &&
		    age((int64_t)fetched_at, now) < lifetime(&source->options) &&
		    install(source, rest, (int64_t)fetched_at, notes) != JWKS_OK)
			BUF_LIT(notes, "JWKS_URL: the copy of the key set in STATE_DIR is damaged\n");
	}
	buf_destroy(&copy);
}

/* ---- fetching -------------------------------------------------------------- */

static void fetch_set(struct source_url *source, int64_t now, struct buf *notes)
{
	const struct fetch_options options = {
	        .url = source->url,
	        .proxy = source->proxy,
	        .ca_file = source->ca_file,
	        .loopback_only = source->is_loopback,
	        .timeout = source->options.timeout,
	};
	struct buf document = buf_make(JWKS_MAX_BYTES);
	const char *fault = fetch(&options, &document);

	if (!fault) {
		enum jwks_error error = install(source, buf_view(&document), now, notes);

		if (error == JWKS_OK)
			write_copy(source, buf_view(&document), notes);
		else
			fault = jwks_error_text(error);
	}
	source->source.counts.fetches++;
	if (fault) {
		source->source.counts.failures++;
		BUF_LIT(notes, "JWKS_URL: no key set fetched: ");
		buf_add(notes, view_of(fault));
		BUF_LIT(notes, "\n");
	}
	buf_destroy(&document);
}

/* Other processes' attempts count as ours. */
static void read_attempts(struct source_url *source, int lock)
{
	struct attempts shared;

	if (pread(lock, &shared, sizeof(shared), 0) != sizeof(shared))
		return;
	if (shared.any > source->attempts.any)
		source->attempts.any = shared.any;
	if (shared.unknown_kid > source->attempts.unknown_kid)
		source->attempts.unknown_kid = shared.unknown_kid;
}

/* Told before the fetch, so that one which never ends counts as well. */
static void tell_attempt(struct source_url *source, int lock, int64_t now, enum source_need need, struct buf *notes)
{
	struct attempts attempts = {now, need == SOURCE_UNKNOWN_KID ? now : source->attempts.unknown_kid};

	source->attempts = attempts;
	if (pwrite(lock, &attempts, sizeof(attempts), 0) != sizeof(attempts))
		BUF_LIT(notes, "JWKS_URL: the time of the fetch can't be written to STATE_DIR\n");
}

static int64_t lock_deadline(const struct source_url *source, enum source_need need)
{
	int64_t wait = 0;

	if (!source->jwks)
		wait = source->options.timeout;
	else if (need == SOURCE_UNKNOWN_KID)
		wait = source->options.timeout < UNKNOWN_KID_WAIT ? source->options.timeout : UNKNOWN_KID_WAIT;
	return wait > 0 ? clock_monotonic() + wait : 0;
}

static void renew(struct source_url *source, int64_t now, enum source_need need, struct buf *notes)
{
	int64_t had = source->jwks ? source->fetched_at : INT64_MIN;
	int lock = -1;

	switch (state_file_lock(source->options.state_dir, source->lock_name, lock_deadline(source, need), &lock)) {
	case STATE_LOCKED:
		break;
	case STATE_LOCK_BUSY:
		read_copy(source, now, notes);
		return;
	case STATE_LOCK_FAILED:
		source->attempts.any = now;
		source->attempts.unknown_kid = now;
		BUF_LIT(notes, "JWKS_URL: nothing fetched, since the lock in STATE_DIR can't be had\n");
		return;
	}
	/* While we waited, or before we looked, another process may have done it. */
	read_copy(source, now, notes);
	read_attempts(source, lock);
	if (source->jwks && source->fetched_at > had && !is_due(source, now)) {
		close(lock);
		return;
	}
	if (may_fetch(source, now, need)) {
		tell_attempt(source, lock, now, need, notes);
		fetch_set(source, now, notes);
	}
	close(lock);
}

static bool update(struct source *base, int64_t now, enum source_need need, struct buf *notes)
{
	struct source_url *source = (struct source_url *)base;
	bool is_new;

	if (may_fetch(source, now, need))
		renew(source, now, need, notes);
	if (source->jwks && age(source->fetched_at, now) >= lifetime(&source->options)) {
		jwks_free(source->jwks);
		source->jwks = NULL;
		source->is_new = true;
		BUF_LIT(notes, "JWKS_URL: the last good key set is too old and no longer used\n");
	}
	is_new = source->is_new;
	source->is_new = false;
	return is_new;
}

static const struct jwks *keys(const struct source *base)
{
	return ((const struct source_url *)base)->jwks;
}

/* ---- opening and closing --------------------------------------------------- */

static void close_source(struct source *base)
{
	struct source_url *source = (struct source_url *)base;

	jwks_free(source->jwks);
	free(source->url);
	free(source->proxy);
	free(source->ca_file);
	free(source);
	fetch_stop();
}

static const struct source_type type = {update, keys, close_source};

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

/* Two programs with different URLs can share one folder. */
static void set_names(struct source_url *source)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * NAME_HASH_BYTES + 1];

	crypto_hash_sha256(hash, (const unsigned char *)source->url, strlen(source->url));
	sodium_bin2hex(hex, sizeof(hex), hash, NAME_HASH_BYTES);
	snprintf(source->copy_name, sizeof(source->copy_name), "jwks-%s.copy", hex);
	snprintf(source->lock_name, sizeof(source->lock_name), "jwks-%s.lock", hex);
}

static char *copy_text(struct view text)
{
	return strndup(text.len > 0 ? text.ptr : "", text.len);
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
	source->source.type = &type;
	source->options = *options;
	source->is_loopback = is_loopback;
	source->attempts = (struct attempts){INT64_MIN / 2, INT64_MIN / 2};
	source->url = copy_text(options->url);
	source->proxy = copy_text(options->proxy);
	source->ca_file = copy_text(options->ca_file);
	if (!source->url || !source->proxy || !source->ca_file) {
		close_source(&source->source);
		BUF_LIT(error, "can't be used: no memory");
		return false;
	}
	set_names(source);
	*ret = &source->source;
	return true;
}
