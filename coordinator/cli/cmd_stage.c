/* `stage add` and `stage list`. */

#include "cmd.h"

#include "alloc.h"
#include "emit.h"
#include "err.h"
#include "fs.h"
#include "gitignore.h"
#include "session.h"
#include "stagefile.h"

#include <stdio.h>
#include <stdlib.h>

struct add_lists {
    struct opt_list deps, params, outs, outs_no_cache, persist, persist_no_cache, metrics,
        metrics_no_cache, plots, plots_no_cache;
};

static size_t take_outs(struct stagefile_out *to, const struct opt_list *l, const char *kind,
                        bool no_cache, bool persist)
{
    for (size_t i = 0; i < l->count; i++) {
        to[i] = (struct stagefile_out){l->items[i], kind, no_cache, persist};
    }
    return l->count;
}

static void collect_outs(struct stagefile_add *add, struct arena *a, const struct add_lists *l)
{
    size_t n = l->outs.count + l->outs_no_cache.count + l->persist.count +
               l->persist_no_cache.count + l->metrics.count + l->metrics_no_cache.count +
               l->plots.count + l->plots_no_cache.count;
    struct stagefile_out *outs = ARENA_ARRAY(a, n + 1, struct stagefile_out);
    size_t at = 0;
    at += take_outs(outs + at, &l->outs, "outs", false, false);
    at += take_outs(outs + at, &l->outs_no_cache, "outs", true, false);
    at += take_outs(outs + at, &l->persist, "outs", false, true);
    at += take_outs(outs + at, &l->persist_no_cache, "outs", true, true);
    at += take_outs(outs + at, &l->metrics, "metrics", false, false);
    at += take_outs(outs + at, &l->metrics_no_cache, "metrics", true, false);
    at += take_outs(outs + at, &l->plots, "plots", false, false);
    at += take_outs(outs + at, &l->plots_no_cache, "plots", true, false);
    add->outs = outs;
    add->out_count = at;
}

static void release_lists(struct add_lists *l)
{
    struct opt_list *all[] = {&l->deps,    &l->params,           &l->outs,    &l->outs_no_cache,
                              &l->persist, &l->persist_no_cache, &l->metrics, &l->metrics_no_cache,
                              &l->plots,   &l->plots_no_cache};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        opt_list_release(all[i]);
    }
}

static void emit_block(struct strbuf *out, const struct value *v, unsigned indent)
{
    emit_yaml(out, v, &(struct emit_options){.indent = indent});
}

/* Edits ./dvc.yaml of the current folder. */
static int write_stage(struct session *s, const struct stagefile_add *add, struct err *e)
{
    struct strbuf text, out;
    strbuf_init(&text);
    strbuf_init(&out);
    int rc = fs_exists("dvc.yaml") ? fs_read("dvc.yaml", (size_t)16 << 20, &text, e) : 0;
    if (rc == 0) {
        rc = stagefile_add_stage(&s->repo, &s->pipeline, add, strbuf_str(&text), &out, e);
    }
    if (rc == 0) {
        rc = fs_write_atomic("dvc.yaml", out.p, out.n, 0, e);
    }
    for (size_t i = 0; rc == 0 && i < add->out_count; i++) {
        if (!add->outs[i].no_cache) {
            const char *typed =
                add->wdir == NULL ? add->outs[i].path
                                  : arena_printf(&s->arena, "%s/%s", add->wdir, add->outs[i].path);
            rc = gitignore_add(&s->repo, repo_path(&s->repo, &s->arena, typed), NULL, e);
        }
    }
    strbuf_release(&out);
    strbuf_release(&text);
    return rc;
}

static int add_and_report(struct stagefile_add *add, const struct add_lists *l, bool quiet,
                          bool run)
{
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_PIPELINE, quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    collect_outs(add, &s.arena, l);
    int rc = session_lock(&s, "nephron stage add", &e);
    if (rc == 0) {
        rc = write_stage(&s, add, &e);
    }
    session_close(&s);
    if (rc < 0) {
        return session_fail(&e, 255);
    }
    if (!quiet) {
        printf("Added stage '%s' in 'dvc.yaml'\n", add->name);
    }
    if (run) {
        char *argv[] = {"repro", "-s", (char *)add->name, NULL};
        return cmd_repro(3, argv);
    }
    return 0;
}

