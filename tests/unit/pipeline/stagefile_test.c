/* stage add, freeze, remove and list on texts. The added entries are what DVC 3.67 wrote. */
#include "emit.h"
#include "pipeline_check.h"
#include "stagefile.h"

static void emit(struct strbuf *out, const struct value *v, unsigned indent)
{
    struct emit_options opt = {.indent = indent};
    emit_yaml(out, v, &opt);
}

static const char *add(struct place *t, const char *yaml, struct stagefile_add x)
{
    x.emit = emit;
    place_write(t, "dvc.yaml", yaml);
    place_write(t, "src/a.py", "");
    place_load(t);
    assert_int_equal(t->e.code, ERR_NONE);
    strbuf_reset(&t->text);
    if (stagefile_add_stage(&t->repo, &t->p, &x, str_from(yaml), &t->text, &t->e) < 0) {
        return t->e.text;
    }
    return t->text.p;
}
#define ADD(yaml, ...) add(*state, yaml, (struct stagefile_add){__VA_ARGS__})

static const char entry[] = "  add1:\n"
                            "    desc: 'some: desc'\n"
                            "    cmd: python src/a.py --x \"a b\"\n"
                            "    deps:\n"
                            "    - config/config.yaml\n"
                            "    - src/a.py\n"
                            "    params:\n"
                            "    - EPOCHS\n"
                            "    - lr\n"
                            "    - other.yaml:\n"
                            "      - a\n"
                            "      - b\n"
                            "    - whole.yaml:\n"
                            "    outs:\n"
                            "    - o2:\n"
                            "        cache: false\n"
                            "    - op:\n"
                            "        persist: true\n"
                            "    - opn:\n"
                            "        cache: false\n"
                            "        persist: true\n"
                            "    - out x.txt\n"
                            "    metrics:\n"
                            "    - m.json\n"
                            "    - m2.json:\n"
                            "        cache: false\n"
                            "    plots:\n"
                            "    - p.csv\n"
                            "    always_changed: true\n";

static void writes_what_dvc_writes(void **state)
{
    struct place *t = *state;
    static const char *const deps[] = {"src/a.py", "config/config.yaml"},
                             *params[] = {"lr,EPOCHS", "other.yaml:a,b", "whole.yaml:"};
    static const struct stagefile_out outs[] = {
        {"out x.txt", "outs", false, false}, {"o2", "outs", true, false},
        {"op", "outs", false, true},         {"opn", "outs", true, true},
        {"m.json", "metrics", false, false}, {"m2.json", "metrics", true, false},
        {"p.csv", "plots", false, false},
    };
    struct stagefile_add x = {.name = "add1",
                              .cmd = "python src/a.py --x \"a b\"",
                              .desc = "some: desc",
                              .deps = deps,
                              .dep_count = 2,
                              .params = params,
                              .param_count = 3,
                              .outs = outs,
                              .out_count = 7,
                              .always_changed = true};
    static const char *const before[] = {
        "", "# head\nstages:\n  a: # why\n    cmd: x\n# end comment\n",
        "stages:\n  a:\n    cmd: x\n\n# about metrics\nmetrics: []\n", "stages:\n"};
    static const char *const around[][2] = {
        {"stages:\n", ""},
        {"# head\nstages:\n  a: # why\n    cmd: x\n# end comment\n", ""},
        {"stages:\n  a:\n    cmd: x\n", "\n# about metrics\nmetrics: []\n"},
        {NULL, NULL}};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(add(t, before[i], x),
                            arena_printf(&t->a, "%s%s%s", around[i][0], entry, around[i][1]));
    }
    /* What was written is read back as the same stage. */
    place_write(t, "dvc.yaml", add(t, before[1], x));
    place_load(t);
    assert_int_equal(t->p.stage_count, 2);
    assert_int_equal(t->p.stages[1].out_count, 7);
}

static void refusals(void **state)
{
    struct place *t = *state;
    static const char yaml[] = "stages:\n  c: {cmd: x, outs: [taken, dir/o], deps: [q]}\n";
    static const char *const q[] = {"q", "q"};
    const struct stagefile_out out_q = {.path = "q", .kind = "outs"},
                               taken = {.path = "taken", .kind = "outs"},
                               dir = {.path = "dir", .kind = "outs"},
                               outside = {.path = "/abs/o", .kind = "outs"};
    assert_string_equal(ADD(yaml, .name = "a@b", .cmd = "x"),
                        "Stage name cannot contain punctuation characters.");
    assert_string_equal(ADD(yaml, .name = "n"), "command is not specified");
    assert_string_equal(ADD(yaml, .name = "c", .cmd = "x"),
                        "Stage 'c' already exists in 'dvc.yaml'. Use '--force' to overwrite.");
    assert_string_equal(ADD(yaml, .name = "n", .cmd = "x", .outs = &taken, .out_count = 1),
                        "output 'taken' is already specified in stage: 'c'.\nUse `dvc remove c` to "
                        "stop tracking the overlapping output.");
    assert_string_equal(
        ADD(yaml, .name = "n", .cmd = "x", .outs = &out_q, .out_count = 1, .deps = q,
            .dep_count = 1),
        arena_printf(&t->a, "'%s/q' is specified as an output and as a dependency.", t->root));
    assert_string_equal(ADD(yaml, .name = "n", .cmd = "x", .deps = q, .dep_count = 2),
                        arena_printf(&t->a, "file '%s/q' is specified more than once.", t->root));
    assert_string_equal(
        ADD(yaml, .name = "n", .cmd = "x", .wdir = "nonex"),
        arena_printf(&t->a, "stage working dir '%s/nonex' does not exist", t->root));
    assert_string_equal(ADD(yaml, .name = "n", .cmd = "x", .outs = &dir, .out_count = 1),
                        "The output paths:\n'dir'('n')\n'dir/o'('c')\noverlap and are thus in the "
                        "same tracked directory.\nTo keep reproducibility, outputs should be in "
                        "separate tracked directories or tracked individually.");
    static const char *const needs[] = {"taken"};
    assert_string_equal(ADD(yaml, .name = "n", .cmd = "x", .outs = &out_q, .out_count = 1,
                            .deps = needs, .dep_count = 1),
                        "Same item(s) are defined as both a dependency and an output in stages: "
                        "c, n.");
    assert_memory_equal(ADD(yaml, .name = "n", .cmd = "x", .outs = &outside, .out_count = 1),
                        "Cached output(s) outside of DVC project: /abs/o.", 48);
}

