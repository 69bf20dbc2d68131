/* Merge patches, conditional requests, retry-safe creation, Accept and bulk removal, through the
 * real program on a real database. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/api.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define ID "0189f7a0-1234-7000-8000-0123456789ab"
#define MISSING "/api/anna/tasks/0189f7a0-0000-7000-8000-00000000dead"
#define FULL                                                                                                  \
	",\"description\":\"d\",\"completed\":true,\"priority\":\"high\",\"due_date\":\"2026-01-31T08:00:00." \
	"000000Z\","                                                                                          \
	"\"tags\":[\"a\",\"b\"]"

static const char *database;
static const char *url;
static struct responder *tasks;

static void setup(void)
{
	database = api_name("conditions");
	url = api_database(database);
	tasks = responder_start("tasks", api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url),
	                                                                    "CORS_ORIGINS=https://app.example", NULL}));
}

TestSuite(conditions, .init = setup, .fini = api_end, .timeout = 240);

/* A request of Anna's with one further header: "IF_MATCH=…" and so on; NULL for none. */
static const struct answer *ask_with(const char *method, const char *target, const char *body, const char *header)
{
	const char *const params[] = {header ? ask_format("HTTP_%s", header) : NULL, NULL};
	struct ask ask = {
	        .method = method, .target = target, .token = api_token("anna"), .body = body, .params = params};
	return responder_ask(tasks, &ask);
}

/* The task's entity tag, which every answer that holds the task must carry. */
static const char *tag_of(const struct answer *answer)
{
	const char *tag = ask_format("\"%.*s\"", VIEW_ARGS(answer_text(answer, "updated_at")));
	struct view etag = answer_header(answer, "ETag");
	cr_expect(view_equal(etag, view_of(tag)), "ETag is %.*s, not %s", VIEW_ARGS(etag), tag);
	return tag;
}

/* A member as JSON. */
static const char *member(const struct answer *answer, const char *name)
{
	char *text = cJSON_PrintUnformatted(json_member(answer_json(answer), name));
	cr_assert_not_null(text, "%s", name);
	const char *kept = ask_keep(view_of(text));
	cJSON_free(text);
	return kept;
}

/* ---- merge patch ---- */

static const char *const members[] = {"title", "description", "completed", "priority", "due_date", "tags"};

