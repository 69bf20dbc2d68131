/* What a test's teardown finds fails that test: leaks above all.
 *
 * Criterion has judged a test before its .fini runs: what fails there is
 * printed, and the test passes. Every program that links this file counts such
 * tests as failed.
 */
#ifndef SUPPORT_LEAKS_H
#define SUPPORT_LEAKS_H

/* For a suite's .fini: fails the test when it leaked memory. Criterion ends a
 * test's process past the sanitizer's own check at exit, so without this a leak
 * passes. Does nothing in a build without the address sanitizer. */
void leaks_check(void);

#endif
