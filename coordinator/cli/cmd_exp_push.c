/* `exp push` and `exp pull`: experiments to and from other repositories of git, and their data. */
#include "cmd_exp.h"

#include "err.h"
#include "exppush.h"
#include "exprefs_cli.h"
#include "expref.h"
#include "opt.h"
#include "revision.h"
#include "session.h"
#include "sync.h"

#include <stdio.h>

struct words {
    struct expref_choice choice;
    struct opt_list revs, args;
    struct sync_choice data;
    const char *remote; /* git's */
    bool force, cache, run_cache, quiet;
};

/* "a, b and c" */
static void print_names(FILE *f, const struct expref_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        fprintf(f, "%s%s", i == 0 ? "" : i + 1 < l->count ? ", " : " and ", l->items[i].name);
    }
}

/* The data of experiments; the objects that this commit and that use go once. */
static int move_data(struct session *s, struct words *w, const struct exppush_result *res,
                     size_t *moved, struct err *e)
{
    static const struct opt_list everything = {0};
    static const struct graph_target_options how = {.outputs = true};
    struct expref_list all = {0};
    size_t count = 0, most = res->up_to_date.count + res->done.count;
    /* As DVC: when no ref went, the data of all experiments does. */
    if (most == 0 && expref_list(&s->repo, &s->arena, NULL, &all, e) < 0) {
        return -1;
    }
    const struct expref_list *lists[] = {&res->up_to_date, &res->done, &all};
    struct revision *commits = ARENA_ARRAY(&s->arena, most + all.count + 1, struct revision);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            commits[count].commit = commits[count].names = lists[i]->items[k].commit;
            count++;
        }
    }
    w->data.targets = &everything;
    w->data.how = &how;
    w->data.commits = commits;
    w->data.commit_count = count;
    w->data.no_workspace = true;
    w->data.fetch_dirs = !w->data.push;
    w->data.trouble = REVWALK_SKIP;
    return count > 0 ? sync_move(s, &w->data, w->run_cache, moved, e) : 0;
}

static void print_pushed(const struct words *w, const struct exppush_result *res, size_t uploaded)
{
    if (res->diverged.count > 0) {
        fflush(stdout);
        fprintf(stderr, "Local experiment ");
        print_names(stderr, &res->diverged);
        fprintf(stderr, " has diverged from remote experiment with the same name.\n"
                        "To override the remote experiment re-run with '--force'.\n");
    }
    if (w->quiet) {
        return;
    }
    if (res->up_to_date.count > 0) {
        printf("Experiment ");
        print_names(stdout, &res->up_to_date);
        printf(" %s up to date on Git remote '%s'.\n", res->up_to_date.count > 1 ? "are" : "is",
               w->remote);
    }
    if (res->done.count > 0) {
        printf("Pushed experiment ");
        print_names(stdout, &res->done);
        printf(" to Git remote '%s'.\n", w->remote);
    }
    if (res->up_to_date.count == 0 && res->done.count == 0) {
        printf("No experiments to push.\n");
    }
    if (uploaded > 0) {
        printf("%zu file%s uploaded\n", uploaded, uploaded > 1 ? "s" : "");
    }
}

static int push(struct session *s, struct words *w, struct err *e)
{
    struct expref_list refs;
    struct exppush_result res;
    size_t uploaded = 0;
    if (expref_check(&s->repo, e) < 0 ||
        expref_choose(&s->repo, &s->arena, &w->choice, &refs, e) < 0 ||
        exppush_refs(&s->repo, &s->arena, w->remote, &refs, w->force, &res, e) < 0) {
        return -1;
    }
    int rc = w->cache ? move_data(s, w, &res, &uploaded, e) : 0;
    print_pushed(w, &res, uploaded);
    if (rc < 0) {
        e->code = ERR_REMOTE; /* settings too are trouble with the remote here: DVC answers 255 */
        return err_wrap(e, "failed to push cache");
    }
    if (!w->cache && !w->quiet) {
        printf("To push cached outputs for this experiment to DVC remote storage,re-run this "
               "command without '--no-cache'.\n");
    }
    return 0;
}

/* As Python prints a list of texts. */
static void print_list(FILE *f, const struct expref_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        fprintf(f, "%s'%s'", i > 0 ? ", " : "", l->items[i].name);
    }
}

