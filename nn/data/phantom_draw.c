/*
 * Drawing for the phantom: see phantom_draw.h. Every blob is evaluated by an approximate signed
 * distance to its outline inside its bounding box only, so a slice of 256x256 px with some
 * sixty blobs costs a few milliseconds.
 */
#include "phantom_draw.h"

#include "alloc.h"
#include "rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void field_init(struct field *f, int size)
{
    size_t n = (size_t)size * (size_t)size;

    *f = (struct field){.size = size, .zoom = 1, .cs = 1};
    f->v = xcalloc(n, sizeof(*f->v));
    f->texture = xcalloc(n, sizeof(*f->texture));
    f->clip = xcalloc(n, sizeof(*f->clip));
    for (size_t i = 0; i < n; i++) {
        f->clip[i] = 1;
    }
}

void field_release(struct field *f)
{
    free(f->v);
    free(f->texture);
    free(f->clip);
    *f = (struct field){0};
}

/* Pixel to patient coordinates. */
static void field_point(const struct field *f, int px, int py, double *x, double *y)
{
    double u = ((px + 0.5) / f->size * 2 - 1 - f->shift_x) / f->zoom;
    double v = ((py + 0.5) / f->size * 2 - 1 - f->shift_y) / f->zoom;

    *x = f->cs * u + f->sn * v;
    *y = -f->sn * u + f->cs * v;
}

struct box {
    int x0, y0, x1, y1; /* px, x1 and y1 exclusive */
};

static int clamp_px(double v, int size)
{
    return v < 0 ? 0 : v > size ? size : (int)v;
}

static struct box field_box(const struct field *f, double x, double y, double radius)
{
    double u = f->cs * x - f->sn * y, v = f->sn * x + f->cs * y;
    double cx = (u * f->zoom + f->shift_x + 1) / 2 * f->size;
    double cy = (v * f->zoom + f->shift_y + 1) / 2 * f->size;
    double r = radius * f->zoom / 2 * f->size + 2;

    return (struct box){clamp_px(cx - r, f->size), clamp_px(cy - r, f->size),
                        clamp_px(cx + r + 1, f->size), clamp_px(cy + r + 1, f->size)};
}

static double blob_waves(const struct blob *b)
{
    return fabs(b->wave[0]) + fabs(b->wave[1]) + fabs(b->wave[2]);
}

/*
 * How much of the blob covers a point, 0..1. Points that are surely inside or outside leave early:
 * the atan2 of all points took two thirds of a slice's time.
 */
static double blob_cover(const struct blob *b, double cs, double sn, double edge, double x,
                         double y)
{
    double dx = x - b->x, dy = y - b->y;
    double u = (cs * dx + sn * dy) / b->rx, v = (-sn * dx + cs * dy) / b->ry;
    double rho2 = u * u + v * v, waves = blob_waves(b), band = waves + edge / fmin(b->rx, b->ry);

    if (rho2 > (1 + band) * (1 + band)) {
        return 0;
    }
    if (rho2 < 1e-9 || (band < 1 && rho2 < (1 - band) * (1 - band))) {
        return 1;
    }
    double rho = sqrt(rho2), outline = 1;
    if (waves > 0) {
        double t = atan2(v, u);

        outline += b->wave[0] * cos(2 * t + b->phase[0]) + b->wave[1] * cos(3 * t + b->phase[1]) +
                   b->wave[2] * cos(5 * t + b->phase[2]);
    }
    /* Distance along the ray, shrunk to the distance across by the gradient of rho. */
    double gx = u / (rho * b->rx), gy = v / (rho * b->ry);
    double d = (outline - rho) / sqrt(gx * gx + gy * gy);
    double c = d / edge + 0.5;

    return c <= 0 ? 0 : c >= 1 ? 1 : c * c * (3 - 2 * c);
}

static double blob_reach(const struct blob *b, double edge)
{
    return fmax(b->rx, b->ry) * (1 + blob_waves(b)) + edge;
}

static double edge_at_least_a_pixel(const struct field *f, double edge)
{
    return fmax(edge, 2.0 / f->size / f->zoom);
}

void field_blob(struct field *f, const struct blob *b)
{
    double edge = edge_at_least_a_pixel(f, b->edge);
    double cs = cos(b->angle), sn = sin(b->angle), alpha = b->alpha > 0 ? b->alpha : 1;
    struct box box = field_box(f, b->x, b->y, blob_reach(b, edge));

    if (b->rx <= 0 || b->ry <= 0) {
        return;
    }
    for (int py = box.y0; py < box.y1; py++) {
        for (int px = box.x0; px < box.x1; px++) {
            size_t i = (size_t)py * (size_t)f->size + (size_t)px;
            double x, y;

            field_point(f, px, py, &x, &y);
            double a = alpha * blob_cover(b, cs, sn, edge, x, y);
            if (b->clipped) {
                a *= f->clip[i];
            }
            if (a > 0) {
                double inside = b->value + b->texture * f->texture[i];
                f->v[i] += (float)(a * (inside - f->v[i]));
            }
        }
    }
}

