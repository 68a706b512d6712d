/* migrate: see migrate.h. Source: DVC 3.67, dvc/cachemgr.py:migrate_2_to_3, dvc/repo/commit.py. */
#include "migrate.h"

#include "alloc.h"
#include "cas.h"
#include "commit.h"
#include "digest.h"
#include "dvcfile.h"
#include "err.h"
#include "fs.h"
#include "lock.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- objects ---- */

struct objects {
    struct arena *a;
    const char **paths; /* of the old layout */
    size_t count, capacity;
};

static int collect(void *ctx, struct cas_id id, const char *path, int64_t size, struct err *e)
{
    struct objects *o = ctx;
    (void)id, (void)size, (void)e;
    ARRAY_RESERVE(o->paths, o->count, o->capacity, 1);
    o->paths[o->count++] = arena_strdup(o->a, path);
    return 0;
}

/* Under its new name by a link of a temp name and rename: whole or not there. */
static int link_object(struct store *s, struct arena *a, const char *from, struct cas_id id,
                       struct err *e)
{
    const char *to = cas_object_path(s->cas, a, id);
    char temp[4096];
    if (fs_mkdirs_for(to, e) < 0 || fs_temp_name(temp, sizeof(temp), to, e) < 0) {
        return -1;
    }
    if (fs_link(FS_HARDLINK, from, temp, 0, NULL) < 0) {
        return cas_import(s->cas, from, id, e);
    }
    if (chmod(temp, 0444) < 0 || rename(temp, to) < 0) {
        err_sys(e, "cannot put '%s' into the cache as '%s'", from, to);
        unlink(temp);
        return -1;
    }
    return 0;
}

static int migrate_object(struct store *s, struct arena *a, const char *path, bool *added,
                          struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    size_t n = strlen(path);
    bool is_list = n > 4 && strcmp(path + n - 4, ".dir") == 0;
    if (digest_file(DIGEST_MD5, path, hex, NULL, e) < 0) {
        return -1;
    }
    struct cas_id id = {arena_printf(a, "%s%s", hex, is_list ? ".dir" : ""), false};
    *added = !cas_has(s->cas, id, false);
    return *added ? link_object(s, a, path, id, e) : 0;
}

int migrate_objects(struct store *s, struct arena *a, bool dry, size_t *count, struct err *e)
{
    struct objects o = {.a = a};
    int rc = cas_each(s->cas, true, collect, &o, e);
    *count = dry ? o.count : 0;
    for (size_t i = 0; rc == 0 && !dry && i < o.count; i++) {
        bool added;
        rc = migrate_object(s, a, o.paths[i], &added, e);
        *count += rc == 0 && added;
    }
    free(o.paths);
    return rc;
}

/* ---- files ---- */

static bool item_is_old(const struct lock_item *item)
{
    return item && item->hash.md5 && item->hash.legacy;
}

static bool is_old(const struct stage *st, const struct lock_entry *recorded)
{
    bool old = false;
    for (size_t i = 0; !st->name && i < st->out_count; i++) {
        old = old || (st->outs[i].hash.md5 && st->outs[i].hash.legacy);
    }
    for (size_t i = 0; recorded && i < recorded->out_count; i++) {
        old = old || item_is_old(&recorded->outs[i]);
    }
    for (size_t i = 0; recorded && i < recorded->dep_count; i++) {
        old = old || item_is_old(&recorded->deps[i]);
    }
    return old;
}

static int migrate_stage(struct store *s, struct arena *a, const struct stage *st, struct lock *l,
                         const struct lock_entry *recorded, struct err *e)
{
    const unsigned flags = COMMIT_ALLOW_MISSING | COMMIT_FEWER_PARAMS | COMMIT_MIGRATE;
    struct commit c;
    if (!st->name) {
        bool changed; /* then so has the md5 of an import, which is over its hashes */
        return commit_source(s, a, st, flags, NULL, &changed, e) < 0 ||
                       (changed && st->is_import &&
                        dvcfile_change_import(repo_abs(s->repo, a, st->file), NULL, e) < 0)
                   ? -1
                   : 0;
    }
    commit_begin(&c, s, a, st, recorded);
    if (commit_deps(&c, flags, e) < 0 || commit_outs(&c, flags, e) < 0 ||
        commit_runcache(&c, false, e) < 0) {
        return err_wrap(e, "%s", st->addr);
    }
    lock_set(l, c.entry);
    return lock_write(l, e);
}

static const char *name_of(struct store *s, struct arena *a, const struct stage *st)
{
    const char *file = store_show(s, a, st->file);
    return st->name
               ? arena_printf(a, "%s (%s)", file,
                              store_show(s, a, path_join(a, path_dirname(a, st->file), "dvc.lock")))
               : file;
}

static int compare_names(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void add_name(const char **names, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(names[i], name) == 0) {
            return;
        }
    }
    names[(*count)++] = name;
}

int migrate_files(struct store *s, struct arena *a, const struct pipeline *p, bool dry,
                  const char ***names, size_t *count, struct err *e)
{
    *names = ARENA_ARRAY(a, p->stage_count + 1, const char *);
    *count = 0;
    for (size_t i = 0; i < p->stage_count; i++) {
        const struct stage *st = &p->stages[i];
        struct lock *l = st->name ? store_lock(s, st->file, e) : NULL;
        if (st->name && !l) {
            return -1;
        }
        const struct lock_entry *recorded = l ? lock_find(l, st->name) : NULL;
        if (!is_old(st, recorded)) {
            continue;
        }
        add_name(*names, count, name_of(s, a, st));
        if (!dry && migrate_stage(s, a, st, l, recorded, e) < 0) {
            return -1;
        }
    }
    qsort(*names, *count, sizeof(const char *), compare_names);
    return 0;
}
