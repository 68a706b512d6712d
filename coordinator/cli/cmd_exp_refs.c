/* `exp list`, `exp remove`, `exp rename`, `exp branch` and `exp apply`: the refs of experiments. */
#include "cmd_exp.h"

#include "checkout.h"
#include "err.h"
#include "expapply.h"
#include "exprefs_cli.h"
#include "expqueue.h"
#include "expcommit.h"
#include "expref.h"
#include "opt.h"
#include "session.h"
#include "sync.h"

#include <stdio.h>
#include <string.h>

/* "'a', 'b' and 'c'" */
static void print_names(const char *what, const char *const *names, size_t count)
{
    printf("%s: ", what);
    for (size_t i = 0; i < count; i++) {
        printf("%s'%s'", i == 0 ? "" : i + 1 < count ? ", " : " and ", names[i]);
    }
    putchar('\n');
}

static int end(struct session *s, int rc, const struct err *e)
{
    session_close(s);
    return rc == 0 ? 0 : session_fail(e, 255);
}

/* ---- list ---- */

struct list_words {
    struct expref_choice choice;
    bool names, shas;
};

static int compare_baselines(const void *x, const void *y)
{
    const struct expref *a = x, *b = y;
    int d = strcmp(a->baseline, b->baseline);
    return d != 0 ? d : strcmp(a->name, b->name);
}

static int list(struct session *s, const struct list_words *w, struct err *e)
{
    struct expref_list l;
    if (w->shas && w->choice.remote != NULL) {
        return err_set(e, ERR_USAGE, "--sha-only not supported with git_remote.");
    }
    if (expref_check(&s->repo, e) < 0 ||
        expref_choose(&s->repo, &s->arena, &w->choice, &l, e) < 0) {
        return -1;
    }
    if (s->quiet) {
        return 0;
    }
    if (l.count > 0) {
        qsort(l.items, l.count, sizeof(*l.items), compare_baselines);
    }
    const char *shown = "";
    struct revnames names = {0};
    if (!w->names && !w->shas && revnames_read(&s->repo, &s->arena, &names, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < l.count; i++) {
        const struct expref *x = &l.items[i];
        if (w->names || w->shas) {
            printf("%s\n", w->names ? x->name : x->commit);
            continue;
        }
        if (strcmp(shown, x->baseline) != 0) {
            const char *name = revnames_of(&names, x->baseline);
            printf("%.*s:\n", name != NULL ? 1000 : 7, name != NULL ? name : x->baseline);
            shown = x->baseline;
        }
        if (w->choice.remote != NULL) {
            printf("\t%s\n", x->name);
        } else {
            printf("\t%.7s [%s]\n", x->commit, x->name);
        }
    }
    return 0;
}

int cmd_exp_list(int argc, char **argv)
{
    struct list_words w = {.choice.num = 1};
    struct opt_list revs = {0}, args = {0};
    bool quiet = false;
    const struct opt options[] = {
        EXPREFS_OPTIONS(w.choice, revs),
        {OPT_FLAG, 0, "name-only", NULL, "names alone", &w.names, "names-only"},
        {OPT_FLAG, 0, "sha-only", NULL, "commits alone", &w.shas, "shas-only"},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron exp list [OPTION]... [GIT_REMOTE]",
        .about = "Lists experiments by the commit they started from: those of HEAD, unless told "
                 "otherwise. GIT_REMOTE: those of another repository of git, by name or URL.",
        .examples = "  nephron exp list -A\n  nephron exp list --rev main -n 3 --name-only\n  "
                    "nephron exp list origin",
        .options = options,
        .max_args = 1};
    struct err e = ERR_INIT;
    struct session s;
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        w.choice.remote = args.count > 0 ? args.items[0] : NULL;
        w.choice.revs = revs.items;
        w.choice.rev_count = revs.count;
        if (w.names && w.shas) {
            fprintf(stderr, "ERROR: argument --sha-only/--shas-only: not allowed with argument "
                            "--name-only/--names-only\n");
            opt_print_usage(&spec);
            code = 254;
        } else if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
            code = session_fail(&e, 255);
        } else {
            code = end(&s, list(&s, &w, &e), &e);
        }
    }
    opt_list_release(&revs);
    opt_list_release(&args);
    return code;
}

/* ---- remove ---- */

struct remove_words {
    struct expref_choice choice;
    bool queue, keep, quiet;
};

