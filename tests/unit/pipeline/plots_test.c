/* Plots: files, rows, specifications, charts. Expected rows are those of DVC 3.67. */
#include "plots.h"

#include "json.h"
#include "pipeline_check.h"
#include "plotfile.h"
#include "plotpage.h"
#include "plotspec.h"
#include "svgchart.h"

#include <math.h>

static const char *as_json(struct place *t, const struct value *v)
{
    strbuf_reset(&t->text);
    json_write(&t->text, v, NULL);
    return t->text.p;
}

static struct value *doc(struct place *t, const char *text)
{
    struct value *v = json_parse(&t->a, str_from(text), "test", &t->e);
    assert_non_null(v);
    return v;
}

static void csv_rows(void **state)
{
    struct place *t = *state;
    static const struct {
        const char *text, *want;
        char separator;
        bool header;
    } cases[] = {
        {"a,b\n1,x\n", "[{\"a\": \"1\", \"b\": \"x\"}]", ',', true},
        {"a\tb\r\n\r\n1\tx,y", "[{\"a\": \"1\", \"b\": \"x,y\"}]", '\t', true},
        {"a,b\n\"q\"\"1\",\"l\n2\"", "[{\"a\": \"q\\\"1\", \"b\": \"l\\n2\"}]", ',', true},
        {"a,b\n1\n1,2,3,4\n",
         "[{\"a\": \"1\", \"b\": null}, {\"a\": \"1\", \"b\": \"2\", \"null\": [\"3\", \"4\"]}]",
         ',', true},
        {"1,2\n3,4\n", "[{\"0\": \"1\", \"1\": \"2\"}, {\"0\": \"3\", \"1\": \"4\"}]", ',', false},
        {"a,b\n1,\n", "[{\"a\": \"1\", \"b\": \"\"}]", ',', true},
        {"a,b\n\"open", "[{\"a\": \"open\", \"b\": null}]", ',', true},
        {"a,b\n", "[]", ',', true},
        {"", "[]", ',', false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value *rows =
            plotfile_csv(&t->a, str_from(cases[i].text), cases[i].separator, cases[i].header);
        assert_string_equal(as_json(t, rows), cases[i].want);
    }
}

static void kinds_of_files(void **state)
{
    struct place *t = *state;
    assert_string_equal(
        as_json(t, plotfile_parse(&t->a, STR("[{\"a\": 1}]"), "m.json", true, &t->e)),
        "[{\"a\": 1}]");
    assert_true(plotfile_is_image("d/a.png"));
    assert_false(plotfile_is_image("d.png/a"));
    assert_int_equal(plotfile_parse(&t->a, STR("\x89P\0G"), "a.png", true, &t->e)->s.n, 4);
    assert_null(plotfile_parse(&t->a, STR("x"), "a.bin", true, &t->e));
    assert_non_null(strstr(t->e.text, "Only JSON, YAML, CSV and TSV"));
    assert_null(plotfile_parse(&t->a, STR("a\n\xff\n"), "a.csv", true, &t->e));
}

/* One revision with one definition. */
static struct plot_list match(struct place *t, const char *id, const char *props, const char *files)
{
    struct plot_revision rev = {.name = "v1", .defs = value_map(&t->a), .files = doc(t, files)};
    struct value *ids = value_map(&t->a);
    struct plot_list list;
    value_set(&t->a, ids, id, doc(t, props));
    value_set(&t->a, rev.defs, "dvc.yaml", ids);
    plots_match(&t->a, &rev, 1, &list);
    assert_int_equal(list.count, 1);
    return list;
}

static void rows_without_words(void **state)
{
    struct place *t = *state;
    struct plot_list l = match(
        t, "m.json", "{}", "{\"m.json\": {\"data\": {\"n\": 1, \"t\": [{\"e\": 5, \"l\": 0.5}]}}}");
    assert_string_equal(as_json(t, l.items[0].points),
                        "[{\"e\": 5, \"l\": 0.5, \"step\": 0, \"rev\": \"v1\", "
                        "\"filename\": \"m.json\", \"field\": \"l\"}]");
    assert_string_equal(as_json(t, value_get(l.items[0].props, "y")), "\"l\"");
    assert_string_equal(as_json(t, value_get(l.items[0].props, "x_label")), "\"step\"");
    assert_string_equal(as_json(t, value_get(l.items[0].props, "title")), "\"m.json\"");
}

static void rows_of_two_files(void **state)
{
    struct place *t = *state;
    struct plot_list l =
        match(t, "both", "{\"x\": \"s\", \"y\": {\"d/a.csv\": \"loss\", \"d/b.csv\": [\"acc\"]}}",
              "{\"d/a.csv\": {\"data\": [{\"s\": \"0\", \"loss\": \"2\"}]},"
              " \"d/b.csv\": {\"data\": [{\"s\": \"0\", \"acc\": \"3\"}]}}");
    struct plot *p = &l.items[0];
    assert_string_equal(as_json(t, p->points->list.items[1]),
                        "{\"s\": \"0\", \"acc\": \"3\", \"dvc_inferred_y_value\": \"3\", "
                        "\"rev\": \"v1\", \"filename\": \"b.csv\", \"field\": \"acc\"}");
    assert_string_equal(plotspec_series_field(p), "filename::field");
    struct value *spec = plotspec_fill(&t->a, plotspec_template(&t->a, "simple"), p, NULL, &t->e);
    assert_string_equal(
        as_json(t, value_find(spec, "encoding.strokeDash.scale")),
        "{\"domain\": [\"a.csv::loss\", \"b.csv::acc\"], \"range\": [[1, 0], [8, 8]]}");
    assert_string_equal(as_json(t, value_find(spec, "data.values[0]")),
                        "{\"s\": \"0\", \"loss\": \"2\", \"dvc_inferred_y_value\": \"2\", "
                        "\"rev\": \"v1\", \"filename::field\": \"a.csv::loss\"}");
    assert_string_equal(as_json(t, value_find(spec, "encoding.y.title")), "\"y\"");
}

static void what_is_wrong(void **state)
{
    struct place *t = *state;
    struct plot_list l = match(t, "a.csv", "{\"y\": \"zz\"}",
                               "{\"a.csv\": {\"data\": [{\"s\": \"0\", \"l\": \"1\"}]}}");
    assert_string_equal(
        as_json(t, l.errors),
        "[{\"name\": \"a.csv\", \"rev\": \"v1\", \"type\": \"FieldNotFoundError\", "
        "\"msg\": \"Could not find provided field ('zz') in data fields ('s, l').\"}]");
    assert_int_equal(l.items[0].points->list.count, 0);
    l = match(
        t, "p", "{\"x\": {\"a.csv\": \"s\"}, \"y\": {\"b.csv\": \"l\"}}",
        "{\"a.csv\": {\"data\": [{\"s\": 0}, {\"s\": 1}]}, \"b.csv\": {\"data\": [{\"l\": 1}]}}");
    assert_non_null(strstr(as_json(t, l.errors), "They have to have same length."));
    l = match(t, "a.csv", "{}", "{\"a.csv\": {\"error\": {\"type\": \"T\", \"msg\": \"m\"}}}");
    assert_string_equal(as_json(t, l.errors),
                        "[{\"name\": \"a.csv\", \"rev\": \"v1\", "
                        "\"source\": \"a.csv\", \"type\": \"T\", \"msg\": \"m\"}]");
    /* documents that are no tables, and keys that are no strings */
    l = match(t, "a.json", "{}", "{\"a.json\": {\"data\": [[], 1, null, {}]}}");
    assert_int_equal(l.items[0].points->list.count, 0);
}

/* Every anchor of every template is filled, split or not. */
static void templates(void **state)
{
    struct place *t = *state;
    for (size_t i = 0; plotspec_name(i); i++) {
        for (int split = 0; split < 2; split++) {
            struct plot_list l =
                match(t, "a.b", "{\"x\": \"s.x\", \"y\": {\"a.csv\": \"l[0]\"}}",
                      "{\"a.csv\": {\"data\": [{\"s.x\": \"0\", \"l[0]\": \"1\"}]}}");
            struct value *anchors = NULL;
            struct value *spec = plotspec_fill(&t->a, plotspec_template(&t->a, plotspec_name(i)),
                                               &l.items[0], split ? &anchors : NULL, &t->e);
            assert_non_null(spec);
            const char *text = as_json(t, spec);
            assert_int_equal(strstr(text, "<DVC_METRIC_") != NULL, split);
            assert_int_equal(strstr(text, "<DVC_METRIC_DATA>") != NULL, split);
            assert_non_null(strstr(text, "l\\\\[0\\\\]"));
            assert_int_equal(value_get(anchors, "<DVC_METRIC_DATA>") != NULL, split);
        }
    }
    struct plot_list l = match(t, "a.csv", "{}", "{\"a.csv\": {\"data\": [{\"s\": \"0\"}]}}");
    assert_null(plotspec_fill(&t->a, doc(t, "{}"), &l.items[0], NULL, &t->e));
    assert_null(plotspec_template(&t->a, "none"));
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text++) {
        n++;
    }
    return n;
}

