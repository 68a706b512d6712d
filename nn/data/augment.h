#ifndef NEPHRON_AUGMENT_H
#define NEPHRON_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

struct image_norm;

/*
 * Augmentation: one random affine map per sample and epoch, sampled once, bilinearly, from the
 * resized RGB8 picture (W x H of the network's input), so that nothing is blurred twice. Outside
 * the picture the nearest edge pixel counts ("nearest" fill of Keras).
 *
 * With c = ((W-1)/2, (H-1)/2), y pointing down, the content moves by
 *     out = c + (shift_x*W, shift_y*H) + scale * Rot(angle) * Shear(shear) * Flip * (in - c)
 * Rot turns counter-clockwise as seen for positive angles; Shear adds tan(shear)*y to x; Flip
 * mirrors x. Sampling uses the inverse. Ranges are those of the Keras application this follows.
 */

struct augment_options {
    double rotation_deg; /* angle uniform in +-this */
    double shift;        /* each shift uniform in +-this, fraction of the side */
    double scale_low, scale_high;
    double shear_deg;
    bool flip; /* with probability 1/2 */
};
#define AUGMENT_DEFAULT                                                                            \
    ((struct augment_options){.rotation_deg = 40,                                                  \
                              .shift = 0.2,                                                        \
                              .scale_low = 0.8,                                                    \
                              .scale_high = 1.2,                                                   \
                              .shear_deg = 0.2,                                                    \
                              .flip = true})

struct augment_params {
    double angle_deg, shift_x, shift_y, scale, shear_deg;
    bool flip;
};

/* in = (m[0]*x + m[1]*y + m[2], m[3]*x + m[4]*y + m[5]) for output pixel (x, y). */
struct affine {
    double m[6];
};

/* Draws from stream (seed, RNG_AUGMENT, epoch, sample) only; always six numbers in one fixed order
 * (angle, shift x, shift y, scale, shear, flip), so that switching one off changes no other. */
void augment_draw(const struct augment_options *opt, uint64_t seed, uint64_t epoch, uint64_t sample,
                  struct augment_params *out);
/* The output-to-input map of `p` for W x H pictures; scale must not be 0. */
void augment_affine(const struct augment_params *p, int width, int height, struct affine *out);
/* px (H,W,3) uint8 -> x (3,H,W) fp32 = ((sample/255) - mean) / std, not rounded in between. */
void augment_apply(const uint8_t *px, int width, int height, const struct affine *map,
                   const struct image_norm *norm, float *x);

#endif