/* What is to go, and what is said of it. */
struct removal {
    struct expref_list refs;
    const struct exptask **tasks;
    size_t task_count;
    const char **said;
    size_t said_count;
};

static void take_queue(const struct expqueue_list *l, struct removal *x)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->items[i].state == EXPTASK_QUEUED) {
            x->tasks[x->task_count++] = &l->items[i];
            x->said[x->said_count++] = l->items[i].name;
        }
    }
}

/* Names stand for refs, for entries of the queue, or for both. */
static int take_names(struct session *s, const struct expref_choice *c,
                      const struct expqueue_list *l, struct removal *x, struct err *e)
{
    struct expref_list all;
    const char **unknown = ARENA_ARRAY(&s->arena, c->name_count, const char *);
    size_t unknown_count = 0;
    if (expref_list(&s->repo, &s->arena, c->remote, &all, e) < 0) {
        return -1;
    }
    x->refs.items = ARENA_ARRAY(&s->arena, c->name_count, struct expref);
    for (size_t i = 0; i < c->name_count; i++) {
        struct expref found;
        const struct exptask *t =
            c->remote == NULL
                ? expqueue_find(l, c->names[i], EXPQUEUE_ANY & ~(1u << EXPTASK_RUNNING))
                : NULL;
        if (expref_resolve(&s->repo, &s->arena, &all, c->names[i], &found, e) < 0) {
            return -1;
        }
        if (t == NULL && found.ref == NULL) {
            unknown[unknown_count++] = c->names[i];
            continue;
        }
        x->said[x->said_count++] = c->names[i];
        if (found.ref != NULL) {
            x->refs.items[x->refs.count++] = found;
        }
        if (t != NULL) {
            x->tasks[x->task_count++] = t;
        }
    }
    return unknown_count > 0 ? expref_unknown(unknown, unknown_count, c->remote, e) : 0;
}

static int take_all(struct session *s, const struct remove_words *w, struct removal *x,
                    struct err *e)
{
    struct expqueue q = {&s->repo, &s->arena};
    struct expqueue_list l;
    const struct expref_choice *c = &w->choice;
    if (expqueue_read(&q, &l, e) < 0) {
        return -1;
    }
    size_t most = l.count + c->name_count;
    x->tasks = ARENA_ARRAY(&s->arena, most + 1, const struct exptask *);
    x->said = ARENA_ARRAY(&s->arena, most + 1, const char *);
    if (w->queue) {
        take_queue(&l, x);
    }
    if (c->name_count > 0) {
        return take_names(s, c, &l, x, e);
    }
    struct expref_choice some = *c;
    some.all = c->rev_count == 0;
    return c->all || c->rev_count > 0 ? expref_choose(&s->repo, &s->arena, &some, &x->refs, e) : 0;
}

/* `said` becomes the refs' names, behind what is in it. */
static void say_refs(struct session *s, struct removal *x)
{
    const char **said = ARENA_ARRAY(&s->arena, x->said_count + x->refs.count + 1, const char *);
    if (x->said_count > 0) {
        memcpy(said, x->said, x->said_count * sizeof(*said));
    }
    for (size_t i = 0; i < x->refs.count; i++) {
        said[x->said_count++] = x->refs.items[i].name;
    }
    x->said = said;
}

static int remove_all(struct session *s, const struct remove_words *w, struct removal *x,
                      struct err *e)
{
    struct expqueue q = {&s->repo, &s->arena};
    const char *remote = w->choice.remote;
    if (w->keep && w->queue) {
        return err_set(e, ERR_USAGE, "Cannot use both `--keep` and `--queue`.");
    }
    if (expref_check(&s->repo, e) < 0 || take_all(s, w, x, e) < 0) {
        return -1;
    }
    if (w->keep) {
        struct expref_list all, some = x->refs;
        if (expref_list(&s->repo, &s->arena, remote, &all, e) < 0) {
            return -1;
        }
        expref_others(&s->arena, &all, &some, &x->refs);
        x->said_count = 0;
    }
    if (w->keep || w->choice.name_count == 0) {
        say_refs(s, x);
    }
    int rc = remote != NULL ? expref_remove_remote(&s->repo, remote, &x->refs, e)
                            : expref_remove(&s->repo, &x->refs, e);
    return rc == 0 && x->task_count > 0 ? expqueue_remove(&q, x->tasks, x->task_count, e) : rc;
}

