/*
 * What a repro records: every finished stage in the journal at once, in dvc.lock at most once a
 * second and at the end. While the repository is in other hands (a stage's command runs) someone
 * may rewrite dvc.lock; then it is read again and our entries that were not written yet are put on
 * top.
 */
#include "repro_private.h"

#include "alloc.h"
#include "commit.h"
#include "content.h"
#include "fs.h"
#include "gitignore.h"
#include "journal.h"
#include "lock.h"
#include "path.h"
#include "repo.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOCK_WRITE_US 1000000

struct pending {
    const struct stage *stage;
    struct lock_entry *entry;
};

struct lockfile {
    const char *pipeline; /* repo path of the dvc.yaml */
    const char *path;     /* absolute path of the dvc.lock */
    const char *shown;
    struct stat seen; /* as we last read or wrote it; st_ino 0: it was not there */
    bool exists;      /* "Generating" has been said, or it was there */
    struct pending *pending;
    size_t count, capacity;
    struct arena arena; /* of the pending entries */
};

struct lockfiles {
    struct run *run;
    struct lockfile **files;
    size_t count, capacity;
    struct journal *journal;
    int64_t written_us;
    bool dirty;
};

const char *lockfiles_journal_path(const struct repo *r, struct arena *a)
{
    return path_join(a, r->tmp_dir, "nephron/journal");
}

struct lockfiles *lockfiles_new(struct run *run)
{
    struct lockfiles *lf = xcalloc(1, sizeof *lf);
    lf->run = run;
    lf->journal = journal_new(lockfiles_journal_path(run->c->repo, &run->arena));
    lf->written_us = -LOCK_WRITE_US;
    return lf;
}

static const char *lock_name(struct arena *a, const char *pipeline)
{
    size_t n = strlen(pipeline);
    size_t ext = strlen(path_extension(pipeline));
    return arena_printf(a, "%.*s.lock", (int)(n - ext), pipeline);
}

static void remember(struct lockfile *f)
{
    if (stat(f->path, &f->seen) != 0) {
        f->seen = (struct stat){0};
    }
}

static bool changed_by_others(const struct lockfile *f)
{
    struct stat now;
    if (stat(f->path, &now) != 0) {
        return f->seen.st_ino != 0;
    }
    return now.st_ino != f->seen.st_ino || now.st_dev != f->seen.st_dev ||
           now.st_size != f->seen.st_size || now.st_mtim.tv_sec != f->seen.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != f->seen.st_mtim.tv_nsec;
}

static struct lockfile *file_get(struct lockfiles *lf, const char *pipeline)
{
    for (size_t i = 0; i < lf->count; i++) {
        if (strcmp(lf->files[i]->pipeline, pipeline) == 0) {
            return lf->files[i];
        }
    }
    struct arena *a = &lf->run->arena;
    const struct repo *r = lf->run->c->repo;
    struct lockfile *f = xcalloc(1, sizeof *f);
    const char *name = lock_name(a, pipeline);
    f->pipeline = arena_strdup(a, pipeline);
    f->path = repo_abs(r, a, name);
    f->shown = repo_show(r, a, name);
    arena_init(&f->arena);
    remember(f);
    f->exists = f->seen.st_ino != 0 && f->seen.st_size > 0;
    ARRAY_RESERVE(lf->files, lf->count, lf->capacity, 1);
    lf->files[lf->count++] = f;
    return f;
}

int lockfiles_entry(struct run *run, const struct stage *st, struct arena *a,
                    struct lock_entry **entry, struct err *e)
{
    *entry = NULL;
    if (st->name == NULL) {
        return 0;
    }
    const struct lock *l = store_lock(run->c->store, st->file, e);
    if (l == NULL) {
        return -1;
    }
    const struct lock_entry *have = lock_find(l, st->name);
    *entry = have != NULL ? lock_entry_copy(a, have) : NULL;
    return 0;
}

/* DVC says so for each stage; with several at once that would be noise. */
static void say_written(struct lockfiles *lf, struct lockfile *f)
{
    if (!lf->run->c->in_order) {
        f->exists = true;
        return;
    }
    if (!f->exists) {
        run_note(lf->run, false, "Generating lock file '%s'", f->shown);
        f->exists = true;
    }
    run_note(lf->run, false, "Updating lock file '%s'", f->shown);
}

