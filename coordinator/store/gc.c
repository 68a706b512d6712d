/* gc: see gc.h. Source: DVC 3.67, dvc/repo/gc.py and dvc_data/hashfile/gc.py. */
#include "gc.h"

#include "alloc.h"
#include "cas.h"
#include "checkout.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "pipeline.h"
#include "remote.h"
#include "repo.h"
#include "repolock.h"
#include "revwalk.h"
#include "store.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what was asked ---- */

int gc_check(const struct gc_options *opt, struct err *e)
{
    const struct revision_scope *s = &opt->scope;
    if (opt->not_in_remote && opt->cloud) {
        return err_set(e, ERR_USAGE, "`--not-in-remote` and `--cloud` are mutually exclusive");
    }
    if (!opt->workspace && !s->branches && !s->tags && !s->commits && !s->experiments && !s->date &&
        s->rev_count == 0 && s->num == 0) {
        return err_set(
            e, ERR_USAGE,
            "Either of `-w|--workspace`, `-a|--all-branches`, `-T|--all-tags` "
            "`--all-experiments`, `--all-commits`, `--date` or `--rev` needs to be set.");
    }
    if (s->num != 0 && s->rev_count == 0 && !s->branches) {
        return err_set(e, ERR_USAGE,
                       "`--num` can only be used alongside `--rev` or `--all-branches`");
    }
    return 0;
}

static void name_revisions(struct strbuf *out, const struct revision_scope *s)
{
    if (s->commits) {
        strbuf_adds(out, " and all git commits");
        return;
    }
    if (s->branches && s->num != 0) {
        strbuf_addf(out, " and last %ld commits from all git branches", s->num);
        strbuf_adds(out, s->tags ? " and all git tags" : "");
    } else if (s->branches) {
        strbuf_adds(out, s->tags ? " and all git branches and tags" : " and all git branches");
    } else if (s->tags) {
        strbuf_adds(out, " and all git tags");
    }
    if (s->date) {
        strbuf_addf(out, " and all git commits before date %s", s->date);
    }
    if (s->rev_count > 0) {
        strbuf_addf(out, " and last %ld commits from %s", s->num != 0 ? s->num : 1, s->revs[0]);
    }
}

void gc_warning(struct strbuf *out, struct arena *a, const struct gc_options *opt)
{
    strbuf_adds(out, "This will remove all cache except items used in the workspace");
    name_revisions(out, &opt->scope);
    strbuf_adds(out, opt->scope.experiments ? " and all experiments" : "");
    strbuf_adds(out, opt->not_in_remote ? " that are not present in the DVC remote" : "");
    if (opt->project_count == 0) {
        strbuf_adds(out, " of the current repo.");
        return;
    }
    strbuf_adds(out, " of the current and the following repos:");
    for (size_t i = 0; i < opt->project_count; i++) {
        strbuf_addf(out, "\n  - %s", path_absolute(a, path_cwd(a), opt->projects[i]));
    }
}

/* ---- what is in use ---- */

struct collecting {
    struct store *s;
    struct arena *a;
    const struct gc_options *opt;
    struct remote_set used;
    struct remote source; /* where lists that the cache lacks are fetched; ops NULL: nowhere */
};

/* Everything that one repository uses in the scope. */
static int collect_repo(struct collecting *c, struct store *s, const struct pipeline *p,
                        struct err *e)
{
    const struct remote_collect_options opt = {.fetch_dirs = c->source.ops ? &c->source : NULL,
                                               .note_gaps = true};
    struct checkout_target *all = ARENA_ARRAY(c->a, p->stage_count + 1, struct checkout_target);
    for (size_t i = 0; i < p->stage_count; i++) {
        all[i].stage = &p->stages[i];
    }
    if (remote_collect(s, c->a, all, p->stage_count, &opt, &c->used, e) < 0) {
        return -1;
    }
    return revwalk_used(s, c->a, &c->opt->scope, &opt,
                        c->opt->skip_failed ? REVWALK_SKIP : REVWALK_STRICT, &c->used, e);
}

static int collect_open_project(struct collecting *c, struct repo *r, struct err *e)
{
    struct pipeline p;
    struct repolock lock = REPOLOCK_INIT;
    struct store *s = NULL;
    int rc = repolock_acquire(&lock, r, REPOLOCK_REPO, "nephron gc", false, NULL, e);
    if (rc == 0 && pipeline_load(&p, r, e) == 0) {
        s = store_open(r, NULL, e);
        rc = s ? collect_repo(c, s, &p, e) : -1;
        store_close(s);
        pipeline_release(&p);
    } else {
        rc = -1;
    }
    repolock_release(&lock);
    return rc;
}

