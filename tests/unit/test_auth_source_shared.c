/* Key sources that ask elsewhere: the limits of asking and keeping, and what one process tells the others. */
#include "auth/source_shared.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/state_dir.h"
#include "support/auth_folder.h"
#include "support/issuer.h"
#include "support/leaks.h"

#define NOW (INT64_C(1800000000) * CLOCK_SECOND)
#define REFRESH (300 * CLOCK_SECOND)
#define COOLDOWN (30 * CLOCK_SECOND)
#define MAX_STALE (3600 * CLOCK_SECOND)
#define PATIENT (2000000 * CLOCK_SECOND)
/* How far the clocks of one machine may disagree. */
#define SLACK (60 * CLOCK_SECOND)

static struct auth_folder folder;
static struct buf notes;

/* What who is asked says, and what it was asked. */
static enum source_answer answer;
static struct buf documents[2];
static const struct buf *served;
static int asked;
static int64_t time_given;

static enum source_answer ask(struct source_shared *shared, int64_t time, struct buf *ret, struct buf *told,
                              const char **ret_fault)
{
	(void)shared;
	(void)told;
	asked++;
	time_given = time;
	if (answer == SOURCE_ANSWERED)
		buf_add(ret, buf_view(served));
	else
		*ret_fault = "a reason";
	return answer;
}

static void setup(void)
{
	static const char *const kids[] = {"a", "b"};

	folder = auth_folder_make();
	notes = buf_make(64 * 1024);
	for (size_t i = 0; i < 2; i++) {
		struct issuer *issuer = issuer_new(ALG_EDDSA, kids[i]);

		documents[i] = buf_make(4096);
		issuer_jwks(&issuer, 1, &documents[i]);
		issuer_free(issuer);
	}
	answer = SOURCE_ANSWERED;
	served = &documents[0];
	asked = 0;
}

static void teardown(void)
{
	for (size_t i = 0; i < 2; i++)
		buf_destroy(&documents[i]);
	auth_folder_remove(&folder);
	buf_destroy(&notes);
	leaks_check();
}

TestSuite(source_shared, .init = setup, .fini = teardown, .timeout = 60);

static struct source_shared open_source(void)
{
	struct source_shared source = {.ask = ask};
	const struct source_shared_options options = {
	        .setting = "SETTING",
	        .origin = VIEW("origin"),
	        .rsa_alg = ALG_RS256,
	        .refresh = REFRESH,
	        .cooldown = COOLDOWN,
	        .timeout = PATIENT,
	        .max_stale = MAX_STALE,
	        .state_dir = folder.fd,
	};

	cr_assert(source_shared_init(&source, &options));
	return source;
}

static bool routine(struct source_shared *source, int64_t now)
{
	return source_shared_update(&source->source, now, SOURCE_ROUTINE, &notes);
}

static bool unknown_kid(struct source_shared *source, int64_t now)
{
	return source_shared_update(&source->source, now, SOURCE_UNKNOWN_KID, &notes);
}

/* The kid that the source holds; "-" for no set. */
static const char *kid(const struct source_shared *source)
{
	const struct jwks *jwks = source_shared_keys(&source->source);

	if (!jwks)
		return "-";
	return view_equal(key_kid(jwks->keys[0]), VIEW("a")) ? "a" : "b";
}

/* Nothing but this was told since the last time. */
static void expect_note(const char *text)
{
	cr_expect(view_equal(buf_view(&notes), view_of(text)), "%.*s", VIEW_ARGS(buf_view(&notes)));
	buf_reset(&notes, 0);
}

/* Keeps the lock from everybody until the descriptor is closed. */
static int hold_lock(const struct source_shared *source)
{
	int fd = -1;

	cr_assert_eq(state_file_lock(folder.fd, source->lock_name, 0, &fd), STATE_LOCKED);
	return fd;
}

/* ---- what the answer changes --------------------------------------------------- */

Test(source_shared, counts_what_it_asks_and_what_fails)
{
	struct source_shared source = open_source();

	cr_expect(routine(&source, NOW));
	answer = SOURCE_FAILED;
	cr_expect_not(routine(&source, NOW + REFRESH));
	cr_expect_eq(source.source.counts.fetches, 2);
	cr_expect_eq(source.source.counts.failures, 1);
	expect_note("SETTING: no key set fetched: a reason\n");
	source_shared_destroy(&source);
}

