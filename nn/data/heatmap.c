/* Heat maps over pictures; see heatmap.h. */
#include "heatmap.h"

#include "image.h"

#include <math.h>

#define OPAQUE 0.62 /* share of the colour where it is hottest; of a grey slice enough is left */

struct rgb heatmap_colour(double t)
{
    static const double terms[3][6] = {
        {0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943},
        {0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604},
        {0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973}};
    uint8_t v[3];
    t = fmin(fmax(t, 0), 1);
    for (int c = 0; c < 3; c++) {
        double sum = 0;
        for (int i = 5; i >= 0; i--) {
            sum = sum * t + terms[c][i];
        }
        v[c] = (uint8_t)lround(255 * fmin(fmax(sum, 0), 1));
    }
    return (struct rgb){v[0], v[1], v[2]};
}

/* The two neighbours of output position i, and how much the second counts. */
static void neighbours(size_t i, size_t out, size_t in, size_t at[2], double *share)
{
    double s = ((double)i + 0.5) * (double)in / (double)out - 0.5;
    s = fmin(fmax(s, 0), (double)in - 1);
    at[0] = (size_t)s;
    at[1] = at[0] + 1 < in ? at[0] + 1 : at[0];
    *share = s - (double)at[0];
}

static double sample(const float *heat, size_t width, const size_t y[2], double v,
                     const size_t x[2], double u)
{
    double top =
        (double)heat[y[0] * width + x[0]] * (1 - u) + (double)heat[y[0] * width + x[1]] * u;
    double low =
        (double)heat[y[1] * width + x[0]] * (1 - u) + (double)heat[y[1] * width + x[1]] * u;
    return top * (1 - v) + low * v;
}

void heatmap_overlay(const struct image *picture, const float *heat, size_t height, size_t width,
                     struct image *out)
{
    double most = 0;
    image_alloc(out, picture->width, picture->height);
    for (size_t i = 0; i < height * width; i++) {
        most = fmax(most, (double)heat[i]);
    }
    for (size_t y = 0; y < (size_t)picture->height; y++) {
        size_t rows[2], columns[2];
        double v, u;
        neighbours(y, (size_t)picture->height, height, rows, &v);
        for (size_t x = 0; x < (size_t)picture->width; x++) {
            size_t at = 3 * (y * (size_t)picture->width + x);
            neighbours(x, (size_t)picture->width, width, columns, &u);
            double t = most > 0 ? sample(heat, width, rows, v, columns, u) / most : 0;
            /* Nothing below a tenth, then rising: cold parts stay as they are. */
            double share = OPAQUE * fmin(fmax((t - 0.1) / 0.4, 0), 1);
            struct rgb hot = heatmap_colour(t);
            struct rgb old = {picture->px[at], picture->px[at + 1], picture->px[at + 2]};
            struct rgb mixed = canvas_mix(old, hot, share);
            out->px[at] = mixed.r;
            out->px[at + 1] = mixed.g;
            out->px[at + 2] = mixed.b;
        }
    }
}
