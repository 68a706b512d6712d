/*
 * store_tool: the store library as a bare command, for tests that hold its files against DVC's. Not
 * installed, no options of its own taste: COMMAND [-f] [--json] [--relink] [--no-commit]
 * [--no-run-cache] [-r REMOTE] [TARGET…].
 *
 *   status cloud add commit checkout push fetch repro   as DVC, on the repository around the
 * current folder emit                          JSON documents, one a line -> their YAML, each as a
 * JSON string on a line relock FILE…                  reads each lock and writes it back to
 * FILE.out
 */
#include "add.h"
#include "cas.h"
#include "checkout.h"
#include "commit.h"
#include "emit.h"
#include "err.h"
#include "fs.h"
#include "graph.h"
#include "json.h"
#include "lock.h"
#include "pipeline.h"
#include "proc.h"
#include "remote.h"
#include "repo.h"
#include "stale.h"
#include "stale_show.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    bool force, json, relink, no_commit, no_run_cache;
    const char *remote;
    const char **targets;
    size_t target_count;
};

struct tool {
    struct repo repo;
    struct pipeline pipeline;
    struct graph graph;
    struct store *store;
    struct arena arena;
    struct options opt;
    const struct stage **stages;
    struct checkout_target *chosen;
    size_t count;
};

static void note(void *ctx, enum store_note_kind kind, const char *text)
{
    static const char *const marks[] = {"", "WARNING: ", "ERROR: "};
    fprintf(stderr, "%s%s\n", marks[kind], text);
}

static int emit_lines(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    while ((n = getline(&line, &size, stdin)) > 0) {
        struct arena a;
        struct strbuf yaml, json;
        struct err e = ERR_INIT;
        arena_init(&a);
        strbuf_init(&yaml);
        strbuf_init(&json);
        struct value *v = json_parse(&a, (struct str){line, (size_t)n}, "stdin", &e);
        if (!v) {
            fprintf(stderr, "%s\n", e.text);
            return 1;
        }
        emit_yaml(&yaml, v, NULL);
        json_write_string(&json, strbuf_str(&yaml), false);
        puts(json.p);
        strbuf_release(&yaml);
        strbuf_release(&json);
        arena_release(&a);
    }
    free(line);
    return 0;
}

static int relock(char **files)
{
    for (; *files; files++) {
        struct err e = ERR_INIT;
        struct strbuf text;
        struct arena a;
        struct lock *l = lock_read(*files, "dvc.lock", NULL, &e);
        if (!l) {
            printf("refused %s\n", *files);
            continue;
        }
        arena_init(&a);
        strbuf_init(&text);
        lock_render(l, &text);
        if (fs_write_atomic(arena_printf(&a, "%s.out", *files), text.p, text.n, 0, &e) < 0) {
            fprintf(stderr, "%s\n", e.text);
            return 1;
        }
        strbuf_release(&text);
        arena_release(&a);
        lock_free(l);
    }
    return 0;
}

static int select_targets(struct tool *t, bool outputs, struct err *e)
{
    struct graph_selection sel;
    struct graph_target_options how = {.outputs = outputs};
    if (graph_select(&t->graph, &t->repo, t->opt.targets, t->opt.target_count, &how, &t->arena,
                     &sel, e) < 0) {
        return -1;
    }
    t->stages = ARENA_ARRAY(&t->arena, sel.count + 1, const struct stage *);
    t->chosen = ARENA_ARRAY(&t->arena, sel.count + 1, struct checkout_target);
    t->count = sel.count;
    for (size_t i = 0; i < sel.count; i++) {
        t->stages[i] = &t->pipeline.stages[sel.items[i].stage];
        t->chosen[i] = (struct checkout_target){t->stages[i], sel.items[i].filter};
    }
    return 0;
}

static int do_status(struct tool *t, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    struct stale_report *r = ARENA_ARRAY(&t->arena, t->count + 1, struct stale_report);
    int rc = stale_check(t->store, &t->arena, t->stages, t->count, NULL, r, e);
    if (rc == 0 && t->opt.json) {
        json_write(&out, stale_json(&t->arena, r, t->count), &(struct json_style){0});
        strbuf_addch(&out, '\n');
    } else if (rc == 0) {
        stale_text(&out, r, t->count);
        strbuf_adds(&out, out.n ? "" : "Data and pipelines are up to date.\n");
    }
    fputs(out.p, stdout);
    strbuf_release(&out);
    return rc;
}

