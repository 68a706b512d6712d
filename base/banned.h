#ifndef NEPHRON_BANNED_H
#define NEPHRON_BANNED_H

/* Calls that this code base does not make; included before everything by the build. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atof
#pragma GCC poison gmtime localtime ctime asctime system mktemp tmpnam srand

#endif
