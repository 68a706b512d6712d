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
    struct sync_set *set = set_of(s, c->sets, c->choice, o, e);
    if (set == NULL) {
        return 1;
    }
    bool part = t->filter != NULL && path_inside(o->path, t->filter);
    const struct checkout_target one = {.stage = t->stage, .filter = part ? t->filter : o->path};
    const struct remote_collect_options opt = {
        .push = c->choice->push, .fetch_dirs = c->choice->fetch_dirs ? &set->remote : NULL};
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
    int rc = collect_place(&c, &here, &why);
    bool skip = choice->trouble == REVWALK_SKIP && revision_scope_any(&choice->scope);
    if (rc > 0 || (rc < 0 && !skip)) {
        return err_set(e, why.code, "%s", why.text);
    }
    if (rc < 0) {
        fprintf(stderr, "WARNING: failed to collect 'workspace', skipping\n");
    }
    if (revision_list(&s->repo, &choice->scope, &s->arena, &revs, &count, e) < 0 ||
        revwalk_each(s->store, revs, count, choice->trouble, collect_revision, &c, e) < 0) {
        return -1;
    }
    return c.collected > 0 ? 0 : err_set(e, why.code, "%s", why.text);
}

void sync_sets_release(struct sync_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        remote_set_release(&sets->items[i].objects);
        remote_close(&sets->items[i].remote);
    }
    free(sets->items);
    *sets = (struct sync_sets){0};
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
