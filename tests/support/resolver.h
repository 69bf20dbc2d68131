/* Names that only a test knows, and resolvers that do not answer.
 *
 * The test program's own getaddrinfo(3) stands before the system's, for libraries
 * and children of the process too; names that no test has set go on to the system. */
#ifndef SUPPORT_RESOLVER_H
#define SUPPORT_RESOLVER_H

/* From now on the name has these addresses, numbers with blanks between them; "":
 * there is no such name; NULL: no answer ever comes. Both are borrowed. */
void resolver_set(const char *name, const char *numbers);

#endif
