/* `params diff`, `metrics show` and `metrics diff`: files of the workspace and of git revisions,
 * side by side. */

#include "cmd.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "json.h"
#include "metrics.h"
#include "params.h"
#include "revision.h"
#include "session.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text of a repo file in the workspace (rev NULL) or in a revision; 1: not there. */
static int read_text(struct session *s, const char *rev, const char *path, struct strbuf *text,
                     struct err *e)
{
    struct err local = ERR_INIT;
    int rc = rev == NULL
                 ? fs_read(repo_abs(&s->repo, &s->arena, path), (size_t)64 << 20, text, &local)
                 : git_show(&s->repo, rev, path, text, &local);
    if (rc < 0 && local.code == ERR_MISSING) {
        return 1;
    }
    if (rc < 0 && e != NULL) {
        *e = local;
    }
    return rc;
}

typedef struct value *parse_fn(struct arena *a, struct str text, const char *shown, struct err *e);

/* The document of a file at a revision, NULL when it is not there; -1 on error. */
static int load_at(struct session *s, const char *rev, const char *path, parse_fn *parse,
                   struct value **doc, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    *doc = NULL;
    int rc = read_text(s, rev, path, &text, e);
    if (rc == 0) {
        *doc = parse(&s->arena, strbuf_str(&text), repo_show(&s->repo, &s->arena, path), e);
        rc = *doc != NULL ? 0 : -1;
    }
    strbuf_release(&text);
    return rc < 0 ? -1 : 0;
}

static void print_json(const struct value *v)
{
    struct strbuf out;
    strbuf_init(&out);
    json_write(&out, v, NULL);
    printf("%s\n", out.p);
    strbuf_release(&out);
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
    const char *old_rev, *new_rev; /* new_rev NULL: the workspace */
};

/* Repo path -> keys wanted of it. */
static struct value *params_wanted(struct session *s, const struct diff_words *w)
{
    if (w->targets.count == 0) {
        bool has_default = fs_exists(repo_abs(&s->repo, &s->arena, "params.yaml"));
        return params_targets(&s->arena, &s->pipeline, w->deps, has_default);
    }
    struct value *map = value_map(&s->arena);
    for (size_t i = 0; i < w->targets.count; i++) {
        value_set(&s->arena, map, repo_path(&s->repo, &s->arena, w->targets.items[i]),
                  value_list(&s->arena));
    }
    return map;
}

static int params_side(struct session *s, const struct value *wanted, const char *rev,
                       struct value **side, struct err *e)
{
    *side = value_map(&s->arena);
    for (size_t i = 0; i < wanted->map.count; i++) {
        const char *path = value_as_str(wanted->map.pairs[i].key).p;
        struct value *doc;
        if (load_at(s, rev, path, params_parse, &doc, e) < 0) {
            return -1;
        }
        if (doc != NULL) {
            value_set(&s->arena, *side, repo_show(&s->repo, &s->arena, path),
                      params_project(&s->arena, doc, wanted->map.pairs[i].val));
        }
    }
    return 0;
}

static struct value *metrics_wanted(struct session *s, const struct opt_list *targets)
{
    if (targets->count == 0) {
        return metrics_targets(&s->arena, &s->pipeline);
    }
    struct value *list = value_list(&s->arena);
    for (size_t i = 0; i < targets->count; i++) {
        value_push(&s->arena, list,
                   value_cstr(&s->arena, repo_path(&s->repo, &s->arena, targets->items[i])));
    }
    return list;
}

static int metrics_side(struct session *s, const struct value *wanted, const char *rev,
                        struct value **side, struct err *e)
{
    *side = value_map(&s->arena);
    for (size_t i = 0; i < wanted->list.count; i++) {
        const char *path = value_as_str(wanted->list.items[i]).p;
        struct value *doc;
        if (load_at(s, rev, path, metrics_parse, &doc, e) < 0) {
            return -1;
        }
        if (doc != NULL) {
            value_set(&s->arena, *side, repo_show(&s->repo, &s->arena, path),
                      metrics_extract(&s->arena, doc));
        }
    }
    return 0;
}

/* Checks both revisions. HEAD that nobody named may not exist yet: then there is nothing old. */
static int check_revisions(struct session *s, const struct diff_words *w, bool named, bool *has_old,
                           struct err *e)
{
    char commit[65];
    *has_old = git_rev_parse(&s->repo, w->old_rev, commit, named ? e : NULL) == 0;
    if (!*has_old && named) {
        return -1;
    }
    return w->new_rev != NULL ? git_rev_parse(&s->repo, w->new_rev, commit, e) : 0;
}

