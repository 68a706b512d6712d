/*
 * Pixels of the charts. A stroke is a distance field: the coverage of a pixel is how far it lies
 * inside the pen, and overlapping pieces of one stroke take the larger coverage, so that joints and
 * glyphs have no dark spots.
 */
#include "canvas.h"

#include "alloc.h"
#include "image.h"
#include "strokefont.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void canvas_init(struct image *im, int width, int height, struct rgb ground)
{
    image_alloc(im, width, height);
    canvas_rect(im, 0, 0, width, height, ground);
}

struct rgb canvas_mix(struct rgb a, struct rgb b, double t)
{
    return (struct rgb){(uint8_t)lrint(a.r + t * (b.r - a.r)),
                        (uint8_t)lrint(a.g + t * (b.g - a.g)),
                        (uint8_t)lrint(a.b + t * (b.b - a.b))};
}

static uint8_t *pixel(struct image *im, int x, int y)
{
    return im->px + ((size_t)y * (size_t)im->width + (size_t)x) * 3;
}

static void blend(uint8_t *p, struct rgb c, double a)
{
    p[0] = (uint8_t)lrint(p[0] + a * (c.r - p[0]));
    p[1] = (uint8_t)lrint(p[1] + a * (c.g - p[1]));
    p[2] = (uint8_t)lrint(p[2] + a * (c.b - p[2]));
}

static int within(double v, int high)
{
    return v < 0 ? 0 : v > high ? high : (int)v;
}

void canvas_rect(struct image *im, double x, double y, double width, double height,
                 struct rgb colour)
{
    int x1 = within(rint(x + width), im->width), y1 = within(rint(y + height), im->height);

    for (int py = within(rint(y), im->height); py < y1; py++) {
        for (int px = within(rint(x), im->width); px < x1; px++) {
            memcpy(pixel(im, px, py), &(uint8_t[3]){colour.r, colour.g, colour.b}, 3);
        }
    }
}

void canvas_frame(struct image *im, double x, double y, double width, double height,
                  struct rgb colour)
{
    canvas_rect(im, x, y, width, 1, colour);
    canvas_rect(im, x, y + height - 1, width, 1, colour);
    canvas_rect(im, x, y, 1, height, colour);
    canvas_rect(im, x + width - 1, y, 1, height, colour);
}

/* ---- strokes ---- */

/* Coverage of one stroke inside a window of the picture. */
struct ink {
    int x, y, width, height;
    float *cover;
};

static void ink_open(struct ink *ink, const struct image *im, double x0, double y0, double x1,
                     double y1)
{
    int right = within(x1 + 2, im->width), bottom = within(y1 + 2, im->height);

    ink->x = within(x0 - 2, im->width);
    ink->y = within(y0 - 2, im->height);
    ink->width = right > ink->x ? right - ink->x : 0;
    ink->height = bottom > ink->y ? bottom - ink->y : 0;
    ink->cover = xcalloc((size_t)ink->width * (size_t)ink->height + 1, sizeof(*ink->cover));
}

static double distance_to_line(double x, double y, struct point a, struct point b)
{
    double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    double t = length2 > 0 ? ((x - a.x) * dx + (y - a.y) * dy) / length2 : 0;

    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return hypot(x - a.x - t * dx, y - a.y - t * dy);
}

static void ink_line(struct ink *ink, struct point a, struct point b, double radius)
{
    int x0 = within(fmin(a.x, b.x) - radius - 1 - ink->x, ink->width);
    int x1 = within(fmax(a.x, b.x) + radius + 2 - ink->x, ink->width);
    int y0 = within(fmin(a.y, b.y) - radius - 1 - ink->y, ink->height);
    int y1 = within(fmax(a.y, b.y) + radius + 2 - ink->y, ink->height);

    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            double d = distance_to_line(x + ink->x + 0.5, y + ink->y + 0.5, a, b);
            float cover = (float)fmin(fmax(radius + 0.5 - d, 0), 1);
            float *have = &ink->cover[(size_t)y * (size_t)ink->width + (size_t)x];
            *have = cover > *have ? cover : *have;
        }
    }
}

