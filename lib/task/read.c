/* Reads a task out of a JSON body, strictly, and says what is wrong with it. */
#include "task/task.h"

#include "base/clock.h"
#include "base/utf8.h"

struct reading {
	struct task_input input;
	unsigned members; /* that were read, as enum task_member */
	bool patching;    /* null stands for the default of every member */
	struct field_errors *errors;
	struct view member; /* that is being read */
	bool good;
};

static void refuse_at(struct reading *reading, int index, const char *message, const char *type)
{
	reading->good = false;
	field_errors_add(reading->errors, reading->member, index, message, type);
}

static void refuse(struct reading *reading, const char *message, const char *type)
{
	refuse_at(reading, FIELD_NO_INDEX, message, type);
}

static void read_title(struct reading *reading, const cJSON *node)
{
	struct view title = utf8_trim(json_text(node));
	if (!cJSON_IsString(node))
		refuse(reading, "The title must be a string.", "string_type");
	else if (title.len == 0)
		refuse(reading, "The title must not be blank.", "string_too_short");
	else if (utf8_count(title) > TASK_TITLE_MAX)
		refuse(reading, "The title has at most 255 characters.", "string_too_long");
	else if (view_has_control(title))
		refuse(reading, "The title must not hold control characters.", "control_character");
	else
		reading->input.title = title;
}

/* A control character other than tab and newline. */
static bool has_foreign_control(struct view text)
{
	size_t start = 0;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.ptr[i] != '\t' && text.ptr[i] != '\n')
			continue;
		if (view_has_control((struct view){text.ptr + start, i - start}))
			return true;
		start = i + 1;
	}
	return false;
}

static void read_description(struct reading *reading, const cJSON *node)
{
	struct view description = json_text(node);
	if (cJSON_IsNull(node))
		reading->input.description = ABSENT;
	else if (!cJSON_IsString(node))
		refuse(reading, "The description must be a string or null.", "string_type");
	else if (utf8_count(description) > TASK_DESCRIPTION_MAX)
		refuse(reading, "The description has at most 1000 characters.", "string_too_long");
	else if (has_foreign_control(description))
		refuse(reading,
		       "The description must not hold control characters other than tab and newline (U+000A; "
		       "a carriage return is one).",
		       "control_character");
	else
		reading->input.description = description;
}

static void read_completed(struct reading *reading, const cJSON *node)
{
	if (cJSON_IsBool(node))
		reading->input.completed = cJSON_IsTrue(node);
	else
		refuse(reading, "The mark completed must be true or false.", "bool_type");
}

static void read_priority(struct reading *reading, const cJSON *node)
{
	struct view priority = json_text(node);
	if (task_is_priority(priority))
		reading->input.priority = priority;
	else
		refuse(reading, "The priority must be low, medium or high.", "enum");
}

static void read_due_date(struct reading *reading, const cJSON *node)
{
	int64_t instant;
	reading->input.has_due_date = false;
	if (cJSON_IsNull(node))
		return;
	if (!cJSON_IsString(node)) {
		refuse(reading, "The due date must be a string or null.", "string_type");
	} else if (!clock_parse(json_text(node), &instant)) {
		refuse(reading,
		       "The due date must be an RFC 3339 date and time with an offset, such as 2026-01-31T08:00:00Z.",
		       "date_time");
	} else {
		reading->input.due_date = instant;
		reading->input.has_due_date = true;
	}
}

static bool is_repeated(const struct task_input *input, struct view tag)
{
	for (size_t i = 0; i < input->tag_count; i++)
		if (view_equal(input->tags[i], tag))
			return true;
	return false;
}

static void read_tag(struct reading *reading, int index, const cJSON *node)
{
	struct view tag = json_text(node);
	if (!cJSON_IsString(node))
		refuse_at(reading, index, "A tag must be a string.", "string_type");
	else if (utf8_trim(tag).len == 0)
		refuse_at(reading, index, "A tag must not be blank.", "string_too_short");
	else if (utf8_count(tag) > TASK_TAG_MAX)
		refuse_at(reading, index, "A tag has at most 50 characters.", "string_too_long");
	else if (view_has_control(tag))
		refuse_at(reading, index, "A tag must not hold control characters.", "control_character");
	else if (is_repeated(&reading->input, tag))
		refuse_at(reading, index, "A tag must not be given twice.", "duplicate");
	else
		reading->input.tags[reading->input.tag_count++] = tag;
}

