/* `params diff`, `metrics show` and `metrics diff`: files of the workspace and of git revisions,
 * side by side. */

#include "cmd.h"

#include "alloc.h"
#include "err.h"
#include "git.h"
#include "params.h"
#include "revision.h"
#include "session.h"
#include "table.h"
#include "valuefiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words of the command line as repo paths; NULL when there are none. */
static const struct value *target_paths(struct session *s, const struct opt_list *targets)
{
    struct value *list = value_list(&s->arena);
    for (size_t i = 0; i < targets->count; i++) {
        value_push(&s->arena, list,
                   value_cstr(&s->arena, repo_path(&s->repo, &s->arena, targets->items[i])));
    }
    return targets->count > 0 ? list : NULL;
}

/* On stderr, as DVC: which sides are not complete. */
static void tell_errors(const struct value *result)
{
    const char *comma = "";
    for (size_t i = 0; i < result->map.count; i++) {
        if (valuefiles_has_error(result->map.pairs[i].val)) {
            fprintf(stderr, "%s%s",
                    *comma ? comma : "DVC failed to load some metrics for following revisions: '",
                    value_as_str(result->map.pairs[i].key).p);
            comma = ", ";
        }
    }
    if (*comma) {
        fprintf(stderr, "'.\n");
    }
}

static void print_table(const struct value *diff, const struct table_diff_options *opt)
{
    struct strbuf out;
    strbuf_init(&out);
    table_diff(diff, opt, &out);
    fwrite(out.p, 1, out.n, stdout);
    strbuf_release(&out);
}

struct diff_words {
    bool all, deps, json, md, no_path, quiet, recursive;
    struct opt_list targets;
    long precision;
    const char *old_rev, *new_rev; /* "workspace": no revision */
};

/* Adds the side that is named `rev` to `result`. */
static int add_side(struct session *s, const struct valuefiles_query *q, const char *rev,
                    struct value *result, struct err *e)
{
    if (strcmp(rev, "workspace") == 0) {
        valuefiles_workspace(s->store, &s->arena, q, rev, result);
        return 0;
    }
    char commit[65];
    if (git_rev_parse(&s->repo, rev, commit, e) < 0) {
        return -1;
    }
    const struct revision one = {.commit = commit, .names = rev};
    return valuefiles_revisions(s->store, &s->arena, q, &one, 1, result, e);
}

static int diff_sides(struct session *s, const struct diff_words *w, bool metrics,
                      struct value **diff, struct err *e)
{
    if (s->repo.no_scm) {
        return err_set(e, ERR_USAGE,
                       "Only supported for Git repositories. If you're seeing this error in a Git "
                       "repo, try updating the DVC configuration with `dvc config core.no_scm "
                       "false`.");
    }
    char commit[65];
    struct value *sides = value_map(&s->arena);
    *diff = value_map(&s->arena);
    if (git_rev_parse(&s->repo, "HEAD", commit, NULL) < 0) {
        return 0; /* nothing is committed yet: nothing to compare with */
    }
    const struct valuefiles_query q = {
        .params = !metrics, .deps_only = w->deps, .targets = target_paths(s, &w->targets)};
    if (add_side(s, &q, w->old_rev, sides, e) < 0 || add_side(s, &q, w->new_rev, sides, e) < 0) {
        return -1;
    }
    tell_errors(sides);
    *diff = params_diff(&s->arena, valuefiles_documents(&s->arena, value_get(sides, w->old_rev)),
                        valuefiles_documents(&s->arena, value_get(sides, w->new_rev)), w->all);
    return 0;
}

