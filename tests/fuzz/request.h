/* A whole request, from the parameters that a web server passes on to the last byte of
 * the answer, through a program as it is. */
#ifndef FUZZ_REQUEST_H
#define FUZZ_REQUEST_H

#include "app/app.h"

/* Serves what the input says and looks at the answer: lines "NAME=value" up to an
 * empty one, then the body. "@" in Authorization and Cookie stands for a good
 * credential of the user "u1". There is no database. */
void request_fuzz(const struct app_program *program, struct view input);

#endif
