/* The words of a task's members, and its JSON. */
#include "task/task.h"

#include "base/clock.h"

bool task_is_priority(struct view text)
{
	return view_equal(text, VIEW("low")) || view_equal(text, VIEW("medium")) || view_equal(text, VIEW("high"));
}

static void write_instant(struct buf *out, int64_t instant)
{
	char text[CLOCK_TEXT_MICROS + 1];
	clock_format_micros(instant, text);
	buf_add_char(out, '"');
	buf_add(out, (struct view){text, CLOCK_TEXT_MICROS});
	buf_add_char(out, '"');
}

void task_write(struct buf *out, const struct task *task)
{
	BUF_LIT(out, "{\"id\":\"");
	buf_add(out, (struct view){task->id, TASK_ID_TEXT});
	BUF_LIT(out, "\",\"user_id\":");
	buf_add_json(out, task->user_id);
	BUF_LIT(out, ",\"title\":");
	buf_add_json(out, task->title);
	BUF_LIT(out, ",\"description\":");
	if (view_is_absent(task->description))
		BUF_LIT(out, "null");
	else
		buf_add_json(out, task->description);
	buf_add(out, task->completed ? VIEW(",\"completed\":true,\"priority\":")
	                             : VIEW(",\"completed\":false,\"priority\":"));
	buf_add_json(out, task->priority);
	BUF_LIT(out, ",\"due_date\":");
	if (task->has_due_date)
		write_instant(out, task->due_date);
	else
		BUF_LIT(out, "null");
	BUF_LIT(out, ",\"tags\":[");
	for (size_t i = 0; i < task->tag_count; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_json(out, task->tags[i]);
	}
	BUF_LIT(out, "],\"created_at\":");
	write_instant(out, task->created_at);
	BUF_LIT(out, ",\"updated_at\":");
	write_instant(out, task->updated_at);
	buf_add_char(out, '}');
}

void task_write_etag(const struct task *task, char out[TASK_ETAG_TEXT + 1])
{
	out[0] = '"';
	clock_format_micros(task->updated_at, out + 1);
	out[TASK_ETAG_TEXT - 1] = '"';
	out[TASK_ETAG_TEXT] = '\0';
}