Test(source_shared, a_withdrawn_set_is_used_by_no_process_until_it_is_given_again)
{
	struct source_shared first = open_source();
	struct source_shared second = open_source();
	struct source_shared third = open_source();

	cr_expect(routine(&first, NOW));
	cr_expect(routine(&second, NOW));
	cr_expect_str_eq(kid(&second), "a");
	answer = SOURCE_WITHDRAWN;
	cr_expect(routine(&first, NOW + REFRESH));
	cr_expect_str_eq(kid(&first), "-");
	cr_expect_str_eq(first.source.refusal, "a reason");
	expect_note("SETTING: no key set fetched: a reason\n");
	cr_expect(routine(&second, NOW + REFRESH), "told by the first");
	cr_expect_str_eq(kid(&second), "-");
	cr_expect_not(routine(&third, NOW + REFRESH), "it had none");
	cr_expect_eq(asked, 2);
	expect_note("");
	cr_expect_not(routine(&first, NOW + REFRESH + COOLDOWN), "no change");
	cr_expect_eq(asked, 3);
	answer = SOURCE_ANSWERED;
	cr_expect(routine(&first, NOW + REFRESH + 2 * COOLDOWN));
	cr_expect_str_eq(kid(&first), "a");
	cr_expect_null(first.source.refusal);
	source_shared_destroy(&first);
	source_shared_destroy(&second);
	source_shared_destroy(&third);
}

Test(source_shared, is_outdated_when_it_is_due_for_longer_than_a_question_takes)
{
	struct source_shared source = open_source();

	source.options.timeout = COOLDOWN;
	cr_expect(routine(&source, NOW));
	answer = SOURCE_FAILED;
	cr_expect_not(routine(&source, NOW + REFRESH + COOLDOWN));
	cr_expect_not(source.source.is_outdated);
	cr_expect_not(routine(&source, NOW + REFRESH + COOLDOWN + 1));
	cr_expect(source.source.is_outdated);
	answer = SOURCE_ANSWERED;
	cr_expect_not(routine(&source, NOW + REFRESH + 3 * COOLDOWN), "the same again");
	cr_expect_not(source.source.is_outdated);
	source_shared_destroy(&source);
}

Test(source_shared, says_when_it_drops_an_old_set)
{
	struct source_shared source = open_source();

	cr_expect(routine(&source, NOW));
	answer = SOURCE_FAILED;
	cr_expect(routine(&source, NOW + MAX_STALE));
	cr_expect_str_eq(kid(&source), "-");
	cr_expect_not(source.source.is_outdated);
	expect_note("SETTING: no key set fetched: a reason\n"
	            "SETTING: the last good key set is too old and no longer used\n");
	source_shared_destroy(&source);
}

/* ---- clocks that disagree ------------------------------------------------------- */

Test(source_shared, an_instant_a_minute_ahead_is_now_and_one_further_ahead_is_not_believed)
{
	struct source_shared source = open_source();

	cr_expect(routine(&source, NOW));
	cr_expect_not(routine(&source, NOW - SLACK));
	cr_expect_eq(asked, 1);
	cr_expect_not(routine(&source, NOW - SLACK - 1));
	cr_expect_eq(asked, 2);
	source_shared_destroy(&source);
}

Test(source_shared, asks_at_once_when_the_clock_begins_at_1970)
{
	struct source_shared source = open_source();

	cr_expect(routine(&source, 0));
	source_shared_destroy(&source);
}

Test(source_shared, an_attempt_a_minute_ahead_counts_and_one_further_ahead_does_not)
{
	struct source_shared source = open_source();

	answer = SOURCE_FAILED;
	cr_expect_not(routine(&source, NOW));
	cr_expect_not(routine(&source, NOW - SLACK));
	cr_expect_eq(asked, 1);
	cr_expect_not(routine(&source, NOW - SLACK - 1));
	cr_expect_eq(asked, 2);
	source_shared_destroy(&source);
}