static void force_replaces_in_place(void **state)
{
    static const char yaml[] = "stages:\n  a:\n    cmd: old\n    desc: kept\n    meta: {k: v}\n"
                               "  # about b\n  b:\n    cmd: x\n";
    assert_string_equal(ADD(yaml, .name = "a", .cmd = "new", .force = true),
                        "stages:\n  a:\n    cmd: new\n    desc: kept\n    meta:\n      k: v\n"
                        "  # about b\n  b:\n    cmd: x\n");
    assert_string_equal(ADD("stages: {a: {cmd: x}}\n", .name = "b", .cmd = "y"),
                        "stages:\n  a:\n    cmd: x\n  b:\n    cmd: y\n");
}

static void commands_are_joined(void **state)
{
    struct place *t = *state;
    char *words[] = {"python", "a b", "", "say \"x y\""};
    strbuf_reset(&t->text);
    stagefile_join_command(words, 4, &t->text);
    assert_string_equal(t->text.p, "python \"a b\" \"\" say \"x y\"");
    strbuf_reset(&t->text);
    stagefile_join_command(words + 1, 1, &t->text);
    assert_string_equal(t->text.p, "a b");
}

static const char *freeze(struct place *t, const char *yaml, const char *name, bool frozen)
{
    strbuf_reset(&t->text);
    if (stagefile_set_frozen(str_from(yaml), name ? "dvc.yaml" : "x.dvc", name, frozen, &t->text,
                             &t->e) < 0) {
        return t->e.text;
    }
    return t->text.p;
}

static void freezing(void **state)
{
    struct place *t = *state;
    static const char yaml[] = "stages:\n  a:\n    cmd: x # why\n\n  # b is next\n  b: {cmd: y}\n";
    static const char frozen[] =
        "stages:\n  a:\n    cmd: x # why\n    frozen: true\n\n  # b is next\n  b: {cmd: y}\n";
    assert_string_equal(freeze(t, yaml, "a", true), frozen);
    assert_string_equal(freeze(t, frozen, "a", false), yaml);
    assert_string_equal(freeze(t, frozen, "a", true), frozen);
    assert_non_null(strstr(freeze(t, yaml, "b", true), "b: {frozen: true, cmd: y}"));
    assert_string_equal(freeze(t, yaml, "c", true), "Stage 'c' not found inside 'dvc.yaml' file");
    assert_string_equal(freeze(t, yaml, "a@1", true), "cannot dump a parametrized stage: 'a@1'");
    assert_string_equal(freeze(t, "outs:\n- path: x\n", NULL, true),
                        "outs:\n- path: x\nfrozen: true\n");
    assert_string_equal(freeze(t, "frozen: true\nouts:\n- path: x\n", NULL, false),
                        "outs:\n- path: x\n");
}

static void removing(void **state)
{
    struct place *t = *state;
    bool empty;
    struct strbuf out;
    strbuf_init(&out);
    assert_int_equal(stagefile_remove_stage(STR("# h\nstages:\n  a:\n    cmd: x\n  b:\n    cmd: y\n"
                                                "metrics: []\n"),
                                            "dvc.yaml", "b", &out, &empty, &t->e),
                     0);
    assert_string_equal(out.p, "# h\nstages:\n  a:\n    cmd: x\nmetrics: []\n");
    assert_false(empty);
    strbuf_reset(&out);
    assert_int_equal(stagefile_remove_stage(STR("stages:\n  a:\n    cmd: x\n"), "dvc.yaml", "a",
                                            &out, &empty, &t->e),
                     0);
    assert_true(empty);
    strbuf_release(&out);
}

static void listing(void **state)
{
    struct place *t = *state;
    place_write(t, "dvc.yaml",
                "stages:\n  a: {cmd: x, outs: [o, p], metrics: [m.json]}\n"
                "  longer: {cmd: x, deps: [d], params: [k]}\n  c: {cmd: x}\n"
                "  d: {cmd: x, desc: \"\\n first line \\nsecond\"}\n"
                "  e: {cmd: x, plots: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]}\n");
    place_load(t);
    const struct stage *stages[8];
    for (size_t i = 0; i < t->p.stage_count; i++) {
        stages[i] = &t->p.stages[i];
    }
    strbuf_reset(&t->text);
    stagefile_list(stages, t->p.stage_count, false, &t->text);
    assert_string_equal(t->text.p,
                        "a       Outputs o, p; Reports m.json\n"
                        "longer  Depends on d, params.yaml\n"
                        "c       No outputs or dependencies\n"
                        "d       first line\n"
                        "e       Reports aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                        "aaaaaaaaaaaaaaaaaaaaaaa…\n");
    strbuf_reset(&t->text);
    stagefile_list(stages, 2, true, &t->text);
    assert_string_equal(t->text.p, "a\nlonger\n");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        T(writes_what_dvc_writes),
        T(refusals),
        T(force_replaces_in_place),
        T(commands_are_joined),
        T(freezing),
        T(removing),
        T(listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
