/*
 * Augmentation against pixels computed without the affine inverse: maps that move whole pixels
 * (flip, quarter turn, whole shifts, doubling), a naive sampler that composes the steps one by one,
 * and the streams of random numbers.
 */
#include "data_check.h"

#include "augment.h"

#include <math.h>

enum { W = 9, H = 9 };

static void fill(uint8_t *px, int w, int h)
{
    for (int i = 0; i < w * h * 3; i++) {
        px[i] = (uint8_t)((i * 2654435761u) >> 24);
    }
}

static void apply(const uint8_t *px, int w, int h, const struct augment_params *p, float *x)
{
    const struct image_norm unit = IMAGE_NORM_UNIT;
    struct affine map;

    augment_affine(p, w, h, &map);
    augment_apply(px, w, h, &map, &unit, x);
}

static int clampi(int v, int high)
{
    return v < 0 ? 0 : v > high ? high : v;
}

/* Output (x, y) must show source (sx, sy), clamped to the edge. */
static void expect_moved(const struct augment_params *p,
                         void (*source)(int x, int y, int *sx, int *sy))
{
    uint8_t px[W * H * 3];
    float x[W * H * 3];

    fill(px, W, H);
    apply(px, W, H, p, x);
    for (int oy = 0; oy < H; oy++) {
        for (int ox = 0; ox < W; ox++) {
            int sx, sy;

            source(ox, oy, &sx, &sy);
            sx = clampi(sx, W - 1);
            sy = clampi(sy, H - 1);
            for (int c = 0; c < 3; c++) {
                float want = (float)px[3 * (sy * W + sx) + c] / 255;
                assert_true(fabsf(x[c * W * H + oy * W + ox] - want) < 1e-5f);
            }
        }
    }
}

static void same(int x, int y, int *sx, int *sy)
{
    *sx = x;
    *sy = y;
}
static void mirrored(int x, int y, int *sx, int *sy)
{
    *sx = W - 1 - x;
    *sy = y;
}
static void moved(int x, int y, int *sx, int *sy)
{
    *sx = x - 2;
    *sy = y + 3;
}
/* Counter-clockwise as seen: what was on the right is now on top. */
static void turned(int x, int y, int *sx, int *sy)
{
    *sx = W - 1 - y;
    *sy = x;
}
static void halved(int x, int y, int *sx, int *sy)
{
    *sx = 4 + 2 * (x - 4);
    *sy = 4 + 2 * (y - 4);
}

static void whole_pixel_maps(void **state)
{
    expect_moved(&(struct augment_params){.scale = 1}, same);
    expect_moved(&(struct augment_params){.scale = 1, .flip = true}, mirrored);
    expect_moved(&(struct augment_params){.scale = 1, .shift_x = 2.0 / W, .shift_y = -3.0 / H},
                 moved);
    expect_moved(&(struct augment_params){.scale = 1, .angle_deg = 90}, turned);
    expect_moved(&(struct augment_params){.scale = 0.5}, halved);
}

/* By hand: the row 0 100 200 moved right by half a pixel is 0 50 150 (nearest fill at the left). */
static void half_a_pixel_by_hand(void **state)
{
    static const uint8_t px[9] = {0, 0, 0, 100, 100, 100, 200, 200, 200};
    static const float want[3] = {0, 50, 150};
    float x[9];

    apply(px, 3, 1, &(struct augment_params){.scale = 1, .shift_x = 0.5 / 3}, x);
    for (int i = 0; i < 3; i++) {
        assert_true(fabsf(x[i] * 255 - want[i]) < 1e-3f);
    }
}

/* By hand: 45 degrees of shear move the row one below the middle one to the right. */
static void shear_by_hand(void **state)
{
    uint8_t px[27];
    float x[27];

    for (int i = 0; i < 27; i++) {
        px[i] = (uint8_t)(10 * (i / 3));
    }
    apply(px, 3, 3, &(struct augment_params){.scale = 1, .shear_deg = 45}, x);
    static const float want[9] = {10, 20, 20, 30, 40, 50, 60, 60, 70};
    for (int i = 0; i < 9; i++) {
        assert_true(fabsf(x[i] * 255 - want[i]) < 1e-3f);
    }
}

/* Undoes the steps one after the other: shift, scale, turn, shear, flip. */
static void undo(const struct augment_params *p, int w, int h, double x, double y, double *sx,
                 double *sy)
{
    double t = p->angle_deg * acos(-1) / 180, k = tan(p->shear_deg * acos(-1) / 180);
    double u = (x - (w - 1) / 2.0 - p->shift_x * w) / p->scale;
    double v = (y - (h - 1) / 2.0 - p->shift_y * h) / p->scale;
    double a = u * cos(t) - v * sin(t), b = u * sin(t) + v * cos(t);

    a -= k * b;
    a = p->flip ? -a : a;
    *sx = fmin(fmax(a + (w - 1) / 2.0, 0), w - 1);
    *sy = fmin(fmax(b + (h - 1) / 2.0, 0), h - 1);
}