static int write_locks(struct tool *t, struct err *e)
{
    for (size_t i = 0; i < t->count; i++) {
        struct lock *l = t->stages[i]->name ? store_lock(t->store, t->stages[i]->file, e) : NULL;
        if (t->stages[i]->name && (!l || lock_write(l, e) < 0)) {
            return -1;
        }
    }
    return 0;
}

static int do_commit(struct tool *t, struct err *e)
{
    struct commit_options how = {.force = t->opt.force};
    for (size_t i = 0; i < t->count; i++) {
        how.filter = t->chosen[i].filter;
        if (commit_stage(t->store, &t->arena, t->stages[i], &how, e) < 0) {
            return -1;
        }
    }
    return write_locks(t, e);
}

static int do_checkout(struct tool *t, struct err *e)
{
    struct checkout_result r;
    struct checkout_options how = {.force = t->opt.force, .relink = t->opt.relink};
    int rc = checkout_run(t->store, &t->arena, t->chosen, t->count, &how, &r, e);
    for (size_t i = 0; i < r.change_count; i++) {
        printf("%c\t%s\n", r.changes[i].letter, r.changes[i].shown);
    }
    return rc;
}

static int do_transfer(struct tool *t, const char *command, struct err *e)
{
    struct remote remote;
    struct remote_set set = {0};
    struct remote_result res;
    if (remote_open(&remote, t->store, &t->arena, t->opt.remote, e) < 0) {
        return -1;
    }
    bool push = !strcmp(command, "push"), cloud = !strcmp(command, "cloud");
    struct remote_collect_options how = {.push = push || cloud,
                                         .fetch_dirs = push ? NULL : &remote};
    int rc = remote_collect(t->store, &t->arena, t->chosen, t->count, &how, &set, e);
    if (rc == 0 && cloud) {
        enum remote_place *places = ARENA_ARRAY(&t->arena, set.count + 1, enum remote_place);
        rc = remote_compare(t->store, &remote, &set, places, e);
        for (size_t i = 0; i < set.count && rc == 0; i++) {
            if (places[i] != REMOTE_OK) {
                printf("%s %s\n", remote_place_name(places[i]), set.objects[i].shown);
            }
        }
    } else if (rc == 0) {
        rc = (push ? remote_push : remote_fetch)(t->store, &t->arena, &remote, &set, &res, e);
        if (rc == 0) {
            printf("%zu moved %zu failed %zu missing\n", res.moved, res.failed, res.missing_count);
        }
    }
    remote_set_release(&set);
    remote_close(&remote);
    return rc;
}

static int run_commands(struct tool *t, const struct stage *st, struct err *e)
{
    for (size_t i = 0; i < st->cmd_count; i++) {
        const char *argv[] = {"/bin/sh", "-c", st->cmds[i], NULL};
        struct proc_options how = {.argv = argv, .cwd = repo_abs(&t->repo, &t->arena, st->wdir)};
        struct proc p;
        struct proc_status status;
        if (proc_start(&p, &how, e) < 0 || proc_wait(&p, &status, e) < 0) {
            return -1;
        }
        if (proc_exit_code(&status) != 0) {
            return err_set(e, ERR_CHILD, "%s failed", st->addr);
        }
    }
    return 0;
}

static int repro_stage(struct tool *t, const struct stage *st, struct err *e)
{
    struct stale_report r;
    if (stale_check(t->store, &t->arena, &st, 1, NULL, &r, e) < 0) {
        return -1;
    }
    enum stale_reason why = stale_decide(t->store, &r, NULL);
    if (why == STALE_BY_FRESH && !t->opt.force) {
        printf("skip %s\n", st->addr);
        return 0;
    }
    unsigned flags = t->opt.no_commit ? COMMIT_NO_CACHE : 0;
    if (!st->name) {
        printf("verify %s\n", st->addr);
        return commit_source(t->store, &t->arena, st, flags, NULL, NULL, e);
    }
    struct lock *l = store_lock(t->store, st->file, e);
    struct commit c;
    bool restored = false;
    if (!l) {
        return -1;
    }
    commit_begin(&c, t->store, &t->arena, st, lock_find(l, st->name));
    if (!t->opt.force && (commit_deps(&c, 0, e) < 0 ||
                          commit_restore(&c, !t->opt.no_run_cache, false, &restored, e) < 0)) {
        return -1;
    }
    printf("%s %s\n", restored ? "restore" : "run", st->addr);
    fflush(stdout);
    if (!restored) {
        commit_begin(&c, t->store, &t->arena, st, lock_find(l, st->name));
        if (commit_clear_outs(t->store, &t->arena, st, e) < 0 || run_commands(t, st, e) < 0 ||
            commit_deps(&c, flags, e) < 0 || commit_outs(&c, flags, e) < 0 ||
            (!t->opt.no_commit && commit_runcache(&c, true, e) < 0)) {
            return -1;
        }
    }
    if (commit_ignore(&c, e) < 0) {
        return -1;
    }
    lock_set(l, c.entry);
    return lock_write(l, e);
}