Test(conditions, a_patch_changes_the_members_that_it_holds_and_no_other)
{
	static const struct {
		const char *member;
		const char *value;
		const char *becomes; /* NULL: the same */
	} cases[] = {
	        {"title", "\"" PRIVATE " new\"", NULL},
	        {"title", "\"  " PRIVATE " trimmed \"", "\"" PRIVATE " trimmed\""},
	        {"description", "\"new\\ntext\"", NULL},
	        {"description", "\"\"", NULL},
	        {"description", "null", NULL},
	        {"completed", "false", NULL},
	        {"completed", "true", NULL},
	        {"completed", "null", "false"},
	        {"priority", "\"low\"", NULL},
	        {"priority", "null", "\"medium\""},
	        {"due_date", "\"2027-06-30T12:00:00+02:00\"", "\"2027-06-30T10:00:00.000000Z\""},
	        {"due_date", "null", NULL},
	        {"tags", "[\"c\"]", NULL},
	        {"tags", "[]", NULL},
	        {"tags", "null", "[]"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct answer *made = api_create(tasks, "old", FULL);
		const struct answer *patched = api_ask(tasks, "PATCH", api_task_path(made, ""),
		                                       ask_format("{\"%s\":%s}", cases[i].member, cases[i].value));
		cr_assert_eq(patched->status, 200, "%s %s: %.*s", cases[i].member, cases[i].value,
		             VIEW_ARGS(patched->body));
		for (size_t j = 0; j < COUNT(members); j++) {
			const char *becomes = cases[i].becomes ? cases[i].becomes : cases[i].value;
			const char *expected =
			        strcmp(members[j], cases[i].member) == 0 ? becomes : member(made, members[j]);
			cr_expect_str_eq(member(patched, members[j]), expected, "%s of %s %s", members[j],
			                 cases[i].member, cases[i].value);
		}
		cr_expect(view_equal(answer_text(patched, "created_at"), answer_text(made, "created_at")));
		cr_expect_str_neq(tag_of(patched), tag_of(made));
		cr_expect(view_equal(api_ask(tasks, "GET", api_task_path(made, ""), NULL)->body, patched->body));
	}
}

Test(conditions, a_patch_of_nulls_brings_all_defaults_back)
{
	const struct answer *made = api_create(tasks, "old", FULL);
	const struct answer *patched =
	        api_ask(tasks, "PATCH", api_task_path(made, ""),
	                "{\"description\":null,\"completed\":null,\"priority\":null,\"due_date\":null,"
	                "\"tags\":null,\"title\":\"" PRIVATE " t\"}");
	static const char *const expected[] = {"\"" PRIVATE " t\"", "null", "false", "\"medium\"", "null", "[]"};
	cr_assert_eq(patched->status, 200);
	for (size_t i = 0; i < COUNT(members); i++)
		cr_expect_str_eq(member(patched, members[i]), expected[i]);
}

Test(conditions, an_empty_patch_changes_nothing_not_even_the_tag)
{
	const struct answer *made = api_create(tasks, "old", FULL);
	const struct answer *patched = api_ask(tasks, "PATCH", api_task_path(made, ""), "{}");
	cr_expect_eq(patched->status, 200);
	cr_expect(view_equal(patched->body, made->body));
	cr_expect_str_eq(tag_of(patched), tag_of(made));
	expect_problem(api_ask(tasks, "PATCH", MISSING, "{}"), 404, "task_not_found", "an empty patch of nothing");
	expect_problem(ask_with("PATCH", api_task_path(made, ""), "{}", "IF_MATCH=\"x\""), 412, "precondition_failed",
	               "a stale tag");
	cr_expect_eq(ask_with("PATCH", api_task_path(made, ""), "{}", ask_format("IF_MATCH=%s", tag_of(made)))->status,
	             200);
}

Test(conditions, refuses_patches_that_are_none_or_of_members_that_are_not_the_clients)
{
	static const struct {
		const char *body;
		int status;
		const char *code;
	} cases[] = {
	        {"[]", 422, "invalid"},
	        {"null", 422, "invalid"},
	        {"\"title\"", 422, "invalid"},
	        {"7", 422, "invalid"},
	        {"[{\"op\":\"replace\",\"path\":\"/title\",\"value\":\"x\"}]", 422, "invalid"},
	        {"{\"title\":null}", 422, "invalid"},
	        {"{\"title\":\"\"}", 422, "invalid"},
	        {"{\"title\":\"  \"}", 422, "invalid"},
	        {"{\"completed\":\"true\"}", 422, "invalid"},
	        {"{\"completed\":1}", 422, "invalid"},
	        {"{\"priority\":\"urgent\"}", 422, "invalid"},
	        {"{\"due_date\":\"tomorrow\"}", 422, "invalid"},
	        {"{\"tags\":\"a\"}", 422, "invalid"},
	        {"{\"tags\":[\"a\",\"a\"]}", 422, "invalid"},
	        {"{\"tags\":[null]}", 422, "invalid"},
	        {"{\"tags\":{\"0\":\"a\"}}", 422, "invalid"},
	        {"{\"id\":\"" ID "\"}", 422, "invalid"},
	        {"{\"user_id\":\"berta\"}", 422, "invalid"},
	        {"{\"created_at\":null}", 422, "invalid"},
	        {"{\"updated_at\":\"2026-01-01T00:00:00Z\"}", 422, "invalid"},
	        {"{\"colour\":null}", 422, "invalid"},
	        {"{\"Title\":\"x\"}", 422, "invalid"},
	        {"{\"title\":\"" PRIVATE "\",\"title\":\"" PRIVATE "\"}", 400, "body_malformed"},
	        {"{\"title\":\"" PRIVATE "\"", 400, "body_malformed"},
	        {"", 400, "body_empty"},
	};
	const struct answer *made = api_create(tasks, "old", FULL);
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_problem(api_ask(tasks, "PATCH", api_task_path(made, ""), cases[i].body), cases[i].status,
		               cases[i].code, cases[i].body);
	cr_expect(view_equal(api_ask(tasks, "GET", api_task_path(made, ""), NULL)->body, made->body));
}

Test(conditions, a_patch_may_come_as_merge_patch_or_as_plain_json_and_as_nothing_else)
{
	static const struct {
		const char *type;
		bool taken;
	} cases[] = {
	        {"application/merge-patch+json", true},
	        {"application/json", true},
	        {"Application/Merge-Patch+JSON; charset=utf-8", true},
	        {"application/json-patch+json", false},
	        {"text/plain", false},
	        {"application/merge-patch+json; charset=latin1", false},
	        {"", false},
	};
	const struct answer *made = api_create(tasks, "old", "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ask ask = {.method = "PATCH",
		                  .target = api_task_path(made, ""),
		                  .token = api_token("anna"),
		                  .body = "{\"completed\":true}",
		                  .type = cases[i].type};
		const struct answer *answer = responder_ask(tasks, &ask);
		if (cases[i].taken) {
			cr_expect_eq(answer->status, 200, "%s", cases[i].type);
			continue;
		}
		expect_problem(answer, 415, "media_type", cases[i].type);
		cr_expect(view_equal(answer_header(answer, "Accept-Patch"),
		                     VIEW("application/merge-patch+json, application/json")));
	}
	struct ask put = {.method = "PUT",
	                  .target = api_task_path(made, ""),
	                  .token = api_token("anna"),
	                  .body = api_task("x", ""),
	                  .type = "application/merge-patch+json"};
	expect_problem(responder_ask(tasks, &put), 415, "media_type", "a merge patch by PUT");
}

