/* See revwalk.h. */
#include "revwalk.h"

#include "alloc.h"
#include "checkout.h"
#include "err.h"
#include "gitfiles.h"
#include "remote.h"
#include "revision.h"
#include "store.h"

/* Calls `fn` on the view, with the store turned to it. */
static int call_in(struct store *s, struct revwalk_view *view, revwalk_fn *fn, void *ctx,
                   struct err *e)
{
    struct repo *before = store_enter(s, &view->repo);
    int rc = fn(ctx, view, e);
    store_enter(s, before);
    return rc;
}

/* Calls `fn` on the commit that `g` is turned to. */
static int visit(struct store *s, struct gitfiles *g, const struct revision *rev,
                 enum revwalk_trouble trouble, revwalk_fn *fn, void *ctx, struct err *e)
{
    struct revwalk_view view = {.revision = rev};
    bool tell = trouble == REVWALK_TELL;
    struct err why = ERR_INIT;
    repo_view_open(&view.repo, s->repo, gitfiles_source(g));
    int rc = pipeline_load(&view.pipeline, &view.repo, tell ? &why : e);
    if (rc == 0) {
        if (tell || trouble == REVWALK_READ) {
            graph_build_unchecked(&view.graph, &view.pipeline, &view.repo);
        } else {
            rc = graph_build(&view.graph, &view.pipeline, &view.repo, e);
        }
        if (rc == 0) {
            rc = call_in(s, &view, fn, ctx, e);
            graph_release(&view.graph);
        }
        pipeline_release(&view.pipeline);
    } else if (tell) {
        view.why = &why;
        rc = call_in(s, &view, fn, ctx, e);
    }
    repo_view_close(&view.repo);
    return rc;
}

int revwalk_each(struct store *s, const struct revision *revs, size_t count,
                 enum revwalk_trouble trouble, revwalk_fn *fn, void *ctx, struct err *e)
{
    if (count == 0) {
        return 0;
    }
    struct gitfiles *g = gitfiles_open(s->repo, e);
    int rc = g != NULL ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct err why = ERR_INIT;
        int got = gitfiles_select(g, revs[i].commit, &why);
        got = got == 0 ? visit(s, g, &revs[i], trouble, fn, ctx, &why) : got < 0 ? -1 : 0;
        if (got < 0 && trouble == REVWALK_SKIP) {
            store_note(s, STORE_NOTE_WARN, "failed to collect '%s', skipping", revs[i].names);
        } else if (got != 0) {
            rc = err_set(e, why.code, "%s", why.text);
            rc = got > 0 ? rc : err_wrap(e, "Failed to collect '%s'", revs[i].names);
        }
    }
    gitfiles_close(g);
    return rc;
}

struct collecting {
    struct store *s;
    struct arena *a;
    const struct remote_collect_options *opt;
    struct remote_set *set;
};

static int collect_view(void *ctx, const struct revwalk_view *view, struct err *e)
{
    struct collecting *c = ctx;
    size_t count = view->pipeline.stage_count;
    struct checkout_target *all = xcalloc(count + 1, sizeof *all);
    for (size_t i = 0; i < count; i++) {
        all[i].stage = &view->pipeline.stages[i];
    }
    int rc = remote_collect(c->s, c->a, all, count, c->opt, c->set, e);
    free(all);
    return rc;
}

int revwalk_used(struct store *s, struct arena *a, const struct revision_scope *scope,
                 const struct remote_collect_options *opt, enum revwalk_trouble trouble,
                 struct remote_set *set, struct err *e)
{
    struct revision *revs;
    size_t count;
    if (revision_list(s->repo, scope, a, &revs, &count, e) < 0) {
        return -1;
    }
    struct collecting c = {s, a, opt, set};
    return revwalk_each(s, revs, count, trouble, collect_view, &c, e);
}
