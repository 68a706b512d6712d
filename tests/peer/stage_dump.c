/*
 * Developer program: Nephron's view of a repository as JSON, for tests/peer/corpus_stages.py.
 *
 *   stage_dump DIR FILE…     FILE: repo paths of dvc.yaml and .dvc files, each read by itself
 *
 * {"files": {FILE: {"stages": […]} | {"error": text}}, "repo": {"up": {addr: [addr]}, "order": […],
 * "dag": {form: text}} | {"error": text}}
 */
#include "dag.h"
#include "err.h"
#include "fs.h"
#include "graph.h"
#include "json.h"
#include "pipeline.h"
#include "repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct value *text(struct arena *a, const char *s)
{
    return s ? value_cstr(a, s) : value_null(a);
}

static struct value *texts(struct arena *a, const char *const *items, size_t n)
{
    struct value *list = value_list(a);
    for (size_t i = 0; i < n; i++) {
        value_push(a, list, value_cstr(a, items[i]));
    }
    return list;
}

static struct value *out_value(struct arena *a, const struct out *o)
{
    static const char *const kinds[] = {"outs", "metrics", "plots"};
    struct value *v = value_map(a);
    value_set(a, v, "path", value_cstr(a, o->def));
    value_set(a, v, "kind", value_cstr(a, kinds[o->kind]));
    value_set(a, v, "cache", value_bool(a, o->cache));
    value_set(a, v, "persist", value_bool(a, o->persist));
    value_set(a, v, "push", value_bool(a, o->push));
    value_set(a, v, "remote", text(a, o->remote));
    value_set(a, v, "desc", text(a, o->desc));
    value_set(a, v, "type", text(a, o->type));
    value_set(a, v, "md5", text(a, o->hash.md5));
    return v;
}

static struct value *stage_value(struct arena *a, const struct stage *s)
{
    struct value *v = value_map(a), *deps = value_list(a), *params = value_map(a),
                 *outs = value_list(a);
    for (size_t i = 0; i < s->dep_count; i++) {
        value_push(a, deps, value_cstr(a, s->deps[i].def));
    }
    for (size_t i = 0; i < s->param_count; i++) {
        value_set(a, params, s->params[i].def, texts(a, s->params[i].keys, s->params[i].key_count));
    }
    for (size_t i = 0; i < s->out_count; i++) {
        value_push(a, outs, out_value(a, &s->outs[i]));
    }
    value_set(a, v, "addr", value_cstr(a, s->addr));
    value_set(a, v, "wdir", value_cstr(a, s->wdir));
    value_set(a, v, "cmd", s->cmd_is_list ? texts(a, s->cmds, s->cmd_count) : text(a, s->cmd_text));
    value_set(a, v, "deps", deps);
    value_set(a, v, "params", params);
    value_set(a, v, "outs", outs);
    value_set(a, v, "frozen", value_bool(a, s->frozen));
    value_set(a, v, "always_changed", value_bool(a, s->always_changed));
    value_set(a, v, "desc", text(a, s->desc));
    value_set(a, v, "meta", s->meta ? value_copy(a, s->meta) : value_null(a));
    return v;
}

static struct value *error_value(struct arena *a, const struct err *e)
{
    struct value *v = value_map(a);
    value_set(a, v, "error", value_cstr(a, e->text));
    return v;
}

static struct value *file_value(struct arena *a, const struct repo *r, const char *path)
{
    struct pipeline p;
    struct strbuf content;
    struct err e = ERR_INIT;
    struct value *v = value_map(a), *stages = value_list(a);
    pipeline_init(&p);
    strbuf_init(&content);
    if (fs_read(repo_abs(r, a, path), 0, &content, &e) < 0 ||
        pipeline_parse(&p, r, path, strbuf_str(&content), &e) < 0) {
        v = error_value(a, &e);
    } else {
        for (size_t i = 0; i < p.stage_count; i++) {
            value_push(a, stages, stage_value(a, &p.stages[i]));
        }
        value_set(a, v, "stages", stages);
    }
    strbuf_release(&content);
    pipeline_release(&p);
    return v;
}

/* The graph in all forms. */
static struct value *dag_value(struct arena *a, const struct graph *g, const struct repo *r)
{
    static const char *const names[] = {"text", "dot", "mermaid", "md"};
    struct value *v = value_map(a);
    struct strbuf out;
    strbuf_init(&out);
    for (int i = 0; i < 8; i++) {
        struct dag_options opt = {.form = (enum dag_form)(i % 4), .outs = i >= 4};
        struct err e = ERR_INIT;
        strbuf_reset(&out);
        int ok = dag_render(g, r, NULL, &opt, &out, &e);
        value_set(a, v, arena_printf(a, "%s%s", i >= 4 ? "outs_" : "", names[i % 4]),
                  value_cstr(a, ok < 0 ? e.text : out.p));
    }
    strbuf_release(&out);
    return v;
}

static struct value *graph_value(struct arena *a, const struct graph *g, const struct repo *r)
{
    struct value *v = value_map(a), *up = value_map(a), *order = value_list(a);
    struct graph_plan plan;
    struct graph_plan_options all = {.all = true};
    graph_make_plan(g, NULL, &all, a, &plan);
    for (size_t i = 0; i < g->count; i++) {
        struct value *list = value_list(a);
        for (uint32_t k = 0; k < g->nodes[i].up_count; k++) {
            value_push(a, list, value_cstr(a, g->pipeline->stages[g->nodes[i].up[k]].addr));
        }
        value_set(a, up, g->pipeline->stages[i].addr, list);
    }
    for (size_t i = 0; i < plan.count; i++) {
        value_push(a, order, value_cstr(a, g->pipeline->stages[plan.order[i]].addr));
    }
    value_set(a, v, "up", up);
    value_set(a, v, "order", order);
    value_set(a, v, "dag", dag_value(a, g, r));
    return v;
}

static struct value *repo_value(struct arena *a, const struct repo *r)
{
    struct pipeline p;
    struct graph g;
    struct err e = ERR_INIT;
    if (pipeline_load(&p, r, &e) < 0) {
        return error_value(a, &e);
    }
    struct value *v;
    if (graph_build(&g, &p, r, &e) < 0) {
        v = error_value(a, &e);
    } else {
        v = graph_value(a, &g, r);
        graph_release(&g);
    }
    pipeline_release(&p);
    return v;
}

int main(int argc, char **argv)
{
    struct repo r;
    struct err e = ERR_INIT;
    struct arena a;
    struct strbuf out;
    struct json_style style = {0};
    if (argc < 2 || chdir(argv[1]) < 0 || repo_open(&r, NULL, &e) < 0) {
        fprintf(stderr, "stage_dump: %s\n", e.code ? e.text : "usage: stage_dump DIR FILE…");
        return 2;
    }
    arena_init(&a);
    strbuf_init(&out);
    struct value *doc = value_map(&a), *files = value_map(&a);
    for (int i = 2; i < argc; i++) {
        value_set(&a, files, argv[i], file_value(&a, &r, argv[i]));
    }
    value_set(&a, doc, "files", files);
    value_set(&a, doc, "repo", repo_value(&a, &r));
    json_write(&out, doc, &style);
    puts(out.p);
    strbuf_release(&out);
    arena_release(&a);
    repo_close(&r);
    return fflush(stdout) ? 1 : 0;
}
