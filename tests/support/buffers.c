/* A transport whose both ends are in one process. */
#include "support/buffers.h"

#include <stdio.h>
#include <stdlib.h>

enum { WRITTEN_MAX = 32 * 1024 * 1024 };

struct buffers buffers_make(void)
{
	return (struct buffers){.written = buf_make(WRITTEN_MAX)};
}

void buffers_destroy(struct buffers *buffers)
{
	buf_destroy(&buffers->written);
}

void buffers_set(struct buffers *buffers, const char *name, const char *value)
{
	size_t at = 0;
	while (at < buffers->parameter_count && strcmp(buffers->parameters[at].name, name) != 0)
		at++;
	if (at == BUFFERS_PARAMETERS_MAX) {
		fputs("buffers: too many parameters\n", stderr);
		abort();
	}
	buffers->parameters[at].name = name;
	buffers->parameters[at].value = value;
	if (at == buffers->parameter_count)
		buffers->parameter_count++;
}

static struct view buffers_parameter(void *context, struct view name)
{
	const struct buffers *buffers = context;
	for (size_t i = 0; i < buffers->parameter_count; i++)
		if (view_equal(view_of(buffers->parameters[i].name), name))
			return view_of(buffers->parameters[i].value);
	return ABSENT;
}

static bool buffers_read(void *context, char *out, size_t size, size_t *ret)
{
	struct buffers *buffers = context;
	size_t len = buffers->body.len < size ? buffers->body.len : size;
	if (buffers->chunk > 0 && len > buffers->chunk)
		len = buffers->chunk;
	buffers->reads++;
	if (len == 0 && buffers->breaks)
		return false;
	if (len > 0)
		memcpy(out, buffers->body.ptr, len);
	buffers->body = view_from(buffers->body, len);
	*ret = len;
	return true;
}

static bool buffers_write(void *context, struct view bytes)
{
	struct buffers *buffers = context;
	buf_add(&buffers->written, bytes);
	return buf_ok(&buffers->written);
}

struct transport buffers_transport(struct buffers *buffers)
{
	return (struct transport){buffers, buffers_parameter, buffers_read, buffers_write};
}
