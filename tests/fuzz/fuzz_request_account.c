/* Whole requests to account.fcgi, which is all of a user's data, as it is built. */
#define main responder_main
#include "../../cgi-bin/account.c"
#undef main

#include "fuzz/fuzz.h"
#include "fuzz/request.h"

void fuzz_one(struct view input)
{
	request_fuzz(&program, input);
}
