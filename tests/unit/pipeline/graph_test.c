/* Edges, refusals, targets, orders. Texts and orders are DVC 3.67's. */
#include "pipeline_check.h"

static const char *names(struct place *t, const uint32_t *items, size_t n)
{
    strbuf_reset(&t->text);
    for (size_t i = 0; i < n; i++) {
        strbuf_addf(&t->text, "%s%s", i ? " " : "", t->p.stages[items[i]].addr);
    }
    return t->text.p;
}

static const char *up(struct place *t, const char *name)
{
    const struct stage *s = pipeline_find(&t->p, "dvc.yaml", name);
    return names(t, t->g.nodes[s->index].up, t->g.nodes[s->index].up_count);
}

static const char *down(struct place *t, const char *name)
{
    const struct stage *s = pipeline_find(&t->p, "dvc.yaml", name);
    return names(t, t->g.nodes[s->index].down, t->g.nodes[s->index].down_count);
}

static void edges(void **state)
{
    struct place *t = *state;
    place_write(t, "dvc.yaml",
                "stages:\n"
                "  last: {cmd: x, deps: [dir, m/w/file, params.yaml]}\n"
                "  a: {cmd: x, outs: [dir/a]}\n"
                "  b: {cmd: x, outs: [dir/b], params: [lr]}\n"
                "  c: {cmd: x, deps: [dir2], outs: [m]}\n"
                "  p: {cmd: x, outs: [params.yaml]}\n"
                "  d: {cmd: x, deps: [in], outs: [dir2]}\n");
    place_write(t, "in.dvc", "outs:\n- path: in\n  md5: aaa\n");
    assert_string_equal(place_graph(t), "");
    assert_string_equal(up(t, "last"), "a b c p");
    assert_string_equal(up(t, "b"), "p");
    assert_string_equal(up(t, "c"), "d");
    assert_string_equal(up(t, "d"), "in.dvc");
    assert_string_equal(down(t, "p"), "last b");
    struct graph_out o;
    assert_true(graph_find_out(&t->g, "dir/b", &o));
    assert_string_equal(graph_out_of(&t->g, o)->path, "dir/b");
    assert_false(graph_find_out(&t->g, "dir", &o));
    struct graph_out *outs;
    assert_int_equal(graph_overlapping(&t->g, "dir", &t->a, &outs), 2);
    assert_int_equal(graph_overlapping(&t->g, "m/w", &t->a, &outs), 1);
    assert_int_equal(graph_overlapping(&t->g, ".", &t->a, &outs), 6);
    assert_int_equal(graph_overlapping(&t->g, "direct", &t->a, &outs), 0);
}

static void refusals(void **state)
{
    struct place *t = *state;
    static const struct {
        const char *yaml, *error;
    } list[] = {
        {"stages:\n  s1: {cmd: x, outs: [o]}\n  s2: {cmd: x, outs: [./o]}\n",
         "output 'o' is specified in:\n\t- s1\n\t- s2\nUse `dvc remove` with any of the above "
         "targets to stop tracking the overlapping output."},
        {"stages:\n  s1: {cmd: x, outs: [o], metrics: [o]}\n",
         "output 'o' is already specified in stage: 's1'.\nUse `dvc remove s1` to stop tracking "
         "the overlapping output."},
        {"stages:\n  s1: {cmd: x, outs: [o]}\n  s2: {cmd: x, outs: [o/p]}\n",
         "The output paths:\n'o'('s1')\n'o/p'('s2')\noverlap and are thus in the same tracked "
         "directory.\nTo keep reproducibility, outputs should be in separate tracked directories "
         "or tracked individually."},
        {"stages:\n  s1: {cmd: x, outs: [o/p/q]}\n  s2: {cmd: x, outs: [o]}\n",
         "The output paths:\n'o'('s2')\n'o/p/q'('s1')\noverlap and are thus in the same tracked "
         "directory.\nTo keep reproducibility, outputs should be in separate tracked directories "
         "or tracked individually."},
        {"stages:\n  s1: {cmd: x, deps: [o], outs: [o]}\n",
         "Same item(s) are defined as both a dependency and an output in stage: s1."},
        {"stages:\n  s0: {cmd: x, deps: [b]}\n  s1: {cmd: x, deps: [a], outs: [b]}\n"
         "  s2: {cmd: x, deps: [b], outs: [a]}\n",
         "Same item(s) are defined as both a dependency and an output in stages: s1, s2."},
    };
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        place_write(t, "dvc.yaml", list[i].yaml);
        assert_string_equal(place_graph(t), list[i].error);
        assert_int_equal(t->e.code, ERR_FORMAT);
    }
    place_write(t, "dvc.yaml", "stages:\n  s: {cmd: x, outs: [aaa]}\n");
    place_write(t, "bbb/dvc.yaml", "stages:\n  t: {cmd: x, outs: [../bbb]}\n");
    assert_string_equal(place_graph(t),
                        "stage: 'bbb/dvc.yaml:t' is within an output 'bbb' of another stage");
}

