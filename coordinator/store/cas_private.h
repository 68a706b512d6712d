#ifndef NEPHRON_CAS_PRIVATE_H
#define NEPHRON_CAS_PRIVATE_H

#include "cas.h"
#include "digest.h"

#include <stdatomic.h>

/* Shared by cas.c (one object), cas_batch.c (many) and cas_link.c (objects out). */

#define CAS_PATH_SIZE 4352

struct cas {
    char *dir;
    struct cas_options opt;
    struct state *state;
    mode_t umask;
    atomic_bool no_clone;     /* this file system cannot clone: not tried again */
    atomic_bool no_clone_out; /* nor can it from here to the workspace */
};

void cas_path_into(const struct cas *c, char out[CAS_PATH_SIZE], struct cas_id id);
int cas_temp_open(struct cas *c, struct fs_temp *t, mode_t mode, struct err *e);
/* cas_has, and the object's stat; its mode may be 444 only now. */
bool cas_stat(struct cas *c, struct cas_id id, struct stat *st);
/* A folder in the cache; cache.shared wants setgid and group write on the way. 1: it was there. */
int cas_make_folder(const struct cas *c, const char *path, struct err *e);
/* The folder of an object. sync: its name is durable on return. */
int cas_make_dirs(struct cas *c, const char *md5, bool sync, struct err *e);
int cas_sync_object_dir(struct cas *c, const char *md5, struct err *e);
/* From an open file into a temp file, hashed on the way. */
int cas_clone_or_copy(struct cas *c, int from, const struct fs_temp *t, const char *name,
                      char hex[DIGEST_HEX_SIZE], struct err *e);
#define CAS_OBJECT_MODE 0444
int cas_temp_keep(struct cas *c, struct fs_temp *t, const char *md5, struct err *e);

#endif
