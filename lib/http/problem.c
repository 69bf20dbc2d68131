/* Writes problem documents (RFC 9457 §3). */
#include "http/problem.h"

void field_errors_add(struct field_errors *errors, struct view member, int index, const char *message, const char *type)
{
	if (errors->count < FIELD_ERRORS_MAX)
		errors->items[errors->count++] = (struct field_error){member, index, message, type};
}

static void field_error_write(struct buf *out, const struct field_error *error)
{
	BUF_LIT(out, "{\"loc\":[\"body\"");
	if (!view_is_absent(error->member)) {
		buf_add_char(out, ',');
		buf_add_json(out, error->member);
	}
	if (error->index != FIELD_NO_INDEX) {
		buf_add_char(out, ',');
		buf_add_u64(out, (uint64_t)error->index);
	}
	BUF_LIT(out, "],\"msg\":");
	buf_add_json(out, view_of(error->message));
	BUF_LIT(out, ",\"type\":");
	buf_add_json(out, view_of(error->type));
	buf_add_char(out, '}');
}

void problem_write(struct buf *out, enum outcome outcome, struct view request_id, const struct field_errors *errors)
{
	const struct outcome_row *row = outcome_row(outcome);
	BUF_LIT(out, "{\"type\":\"/problems/");
	buf_add(out, row->code);
	BUF_LIT(out, "\",\"title\":");
	buf_add_json(out, row->title);
	BUF_LIT(out, ",\"status\":");
	buf_add_u64(out, (uint64_t)row->status);
	BUF_LIT(out, ",\"detail\":");
	buf_add_json(out, row->detail);
	BUF_LIT(out, ",\"code\":");
	buf_add_json(out, row->code);
	BUF_LIT(out, ",\"request_id\":");
	buf_add_json(out, request_id);
	if (errors && errors->count > 0) {
		BUF_LIT(out, ",\"errors\":[");
		for (size_t i = 0; i < errors->count; i++) {
			if (i > 0)
				buf_add_char(out, ',');
			field_error_write(out, &errors->items[i]);
		}
		buf_add_char(out, ']');
	}
	buf_add_char(out, '}');
}
