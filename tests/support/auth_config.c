/* The defaults of config.def as a struct. */
#include "support/auth_config.h"

#include <stdlib.h>

static struct view text_of(const char *standard)
{
	return standard[0] != '\0' ? view_of(standard) : ABSENT;
}

#define DEFAULT_TEXT text_of
#define DEFAULT_SECRET text_of
#define DEFAULT_LIST text_of
#define DEFAULT_CHOICE text_of
#define DEFAULT_NUMBER(standard) strtoll((standard), NULL, 10)
#define DEFAULT_SWITCH(standard) view_equal(view_of(standard), VIEW("on"))

struct config auth_config(void)
{
	return (struct config){
#define SETTING(NAME, member, KIND, standard, low, high, help) .member = DEFAULT_##KIND(standard),
#include "base/config.def"
#undef SETTING
	};
}
