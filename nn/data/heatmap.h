#ifndef NEPHRON_HEATMAP_H
#define NEPHRON_HEATMAP_H

#include "canvas.h"

#include <stddef.h>

struct image;

/*
 * A heat map laid over a picture. The map, of whatever size, is stretched over all of the picture
 * (bilinear, half-pixel centres) and shown in "turbo" (A. Mikhailov 2019, its published
 * polynomial): blue is cold, green in between, red is hot, without jet's false edges. Where it is
 * cold the picture shows through.
 */

/* t in 0..1. */
struct rgb heatmap_colour(double t);
/* heat (height,width) >= 0, shown as a share of its largest value. Makes a new picture of the size
 * of `picture`. */
void heatmap_overlay(const struct image *picture, const float *heat, size_t height, size_t width,
                     struct image *out);

#endif
