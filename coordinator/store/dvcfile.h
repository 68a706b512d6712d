#ifndef NEPHRON_DVCFILE_H
#define NEPHRON_DVCFILE_H

#include "arena.h"
#include "pipeline.h"
#include "str.h"

struct err;
struct value;

/*
 * .dvc files. A new one is written in DVC's order:
 *   outs:
 *   - md5: 4a8d1c454172624a92e9bc4bbe4f459c.dir
 *     size: 20
 *     nfiles: 9            folders only
 *     isexec: true         single files with u+x only
 *     hash: md5
 *     path: data
 * An existing one is edited as text: only md5, size, nfiles, isexec and hash of the item change;
 * comments, order, quotes, desc, meta and unknown keys stay as the person left them (yamledit.h).
 */

/* A file of `dvc add`: one out. */
void dvcfile_new(struct strbuf *out, const char *path, const struct hash *hash);
/* A file of `import-url` or `import`, with its md5 unless `no_exec`. */
struct dvcfile_import {
    const char *dep_path, *out_path;       /* as written */
    const struct hash *dep, *out;          /* md5 NULL: not known */
    const char *etag;                      /* instead of the dep's md5; NULL: none */
    const char *etag_name;                 /* its key; NULL: "checksum" (http) */
    const struct value *fs_config;         /* of the source; NULL: none */
    const char *repo_url, *rev, *rev_lock; /* `import`; rev NULL: the default branch */
    const struct value *repo_config,
        *repo_remote; /* likewise: what is laid over its settings; NULL: nothing */
    bool frozen, no_exec;
};
void dvcfile_new_import(struct strbuf *out, const struct dvcfile_import *x);
/* An update of one that stands: what is known of the source (dep, etag, rev, rev_lock), the out's
 * hash, and the md5 over both. */
int dvcfile_edit_import(struct str text, const struct dvcfile_import *x, struct strbuf *out,
                        struct err *e);
/* After dvcfile_edit of an import: its md5 anew. */
int dvcfile_renew_md5(struct str text, struct strbuf *out, struct err *e);
/* Reads the file at `path` (absolute), makes its next text by `edit`, and writes that when it is
 * another. The edits above and below, with *ctx what they take, are such functions' bodies. */
typedef int dvcfile_edit_fn(void *ctx, struct str text, struct strbuf *out, struct err *e);
int dvcfile_change(const char *path, dvcfile_edit_fn *edit, void *ctx, struct err *e);
/* dvcfile_edit_import, or with `x` NULL dvcfile_renew_md5, of the file at `path`. */
int dvcfile_change_import(const char *path, const struct dvcfile_import *x, struct err *e);
/* Replaces the hash fields of item `index` of list `key` ("outs" or "deps") in `text`. ERR_FORMAT
 * when the text has no such item. */
int dvcfile_edit(struct str text, const char *key, size_t index, const struct hash *hash,
                 struct strbuf *out, struct err *e);
/* md5 of an import stage over its canonical JSON (dvc.md §4). `doc` is the parsed file. */
void dvcfile_stage_md5(const struct value *doc, char hex[33]);

#endif
