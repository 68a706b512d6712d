/* `exp show` and `exp diff`: what experiments say of themselves. */
#include "cmd_exp.h"

#include "clock.h"
#include "err.h"
#include "expqueue.h"
#include "expref.h"
#include "expstate.h"
#include "exptable.h"
#include "git.h"
#include "opt.h"
#include "params.h"
#include "session.h"
#include "sync.h"
#include "table.h"
#include "value.h"
#include "valuefiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* `prefix`: what failed, where DVC says so and answers 1. */
static int end(struct session *s, int rc, const char *prefix, const struct err *e)
{
    session_close(s);
    return rc == 0 ? 0 : prefix != NULL ? sync_fail(e, prefix) : session_fail(e, 255);
}

/* ---- show ---- */

struct show_words {
    struct expstate_options what;
    struct exptable_options table;
    struct opt_list revs, keep, drop;
    bool json, csv, md, no_pager, quiet;
    long precision;
    const char *order;
};

static size_t terminal_width(void)
{
    struct winsize w;
    const char *columns = getenv("COLUMNS");
    long n = columns != NULL ? strtol(columns, NULL, 10) : 0;
    if (n <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0) {
        n = w.ws_col;
    }
    return n > 0 ? (size_t)n : 80;
}

static int print_states(struct show_words *w, const struct value *states, struct err *e)
{
    struct strbuf out;
    if (w->quiet && (w->json || w->csv)) {
        return 0;
    }
    if (w->json) {
        session_print_json(states);
        return 0;
    }
    struct exptable_options *t = &w->table;
    t->form = w->csv ? EXPTABLE_CSV : w->md ? EXPTABLE_MARKDOWN : EXPTABLE_LINES;
    t->precision = w->csv ? (int)w->precision : 5; /* DVC takes --precision for --csv alone */
    t->keep = w->keep.items;
    t->keep_count = w->keep.count;
    t->drop = w->drop.items;
    t->drop_count = w->drop.count;
    t->now_ms = clock_wall_ms(&clock_system);
    t->max_width = w->no_pager ? terminal_width() : 0;
    strbuf_init(&out);
    int rc = exptable_render(states, t, &out, e);
    fwrite(out.p, 1, out.n, stdout);
    strbuf_release(&out);
    return rc;
}

static int show(struct session *s, struct show_words *w, const char **prefix, struct err *e)
{
    struct expqueue q = {&s->repo, &s->arena};
    struct expqueue_list tasks;
    struct value *states;
    *prefix = "failed to show experiments";
    if (expref_check(&s->repo, e) < 0 || expqueue_read(&q, &tasks, e) < 0) {
        return -1;
    }
    w->what.tasks = tasks.items;
    w->what.task_count = tasks.count;
    if (expstate_collect(s->store, &s->arena, &w->what, &states, e) < 0) {
        return -1;
    }
    *prefix = NULL;
    return print_states(w, states, e);
}

static int run_show(struct show_words *w)
{
    struct err e = ERR_INIT;
    struct session s;
    const char *prefix = NULL;
    w->what.scope.revs = w->revs.items;
    w->what.scope.rev_count = w->revs.count;
    if (session_open_data(&s, SESSION_REPO, false, &e) < 0) {
        return session_fail(&e, 255);
    }
    int rc = show(&s, w, &prefix, &e);
    return end(&s, rc, prefix, &e);
}