static int collect_project(struct collecting *c, const char *dir, struct err *e)
{
    struct repo r;
    if (!fs_is_dir(dir)) {
        return err_set(e, ERR_MISSING, "directory '%s' does not exist", dir);
    }
    if (repo_open(&r, path_absolute(c->a, path_cwd(c->a), dir), e) < 0) {
        return -1;
    }
    int rc = collect_open_project(c, &r, e);
    repo_close(&r);
    return rc < 0 ? err_wrap(e, "project '%s'", dir) : 0;
}

/* A list that is nowhere: the files it names cannot be kept. */
static int check_lists(struct collecting *c, struct err *e)
{
    for (size_t i = 0; i < c->used.count; i++) {
        const struct remote_object *o = &c->used.objects[i];
        if (o->id.md5[32] == '\0' || o->whole) {
            continue;
        }
        const char *question = arena_printf(c->a,
                                            "Missing cache for directory '%s'. Cache for files "
                                            "inside will be lost. Would you like to "
                                            "continue? Use '-f' to force.",
                                            o->shown);
        if (c->opt->confirm && !c->opt->confirm(c->opt->ctx, question)) {
            return err_set(e, ERR_MISSING,
                           "unable to fully collect used cache without cache for directory '%s'",
                           o->shown);
        }
    }
    return 0;
}

/* An output may name a remote of its own, which must exist even where nothing is done with it. */
static int check_out_remotes(struct collecting *c, const struct pipeline *p, struct err *e)
{
    for (size_t i = 0; i < p->stage_count; i++) {
        for (size_t k = 0; k < p->stages[i].out_count; k++) {
            const char *name = p->stages[i].outs[k].remote;
            if (name && !config_remote_get(c->s->repo->config, name, "url")) {
                return err_set(e, ERR_CONFIG, "config file error: remote '%s' doesn't exist", name);
            }
        }
    }
    return 0;
}

static int collect(struct collecting *c, const struct pipeline *p, struct err *e)
{
    struct err why = ERR_INIT;
    bool wanted = c->opt->cloud || c->opt->not_in_remote;
    if (remote_open(&c->source, c->s, c->a, c->opt->remote, &why) < 0) {
        c->source = (struct remote){0};
        if (wanted) {
            return err_set(e, why.code, "%s", why.text);
        }
    }
    for (size_t i = 0; i < c->opt->project_count; i++) {
        if (collect_project(c, c->opt->projects[i], e) < 0) {
            return -1;
        }
    }
    return check_out_remotes(c, p, e) < 0 || collect_repo(c, c->s, p, e) < 0 ? -1
                                                                             : check_lists(c, e);
}

/* ---- which objects go ---- */

/* Lists first: killed on the way, no list stands without its files. */
struct doomed {
    const struct remote_set *used;
    const bool *spared; /* by object of `used`: false: goes as well; NULL: all used stay */
    struct arena *a;
    struct cas_id *ids;
    const char **paths;
    size_t count, capacity, path_capacity;
};

static void doom(struct doomed *d, struct cas_id id, const char *path)
{
    ARRAY_RESERVE(d->ids, d->count, d->capacity, 1);
    ARRAY_RESERVE(d->paths, d->count, d->path_capacity, 1);
    d->ids[d->count] = (struct cas_id){arena_strdup(d->a, id.md5), id.legacy};
    d->paths[d->count++] = arena_strdup(d->a, path);
}

static int look_at(void *ctx, struct cas_id id, const char *path, int64_t size, struct err *e)
{
    struct doomed *d = ctx;
    (void)size;
    (void)e;
    size_t at;
    if (!remote_set_find(d->used, id, &at) || (d->spared && !d->spared[at])) {
        doom(d, id, path);
    }
    return 0;
}

typedef int remove_fn(void *ctx, struct cas_id id, struct err *e);

