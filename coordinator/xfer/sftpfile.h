#ifndef NEPHRON_SFTPFILE_H
#define NEPHRON_SFTPFILE_H

#include "digest.h"
#include "sshlink.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Files at the far end of a connection. Paths are the server's own. After an error look at
 * link->broken: another connection may do it.
 */

struct sftpfile_facts {
    uint64_t size;
    int64_t mtime; /* seconds since 1970 */
    bool is_file, is_dir;
};
/* 1 there, 0 absent, -1. Links are followed. */
int sftpfile_stat(struct sshlink *l, const char *path, struct sftpfile_facts *f, struct err *e);

typedef void sftpfile_moved_fn(void *ctx, uint64_t bytes);

/* The local file to `path`: under a temp name, then renamed over what was there; folders are made.
 * `md5` (32 hex digits, may be NULL) is what the content must have. ERR_IO: it has not, nothing was
 * changed. */
struct sftpfile_upload {
    const char *local, *path, *md5;
    sftpfile_moved_fn *moved;
    void *ctx;
};
int sftpfile_put(struct sshlink *l, const struct sftpfile_upload *u, struct err *e);

/* The file at `path` into `fd`. Called again after a broken connection it goes on where it stopped,
 * when size and time are what they were. Zeroed at first. */
struct sftpfile_download {
    const char *local, *path; /* `local`: for messages */
    int fd;
    struct digest *digest; /* not NULL: this is all that is wanted, nothing is written */
    sftpfile_moved_fn *moved;
    void *ctx;
    uint64_t saved, size; /* so far */
    int64_t mtime;
};
int sftpfile_get(struct sshlink *l, struct sftpfile_download *d, struct err *e);

/* Absent is fine. */
int sftpfile_remove(struct sshlink *l, const char *path, struct err *e);

#endif