void field_clip_to(struct field *f, const struct blob *b)
{
    double edge = edge_at_least_a_pixel(f, b->edge), cs = cos(b->angle), sn = sin(b->angle);

    for (int py = 0; py < f->size; py++) {
        for (int px = 0; px < f->size; px++) {
            double x, y;

            field_point(f, px, py, &x, &y);
            f->clip[(size_t)py * (size_t)f->size + (size_t)px] =
                (float)blob_cover(b, cs, sn, edge, x, y);
        }
    }
}

void field_band(struct field *f, double y0, double bend, double half, double width, double value)
{
    double edge = edge_at_least_a_pixel(f, 0);

    for (int py = 0; py < f->size; py++) {
        for (int px = 0; px < f->size; px++) {
            double x, y;

            field_point(f, px, py, &x, &y);
            double away = fabs(y - y0 - bend * x * x) - width / 2;
            double a = fmin(fmax(0.5 - away / edge, 0), 1) * (fabs(x) <= half);
            float *v = &f->v[(size_t)py * (size_t)f->size + (size_t)px];
            *v += (float)(a * (value - *v));
        }
    }
}

/* One octave of value noise: a lattice of normal numbers, smoothly interpolated. */
static void texture_octave(struct field *f, struct rng *r, double cell, double gain)
{
    int n = (int)(2 / cell) + 3;
    float *lattice = xcalloc((size_t)n * (size_t)n, sizeof(*lattice));

    for (size_t i = 0; i < (size_t)n * (size_t)n; i++) {
        lattice[i] = (float)(gain * rng_normal(r));
    }
    for (int py = 0; py < f->size; py++) {
        double v = (py + 0.5) / f->size * 2 / cell;
        int j = (int)v;
        double b = v - j;

        b = b * b * (3 - 2 * b);
        for (int px = 0; px < f->size; px++) {
            double u = (px + 0.5) / f->size * 2 / cell;
            int i = (int)u;
            double a = u - i;

            a = a * a * (3 - 2 * a);
            const float *p = lattice + (size_t)j * (size_t)n + i;
            f->texture[(size_t)py * (size_t)f->size + (size_t)px] +=
                (float)((1 - b) * ((1 - a) * p[0] + a * p[1]) +
                        b * ((1 - a) * p[n] + a * p[n + 1]));
        }
    }
    free(lattice);
}

void field_texture(struct field *f, struct rng *r, double cell)
{
    memset(f->texture, 0, (size_t)f->size * (size_t)f->size * sizeof(*f->texture));
    texture_octave(f, r, cell, 0.9);
    texture_octave(f, r, cell / 2.1, 0.7);
    texture_octave(f, r, cell / 4.3, 0.5);
}

/* In place, rows of the previous line kept aside; edges repeat. */
static void blur_once(float *v, int size, float *line)
{
    for (int y = 0; y < size; y++) {
        float *row = v + (size_t)y * (size_t)size, left = row[0];

        for (int x = 0; x < size; x++) {
            float right = row[x + 1 < size ? x + 1 : x], mid = row[x];
            row[x] = 0.25f * left + 0.5f * mid + 0.25f * right;
            left = mid;
        }
    }
    memcpy(line, v, (size_t)size * sizeof(*line));
    for (int y = 0; y < size; y++) {
        float *row = v + (size_t)y * (size_t)size;
        const float *below = y + 1 < size ? row + size : row;

        for (int x = 0; x < size; x++) {
            float mid = row[x];
            row[x] = 0.25f * line[x] + 0.5f * mid + 0.25f * below[x];
            line[x] = mid;
        }
    }
}

void field_blur(struct field *f, int times)
{
    float *line = xcalloc((size_t)f->size, sizeof(*line));

    for (int i = 0; i < times; i++) {
        blur_once(f->v, f->size, line);
    }
    free(line);
}

void field_noise(struct field *f, struct rng *r, double sd)
{
    size_t n = (size_t)f->size * (size_t)f->size;
    float *noise = xcalloc(n, sizeof(*noise)), *line = xcalloc((size_t)f->size, sizeof(*line));

    for (size_t i = 0; i < n; i++) {
        noise[i] = (float)rng_normal(r);
    }
    blur_once(noise, f->size, line);
    /* The binomial blur leaves 3/8 of the deviation: (1/16 + 1/4 + 1/16) = (3/8) per axis squared.
     */
    for (size_t i = 0; i < n; i++) {
        f->v[i] += (float)(sd / 0.375) * noise[i];
    }
    free(line);
    free(noise);
}

void field_to_rgb(const struct field *f, double gain, double offset, uint8_t *rgb)
{
    size_t n = (size_t)f->size * (size_t)f->size;

    for (size_t i = 0; i < n; i++) {
        double v = f->v[i] * gain + offset;
        uint8_t g = v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)lrint(v);

        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = g;
    }
}
