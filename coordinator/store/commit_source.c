/* commit_source: the data behind .dvc files into the cache, and the files' fields brought up to
 * date. */
#include "commit_private.h"

#include "cas.h"
#include "dvcfile.h"
#include "err.h"
#include "fs.h"
#include "gitignore.h"
#include "path.h"
#include "remote.h"
#include "repo.h"
#include "store.h"

#include <stdio.h>
#include <string.h>

/* `mode_of`: whose isexec the data takes; NULL: its own. */
static int store_data(struct store *s, struct arena *a, const char *path, unsigned flags,
                      const struct hash *mode_of, struct content *now, struct err *e)
{
    bool keep = !(flags & COMMIT_NO_CACHE);
    *now = (struct content){.path = path, .honour_ignore = true, .no_hash = keep};
    if (content_read(s, a, now, 1, e) < 0) {
        return -1;
    }
    const char *shown = store_show(s, a, path);
    if (now->kind == CONTENT_MISSING) {
        return err_set(e, ERR_MISSING, "output '%s' does not exist", shown);
    }
    if (now->kind == CONTENT_OTHER) {
        return err_set(e, ERR_IO, "output '%s' is not a file or directory", shown);
    }
    if (mode_of) {
        now->hash.isexec = mode_of->isexec;
    }
    return keep ? commit_store_contents(s, a, &now, 1, !(flags & COMMIT_NO_RELINK), e) : 0;
}

int commit_data(struct store *s, struct arena *a, const char *path, unsigned flags,
                struct content *now, struct err *e)
{
    return store_data(s, a, path, flags, NULL, now, e);
}

/* ---- inside of a tracked folder ---- */

static bool below(const char *prefix, const char *rel)
{
    return path_inside(prefix, rel);
}

/* The recorded list without what lies at `rel`. *dropped says whether something did. */
static int old_rest(struct store *s, struct arena *a, const struct hash *old, const char *rel,
                    struct dirobj *rest, bool *dropped, struct err *e)
{
    struct dirobj tree;
    dirobj_init(rest);
    *dropped = false;
    if (!old->md5) {
        return 0;
    }
    const struct cas_id id = {old->md5, old->legacy};
    if (!cas_has(s->cas, id, false)) {
        remote_fetch_list(s, a, id);
    }
    if (cas_read_dir(s->cas, a, id, &tree, NULL) < 0) {
        return err_set(e, ERR_MISSING, "could not read '%s'", old->md5);
    }
    for (size_t i = 0; i < tree.count; i++) {
        if (below(rel, tree.items[i].relpath)) {
            *dropped = true;
        } else {
            *dirobj_add(a, rest, tree.items[i].relpath) = tree.items[i];
        }
    }
    return 0;
}

static int64_t add_members(struct arena *a, struct dirobj *rest, const struct content *now,
                           const char *rel)
{
    if (now->kind == CONTENT_FILE) {
        memcpy(dirobj_add(a, rest, rel)->md5, now->hash.md5, 33);
        return now->hash.size;
    }
    for (size_t i = 0; i < now->tree->count; i++) {
        const struct dirobj_item *item = &now->tree->items[i];
        memcpy(dirobj_add(a, rest, arena_printf(a, "%s/%s", rel, item->relpath))->md5, item->md5,
               33);
    }
    return now->tree->size;
}

int commit_granular(struct store *s, struct arena *a, const char *root, const char *path,
                    const struct hash *old, unsigned flags, struct hash *hash, struct err *e)
{
    const char *rel = path + strlen(root) + 1;
    struct dirobj rest;
    bool dropped;
    int64_t added = -1;
    if (old_rest(s, a, old, rel, &rest, &dropped, e) < 0) {
        return -1;
    }
    bool exists = content_kind(s, path, true) != CONTENT_MISSING;
    if (exists) {
        struct content now;
        if (commit_data(s, a, path, flags, &now, e) < 0) {
            return -1;
        }
        added = add_members(a, &rest, &now, rel);
    } else if (!dropped) {
        return err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'",
                       repo_abs(s->repo, a, path));
    }
    dirobj_digest(&rest);
    *hash = (struct hash){.md5 = arena_strdup(a, rest.md5), .size = -1};
    hash->nfiles = (int64_t)rest.count;
    /* DVC's rule: the size is known when files only came in, or when nothing changed */
    if (old->md5 && !strcmp(old->md5, rest.md5)) {
        hash->size = old->size;
    } else if (exists && !dropped && old->size >= 0) {
        hash->size = old->size + added;
    }
    return flags & COMMIT_NO_CACHE ? 0 : cas_put_dir(s->cas, &rest, e);
}