/* RFC 5789 §3.1, and only what is really taken there. */
Test(conditions, a_path_says_what_its_patches_may_be)
{
	static const char *const both[] = {"application/merge-patch+json", "application/json"};
	static const struct {
		const char *method;
		const char *below;
		int status;
		size_t types; /* of `both`, from its end */
	} cases[] = {
	        {"OPTIONS", "", 204, 2},          {"POST", "", 405, 2},         {"FOO", "", 405, 2},
	        {"OPTIONS", "/complete", 204, 1}, {"GET", "/complete", 405, 1}, {"DELETE", "/complete", 405, 1},
	};
	const struct answer *made = api_create(tasks, "old", "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct answer *answer =
		        api_ask(tasks, cases[i].method, api_task_path(made, cases[i].below), NULL);
		cr_expect_eq(answer->status, cases[i].status, "%s %s", cases[i].method, cases[i].below);
		struct view rest = answer_header(answer, "Accept-Patch");
		for (size_t j = 0; j < COUNT(both); j++) {
			struct ask patch = {.method = "PATCH",
			                    .target = api_task_path(made, cases[i].below),
			                    .token = api_token("anna"),
			                    .body = "{\"completed\":true}",
			                    .type = both[j]};
			bool taken = j >= COUNT(both) - cases[i].types;
			const struct answer *patched = responder_ask(tasks, &patch);
			cr_expect_eq(patched->status, taken ? 200 : 415, "%s %s", cases[i].below, both[j]);
			if (!taken)
				cr_expect(view_equal(answer_header(patched, "Accept-Patch"),
				                     answer_header(answer, "Accept-Patch")));
			else
				cr_expect(view_equal(view_trim(view_cut(&rest, ',')), view_of(both[j])), "%s %s",
				          cases[i].method, cases[i].below);
		}
		cr_expect(view_is_absent(rest), "%s %s: and %.*s", cases[i].method, cases[i].below, VIEW_ARGS(rest));
	}
	/* where there is no PATCH there is nothing to say */
	cr_expect(view_is_absent(answer_header(api_ask(tasks, "OPTIONS", "/api/anna/tasks", NULL), "Accept-Patch")));
	cr_expect(view_is_absent(answer_header(api_ask(tasks, "PUT", "/api/anna/tasks", NULL), "Accept-Patch")));
}

/* ---- If-Match ---- */

static const struct change {
	const char *method;
	const char *below;
	const char *body;
	int status;
} changes[] = {
        {"PUT", "", "{\"title\":\"" PRIVATE " put\"}", 200},
        {"PATCH", "", "{\"title\":\"" PRIVATE " patched\"}", 200},
        {"PATCH", "", "{\"priority\":null,\"tags\":[]}", 200},
        {"PATCH", "/complete", "{\"completed\":false}", 200},
        {"PATCH", "/complete", NULL, 200},
        {"DELETE", "", NULL, 204},
};

static const struct answer *try(const struct change *change, const struct answer *made, const char *header)
{
	return ask_with(change->method, api_task_path(made, change->below), change->body, header);
}

Test(conditions, every_change_is_made_when_the_task_has_the_tag_that_was_asked_for)
{
	static const char *const forms[] = {
	        "%s", "*", "  %s ", "\"other\", %s", "%s,\"other\"", "W/\"weak\", %s",
	};
	for (size_t i = 0; i < COUNT(changes); i++) {
		for (size_t j = 0; j < COUNT(forms); j++) {
			const struct answer *made = api_create(tasks, "old", FULL);
			const char *tag = tag_of(made);
			const char *form = strchr(forms[j], '%') ? forms[j] : NULL;
			const char *before =
			        form ? ask_keep((struct view){form, (size_t)(strchr(form, '%') - form)}) : forms[j];
			const char *header = form ? ask_format("IF_MATCH=%s%s%s", before, tag, strchr(form, '%') + 2)
			                          : ask_format("IF_MATCH=%s", before);
			cr_expect_eq(try(&changes[i], made, header)->status, changes[i].status, "%s %s: %s",
			             changes[i].method, changes[i].below, header);
		}
	}
}