int lockfiles_record(struct lockfiles *lf, const struct stage *st, const struct lock_entry *entry,
                     struct err *e)
{
    struct lock *l = store_lock(lf->run->c->store, st->file, e);
    if (l == NULL) {
        return -1;
    }
    struct lockfile *f = file_get(lf, st->file);
    if (!lock_set(l, entry)) {
        return 0; /* as it was: nothing to journal, nothing to write */
    }
    if (journal_append(lf->journal, st->file, entry, e) < 0) {
        return -1;
    }
    ARRAY_RESERVE(f->pending, f->count, f->capacity, 1);
    f->pending[f->count++] = (struct pending){st, lock_entry_copy(&f->arena, entry)};
    lf->dirty = true;
    say_written(lf, f);
    return 0;
}

/* Someone else wrote a lock file: all are read again, what we have not written yet goes on top. */
static int reread(struct lockfiles *lf, struct err *e)
{
    store_forget_locks(lf->run->c->store);
    for (size_t i = 0; i < lf->count; i++) {
        struct lockfile *f = lf->files[i];
        struct lock *l = store_lock(lf->run->c->store, f->pipeline, e);
        if (l == NULL) {
            return -1;
        }
        remember(f);
        for (size_t k = 0; k < f->count; k++) {
            lock_set(l, f->pending[k].entry);
        }
    }
    return 0;
}

int lockfiles_resume(struct lockfiles *lf, struct err *e)
{
    for (size_t i = 0; i < lf->count; i++) {
        if (changed_by_others(lf->files[i])) {
            return reread(lf, e);
        }
    }
    return 0;
}

