#ifndef NEPHRON_CAS_H
#define NEPHRON_CAS_H

#include "arena.h"
#include "dirobj.h"
#include "fs.h"
#include "par.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct state;

/*
 * The object cache, laid out as DVC 3's: DIR/files/md5/<2>/<30>[.dir]; DVC 2's objects (read only)
 * in DIR/<2>/<30>[.dir]. Objects are written to a temp name, synced, given mode 444 and renamed:
 * under its final name an object is whole. An object of mode 444 is trusted; a writable one is
 * hashed before it is believed, and deleted when it is something else (dvc.md §3).
 *
 * Thread-safe: every function may run in several threads and processes on one cache.
 */

struct cas;

#define CAS_MAX_LINKS 4

struct cas_options {
    enum fs_link
        links[CAS_MAX_LINKS]; /* cache.type, in the order to be tried; none: reflink, copy */
    size_t link_count;
    bool shared; /* cache.shared = group: folders 2775 */
};

/* One object: what the lock says of a file or folder. */
struct cas_id {
    const char *md5; /* 32 hex digits, or with ".dir" */
    bool legacy;
};

/* `dir` is created when first written to. `state` is kept (until cas_close), may be NULL. Returns
 * new. */
struct cas *cas_open(const char *dir, const struct cas_options *opt, struct state *state);
void cas_close(struct cas *c);
const char *cas_dir(const struct cas *c);
enum fs_link cas_first_link(const struct cas *c);

/* Absolute path of an object; `md5` must be well formed (cas_md5_valid). */
char *cas_object_path(const struct cas *c, struct arena *a, struct cas_id id);
bool cas_md5_valid(const char *md5); /* 32 lower-case hex digits, ".dir" allowed */

/* Present and right? Trusts mode 444 unless `deep`; a wrong one is removed (deep: moved to
 * DIR/corrupt) and counts as absent. */
bool cas_has(struct cas *c, struct cas_id id, bool deep);
/* The object and, for a folder, the list and every member. `tree`: the members, when they are known;
 * NULL: the list is read. */
bool cas_has_all(struct cas *c, struct cas_id id, const struct dirobj *tree);

/* A folder object as a list. ERR_MISSING when absent, ERR_FORMAT when it is no list (it is then as
 * absent). */
int cas_read_dir(struct cas *c, struct arena *a, struct cas_id id, struct dirobj *d, struct err *e);

/*
 * A file of the workspace into the cache: one read, hashed while copied (or cloned). md5, when not
 * "", is what the caller believes the content to be: an object of that name makes the copy
 * unnecessary, and other content is an error (ERR_BUSY: the file changed meanwhile). On return md5
 * is the content's. *st (may be NULL): of the file that was read.
 */
int cas_put_file(struct cas *c, const char *abs_path, char md5[33], struct stat *st, struct err *e);
/*
 * Many files: copied in parallel under temp names, made durable together (fs_sync_all, thousands at a time), then
 * named; the names are durable on return. A kill or a power cut in between leaves temp files and
 * whole objects. md5s as above, each set on return.
 */
struct cas_put {
    const char *path;   /* absolute */
    char md5[37];       /* "" or what the caller believes; cas_copy_objects: the object's name */
    struct stat st;     /* filled */
    bool was_there;     /* filled: the object existed */
    struct err *failed; /* filled by cas_copy_objects: NULL, or why not (free it) */
};
int cas_put_files(struct cas *c, struct par *p, struct cas_put *puts, size_t count, struct err *e);
/* The same for objects of another cache or a remote (DVC 3's names): each must have the content of its name, or
 * fails with ERR_REMOTE; the others arrive nevertheless. Errors only when nothing can be promised of any. */
int cas_copy_objects(struct cas *c, struct par *p, struct cas_put *puts, size_t count,
                     struct err *e);
/* A folder list: members must be in the cache already (objects first, then the list). */
int cas_put_dir(struct cas *c, struct dirobj *d, struct err *e);
/* Any text under the name it has: md5 is computed; `md5` gets it. */
int cas_put_bytes(struct cas *c, const void *data, size_t n, const char *suffix, char md5[37],
                  struct err *e);
/* Lets `get` write a temp file, verifies it, and keeps it as the object. ERR_REMOTE when the
 * content is other. */
typedef int cas_get_fn(void *ctx, const char *tmp_path, struct err *e);
int cas_receive(struct cas *c, struct cas_id id, cas_get_fn *get, void *ctx, struct err *e);
/* Copies an object file from elsewhere (a remote) and verifies it on arrival. ERR_REMOTE when the
 * content is other. */
int cas_import(struct cas *c, const char *src_path, struct cas_id id, struct err *e);

/*
 * An object out to `dst` (absolute; its parent is made; a file or empty folder there is replaced by
 * rename), by the first link type that works. Copies get mode 666 by umask (777 with `isexec`),
 * links are the object itself. Zero bytes are never hard-linked. ERR_MISSING when the object is
 * absent or wrong.
 */
struct cas_out_options {
    bool isexec;
    bool copy_only; /* uncached metrics: always a plain copy */
};
int cas_link_out(struct cas *c, struct cas_id id, const char *dst,
                 const struct cas_out_options *opt, struct err *e);
/* Is `path` (st from lstat) already what cache.type asks for, for this object? */
bool cas_is_linked(struct cas *c, struct cas_id id, const char *path);
/*
 * After cas_put_file: makes the workspace file what cache.type asks for, as DVC does: hard links
 * are always made; a file that is an output by itself (single) becomes a symbolic link, or a copy
 * with the mode of new files; members of folders that are plain files stay as they are when the
 * list of types allows copies.
 */
struct cas_relink_options {
    bool isexec, single;
};
int cas_relink(struct cas *c, struct cas_id id, const char *path,
               const struct cas_relink_options *opt, struct err *e);
/* A file, or every file below a folder: links become writable copies, copies get mode 644 by umask.
 */
int cas_unprotect(struct cas *c, const char *path, struct err *e);

/* Every object, of DVC 3's layout or with `legacy` of DVC 2's (without the run cache), in order of names:
 * return non-zero from fn to stop. */
typedef int cas_each_fn(void *ctx, struct cas_id id, const char *path, int64_t size, struct err *e);
int cas_each(struct cas *c, bool legacy, cas_each_fn *fn, void *ctx, struct err *e);
/* Deletes an object; absent is fine. */
int cas_remove(struct cas *c, struct cas_id id, struct err *e);

#endif
