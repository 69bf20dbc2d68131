/* http/outcome: every row of errors.def can be answered. */
#include "http/outcome.h"

#include <criterion/criterion.h>
#include <signal.h>

#include "base/utf8.h"
#include "support/leaks.h"

TestSuite(http_outcome, .fini = leaks_check);

Test(http_outcome, has_a_whole_row_for_each_way_to_fail)
{
	for (enum outcome outcome = OUTCOME_OK + 1; outcome < OUTCOME_COUNT; outcome++) {
		const struct outcome_row *row = outcome_row(outcome);
		cr_expect(row->status >= 400 && row->status <= 599, "outcome %d", outcome);
		cr_expect(row->code.len > 0 && row->title.len > 0 && row->detail.len > 0, "outcome %d", outcome);
		cr_expect(utf8_valid(row->title) && utf8_valid(row->detail), "outcome %d", outcome);
		cr_expect(!view_has_control(row->title) && !view_has_control(row->detail), "outcome %d", outcome);
	}
}

Test(http_outcome, has_no_row_for_success, .signal = SIGABRT)
{
	(void)outcome_row(OUTCOME_OK);
}

Test(http_outcome, has_no_row_behind_the_last, .signal = SIGABRT)
{
	(void)outcome_row(OUTCOME_COUNT);
}

/* The code stands in an address and in programs of others. */
Test(http_outcome, has_codes_of_small_letters_and_underscores)
{
	for (enum outcome outcome = OUTCOME_OK + 1; outcome < OUTCOME_COUNT; outcome++) {
		struct view code = outcome_row(outcome)->code;
		for (size_t i = 0; i < code.len; i++)
			cr_expect((code.ptr[i] >= 'a' && code.ptr[i] <= 'z') || code.ptr[i] == '_', "%.*s",
			          VIEW_ARGS(code));
	}
}

/* The status line's reason is looked up by status. */
Test(http_outcome, gives_one_status_one_title)
{
	for (enum outcome a = OUTCOME_OK + 1; a < OUTCOME_COUNT; a++)
		for (enum outcome b = a + 1; b < OUTCOME_COUNT; b++)
			if (outcome_row(a)->status == outcome_row(b)->status)
				cr_expect(view_equal(outcome_row(a)->title, outcome_row(b)->title), "%d",
				          outcome_row(a)->status);
}

/* An attacker learns from a 401 nothing but that it is one. */
Test(http_outcome, tells_a_missing_and_a_bad_token_apart_in_no_word)
{
	const struct outcome_row *none = outcome_row(OUTCOME_UNAUTHENTICATED);
	const struct outcome_row *bad = outcome_row(OUTCOME_TOKEN_INVALID);
	const struct outcome_row *expired = outcome_row(OUTCOME_TOKEN_EXPIRED);
	cr_expect_eq(none->status, 401);
	cr_expect_eq(bad->status, 401);
	cr_expect_eq(expired->status, 401);
	cr_expect(view_equal(none->code, bad->code));
	cr_expect(view_equal(none->detail, bad->detail));
	cr_expect(view_equal(none->detail, expired->detail));
	cr_expect(view_equal(expired->code, VIEW("token_expired")), "a front end knows by it to refresh");
}

Test(http_outcome, has_the_statuses_of_the_contract)
{
	static const struct {
		enum outcome outcome;
		int status;
		const char *code;
	} cases[] = {
	        {OUTCOME_TWO_CREDENTIALS, 400, "two_credentials"},
	        {OUTCOME_TOKEN_IN_QUERY, 400, "token_in_query"},
	        {OUTCOME_FORBIDDEN, 403, "forbidden"},
	        {OUTCOME_NO_SUCH_PATH, 404, "not_found"},
	        {OUTCOME_METHOD_NOT_ALLOWED, 405, "method_not_allowed"},
	        {OUTCOME_BODY_TOO_LARGE, 413, "body_too_large"},
	        {OUTCOME_MEDIA_TYPE, 415, "media_type"},
	        {OUTCOME_INVALID, 422, "invalid"},
	        {OUTCOME_TOKEN_TOO_OLD, 401, "token_too_old"},
	        {OUTCOME_NOT_CONFIRMED, 428, "not_confirmed"},
	        {OUTCOME_STORAGE_FULL, 503, "storage_full"},
	        {OUTCOME_INTERNAL, 500, "internal"},
	        {OUTCOME_DATABASE_UNAVAILABLE, 503, "database_unavailable"},
	        {OUTCOME_DATABASE_ROLE, 503, "database_role"},
	        {OUTCOME_OUTCOME_UNKNOWN, 503, "outcome_unknown"},
	        {OUTCOME_DATABASE_TIMEOUT, 504, "database_timeout"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_eq(outcome_row(cases[i].outcome)->status, cases[i].status, "%s", cases[i].code);
		cr_expect(view_equal(outcome_row(cases[i].outcome)->code, view_of(cases[i].code)), "%s", cases[i].code);
	}
}