Test(conditions, tags_that_compression_wrote_on_are_still_the_tasks)
{
	static const char *const codings[] = {"gzip", "br", "deflate", "zstd"};
	for (size_t i = 0; i < COUNT(changes); i++) {
		for (size_t j = 0; j < COUNT(codings); j++) {
			const struct answer *made = api_create(tasks, "old", FULL);
			const char *header = ask_format("IF_MATCH=\"%.*s-%s\"",
			                                VIEW_ARGS(answer_text(made, "updated_at")), codings[j]);
			cr_expect_eq(try(&changes[i], made, header)->status, changes[i].status, "%s", header);
		}
	}
}

/* The text with one character in the place of another. */
static const char *with(const char *text, char old, char new)
{
	char *changed = ask_keep(view_of(text));
	*strchr(changed, old) = new;
	return changed;
}

Test(conditions, no_change_is_made_to_a_task_that_has_another_tag)
{
	const struct answer *made = api_create(tasks, "old", FULL);
	const char *stale = tag_of(made);
	const struct answer *now = api_ask(tasks, "PATCH", api_task_path(made, ""), "{\"completed\":false}");
	const char *headers[] = {
	        ask_format("IF_MATCH=%s", stale),
	        ask_format("IF_MATCH=W/%s", tag_of(now)),
	        ask_format("IF_MATCH=%s, \"other\"", stale),
	        "IF_MATCH=\"\"",
	        "IF_MATCH=\"*\"",
	        "IF_MATCH=\"2026-01-31T08:00:00.000000Z\"",
	        "IF_MATCH=\"infinity\"",
	        "IF_MATCH=\"';DROP/**/TABLE/**/todo.task;--\"",
	        "IF_MATCH=\"2026-99-99T08:00:00.000000Z\"",
	        /* the same instant, but no tag of ours */
	        ask_format("IF_MATCH=%s", with(tag_of(now), 'T', 't')),
	        ask_format("IF_MATCH=%s", with(tag_of(now), 'Z', 'z')),
	};
	for (size_t i = 0; i < COUNT(changes); i++) {
		for (size_t j = 0; j < COUNT(headers); j++) {
			const struct answer *answer = try(&changes[i], made, headers[j]);
			expect_problem(answer, 412, "precondition_failed", headers[j]);
			cr_expect(view_equal(answer_header(answer, "ETag"), view_of(tag_of(now))), "%s %s",
			          changes[i].method, headers[j]);
		}
	}
	cr_expect(view_equal(api_ask(tasks, "GET", api_task_path(made, ""), NULL)->body, now->body));
}

Test(conditions, of_two_who_saw_the_same_task_only_the_first_changes_it)
{
	const struct answer *made = api_create(tasks, "old", "");
	const char *header = ask_format("IF_MATCH=%s", tag_of(made));
	cr_expect_eq(ask_with("PATCH", api_task_path(made, ""), "{\"priority\":\"high\"}", header)->status, 200);
	expect_problem(ask_with("PATCH", api_task_path(made, ""), "{\"priority\":\"low\"}", header), 412,
	               "precondition_failed", "late");
	expect_problem(ask_with("DELETE", api_task_path(made, ""), NULL, header), 412, "precondition_failed", "late");
	cr_expect_str_eq(member(api_ask(tasks, "GET", api_task_path(made, ""), NULL), "priority"), "\"high\"");
}

Test(conditions, a_missing_or_foreign_task_is_404_whatever_the_tag)
{
	postgres_run("postgres", database,
	             "INSERT INTO todo.task (user_id, id, title) VALUES ('berta', '" ID "', 't')");
	static const char *const targets[] = {MISSING, "/api/anna/tasks/" ID};
	for (size_t i = 0; i < COUNT(changes); i++) {
		for (size_t j = 0; j < COUNT(targets); j++) {
			const char *target = ask_format("%s%s", targets[j], changes[i].below);
			expect_problem(ask_with(changes[i].method, target, changes[i].body, "IF_MATCH=*"), 404,
			               "task_not_found", target);
			expect_problem(ask_with(changes[i].method, target, changes[i].body, "IF_MATCH=\"x\""), 404,
			               "task_not_found", target);
		}
	}
	expect_problem(ask_with("GET", MISSING, NULL, "IF_NONE_MATCH=*"), 404, "task_not_found", "GET");
}

