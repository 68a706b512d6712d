#ifndef NEPHRON_FS_H
#define NEPHRON_FS_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct err;

/*
 * Files. The only way this program writes a file that others may read is fs_write_atomic (or
 * fs_temp + fs_commit for big ones): temp name in the same folder, all bytes, fsync, checked close, rename, fsync
 * of the folder; so a reader sees the old or the new content, never a part, also after a kill.
 * Temp names are ".nephron-HOST-PID-N.tmp". What a killed process left goes when the next one makes
 * a temp file in that folder.
 */

bool fs_exists(const char *path); /* follows links; a dangling link does not exist */
bool fs_is_dir(const char *path);
bool fs_is_file(const char *path);

/* Appends the whole file to `out`. ERR_LIMIT beyond max_bytes (0: 1 GiB). */
int fs_read(const char *path, size_t max_bytes, struct strbuf *out, struct err *e);
/* All `n` bytes, or fewer when the file ends before. -1 with errno. */
ssize_t fs_read_full(int fd, void *to, size_t n);
/* mode 0: 0666 by umask. */
int fs_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *e);
/* As fs_write_atomic, but leaves the file (and its mtime) alone when it already has this content.
 * *changed may be NULL. */
int fs_write_if_changed(const char *path, const void *data, size_t n, bool *changed, struct err *e);
int fs_write_all(int fd, const void *data, size_t n, const char *name, struct err *e);

struct fs_temp {
    int fd;
    char path[4096];
};
/* Opens a temp file beside `target` (O_EXCL, O_CLOEXEC). mode 0: 0666 by umask. */
int fs_temp_open(struct fs_temp *t, const char *target, mode_t mode, struct err *e);
/* fsync (unless `fast`), close, rename over `target`. On failure the temp file is removed. */
int fs_temp_commit(struct fs_temp *t, const char *target, bool fast, struct err *e);
void fs_temp_abort(struct fs_temp *t);
int fs_sync_dir(const char *dir, struct err *e);
/* A file that was appended to, and its name. Absent is fine. */
int fs_sync_file(const char *path, struct err *e);
/*
 * Everything written so far to the file system that holds `dir`, content and names, in one call: what makes
 * thousands of files durable costs then as much as a few. It waits also for what other programs wrote there.
 * FUSE is the exception, whose servers never hear of it: fs_can_sync_all says whether the call is worth it.
 */
int fs_sync_all(const char *dir, struct err *e);
bool fs_can_sync_all(const char *dir);
/* A free temp name beside `target` for links, which are not opened. Looks for left-overs as
 * fs_temp_open does. */
int fs_temp_name(char *out, size_t size, const char *target, struct err *e);
/* Removes left-over temp files and folders directly in `dir`: of dead processes of this host, and those of other
 * hosts that are a day old. */
void fs_sweep_temp(const char *dir);
/* Is the entry of `dir` such a left-over? */
bool fs_is_left_temp(const char *dir, const char *name);
/* false switches every fsync of this process off (`core.fsync: false`, tests). */
void fs_set_sync(bool on);
/* fdatasync, or nothing when that was switched off. 0, or -1 with errno. */
int fs_sync_data(int fd);

int fs_mkdirs(const char *path, struct err *e); /* mkdir -p */
int fs_mkdirs_for(const char *file, struct err *e);
int fs_remove(const char *path, struct err *e);      /* file or link; absent is fine */
int fs_remove_tree(const char *path, struct err *e); /* anything; absent is fine; follows no link */
int fs_remove_empty_parents(const char *path, const char *stop, struct err *e);

/* Copies a file or a folder to `to`, which must not exist; links to files become files, links to folders are passed
 * over. Modes are those of new files. What a failure leaves is the caller's to remove. */
int fs_copy_tree(const char *from, const char *to, struct err *e);

enum fs_link {
    FS_REFLINK, /* copy-on-write clone; ERR_IO where the file system has none */
    FS_HARDLINK,
    FS_SYMLINK, /* absolute target */
    FS_COPY,    /* copy_file_range, falling back to read/write */
};
/* Makes `dst` (which must not exist) a link or copy of `src` with permissions `mode`
 * (ignored for links). */
int fs_link(enum fs_link how, const char *src, const char *dst, mode_t mode, struct err *e);

struct fs_entry {
    const char *path; /* relative to the walked folder */
    struct stat st;   /* of what a link points to, when it could be followed */
    bool is_link;
    bool is_dangling; /* link to nothing: st is of the link itself */
};
/* Return 0 to go on, 1 not to enter this folder, -1 to stop with *e set. */
typedef int fs_walk_fn(void *ctx, const struct fs_entry *entry, struct err *e);
/* Visits everything below `dir` depth first, siblings in byte order, a folder before its content.
 * Links to folders are visited but not entered. */
int fs_walk(const char *dir, fs_walk_fn *fn, void *ctx, struct err *e);
/* Sorted names in `dir` without . and ..; *names in the arena. */
int fs_list(struct arena *a, const char *dir, char ***names, size_t *count, struct err *e);

#endif
