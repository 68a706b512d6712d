/* The forms of `dag`: bytes that the real DVC 3.67 printed for the same dvc.yaml. */
#include "dag.h"
#include "pipeline_check.h"

static const char demo[] =
    "stages:\n"
    "  data_ingestion: {cmd: x, deps: [c], outs: [artifacts/data_ingestion/kidney-ct-scan-image]}\n"
    "  prepare_base_model: {cmd: x, deps: [c], outs: [artifacts/prepare_base_model]}\n"
    "  training: {cmd: x, deps: [c, artifacts/data_ingestion/kidney-ct-scan-image,"
    " artifacts/prepare_base_model], outs: [artifacts/training/model.pth]}\n"
    "  evaluation: {cmd: x, deps: [c, artifacts/data_ingestion/kidney-ct-scan-image,"
    " artifacts/training/model.pth], metrics: [{scores.json: {cache: false}}]}\n";

static const char *render(struct place *t, const char *yaml, const char *target,
                          struct dag_options opt)
{
    struct graph_selection sel;
    struct graph_target_options outputs = {.outputs = true};
    place_write(t, "dvc.yaml", yaml);
    assert_string_equal(place_graph(t), "");
    if (target) {
        assert_int_equal(graph_select(&t->g, &t->repo, &target, 1, &outputs, &t->a, &sel, &t->e),
                         0);
    }
    strbuf_reset(&t->text);
    if (dag_render(&t->g, &t->repo, target ? &sel : NULL, &opt, &t->text, &t->e) < 0) {
        return t->e.text;
    }
    return t->text.p;
}
#define RENDER(yaml, target, ...) render(*state, yaml, target, (struct dag_options){__VA_ARGS__})

static void boxes_as_dvc_draws_them(void **state)
{
    assert_string_equal(RENDER(demo, NULL, .form = DAG_TEXT),
                        "+----------------+            +--------------------+ \n"
                        "| data_ingestion |            | prepare_base_model | \n"
                        "+----------------+*****       +--------------------+ \n"
                        "         *             *****             *           \n"
                        "         *                  ******       *           \n"
                        "         *                        ***    *           \n"
                        "         **                        +----------+      \n"
                        "           **                      | training |      \n"
                        "             ***                   +----------+      \n"
                        "                ***             ***                  \n"
                        "                   **         **                     \n"
                        "                     **     **                       \n"
                        "                  +------------+                     \n"
                        "                  | evaluation |                     \n"
                        "                  +------------+                     \n");
}

static void single_boxes_and_chains(void **state)
{
    assert_string_equal(RENDER("stages:\n  a: {cmd: x}\n  b: {cmd: x}\n", NULL, .form = DAG_TEXT),
                        "+---+  \n| a |  \n+---+  \n+---+  \n| b |  \n+---+  \n");
    assert_string_equal(
        RENDER("stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, deps: [o]}\n", NULL,
               .form = DAG_TEXT),
        "+---+  \n| a |  \n+---+  \n  *    \n  *    \n  *    \n+---+  \n| b |  \n+---+  \n");
    assert_string_equal(RENDER("", NULL, .form = DAG_TEXT), "\n");
}

static void dot(void **state)
{
    assert_string_equal(RENDER(demo, NULL, .form = DAG_DOT),
                        "strict digraph {\n\"data_ingestion\";\n\"prepare_base_model\";\n"
                        "\"training\";\n\"evaluation\";\n"
                        "\"data_ingestion\" -> \"training\";\n"
                        "\"data_ingestion\" -> \"evaluation\";\n"
                        "\"prepare_base_model\" -> \"training\";\n"
                        "\"training\" -> \"evaluation\";\n}\n\n");
}

