/* Whole requests to tasks.fcgi, which is the tasks of a user, as it is built. */
#define main responder_main
#include "../../cgi-bin/tasks.c"
#undef main

#include "fuzz/fuzz.h"
#include "fuzz/request.h"

void fuzz_one(struct view input)
{
	request_fuzz(&program, input);
}