/* ---- the file ---- */

static bool hash_eq(const struct hash *a, const struct hash *b)
{
    return a->md5 && b->md5 && !strcmp(a->md5, b->md5) && a->size == b->size &&
           a->nfiles == b->nfiles && a->isexec == b->isexec && a->legacy == b->legacy;
}

static int write_fields(struct store *s, struct arena *a, const struct stage *st, size_t out,
                        const struct hash *hash, struct err *e)
{
    const char *abs = repo_abs(s->repo, a, st->file);
    struct strbuf old, text;
    strbuf_init(&old);
    strbuf_init(&text);
    int rc = fs_read(abs, (size_t)16 << 20, &old, e);
    if (rc == 0) {
        rc = dvcfile_edit(strbuf_str(&old), "outs", out, hash, &text, e);
    }
    if (rc == 0) {
        rc = fs_write_if_changed(abs, text.p, text.n, NULL, e);
    }
    strbuf_release(&old);
    strbuf_release(&text);
    return rc < 0 ? err_wrap(e, "%s", store_show(s, a, st->file)) : 0;
}

static int source_out(struct store *s, struct arena *a, const struct stage *st, size_t i,
                      unsigned flags, const char *filter, bool *changed, struct err *e)
{
    const struct out *o = &st->outs[i];
    struct hash hash;
    bool partial = filter && strcmp(filter, o->path) != 0 && path_inside(o->path, filter);
    if (partial) {
        if (o->hash.md5 && strlen(o->hash.md5) == 32) {
            return err_set(e, ERR_USAGE, "Cannot modify '%s' which is being tracked as a file",
                           store_show(s, a, o->path));
        }
        if (commit_granular(s, a, o->path, filter, &o->hash, flags, &hash, e) < 0) {
            return -1;
        }
    } else {
        if (content_kind(s, o->path, true) == CONTENT_MISSING && (flags & COMMIT_ALLOW_MISSING)) {
            return 0;
        }
        struct content now;
        const struct hash *mode_of = (flags & COMMIT_AS_RECORDED) && o->hash.md5 ? &o->hash : NULL;
        if (store_data(s, a, o->path, o->cache ? flags : flags | COMMIT_NO_CACHE, mode_of, &now,
                       e) < 0) {
            return -1;
        }
        if (now.is_empty) {
            store_note(s, STORE_NOTE_WARN, "'%s' is empty.", store_show(s, a, o->path));
        }
        hash = now.hash;
        /* an entry of DVC 2 stays while its content does */
        if (o->hash.md5 && o->hash.legacy && !(flags & COMMIT_MIGRATE)) {
            struct content old = {.path = o->path, .legacy = true, .honour_ignore = true};
            if (content_read(s, a, &old, 1, e) < 0) {
                return -1;
            }
            if (old.hash.md5 && !strcmp(old.hash.md5, o->hash.md5)) {
                hash = o->hash;
            }
        }
    }
    if (hash_eq(&hash, &o->hash)) {
        return 0;
    }
    if (changed) {
        *changed = true;
    }
    return write_fields(s, a, st, i, &hash, e);
}

int commit_source(struct store *s, struct arena *a, const struct stage *st, unsigned flags,
                  const char *filter, bool *changed, struct err *e)
{
    if (changed) {
        *changed = false;
    }
    for (size_t i = 0; i < st->out_count; i++) {
        const struct out *o = &st->outs[i];
        if (filter && !path_inside(o->path, filter) && !path_inside(filter, o->path)) {
            continue;
        }
        if (source_out(s, a, st, i, flags, filter, changed, e) < 0) {
            return -1;
        }
    }
    if (flags & COMMIT_AS_RECORDED) {
        return 0;
    }
    struct commit c;
    commit_begin(&c, s, a, st, NULL);
    return commit_ignore(&c, e) < 0 ? -1 : gitignore_sync(s->repo, e);
}
