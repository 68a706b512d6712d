/* What happens to an experiment before it runs; see exprun.h. */
#include "exprun.h"

#include "commit.h"
#include "config.h"
#include "err.h"
#include "expcommit.h"
#include "expname.h"
#include "fs.h"
#include "git.h"
#include "graph.h"
#include "hydra.h"
#include "paramsedit.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"
#include "value.h"

#include <string.h>

#define PARAMS_MAX ((size_t)64 << 20)

/* ---- who it is ---- */

static int choose_name(const struct repo *r, struct exptask *t, struct arena *a, struct err *e)
{
    char name[EXPNAME_SIZE], taken[65];
    for (int i = 0; i < 1000; i++) {
        expname_random(name);
        if (expcommit_find(r, expcommit_ref(a, t->baseline, name), taken, e) < 0) {
            return -1;
        }
        if (taken[0] == 0) {
            t->name = arena_strdup(a, name);
            return 0;
        }
    }
    return err_set(e, ERR_LIMIT, "no free name for the experiment; give it one with -n");
}

int exprun_begin(const struct repo *r, struct exptask *t, struct arena *a, struct err *e)
{
    struct git_head head;
    char taken[65];
    if (r->no_scm || r->scm_root == NULL) {
        return err_set(e, ERR_USAGE,
                       "Only Git is supported as SCM for experiments, and there is no work tree "
                       "of git here");
    }
    if (git_head(r, &head, e) < 0) {
        return -1;
    }
    if (head.commit[0] == 0) {
        return err_set(e, ERR_USAGE, "Empty Git repo. Add a commit to use experiments.");
    }
    t->baseline = t->head = arena_strdup(a, head.commit);
    t->root = r->root;
    t->prefix = r->prefix;
    if (t->name == NULL) {
        return choose_name(r, t, a, e);
    }
    if (expname_check(t->name, e) < 0 ||
        expcommit_find(r, expcommit_ref(a, t->baseline, t->name), taken, e) < 0) {
        return -1;
    }
    return taken[0] != 0 && !t->repro.force ? expcommit_conflict(t->name, e) : 0;
}

/* ---- parameters ---- */

static int edit_file(const struct repo *r, struct arena *a, const char *typed,
                     const struct value *overrides, struct value *texts, struct err *e)
{
    const char *path = repo_path(r, a, typed), *abs = repo_abs(r, a, path);
    struct strbuf text, out;
    strbuf_init(&text);
    strbuf_init(&out);
    int rc = fs_exists(abs) ? fs_read(abs, PARAMS_MAX, &text, e) : 0;
    if (rc == 0) {
        rc = paramsedit(a, typed, strbuf_str(&text), overrides, &out, e);
    }
    if (rc == 0) {
        value_set(a, texts, path, value_str(a, strbuf_str(&out)));
    }
    strbuf_release(&text);
    strbuf_release(&out);
    return rc;
}

static int compose_file(const struct repo *r, struct arena *a, const struct value *overrides,
                        struct value *texts, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    int rc = hydra_compose(r, a, overrides, &out, e);
    if (rc == 0) {
        value_set(a, texts, repo_path(r, a, HYDRA_FILE), value_str(a, strbuf_str(&out)));
    }
    strbuf_release(&out);
    return rc;
}

struct value *exprun_params(const struct repo *r, struct arena *a, const struct value *files,
                            bool composed, struct err *e)
{
    struct value *texts = value_map(a);
    for (size_t i = 0; i < files->map.count; i++) {
        const char *typed = arena_str(a, files->map.pairs[i].key->s).p;
        const struct value *overrides = files->map.pairs[i].val;
        int rc = composed && strcmp(typed, HYDRA_FILE) == 0
                     ? compose_file(r, a, overrides, texts, e)
                     : edit_file(r, a, typed, overrides, texts, e);
        if (rc < 0) {
            return NULL;
        }
    }
    return texts;
}

int exprun_write(const struct repo *r, struct arena *a, const struct value *texts, struct err *e)
{
    for (size_t i = 0; i < texts->map.count; i++) {
        const char *abs = repo_abs(r, a, arena_str(a, texts->map.pairs[i].key->s).p);
        struct str text = texts->map.pairs[i].val->s;
        if (fs_mkdirs_for(abs, e) < 0 || fs_write_if_changed(abs, text.p, text.n, NULL, e) < 0) {
            return err_wrap(e, "cannot write the parameters");
        }
    }
    return 0;
}

/* ---- data ---- */

/* Commits one .dvc file. With `texts` the file is put back, and what it became goes there. */
static int commit_one(struct store *s, struct arena *a, const struct stage *st, struct value *texts,
                      struct err *e)
{
    const char *abs = repo_abs(s->repo, a, st->file);
    const struct commit_options how = {
        .force = true, .no_relink = true, .allow_missing = true, .data_only = true};
    struct strbuf before, after;
    strbuf_init(&before);
    strbuf_init(&after);
    int rc = fs_read(abs, PARAMS_MAX, &before, e);
    if (rc == 0) {
        rc = commit_stage(s, a, st, &how, e);
    }
    if (rc == 0 && texts != NULL) {
        rc = fs_read(abs, PARAMS_MAX, &after, e);
        if (rc == 0 && !str_eq(strbuf_str(&before), strbuf_str(&after))) {
            value_set(a, texts, st->file, value_str(a, strbuf_str(&after)));
            rc = fs_write_atomic(abs, before.p, before.n, 0, e);
        }
    }
    strbuf_release(&before);
    strbuf_release(&after);
    return rc;
}

static int commit_selected(struct repo *r, struct arena *a, const struct graph *g,
                           const struct exptask *t, struct value *texts, struct err *e)
{
    const struct graph_target_options how = {
        .recursive = t->repro.recursive, .glob = t->repro.glob, .outputs = true, .with_deps = true};
    struct graph_selection sel = {0};
    if (graph_select(g, r, t->repro.targets, t->repro.target_count, &how, a, &sel, e) < 0) {
        return -1;
    }
    struct store *s = store_open(r, NULL, e);
    int rc = s != NULL ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < sel.count; i++) {
        const struct stage *st = &g->pipeline->stages[sel.items[i].stage];
        if (st->name == NULL) {
            rc = commit_one(s, a, st, texts, e);
        }
    }
    store_close(s);
    return rc;
}

int exprun_commit_data(struct repo *r, struct arena *a, const struct exptask *t,
                       struct value *texts, struct err *e)
{
    struct pipeline p = {0};
    struct graph g = {0};
    int rc = -1;
    if (pipeline_load(&p, r, e) == 0) {
        if (graph_build(&g, &p, r, e) == 0) {
            rc = commit_selected(r, a, &g, t, texts, e);
            graph_release(&g);
        }
        pipeline_release(&p);
    }
    return rc;
}
