/* A struct transport over parameters and buffers: what a web server would say
 * and hear, without one.
 */
#ifndef SUPPORT_BUFFERS_H
#define SUPPORT_BUFFERS_H

#include "base/buf.h"
#include "http/transport.h"

enum { BUFFERS_PARAMETERS_MAX = 32 };

struct buffers {
	struct {
		const char *name;
		const char *value;
	} parameters[BUFFERS_PARAMETERS_MAX];
	size_t parameter_count;
	struct view body;   /* what read() has not given out yet */
	size_t chunk;       /* the most that one read() gives; 0: all that fits */
	bool breaks;        /* past the body the connection fails instead of ending */
	size_t reads;       /* how often read() was called */
	struct buf written; /* what write() took */
};

/* No parameters, no body. Names, values and body belong to the caller. */
struct buffers buffers_make(void);
void buffers_destroy(struct buffers *buffers);
#define BUFFERS __attribute__((cleanup(buffers_destroy))) struct buffers

/* Sets a parameter; NULL takes it away. */
void buffers_set(struct buffers *buffers, const char *name, const char *value);

/* The transport. `buffers` stays where it is for as long as that is used. */
struct transport buffers_transport(struct buffers *buffers);

#endif
