/* Leaks fail the test that made them. */
#ifndef SUPPORT_LEAKS_H
#define SUPPORT_LEAKS_H

/* For a suite's .fini: fails the test when it leaked memory. Criterion ends a
 * test's process past the sanitizer's own check at exit, so without this a leak
 * passes. Does nothing in a build without the address sanitizer. */
void leaks_check(void);

#endif