static void mermaid(void **state)
{
    assert_string_equal(RENDER(demo, NULL, .form = DAG_MERMAID),
                        "flowchart TD\n\tnode1[\"data_ingestion\"]\n\tnode2[\"evaluation\"]\n"
                        "\tnode3[\"prepare_base_model\"]\n\tnode4[\"training\"]\n"
                        "\tnode1-->node2\n\tnode1-->node4\n\tnode3-->node4\n\tnode4-->node2\n");
    assert_string_equal(RENDER(demo, NULL, .form = DAG_MARKDOWN, .outs = true),
                        "```mermaid\nflowchart TD\n"
                        "\tnode1[\"artifacts/data_ingestion/kidney-ct-scan-image\"]\n"
                        "\tnode2[\"artifacts/prepare_base_model\"]\n"
                        "\tnode3[\"artifacts/training/model.pth\"]\n\tnode4[\"scores.json\"]\n"
                        "\tnode1-->node3\n\tnode1-->node4\n\tnode2-->node3\n\tnode3-->node4\n"
                        "```\n");
}

static void targets(void **state)
{
    assert_string_equal(RENDER(demo, "training", .form = DAG_MERMAID),
                        "flowchart TD\n\tnode1[\"data_ingestion\"]\n"
                        "\tnode2[\"prepare_base_model\"]\n\tnode3[\"training\"]\n"
                        "\tnode1-->node3\n\tnode2-->node3\n");
    assert_string_equal(RENDER(demo, "data_ingestion", .form = DAG_MERMAID),
                        "flowchart TD\n\tnode1[\"data_ingestion\"]\n");
    const char *full = RENDER(demo, "data_ingestion", .form = DAG_MERMAID, .full = true);
    assert_non_null(strstr(full, "node4[\"training\"]"));
}

static void groups_collapse(void **state)
{
    static const char yaml[] =
        "stages:\n"
        "  a: {foreach: [1, 2], do: {cmd: x, outs: [\"a${item}\"]}}\n"
        "  b: {foreach: [1, 2], do: {cmd: x, deps: [\"a${item}\"], outs: [\"b${item}\"]}}\n"
        "  c: {cmd: x, deps: [b1, b2]}\n";
    assert_string_equal(RENDER(yaml, NULL, .form = DAG_DOT, .collapse = true),
                        "strict digraph {\n\"c\";\n\"a\";\n\"b\";\n\"a\" -> \"b\";\n"
                        "\"b\" -> \"c\";\n}\n\n");
    assert_non_null(strstr(RENDER(yaml, NULL, .form = DAG_TEXT, .collapse = true), "| a |"));
    assert_string_equal(RENDER(yaml, NULL, .form = DAG_DOT, .collapse = true, .outs = true),
                        "`--outs` and `--collapse-foreach-matrix` are mutually exclusive");
}

/* Two groups that need one another's members: a cycle once they are collapsed. */
static void collapsed_cycles_are_drawn(void **state)
{
    static const char yaml[] =
        "stages:\n"
        "  a: {foreach: {1: {d: x}, 2: {d: b1}}, do: {cmd: x, deps: [\"${item.d}\"],"
        " outs: [\"a${key}\"]}}\n"
        "  b: {foreach: [1], do: {cmd: x, deps: [a1], outs: [b1]}}\n";
    const char *text = RENDER(yaml, NULL, .form = DAG_TEXT, .collapse = true);
    assert_non_null(strstr(text, "| a |"));
    assert_non_null(strstr(text, "| b |"));
}

/* Wide and crossing: whatever is drawn, each box is there once and whole. */
static void larger_graphs_keep_their_boxes(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_adds(&b, "stages:\n");
    for (int i = 0; i < 40; i++) {
        strbuf_addf(&b, "  stage%02d: {cmd: x, outs: [o%d], deps: [q", i, i);
        for (int k = 1; k < 4 && i - k * k * 2 >= 0; k++) {
            strbuf_addf(&b, ", o%d", i - k * k * 2);
        }
        strbuf_adds(&b, "]}\n");
    }
    const char *text = RENDER(b.p, NULL, .form = DAG_TEXT);
    for (int i = 0; i < 40; i++) {
        char box[24];
        snprintf(box, sizeof(box), "| stage%02d |", i);
        assert_non_null(strstr(text, box));
    }
    strbuf_release(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        T(boxes_as_dvc_draws_them),
        T(single_boxes_and_chains),
        T(dot),
        T(mermaid),
        T(targets),
        T(groups_collapse),
        T(collapsed_cycles_are_drawn),
        T(larger_graphs_keep_their_boxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
