/* Sets that are asked for elsewhere: when to ask, what to keep, what to share. */
#include "auth/source_shared.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/state_dir.h"

/* How far two instants of one machine may disagree: a request's `now` is when it began. */
#define SLACK (60 * CLOCK_SECOND)
/* How long a token with an unknown kid waits for another process's question: long
 * enough to see a new key, too short to stop the service by asking. */
#define UNKNOWN_KID_WAIT (1 * CLOCK_SECOND)

/* A question that has less time than this is not asked. */
#define LEAST_TIME (CLOCK_SECOND / 10)

enum { HEAD_MAX = SOURCE_ORIGIN_MAX + 128, NAME_HASH_BYTES = 8 };

_Static_assert((int)SOURCE_DIGEST_BYTES == (int)crypto_hash_sha256_BYTES, "the digest is a SHA-256");

static void note(const struct source_shared *source, struct buf *notes, const char *text)
{
	buf_add(notes, view_of(source->options.setting));
	BUF_LIT(notes, ": ");
	buf_add(notes, view_of(text));
	BUF_LIT(notes, "\n");
}

/* Time since then; an instant ahead of ours is a clock set back, hence no age to rely on. */
static int64_t age(int64_t then, int64_t now)
{
	if (then > now + SLACK)
		return INT64_MAX;
	return then < now ? now - then : 0;
}

/* Of a set from the future nobody knows how old it is: the clock was set back. It is
 * due, and its age counts from here. */
static int64_t known_since(const struct source_shared *source, int64_t fetched_at, int64_t now)
{
	return fetched_at > now + SLACK ? now - source->options.refresh : fetched_at;
}

static bool is_due(const struct source_shared *source, int64_t now)
{
	return !source->jwks || age(source->fetched_at, now) >= source->options.refresh;
}

static int64_t lifetime(const struct source_shared_options *options)
{
	return options->max_stale > options->refresh ? options->max_stale : options->refresh;
}

static bool may_ask(const struct source_shared *source, int64_t now, enum source_need need)
{
	const struct source_shared_options *options = &source->options;
	int64_t pause = options->cooldown < options->refresh ? options->cooldown : options->refresh;

	/* Still due after an attempt: it has failed, and counts for unknown kids too. */
	if (is_due(source, now))
		return age(source->attempts.any, now) >= pause;
	/* A set that was asked for after the request began can't be older than its token. */
	return need == SOURCE_UNKNOWN_KID && source->fetched_at < now &&
	       age(source->attempts.unknown_kid, now) >= options->cooldown;
}

static void drop(struct source_shared *source)
{
	if (!source->jwks)
		return;
	jwks_free(source->jwks);
	source->jwks = NULL;
	source->is_new = true;
}

/* Puts a document to use, if it is a good one. */
static enum jwks_error install(struct source_shared *source, struct view document, int64_t fetched_at,
                               struct buf *notes)
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

/* ---- the shared copy: three lines, then the document as it came; none where
 * the set has been withdrawn ----------------------------------------------- */

