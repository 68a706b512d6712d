/* See expapply.h. */
#include "expapply.h"

#include "err.h"
#include "expqueue.h"
#include "expcommit.h"
#include "expref.h"
#include "git.h"
#include "gitindex.h"
#include "repo.h"

#include <stdio.h>
#include <string.h>

static int no_experiment(const char *name, const char *why, struct err *e)
{
    return err_set(e, ERR_USAGE, "'%s' does not appear to be an experiment commit.%s%s", name,
                   why[0] != 0 ? ": " : "", why);
}

int expapply_find(const struct repo *r, struct arena *a, const char *name, char commit[65],
                  struct err *e)
{
    struct expref_list list;
    struct expref x;
    struct expqueue q = {r, a};
    struct expqueue_list tasks;
    struct err why = ERR_INIT;
    if (git_rev_parse(r, name, commit, &why) == 0) {
        return 0;
    }
    if (expref_list(r, a, NULL, &list, e) < 0 || expref_resolve(r, a, &list, name, &x, e) < 0 ||
        expqueue_read(&q, &tasks, e) < 0) {
        return -1;
    }
    const struct exptask *t = expqueue_find(&tasks, name, EXPQUEUE_ANY & ~(1u << EXPTASK_RUNNING));
    if (t == NULL) {
        return no_experiment(name, why.text, e);
    }
    snprintf(commit, 65, "%s", t->rev);
    return 0;
}

/* ---- the stash ---- */

/* The one line that git answers, in `a`; NULL on error. */
static const char *ask(const struct repo *r, struct arena *a, const struct git_call *call,
                       struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    const char *line =
        git_call(r, call, &out, e) == 0 ? arena_str(a, str_trim(strbuf_str(&out))).p : NULL;
    strbuf_release(&out);
    return line;
}

/* What a stash is made of: HEAD, and the words with which git-stash names it. */
struct stash {
    const struct repo *r;
    struct arena *a;
    const char *head;
    const char *branch;  /* "main", "(no branch)" */
    const char *subject; /* "1234567 first line" */
    const char *words;   /* what is said of it */
    const char *message; /* "On main: " and the words */
};

/* What git does not know and does not ignore, each with a NUL. */
static int untracked_names(const struct repo *r, struct strbuf *names, struct err *e)
{
    const char *const list[] = {"ls-files", "--others", "--exclude-standard", "-z", "--full-name",
                                ":/",       NULL};
    return git_run(r, list, names, e);
}

/* A commit of these files, without parents, as git-stash makes it; NULL on error. */
static const char *untracked_commit(const struct stash *t, struct str names, struct err *e)
{
    const char *const none[] = {"read-tree", "--empty", NULL};
    const char *const add[] = {"update-index", "--add", "-z", "--stdin", NULL};
    static const char *const parents[] = {NULL};
    const char *message = arena_printf(t->a, "untracked files on %s: %s\n", t->branch, t->subject);
    struct gitindex x;
    char commit[65];
    if (gitindex_open(&x, t->r, t->a, e) < 0) {
        return NULL;
    }
    int rc = git_call(t->r, &(struct git_call){.args = none, .env = x.env}, NULL, e);
    if (rc == 0 && names.n > 0) {
        rc = git_call(
            t->r,
            &(struct git_call){.args = add, .env = x.env, .dir = t->r->scm_root, .input = names},
            NULL, e);
    }
    rc = rc == 0 ? gitindex_commit(&x, parents, message, commit, e) : rc;
    gitindex_close(&x);
    return rc == 0 ? arena_strdup(t->a, commit) : NULL;
}

/* The files of `tracked`, and a third parent with the unknown ones. `index`: the second parent. */
static const char *whole_stash(const struct stash *t, const char *tracked, const char *index,
                               const char *untracked, struct err *e)
{
    const char *const args[] = {"commit-tree", arena_printf(t->a, "%s^{tree}", tracked),
                                "-p",          t->head,
                                "-p",          index,
                                "-p",          untracked,
                                NULL};
    return ask(t->r, t->a, &(struct git_call){.args = args, .input = str_from(t->message)}, e);
}

/* A stash of tracked files where nothing of them changed. */
static const char *clean_stash(const struct stash *t, const char *untracked, struct err *e)
{
    const char *const index[] = {
        "commit-tree", arena_printf(t->a, "%s^{tree}", t->head),
        "-p",          t->head,
        "-m",          arena_printf(t->a, "index on %s: %s", t->branch, t->subject),
        NULL};
    const char *second = ask(t->r, t->a, &(struct git_call){.args = index}, e);
    return second != NULL ? whole_stash(t, t->head, second, untracked, e) : NULL;
}

/* The stash commit of the workspace; "" when it is HEAD. */
static const char *make_stash(const struct stash *t, struct err *e)
{
    const char *const diff[] = {"diff", "--quiet", "--no-ext-diff", "HEAD", "--", NULL};
    const char *const create[] = {"stash", "create", t->words, NULL};
    struct strbuf names;
    strbuf_init(&names);
    const char *made = NULL;
    if (untracked_names(t->r, &names, e) == 0) {
        bool clean = git_run(t->r, diff, NULL, NULL) == 0;
        const char *tracked = clean ? "" : ask(t->r, t->a, &(struct git_call){.args = create}, e);
        const char *untracked = tracked == NULL || (clean && names.n == 0)
                                    ? NULL
                                    : untracked_commit(t, strbuf_str(&names), e);
        made = clean && names.n == 0 ? ""
               : untracked == NULL   ? NULL
               : clean               ? clean_stash(t, untracked, e)
                       : whole_stash(t, tracked, arena_printf(t->a, "%s^2", tracked), untracked, e);
    }
    strbuf_release(&names);
    return made;
}

