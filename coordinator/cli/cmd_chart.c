/* `graph` and `gantt`: the stages and their states, the last repro in time, as pictures. */

#include "cmd.h"

#include "err.h"
#include "gantt.h"
#include "graphsvg.h"
#include "path.h"
#include "session.h"
#include "stale.h"
#include "stale_show.h"
#include "svgpage.h"
#include "timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- graph ---- */

/* Stages of the picture in the pipeline's order: everything, or the target with what it needs, or
 * (full) with all that is connected to it. Returns how many. */
static size_t pick_stages(struct session *s, const struct graph_selection *sel, bool full, bool *in)
{
    const struct graph *g = &s->graph;
    size_t n = 0;
    if (sel == NULL) {
        memset(in, true, g->count);
        return g->count;
    }
    uint32_t *component = ARENA_ARRAY(&s->arena, g->count + 1, uint32_t);
    graph_components(g, component);
    for (size_t i = 0; i < sel->count; i++) {
        uint32_t target = sel->items[i].stage;
        if (!full) {
            graph_reach(g, target, false, false, in);
        }
        for (size_t k = 0; k < g->count && full; k++) {
            in[k] = in[k] || component[k] == component[target];
        }
    }
    for (size_t i = 0; i < g->count; i++) {
        n += in[i];
    }
    return n;
}

/* Stages whose last run failed, by the record of the last repro; in s->arena. */
static bool *find_failed(struct session *s)
{
    bool *failed = ARENA_ARRAY(&s->arena, s->graph.count + 1, bool);
    struct timeline t;
    if (timeline_load(&t, path_join(&s->arena, s->repo.tmp_dir, TIMELINE_FILE), NULL) == 0) {
        for (size_t i = 0; i < s->graph.count; i++) {
            const struct timeline_entry *n = timeline_find(&t, s->graph.pipeline->stages[i].addr);
            failed[i] = n != NULL && n->outcome == OUTCOME_FAILED;
        }
        timeline_release(&t);
    }
    return failed;
}

static enum graph_state state_of(struct session *s, const struct stale_report *r, bool pending,
                                 bool failed)
{
    if (stale_decide(s->store, r, NULL) != STALE_BY_FRESH) {
        return failed                                        ? GRAPH_FAILED
               : r->entry == NULL && r->stage->cmd_count > 0 ? GRAPH_NEVER
                                                             : GRAPH_STALE;
    }
    return r->stage->frozen ? GRAPH_FROZEN : pending ? GRAPH_AFTER : GRAPH_FRESH;
}

static void add_list(struct strbuf *b, const char *word, const char *text)
{
    strbuf_addf(b, "\n%s  %s", word, text);
}

/* The tooltip: address and state, commands, deps, params, outs, and why it would run. */
static const char *story_of(struct session *s, const struct stale_report *r,
                            const struct graphsvg_box *box)
{
    const struct stage *st = r->stage;
    struct strbuf b;
    strbuf_init(&b);
    strbuf_addf(&b, "%s: %s", st->addr, graphsvg_state_text(box->state));
    if (st->desc != NULL) {
        strbuf_addf(&b, "\n%s", st->desc);
    }
    for (size_t i = 0; i < st->cmd_count; i++) {
        add_list(&b, i == 0 ? "\n$" : "$", st->cmds[i]);
    }
    for (size_t i = 0; i < st->dep_count; i++) {
        add_list(&b, "dep", st->deps[i].def);
    }
    for (size_t i = 0; i < st->param_count; i++) {
        add_list(&b, "params", st->params[i].def);
        for (size_t k = 0; k < st->params[i].key_count; k++) {
            strbuf_addf(&b, "%s%s", k == 0 ? ": " : ", ", st->params[i].keys[k]);
        }
    }
    for (size_t i = 0; i < st->out_count; i++) {
        add_list(&b, "out", st->outs[i].def);
    }
    if (box->state != GRAPH_FRESH) {
        strbuf_adds(&b, "\n\n");
        stale_explain(s->store, &b, r);
    }
    const char *text = arena_strndup(&s->arena, b.p, b.n);
    strbuf_release(&b);
    return text;
}

