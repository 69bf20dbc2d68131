/* Seals a process: what it knows leaves it by what it says, and in no other way.
 *
 * It costs a request nothing, and holds for what foreign libraries keep as well.
 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

/* For this process and all that it forks or becomes: no core file, no rights that
 * a program's file would add, and files that nobody else may read. For this
 * process and all that it forks: nobody but root reads its memory, its environment
 * or its descriptors (/proc, ptrace). What can't be had on this system is left out. */
void seal_process(void);

/* Closes every descriptor above standard error. Of a server's own files, sockets
 * and logs some come along when it forgets to close them. Call it first. */
void seal_descriptors(void);

/* Gives closed descriptors 0 to 2 to /dev/null, before anything else is opened:
 * FastCGI promises no more than fd 0 (FastCGI Specification 1.0 §2.2), a careless
 * caller nothing, and what is said must not go to whatever would get the number of
 * standard output or error. It is open for reading alone, so that who writes there
 * is told that nobody reads. */
void seal_standard_descriptors(void);

#endif