/* Keeps the workspace; what an earlier `exp apply` kept goes. */
static int preserve(const struct repo *r, struct arena *a, const char *commit, const char *name,
                    struct err *e)
{
    struct git_head head;
    const char *const log[] = {"log", "-1", "--format=%h %s", NULL};
    const char *const drop[] = {"update-ref", "-d", EXPREF_APPLY_STASH, NULL};
    if (git_head(r, &head, e) < 0) {
        return -1;
    }
    const char *message = arena_printf(a, "dvc-exp-apply:%s:%s:%s", head.commit, commit, name);
    struct stash t = {.r = r,
                      .a = a,
                      .head = head.commit,
                      .subject = ask(r, a, &(struct git_call){.args = log}, e)};
    t.branch = head.branch[0] != 0 ? head.branch : "(no branch)";
    t.words = message;
    t.message = arena_printf(a, "On %s: %s", t.branch, message);
    const char *stash = t.subject != NULL ? make_stash(&t, e) : NULL;
    if (stash == NULL || git_run(r, drop, NULL, e) < 0 ||
        expref_set(r, EXPREF_APPLY_HEAD, head.commit, "nephron: exp apply", e) < 0) {
        return err_wrap(e, "cannot keep the workspace as it is");
    }
    const char *const keep[] = {
        "update-ref", "--create-reflog", "-m", t.message, EXPREF_APPLY_STASH, stash, NULL};
    return stash[0] != 0 ? git_run(r, keep, NULL, e) : 0;
}

/* ---- the files ---- */

static int write_files(const struct repo *r, struct arena *a, const char *commit, struct err *e)
{
    struct gitindex x;
    if (gitindex_open(&x, r, a, e) < 0) {
        return -1;
    }
    /* The copy of the index knows which files are as they were, so only those that differ are written. */
    const char *const read[] = {"read-tree", "--reset", commit, NULL};
    const char *const refresh[] = {"update-index", "-q", "--refresh", NULL};
    const char *const write[] = {"checkout-index", "--all", "--force", NULL};
    int rc = git_call(r, &(struct git_call){.args = read, .env = x.env}, NULL, e);
    if (rc == 0) {
        /* answers 1 where something differs */
        git_call(r, &(struct git_call){.args = refresh, .env = x.env, .dir = r->scm_root}, NULL,
                 NULL);
        rc = git_call(r, &(struct git_call){.args = write, .env = x.env, .dir = r->scm_root}, NULL,
                      e);
    }
    gitindex_close(&x);
    return rc;
}

int expapply_files(const struct repo *r, struct arena *a, const char *commit, const char *name,
                   struct err *e)
{
    if (preserve(r, a, commit, name, e) < 0) {
        return -1;
    }
    const char *const reset[] = {"reset", "--quiet", "--mixed", NULL};
    if (write_files(r, a, commit, e) < 0 || git_run(r, reset, NULL, e) < 0) {
        err_wrap(e, "cannot bring the files of '%s' to the workspace", name);
        return err_append(e, "; what it was before: `git reset --hard && git stash apply %s`",
                          EXPREF_APPLY_STASH);
    }
    return 0;
}

/* ---- a branch ---- */

/* The one that is meant; NULL with *e. */
static const struct expref *only(const struct repo *r, const struct expref_list *list,
                                 const char *name, struct err *e)
{
    struct git_head head;
    if (list->count == 1) {
        return &list->items[0];
    }
    if (list->count == 0 || git_head(r, &head, e) < 0) {
        no_experiment(name, "", e);
        return NULL;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].baseline, head.commit) == 0) {
            return &list->items[i];
        }
    }
    err_set(e, ERR_USAGE,
            "Ambiguous experiment name '%s' can refer to multiple experiments. To create a branch "
            "use a full experiment ref:\n",
            name);
    for (size_t i = 0; i < list->count; i++) {
        err_append(e, "\n%s", list->items[i].ref);
    }
    return NULL;
}

int expapply_branch(const struct repo *r, struct arena *a, const char *name, const char **branch,
                    const char **experiment, struct err *e)
{
    char commit[65], taken[65];
    struct expref_list list;
    if (git_rev_parse(r, name, commit, NULL) < 0) {
        return err_set(e, ERR_USAGE, "%s", name);
    }
    if (expref_holders(r, a, commit, &list, e) < 0) {
        return -1;
    }
    const struct expref *x = only(r, &list, name, e);
    if (x == NULL) {
        return -1;
    }
    *experiment = x->name;
    *branch = *branch != NULL ? *branch : arena_printf(a, "%s-branch", x->name);
    const char *ref = arena_printf(a, "refs/heads/%s", *branch);
    const char *const check[] = {"check-ref-format", ref, NULL};
    if (git_run(r, check, NULL, NULL) < 0) {
        return err_set(e, ERR_USAGE, "'%s' is no name for a branch of git", *branch);
    }
    if (expcommit_find(r, ref, taken, e) < 0) {
        return -1;
    }
    if (taken[0] != 0) {
        return err_set(e, ERR_USAGE, "Git branch '%s' already exists.", *branch);
    }
    if (expcommit_find(r, x->ref, commit, e) < 0) {
        return -1;
    }
    return expref_set(r, ref, commit, arena_printf(a, "dvc: Created from experiment '%s'", x->name),
                      e);
}