static int remove_doomed(struct doomed *d, bool dry, remove_fn *fn, void *ctx, struct strbuf *out,
                         struct err *e)
{
    for (int lists = 1; lists >= 0; lists--) {
        for (size_t i = 0; i < d->count; i++) {
            if ((d->ids[i].md5[32] != '\0') != lists) {
                continue;
            }
            if (dry) {
                strbuf_addf(out, "Removing %s\n", d->paths[i]);
            } else if (fn(ctx, d->ids[i], e) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static void release_doomed(struct doomed *d)
{
    free(d->ids);
    free(d->paths);
}

static int remove_local(void *ctx, struct cas_id id, struct err *e)
{
    return cas_remove(ctx, id, e);
}

static int sweep_cache(struct collecting *c, const bool *spared, bool legacy, struct strbuf *out,
                       struct err *e)
{
    struct doomed d = {.used = &c->used, .spared = spared, .a = c->a};
    const char *name = legacy ? "legacy" : "repo";
    int rc = cas_each(c->s->cas, legacy, look_at, &d, e);
    if (rc == 0) {
        rc = remove_doomed(&d, c->opt->dry, remove_local, c->s->cas, out, e);
    }
    if (rc == 0 && d.count > 0) {
        strbuf_addf(out, "Removed %zu objects from %s cache.\n", d.count, name);
    } else if (rc == 0) {
        strbuf_addf(out, "No unused '%s' cache to remove.\n", name);
    }
    release_doomed(&d);
    return rc;
}

/* ---- the remote ---- */

struct listing {
    struct doomed d;
    bool legacy;
    const char *url;
};

/* "files/md5/ab/cdef…", or DVC 2's "ab/cdef…". */
static int listed(void *ctx, const char *path)
{
    struct listing *l = ctx;
    char md5[64];
    path += path[0] == '/';
    const char *name = l->legacy ? path : path + strlen("files/md5/");
    if ((!l->legacy && strncmp(path, "files/md5/", 10) != 0) || strlen(name) < 4 ||
        name[2] != '/' || strlen(name) > 40) {
        return 0;
    }
    snprintf(md5, sizeof(md5), "%.2s%s", name, name + 3);
    if (cas_md5_valid(md5)) {
        const char *shown = arena_printf(l->d.a, "%s/%s", l->url, path);
        look_at(&l->d, (struct cas_id){md5, l->legacy}, shown, 0, NULL);
    }
    return 0;
}

struct remote_removal {
    struct remote *r;
    struct arena *a;
    const char **paths; /* those that go in one request */
    size_t count, capacity;
};

static int remove_remote(void *ctx, struct cas_id id, struct err *e)
{
    struct remote_removal *x = ctx;
    char path[64];
    remote_object_path(path, id);
    if (!x->r->ops->remove_many) {
        return x->r->ops->remove(x->r->ctx, path, e);
    }
    ARRAY_RESERVE(x->paths, x->count, x->capacity, 1);
    x->paths[x->count++] = arena_strdup(x->a, path);
    return 0;
}

static int remove_from_remote(struct collecting *c, struct remote *r, struct doomed *d,
                              struct strbuf *out, struct err *e)
{
    struct remote_removal x = {.r = r, .a = c->a};
    int rc = remove_doomed(d, c->opt->dry, remove_remote, &x, out, e);
    if (rc == 0 && x.count > 0) {
        rc = r->ops->remove_many(r->ctx, x.paths, x.count, e);
    }
    free(x.paths);
    return rc;
}

/*
 * Everything in use stays in every remote, also what belongs to another one: DVC deletes that, and
 * with it what an output had before it got a remote of its own.
 */
static int sweep_remote(struct collecting *c, struct remote *r, bool legacy, struct strbuf *out,
                        struct err *e)
{
    struct listing l = {.d = {.used = &c->used, .a = c->a}, .legacy = legacy, .url = r->url};
    int rc = r->ops->list(r->ctx, legacy ? "" : "files/md5", listed, &l, e);
    if (rc == 0) {
        rc = remove_from_remote(c, r, &l.d, out, e);
    }
    if (rc == 0 && l.d.count > 0) {
        strbuf_addf(out, "Removed %zu objects from remote.\n", l.d.count);
    } else if (rc == 0) {
        strbuf_adds(out, "No unused cache to remove from remote.\n");
    }
    release_doomed(&l.d);
    return rc;
}

static int sweep_cloud(struct collecting *c, struct strbuf *out, struct err *e)
{
    struct remote *r = &c->source;
    if (!r->ops->list || !r->ops->remove) {
        return err_set(
            e, ERR_REMOTE,
            "remote '%s' (%s) cannot list or delete what it holds: gc -c is not possible", r->name,
            r->url);
    }
    return sweep_remote(c, r, false, out, e) < 0 ? -1 : sweep_remote(c, r, true, out, e);
}

/* What is used and safe in the remote need not stay here. */
static int find_spared(struct collecting *c, bool *spared, struct err *e)
{
    enum remote_place *places = xcalloc(c->used.count + 1, sizeof(*places));
    int rc = remote_compare(c->s, &c->source, &c->used, places, e);
    for (size_t i = 0; rc == 0 && i < c->used.count; i++) {
        spared[i] = places[i] != REMOTE_OK && places[i] != REMOTE_DELETED;
    }
    free(places);
    return rc;
}

int gc_run(struct store *s, struct arena *a, const struct pipeline *p, const struct gc_options *opt,
           struct strbuf *out, struct err *e)
{
    struct collecting c = {.s = s, .a = a, .opt = opt};
    bool *spared = NULL;
    int rc = collect(&c, p, e);
    if (rc == 0 && opt->not_in_remote) {
        spared = xcalloc(c.used.count + 1, sizeof(*spared));
        rc = find_spared(&c, spared, e);
    }
    if (rc == 0) {
        rc = sweep_cache(&c, spared, false, out, e);
    }
    if (rc == 0) {
        rc = sweep_cache(&c, spared, true, out, e);
    }
    if (rc == 0 && opt->cloud) {
        rc = sweep_cloud(&c, out, e);
    }
    free(spared);
    remote_set_release(&c.used);
    if (c.source.ops) {
        remote_close(&c.source);
    }
    return rc;
}
