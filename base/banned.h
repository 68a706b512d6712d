#ifndef NEPHRON_BANNED_H
#define NEPHRON_BANNED_H

/* Calls that this code base does not make; included before everything by the build. rand and alloca belong to them, but are words
 * of system headers: tests/lint/structure.py looks for those. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef sprintf /* macros where FORTIFY finds no better way (clang) */
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atof
#pragma GCC poison gmtime localtime ctime asctime system mktemp tmpnam srand

#endif