static const char *page(struct place *t, const char *template, const char *files)
{
    struct plot_list l = match(t, "<a>", "{\"x\": \"x\", \"y\": {\"a.csv\": \"y\"}}", files);
    struct plotpage_item item = {&l.items[0], plotspec_template(&t->a, template)};
    plotspec_name_series(&t->a, item.plot);
    strbuf_reset(&t->text);
    assert_int_equal(plotpage_write(&t->a, &item, 1, NULL, &t->text, &t->e), 0);
    assert_null(strstr(t->text.p, "<script"));
    assert_null(strstr(t->text.p, "nan"));
    assert_non_null(strstr(t->text.p, "&lt;a&gt;"));
    return t->text.p;
}

static void charts(void **state)
{
    struct place *t = *state;
    static const char three[] = "{\"a.csv\": {\"data\": [{\"x\": \"1\", \"y\": \"2\"}, "
                                "{\"x\": \"3\", \"y\": \"4\"}, {\"x\": \"none\", \"y\": \"4\"}]}}";
    const char *text = page(t, "linear", three);
    assert_int_equal(count_of(text, "<polyline"), 1);
    assert_int_equal(count_of(text, "<circle"), 2); /* the third is no number */
    text = page(t, "scatter", three);
    assert_int_equal(count_of(text, "<polyline"), 0);
    assert_int_equal(count_of(text, "<circle"), 3); /* two, and the legend's */
    text = page(t, "bar_horizontal", three);
    assert_int_equal(count_of(text, "rx=\"2\""), 2);
    text = page(t, "confusion", three);
    assert_int_equal(count_of(text, "<rect"), 6); /* 3 values of x by 2 of y */
    assert_non_null(strstr(text, "x: 1\ny: 2\n1</title>"));
}

