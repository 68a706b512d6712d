#ifndef NEPHRON_CAS_PRIVATE_H
#define NEPHRON_CAS_PRIVATE_H

#include "cas.h"

#include <stdatomic.h>

/* Shared by cas.c (objects in) and cas_link.c (objects out). */

#define CAS_PATH_SIZE 4352

struct cas {
    char *dir;
    struct cas_options opt;
    struct state *state;
    mode_t umask;
    atomic_bool no_clone; /* this file system cannot clone: not tried again */
};

void cas_path_into(const struct cas *c, char out[CAS_PATH_SIZE], struct cas_id id);
int cas_temp_open(struct cas *c, struct fs_temp *t, struct err *e);
int cas_temp_keep(struct cas *c, struct fs_temp *t, const char *md5, struct err *e);

#endif