static int do_repro(struct tool *t, struct err *e)
{
    struct graph_selection sel;
    struct graph_plan plan;
    struct graph_target_options how = {0};
    if (graph_select(&t->graph, &t->repo, t->opt.targets, t->opt.target_count, &how, &t->arena,
                     &sel, e) < 0) {
        return -1;
    }
    graph_make_plan(&t->graph, &sel, &(struct graph_plan_options){0}, &t->arena, &plan);
    for (size_t i = 0; i < plan.count; i++) {
        if (repro_stage(t, &t->pipeline.stages[plan.order[i]], e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int do_add(struct tool *t, struct err *e)
{
    struct add_result r;
    struct add_options how = {.no_commit = t->opt.no_commit, .force = t->opt.force};
    return add_run(t->store, &t->arena, &t->pipeline, t->opt.targets, t->opt.target_count, &how, &r,
                   e);
}

static int run(struct tool *t, const char *command, struct err *e)
{
    if (!strcmp(command, "add")) {
        return do_add(t, e);
    }
    if (graph_build(&t->graph, &t->pipeline, &t->repo, e) < 0) {
        return -1;
    }
    if (!strcmp(command, "repro")) {
        return do_repro(t, e);
    }
    if (select_targets(t, true, e) < 0) {
        return -1;
    }
    return !strcmp(command, "status")     ? do_status(t, e)
           : !strcmp(command, "commit")   ? do_commit(t, e)
           : !strcmp(command, "checkout") ? do_checkout(t, e)
                                          : do_transfer(t, command, e);
}

static void read_options(struct options *o, char **argv)
{
    o->targets = calloc(64, sizeof(*o->targets));
    for (; *argv && o->target_count < 63; argv++) {
        if (!strcmp(*argv, "-f")) {
            o->force = true;
        } else if (!strcmp(*argv, "--json")) {
            o->json = true;
        } else if (!strcmp(*argv, "--relink")) {
            o->relink = true;
        } else if (!strcmp(*argv, "--no-commit")) {
            o->no_commit = true;
        } else if (!strcmp(*argv, "--no-run-cache")) {
            o->no_run_cache = true;
        } else if (!strcmp(*argv, "-r") && argv[1]) {
            o->remote = *++argv;
        } else {
            o->targets[o->target_count++] = *argv;
        }
    }
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct tool t = {0};
    if (argc < 2) {
        fputs("usage: store_tool COMMAND [OPTION]… [TARGET]…\n", stderr);
        return 2;
    }
    if (!strcmp(argv[1], "emit")) {
        return emit_lines();
    }
    if (!strcmp(argv[1], "relock")) {
        return relock(argv + 2);
    }
    read_options(&t.opt, argv + 2);
    arena_init(&t.arena);
    bool repo = repo_open(&t.repo, NULL, &e) == 0;
    bool pipeline = repo && pipeline_load(&t.pipeline, &t.repo, &e) == 0;
    int rc = -1;
    if (pipeline) {
        t.store = store_open(&t.repo, &(struct store_options){.note = note}, &e);
        rc = t.store ? run(&t, argv[1], &e) : -1;
    }
    if (rc < 0) {
        fprintf(stderr, "ERROR: %s\n", e.text);
    }
    store_close(t.store);
    graph_release(&t.graph);
    if (pipeline) {
        pipeline_release(&t.pipeline);
    }
    if (repo) {
        repo_close(&t.repo);
    }
    arena_release(&t.arena);
    free(t.opt.targets);
    return rc < 0 ? 1 : 0;
}
