/*
 * Charts: geometry and colours that a reader would notice when wrong, limits, and odd input. With
 * NEPHRON_KEEP_CHARTS=DIR the pictures are kept there for a look.
 */
#include "data_check.h"

#include "canvas.h"
#include "chart.h"
#include "heatmap.h"
#include "strokefont.h"

#include <math.h>

static void keep(const struct image *im, const char *name)
{
    const char *dir = getenv("NEPHRON_KEEP_CHARTS");
    char path[1024];

    if (dir != NULL) {
        snprintf(path, sizeof(path), "%s/%s.png", dir, name);
        assert_int_equal(chart_save(im, path, NULL), 0);
    }
}

static int dark_pixels(const struct image *im, int x0, int y0, int x1, int y1)
{
    int n = 0;

    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            n += im->px[3 * (y * im->width + x)] < 128;
        }
    }
    return n;
}

static void count_lines(void *ctx, double x0, double y0, double x1, double y1)
{
    assert_true(x0 >= 0 && x0 <= 12 && x1 >= 0 && x1 <= 12);
    assert_true(y0 >= 0 && y0 <= 18 && y1 >= 0 && y1 <= 18);
    ++*(int *)ctx;
}

static void every_glyph_has_ink_in_its_box(void **state)
{
    for (int ch = 33; ch < 127; ch++) {
        int lines = 0;

        assert_true(strokefont_glyph(ch, count_lines, &lines) <= 12);
        assert_true(lines > 0);
        for (int other = 33; other < ch; other++) { /* no two look the same */
            struct image a, b;
            struct text_style style = {.cap_px = 14};

            canvas_init(&a, 24, 24, RGB(0xffffff));
            canvas_init(&b, 24, 24, RGB(0xffffff));
            canvas_text(&a, 4, 18, &style, (char[2]){(char)ch, 0});
            canvas_text(&b, 4, 18, &style, (char[2]){(char)other, 0});
            if (memcmp(a.px, b.px, 24 * 24 * 3) == 0) {
                fail_msg("'%c' and '%c' look the same", ch, other);
            }
            image_release(&a);
            image_release(&b);
        }
    }
    assert_true(strokefont_width("AB") > strokefont_width("A") + strokefont_width("B"));
    assert_true(strokefont_glyph(200, NULL, NULL) == strokefont_glyph('?', NULL, NULL));
}

static void text_stays_where_it_is_put(void **state)
{
    struct image im;
    struct text_style style = {.cap_px = 14, .max_width = 60};

    canvas_init(&im, 200, 60, RGB(0xffffff));
    canvas_text(&im, 20, 40, &style, "a text that is much too long for its place");
    assert_true(dark_pixels(&im, 20, 20, 84, 46) > 40);
    assert_int_equal(dark_pixels(&im, 84, 0, 200, 60), 0);
    assert_int_equal(dark_pixels(&im, 0, 0, 18, 60), 0);
    canvas_text(&im, -500, 4000, &style, "far outside");
    canvas_text(&im, 199, 59, &style, "at the corner");
    image_release(&im);
}

static void strokes_are_smooth_and_clipped(void **state)
{
    struct image im;
    const struct point line[2] = {{-50, 30.5}, {250, 30.5}};

    canvas_init(&im, 100, 60, RGB(0xffffff));
    canvas_stroke(&im, line, 2, 3, RGB(0));
    for (int x = 0; x < 100; x++) {
        assert_int_equal(im.px[3 * (30 * 100 + x)], 0);
        assert_int_equal(im.px[3 * (27 * 100 + x)], 255);
    }
    canvas_disc(&im, 1e9, -1e9, 5, RGB(0));
    canvas_rect(&im, -10, -10, 1000, 15, RGB(0xff0000));
    assert_int_equal(im.px[0], 255);
    assert_int_equal(im.px[1], 0);
    image_release(&im);
}

