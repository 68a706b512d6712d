/* One random affine map per sample, sampled bilinearly: see augment.h. */
#include "augment.h"

#include "image.h"
#include "rng.h"

#include <math.h>

static const double radians_per_degree = 0.017453292519943295;

void augment_draw(const struct augment_options *opt, uint64_t seed, uint64_t epoch, uint64_t sample,
                  struct augment_params *out)
{
    struct rng r;

    rng_init(&r, seed, RNG_AUGMENT, epoch, sample);
    double angle = rng_range(&r, -1, 1), x = rng_range(&r, -1, 1), y = rng_range(&r, -1, 1);
    double scale = rng_range(&r, 0, 1), shear = rng_range(&r, -1, 1), coin = rng_range(&r, 0, 1);

    *out = (struct augment_params){
        .angle_deg = opt->rotation_deg * angle,
        .shift_x = opt->shift * x,
        .shift_y = opt->shift * y,
        .scale = opt->scale_low + (opt->scale_high - opt->scale_low) * scale,
        .shear_deg = opt->shear_deg * shear,
        .flip = opt->flip && coin < 0.5,
    };
}

/*
 * Forward, with y down and a counter-clockwise turn by t:
 *     A = scale * [cos t  sin t; -sin t  cos t] * [1 tan(shear); 0 1] * [+-1 0; 0 1]
 * out = c + shift + A (in - c), so in = c + A^-1 (out - c - shift).
 */
void augment_affine(const struct augment_params *p, int width, int height, struct affine *out)
{
    double t = p->angle_deg * radians_per_degree, k = tan(p->shear_deg * radians_per_degree);
    double cs = cos(t), sn = sin(t), mirror = p->flip ? -1 : 1;
    double cx = (width - 1) / 2.0, cy = (height - 1) / 2.0;
    double ox = cx + p->shift_x * width, oy = cy + p->shift_y * height;
    /* A^-1 = Flip * [1 -k; 0 1] * [cs -sn; sn cs] / scale */
    double a = mirror * (cs - k * sn) / p->scale, b = mirror * (-sn - k * cs) / p->scale;
    double c = sn / p->scale, d = cs / p->scale;

    *out = (struct affine){{a, b, cx - a * ox - b * oy, c, d, cy - c * ox - d * oy}};
}

static double clamp(double v, double high)
{
    return v < 0 ? 0 : v > high ? high : v;
}

void augment_apply(const uint8_t *px, int width, int height, const struct affine *map,
                   const struct image_norm *norm, float *x)
{
    const double *m = map->m;
    size_t plane = (size_t)width * (size_t)height, stride = 3 * (size_t)width;
    float gain[3], offset[3];

    for (int c = 0; c < 3; c++) {
        gain[c] = 1 / (255 * norm->std[c]);
        offset[c] = -norm->mean[c] / norm->std[c];
    }
    for (int oy = 0; oy < height; oy++) {
        for (int ox = 0; ox < width; ox++, x++) {
            double sx = clamp(m[0] * ox + m[1] * oy + m[2], width - 1);
            double sy = clamp(m[3] * ox + m[4] * oy + m[5], height - 1);
            int x0 = (int)sx, y0 = (int)sy;
            float fx = (float)(sx - x0), fy = (float)(sy - y0);
            size_t right = x0 + 1 < width ? 3 : 0, down = y0 + 1 < height ? stride : 0;
            const uint8_t *p = px + (size_t)y0 * stride + 3 * (size_t)x0;

            for (int c = 0; c < 3; c++, p++) {
                float top = p[0] + fx * ((float)p[right] - p[0]);
                float bottom = p[down] + fx * ((float)p[down + right] - p[down]);
                x[(size_t)c * plane] = (top + fy * (bottom - top)) * gain[c] + offset[c];
            }
        }
    }
}