static double sample(const uint8_t *px, int w, int h, double x, double y, int c)
{
    double sum = 0;

    for (int sy = 0; sy < h; sy++) {
        for (int sx = 0; sx < w; sx++) { /* tent weights over the whole picture */
            double a = fmax(0, 1 - fabs(x - sx)), b = fmax(0, 1 - fabs(y - sy));
            sum += a * b * px[3 * (sy * w + sx) + c];
        }
    }
    return sum;
}

static void drawn_maps_equal_the_naive_loop(void **state)
{
    enum { w = 14, h = 11 };
    const struct augment_options opt = AUGMENT_DEFAULT;
    const struct image_norm norm = IMAGE_NORM_IMAGENET;
    uint8_t px[w * h * 3];
    float x[w * h * 3];

    fill(px, w, h);
    for (unsigned epoch = 0; epoch < 20; epoch++) {
        struct augment_params p;
        struct affine map;

        augment_draw(&opt, 3, epoch, 77, &p);
        p.shear_deg *= 50; /* up to 10 degrees, so that it shows */
        augment_affine(&p, w, h, &map);
        augment_apply(px, w, h, &map, &norm, x);
        for (int i = 0; i < w * h; i++) {
            double sx, sy;

            undo(&p, w, h, i % w, i / w, &sx, &sy);
            for (int c = 0; c < 3; c++) {
                double want = (sample(px, w, h, sx, sy, c) / 255 - norm.mean[c]) / norm.std[c];
                assert_true(fabs(x[c * w * h + i] - want) < 1e-4);
            }
        }
    }
}

static void draws_fill_their_ranges(void **state)
{
    const struct augment_options opt = AUGMENT_DEFAULT;
    struct augment_params low = {90, 9, 9, 9, 9, false}, high = {-90, -9, -9, -9, -9, false};
    int flips = 0;

    for (unsigned i = 0; i < 2000; i++) {
        struct augment_params p;

        augment_draw(&opt, 1, 0, i, &p);
        low.angle_deg = fmin(low.angle_deg, p.angle_deg);
        high.angle_deg = fmax(high.angle_deg, p.angle_deg);
        low.shift_x = fmin(low.shift_x, p.shift_x);
        high.shift_y = fmax(high.shift_y, p.shift_y);
        low.scale = fmin(low.scale, p.scale);
        high.scale = fmax(high.scale, p.scale);
        high.shear_deg = fmax(high.shear_deg, fabs(p.shear_deg));
        flips += p.flip;
    }
    assert_true(low.angle_deg >= -40 && low.angle_deg < -39);
    assert_true(high.angle_deg <= 40 && high.angle_deg > 39);
    assert_true(low.shift_x >= -0.2 && low.shift_x < -0.19);
    assert_true(high.shift_y <= 0.2 && high.shift_y > 0.19);
    assert_true(low.scale >= 0.8 && low.scale < 0.81 && high.scale <= 1.2 && high.scale > 1.19);
    assert_true(high.shear_deg <= 0.2 && high.shear_deg > 0.19);
    assert_true(flips > 900 && flips < 1100);
}

static void draws_depend_on_their_names_only(void **state)
{
    struct augment_options opt = AUGMENT_DEFAULT;
    struct augment_params a, b;

    augment_draw(&opt, 5, 2, 9, &a);
    augment_draw(&opt, 5, 2, 10, &b);
    assert_true(a.angle_deg != b.angle_deg);
    augment_draw(&opt, 5, 3, 9, &b);
    assert_true(a.angle_deg != b.angle_deg);
    augment_draw(&opt, 6, 2, 9, &b);
    assert_true(a.angle_deg != b.angle_deg);
    opt.rotation_deg = 0; /* switching one off moves no other */
    augment_draw(&opt, 5, 2, 9, &b);
    assert_true(b.angle_deg == 0 && a.shift_x == b.shift_x && a.scale == b.scale &&
                a.flip == b.flip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_pixel_maps),
        cmocka_unit_test(half_a_pixel_by_hand),
        cmocka_unit_test(shear_by_hand),
        cmocka_unit_test(drawn_maps_equal_the_naive_loop),
        cmocka_unit_test(draws_fill_their_ranges),
        cmocka_unit_test(draws_depend_on_their_names_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