static void a_matrix_shows_its_shares(void **state)
{
    static const char *const names[] = {"Normal", "Tumor"};
    static const size_t counts[4] = {48, 0, 5, 40};
    struct image im = IMAGE_INIT, again = IMAGE_INIT;
    struct err e = ERR_INIT;
    struct chart_confusion c = {.class_names = names,
                                .classes = 2,
                                .counts = counts,
                                .note = "validation, random split, accuracy 94.6 %"};

    check_ok(chart_confusion(&c, &im, &e), e);
    check_ok(chart_confusion(&c, &again, &e), e);
    assert_memory_equal(im.px, again.px, (size_t)im.width * (size_t)im.height * 3);
    keep(&im, "confusion");
    /* cells are 150 px from (52 + names, 62); a corner of each tells its share: 1, 0, 1/9, 8/9 */
    int left = im.width, blue[4];
    for (int k = 0; k < 4; k++) {
        int x, y = 62 + 10 + 150 * (k / 2);

        for (x = 0; k == 0 && x < im.width && left == im.width; x++) {
            left = im.px[3 * ((62 + 10) * im.width + x)] == 0x08 ? x : left;
        }
        x = left + 10 + 150 * (k % 2);
        blue[k] = im.px[3 * (y * im.width + x)];
    }
    assert_int_equal(blue[0], 0x08);
    assert_int_equal(blue[1], 255);
    assert_true(blue[2] < 235 && blue[2] > 150);
    assert_true(blue[3] < 60);
    image_release(&im);
    image_release(&again);

    c.classes = 1;
    assert_int_equal(chart_confusion(&c, &im, &e), -1);
    check_said(&e, "expected 2 to 64");
}

static void many_classes_fit(void **state)
{
    const char *names[64];
    size_t *counts = calloc(64 * 64, sizeof(*counts));
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;

    for (int i = 0; i < 64; i++) {
        names[i] = i % 2 ? "a class with quite a long name \xc3\xa4" : "";
        counts[i * 65] = 1000000;
    }
    struct chart_confusion c = {.class_names = names, .classes = 64, .counts = counts};
    check_ok(chart_confusion(&c, &im, &e), e);
    assert_true(im.width < 1600 && im.height < 1600);
    keep(&im, "confusion64");
    image_release(&im);
    free(counts);
}

static void curves_go_where_the_data_are(void **state)
{
    static const double x[] = {1, 2, 3, 4}, y[] = {0, 1, 1, 0}, gap[] = {NAN, 0.5, NAN, 0.25};
    const struct chart_series s[] = {{"training", x, y, 4}, {"validation", x, gap, 4}};
    struct chart_lines c = {.title = "Loss",
                            .x_label = "epoch",
                            .y_label = "cross-entropy",
                            .series = s,
                            .series_count = 2};
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;

    check_ok(chart_lines(&c, &im, &e), e);
    keep(&im, "lines");
    assert_int_equal(im.width, 720);
    /* the plot spans x 78..694, y 418..82; the middle of the top edge is on the first curve */
    const uint8_t *p = im.px + 3 * (82 * 720 + 386);
    assert_true(p[0] < 60 && p[2] > 150);
    p = im.px + 3 * (250 * 720 + 386);
    assert_int_equal(p[0], 255);
    image_release(&im);
}

static void odd_series_are_drawn(void **state)
{
    static const double one[] = {5}, nan_only[] = {NAN}, huge[] = {1e300}, inf[] = {INFINITY};
    const double *ys[] = {one, nan_only, huge, inf};

    for (int k = 0; k < 4; k++) {
        const struct chart_series s = {"odd", one, ys[k], k == 3 ? 0 : 1};
        struct chart_lines c = {.series = &s, .series_count = 1};
        struct image im = IMAGE_INIT;
        struct err e = ERR_INIT;

        check_ok(chart_lines(&c, &im, &e), e);
        image_release(&im);
        c.width = 10;
        assert_int_equal(chart_lines(&c, &im, &e), -1);
    }
}

static void sheets_show_thumbnails(void **state)
{
    uint8_t px[30 * 20 * 3];
    struct chart_cell cells[7];
    struct image im = IMAGE_INIT;
    struct err e = ERR_INIT;

    memset(px, 200, sizeof(px));
    for (int i = 0; i < 7; i++) {
        cells[i] = (struct chart_cell){
            .px = px,
            .width = 30,
            .height = 20,
            .caption = {"Tumor- p051 s02.jpg", "true Tumor", "said Normal, 97.3 %"}};
    }
    struct chart_sheet c = {.title = "Misclassified slices", .cells = cells, .count = 7};
    check_ok(chart_sheet(&c, &im, &e), e);
    keep(&im, "sheet");
    assert_int_equal(im.width, 2 * 24 + 6 * 128 + 5 * 16);
    assert_int_equal(im.px[3 * ((64 + 64) * im.width + 24 + 64)], 200); /* its middle */
    assert_int_equal(im.px[3 * ((64 + 5) * im.width + 24 + 64)], 0x10); /* the bar above it */
    image_release(&im);
    c.count = 0;
    check_ok(chart_sheet(&c, &im, &e), e);
    image_release(&im);
    c.count = 5000;
    assert_int_equal(chart_sheet(&c, &im, &e), -1);
    check_said(&e, "too large");
}