/* Boxes and edges of the picked stages; states first, since they spread downstream. */
static int draw(struct session *s, const bool *in, size_t count, const char *title,
                struct strbuf *svg, struct err *e)
{
    struct arena *a = &s->arena;
    const struct graph *g = &s->graph;
    struct graph_plan plan;
    struct stale_report *reports = ARENA_ARRAY(a, g->count + 1, struct stale_report);
    const struct stage **stages = ARENA_ARRAY(a, g->count + 1, const struct stage *);
    bool *pending = ARENA_ARRAY(a, g->count + 1, bool);
    uint32_t *number = ARENA_ARRAY(a, g->count + 1, uint32_t);
    struct graphsvg_box *boxes = ARENA_ARRAY(a, count + 1, struct graphsvg_box);
    const bool *failed = find_failed(s);
    size_t edge_count = 0, n = 0;
    for (size_t i = 0; i < g->count; i++) {
        stages[i] = &g->pipeline->stages[i];
        number[i] = (uint32_t)n;
        n += in[i];
        edge_count += in[i] ? g->nodes[i].up_count : 0;
    }
    if (stale_check(s->store, a, stages, g->count, NULL, reports, e) < 0) {
        return -1;
    }
    graph_make_plan(g, &(struct graph_selection){0}, &(struct graph_plan_options){.all = true}, a,
                    &plan);
    struct daglayout_edge *edges = ARENA_ARRAY(a, edge_count + 1, struct daglayout_edge);
    edge_count = 0;
    for (size_t k = 0; k < plan.count; k++) {
        uint32_t i = plan.order[k];
        const struct graph_node *node = &g->nodes[i];
        for (uint32_t m = 0; m < node->up_count; m++) {
            pending[i] = pending[i] || (pending[node->up[m]] && !stages[i]->frozen);
        }
        enum graph_state state = state_of(s, &reports[i], pending[i], failed[i]);
        pending[i] = state != GRAPH_FRESH && state != GRAPH_FROZEN;
        if (in[i]) {
            struct graphsvg_box *b = &boxes[number[i]];
            *b = (struct graphsvg_box){
                .label = stages[i]->addr, .state = state, .data = stages[i]->cmd_count == 0};
            b->story = story_of(s, &reports[i], b);
        }
    }
    for (uint32_t i = 0; i < g->count; i++) {
        for (uint32_t m = 0; m < g->nodes[i].up_count && in[i]; m++) {
            uint32_t up = g->nodes[i].up[m];
            if (in[up]) {
                edges[edge_count++] = (struct daglayout_edge){number[up], number[i]};
            }
        }
    }
    return graphsvg_render(title, boxes, count, edges, edge_count, svg, e);
}

static int graph(const struct opt_list *args, const char *path, bool full)
{
    struct err e = ERR_INIT;
    struct session s;
    bool html;
    if (svgpage_form(path, &html, &e) < 0) {
        return session_fail(&e, 2);
    }
    if (session_open(&s, SESSION_STORE, true, &e) < 0) {
        return session_fail(&e, 255);
    }
    struct strbuf svg;
    strbuf_init(&svg);
    struct graph_selection sel = {0};
    const struct graph_target_options how = {.outputs = true};
    bool *in = ARENA_ARRAY(&s.arena, s.graph.count + 1, bool);
    int rc = args->count == 0 ? 0
                              : graph_select(&s.graph, &s.repo, args->items, args->count, &how,
                                             &s.arena, &sel, &e);
    if (rc == 0) {
        size_t count = pick_stages(&s, args->count > 0 ? &sel : NULL, full, in);
        const char *name = path_basename(s.repo.root);
        const char *title =
            args->count > 0 ? arena_printf(&s.arena, "%s: %s", name, args->items[0]) : name;
        rc = draw(&s, in, count, title, &svg, &e);
        if (rc == 0) {
            rc = svgpage_save(path, strbuf_str(&svg), title, graphsvg_script, &e);
        }
    }
    if (rc == 0 && strcmp(path, "-") != 0) {
        printf("%s\n", path);
    }
    strbuf_release(&svg);
    session_close(&s);
    return rc == 0 ? 0 : session_fail(&e, 255);
}

int cmd_graph(int argc, char **argv)
{
    const char *path = "graph.html";
    bool full = false;
    const struct opt options[] = {
        {OPT_STR, 'o', "out", "FILE", "where to: .svg, .html, or - for SVG on stdout", &path, NULL},
        {OPT_FLAG, 0, "full", NULL, "with a target: its whole pipeline", &full, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron graph [-o FILE.svg|FILE.html] [--full] [TARGET]",
        .about = "Draws the stages as a picture: which are up to date, stale, frozen or never ran, "
                 "and, under the mouse, what each runs, needs and makes, and why it would run. "
                 "Writes graph.html without -o.",
        .examples = "  nephron graph\n  nephron graph -o docs/pipeline.svg\n"
                    "  nephron graph -o - train | rsvg-convert >train.png",
        .options = options,
        .max_args = 1};
    struct opt_list args = {0};
    int code;
    if (session_options(&spec, argc, argv, &args, 2, &code)) {
        code = graph(&args, path, full);
    }
    opt_list_release(&args);
    return code;
}

/* ---- gantt ---- */

int cmd_gantt(int argc, char **argv)
{
    const char *path = "gantt.html";
    const struct opt options[] = {
        {OPT_STR, 'o', "out", "FILE", "where to: .svg, .html, or - for SVG on stdout", &path, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron gantt [-o FILE.svg|FILE.html]",
        .about =
            "Draws the last repro that ran something: which stage ran when on which slot, what "
            "waited, what failed, and the critical path, which made it as long as it was. "
            "Writes gantt.html without -o.",
        .examples = "  nephron gantt\n  nephron gantt -o - >last.svg\n"
                    "  nephron repro -j 4 --gantt repro.html",
        .options = options,
        .max_args = 0};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 2, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    bool html;
    if (svgpage_form(path, &html, &e) < 0) {
        code = session_fail(&e, 2);
    } else if (session_open(&s, SESSION_REPO, true, &e) < 0) {
        code = session_fail(&e, 255);
    } else {
        code = gantt_save(&s.repo, path, &e) < 0 ? session_fail(&e, 255) : 0;
        session_close(&s);
    }
    if (code == 0 && strcmp(path, "-") != 0) {
        printf("%s\n", path);
    }
    opt_list_release(&args);
    return code;
}