/* ---- targets ---- */

static const char *pick(struct place *t, const char *target, struct graph_target_options opt)
{
    struct graph_selection sel;
    uint32_t stages[64];
    t->e = (struct err)ERR_INIT;
    if (graph_select(&t->g, &t->repo, &target, target ? 1 : 0, &opt, &t->a, &sel, &t->e) < 0) {
        return t->e.text;
    }
    for (size_t i = 0; i < sel.count; i++) {
        stages[i] = sel.items[i].stage;
    }
    names(t, stages, sel.count);
    if (sel.count == 1 && sel.items[0].filter) {
        strbuf_addf(&t->text, " (%s)", sel.items[0].filter);
    }
    return t->text.p;
}
#define PICK(target, ...) pick(t, target, (struct graph_target_options){__VA_ARGS__})

static void write_project(struct place *t)
{
    place_write(t, "dvc.yaml",
                "stages:\n"
                "  prep: {cmd: x, outs: [data/clean]}\n"
                "  g: {foreach: [a, b], do: {cmd: x, outs: [\"g/${item}\"]}}\n"
                "  train: {cmd: x, deps: [data/clean], outs: [m]}\n"
                "  empty: {foreach: [], do: {cmd: x}}\n");
    place_write(t, "sub/dvc.yaml", "stages:\n  s: {cmd: x, deps: [../m], outs: [r]}\n");
    place_write(t, "raw.dvc", "outs:\n- path: raw\n");
    assert_string_equal(place_graph(t), "");
}

static void targets(void **state)
{
    struct place *t = *state;
    write_project(t);
    assert_string_equal(PICK("train"), "train");
    assert_string_equal(PICK("g"), "g@a g@b");
    assert_string_equal(PICK("g@b"), "g@b");
    assert_string_equal(PICK("empty"), "");
    assert_string_equal(PICK("dvc.yaml"), "prep g@a g@b train");
    assert_string_equal(PICK("dvc.yaml:train"), "train");
    assert_string_equal(PICK(":train"), "train");
    assert_string_equal(PICK("sub/dvc.yaml"), "sub/dvc.yaml:s");
    assert_string_equal(PICK("sub/dvc.yaml:s"), "sub/dvc.yaml:s");
    assert_string_equal(PICK("raw.dvc"), "raw.dvc");
    assert_string_equal(PICK("nosuch"), "Stage 'nosuch' not found inside 'dvc.yaml' file");
    assert_string_equal(PICK("sub/dvc.yaml:no"), "Stage 'no' not found inside 'sub/dvc.yaml' file");
    assert_string_equal(PICK("other/dvc.yaml"),
                        arena_printf(&t->a, "'%s/other/dvc.yaml' does not exist", t->root));
    assert_string_equal(PICK("sub/dvc.lock"), "Did you mean: `sub/dvc.yaml`?");
    assert_string_equal(PICK(NULL, .default_file = true), "prep g@a g@b train");
    assert_string_equal(PICK(NULL), "prep g@a g@b train raw.dvc sub/dvc.yaml:s");
    assert_string_equal(PICK("*a*", .glob = true), "g@a train");
    assert_string_equal(PICK("dvc.yaml:g@?", .glob = true), "g@a g@b");
    assert_string_equal(PICK("sub", .recursive = true), "sub/dvc.yaml:s");
    assert_string_equal(PICK("train", .with_deps = true), "prep train");
}

static void output_targets(void **state)
{
    struct place *t = *state;
    write_project(t);
    assert_string_equal(PICK("m", .outputs = true), "train (m)");
    assert_string_equal(PICK("m/deep", .outputs = true), "train (m/deep)");
    assert_string_equal(PICK("train", .outputs = true), "train");
    assert_string_equal(PICK("raw.dvc", .outputs = true), "raw.dvc");
    assert_string_equal(PICK("data", .outputs = true),
                        "'data' does not exist as an output or a stage name in 'dvc.yaml': Stage "
                        "'data' not found inside 'dvc.yaml' file");
    t->repo.prefix = "sub";
    assert_string_equal(place_graph(t), "");
    assert_string_equal(PICK("s"), "s");
    assert_string_equal(PICK("../m", .outputs = true), "../dvc.yaml:train (m)");
    assert_string_equal(PICK("r", .outputs = true), "s (sub/r)");
    t->repo.prefix = ".";
}