Test(source_shared, a_copy_a_minute_ahead_is_newer_than_an_old_set)
{
	struct source_shared first = open_source();
	struct source_shared second = open_source();

	cr_expect(routine(&second, NOW - REFRESH - SLACK));
	served = &documents[1];
	cr_expect(routine(&first, NOW));
	cr_expect_str_eq(kid(&first), "b");
	cr_expect(routine(&second, NOW - SLACK));
	cr_expect_str_eq(kid(&second), "b");
	cr_expect_eq(asked, 2);
	source_shared_destroy(&first);
	source_shared_destroy(&second);
}

/* ---- how long it may take --------------------------------------------------------- */

Test(source_shared, asks_for_as_long_as_who_is_served_has_left)
{
	static const struct {
		int64_t left; /* 0: no deadline */
		int64_t most;
		int64_t most_with_a_set;
	} cases[] = {
	        {0, PATIENT, PATIENT},
	        {8 * PATIENT, PATIENT, PATIENT},
	        {PATIENT / 2, PATIENT / 2, PATIENT / 4},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_shared source = open_source();
		int64_t at = NOW + (int64_t)i * 2 * MAX_STALE;

		if (cases[i].left > 0)
			source.source.deadline = clock_monotonic() + cases[i].left;
		(void)routine(&source, at);
		cr_expect(time_given <= cases[i].most && time_given > cases[i].most * 3 / 4, "%zu", i);
		(void)routine(&source, at + REFRESH);
		cr_expect(time_given <= cases[i].most_with_a_set && time_given > cases[i].most_with_a_set * 3 / 4,
		          "%zu: who has a set keeps half", i);
		cr_expect_eq(asked, 2 * (int)i + 2);
		source_shared_destroy(&source);
	}
}

Test(source_shared, asks_nothing_without_time_and_counts_no_attempt)
{
	struct source_shared source = open_source();

	source.source.deadline = 1;
	cr_expect_not(routine(&source, NOW));
	source.source.deadline = clock_monotonic() + CLOCK_SECOND / 20;
	cr_expect_not(routine(&source, NOW));
	cr_expect_eq(asked, 0);
	source.source.deadline = 0;
	cr_expect(routine(&source, NOW));
	source.source.deadline = clock_monotonic() + CLOCK_SECOND / 6;
	cr_expect_not(routine(&source, NOW + REFRESH));
	cr_expect_eq(asked, 1);
	source_shared_destroy(&source);
}

Test(source_shared, waits_for_no_other_without_time)
{
	struct source_shared source = open_source();
	int lock = hold_lock(&source);

	source.source.deadline = 1;
	cr_expect_not(routine(&source, NOW));
	close(lock);
	source_shared_destroy(&source);
}

/* ---- the shared folder -------------------------------------------------------------- */

Test(source_shared, takes_a_newer_copy_while_another_asks)
{
	struct source_shared first = open_source();
	struct source_shared second = open_source();

	cr_expect(routine(&first, NOW));
	cr_expect(routine(&second, NOW));
	served = &documents[1];
	cr_expect(routine(&first, NOW + REFRESH));

	int lock = hold_lock(&first);

	cr_expect(routine(&second, NOW + REFRESH));
	cr_expect_str_eq(kid(&second), "b");
	close(lock);
	source_shared_destroy(&first);
	source_shared_destroy(&second);
}

Test(source_shared, counts_anothers_question_for_an_unknown_kid)
{
	struct source_shared first = open_source();
	struct source_shared second = open_source();

	cr_expect(routine(&first, NOW));
	cr_expect(routine(&second, NOW));
	cr_expect_not(unknown_kid(&first, NOW + 1));
	cr_expect_eq(asked, 2);
	cr_expect_not(unknown_kid(&second, NOW + 2), "the copy is new to it");
	cr_expect_not(unknown_kid(&second, NOW + COOLDOWN));
	cr_expect_eq(asked, 2);
	cr_expect_not(unknown_kid(&second, NOW + 1 + COOLDOWN));
	cr_expect_eq(asked, 3);
	source_shared_destroy(&first);
	source_shared_destroy(&second);
}

