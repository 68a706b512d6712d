/* explain: why stages would run, from the same record that repro and status use. See explain.h. */
#include "explain.h"

#include "stale_show.h"

/* Which stages of the plan follow a stale one, and of which. */
static void find_upstream(struct arena *a, const struct graph *g, const struct graph_plan *plan,
                          struct explanation *all)
{
    bool *pending = ARENA_ARRAY(a, g->count + 1, bool);
    for (size_t i = 0; i < plan->count; i++) {
        uint32_t s = plan->order[i];
        const struct graph_node *n = &g->nodes[s];
        all[i].upstream = ARENA_ARRAY(a, n->up_count + 1, const char *);
        for (uint32_t k = 0; k < n->up_count && !all[i].stage->frozen; k++) {
            if (pending[n->up[k]]) {
                all[i].upstream[all[i].upstream_count++] = g->pipeline->stages[n->up[k]].addr;
            }
        }
        pending[s] = all[i].reason != STALE_BY_FRESH || all[i].upstream_count > 0;
    }
}

int explain_stages(const struct repro_context *c, const struct repro_options *opt, struct arena *a,
                   struct explanation **all, size_t *count, struct err *e)
{
    struct graph_plan plan;
    if (repro_recover(c, false, NULL, e) < 0 || repro_select(c, opt, a, &plan, e) < 0) {
        return -1;
    }
    const struct stage **stages = ARENA_ARRAY(a, plan.count + 1, const struct stage *);
    struct stale_report *reports = ARENA_ARRAY(a, plan.count + 1, struct stale_report);
    *all = ARENA_ARRAY(a, plan.count + 1, struct explanation);
    *count = plan.count;
    for (size_t i = 0; i < plan.count; i++) {
        stages[i] = &c->graph->pipeline->stages[plan.order[i]];
    }
    if (stale_check(c->store, a, stages, plan.count, NULL, reports, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < plan.count; i++) {
        (*all)[i] = (struct explanation){.stage = stages[i],
                                         .report = &reports[i],
                                         .reason = stale_decide(c->store, &reports[i], NULL)};
    }
    find_upstream(a, c->graph, &plan, *all);
    return 0;
}

bool explain_any_stale(const struct explanation *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (all[i].reason != STALE_BY_FRESH) {
            return true;
        }
    }
    return false;
}

void explain_text(struct store *s, const struct explanation *all, size_t count, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        stale_explain(s, out, all[i].report);
        for (size_t k = 0; k < all[i].upstream_count; k++) {
            strbuf_addf(out, "  it is looked at again after %s, which is stale\n",
                        all[i].upstream[k]);
        }
    }
}

struct value *explain_json(struct store *s, struct arena *a, const struct explanation *all,
                           size_t count)
{
    struct value *doc = value_map(a), *list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        struct value *one = stale_explain_json(s, a, all[i].report), *upstream = value_list(a);
        for (size_t k = 0; k < all[i].upstream_count; k++) {
            value_push(a, upstream, value_cstr(a, all[i].upstream[k]));
        }
        value_set(a, one, "upstream", upstream);
        value_push(a, list, one);
    }
    value_set(a, doc, "schema", value_int(a, 1));
    value_set(a, doc, "stages", list);
    return doc;
}