static int run_diff(struct diff_words *w, const struct opt_list *args, bool metrics)
{
    struct err e = ERR_INIT;
    struct session s;
    if (session_open_data(&s, SESSION_REPO, w->quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    w->old_rev = args->count > 0 ? args->items[0] : "HEAD";
    w->new_rev = args->count > 1 ? args->items[1] : "workspace";
    struct value *diff = NULL;
    int rc = diff_sides(&s, w, metrics, &diff, &e);
    if (rc == 0 && w->json) {
        session_print_json(diff);
    } else if (rc == 0 && !w->quiet) {
        print_table(diff, &(struct table_diff_options){.title = metrics ? "Metric" : "Param",
                                                       .old_name = w->old_rev,
                                                       .new_name = w->new_rev,
                                                       .no_path = w->no_path,
                                                       .change = metrics,
                                                       .markdown = w->md,
                                                       .precision = (int)w->precision});
    }
    session_close(&s);
    return rc == 0 ? 0 : session_fail(&e, 255);
}

static int diff_command(int argc, char **argv, bool metrics)
{
    struct diff_words w = {.precision = metrics ? 5 : 0};
    const struct opt options[] = {
        {OPT_MULTI, 0, "targets", "FILE...", "only these files, and those of these folders",
         &w.targets, NULL},
        {OPT_FLAG, 0, "all", NULL, "also what did not change", &w.all, NULL},
        {OPT_FLAG, 0, "deps", NULL, "params diff: only what stages depend on", &w.deps, NULL},
        {OPT_FLAG, 'R', "recursive", NULL,
         "folders stand for what is below them, which they always do", &w.recursive, NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON object", &w.json, NULL},
        {OPT_FLAG, 0, "md", NULL, "markdown table", &w.md, NULL},
        {OPT_FLAG, 0, "no-path", NULL, "leave the Path column out", &w.no_path, NULL},
        {OPT_INT, 0, "precision", "N", "digits after the point", &w.precision, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &w.quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = metrics ? "nephron metrics diff [OPTION]... [A [B]]"
                         : "nephron params diff [OPTION]... [A [B]]",
        .about = "Compares revision A (HEAD) with revision B (the workspace).",
        .examples = metrics ? "  nephron metrics diff\n  nephron metrics diff HEAD~3 --json"
                            : "  nephron params diff\n  nephron params diff main --deps",
        .options = options,
        .max_args = 2};
    struct opt_list args = {0};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        code = run_diff(&w, &args, metrics);
        opt_list_release(&args);
    }
    opt_list_release(&w.targets);
    return code;
}

static int params_diff_command(int argc, char **argv)
{
    return diff_command(argc, argv, false);
}

static int metrics_diff_command(int argc, char **argv)
{
    return diff_command(argc, argv, true);
}

static int collect_metrics(struct session *s, const struct opt_list *targets,
                           const struct revision_scope *scope, struct value *result, struct err *e)
{
    const struct valuefiles_query q = {.targets = target_paths(s, targets)};
    struct revision *revs;
    size_t count;
    bool several = revision_scope_any(scope);
    valuefiles_workspace(s->store, &s->arena, &q, several ? "workspace" : "", result);
    if (!several || s->repo.no_scm) {
        return 0;
    }
    if (revision_list(&s->repo, scope, &s->arena, &revs, &count, e) < 0) {
        return -1;
    }
    return valuefiles_revisions(s->store, &s->arena, &q, revs, count, result, e);
}

/* As DVC: the workspace is not shown when it says the same as the branch that is checked out. Trouble is never
 * the same. */
static void hide_workspace(struct session *s, struct value *result)
{
    struct git_head head;
    if (git_head(&s->repo, &head, NULL) == 0 && head.branch[0] != 0) {
        const struct value *here = value_get(result, "workspace");
        const struct value *branch = value_get(result, head.branch);
        if (here != NULL && branch != NULL && !valuefiles_has_error(here) &&
            value_eq(here, branch)) {
            value_remove(result, "workspace");
        }
    }
}

static int metrics_show(int argc, char **argv)
{
    struct revision_scope scope = {0};
    bool json = false, md = false, recursive = false, quiet = false;
    long precision = 5;
    const struct opt options[] = {
        {OPT_FLAG, 'a', "all-branches", NULL, "every branch", &scope.branches, NULL},
        {OPT_FLAG, 'T', "all-tags", NULL, "every tag", &scope.tags, NULL},
        {OPT_FLAG, 'A', "all-commits", NULL, "every commit", &scope.commits, NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON object", &json, NULL},
        {OPT_FLAG, 0, "md", NULL, "markdown table", &md, NULL},
        {OPT_FLAG, 'R', "recursive", NULL,
         "folders stand for what is below them, which they always do", &recursive, NULL},
        {OPT_INT, 0, "precision", "N", "digits after the point", &precision, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron metrics show [OPTION]... [TARGET]...",
                                  .about = "Shows metrics of the workspace, or of revisions.",
                                  .examples =
                                      "  nephron metrics show\n  nephron metrics show -T --json",
                                  .options = options,
                                  .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (session_open_data(&s, SESSION_REPO, quiet, &e) < 0) {
        opt_list_release(&args);
        return session_fail(&e, 1);
    }
    bool several = revision_scope_any(&scope);
    struct value *result = value_map(&s.arena);
    int rc = collect_metrics(&s, &args, &scope, result, &e);
    if (rc == 0 && several) {
        hide_workspace(&s, result);
    }
    if (rc == 0) {
        tell_errors(result);
    }
    if (rc == 0 && json) {
        session_print_json(result);
    } else if (rc == 0 && !quiet) {
        struct strbuf out;
        strbuf_init(&out);
        table_metrics(result, several, md, (int)precision, &out);
        fwrite(out.p, 1, out.n, stdout);
        strbuf_release(&out);
    }
    session_close(&s);
    opt_list_release(&args);
    return rc == 0 ? 0 : session_fail(&e, 1);
}

int cmd_params(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"diff", params_diff_command, "parameters that changed"},
    };
    return session_dispatch("params", commands, ARRAY_SIZE(commands), argc, argv);
}

int cmd_metrics(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"show", metrics_show, "metrics of the workspace or of revisions"},
        {"diff", metrics_diff_command, "metrics against another revision"},
    };
    return session_dispatch("metrics", commands, ARRAY_SIZE(commands), argc, argv);
}