static void write_copy(struct source_shared *source, struct view document, struct buf *notes)
{
	struct buf copy = buf_make(JWKS_MAX_BYTES + HEAD_MAX);

	buf_add(&copy, view_of(source->origin));
	BUF_LIT(&copy, "\nfetched ");
	buf_add_u64(&copy, (uint64_t)source->fetched_at);
	BUF_LIT(&copy, "\n\n");
	buf_add(&copy, document);
	if (!buf_ok(&copy) || !state_file_replace(source->options.state_dir, source->copy_name, buf_view(&copy)))
		note(source, notes, "the copy of the key set in STATE_DIR can't be written");
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

static void take_copy(struct source_shared *source, struct view document, int64_t fetched_at, struct buf *notes)
{
	if (document.len == 0)
		drop(source);
	else if (install(source, document, fetched_at, notes) != JWKS_OK)
		note(source, notes, "the copy of the key set in STATE_DIR is damaged");
}

/* Newer than what we have, or, from the future, better than nothing. */
static bool is_copy_wanted(const struct source_shared *source, int64_t fetched_at, int64_t now)
{
	int64_t most = lifetime(&source->options);

	if (fetched_at > now + SLACK)
		return !source->jwks && fetched_at - now < most;
	return (!source->jwks || fetched_at > source->fetched_at) && age(fetched_at, now) < most;
}

/* Takes over what another process was told, if it is of our origin. */
static void read_copy(struct source_shared *source, int64_t now, struct buf *notes)
{
	struct buf copy = buf_make(JWKS_MAX_BYTES + HEAD_MAX);
	struct view rest;
	struct view fetched;
	uint64_t fetched_at;

	if (state_file_read(source->options.state_dir, source->copy_name, &copy)) {
		rest = buf_view(&copy);
		if (view_equal(view_cut(&rest, '\n'), view_of(source->origin)) &&
		    take_value(&rest, VIEW("fetched "), &fetched) && view_to_u64(fetched, INT64_MAX, &fetched_at) &&
		    view_cut(&rest, '\n').len == 0 && is_copy_wanted(source, (int64_t)fetched_at, now))
			take_copy(source, rest, known_since(source, (int64_t)fetched_at, now), notes);
	}
	buf_destroy(&copy);
}

/* ---- asking ---------------------------------------------------------------- */

/* As much of `wanted` as the one who is served has left; none unless it is above 0. Who
 * could go on with an older set keeps half of it for what comes after. */
static int64_t time_for(const struct source_shared *source, int64_t wanted)
{
	int64_t left = source->source.deadline - clock_monotonic();

	if (source->source.deadline == 0)
		return wanted;
	if (source->jwks)
		left /= 2;
	return left < wanted ? left : wanted;
}

/* What went wrong; NULL: a good set. */
static const char *ask_and_install(struct source_shared *source, int64_t now, int64_t time, struct buf *document,
                                   struct buf *notes)
{
	const char *fault = NULL;
	enum jwks_error error;

	switch (source->ask(source, time, document, notes, &fault)) {
	case SOURCE_ANSWERED:
		source->source.refusal = NULL;
		error = install(source, buf_view(document), now, notes);
		if (error != JWKS_OK)
			return jwks_error_text(error);
		write_copy(source, buf_view(document), notes);
		return NULL;
	case SOURCE_WITHDRAWN:
		source->source.refusal = fault;
		drop(source);
		source->fetched_at = now;
		write_copy(source, VIEW(""), notes);
		return fault;
	case SOURCE_FAILED:
		break;
	}
	return fault;
}

static void ask(struct source_shared *source, int64_t now, int64_t time, struct buf *notes)
{
	struct buf document = buf_make(JWKS_MAX_BYTES);
	const char *fault = ask_and_install(source, now, time, &document, notes);

	source->source.counts.fetches++;
	if (fault) {
		source->source.counts.failures++;
		buf_add(notes, view_of(source->options.setting));
		BUF_LIT(notes, ": no key set fetched: ");
		buf_add(notes, view_of(fault));
		BUF_LIT(notes, "\n");
	}
	buf_destroy(&document);
}

/* Other processes' attempts count as ours. */
static void read_attempts(struct source_shared *source, int lock)
{
	struct source_attempts shared;

	if (pread(lock, &shared, sizeof(shared), 0) != sizeof(shared))
		return;
	if (shared.any > source->attempts.any)
		source->attempts.any = shared.any;
	if (shared.unknown_kid > source->attempts.unknown_kid)
		source->attempts.unknown_kid = shared.unknown_kid;
}

/* Told before the question, so that one which never ends counts as well. */
static void tell_attempt(struct source_shared *source, int lock, int64_t now, enum source_need need, struct buf *notes)
{
	struct source_attempts told = {now, need == SOURCE_UNKNOWN_KID ? now : source->attempts.unknown_kid};

	source->attempts = told;
	if (pwrite(lock, &told, sizeof(told), 0) != sizeof(told))
		note(source, notes, "the time of the fetch can't be written to STATE_DIR");
}

static int64_t lock_deadline(const struct source_shared *source, enum source_need need)
{
	int64_t wait = 0;

	if (!source->jwks)
		wait = source->options.timeout;
	else if (need == SOURCE_UNKNOWN_KID)
		wait = source->options.timeout < UNKNOWN_KID_WAIT ? source->options.timeout : UNKNOWN_KID_WAIT;
	wait = time_for(source, wait);
	return wait > 0 ? clock_monotonic() + wait : 0;
}

static void renew(struct source_shared *source, int64_t now, enum source_need need, struct buf *notes)
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
		note(source, notes, "nothing fetched, since the lock in STATE_DIR can't be had");
		return;
	}
	/* While we waited, or before we looked, another process may have done it. */
	read_copy(source, now, notes);
	read_attempts(source, lock);
	if (source->jwks && source->fetched_at > had && !is_due(source, now)) {
		close(lock);
		return;
	}
	int64_t time = time_for(source, source->options.timeout);
	/* Without time an attempt would fail, and count, for nothing. */
	if (may_ask(source, now, need) && time >= LEAST_TIME) {
		tell_attempt(source, lock, now, need, notes);
		ask(source, now, time, notes);
	}
	close(lock);
}

bool source_shared_update(struct source *base, int64_t now, enum source_need need, struct buf *notes)
{
	struct source_shared *source = (struct source_shared *)base;
	bool is_new;

	if (source->jwks)
		source->fetched_at = known_since(source, source->fetched_at, now);
	if (may_ask(source, now, need))
		renew(source, now, need, notes);
	if (source->jwks && age(source->fetched_at, now) >= lifetime(&source->options)) {
		drop(source);
		note(source, notes, "the last good key set is too old and no longer used");
	}
	/* Others may just be asking: that is no failure yet. */
	base->is_outdated =
	        source->jwks && age(source->fetched_at, now) - source->options.timeout > source->options.refresh;
	is_new = source->is_new;
	source->is_new = false;
	return is_new;
}

const struct jwks *source_shared_keys(const struct source *base)
{
	return ((const struct source_shared *)base)->jwks;
}

/* ---- opening and closing --------------------------------------------------- */

/* Two programs with different sources can share one folder. */
static void set_names(struct source_shared *source)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * NAME_HASH_BYTES + 1];

	crypto_hash_sha256(hash, (const unsigned char *)source->origin, strlen(source->origin));
	sodium_bin2hex(hex, sizeof(hex), hash, NAME_HASH_BYTES);
	snprintf(source->copy_name, sizeof(source->copy_name), "jwks-%s.copy", hex);
	snprintf(source->lock_name, sizeof(source->lock_name), "jwks-%s.lock", hex);
}

bool source_shared_init(struct source_shared *source, const struct source_shared_options *options)
{
	source->options = *options;
	source->attempts = (struct source_attempts){INT64_MIN / 2, INT64_MIN / 2};
	source->origin = strndup(options->origin.ptr, options->origin.len);
	if (!source->origin)
		return false;
	set_names(source);
	return true;
}

void source_shared_destroy(struct source_shared *source)
{
	jwks_free(source->jwks);
	free(source->origin);
}