static void a_frame_needs_a_place(void **state)
{
    struct place *t = *state;
    assert_int_equal(plotpage_write(&t->a, NULL, 0, "<html>", &t->text, &t->e), -1);
    strbuf_reset(&t->text);
    assert_int_equal(plotpage_write(&t->a, NULL, 0, "<{scripts}|{plot_divs}>", &t->text, &t->e), 0);
    assert_memory_equal(t->text.p, "<|<style>", 9);
}

static void numbers_at_the_edge(void **state)
{
    struct place *t = *state;
    const double x[] = {0, 1, 2}, wild[][3] = {{NAN, INFINITY, NAN},
                                               {5, 5, 5},
                                               {1e300, -1e300, 0},
                                               {1e-320, 2e-320, 0},
                                               {1, 1 + 1e-16, 1}};
    for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        const struct svgchart_series s = {.name = "s", .x = x, .y = wild[i], .count = 3};
        strbuf_reset(&t->text);
        svgchart_add_xy(&t->text, &(struct svgchart){.series = &s, .count = 1});
        assert_null(strstr(t->text.p, "nan"));
        assert_null(strstr(t->text.p, "inf"));
        assert_true(t->text.n < 20000);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        T(csv_rows),
        T(kinds_of_files),
        T(rows_without_words),
        T(rows_of_two_files),
        T(what_is_wrong),
        T(templates),
        T(charts),
        T(a_frame_needs_a_place),
        T(numbers_at_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