static int pull(struct session *s, struct words *w, struct err *e)
{
    struct expref_list refs;
    struct exppush_result res;
    size_t fetched = 0;
    w->choice.remote = w->remote;
    w->choice.blame_here = true;
    if (expref_check(&s->repo, e) < 0 ||
        expref_choose(&s->repo, &s->arena, &w->choice, &refs, e) < 0 ||
        exppush_fetch(&s->repo, &s->arena, w->remote, &refs, w->force, &res, e) < 0) {
        return -1;
    }
    if (res.diverged.count > 0) {
        fprintf(stderr, "Local experiment '[");
        print_list(stderr, &res.diverged);
        fprintf(stderr, "]' has diverged from remote experiment with the same name. To override "
                        "the local experiment re-run with '--force'.\n");
    }
    if (w->cache && move_data(s, w, &res, &fetched, e) < 0) {
        return -1;
    }
    if (w->quiet) {
        return 0;
    }
    if (res.done.count > 0) {
        printf("Pulled experiment '[");
        print_list(stdout, &res.done);
        printf("]' from Git remote '%s'.\n", w->remote);
    } else {
        printf("No experiments to pull.\n");
    }
    if (!w->cache) {
        printf("To pull cached outputs for this experimentfrom DVC remote storage,re-run this "
               "command without '--no-cache'.\n");
    }
    return 0;
}

static int run(struct words *w)
{
    struct err e = ERR_INIT;
    struct session s;
    w->remote = w->args.items[0];
    w->choice.revs = w->revs.items;
    w->choice.rev_count = w->revs.count;
    w->choice.names = w->args.items + 1;
    w->choice.name_count = w->args.count - 1;
    if (session_open_data(&s, SESSION_REPO, w->quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    int rc = session_lock(&s, w->data.push ? "nephron exp push" : "nephron exp pull", &e);
    rc = rc == 0 ? (w->data.push ? push(&s, w, &e) : pull(&s, w, &e)) : rc;
    session_close(&s);
    return rc == 0 ? 0 : session_fail(&e, 255);
}

static int push_or_pull(int argc, char **argv, bool pushing)
{
    struct words w = {.choice.num = 1, .cache = true, .data = {.push = pushing}};
    const struct opt options[] = {
        EXPREFS_OPTIONS(w.choice, w.revs),
        {OPT_FLAG, 'f', "force", NULL, "replace another experiment of the same name", &w.force,
         NULL},
        {OPT_NEGATED, 0, "no-cache", NULL, "the commits alone, not the data in the cache", &w.cache,
         NULL},
        {OPT_STR, 'r', "remote", "NAME", "data: this remote of DVC, not the default one",
         &w.data.remote, NULL},
        {OPT_INT, 'j', "jobs", "N", "data: transfers at a time", &w.data.jobs, NULL},
        {OPT_FLAG, 0, "run-cache", NULL, "also the history of runs", &w.run_cache, NULL},
        {OPT_NEGATED, 0, "no-run-cache", NULL, "not the history of runs (default)", &w.run_cache,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &w.quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = pushing ? "nephron exp push [OPTION]... GIT_REMOTE [EXPERIMENT]..."
                         : "nephron exp pull [OPTION]... GIT_REMOTE [EXPERIMENT]...",
        .about = pushing ? "Copies experiments (those of HEAD, unless told otherwise) to another "
                           "repository of git, and their data to the remote."
                         : "Copies experiments (those of HEAD, unless told otherwise) from another "
                           "repository of git, and their data from the remote to the cache.",
        .examples =
            pushing
                ? "  nephron exp push origin brisk-otter\n  nephron exp push -A --no-cache origin"
                : "  nephron exp pull origin brisk-otter\n  nephron exp pull -A origin",
        .options = options,
        .min_args = 1,
        .max_args = OPT_ANY};
    int code;
    if (session_options(&spec, argc, argv, &w.args, 254, &code)) {
        code = run(&w);
    }
    opt_list_release(&w.revs);
    opt_list_release(&w.args);
    return code;
}

int cmd_exp_push(int argc, char **argv)
{
    return push_or_pull(argc, argv, true);
}

int cmd_exp_pull(int argc, char **argv)
{
    return push_or_pull(argc, argv, false);
}
