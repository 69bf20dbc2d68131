/* A user's own data through both web servers, and the end of an account in the
 * real Better Auth, which erases the tasks first. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "support/ask.h"
#include "support/user.h"

TestSuite(user_data, .fini = ask_end, .timeout = 240);

static struct stack stack;

static struct reply ask(const char *method, const char *target, const char *token, const char *body,
                        const char *headers)
{
	return reply_to(&stack, &(struct http_ask){method, target, token, body, headers});
}

static int sign_in(const struct user *user)
{
	return user_ask_issuer(&stack, "/sign-in/email", NULL,
	                       ask_format("{\"email\":\"%s\",\"password\":\"" USER_PASSWORD "\"}", user->email))
	        .status;
}

static struct reply delete_account(const struct user *user)
{
	return user_ask_issuer(&stack, "/delete-user", user->session, "{\"password\":\"" USER_PASSWORD "\"}");
}

static int create(const struct user *user)
{
	return ask("POST", ask_format("/api/%s/tasks", user->id), user->token, "{\"title\":\"Buy milk\"}", "").status;
}

static struct reply export(const struct user *user, const char *method, const char *headers)
{
	return ask(method, ask_format("/api/%s/export", user->id), user->token, NULL, headers);
}

/* Runs SQL; the first value, "" for none. */
static char *sql(const char *role_url, const char *query)
{
	PGconn *conn = PQconnectdb(stack_value(&stack, role_url));
	PGresult *result = PQexec(conn, query);
	ExecStatusType status = PQresultStatus(result);
	cr_assert(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s: %s", query, PQerrorMessage(conn));
	char *value = ask_format("%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	PQfinish(conn);
	return value;
}

static void expect_tasks(const struct user *user, const char *count)
{
	char *found = sql("SUPERUSER_DATABASE_URL",
	                  ask_format("SELECT count(*) FROM todo.task WHERE user_id = '%s'", user->id));
	cr_expect_str_eq(found, count, "%s", user->email);
}

/* ---- through both web servers ---- */

static void journey(const char *server)
{
	char name[32];
	char setting[32];
	snprintf(name, sizeof name, "data-%s", server);
	snprintf(setting, sizeof setting, "SERVER=%s", server);
	stack = stack_start(name, (const char *const[]){setting, "JWT_REVOCATION=1", "ISSUER_RATE_LIMIT=off", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	struct user mallory = user_sign_up(&stack, "mallory");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(create(&alice), 201);
	cr_assert_eq(create(&mallory), 201);

	struct reply all = export(&alice, "GET", "");
	cr_expect_eq(all.status, 200);
	cr_expect(view_starts(reply_header(&all, VIEW("Content-Disposition")), VIEW("attachment;")));
	cr_expect_eq(cJSON_GetArraySize(json_member(all.json, "tasks")), 3);
	cr_expect(view_equal(json_member_text(all.json, "user_id"), view_of(alice.id)));
	struct reply head = export(&alice, "HEAD", "");
	cr_expect_eq(head.status, 200);
	cr_expect_eq(head.len, 0);
	cr_expect_eq(ask("GET", ask_format("/api/%s/export", alice.id), mallory.token, NULL, "").status, 403);
	cr_expect_eq(ask("GET", ask_format("/api/%s/export", alice.id), NULL, NULL, "").status, 401);

	char *account = ask_format("/api/%s", alice.id);
	cr_expect_eq(
	        ask("DELETE", account, mallory.token, NULL, ask_format("X-Confirm-Erase: %s\r\n", alice.id)).status,
	        403);
	cr_expect_eq(ask("DELETE", account, alice.token, NULL, "").status, 428);
	expect_tasks(&alice, "3");
	cr_expect_eq(ask("DELETE", account, alice.token, NULL, ask_format("X-Confirm-Erase: %s\r\n", alice.id)).status,
	             204);
	expect_tasks(&alice, "0");
	cr_expect_eq(create(&alice), 401, "another tab brings the data back");
	expect_tasks(&mallory, "1");

	/* /api/auth/ is Better Auth's, and no user is called that. */
	cr_expect_eq(user_ask_issuer(&stack, "/ok", NULL, NULL).status, 200);
	cr_expect_eq(ask("DELETE", "/api/auth", alice.token, NULL, "X-Confirm-Erase: auth\r\n").status, 404);
	cr_expect_eq(ask("GET", "/api/auth/export", alice.token, NULL, "").status, 404);
	stack_stop(&stack);
}

Test(user_data, is_exported_and_erased_through_lighttpd)
{
	journey("lighttpd");
}

Test(user_data, is_exported_and_erased_through_apache)
{
	journey("apache");
}

Test(user_data, is_exported_and_erased_by_a_process_a_request)
{
	journey("apache-cgi");
}

/* ---- the end of an account ---- */

Test(user_data, goes_before_the_account_does)
{
	stack = stack_start("data-delete", (const char *const[]){"JWT_REVOCATION=1", "ISSUER_RATE_LIMIT=off", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	struct user mallory = user_sign_up(&stack, "mallory");
	cr_assert_eq(create(&alice), 201);
	cr_assert_eq(create(&mallory), 201);
	struct reply deleted = delete_account(&alice);
	cr_expect_eq(deleted.status, 200);
	cr_expect(cJSON_IsTrue(json_member(deleted.json, "success")));
	expect_tasks(&alice, "0");
	expect_tasks(&mallory, "1");
	cr_expect_eq(sign_in(&alice), 401);
	cr_expect_eq(create(&alice), 401, "an old token outlives its account");
	cr_expect_eq(sign_in(&mallory), 200);
	stack_stop(&stack);
}

Test(user_data, goes_with_an_account_under_the_shared_secret_too)
{
	stack = stack_start("data-secret", (const char *const[]){"ISSUER_ALG=HS256", "ISSUER_RATE_LIMIT=off", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	cr_assert_eq(create(&alice), 201);
	cr_expect_eq(delete_account(&alice).status, 200);
	expect_tasks(&alice, "0");
	cr_expect_eq(sign_in(&alice), 401);
	stack_stop(&stack);
}

Test(user_data, that_cannot_be_erased_keeps_its_account)
{
	stack = stack_start("data-stays", (const char *const[]){"JWT_REVOCATION=1", "ISSUER_RATE_LIMIT=off", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	cr_assert_eq(create(&alice), 201);
	sql("OWNER_DATABASE_URL", "REVOKE EXECUTE ON FUNCTION todo.erase(text, timestamptz) FROM todo_app");
	struct reply refused = delete_account(&alice);
	cr_expect_eq(refused.status, 503);
	cr_expect(view_equal(json_member_text(refused.json, "code"), VIEW("ERASE_FAILED")));
	cr_expect_eq(sign_in(&alice), 200);
	expect_tasks(&alice, "1");
	sql("OWNER_DATABASE_URL", "GRANT EXECUTE ON FUNCTION todo.erase(text, timestamptz) TO todo_app");
	cr_expect_eq(delete_account(&alice).status, 200);
	cr_expect_eq(sign_in(&alice), 401);
	expect_tasks(&alice, "0");
	stack_stop(&stack);
}

Test(user_data, whose_place_does_not_answer_keeps_its_account)
{
	/* Nobody listens on port 1. */
	stack = stack_start("data-nowhere", (const char *const[]){"ISSUER_ERASE_URL=http://127.0.0.1:1",
	                                                          "ISSUER_RATE_LIMIT=off", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	cr_assert_eq(create(&alice), 201);
	cr_expect_eq(delete_account(&alice).status, 503);
	cr_expect_eq(sign_in(&alice), 200);
	expect_tasks(&alice, "1");
	stack_stop(&stack);
}

/* ---- one database ---- */

static bool run_script(const char *script)
{
	char *file = ask_format("sql/optional/better_auth_user/%s.sql", script);
	char *url = ask_format("%s", stack_value(&stack, "SUPERUSER_DATABASE_URL"));
	return stack_run(&stack, (const char *const[]){"psql", "-X", "-q", "-f", file, url, NULL}) == 0;
}

Test(user_data, goes_with_the_user_by_a_foreign_key_to_the_real_table)
{
	stack = stack_start("data-key", (const char *const[]){"ISSUER_RATE_LIMIT=off", NULL});
	struct user alice = user_sign_up(&stack, "alice");
	struct user mallory = user_sign_up(&stack, "mallory");
	cr_assert_eq(create(&alice), 201);
	cr_expect(run_script("deploy"), "%s", stack.said.ptr);
	cr_expect(run_script("verify"), "%s", stack.said.ptr);
	cr_expect_eq(create(&alice), 201);
	cr_expect_eq(create(&mallory), 201);
	/* By the administrator's hand, past the hook. */
	sql("ISSUER_DATABASE_URL", ask_format("DELETE FROM \"user\" WHERE id = '%s'", mallory.id));
	expect_tasks(&mallory, "0");
	cr_expect_eq(create(&mallory), 401);
	expect_tasks(&alice, "2");
	cr_expect_eq(delete_account(&alice).status, 200);
	expect_tasks(&alice, "0");
	cr_expect_eq(create(&alice), 401, "there is no user any more, revocation or not");
	cr_expect(run_script("revert"), "%s", stack.said.ptr);
	stack_stop(&stack);
}