static int stage_add(int argc, char **argv)
{
    struct stagefile_add add = {.emit = emit_block};
    struct add_lists l = {0};
    bool quiet = false, run = false;
    const struct opt options[] = {
        {OPT_STR, 'n', "name", "NAME", "name of the stage", &add.name, NULL},
        {OPT_LIST, 'd', "deps", "PATH", "what it reads", &l.deps, NULL},
        {OPT_LIST, 'p', "params", "[FILE:]KEYS", "parameters it depends on", &l.params, NULL},
        {OPT_LIST, 'o', "outs", "PATH", "what it writes", &l.outs, NULL},
        {OPT_LIST, 'O', "outs-no-cache", "PATH", "written, but not kept in the cache",
         &l.outs_no_cache, NULL},
        {OPT_LIST, 0, "outs-persist", "PATH", "written, and not removed before a run", &l.persist,
         NULL},
        {OPT_LIST, 0, "outs-persist-no-cache", "PATH", "both", &l.persist_no_cache, NULL},
        {OPT_LIST, 'm', "metrics", "PATH", "metrics file", &l.metrics, NULL},
        {OPT_LIST, 'M', "metrics-no-cache", "PATH", "metrics file, kept in git",
         &l.metrics_no_cache, NULL},
        {OPT_LIST, 0, "plots", "PATH", "plots file", &l.plots, NULL},
        {OPT_LIST, 0, "plots-no-cache", "PATH", "plots file, kept in git", &l.plots_no_cache, NULL},
        {OPT_STR, 'w', "wdir", "PATH", "folder to run in", &add.wdir, NULL},
        {OPT_STR, 0, "desc", "TEXT", "description", &add.desc, NULL},
        {OPT_FLAG, 0, "always-changed", NULL, "run at every repro", &add.always_changed, NULL},
        {OPT_FLAG, 'f', "force", NULL, "replace a stage of that name", &add.force, NULL},
        {OPT_FLAG, 0, "run", NULL, "run it at once", &run, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron stage add -n NAME [OPTION]... COMMAND...",
        .about = "Adds a stage to dvc.yaml, keeping what else stands there.",
        .examples =
            "  nephron stage add -n prepare -d raw.csv -o clean.csv -p split python prepare.py",
        .options = options,
        .max_args = OPT_ANY,
        .stop_at_first_word = true};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        release_lists(&l);
        return code;
    }
    if (add.name == NULL) {
        fprintf(stderr, "ERROR: the following arguments are required: -n/--name\n");
        opt_print_usage(&spec);
        code = 254;
    } else {
        struct strbuf cmd;
        strbuf_init(&cmd);
        stagefile_join_command((char *const *)args.items, args.count, &cmd);
        add.cmd = cmd.p;
        add.deps = l.deps.items;
        add.dep_count = l.deps.count;
        add.params = l.params.items;
        add.param_count = l.params.count;
        code = add_and_report(&add, &l, quiet, run);
        strbuf_release(&cmd);
    }
    release_lists(&l);
    opt_list_release(&args);
    return code;
}

/* Without targets the file of this folder is asked for, and nothing is said of others when it is not there. */
static int check_default(const struct opt_list *args, bool all, struct err *e)
{
    struct repo r;
    if (all || args->count > 0 || fs_exists("dvc.yaml") || repo_open(&r, NULL, e) < 0) {
        return e->code != ERR_NONE ? -1 : 0;
    }
    struct arena a;
    arena_init(&a);
    err_set(e, ERR_MISSING, "'%s' does not exist", repo_abs(&r, &a, repo_path(&r, &a, "dvc.yaml")));
    arena_release(&a);
    repo_close(&r);
    return -1;
}

static int list_stages(struct session *s, const struct opt_list *args, bool all, bool recursive,
                       bool name_only, struct err *e)
{
    struct graph_selection sel = {0};
    const struct graph_target_options how = {.recursive = recursive, .default_file = !all};
    if (graph_select(&s->graph, &s->repo, args->items, args->count, &how, &s->arena, &sel, e) < 0) {
        if (s->pipeline.broken != NULL) {
            *e = *s->pipeline.broken; /* what was asked for is in the file that was left out */
        }
        return -1;
    }
    for (size_t i = 0; !all && i < sel.count; i++) {
        const struct stage *st = &s->pipeline.stages[sel.items[i].stage];
        if (st->name && !store_lock(s->store, st->file, e)) {
            return -1;
        }
    }
    const struct stage **stages = ARENA_ARRAY(&s->arena, sel.count + 1, const struct stage *);
    for (size_t i = 0; i < sel.count; i++) {
        stages[i] = &s->pipeline.stages[sel.items[i].stage];
    }
    struct strbuf out;
    strbuf_init(&out);
    stagefile_list(stages, sel.count, name_only, &out);
    fwrite(out.p, 1, out.n, stdout);
    strbuf_release(&out);
    return 0;
}

static int stage_list(int argc, char **argv)
{
    bool all = false, recursive = false, name_only = false, fail = false, quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "all", NULL, "stages of all files of the repository", &all, NULL},
        {OPT_FLAG, 0, "fail", NULL, "fail when any file is broken, else those are left out", &fail,
         NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "targets are folders", &recursive, NULL},
        {OPT_FLAG, 0, "name-only", NULL, "names alone", &name_only, "names-only"},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron stage list [OPTION]... [TARGET]...",
                                  .about = "Lists stages and what they make.",
                                  .examples =
                                      "  nephron stage list\n  nephron stage list --name-only",
                                  .options = options,
                                  .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    int rc = check_default(&args, all, &e);
    if (rc == 0) {
        rc = (fail ? session_open_unchecked : session_open_most)(&s, SESSION_STORE, quiet, &e);
    }
    if (rc == 0) {
        rc = quiet ? 0 : list_stages(&s, &args, all, recursive, name_only, &e);
        session_close(&s);
    }
    opt_list_release(&args);
    return rc == 0 ? 0 : session_fail(&e, 255);
}

int cmd_stage(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"add", stage_add, "add a stage to dvc.yaml"},
        {"list", stage_list, "list stages"},
    };
    return session_dispatch("stage", commands, ARRAY_SIZE(commands), argc, argv);
}
