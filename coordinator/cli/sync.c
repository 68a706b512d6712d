/* See sync.h. */

#include "sync.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "lock.h"
#include "path.h"
#include "report.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- targets ---- */

static int select_targets(struct session *s, const struct sync_place *place,
                          const struct opt_list *typed, const struct graph_target_options *how,
                          struct checkout_target **targets, size_t *count, struct err *e)
{
    struct graph_selection sel = {0};
    if (graph_select(place->graph, place->repo, typed->items, typed->count, how, &s->arena, &sel,
                     e) < 0) {
        return -1;
    }
    *targets = ARENA_ARRAY(&s->arena, sel.count + 1, struct checkout_target);
    *count = sel.count;
    for (size_t i = 0; i < sel.count; i++) {
        (*targets)[i].stage = &place->pipeline->stages[sel.items[i].stage];
        (*targets)[i].filter = sel.items[i].filter;
    }
    return 0;
}

int sync_targets(struct session *s, const struct opt_list *typed,
                 const struct graph_target_options *how, struct checkout_target **targets,
                 size_t *count, struct err *e)
{
    const struct sync_place here = {&s->repo, &s->pipeline, &s->graph};
    return select_targets(s, &here, typed, how, targets, count, e);
}

/* ---- objects ---- */

/* Bytes of an output by its lock file or .dvc file; -1: unknown. */
static int64_t out_size(struct session *s, const struct stage *st, const struct out *o,
                        struct err *e)
{
    if (st->name == NULL) {
        return o->hash.size;
    }
    struct lock *l = store_lock(s->store, st->file, e);
    if (l == NULL) {
        return -2;
    }
    const struct lock_entry *en = lock_find(l, st->name);
    const struct lock_item *item =
        en != NULL ? lock_item_find(en->outs, en->out_count, o->def) : NULL;
    return item != NULL ? item->hash.size : -1;
}

/* 1 when the output takes part, 0 when not, -1 on error. */
static int chosen(struct session *s, const struct checkout_target *t, const struct out *o,
                  const struct sync_choice *c, struct err *e)
{
    bool named =
        t->filter == NULL || path_inside(o->path, t->filter) || path_inside(t->filter, o->path);
    bool typed = (!c->metrics && !c->plots) || (c->metrics && o->kind == OUT_METRIC) ||
                 (c->plots && o->kind == OUT_PLOT);
    bool elsewhere = c->remote != NULL && o->remote != NULL && strcmp(c->remote, o->remote) != 0;
    if (!named || !typed || elsewhere || !o->cache || (c->push && !o->push)) {
        return 0;
    }
    if (c->max_size <= 0) {
        return 1;
    }
    int64_t size = out_size(s, t->stage, o, e);
    return size == -2 ? -1 : size < c->max_size;
}

/* The set of the remote that an output belongs to, opened when it is the first. */
static struct sync_set *set_of(struct session *s, struct sync_sets *sets,
                               const struct sync_choice *c, const struct out *o, struct err *e)
{
    const char *name = c->remote;
    if (name == NULL) {
        name = o->remote != NULL ? o->remote : config_default_remote(s->repo.config);
    }
    for (size_t i = 0; i < sets->count; i++) {
        if (name != NULL && strcmp(sets->items[i].remote.name, name) == 0) {
            return &sets->items[i];
        }
    }
    struct sync_set made = {0};
    if (remote_open(&made.remote, s->store, &s->arena, name, e) < 0) {
        return NULL;
    }
    if (c->jobs > 0 && remote_set_jobs(&made.remote, c->jobs, e) < 0) {
        remote_close(&made.remote);
        return NULL;
    }
    made.remote.quiet = s->quiet;
    ARRAY_RESERVE(sets->items, sets->count, sets->capacity, 1);
    sets->items[sets->count] = made;
    return &sets->items[sets->count++];
}

struct collecting {
    struct session *s;
    const struct sync_choice *choice;
    struct sync_sets *sets;
    size_t collected; /* places that could be read */
};

/* 0, -1: this place cannot be read, 1: the remote is the trouble. */
static int collect_out(struct collecting *c, const struct checkout_target *t, const struct out *o,
                       struct err *e)
{
    struct session *s = c->s;
    int take = chosen(s, t, o, c->choice, e);
    if (take <= 0) {
        return take;
    }
    if (gitsource_is_import(t->stage)) {
        if (!c->choice->push) {
            struct sync_sets *sets = c->sets;
            ARRAY_RESERVE(sets->imports, sets->import_count, sets->import_capacity, 1);
            gitsource_record(&s->arena, t->stage, &sets->imports[sets->import_count++]);
        }
        return 0;
    }
    struct sync_set *set = set_of(s, c->sets, c->choice, o, e);
    if (set == NULL) {
        return 1;
    }
    bool part = t->filter != NULL && path_inside(o->path, t->filter);
    const struct checkout_target one = {.stage = t->stage, .filter = part ? t->filter : o->path};
    const struct remote_collect_options opt = {.push = c->choice->push,
                                               .fetch_dirs =
                                                   c->choice->fetch_dirs ? &set->remote : NULL,
                                               .note_gaps = c->choice->note_gaps};
    return remote_collect(s->store, &s->arena, &one, 1, &opt, &set->objects, e);
}

