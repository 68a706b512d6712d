#ifndef NEPHRON_CONTENT_H
#define NEPHRON_CONTENT_H

#include "arena.h"
#include "dirobj.h"
#include "pipeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;
struct store;

/*
 * What a path of the workspace holds now: its hash as DVC would compute it. Files whose (inode,
 * size, mtime, ctime) are in the memo are not read; all others of one call are hashed in parallel.
 * Folders: .dvcignore is honoured, links to files are followed, links to folders skipped (dvc.md
 * §3).
 */

enum content_kind {
    CONTENT_MISSING, /* also: ignored by .dvcignore */
    CONTENT_FILE,
    CONTENT_DIR,
    CONTENT_OTHER, /* socket, device, FIFO */
};

struct content {
    const char *path;   /* repo path, set by the caller */
    bool legacy;        /* set by the caller: hash as DVC 2 (dos2unix) */
    bool no_hash;       /* set by the caller: only what the memo knows; else md5s stay "" */
    bool honour_ignore; /* set by the caller: an ignored path counts as missing (outs, not deps) */
    size_t twin;        /* set by the caller: 1 + index of an earlier item with the same path and
                           `legacy`, whose folder need not be walked again; 0: none */
    enum content_kind kind;
    struct hash hash;    /* md5 NULL when missing or other */
    struct dirobj *tree; /* CONTENT_DIR: members and hashes; in the caller's arena */
    struct stat st;      /* of the file (links followed); folders: of the folder */
    bool is_link;        /* the path itself is a symbolic link */
    bool is_empty;       /* no byte, or no member */
};

/* Fills items[0..count-1]. Strings are in `a`. Errors: a member that cannot be read, a dangling
 * link
 * ("[Errno 2] No such file or directory: 'ABS'", ERR_MISSING), a .dvcignore inside a folder. */
int content_read(struct store *s, struct arena *a, struct content *items, size_t count,
                 struct err *e);
/* After no_hash: the members' md5s are known now; sets the folder's own hash. */
void content_finish_folder(struct arena *a, struct content *c);
/* The kind alone, by stat. */
enum content_kind content_kind(struct store *s, const char *path, bool honour_ignore);
/* MD5 after DVC 2's dos2unix rule: each 1 MiB chunk whose first 512 bytes look like text loses its
 * CRs before LF. */
int content_md5_legacy(const char *abs_path, char hex[33], struct err *e);

#endif
