/* constant.c, doing also what no program can leave out. */
#define LEAST true
#include "constant.c"
