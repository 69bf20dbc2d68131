/* Whole requests to auth.fcgi, which is whose token is this, as it is built. */
#define main responder_main
#include "../../cgi-bin/auth.c"
#undef main

#include "fuzz/fuzz.h"
#include "fuzz/request.h"

void fuzz_one(struct view input)
{
	request_fuzz(&program, input);
}