/* ---- plans ---- */

static const char *plan(struct place *t, const char *target, struct graph_plan_options opt)
{
    struct graph_selection sel;
    struct graph_plan plan;
    struct graph_target_options none = {.default_file = true};
    assert_int_equal(
        graph_select(&t->g, &t->repo, &target, target ? 1 : 0, &none, &t->a, &sel, &t->e), 0);
    graph_make_plan(&t->g, &sel, &opt, &t->a, &plan);
    names(t, plan.order, plan.count);
    for (size_t i = 0; i < plan.count; i++) {
        strbuf_addf(&t->text, "%s%u", i ? "," : " ", plan.nblock[plan.order[i]]);
    }
    return t->text.p;
}
#define PLAN(target, ...) plan(t, target, (struct graph_plan_options){__VA_ARGS__})

static void plans(void **state)
{
    struct place *t = *state;
    place_write(t, "dvc.yaml",
                "stages:\n"
                "  E: {cmd: x, deps: [d, f]}\n"
                "  A: {cmd: x, outs: [a]}\n"
                "  B: {cmd: x, deps: [a], outs: [b]}\n"
                "  C: {cmd: x, deps: [a], outs: [c]}\n"
                "  D: {cmd: x, deps: [b, c], outs: [d]}\n"
                "  G: {cmd: x, outs: [g]}\n"
                "  F: {cmd: x, deps: [g], outs: [f]}\n"
                "  Z: {cmd: x, outs: [z]}\n");
    assert_string_equal(place_graph(t), "");
    assert_string_equal(PLAN(NULL), "A B C D G F E Z 0,1,1,2,0,1,2,0");
    assert_string_equal(PLAN("D"), "A B C D 0,1,1,2");
    assert_string_equal(PLAN("D", .single = true), "D 0");
    assert_string_equal(PLAN("B", .downstream = true), "B D E 0,1,1");
    assert_string_equal(PLAN("D", .pipeline = true), "A B C D G F E 0,1,1,2,0,1,2");
    assert_string_equal(PLAN("Z", .all = true), "A B C D G F E Z 0,1,1,2,0,1,2,0");
    bool set[8] = {false};
    graph_reach(&t->g, 4, false, false, set); /* D: A B C D */
    assert_true(!set[0] && set[1] && set[2] && set[3] && set[4] && !set[5]);
    uint32_t component[8];
    assert_int_equal(graph_components(&t->g, component), 2);
    assert_int_equal(component[7], 1);
}

static void frozen_stages_stand_alone(void **state)
{
    struct place *t = *state;
    place_write(t, "dvc.yaml",
                "stages:\n"
                "  a: {cmd: x, outs: [a]}\n"
                "  b: {cmd: x, deps: [a], outs: [b], frozen: true}\n"
                "  c: {cmd: x, deps: [b]}\n");
    assert_string_equal(place_graph(t), "");
    assert_string_equal(PLAN("c"), "b c 0,1");
    assert_string_equal(PLAN("a", .downstream = true), "a 0");
    assert_string_equal(PLAN("c", .pipeline = true), "b c 0,1");
}

/* Ten thousand stages, each on the one before, in folders: a walk of all pairs would take minutes.
 */
static void many_stages(void **state)
{
    struct place *t = *state;
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, "stages:\n  s0: {cmd: x, outs: [d/0/o]}\n");
    for (int i = 1; i < 10000; i++) {
        strbuf_addf(&b, "  s%d: {cmd: x, deps: [d/%d/o], outs: [d/%d/o]}\n", i, i - 1, i);
    }
    place_write(t, "dvc.yaml", b.p);
    strbuf_release(&b);
    assert_string_equal(place_graph(t), "");
    struct graph_plan all;
    graph_make_plan(&t->g, NULL, &(struct graph_plan_options){.all = true}, &t->a, &all);
    assert_int_equal(all.count, 10000);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(all.order[i], i);
        assert_int_equal(t->g.nodes[i].up_count, i ? 1 : 0);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        T(edges),          T(refusals), T(targets),
        T(output_targets), T(plans),    T(frozen_stages_stand_alone),
        T(many_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