static int run_remove(const struct remove_words *w)
{
    struct err e = ERR_INIT;
    struct session s;
    struct removal x = {0};
    if (session_open(&s, SESSION_REPO, w->quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    int rc = 0;
    bool chosen = w->choice.all || w->choice.rev_count > 0 || w->queue;
    if (chosen == (w->choice.name_count > 0)) {
        rc = err_set(&e, ERR_USAGE,
                     "Either provide an `experiment` argument, or use the `--rev` or "
                     "`--all-commits` or `--queue` flag.");
    }
    rc = rc == 0 ? session_lock(&s, "nephron exp remove", &e) : rc;
    rc = rc == 0 ? remove_all(&s, w, &x, &e) : rc;
    if (rc == 0 && !w->quiet && x.said_count > 0) {
        print_names("Removed experiments", x.said, x.said_count);
    } else if (rc == 0 && !w->quiet) {
        printf("No experiments to remove.\n");
    }
    return end(&s, rc, &e);
}

int cmd_exp_remove(int argc, char **argv)
{
    struct remove_words w = {.choice.num = 1};
    struct opt_list revs = {0}, args = {0};
    const struct opt options[] = {
        EXPREFS_OPTIONS(w.choice, revs),
        {OPT_FLAG, 0, "keep", NULL, "remove all but these", &w.keep, NULL},
        {OPT_FLAG, 0, "queue", NULL, "what waits in the queue", &w.queue, NULL},
        {OPT_STR, 'g', "git-remote", "GIT_REMOTE",
         "in this repository of git (name or URL), not here", &w.choice.remote, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &w.quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron exp remove [OPTION]... [EXPERIMENT]...",
        .about = "Removes experiments: those named, those that started from --rev, all of them, "
                 "or what waits in the queue. Their data stays in the cache until gc.",
        .examples = "  nephron exp remove brisk-otter\n  nephron exp remove --rev main~3\n  "
                    "nephron exp remove --keep best\n  nephron exp remove -g origin brisk-otter",
        .options = options,
        .max_args = OPT_ANY};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        w.choice.names = args.items;
        w.choice.name_count = args.count;
        w.choice.revs = revs.items;
        w.choice.rev_count = revs.count;
        if (w.queue && w.choice.remote != NULL) {
            fprintf(stderr, "ERROR: argument -g/--git-remote: not allowed with argument --queue\n");
            opt_print_usage(&spec);
            code = 254;
        } else {
            code = run_remove(&w);
        }
    }
    opt_list_release(&revs);
    opt_list_release(&args);
    return code;
}

/* ---- rename ---- */

/* With a remote, the name must be known there; what gets another name is the ref here, as with DVC. */
static int rename_one(struct session *s, const char *remote, const char *old, const char *name,
                      bool force, struct err *e)
{
    struct expref_list l;
    struct expref x;
    if (expref_list(&s->repo, &s->arena, remote, &l, e) < 0 ||
        expref_resolve(&s->repo, &s->arena, &l, old, &x, e) < 0) {
        return -1;
    }
    if (x.ref == NULL) {
        return expref_unknown(&old, 1, remote, e);
    }
    char commit[65];
    if (expcommit_find(&s->repo, x.ref, commit, e) < 0) {
        return -1;
    }
    if (commit[0] == 0) {
        return err_set(e, ERR_USAGE,
                       "experiment '%s' is in '%s' but not here; fetch it with `nephron exp pull`",
                       old, remote != NULL ? remote : "this repository");
    }
    x.commit = commit;
    return expref_rename(&s->repo, &s->arena, &x, name, force, e);
}

int cmd_exp_rename(int argc, char **argv)
{
    const char *remote = NULL;
    struct opt_list args = {0};
    bool force = false, quiet = false;
    const struct opt options[] = {
        {OPT_STR, 'g', "git-remote", "GIT_REMOTE",
         "look the name up in this repository of git (name or URL)", &remote, NULL},
        {OPT_FLAG, 'f', "force", NULL, "replace an experiment of the new name", &force, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron exp rename [OPTION]... EXPERIMENT NAME",
                                  .about = "Gives an experiment another name.",
                                  .examples = "  nephron exp rename brisk-otter best",
                                  .options = options,
                                  .min_args = 1,
                                  .max_args = 2};
    struct err e = ERR_INIT;
    struct session s;
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        opt_list_release(&args);
        return code;
    }
    if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
        code = session_fail(&e, 255);
    } else {
        const char *const *w = args.items;
        bool same = args.count == 2 && strcmp(w[0], w[1]) == 0;
        int rc = args.count < 2 || w[0][0] == 0
                     ? err_set(&e, ERR_USAGE,
                               "An experiment to rename and a new experiment name are required.")
                     : expref_check(&s.repo, &e);
        rc = rc == 0 ? session_lock(&s, "nephron exp rename", &e) : rc;
        rc = rc == 0 && !same ? rename_one(&s, remote, w[0], w[1], force, &e) : rc;
        if (rc == 0 && !quiet && same) {
            printf("No experiments to rename.\n");
        } else if (rc == 0 && !quiet) {
            print_names("Renamed experiments", w, 1);
        }
        code = end(&s, rc, &e);
    }
    opt_list_release(&args);
    return code;
}

/* ---- branch ---- */

int cmd_exp_branch(int argc, char **argv)
{
    bool quiet = false;
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL}, OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron exp branch [OPTION]... EXPERIMENT [BRANCH]",
        .about =
            "Makes a branch of git at an experiment; its name: EXPERIMENT-branch, unless given.",
        .examples = "  nephron exp branch brisk-otter deeper-net",
        .options = options,
        .min_args = 1,
        .max_args = 2};
    struct err e = ERR_INIT;
    struct session s;
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        opt_list_release(&args);
        return code;
    }
    if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
        code = session_fail(&e, 255);
    } else {
        const char *branch = args.count > 1 ? args.items[1] : NULL, *name = "";
        int rc = expref_check(&s.repo, &e);
        rc = rc == 0 ? session_lock(&s, "nephron exp branch", &e) : rc;
        rc = rc == 0 ? expapply_branch(&s.repo, &s.arena, args.items[0], &branch, &name, &e) : rc;
        if (rc == 0 && !quiet) {
            printf("Git branch '%s' has been created from experiment '%s'.\n"
                   "To switch to the new branch run:\n\n\tgit checkout %s\n",
                   branch, name, branch);
        }
        code = end(&s, rc, &e);
    }
    opt_list_release(&args);
    return code;
}

