/*
 * Resizing RGB8. The bilinear filter follows ATen's upsample_bilinear2d
 * (area_pixel_compute_source_index, fp32 arithmetic, no low-pass), so that a model trained
 * elsewhere sees the pixels it was trained on; checked in tests/unit/nn/image_test.c.
 */
#include "image.h"

#include "alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tap {
    int a, b;    /* source indices */
    float share; /* of b */
};

static struct tap bilinear_tap(int i, int in, int out)
{
    float scale = (float)in / (float)out, s = scale * ((float)i + 0.5f) - 0.5f;
    int a;

    s = s < 0 ? 0 : s;
    a = (int)s;
    a = a > in - 1 ? in - 1 : a;
    return (struct tap){.a = a, .b = a + 1 < in ? a + 1 : a, .share = s - (float)a};
}

static void resize_bilinear(const struct image *src, int w, int h, uint8_t *dst)
{
    struct tap *columns = xcalloc((size_t)w, sizeof(*columns));
    size_t stride = 3 * (size_t)src->width;

    for (int x = 0; x < w; x++) {
        columns[x] = bilinear_tap(x, src->width, w);
    }
    for (int y = 0; y < h; y++) {
        struct tap row = bilinear_tap(y, src->height, h);
        const uint8_t *top = src->px + (size_t)row.a * stride;
        const uint8_t *bottom = src->px + (size_t)row.b * stride;

        for (int x = 0; x < w; x++) {
            const struct tap *t = &columns[x];
            float b = t->share, a = 1 - b;

            for (int c = 0; c < 3; c++) {
                float upper = a * top[3 * t->a + c] + b * top[3 * t->b + c];
                float lower = a * bottom[3 * t->a + c] + b * bottom[3 * t->b + c];
                *dst++ = (uint8_t)lrintf((1 - row.share) * upper + row.share * lower);
            }
        }
    }
    free(columns);
}

static int nearest_index(int i, int in, int out)
{
    int s = (int)floorf((float)i * ((float)in / (float)out));

    return s < in - 1 ? s : in - 1;
}

static void resize_nearest(const struct image *src, int w, int h, uint8_t *dst)
{
    for (int y = 0; y < h; y++) {
        const uint8_t *row =
            src->px + (size_t)nearest_index(y, src->height, h) * 3 * (size_t)src->width;

        for (int x = 0; x < w; x++, dst += 3) {
            memcpy(dst, row + 3 * (size_t)nearest_index(x, src->width, w), 3);
        }
    }
}

/* How much of source pixel s lies in the span of output pixel i. */
static double covered(int s, int i, int in, int out)
{
    double from = (double)i * in / out, to = (double)(i + 1) * in / out;

    return fmin(to, s + 1.0) - fmax(from, s);
}

static void area_pixel(const struct image *src, int w, int h, int x, int y, uint8_t *dst)
{
    int x0 = (int)((double)x * src->width / w), x1 = (int)ceil((double)(x + 1) * src->width / w);
    int y0 = (int)((double)y * src->height / h), y1 = (int)ceil((double)(y + 1) * src->height / h);
    double sum[3] = {0}, area = 0;

    for (int sy = y0; sy < y1 && sy < src->height; sy++) {
        double high = covered(sy, y, src->height, h);
        const uint8_t *row = src->px + (size_t)sy * 3 * (size_t)src->width;

        for (int sx = x0; sx < x1 && sx < src->width; sx++) {
            double part = high * covered(sx, x, src->width, w);

            for (int c = 0; c < 3; c++) {
                sum[c] += part * row[3 * sx + c];
            }
            area += part;
        }
    }
    for (int c = 0; c < 3; c++) {
        dst[c] = (uint8_t)lrint(sum[c] / area);
    }
}

void image_resize(const struct image *src, enum image_filter filter, int dst_width, int dst_height,
                  uint8_t *dst)
{
    size_t n = (size_t)dst_width * (size_t)dst_height * 3;

    if (src->width == dst_width && src->height == dst_height) {
        memcpy(dst, src->px, n);
        return;
    }
    switch (filter) {
    case IMAGE_BILINEAR:
        resize_bilinear(src, dst_width, dst_height, dst);
        return;
    case IMAGE_NEAREST:
        resize_nearest(src, dst_width, dst_height, dst);
        return;
    case IMAGE_AREA:
        for (int y = 0; y < dst_height; y++) {
            for (int x = 0; x < dst_width; x++) {
                area_pixel(src, dst_width, dst_height, x, y, dst);
                dst += 3;
            }
        }
        return;
    }
}
