/* See expsave.h. */
#include "expsave.h"

#include "commit.h"
#include "err.h"
#include "expcommit.h"
#include "exprecord.h"
#include "git.h"
#include "gitindex.h"
#include "graph.h"
#include "lock.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

/* ---- the outs ---- */

static int commit_one(struct store *s, struct arena *a, const struct stage *st, const char *filter,
                      struct value *stages, struct err *e)
{
    const struct commit_options how = {.force = true, .no_relink = true, .filter = filter};
    if (commit_stage(s, a, st, &how, e) < 0) {
        return -1;
    }
    if (st->name == NULL) {
        return 0;
    }
    struct lock *l = store_lock(s, st->file, e);
    const struct lock_entry *en = l != NULL ? lock_find(l, st->name) : NULL;
    if (en != NULL) {
        value_set(a, stages, en->name, lock_entry_value(a, en));
    }
    return l != NULL ? lock_write(l, e) : -1;
}

static int commit_all(struct store *s, const struct graph *g, const struct exptask *t,
                      struct arena *a, struct value *stages, struct err *e)
{
    const struct graph_target_options how = {.recursive = t->repro.recursive, .outputs = true};
    struct graph_selection sel = {0};
    if (graph_select(g, s->repo, t->repro.targets, t->repro.target_count, &how, a, &sel, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sel.count; i++) {
        const struct stage *st = &g->pipeline->stages[sel.items[i].stage];
        if (commit_one(s, a, st, sel.items[i].filter, stages, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- files ---- */

static bool is_untracked(const struct repo *r, struct arena *a, const char *path)
{
    const char *const args[] = {"ls-files", "--others", "--exclude-standard", "--", path, NULL};
    struct strbuf out;
    strbuf_init(&out);
    bool yes = git_run(r, args, &out, NULL) == 0 && out.n > 0;
    strbuf_release(&out);
    return yes;
}

/* -I, what dvc.yaml files name at their top, and a dvc.lock that git does not know yet. */
static const char *const *forced(const struct store *s, const struct graph *g,
                                 const struct expsave *x, struct arena *a, size_t *count)
{
    const struct value *top = exprecord_top_level(g->pipeline, a);
    const char **list = ARENA_ARRAY(a, x->untracked_count + top->map.count + 2, const char *);
    size_t n = 0;
    for (size_t i = 0; i < x->untracked_count; i++) {
        list[n++] = x->untracked[i];
    }
    for (size_t i = 0; i < top->map.count; i++) {
        list[n++] = top->map.pairs[i].key->s.p;
    }
    if (is_untracked(s->repo, a, "dvc.lock")) {
        list[n++] = "dvc.lock";
    }
    *count = n;
    return list;
}

/* Files that are in neither git nor the experiment. */
static void warn_untracked(const struct store *s, struct arena *a, const char *commit)
{
    const char *const known[] = {"ls-tree", "-r", "-z", "--name-only", commit, NULL};
    const char *const others[] = {"ls-files", "--others", "--exclude-standard", "-z", NULL};
    struct strbuf in, out, names;
    strbuf_init(&in);
    strbuf_init(&out);
    strbuf_init(&names);
    struct value *set = value_map(a);
    if (git_run(s->repo, known, &in, NULL) == 0 && git_run(s->repo, others, &out, NULL) == 0) {
        struct str rest = strbuf_str(&in), name;
        while (rest.n > 0 && str_split(&rest, 0, &name)) {
            value_set(a, set, arena_str(a, name).p, value_null(a));
        }
        rest = strbuf_str(&out);
        while (rest.n > 0 && str_split(&rest, 0, &name)) {
            if (name.n > 0 && value_get_str(set, name) == NULL) {
                strbuf_addf(&names, "%s%.*s", names.n > 0 ? ", " : "", STR_ARG(name));
            }
        }
    }
    if (names.n > 0) {
        store_note(
            (struct store *)s, STORE_NOTE_WARN,
            "The following untracked files were present in the workspace before saving but will "
            "not be included in the experiment commit:\n\t%s",
            names.p);
    }
    strbuf_release(&names);
    strbuf_release(&out);
    strbuf_release(&in);
}

int expsave_run(struct store *s, const struct graph *g, const struct expsave *x, char commit[65],
                struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct value *stages = value_map(&a);
    struct expcommit c = {
        .baseline = x->task->baseline, .message = x->task->message, .stages = stages};
    int rc = commit_all(s, g, x->task, &a, stages, e);
    if (rc == 0) {
        c.forced = forced(s, g, x, &a, &c.forced_count);
        rc = expcommit_make(s->repo, &c, commit, e);
    }
    if (rc == 0) {
        const char *ref = expcommit_ref(&a, x->task->baseline, x->task->name);
        rc = expcommit_store(s->repo, ref, x->task->repro.force, commit, e);
    }
    if (rc == 0) {
        warn_untracked(s, &a, commit);
    }
    arena_release(&a);
    return rc;
}