Test(source_shared, of_another_origin_shares_nothing)
{
	struct source_shared first = open_source();
	struct source_shared second = open_source();
	struct source_shared_options options = second.options;

	source_shared_destroy(&second);
	options.origin = VIEW("another origin");
	cr_assert(source_shared_init(&second, &options));
	cr_expect(routine(&first, NOW));
	cr_expect(routine(&second, NOW + 1));
	cr_expect_eq(asked, 2);
	cr_expect_str_neq(first.copy_name, second.copy_name);
	cr_expect_str_neq(first.lock_name, second.lock_name);
	source_shared_destroy(&first);
	source_shared_destroy(&second);
}

Test(source_shared, believes_a_copy_with_a_whole_head_only)
{
	static const struct {
		const char *head;
		const char *kid;
	} cases[] = {
	        {"origin\nfetched 1800000000000000\n\n", "a"},
	        {"origin \nfetched 1800000000000000\n\n", "-"},
	        {"origin\nfetched-1800000000000000\n\n", "-"},
	        {"origin\nFetched 1800000000000000\n\n", "-"},
	        {"origin\nfetched \n\n", "-"},
	        {"origin\nfetched 1800000000000000 \n\n", "-"},
	        {"origin\nfetched 9223372036854775808\n\n", "-"},
	        {"origin\nfetched 1800000000000000\nmore\n", "-"},
	        {"", "-"},
	};
	answer = SOURCE_FAILED;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_shared source = open_source();
		struct buf copy = buf_make(64 * 1024);

		buf_add(&copy, view_of(cases[i].head));
		buf_add(&copy, buf_view(&documents[0]));
		auth_folder_write(&folder, source.copy_name, buf_view(&copy), 0600);
		(void)routine(&source, NOW);
		cr_expect_str_eq(kid(&source), cases[i].kid, "%zu", i);
		source_shared_destroy(&source);
		buf_destroy(&copy);
	}
}

Test(source_shared, uses_a_set_that_it_cannot_share)
{
	struct source_shared source = open_source();

	cr_assert_eq(mkdirat(folder.fd, source.copy_name, 0700), 0);
	cr_expect(routine(&source, NOW));
	cr_expect_str_eq(kid(&source), "a");
	expect_note("SETTING: the copy of the key set in STATE_DIR can't be written\n");
	source_shared_destroy(&source);
}

Test(source_shared, without_a_usable_lock_it_says_so_once_per_cooldown)
{
	static const char told[] = "SETTING: nothing fetched, since the lock in STATE_DIR can't be had\n";
	struct source_shared source = open_source();

	cr_expect(routine(&source, NOW));
	cr_assert_eq(unlinkat(folder.fd, source.lock_name, 0), 0);
	cr_assert_eq(mkdirat(folder.fd, source.lock_name, 0700), 0);
	cr_expect_not(unknown_kid(&source, NOW + COOLDOWN));
	expect_note(told);
	cr_expect_not(unknown_kid(&source, NOW + 2 * COOLDOWN - 1));
	expect_note("");
	cr_expect_not(routine(&source, NOW + REFRESH));
	expect_note(told);
	cr_expect_not(routine(&source, NOW + REFRESH + COOLDOWN - 1));
	expect_note("");
	cr_expect_eq(asked, 1);
	source_shared_destroy(&source);
}

Test(source_shared, an_attempt_that_cannot_be_told_to_others_counts_for_itself)
{
	struct source_shared source = open_source();
	struct rlimit before;

	answer = SOURCE_FAILED;
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, before.rlim_max}), 0);
	cr_expect_not(routine(&source, NOW));
	cr_expect_not(routine(&source, NOW + COOLDOWN - 1));
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	cr_expect_eq(asked, 1);
	expect_note("SETTING: the time of the fetch can't be written to STATE_DIR\n"
	            "SETTING: no key set fetched: a reason\n");
	source_shared_destroy(&source);
}

Test(source_shared, half_of_an_attempt_counts_for_none)
{
	struct source_shared source = open_source();
	int64_t at = NOW;

	auth_folder_write(&folder, source.lock_name, (struct view){(const char *)&at, sizeof(at)}, 0600);
	cr_expect(routine(&source, NOW));
	cr_expect_eq(asked, 1);
	source_shared_destroy(&source);
}