Test(conditions, what_is_no_condition_is_refused_and_nothing_is_changed)
{
	static const char *const headers[] = {
	        "IF_MATCH=",           "IF_MATCH=x",      "IF_MATCH=\"x", "IF_MATCH=*, \"x\"", "IF_MATCH=\"a\" \"b\"",
	        "IF_NONE_MATCH=\"x\"", "IF_NONE_MATCH=x",
	};
	const struct answer *made = api_create(tasks, "old", FULL);
	for (size_t i = 0; i < COUNT(changes); i++)
		for (size_t j = 0; j < COUNT(headers); j++)
			expect_problem(try(&changes[i], made, headers[j]), 400, "bad_condition", headers[j]);
	for (size_t i = 1; i < COUNT(changes); i++)
		expect_problem(try(&changes[i], made, "IF_NONE_MATCH=*"), 400, "bad_condition", changes[i].method);
	expect_problem(ask_with("POST", "/api/anna/tasks", api_task("t", ""), "IF_MATCH=*"), 400, "bad_condition",
	               "POST");
	expect_problem(ask_with("POST", "/api/anna/tasks", api_task("t", ""), "IF_NONE_MATCH=*"), 400, "bad_condition",
	               "POST");
	cr_expect_eq(cJSON_GetArraySize(answer_json(api_ask(tasks, "GET", "/api/anna/tasks", NULL))), 1);
	cr_expect(view_equal(api_ask(tasks, "GET", api_task_path(made, ""), NULL)->body, made->body));
}

/* ---- If-None-Match ---- */

Test(conditions, a_task_that_the_client_knows_is_not_sent_again)
{
	const struct answer *made = api_create(tasks, "old", FULL);
	const char *tag = tag_of(made);
	const char *known[] = {
	        ask_format("IF_NONE_MATCH=%s", tag),
	        ask_format("IF_NONE_MATCH=W/%s", tag),
	        ask_format("IF_NONE_MATCH=\"x\", %s", tag),
	        "IF_NONE_MATCH=*",
	        ask_format("IF_NONE_MATCH=\"%.*s-gzip\"", VIEW_ARGS(answer_text(made, "updated_at"))),
	        ask_format("IF_NONE_MATCH=W/\"%.*s-br\"", VIEW_ARGS(answer_text(made, "updated_at"))),
	};
	for (size_t i = 0; i < COUNT(known); i++) {
		for (size_t head = 0; head < 2; head++) {
			const struct answer *answer =
			        ask_with(head ? "HEAD" : "GET", api_task_path(made, ""), NULL, known[i]);
			cr_expect_eq(answer->status, 304, "%s", known[i]);
			cr_expect(view_equal(answer_header(answer, "ETag"), view_of(tag)));
		}
	}
	const char *unknown[] = {"IF_NONE_MATCH=\"x\"", "IF_NONE_MATCH=\"2026-01-31T08:00:00.000000Z\"",
	                         "IF_NONE_MATCH=\"*\""};
	for (size_t i = 0; i < COUNT(unknown); i++)
		cr_expect(view_equal(ask_with("GET", api_task_path(made, ""), NULL, unknown[i])->body, made->body),
		          "%s", unknown[i]);
	expect_problem(ask_with("GET", api_task_path(made, ""), NULL, "IF_NONE_MATCH=x"), 400, "bad_condition", "GET");
	api_ask(tasks, "PATCH", api_task_path(made, ""), "{\"completed\":false}");
	cr_expect_eq(ask_with("GET", api_task_path(made, ""), NULL, known[0])->status, 200);
}

Test(conditions, not_modified_carries_what_a_cache_and_a_page_need_and_no_content)
{
	const struct answer *made = api_create(tasks, "old", "");
	const char *const params[] = {ask_format("HTTP_IF_NONE_MATCH=%s", tag_of(made)),
	                              "HTTP_ORIGIN=https://app.example", NULL};
	struct ask ask = {.target = api_task_path(made, ""), .token = api_token("anna"), .params = params};
	const struct answer *answer = responder_ask(tasks, &ask);
	cr_assert_eq(answer->status, 304);
	cr_expect_eq(answer->body.len, 0);
	cr_expect(view_is_absent(answer_header(answer, "Content-Type")));
	cr_expect(view_is_absent(answer_header(answer, "Content-Length")));
	cr_expect(view_equal(answer_header(answer, "Vary"), VIEW("Origin")));
	cr_expect(view_equal(answer_header(answer, "Cache-Control"), VIEW("no-store")));
	cr_expect(view_equal(answer_header(answer, "Access-Control-Allow-Origin"), VIEW("https://app.example")));
	cr_expect(!view_is_absent(answer_header(answer, "Access-Control-Expose-Headers")));
}

