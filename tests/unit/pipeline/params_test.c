/* Parameter and metric files: values, differences, tables. Expected texts were printed by DVC 3.67.
 */
#include "json.h"
#include "metrics.h"
#include "params.h"
#include "pipeline_check.h"
#include "table.h"

static const char *as_json(struct place *t, const struct value *v)
{
    struct json_style style = {0};
    strbuf_reset(&t->text);
    json_write(&t->text, v, &style);
    return t->text.p;
}

static struct value *parse(struct place *t, const char *text, const char *name)
{
    struct value *v = params_parse(&t->a, str_from(text), name, &t->e);
    assert_non_null(v);
    return v;
}

static void files_by_extension(void **state)
{
    struct place *t = *state;
    assert_string_equal(as_json(t, parse(t, "a: 1e-3\nb: yes\n", "x.yaml")),
                        "{\"a\": 0.001, \"b\": \"yes\"}");
    assert_string_equal(as_json(t, parse(t, "[x]\na = 1\n", "x.toml")), "{\"x\": {\"a\": 1}}");
    assert_string_equal(as_json(t, parse(t, "{\"a\": [1]}", "x.json")), "{\"a\": [1]}");
    assert_string_equal(as_json(t, parse(t, "a = (1, 2)\n", "x.PY")), "{\"a\": [1, 2]}");
    assert_string_equal(as_json(t, parse(t, "", "params.yaml")), "{}");
    static const char *const names[] = {"YAML", "JSON", "TOML", "Python"};
    static const char *const bad[][2] = {
        {"a: [", "p.yaml"}, {"{", "p.json"}, {"a =", "p.toml"}, {"a = [1", "p.py"}};
    for (size_t i = 0; i < 4; i++) {
        struct err e = ERR_INIT;
        assert_null(params_parse(&t->a, str_from(bad[i][0]), bad[i][1], &e));
        const char *want = arena_printf(
            &t->a, "unable to read: '%s', %s file structure is corrupted", bad[i][1], names[i]);
        assert_memory_equal(e.text, want, strlen(want));
    }
}

static void keys(void **state)
{
    struct place *t = *state;
    const struct value *doc =
        parse(t, "a: {b: [x, {c: 3}], 7: seven}\nlr_decay: 1\nlr_base: 2\nn: null\n", "p.yaml");
    assert_int_equal(params_get(doc, "a.b.1.c")->i, 3);
    assert_string_equal(params_get(doc, "a.7")->s.p, "seven");
    assert_int_equal(params_get(doc, "lr_d*")->i, 1);
    assert_null(params_get(doc, "lr_*")); /* two fit */
    assert_null(params_get(doc, "a.b.2"));
    assert_null(params_get(doc, "a.x.y"));
    assert_int_equal(params_get(doc, "n")->type, VALUE_NULL);
}

static void values_of_a_stage(void **state)
{
    struct place *t = *state;
    struct params_cache c;
    struct value *values, *missing;
    place_write(t, "sub/params.yaml", "lr: 0.1\nnet: {depth: 3}\nl: [1, 2]\n");
    place_write(t, "sub/bad.yaml", "a: [\n");
    place_write(t, "sub/dvc.yaml",
                "stages:\n  s: {cmd: x, params: [net.depth, nope, lr, none, {bad.yaml: },"
                " {gone.yaml: [k]}]}\n  w: {cmd: x, params: [{params.yaml: }]}\n");
    place_load(t);
    params_cache_init(&c);
    const struct stage *s = &t->p.stages[0];
    assert_int_equal(params_read(&c, &t->repo, &s->params[0], &values, &missing, &t->e), 0);
    assert_string_equal(as_json(t, values), "{\"net.depth\": 3, \"lr\": 0.1}");
    params_missing_error(&t->repo, &s->params[0], missing, &t->e);
    assert_string_equal(t->e.text, "Parameters 'nope, none' are missing from 'sub/params.yaml'.");
    assert_int_equal(params_read(&c, &t->repo, &s->params[1], &values, &missing, &t->e), -1);
    assert_memory_equal(t->e.text, "Unable to read parameters from 'sub/bad.yaml': ", 47);
    assert_int_equal(params_read(&c, &t->repo, &s->params[2], &values, &missing, &t->e), -1);
    assert_string_equal(t->e.text, "dependency 'sub/gone.yaml' does not exist");
    assert_int_equal(t->e.code, ERR_MISSING);
    assert_int_equal(params_read(&c, &t->repo, &t->p.stages[1].params[0], &values, &missing, &t->e),
                     0);
    assert_string_equal(as_json(t, values),
                        "{\"lr\": 0.1, \"net\": {\"depth\": 3}, \"l\": [1, 2]}");
    params_cache_release(&c);
}