int cmd_exp_show(int argc, char **argv)
{
    struct show_words w = {0};
    struct revision_scope *scope = &w.what.scope;
    struct opt_list args = {0};
    bool force = false, no_fetch = false;
    const struct opt options[] = {
        {OPT_GROUP, 0, NULL, NULL,
         "Which experiments (those of HEAD, unless told otherwise):", NULL, NULL},
        {OPT_FLAG, 'A', "all-commits", NULL, "of all commits", &scope->commits, NULL},
        {OPT_LIST, 0, "rev", "COMMIT", "of this commit (may be given twice)", &w.revs, NULL},
        {OPT_INT, 'n', "num", "N", "and of N-1 commits before it (first parents; negative: all)",
         &scope->num, NULL},
        {OPT_FLAG, 'a', "all-branches", NULL, "of the tips of all branches", &scope->branches,
         NULL},
        {OPT_FLAG, 'T', "all-tags", NULL, "of all tags", &scope->tags, NULL},
        {OPT_FLAG, 0, "hide-failed", NULL, "not those that failed", &w.what.hide_failed, NULL},
        {OPT_FLAG, 0, "hide-queued", NULL, "not those that wait", &w.what.hide_queued, NULL},
        {OPT_FLAG, 0, "hide-workspace", NULL, "not the workspace", &w.what.hide_workspace, NULL},
        {OPT_GROUP, 0, NULL, NULL, "Columns and rows:", NULL, NULL},
        {OPT_FLAG, 0, "only-changed", NULL, "only columns whose values differ",
         &w.table.only_changed, NULL},
        {OPT_LIST, 0, "drop", "REGEX", "without the columns that match", &w.drop, NULL},
        {OPT_LIST, 0, "keep", "REGEX", "the columns that match stay in any case", &w.keep, NULL},
        {OPT_FLAG, 0, "param-deps", NULL, "only parameters that stages depend on",
         &w.what.param_deps, NULL},
        {OPT_STR, 0, "sort-by", "NAME", "order by this metric or parameter", &w.table.sort_by,
         NULL},
        {OPT_STR, 0, "sort-order", "ORDER", "asc (default) or desc", &w.order, NULL},
        {OPT_FLAG, 0, "sha", NULL, "commits by their ids, not by branches and tags", &w.what.sha,
         NULL},
        {OPT_GROUP, 0, NULL, NULL, "Output:", NULL, NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON list", &w.json, NULL},
        {OPT_FLAG, 0, "csv", NULL, "comma-separated", &w.csv, NULL},
        {OPT_FLAG, 0, "md", NULL, "markdown table", &w.md, NULL},
        {OPT_INT, 0, "precision", "N", "significant digits (--csv; default: all)", &w.precision,
         NULL},
        {OPT_FLAG, 0, "no-pager", NULL, "not wider than the terminal", &w.no_pager, NULL},
        {OPT_FLAG, 'f', "force", NULL, "accepted for DVC's sake: nothing is cached", &force, NULL},
        {OPT_FLAG, 0, "no-fetch", NULL, "accepted for DVC's sake", &no_fetch, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "no JSON and no CSV; tables are printed anyway, as with DVC",
         &w.quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron exp show [OPTION]...",
        .about = "Shows experiments with their metrics, parameters and dependencies.",
        .examples = "  nephron exp show\n  nephron exp show -A --only-changed --sort-by acc "
                    "--sort-order desc\n  "
                    "nephron exp show --csv --drop '.*'  --keep 'Experiment|acc|lr'",
        .options = options};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        bool known = w.order == NULL || strcmp(w.order, "asc") == 0 || strcmp(w.order, "desc") == 0;
        w.table.descending = w.order != NULL && strcmp(w.order, "desc") == 0;
        if (!known) {
            fprintf(
                stderr,
                "ERROR: argument --sort-order: invalid choice: '%s' (choose from 'asc', 'desc')\n",
                w.order);
            opt_print_usage(&spec);
        }
        code = known ? run_show(&w) : 254;
    }
    opt_list_release(&w.revs);
    opt_list_release(&w.keep);
    opt_list_release(&w.drop);
    opt_list_release(&args);
    return code;
}

/* ---- diff ---- */

struct diff_words {
    bool all, deps, json, md, no_path, quiet;
    long precision;
    const char *old_rev, *new_rev; /* as typed; NULL: HEAD, the workspace */
};

static int side(struct session *s, const struct diff_words *w, const char *rev,
                struct value **state, struct err *e)
{
    char commit[65] = "workspace";
    if (rev != NULL && git_rev_parse(&s->repo, rev, commit, e) < 0) {
        return -1;
    }
    return expstate_one(s->store, &s->arena, commit, w->deps, state, e);
}

static struct value *compare(struct session *s, const struct diff_words *w, const char *key,
                             const struct value *old, const struct value *new)
{
    struct value *sides[2];
    for (int i = 0; i < 2; i++) {
        struct value *files = value_get(value_get(i == 0 ? old : new, "data"), key);
        struct value *wrapped = value_map(&s->arena);
        if (files != NULL) {
            value_set(&s->arena, wrapped, "data", files);
        }
        sides[i] = valuefiles_documents(&s->arena, wrapped);
    }
    return params_diff(&s->arena, sides[0], sides[1], w->all);
}

static void print_diff(const struct diff_words *w, const struct value *diff)
{
    struct strbuf out;
    strbuf_init(&out);
    struct table_diff_options opt = {.title = "Metric",
                                     .old_name = w->old_rev != NULL ? w->old_rev : "HEAD",
                                     .new_name = w->new_rev != NULL ? w->new_rev : "workspace",
                                     .no_path = w->no_path,
                                     .change = true,
                                     .markdown = w->md,
                                     .precision = w->precision > 0 ? (int)w->precision : 5,
                                     .significant = true,
                                     .no_difference = "diff not supported"};
    table_diff(value_get(diff, "metrics"), &opt, &out);
    strbuf_addch(&out, '\n');
    opt.title = "Param";
    opt.precision = 0;
    table_diff(value_get(diff, "params"), &opt, &out);
    fwrite(out.p, 1, out.n, stdout);
    strbuf_release(&out);
}

static int run_diff(const struct diff_words *w)
{
    struct err e = ERR_INIT;
    struct session s;
    char head[65];
    struct value *old, *new;
    if (session_open_data(&s, SESSION_REPO, false, &e) < 0) {
        return session_fail(&e, 255);
    }
    struct value *diff = value_map(&s.arena);
    if (expref_check(&s.repo, &e) < 0) {
        return end(&s, -1, "failed to show experiments diff", &e);
    }
    bool commits = git_rev_parse(&s.repo, "HEAD", head, NULL) == 0;
    if (commits) {
        if (side(&s, w, w->old_rev != NULL ? w->old_rev : "HEAD", &old, &e) < 0 ||
            side(&s, w, w->new_rev, &new, &e) < 0) {
            return end(&s, -1, "failed to show experiments diff", &e);
        }
        value_set(&s.arena, diff, "metrics", compare(&s, w, "metrics", old, new));
        value_set(&s.arena, diff, "params", compare(&s, w, "params", old, new));
    }
    if (w->json && !w->quiet) {
        session_print_json(diff);
    } else if (commits && !w->json) {
        print_diff(w, diff);
    }
    return end(&s, 0, NULL, &e);
}

int cmd_exp_diff(int argc, char **argv)
{
    struct diff_words w = {0};
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_FLAG, 0, "all", NULL, "also what did not change", &w.all, NULL},
        {OPT_FLAG, 0, "param-deps", NULL, "only parameters that stages depend on", &w.deps, NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON object", &w.json, NULL},
        {OPT_FLAG, 0, "md", NULL, "markdown tables", &w.md, NULL},
        {OPT_FLAG, 0, "no-path", NULL, "leave the Path column out", &w.no_path, NULL},
        {OPT_INT, 0, "precision", "N", "digits of metrics (default 5)", &w.precision, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "no JSON; tables are printed anyway, as with DVC", &w.quiet,
         NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron exp diff [OPTION]... [A [B]]",
        .about = "Compares metrics and parameters of two experiments or revisions: A (HEAD) with B "
                 "(the workspace).",
        .examples = "  nephron exp diff brisk-otter\n  nephron exp diff main brisk-otter --json",
        .options = options,
        .max_args = 2};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        w.old_rev = args.count > 0 ? args.items[0] : NULL;
        w.new_rev = args.count > 1 ? args.items[1] : NULL;
        code = run_diff(&w);
    }
    opt_list_release(&args);
    return code;
}