Test(conditions, a_list_carries_the_tag_of_every_task)
{
	const struct answer *made = api_create(tasks, "old", "");
	const cJSON *list = answer_json(api_ask(tasks, "GET", "/api/anna/tasks", NULL));
	const char *tag =
	        ask_format("\"%.*s\"", VIEW_ARGS(json_member_text(cJSON_GetArrayItem(list, 0), "updated_at")));
	cr_expect_eq(ask_with("DELETE", api_task_path(made, ""), NULL, ask_format("IF_MATCH=%s", tag))->status, 204);
}

/* ---- creation that may be tried again ---- */

#define PLACE "/api/anna/tasks/" ID

Test(conditions, a_task_is_put_once_however_often_the_client_tries)
{
	const struct answer *made = ask_with("PUT", PLACE, api_task("first", FULL), "IF_NONE_MATCH=*");
	cr_assert_eq(made->status, 201, "%.*s", VIEW_ARGS(made->body));
	cr_expect(view_equal(answer_header(made, "Location"), VIEW(PLACE)));
	cr_expect_str_eq(member(made, "id"), "\"" ID "\"");
	const char *tag = tag_of(made);
	for (int i = 0; i < 3; i++) {
		const struct answer *again =
		        ask_with("PUT", PLACE, api_task(i ? "other" : "first", ""), "IF_NONE_MATCH=*");
		expect_problem(again, 412, "precondition_failed", "again");
		cr_expect(view_equal(answer_header(again, "ETag"), view_of(tag)));
	}
	cr_expect(view_equal(api_ask(tasks, "GET", PLACE, NULL)->body, made->body));
	cr_expect_eq(cJSON_GetArraySize(answer_json(api_ask(tasks, "GET", "/api/anna/tasks", NULL))), 1);
	cr_expect_eq(api_ask(tasks, "DELETE", PLACE, NULL)->status, 204);
	cr_expect_eq(ask_with("PUT", PLACE, api_task("second", ""), "IF_NONE_MATCH= * ")->status, 201);
}

Test(conditions, another_users_equal_id_is_neither_seen_nor_changed)
{
	postgres_run("postgres", database,
	             "INSERT INTO todo.task (user_id, id, title) VALUES ('berta', '" ID "', 'bertas')");
	cr_expect_eq(ask_with("PUT", PLACE, api_task("annas", ""), "IF_NONE_MATCH=*")->status, 201);
	cr_expect_str_eq(member(api_ask(tasks, "GET", PLACE, NULL), "title"), "\"" PRIVATE " annas\"");
	cr_expect_eq(ask_with("DELETE", PLACE, NULL, "IF_MATCH=*")->status, 204);
	char *left = postgres_value("postgres", database, "SELECT string_agg(user_id || title, ',') FROM todo.task");
	cr_expect_str_eq(left, "bertabertas");
	free(left);
}

Test(conditions, an_id_in_capitals_is_the_same_id)
{
	const struct answer *made = ask_with("PUT", "/api/anna/tasks/0189F7A0-1234-7000-8000-0123456789AB",
	                                     api_task("t", ""), "IF_NONE_MATCH=*");
	cr_expect_eq(made->status, 201);
	cr_expect(view_equal(answer_header(made, "Location"), VIEW(PLACE)));
	expect_problem(ask_with("PUT", PLACE, api_task("t", ""), "IF_NONE_MATCH=*"), 412, "precondition_failed",
	               "small");
}

Test(conditions, what_can_not_be_put_leaves_nothing_behind)
{
	expect_problem(api_ask(tasks, "PUT", PLACE, api_task("t", "")), 404, "task_not_found", "no condition");
	expect_problem(ask_with("PUT", PLACE, api_task("t", ""), "IF_MATCH=*"), 404, "task_not_found", "If-Match");
	expect_problem(ask_with("PUT", PLACE, api_task("t", ""), "IF_NONE_MATCH=\"x\""), 400, "bad_condition", "a tag");
	expect_problem(ask_with("PUT", PLACE, "{}", "IF_NONE_MATCH=*"), 422, "invalid", "no title");
	expect_problem(ask_with("PUT", PLACE, "{\"title\":\"t\",\"id\":\"" ID "\"}", "IF_NONE_MATCH=*"), 422, "invalid",
	               "an id");
	expect_problem(ask_with("PUT", "/api/anna/tasks/1", api_task("t", ""), "IF_NONE_MATCH=*"), 404, "not_found",
	               "no UUID");
	const char *const both[] = {"HTTP_IF_NONE_MATCH=*", "HTTP_IF_MATCH=*", NULL};
	struct ask ask = {.method = "PUT",
	                  .target = PLACE,
	                  .token = api_token("anna"),
	                  .body = api_task("t", ""),
	                  .params = both};
	expect_problem(responder_ask(tasks, &ask), 400, "bad_condition", "both");
	cr_expect(view_equal(api_ask(tasks, "GET", "/api/anna/tasks", NULL)->body, VIEW("[]")));
}