static int diff_sides(struct session *s, const struct diff_words *w, bool metrics, bool named,
                      struct value **diff, struct err *e)
{
    struct value *old_side = value_map(&s->arena), *new_side;
    if (s->repo.scm_root == NULL) {
        return err_set(e, ERR_USAGE, "cannot compare revisions: this repository has no git");
    }
    bool has_old;
    if (check_revisions(s, w, named, &has_old, e) < 0) {
        return -1;
    }
    const struct value *wanted = metrics ? metrics_wanted(s, &w->targets) : params_wanted(s, w);
    int rc = 0;
    if (metrics) {
        rc = has_old ? metrics_side(s, wanted, w->old_rev, &old_side, e) : 0;
        rc = rc == 0 ? metrics_side(s, wanted, w->new_rev, &new_side, e) : rc;
    } else {
        rc = has_old ? params_side(s, wanted, w->old_rev, &old_side, e) : 0;
        rc = rc == 0 ? params_side(s, wanted, w->new_rev, &new_side, e) : rc;
    }
    if (rc == 0) {
        *diff = params_diff(&s->arena, old_side, new_side, w->all);
    }
    return rc;
}

static int run_diff(struct diff_words *w, const struct opt_list *args, bool metrics)
{
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_GRAPH, w->quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    w->old_rev = args->count > 0 ? args->items[0] : "HEAD";
    w->new_rev = args->count > 1 ? args->items[1] : NULL;
    struct value *diff = NULL;
    int rc = diff_sides(&s, w, metrics, args->count > 0, &diff, &e);
    if (rc == 0 && w->json) {
        print_json(diff);
    } else if (rc == 0 && !w->quiet) {
        print_table(diff, &(struct table_diff_options){.title = metrics ? "Metric" : "Param",
                                                       .old_name = w->old_rev,
                                                       .new_name = w->new_rev != NULL ? w->new_rev
                                                                                      : "workspace",
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
        {OPT_MULTI, 0, "targets", "FILE...", "only these files", &w.targets, NULL},
        {OPT_FLAG, 0, "all", NULL, "also what did not change", &w.all, NULL},
        {OPT_FLAG, 0, "deps", NULL, "params diff: only what stages depend on", &w.deps, NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "targets are folders", &w.recursive, NULL},
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

static int add_revision(struct session *s, const struct opt_list *targets, const char *rev,
                        const char *label, struct value *result, struct err *e)
{
    const struct value *wanted = metrics_wanted(s, targets);
    for (size_t i = 0; i < wanted->list.count; i++) {
        const char *path = value_as_str(wanted->list.items[i]).p;
        const char *shown = repo_show(&s->repo, &s->arena, path);
        struct err local = ERR_INIT;
        struct value *doc;
        if (load_at(s, rev, path, metrics_parse, &doc, &local) < 0) {
            metrics_result_error(&s->arena, result, label, shown, "ParseError", local.text);
            fprintf(stderr, "WARNING: %s\n", local.text);
        } else if (doc != NULL) {
            metrics_result_add(&s->arena, result, label, shown, metrics_extract(&s->arena, doc));
        } else if (targets->count > 0 && rev == NULL) {
            return err_set(e, ERR_MISSING, "'%s' does not exist", shown);
        }
    }
    return 0;
}

static int add_revisions(struct session *s, const struct opt_list *targets,
                         const struct revision_scope *scope, struct value *result, struct err *e)
{
    struct revision *revs;
    size_t count;
    if (revision_list(&s->repo, scope, &s->arena, &revs, &count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (add_revision(s, targets, revs[i].commit, revs[i].names, result, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* As DVC: the workspace is not shown when it says the same as the branch that is checked out. */
static void hide_workspace(struct session *s, struct value *result)
{
    struct git_head head;
    if (git_head(&s->repo, &head, NULL) == 0 && head.branch[0] != 0) {
        const struct value *here = value_get(result, "workspace");
        const struct value *branch = value_get(result, head.branch);
        if (here != NULL && branch != NULL && value_eq(here, branch)) {
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
        {OPT_FLAG, 'R', "recursive", NULL, "targets are folders", &recursive, NULL},
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
    if (session_open(&s, SESSION_GRAPH, quiet, &e) < 0) {
        opt_list_release(&args);
        return session_fail(&e, 1);
    }
    bool several = revision_scope_any(&scope);
    struct value *result = value_map(&s.arena);
    int rc = add_revision(&s, &args, NULL, several ? "workspace" : "", result, &e);
    rc = rc == 0 ? add_revisions(&s, &args, &scope, result, &e) : rc;
    if (several) {
        hide_workspace(&s, result);
    }
    if (rc == 0 && json) {
        print_json(result);
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