static struct value *difference(struct place *t, bool all)
{
    struct value *old = value_map(&t->a), *new = value_map(&t->a);
    value_set(&t->a, old, "params.yaml",
              parse(t, "IMAGE_SIZE: [224, 224, 3]\nEPOCHS: 1\nlr: 0.1\n", "p.yaml"));
    value_set(&t->a, new, "params.yaml",
              parse(t,
                    "IMAGE_SIZE: [224, 224, 3]\nEPOCHS: 2\nlr: 0.123456789\n"
                    "n: {a: {b: 1}, l: [1, x], e: {}}\n",
                    "p.yaml"));
    return params_diff(&t->a, old, new, all);
}

static void differences(void **state)
{
    struct place *t = *state;
    assert_string_equal(
        as_json(t, difference(t, false)),
        "{\"params.yaml\": {\"EPOCHS\": {\"old\": 1, \"new\": 2, \"diff\": 1}, "
        "\"lr\": {\"old\": 0.1, \"new\": 0.123456789, \"diff\": 0.023456788999999992}, "
        "\"n.a.b\": {\"old\": null, \"new\": 1}, "
        "\"n.l\": {\"old\": null, \"new\": \"[1, 'x']\"}}}");
    assert_int_equal(value_get(difference(t, true), "params.yaml")->map.count, 5);
    struct value *one = value_map(&t->a), *none = value_map(&t->a);
    value_set(&t->a, one, "m.json", parse(t, "3", "m.json"));
    assert_string_equal(as_json(t, params_diff(&t->a, one, one, false)), "{}");
    assert_string_equal(as_json(t, params_diff(&t->a, none, one, false)), "{}");
    struct value *two = value_map(&t->a);
    value_set(&t->a, two, "m.json", parse(t, "5", "m.json"));
    assert_string_equal(as_json(t, params_diff(&t->a, one, two, false)),
                        "{\"m.json\": {\"\": {\"old\": 3, \"new\": 5, \"diff\": 2}}}");
}

static void difference_tables(void **state)
{
    struct place *t = *state;
    struct table_diff_options opt = {.title = "Param", .old_name = "HEAD", .new_name = "workspace"};
    strbuf_reset(&t->text);
    table_diff(difference(t, false), &opt, &t->text);
    assert_string_equal(t->text.p, "Path         Param    HEAD    workspace\n"
                                   "params.yaml  EPOCHS   1       2\n"
                                   "params.yaml  lr       0.1     0.123456789\n"
                                   "params.yaml  n.a.b    -       1\n"
                                   "params.yaml  n.l      -       [1, 'x']\n");
    opt.markdown = true;
    strbuf_reset(&t->text);
    table_diff(difference(t, false), &opt, &t->text);
    assert_string_equal(t->text.p, "| Path        | Param   | HEAD   | workspace   |\n"
                                   "|-------------|---------|--------|-------------|\n"
                                   "| params.yaml | EPOCHS  | 1      | 2           |\n"
                                   "| params.yaml | lr      | 0.1    | 0.123456789 |\n"
                                   "| params.yaml | n.a.b   | -      | 1           |\n"
                                   "| params.yaml | n.l     | -      | [1, 'x']    |\n\n");
    strbuf_reset(&t->text);
    table_diff(value_map(&t->a), &opt, &t->text);
    assert_string_equal(t->text.p, "");
}