/* ---- Accept ---- */

Test(conditions, answers_406_only_when_json_is_really_excluded)
{
	static const struct {
		const char *accept;
		bool taken;
	} cases[] = {
	        {"ACCEPT=*/*", true},
	        {"ACCEPT=application/json", true},
	        {"ACCEPT=text/html,application/xhtml+xml,*/*;q=0.8", true},
	        {"ACCEPT=", true},
	        {"ACCEPT=application/*;q=0.1", true},
	        {"ACCEPT=text/html", false},
	        {"ACCEPT=application/problem+json", false},
	        {"ACCEPT=application/json;q=0, */*", false},
	        {"ACCEPT=*/*;q=0.000", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct answer *made = api_create(tasks, "old", "");
		const struct {
			const char *method;
			const char *target;
			const char *body;
			int status;
		} asks[] = {
		        {"GET", "/api/anna/tasks", NULL, 200},
		        {"GET", api_task_path(made, ""), NULL, 200},
		        {"POST", "/api/anna/tasks", api_task("t", ""), 201},
		        {"PUT", api_task_path(made, ""), api_task("t", ""), 200},
		        {"PATCH", api_task_path(made, ""), "{\"completed\":true}", 200},
		        {"PATCH", api_task_path(made, "/complete"), NULL, 200},
		};
		for (size_t j = 0; j < COUNT(asks); j++) {
			const struct answer *answer =
			        ask_with(asks[j].method, asks[j].target, asks[j].body, cases[i].accept);
			if (cases[i].taken)
				cr_expect_eq(answer->status, asks[j].status, "%s %s", asks[j].method, cases[i].accept);
			else
				expect_problem(answer, 406, "not_acceptable", cases[i].accept);
		}
		const struct answer *after = api_ask(tasks, "GET", api_task_path(made, ""), NULL);
		if (!cases[i].taken)
			cr_expect(view_equal(after->body, made->body), "%s changed something", cases[i].accept);
		cr_expect_eq(ask_with("DELETE", api_task_path(made, ""), NULL, cases[i].accept)->status, 204,
		             "no content excludes nothing");
		expect_problem(ask_with("GET", "/api/anna/nothing", NULL, cases[i].accept), 404, "not_found",
		               "an error is told");
	}
}

/* ---- many at once ---- */

Test(conditions, removes_the_completed_tasks_of_its_user_alone)
{
	postgres_run("postgres", database,
	             "INSERT INTO todo.task (user_id, id, title, completed)"
	             " SELECT u, gen_random_uuid(), 't', n % 3 = 0 FROM generate_series(1, 30) n, "
	             "unnest('{anna,berta}'::text[]) u");
	const struct answer *answer = api_ask(tasks, "DELETE", "/api/anna/tasks?status=completed", NULL);
	cr_expect_eq(answer->status, 200);
	cr_expect(view_equal(answer->body, VIEW("{\"deleted\":10}")), "%.*s", VIEW_ARGS(answer->body));
	answer = api_ask(tasks, "DELETE", "/api/anna/tasks?status=completed", NULL);
	cr_expect(view_equal(answer->body, VIEW("{\"deleted\":0}")), "%.*s", VIEW_ARGS(answer->body));
	char *left =
	        postgres_value("postgres", database,
	                       "SELECT string_agg(user_id || n, ',' ORDER BY user_id) FROM (SELECT user_id, count(*) n"
	                       " FROM todo.task GROUP BY user_id) t");
	cr_expect_str_eq(left, "anna20,berta30");
	free(left);
}

Test(conditions, nobody_empties_a_list_by_accident)
{
	static const struct {
		const char *query;
		const char *code;
	} cases[] = {
	        {"", "status_required"},
	        {"?", "status_required"},
	        {"?status=", "bad_query"},
	        {"?status=all", "bad_query"},
	        {"?status=pending", "bad_query"},
	        {"?status=Completed", "bad_query"},
	        {"?status=completed&status=completed", "bad_query"},
	        {"?status=completed&tag=a", "bad_query"},
	        {"?status=completed&limit=1", "bad_query"},
	        {"?completed=true", "bad_query"},
	};
	api_create(tasks, "done", ",\"completed\":true");
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_problem(api_ask(tasks, "DELETE", ask_format("/api/anna/tasks%s", cases[i].query), NULL), 400,
		               cases[i].code, cases[i].query);
	expect_problem(ask_with("DELETE", "/api/anna/tasks?status=completed", NULL, "IF_MATCH=\"x\""), 400,
	               "bad_condition", "a condition that could not be kept");
	cr_expect_eq(cJSON_GetArraySize(answer_json(api_ask(tasks, "GET", "/api/anna/tasks", NULL))), 1);
}

/* ---- at the same instant ---- */

enum { AT_ONCE = 8 };

/* The same request so many times, all of them before the gate when it opens. Returns how many answers have that status.
 */
static size_t ask_at_once(const char *setting, const char *gate, const struct ask *ask, int status,
                          const struct answer *ret[AT_ONCE])
{
	int fds[AT_ONCE];
	size_t good = 0;
	struct responder *crew = responder_start(
	        "tasks", api_settings((const char *const[]){ask_format("DATABASE_URL=%s", url),
	                                                    ask_format("WORKERS=%d", AT_ONCE), setting, NULL}));
	PGconn *holder = postgres_hold(database, gate);
	for (size_t i = 0; i < AT_ONCE; i++)
		fds[i] = responder_begin(crew, ask);
	postgres_wait_for(
	        "postgres", database,
	        ask_format("SELECT count(*) = %d " POSTGRES_BACKENDS " AND wait_event_type = 'Lock'", AT_ONCE));
	PQfinish(holder);
	for (size_t i = 0; i < AT_ONCE; i++) {
		ret[i] = responder_answer(fds[i], false);
		close(fds[i]);
		good += ret[i]->status == status;
	}
	return good;
}

/* All but one have been too late, and learn what the one has made of it. */
static void expect_one_and_the_rest_late(const struct answer *const answers[AT_ONCE], int status)
{
	const char *tag = tag_of(api_ask(tasks, "GET", PLACE, NULL));
	for (size_t i = 0; i < AT_ONCE; i++) {
		cr_expect(view_equal(answer_header(answers[i], "ETag"), view_of(tag)));
		if (answers[i]->status != status)
			expect_problem(answers[i], 412, "precondition_failed", "too late");
	}
}

Test(conditions, of_many_who_put_a_task_at_once_one_makes_it)
{
	static const char *const limits[] = {"TODO_TASK_LIMIT=0", "TODO_TASK_LIMIT=100"};
	const char *const params[] = {"HTTP_IF_NONE_MATCH=*", NULL};
	for (size_t i = 0; i < COUNT(limits); i++) {
		const struct answer *answers[AT_ONCE];
		const struct ask put = {.method = "PUT",
		                        .target = PLACE,
		                        .token = api_token("anna"),
		                        .body = api_task("t", ""),
		                        .params = params};
		postgres_run("postgres", database, "DELETE FROM todo.task");
		cr_expect_eq(ask_at_once(limits[i], "BEGIN; LOCK TABLE todo.task IN SHARE MODE", &put, 201, answers), 1,
		             "%s", limits[i]);
		expect_one_and_the_rest_late(answers, 201);
	}
}

Test(conditions, of_many_who_change_a_task_at_once_one_does)
{
	static const char *const methods[] = {"PUT", "PATCH"};
	for (size_t i = 0; i < COUNT(methods); i++) {
		const struct answer *answers[AT_ONCE];
		postgres_run("postgres", database, "DELETE FROM todo.task");
		const char *tag = tag_of(ask_with("PUT", PLACE, api_task("t", ""), "IF_NONE_MATCH=*"));
		const char *const params[] = {ask_format("HTTP_IF_MATCH=%s", tag), NULL};
		const struct ask change = {.method = methods[i],
		                           .target = PLACE,
		                           .token = api_token("anna"),
		                           .body = api_task("changed", ""),
		                           .params = params};
		cr_expect_eq(ask_at_once(NULL, "BEGIN; SELECT FROM todo.task FOR UPDATE", &change, 200, answers), 1,
		             "%s", methods[i]);
		expect_one_and_the_rest_late(answers, 200);
	}
}

/* Each of them, and each seen with a tag of its own. */
Test(conditions, toggles_at_once_are_all_done)
{
	const struct answer *answers[AT_ONCE];
	const struct ask toggle = {.method = "PATCH", .target = PLACE "/complete", .token = api_token("anna")};
	ask_with("PUT", PLACE, api_task("t", ""), "IF_NONE_MATCH=*");
	cr_expect_eq(ask_at_once(NULL, "BEGIN; SELECT FROM todo.task FOR UPDATE", &toggle, 200, answers), AT_ONCE);
	for (size_t i = 0; i < AT_ONCE; i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(tag_of(answers[i]), tag_of(answers[j]));
	cr_expect_str_eq(member(api_ask(tasks, "GET", PLACE, NULL), "completed"), "false");
}