static void ink_close(struct ink *ink, struct image *im, struct rgb colour)
{
    const float *cover = ink->cover;

    for (int y = 0; y < ink->height; y++) {
        for (int x = 0; x < ink->width; x++, cover++) {
            if (*cover > 0) {
                blend(pixel(im, ink->x + x, ink->y + y), colour, *cover);
            }
        }
    }
    free(ink->cover);
}

void canvas_stroke(struct image *im, const struct point *points, size_t count, double width,
                   struct rgb colour)
{
    double x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    struct ink ink;

    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        x0 = fmin(x0, points[i].x);
        y0 = fmin(y0, points[i].y);
        x1 = fmax(x1, points[i].x);
        y1 = fmax(y1, points[i].y);
    }
    ink_open(&ink, im, x0 - width, y0 - width, x1 + width, y1 + width);
    ink_line(&ink, points[0], points[0], width / 2);
    for (size_t i = 1; i < count; i++) {
        ink_line(&ink, points[i - 1], points[i], width / 2);
    }
    ink_close(&ink, im, colour);
}

void canvas_disc(struct image *im, double x, double y, double radius, struct rgb colour)
{
    canvas_stroke(im, &(struct point){x, y}, 1, 2 * radius, colour);
}

/* ---- text ---- */

struct text_pen {
    struct ink *ink;
    double x, y, unit, radius; /* glyph's left end of the baseline; px a unit */
    int upwards;
};

static struct point place(const struct text_pen *p, double x, double y)
{
    double along = x * p->unit, above = (STROKEFONT_CAP - y) * p->unit;

    return p->upwards ? (struct point){p->x - above, p->y - along}
                      : (struct point){p->x + along, p->y - above};
}

static void pen_line(void *ctx, double x0, double y0, double x1, double y1)
{
    const struct text_pen *p = ctx;

    ink_line(p->ink, place(p, x0, y0), place(p, x1, y1), p->radius);
}

double canvas_text_width(const struct text_style *style, const char *text)
{
    return strokefont_width(text) * style->cap_px / STROKEFONT_CAP;
}

/* Shortens text to the style's width, marking the cut. */
static const char *fit(const struct text_style *style, const char *text, char *out, size_t size)
{
    size_t n = strlen(text);

    if (style->max_width <= 0 || canvas_text_width(style, text) <= style->max_width) {
        return text;
    }
    for (n = n < size - 3 ? n : size - 3; n > 0; n--) {
        snprintf(out, size, "%.*s..", (int)n, text);
        if (canvas_text_width(style, out) <= style->max_width) {
            return out;
        }
    }
    return "";
}

void canvas_text(struct image *im, double x, double y, const struct text_style *style,
                 const char *text)
{
    char buffer[256];
    const char *shown = fit(style, text, buffer, sizeof(buffer));
    double width = canvas_text_width(style, shown);
    double back = style->anchor == CANVAS_LEFT     ? 0
                  : style->anchor == CANVAS_CENTRE ? width / 2
                                                   : width;
    struct ink ink;
    struct text_pen pen = {
        .ink = &ink, .unit = style->cap_px / STROKEFONT_CAP, .upwards = style->upwards};
    double pad = style->cap_px;

    pen.radius = pen.unit * (style->bold ? 1.25 : 0.85);
    pen.x = style->upwards ? x : x - back;
    pen.y = style->upwards ? y + back : y;
    if (style->upwards) {
        ink_open(&ink, im, x - 2 * pad, y - width - pad, x + pad, y + width + pad);
    } else {
        ink_open(&ink, im, pen.x - pad, y - 2 * pad, pen.x + width + pad, y + pad);
    }
    for (const char *p = shown; *p; p++) {
        double step =
            (strokefont_glyph((unsigned char)*p, pen_line, &pen) + STROKEFONT_GAP) * pen.unit;
        *(style->upwards ? &pen.y : &pen.x) += style->upwards ? -step : step;
    }
    ink_close(&ink, im, style->colour);
}

void canvas_paste(struct image *im, int x, int y, const uint8_t *px, int width, int height)
{
    for (int row = 0; row < height; row++) {
        for (int col = 0; col < width; col++) {
            if (x + col >= 0 && x + col < im->width && y + row >= 0 && y + row < im->height) {
                memcpy(pixel(im, x + col, y + row),
                       px + ((size_t)row * (size_t)width + (size_t)col) * 3, 3);
            }
        }
    }
}
