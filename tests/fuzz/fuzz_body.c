/* The body's own headers: a body is taken when its length is what was announced and its
 * type is JSON, in pieces of any size.
 *
 * The lines are Content-Length, Content-Type, Content-Encoding and the size of a piece;
 * the body follows. */
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "fuzz/second.h"
#include "http/request.h"
#include "support/buffers.h"

#define TYPE                                                                                                 \
	"[ \t]*[aA][pP][pP][lL][iI][cC][aA][tT][iI][oO][nN]/([mM][eE][rR][gG][eE]-[pP][aA][tT][cC][hH]\\+)?" \
	"[jJ][sS][oO][nN][ \t]*(;[ \t]*([cC][hH][aA][rR][sS][eE][tT]=(\"[uU][tT][fF]-8\"|[uU][tT][fF]-8))?[ \t]*)*"

static const char *take_line(struct view *rest)
{
	struct view line = view_cut(rest, '\n');
	const char *text = fuzz_string(line);
	return text[0] != '\0' ? text : NULL;
}

void fuzz_one(struct view input)
{
	struct view rest = input;
	BUFFERS buffers = buffers_make();
	struct transport transport = buffers_transport(&buffers);
	struct buf body = buf_make(REQUEST_BODY_MAX + 1);
	struct request request;
	const char *length = take_line(&rest);
	const char *type = take_line(&rest);
	const char *coding = take_line(&rest);
	const char *piece = take_line(&rest);
	buffers_set(&buffers, "CONTENT_LENGTH", length);
	buffers_set(&buffers, "CONTENT_TYPE", type);
	buffers_set(&buffers, "HTTP_CONTENT_ENCODING", coding);
	buffers.chunk = piece ? (size_t)piece[0] & 31 : 0;
	buffers.body = rest;
	HOLDS(request_read(&transport, fuzz_arena(), VIEW(""), &request));
	enum outcome outcome = request_read_body(&transport, &request, REQUEST_MERGE_PATCH, &body);
	if (outcome == OUTCOME_OK) {
		HOLDS(rest.len > 0 && view_equal(buf_view(&body), rest));
		HOLDS(!length ||
		      (strtoull(length, NULL, 10) == rest.len && second_matches(view_of(length), "[1-9][0-9]*")));
		HOLDS(type && second_matches(view_of(type), TYPE));
		HOLDS(!coding || second_matches(view_of(coding), "[ \t]*[iI][dD][eE][nN][tT][iI][tT][yY][ \t]*"));
	}
	HOLDS(outcome != OUTCOME_INTERNAL);
	request_drain(&transport);
	HOLDS(buffers.body.len == 0);
	buf_destroy(&body);
}
