/* Geometry of layouts and what the picture of a graph holds. */
#include "pipeline_check.h"

#include "arena.h"
#include "daglayout.h"
#include "err.h"
#include "graphsvg.h"
#include "svgpage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        n++;
    }
    return n;
}

/* a -> b -> d, a -> c -> d, a -> d: layers 0, 1, 1, 2; the long arrow has a lane of its own. */
static void layers_follow_the_arrows(void **state)
{
    const struct daglayout_edge edges[] = {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {0, 3}};
    struct daglayout_shape shape;
    struct arena a;
    arena_init(&a);
    assert_int_equal(daglayout_place(4, edges, 5, &a, &shape, NULL), 0);
    assert_int_equal(shape.layer_count, 3);
    const uint32_t layers[] = {0, 1, 1, 2};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(shape.boxes[i].layer, layers[i]);
        assert_true(shape.boxes[i].across >= 0);
    }
    for (size_t i = 0; i < 5; i++) {
        const struct daglayout_route *r = &shape.routes[i];
        assert_int_equal(r->spots[0].layer, layers[edges[i].from]);
        assert_int_equal(r->spots[r->count - 1].layer, layers[edges[i].to]);
        for (size_t k = 1; k < r->count; k++) {
            assert_int_equal(r->spots[k].layer, r->spots[k - 1].layer + 1);
        }
    }
    /* Whatever shares a layer is one box and a gap apart. */
    double lanes[] = {shape.boxes[1].across, shape.boxes[2].across,
                      shape.routes[4].spots[1].across};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < i; k++) {
            double apart = lanes[i] - lanes[k];
            assert_true(apart >= 0.999 || apart <= -0.999);
        }
    }
    arena_release(&a);
}

static void boxes_arrows_and_legend(void **state)
{
    const struct graphsvg_box boxes[] = {
        {"raw.dvc", "tracked", GRAPH_FRESH, true},
        {"a<b>&\"c\"", "needs <raw>", GRAPH_STALE, false},
        {"d", "", GRAPH_AFTER, false},
        {"alone", "", GRAPH_NEVER, false},
    };
    const struct daglayout_edge edges[] = {{0, 1}, {1, 2}};
    struct strbuf out;
    strbuf_init(&out);
    assert_int_equal(graphsvg_render("x & y", boxes, 4, edges, 2, &out, NULL), 0);
    assert_int_equal(occurrences(out.p, "<g class=\"box "), 4);
    assert_int_equal(occurrences(out.p, "<path class=\"edge\""), 2);
    assert_int_equal(occurrences(out.p, "<g class=\"key "), 4);
    assert_non_null(strstr(out.p, "1 after a stale one"));
    assert_non_null(strstr(out.p, "a&lt;b&gt;&amp;&quot;c&quot;"));
    assert_non_null(strstr(out.p, "<title>x &amp; y</title>"));
    assert_null(strstr(out.p, "a<b>"));
    assert_non_null(strstr(out.p, "prefers-color-scheme: dark"));
    assert_int_equal(occurrences(out.p, "http"), 1); /* the namespace: nothing is loaded */
    strbuf_release(&out);
}

/* 500 stages, half of them a fan of one: every box is inside of the picture, none on another. */
static void five_hundred_stages(void **state)
{
    enum { N = 500 };
    struct graphsvg_box *boxes = calloc(N, sizeof *boxes);
    struct daglayout_edge *edges = calloc(N, sizeof *edges);
    for (uint32_t i = 0; i < N; i++) {
        boxes[i] = (struct graphsvg_box){"stage@instance", "", GRAPH_FRESH, false};
        edges[i] = (struct daglayout_edge){i > N / 2 ? i - N / 2 : 0, i};
    }
    struct strbuf out;
    strbuf_init(&out);
    assert_int_equal(graphsvg_render("many", boxes, N, edges + 1, N - 1, &out, NULL), 0);
    double width, height, seen[N][2];
    assert_int_equal(
        sscanf(strstr(out.p, "width=\""), "width=\"%lf\" height=\"%lf\"", &width, &height), 2);
    const char *at = out.p;
    for (size_t i = 0; i < N; i++) {
        at = strstr(at + 1, "</title><rect x=\"");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "</title><rect x=\"%lf\" y=\"%lf\"", &seen[i][0], &seen[i][1]),
                         2);
        assert_true(seen[i][0] >= 0 && seen[i][0] < width);
        assert_true(seen[i][1] >= 0 && seen[i][1] + 30 <= height);
        for (size_t k = 0; k < i; k++) {
            double dy = seen[i][1] - seen[k][1];
            assert_true(seen[i][0] != seen[k][0] || dy >= 30 || dy <= -30);
        }
    }
    strbuf_release(&out);
    free(boxes);
    free(edges);
}

static void text_forms(void **state)
{
    struct strbuf b;
    bool html;
    struct err e = ERR_INIT;
    strbuf_init(&b);
    svgpage_short(&b, "äöü", 3);
    assert_string_equal(b.p, "äöü");
    strbuf_reset(&b);
    svgpage_short(&b, "äöüß", 3);
    assert_string_equal(b.p, "äö…");
    strbuf_reset(&b);
    svgpage_text(&b, str_from("a\x01\xff<\n"));
    assert_string_equal(b.p, "a??&lt;\n");
    strbuf_reset(&b);
    svgpage_seconds(&b, 59.96);
    strbuf_addch(&b, '|');
    svgpage_seconds(&b, 200);
    strbuf_addch(&b, '|');
    svgpage_seconds(&b, 7500);
    assert_string_equal(b.p, "60 s|3 min 20 s|2 h 05 min");
    assert_int_equal(svgpage_form("x.html", &html, &e), 0);
    assert_true(html);
    assert_int_equal(svgpage_form("-", &html, &e), 0);
    assert_false(html);
    assert_int_equal(svgpage_form("x.png", &html, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_follow_the_arrows),
        cmocka_unit_test(boxes_arrows_and_legend),
        cmocka_unit_test(five_hundred_stages),
        cmocka_unit_test(text_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