static int collect_place(struct collecting *c, const struct sync_place *place, struct err *e)
{
    struct checkout_target *targets;
    size_t count;
    int rc = select_targets(c->s, place, c->choice->targets, c->choice->how, &targets, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct stage *st = targets[i].stage;
        for (size_t k = 0; rc == 0 && k < st->out_count; k++) {
            rc = collect_out(c, &targets[i], &st->outs[k], e);
        }
    }
    c->collected += rc == 0;
    return rc;
}

static int collect_revision(void *ctx, const struct revwalk_view *view, struct err *e)
{
    const struct sync_place then = {&view->repo, &view->pipeline, &view->graph};
    return collect_place(ctx, &then, e);
}

int sync_collect(struct session *s, const struct sync_choice *choice, struct sync_sets *sets,
                 struct err *e)
{
    struct collecting c = {.s = s, .choice = choice, .sets = sets};
    const struct sync_place here = {&s->repo, &s->pipeline, &s->graph};
    struct revision *revs;
    size_t count;
    struct err why = ERR_INIT;
    int rc = choice->no_workspace ? 0 : collect_place(&c, &here, &why);
    if (rc < 0 && choice->trouble == REVWALK_SKIP) {
        session_warn("failed to collect 'workspace', skipping");
        rc = revision_scope_any(&choice->scope) ? 0 : rc;
    }
    if (rc != 0) {
        return err_set(e, why.code, "%s", why.text);
    }
    if (revision_list(&s->repo, &choice->scope, &s->arena, &revs, &count, e) < 0 ||
        revwalk_each(s->store, revs, count, choice->trouble, collect_revision, &c, e) < 0 ||
        revwalk_each(s->store, choice->commits, choice->commit_count, choice->trouble,
                     collect_revision, &c, e) < 0) {
        return -1;
    }
    return c.collected > 0 || choice->no_workspace ? 0 : err_set(e, why.code, "%s", why.text);
}

void sync_sets_release(struct sync_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        remote_set_release(&sets->items[i].objects);
        remote_close(&sets->items[i].remote);
    }
    free(sets->items);
    free(sets->imports);
    *sets = (struct sync_sets){0};
}

/* ---- moving ---- */

struct tally {
    size_t moved, failed;
    struct strbuf missing; /* "md5: …" lines */
};

static int move_runs(struct session *s, const struct sync_choice *c, struct tally *t, struct err *e)
{
    struct remote r;
    if (remote_open(&r, s->store, &s->arena, c->remote, e) < 0) {
        return -1;
    }
    size_t moved = 0;
    int rc = 0;
    /* a remote that cannot list has no run cache: DVC goes on without */
    if (r.ops->list != NULL) {
        rc = c->push ? remote_push_runs(s->store, &r, &moved, e)
                     : remote_fetch_runs(s->store, &r, &moved, e);
    }
    t->moved += c->push ? moved : 0;
    remote_close(&r);
    return rc;
}

static int move_set(struct session *s, bool push, struct sync_set *set, struct tally *t,
                    struct err *e)
{
    struct remote_result res = {0};
    int rc = push ? remote_push(s->store, &s->arena, &set->remote, &set->objects, &res, e)
                  : remote_fetch(s->store, &s->arena, &set->remote, &set->objects, &res, e);
    t->moved += res.moved;
    t->failed += res.failed;
    for (size_t i = 0; i < res.missing_count; i++) {
        strbuf_addf(&t->missing, "\nmd5: %s", res.missing[i]);
    }
    return rc;
}

int sync_move(struct session *s, const struct sync_choice *choice, bool run_cache, size_t *moved,
              struct err *e)
{
    struct sync_sets sets = {0};
    struct tally t = {0};
    strbuf_init(&t.missing);
    int rc = run_cache ? move_runs(s, choice, &t, e) : 0;
    rc = rc == 0 ? sync_collect(s, choice, &sets, e) : rc;
    for (size_t i = 0; rc == 0 && i < sets.count; i++) {
        rc = move_set(s, choice->push, &sets.items[i], &t, e);
    }
    for (size_t i = 0; rc == 0 && i < sets.import_count; i++) {
        size_t files;
        rc = gitsource_fetch(s->store, &s->arena, &sets.imports[i], &files, e);
        t.moved += rc == 0 ? files : 0;
    }
    sync_sets_release(&sets);
    if (rc == 0 && t.missing.n > 0) {
        session_warn(arena_printf(&s->arena, REMOTE_MISSING_FILES "%s", t.missing.p));
    }
    if (rc == 0 && t.failed > 0) {
        rc = err_set(e, ERR_REMOTE, "%zu files failed to %s", t.failed,
                     choice->push ? "upload" : "download");
    }
    strbuf_release(&t.missing);
    *moved = t.moved;
    return rc;
}

/* ---- saying ---- */

int sync_fail(const struct err *e, const char *prefix)
{
    if (prefix == NULL && e->code != ERR_CONFIG) {
        return session_fail(e, 1);
    }
    if ((e->code == ERR_BUSY && e->detail == 75) || e->detail == REPORT_PLAIN) {
        return session_fail(e, 1);
    }
    fflush(stdout);
    fprintf(stderr, "ERROR: %s%s%s\n", prefix != NULL ? prefix : "", prefix != NULL ? " - " : "",
            e->text);
    return 1;
}

void sync_print_changes(const struct checkout_result *r)
{
    for (size_t i = 0; i < r->change_count; i++) {
        printf("%c       %s\n", r->changes[i].letter, r->changes[i].shown);
    }
}
