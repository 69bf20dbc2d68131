/* A task's JSON. */
#include <criterion/criterion.h>

#include "support/leaks.h"
#include "task/task.h"

TestSuite(task, .fini = leaks_check);

static struct task sample(void)
{
	return (struct task){
	        .id = "01234567-89ab-7def-8edc-ba9876543210",
	        .user_id = VIEW("u1"),
	        .title = VIEW("t"),
	        .priority = VIEW("low"),
	        .created_at = INT64_C(1769846400000001),
	        .updated_at = INT64_C(1769846400999999),
	};
}

static void expect_json(const struct task *task, const char *json)
{
	struct buf out = buf_make(4096);
	task_write(&out, task);
	cr_expect(buf_ok(&out));
	cr_expect(view_equal(buf_view(&out), view_of(json)), "%.*s", VIEW_ARGS(buf_view(&out)));
	buf_destroy(&out);
}

Test(task, writes_its_members_in_the_contracts_order)
{
	struct task task = sample();
	task.description = VIEW("d");
	task.completed = true;
	task.has_due_date = true;
	task.due_date = 0;
	task.tags[0] = VIEW("a");
	task.tags[1] = VIEW("b");
	task.tag_count = 2;
	expect_json(&task,
	            "{\"id\":\"01234567-89ab-7def-8edc-ba9876543210\",\"user_id\":\"u1\",\"title\":\"t\","
	            "\"description\":\"d\",\"completed\":true,\"priority\":\"low\","
	            "\"due_date\":\"1970-01-01T00:00:00.000000Z\",\"tags\":[\"a\",\"b\"],"
	            "\"created_at\":\"2026-01-31T08:00:00.000001Z\",\"updated_at\":\"2026-01-31T08:00:00.999999Z\"}");
}

Test(task, writes_what_is_not_there_as_null)
{
	struct task task = sample();
	expect_json(&task,
	            "{\"id\":\"01234567-89ab-7def-8edc-ba9876543210\",\"user_id\":\"u1\",\"title\":\"t\","
	            "\"description\":null,\"completed\":false,\"priority\":\"low\",\"due_date\":null,\"tags\":[],"
	            "\"created_at\":\"2026-01-31T08:00:00.000001Z\",\"updated_at\":\"2026-01-31T08:00:00.999999Z\"}");
}

Test(task, escapes_every_text)
{
	struct task task = sample();
	task.user_id = VIEW("\"u\"");
	task.title = VIEW("\\</script>");
	task.description = VIEW("a\n\tb");
	task.tags[0] = VIEW("\",\"");
	task.tag_count = 1;
	struct arena arena;
	const cJSON *json = NULL;
	struct buf out = buf_make(4096);
	cr_assert(arena_init(&arena, 1 << 16));
	task_write(&out, &task);
	cr_assert_eq(json_parse(&arena, buf_view(&out), &json), JSON_OK, "%.*s", VIEW_ARGS(buf_view(&out)));
	cr_expect(view_equal(json_member_text(json, "user_id"), task.user_id));
	cr_expect(view_equal(json_member_text(json, "title"), task.title));
	cr_expect(view_equal(json_member_text(json, "description"), task.description));
	cr_expect_eq(cJSON_GetArraySize(json_member(json, "tags")), 1);
	buf_destroy(&out);
	arena_destroy(&arena);
}
