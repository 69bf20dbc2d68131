/* Prints the SQL that the programs run, a line each, name first: so that others can be timed with the very same. */
#include <stdio.h>

#include "db/connection.h"

int main(void)
{
	printf("IDENTITY\t%s\n", CONNECTION_IDENTITY);
	printf("TURN\t%s\n", CONNECTION_TURN);
#define STATEMENT(NAME, access, parameters, sql) printf("%s\t%s\n", #NAME, sql);
#include "db/statements.def"
#undef STATEMENT
	return 0;
}
