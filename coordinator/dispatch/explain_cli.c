/* `explain`: why a stage would run, from the same record that repro and status use. */
#include "repro_cli.h"

#include "arena.h"
#include "err.h"
#include "json.h"
#include "opt.h"
#include "pipeline.h"
#include "repo.h"
#include "report.h"
#include "stale.h"
#include "stale_show.h"
#include "store.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

struct explanation {
    const struct stage *stage;
    struct stale_report *report;
    enum stale_reason reason;
    const char **after; /* stale stages it needs: it will be looked at again when they are done */
    size_t after_count;
};

/* Which stages of the plan follow a stale one, and of which. */
static void find_after(struct arena *a, const struct graph *g, const struct graph_plan *plan,
                       struct explanation *all)
{
    bool *pending = ARENA_ARRAY(a, g->count + 1, bool);
    for (size_t i = 0; i < plan->count; i++) {
        uint32_t s = plan->order[i];
        const struct graph_node *n = &g->nodes[s];
        all[i].after = ARENA_ARRAY(a, n->up_count + 1, const char *);
        for (uint32_t k = 0; k < n->up_count && !all[i].stage->frozen; k++) {
            if (pending[n->up[k]]) {
                all[i].after[all[i].after_count++] = g->pipeline->stages[n->up[k]].addr;
            }
        }
        pending[s] = all[i].reason != STALE_BY_FRESH || all[i].after_count > 0;
    }
}

static void print_text(struct store *s, const struct explanation *all, size_t count)
{
    struct strbuf b;
    strbuf_init(&b);
    for (size_t i = 0; i < count; i++) {
        explain_render(s, &b, all[i].report, NULL);
        for (size_t k = 0; k < all[i].after_count; k++) {
            strbuf_addf(&b, "  it is looked at again after %s, which is stale\n", all[i].after[k]);
        }
    }
    fwrite(b.p, 1, b.n, stdout);
    strbuf_release(&b);
}

static void print_json(struct store *s, struct arena *a, const struct explanation *all,
                       size_t count)
{
    struct value *doc = value_map(a), *list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        struct value *v = explain_json(s, a, all[i].report, NULL);
        struct value *after = value_list(a);
        for (size_t k = 0; k < all[i].after_count; k++) {
            value_push(a, after, value_cstr(a, all[i].after[k]));
        }
        value_set(a, v, "after", after);
        value_push(a, list, v);
    }
    value_set(a, doc, "schema", value_int(a, 1));
    value_set(a, doc, "stages", list);
    struct strbuf b;
    strbuf_init(&b);
    json_write(&b, doc, &(struct json_style){.utf8 = true});
    printf("%s\n", b.p);
    strbuf_release(&b);
}

static int explain(const struct repro_context *c, const struct opt_list *targets, bool json,
                   bool *stale, struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct graph_plan plan;
    const struct repro_options opt = {.targets = targets->items, .target_count = targets->count};
    int rc = repro_recover(c, false, NULL, e);
    if (rc == 0) {
        rc = repro_select(c, &opt, &a, &plan, e);
    }
    if (rc == 0) {
        const struct stage **stages = ARENA_ARRAY(&a, plan.count + 1, const struct stage *);
        struct stale_report *reports = ARENA_ARRAY(&a, plan.count + 1, struct stale_report);
        struct explanation *all = ARENA_ARRAY(&a, plan.count + 1, struct explanation);
        for (size_t i = 0; i < plan.count; i++) {
            stages[i] = &c->graph->pipeline->stages[plan.order[i]];
        }
        rc = stale_check(c->store, &a, stages, plan.count, NULL, reports, e);
        for (size_t i = 0; rc == 0 && i < plan.count; i++) {
            all[i] = (struct explanation){.stage = stages[i],
                                          .report = &reports[i],
                                          .reason = stale_decide(c->store, &reports[i], NULL)};
            *stale = *stale || all[i].reason != STALE_BY_FRESH;
        }
        if (rc == 0) {
            find_after(&a, c->graph, &plan, all);
            if (json) {
                print_json(c->store, &a, all, plan.count);
            } else {
                print_text(c->store, all, plan.count);
            }
        }
    }
    arena_release(&a);
    return rc;
}

static int run(const struct opt_list *targets, bool json, bool check)
{
    struct err e = ERR_INIT;
    struct repo r;
    if (repo_open(&r, NULL, &e) < 0) {
        return report_error(&e, e.code == ERR_CONFIG ? 251 : e.code == ERR_MISSING ? 253 : 255);
    }
    struct pipeline p = {0};
    struct graph g = {0};
    struct store *s = NULL;
    bool stale = false;
    bool have_pipeline = pipeline_load(&p, &r, &e) == 0;
    bool have_graph = have_pipeline && graph_build(&g, &p, &r, &e) == 0;
    int rc = have_graph && (s = store_open(&r, NULL, &e)) != NULL ? 0 : -1;
    if (rc == 0) {
        const struct repro_context c = {.repo = &r, .store = s, .graph = &g};
        rc = explain(&c, targets, json, &stale, &e);
    }
    store_close(s);
    if (have_graph) {
        graph_release(&g);
    }
    if (have_pipeline) {
        pipeline_release(&p);
    }
    repo_close(&r);
    return rc < 0 ? report_error(&e, 2) : check && stale ? 1 : 0;
}

int explain_main(int argc, char **argv)
{
    bool json = false, check = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "json", NULL, "one JSON object", &json, NULL},
        {OPT_FLAG, 0, "check", NULL, "exit 1 when a stage is stale", &check, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron explain [OPTION]… [STAGE]…",
        .about = "Says for each stage, and what it needs, whether it is up to date, and if not "
                 "why: which "
                 "dependency, parameter, output or command changed, from what to what.",
        .examples = "nephron explain train\nnephron explain --json",
        .options = options,
        .max_args = OPT_ANY,
    };
    struct opt_list targets = {0};
    struct err e = ERR_INIT;
    enum opt_result r = opt_parse(&spec, argc, argv, &targets, &e);
    int code = 0;
    if (r == OPT_BAD) {
        opt_print_usage(&spec);
        code = report_error(&e, 2);
    } else if (r == OPT_OK) {
        code = run(&targets, json, check);
    }
    opt_list_release(&targets);
    return code;
}