/* ---- apply ---- */

/* The data that the files just brought name. Read anew, under the lock that is held. */
static int check_out(bool quiet, struct err *e)
{
    static const struct opt_list everything = {0};
    const struct graph_target_options how = {.outputs = true};
    struct checkout_options opt = {.force = true};
    struct checkout_result res = {0};
    struct checkout_target *targets;
    struct session s;
    size_t count;
    if (session_open(&s, SESSION_STORE, quiet, e) < 0) {
        return -1;
    }
    opt.whole = &s.pipeline;
    int rc = sync_targets(&s, &everything, &how, &targets, &count, e);
    rc = rc == 0 ? checkout_run(s.store, &s.arena, targets, count, &opt, &res, e) : rc;
    session_close(&s);
    return rc;
}

static int apply(struct session *s, const char *name, struct err *e)
{
    char commit[65];
    if (expref_check(&s->repo, e) < 0 || session_lock(s, "nephron exp apply", e) < 0 ||
        expapply_find(&s->repo, &s->arena, name, commit, e) < 0 ||
        expapply_files(&s->repo, &s->arena, commit, name, e) < 0 || check_out(s->quiet, e) < 0) {
        return -1;
    }
    return expref_set(&s->repo, EXPREF_EXEC_APPLY, commit, "nephron: exp apply", e);
}

int cmd_exp_apply(int argc, char **argv)
{
    bool quiet = false, force = true;
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_NEGATED, 0, "no-force", NULL, "accepted for old scripts", &force, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron exp apply [OPTION]... EXPERIMENT",
        .about = "Brings the workspace to an experiment: its files and its data. Back again: git "
                 "reset --hard && git stash apply refs/exps/apply/stash",
        .examples = "  nephron exp apply brisk-otter",
        .options = options,
        .min_args = 1,
        .max_args = 1};
    struct err e = ERR_INIT;
    struct session s;
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        opt_list_release(&args);
        return code;
    }
    if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
        code = session_fail(&e, 255);
    } else {
        if (!force && !quiet) {
            printf("The --no-force option is deprecated and will be removed in a future DVC "
                   "release. To revert the result of 'exp apply', run:\n\n\tgit reset --hard\n"
                   "\tgit stash apply refs/exps/apply/stash\n\n");
        }
        int rc = apply(&s, args.items[0], &e);
        if (rc == 0 && !quiet) {
            printf("Changes for experiment '%s' have been applied to your current workspace.\n",
                   args.items[0]);
        }
        code = end(&s, rc, &e);
    }
    opt_list_release(&args);
    return code;
}