static void panels_and_files(void **state)
{
    char *dir = check_temp(), path[1024];
    struct image a, b, both = IMAGE_INIT, back = IMAGE_INIT;
    struct err e = ERR_INIT;

    canvas_init(&a, 30, 20, RGB(0x102030));
    canvas_init(&b, 10, 40, RGB(0x405060));
    check_ok(chart_beside(&a, &b, &both, &e), e);
    assert_int_equal(both.width, 40);
    assert_int_equal(both.height, 40);
    assert_int_equal(both.px[3 * 35], 0x40);
    snprintf(path, sizeof(path), "%s/x.png", dir);
    check_ok(chart_save(&both, path, &e), e);
    check_ok(image_load(path, NULL, &back, &e), e);
    assert_memory_equal(back.px, both.px, 40 * 40 * 3);
    snprintf(path, sizeof(path), "%s/none/x.png", dir);
    assert_int_equal(chart_save(&both, path, &e), -1);
    check_said(&e, "none/x.png");
    image_release(&a);
    image_release(&b);
    image_release(&both);
    image_release(&back);
    check_remove(dir);
}

static double distance(struct rgb a, struct rgb b)
{
    return abs(a.r - b.r) + abs(a.g - b.g) + abs(a.b - b.b);
}

static void heat_lies_where_it_is(void **state)
{
    struct image im = IMAGE_INIT, out = IMAGE_INIT;
    const float heat[4] = {0, 0, 0, 3}, none[4] = {0};
    canvas_init(&im, 40, 60, RGB(0x808080));
    heatmap_overlay(&im, heat, 2, 2, &out);
    assert_true(out.width == 40 && out.height == 60);
    const uint8_t *cold = out.px, *hot = out.px + 3 * (59 * 40 + 39);
    assert_true(cold[0] == 0x80 && cold[1] == 0x80 && cold[2] == 0x80); /* shows through */
    assert_true(hot[0] > hot[2] + 60);                                  /* red */
    image_release(&out);
    heatmap_overlay(&im, none, 2, 2, &out);
    assert_memory_equal(out.px, im.px, 3 * 40 * 60);
    image_release(&out);
    image_release(&im);
    /* The ends and the middle of the published table. */
    assert_true(distance(heatmap_colour(0), RGB(0x30123b)) < 60);
    assert_true(distance(heatmap_colour(0.5), RGB(0xa2fc3c)) < 60);
    assert_true(distance(heatmap_colour(1), RGB(0x7a0403)) < 60);
}

static void explained_pictures_stand_beside_their_maps(void **state)
{
    struct err e = ERR_INIT;
    struct image im = IMAGE_INIT, wide = IMAGE_INIT, out = IMAGE_INIT;
    const float heat[4] = {0, 1, 0, 0};
    canvas_init(&im, 90, 90, RGB(0x404040));
    canvas_init(&wide, 300, 20, RGB(0xc0c0c0));
    struct chart_explained rows[2] = {{&im, heat, 2, 2, "Tumor, 98.1 %", "a.jpg"},
                                      {&wide, heat, 1, 4, "Normal, 51.0 %", "b.jpg"}};
    struct chart_explain c = {.rows = rows, .count = 2, .note = "note"};
    check_ok(chart_explain(&c, &out, &e), e);
    assert_true(out.width > 640 && out.height > 2 * 320);
    image_release(&out);
    c.count = CHART_EXPLAIN_MAX + 1;
    assert_int_equal(chart_explain(&c, &out, &e), -1);
    image_release(&im);
    image_release(&wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heat_lies_where_it_is),
        cmocka_unit_test(explained_pictures_stand_beside_their_maps),
        cmocka_unit_test(every_glyph_has_ink_in_its_box),
        cmocka_unit_test(text_stays_where_it_is_put),
        cmocka_unit_test(strokes_are_smooth_and_clipped),
        cmocka_unit_test(a_matrix_shows_its_shares),
        cmocka_unit_test(many_classes_fit),
        cmocka_unit_test(curves_go_where_the_data_are),
        cmocka_unit_test(odd_series_are_drawn),
        cmocka_unit_test(sheets_show_thumbnails),
        cmocka_unit_test(panels_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
