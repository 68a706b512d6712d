#ifndef NEPHRON_FLOCK_PRIVATE_H
#define NEPHRON_FLOCK_PRIVATE_H

#include <stdint.h>

struct err;

/* flock helpers of repolock.c, also used by rwlock.c. */

/* Opens or makes the lock file (and its folder), O_CLOEXEC. -1 on error. */
int flock_open(const char *path, struct err *e);
/* 1: got it, 0: someone else has it, -1: error. */
int flock_try(int fd, const char *path, struct err *e);
/* As flock_try, for at most wait_us (negative: for ever). */
int flock_wait(int fd, const char *path, int64_t wait_us, const volatile int *stop, struct err *e);

#endif