static struct value *scores(struct place *t)
{
    struct value *result = value_map(&t->a);
    struct value *doc = params_parse(
        &t->a,
        STR("{\"acc\": 0.123456789, \"sub\": {\"f1\": 1.0, \"l\": [1], \"n\": null, \"s\": "
            "\"txt\", \"b\": true, \"e\": {}}, \"i\": 3}"),
        "scores.json", &t->e);
    struct value *files = value_map(&t->a), *file = value_map(&t->a), *side = value_map(&t->a);
    value_set(&t->a, file, "data", metrics_extract(&t->a, doc));
    value_set(&t->a, files, "scores.json", file);
    value_set(&t->a, side, "data", files);
    value_set(&t->a, result, "", side);
    return result;
}

static void metric_tables(void **state)
{
    struct place *t = *state;
    assert_string_equal(as_json(t, scores(t)),
                        "{\"\": {\"data\": {\"scores.json\": {\"data\": {\"acc\": 0.123456789, "
                        "\"sub\": {\"f1\": 1.0, \"s\": \"txt\", \"b\": true}, \"i\": 3}}}}}");
    strbuf_reset(&t->text);
    table_metrics(scores(t), false, false, 5, &t->text);
    assert_string_equal(t->text.p, "Path         acc      i    sub.b    sub.f1    sub.s\n"
                                   "scores.json  0.12346  3    True     1.0       txt\n");
    struct value *old = value_map(&t->a), *new = value_map(&t->a);
    value_set(
        &t->a, new, "scores.json",
        value_get(value_get(value_get(value_get(scores(t), ""), "data"), "scores.json"), "data"));
    struct table_diff_options opt = {.title = "Metric",
                                     .old_name = "HEAD",
                                     .new_name = "workspace",
                                     .change = true,
                                     .precision = 5};
    strbuf_reset(&t->text);
    table_diff(params_diff(&t->a, old, new, false), &opt, &t->text);
    assert_string_equal(t->text.p, "Path         Metric    HEAD    workspace    Change\n"
                                   "scores.json  acc       -       0.12346      -\n"
                                   "scores.json  i         -       3            -\n"
                                   "scores.json  sub.b     -       True         -\n"
                                   "scores.json  sub.f1    -       1.0          -\n"
                                   "scores.json  sub.s     -       txt          -\n");
}

static void what_is_looked_at(void **state)
{
    struct place *t = *state;
    place_write(t, "dvc.yaml",
                "params: [top.json]\nmetrics: [top_m.json]\nstages:\n"
                "  a: {cmd: x, params: [lr, {o.yaml: [k]}], metrics: [m.json]}\n"
                "  b: {cmd: x, params: [net, {o.yaml: }]}\n");
    place_load(t);
    assert_string_equal(as_json(t, params_targets(&t->a, &t->p, true, true)),
                        "{\"params.yaml\": [\"lr\", \"net\"], \"o.yaml\": []}");
    assert_string_equal(as_json(t, params_targets(&t->a, &t->p, false, true)),
                        "{\"params.yaml\": [], \"o.yaml\": [], \"top.json\": []}");
    assert_string_equal(as_json(t, metrics_targets(&t->a, &t->p)), "[\"m.json\", \"top_m.json\"]");
    const struct value *doc = parse(t, "a: {b: 1, c: 2}\nd: 3\ne: 4\n", "p.yaml");
    const struct value *some = parse(t, "[a.b, d, nope]", "p.yaml");
    assert_string_equal(as_json(t, params_project(&t->a, doc, some)),
                        "{\"a\": {\"b\": 1}, \"d\": 3}");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        T(files_by_extension), T(keys),          T(values_of_a_stage), T(differences),
        T(difference_tables),  T(metric_tables), T(what_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