static int write_all(struct lockfiles *lf, struct err *e)
{
    if (gitignore_sync(lf->run->c->repo, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < lf->count; i++) {
        struct lockfile *f = lf->files[i];
        if (f->count == 0) {
            continue;
        }
        struct lock *l = store_lock(lf->run->c->store, f->pipeline, e);
        if (l == NULL || lock_write(l, e) < 0) {
            return -1;
        }
        f->count = 0;
        arena_release(&f->arena);
        remember(f);
    }
    lf->dirty = false;
    lf->written_us = clock_mono_us(lf->run->clock);
    return journal_clear(lf->journal, e);
}

int lockfiles_tick(struct lockfiles *lf, bool now, struct err *e)
{
    if (!lf->dirty) {
        return 0;
    }
    if (!now && clock_mono_us(lf->run->clock) - lf->written_us < LOCK_WRITE_US) {
        return 0;
    }
    return write_all(lf, e);
}

bool lockfiles_dirty(const struct lockfiles *lf)
{
    return lf->dirty;
}

int lockfiles_close(struct lockfiles *lf, struct err *e)
{
    if (lf == NULL) {
        return 0;
    }
    int rc = lf->dirty ? write_all(lf, e) : 0;
    struct err why = ERR_INIT;
    if (journal_close(lf->journal, &why) < 0 && rc == 0) {
        rc = err_set(e, why.code, "%s", why.text);
    }
    for (size_t i = 0; i < lf->count; i++) {
        arena_release(&lf->files[i]->arena);
        free(lf->files[i]->pending);
        free(lf->files[i]);
    }
    free(lf->files);
    free(lf);
    return rc;
}

/* ---- recovery ---- */

struct recovery {
    const struct repro_context *c;
    struct arena *arena;
    bool write;
    size_t taken, dropped;
    const char **touched; /* pipeline files of the records */
    size_t count, capacity;
};

static bool outs_match(struct recovery *rc, const struct stage *st, const struct lock_entry *entry)
{
    struct arena *a = rc->arena;
    if (entry->out_count != st->out_count) {
        return false;
    }
    struct content *now = ARENA_ARRAY(a, st->out_count + 1, struct content);
    for (size_t i = 0; i < st->out_count; i++) {
        now[i].path = st->outs[i].path;
        now[i].honour_ignore = true;
    }
    if (content_read(rc->c->store, a, now, st->out_count, NULL) < 0) {
        return false;
    }
    for (size_t i = 0; i < st->out_count; i++) {
        const struct lock_item *it = lock_item_find(entry->outs, entry->out_count, st->outs[i].def);
        if (it == NULL || it->hash.md5 == NULL || now[i].hash.md5 == NULL ||
            strcmp(it->hash.md5, now[i].hash.md5) != 0) {
            return false;
        }
    }
    return true;
}

static int take_record(void *ctx, const char *pipeline_file, const struct lock_entry *entry,
                       struct err *e)
{
    struct recovery *rc = ctx;
    const struct stage *st = pipeline_find(rc->c->graph->pipeline, pipeline_file, entry->name);
    if (st == NULL || !outs_match(rc, st, entry)) {
        rc->dropped++;
        return 0;
    }
    struct lock *l = store_lock(rc->c->store, pipeline_file, e);
    if (l == NULL) {
        return -1;
    }
    lock_set(l, entry);
    struct commit again; /* its lines in .gitignore may not have reached the disk */
    commit_begin(&again, rc->c->store, rc->arena, st, NULL);
    if (rc->write && commit_ignore(&again, e) < 0) {
        return -1;
    }
    bool listed = false;
    for (size_t i = 0; i < rc->count && !listed; i++) {
        listed = strcmp(rc->touched[i], st->file) == 0;
    }
    if (!listed) {
        ARRAY_RESERVE(rc->touched, rc->count, rc->capacity, 1);
        rc->touched[rc->count++] = st->file;
    }
    rc->taken++;
    return 0;
}

int repro_recover(const struct repro_context *c, bool write, size_t *replayed, struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct recovery rec = {.c = c, .arena = &a, .write = write};
    const char *path = lockfiles_journal_path(c->repo, &a);
    struct stat st;
    int rc = 0;
    if (stat(path, &st) == 0 && st.st_size > 16) {
        rc = journal_replay(path, take_record, &rec, NULL, e);
        if (rc == 0 && write) {
            rc = gitignore_sync(c->repo, e);
        }
        for (size_t i = 0; rc == 0 && write && i < rec.count; i++) {
            struct lock *l = store_lock(c->store, rec.touched[i], e);
            rc = l == NULL ? -1 : lock_write(l, e);
        }
        if (rc == 0 && write) {
            rc = fs_remove(path, e);
        }
    }
    if (replayed != NULL) {
        *replayed = rec.taken;
    }
    free(rec.touched);
    arena_release(&a);
    return rc;
}

/* ---- what a kill leaves lying about ---- */

/* Temp files of the run cache are beside its entries, two levels down. */
static void sweep_runs(struct arena *a, const char *runs)
{
    char **keys, **entries;
    size_t n, m;
    if (fs_list(a, runs, &keys, &n, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *dir = path_join(a, runs, keys[i]);
        if (fs_list(a, dir, &entries, &m, NULL) < 0) {
            continue;
        }
        for (size_t k = 0; k < m; k++) {
            fs_sweep_temp(path_join(a, dir, entries[k]));
        }
    }
}

void repro_sweep(const struct repro_context *c)
{
    struct arena a;
    arena_init(&a);
    const struct pipeline *p = c->graph->pipeline;
    const char *cache = repo_cache_dir(c->repo, &a);
    fs_sweep_temp(c->repo->tmp_dir);
    fs_sweep_temp(path_join(&a, c->repo->tmp_dir, "nephron"));
    fs_sweep_temp(path_join(&a, cache, "files/md5"));
    sweep_runs(&a, path_join(&a, cache, "runs"));
    const char *last = "";
    for (size_t i = 0; i < p->stage_count; i++) {
        for (size_t k = 0; k < p->stages[i].out_count; k++) {
            const char *abs = repo_abs(c->repo, &a, p->stages[i].outs[k].path);
            const char *dir = path_dirname(&a, abs);
            if (strcmp(dir, last) != 0) {
                fs_sweep_temp(dir);
                last = dir;
            }
            if (fs_is_dir(abs)) {
                fs_sweep_temp(abs);
            }
        }
    }
    for (size_t i = 0; i < p->file_count; i++) {
        fs_sweep_temp(repo_abs(c->repo, &a, path_dirname(&a, p->files[i].path)));
    }
    arena_release(&a);
}