static void read_tags(struct reading *reading, const cJSON *node)
{
	const cJSON *tag;
	int index = 0;
	if (!cJSON_IsArray(node)) {
		refuse(reading, "The tags must be an array of strings.", "array_type");
		return;
	}
	cJSON_ArrayForEach(tag, node)
	{
		if (index == TASK_TAGS_MAX) {
			refuse(reading, "There are at most 20 tags.", "array_too_long");
			return;
		}
		read_tag(reading, index++, tag);
	}
}

static void read_server_member(struct reading *reading, const cJSON *node)
{
	(void)node;
	refuse(reading, "This member is set by the server alone.", "read_only");
}

struct member {
	struct view name;
	void (*read)(struct reading *reading, const cJSON *node);
	unsigned bit; /* of enum task_member; 0: the server's own */
};

static const struct member task_members[] = {
        {VIEW("title"), read_title, TASK_MEMBER_TITLE},
        {VIEW("description"), read_description, TASK_MEMBER_DESCRIPTION},
        {VIEW("completed"), read_completed, TASK_MEMBER_COMPLETED},
        {VIEW("priority"), read_priority, TASK_MEMBER_PRIORITY},
        {VIEW("due_date"), read_due_date, TASK_MEMBER_DUE_DATE},
        {VIEW("tags"), read_tags, TASK_MEMBER_TAGS},
        {VIEW("id"), read_server_member, 0},
        {VIEW("user_id"), read_server_member, 0},
        {VIEW("created_at"), read_server_member, 0},
        {VIEW("updated_at"), read_server_member, 0},
};

static const struct member completion_members[] = {{VIEW("completed"), read_completed, TASK_MEMBER_COMPLETED}};

/* Sets what the patch sets to null: every default is in the reading already. */
static bool is_default(const struct reading *reading, const struct member *member, const cJSON *node)
{
	return reading->patching && cJSON_IsNull(node) && member->bit != 0 && member->bit != TASK_MEMBER_TITLE;
}

static void read_member(struct reading *reading, const cJSON *node, const struct member *members, size_t count)
{
	reading->member = view_of(node->string);
	for (size_t i = 0; i < count; i++) {
		if (!view_equal(members[i].name, reading->member))
			continue;
		reading->members |= members[i].bit;
		if (!is_default(reading, &members[i], node))
			members[i].read(reading, node);
		return;
	}
	refuse(reading, "There is no member of this name.", "unknown_member");
}

/* Reads every member of the body by the table; `required` must be among them. */
static void read_members(struct reading *reading, const cJSON *body, const struct member *members, size_t count,
                         unsigned required)
{
	const cJSON *node;
	if (!cJSON_IsObject(body)) {
		refuse(reading, "The body must be an object.", "object_type");
		return;
	}
	cJSON_ArrayForEach(node, body)
	{
		read_member(reading, node, members, count);
	}
	for (size_t i = 0; i < count; i++) {
		if (!(members[i].bit & required & ~reading->members))
			continue;
		reading->member = members[i].name;
		refuse(reading, "This member is required.", "missing");
	}
}

static struct reading reading_begin(struct field_errors *errors)
{
	return (struct reading){.input = {.priority = VIEW("medium")}, .errors = errors, .good = true};
}

bool task_read(const cJSON *body, struct task_input *ret, struct field_errors *errors)
{
	struct reading reading = reading_begin(errors);
	read_members(&reading, body, task_members, sizeof task_members / sizeof task_members[0], TASK_MEMBER_TITLE);
	if (reading.good)
		*ret = reading.input;
	return reading.good;
}

bool task_read_patch(const cJSON *body, struct task_patch *ret, struct field_errors *errors)
{
	struct reading reading = reading_begin(errors);
	reading.patching = true;
	read_members(&reading, body, task_members, sizeof task_members / sizeof task_members[0], 0);
	if (reading.good)
		*ret = (struct task_patch){reading.members, reading.input};
	return reading.good;
}

bool task_read_completion(const cJSON *body, enum task_completion *ret, struct field_errors *errors)
{
	struct reading reading = reading_begin(errors);
	read_members(&reading, body, completion_members, 1, TASK_MEMBER_COMPLETED);
	if (reading.good)
		*ret = reading.input.completed ? TASK_COMPLETED : TASK_PENDING;
	return reading.good;
}
