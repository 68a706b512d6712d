/* See repro_watch.h. */
#include "repro_watch.h"

#include "arena.h"
#include "err.h"
#include "json.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "repro.h"
#include "value.h"
#include "watch.h"

#include <stdio.h>
#include <string.h>

#define RESTLESS_MAX 3
#define SHOWN_MAX 5

static bool is_command(const struct stage *st)
{
    return st->cmd_count > 0;
}

static int add_path(struct watch *w, const struct repo *r, struct arena *a, const char *path,
                    struct err *e)
{
    return watch_add(w, repo_abs(r, a, path), e);
}

static int add_stage(struct watch *w, const struct repo *r, struct arena *a, const struct stage *st,
                     struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < st->dep_count && rc == 0; i++) {
        rc = st->deps[i].is_url ? 0 : add_path(w, r, a, st->deps[i].path, e);
    }
    for (size_t i = 0; i < st->param_count && rc == 0; i++) {
        rc = add_path(w, r, a, st->params[i].path, e);
    }
    for (size_t i = 0; i < st->out_count && rc == 0 && !is_command(st); i++) {
        rc = add_path(w, r, a, st->outs[i].path, e);
    }
    return rc == 0 ? add_path(w, r, a, st->file, e) : rc;
}

/* dvc.yaml files, and the values that their templates take. */
static int add_pipelines(struct watch *w, const struct repo *r, struct arena *a,
                         const struct pipeline *p, struct err *e)
{
    int rc = add_path(w, r, a, path_join(a, r->prefix, "dvc.yaml"), e);
    for (size_t i = 0; i < p->file_count && rc == 0; i++) {
        const char *dir = path_dirname(a, p->files[i].path);
        rc = add_path(w, r, a, p->files[i].path, e);
        if (rc == 0 && strcmp(path_extension(p->files[i].path), ".yaml") == 0) {
            rc = add_path(w, r, a, path_join(a, dir, "params.yaml"), e);
        }
    }
    const struct value *read = p->documents;
    for (size_t i = 0; read != NULL && i < read->map.count && rc == 0; i++) {
        rc = add_path(w, r, a, value_as_str(read->map.pairs[i].key).p, e);
    }
    return rc;
}

int repro_watch_arm(struct repro_watch *w, const struct repro_context *c,
                    const struct repro_options *opt, struct err *e)
{
    const struct pipeline *p = c->graph->pipeline;
    struct arena a;
    struct graph_plan plan;
    arena_init(&a);
    struct watch *files = watch_new(c->repo->root, e);
    int rc = files == NULL ? -1 : repro_select(c, opt, &a, &plan, e);
    for (size_t i = 0; i < p->stage_count && rc == 0; i++) {
        const struct stage *st = &p->stages[i];
        for (size_t k = 0; k < st->out_count && is_command(st); k++) {
            watch_skip(files, repo_abs(c->repo, &a, st->outs[k].path));
        }
    }
    if (rc == 0) {
        rc = add_pipelines(files, c->repo, &a, p, e);
    }
    for (size_t i = 0; rc == 0 && i < plan.count; i++) {
        rc = add_stage(files, c->repo, &a, &p->stages[plan.order[i]], e);
    }
    if (rc == 0) {
        watch_free(w->files);
        w->files = files;
    } else {
        watch_free(files);
    }
    arena_release(&a);
    return rc;
}

void repro_watch_release(struct repro_watch *w)
{
    watch_free(w->files);
    w->files = NULL;
}

/* ---- telling ---- */

static void print_event(struct arena *a, const char *name, struct value *paths)
{
    struct value *v = value_map(a);
    struct strbuf b;
    strbuf_init(&b);
    value_set(a, v, "schema", value_int(a, 1));
    value_set(a, v, "event", value_cstr(a, name));
    if (paths != NULL) {
        value_set(a, v, "paths", paths);
    }
    json_write(&b, v, &(struct json_style){.utf8 = true});
    printf("%s\n", b.p);
    strbuf_release(&b);
}

static const char *shown(const struct repro_watch *w, struct arena *a, const char *path)
{
    return path[0] == 0 ? "(too many to be told)" : path_relative(a, w->cwd, path);
}

static void tell_changes(const struct repro_watch *w)
{
    struct arena a;
    const char *const *paths;
    size_t count = watch_changed(w->files, &paths);
    arena_init(&a);
    if (w->json) {
        struct value *list = value_list(&a);
        for (size_t i = 0; i < count; i++) {
            value_push(&a, list, value_cstr(&a, shown(w, &a, paths[i])));
        }
        print_event(&a, "changed", list);
    } else if (!w->quiet) {
        for (size_t i = 0; i < count && i < SHOWN_MAX; i++) {
            printf("%s%s", i == 0 ? "Changed: " : ", ", shown(w, &a, paths[i]));
        }
        if (count > SHOWN_MAX) {
            printf(" and %zu more", count - SHOWN_MAX);
        }
        putchar('\n');
    }
    fflush(stdout);
    arena_release(&a);
}

static void tell_waiting(const struct repro_watch *w)
{
    struct arena a;
    arena_init(&a);
    if (w->json) {
        print_event(&a, "waiting", NULL);
    } else if (!w->quiet) {
        printf("\nWaiting for changes; Ctrl-C ends.\n");
    }
    fflush(stdout);
    arena_release(&a);
}

/* Stages that write what they read would run for ever. */
static void calm_down(struct repro_watch *w)
{
    if (!watch_pending(w->files)) {
        w->restless = 0;
    } else if (++w->restless > RESTLESS_MAX) {
        struct arena a;
        const char *const *paths;
        watch_changed(w->files, &paths);
        arena_init(&a);
        fflush(stdout);
        fprintf(stderr,
                "WARNING: '%s' changes whenever the stages run; this change is not followed\n",
                shown(w, &a, paths[0]));
        arena_release(&a);
        watch_forget(w->files);
        w->restless = 0;
    }
}

int repro_watch_next(struct repro_watch *w, const struct repro_stop *stop, struct err *e)
{
    calm_down(w);
    tell_waiting(w);
    int rc = watch_wait(w->files, stop, e);
    if (rc > 0) {
        tell_changes(w);
        watch_forget(w->files);
    }
    return rc;
}
