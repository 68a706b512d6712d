#ifndef NEPHRON_PHANTOM_DRAW_H
#define NEPHRON_PHANTOM_DRAW_H

#include <stddef.h>
#include <stdint.h>

struct rng;

/*
 * The pencil of phantom.c: soft-edged blobs on a square field of grey levels, smooth random texture
 * and scanner noise. Positions and radii are in units of half the field of view of an unturned
 * patient: x and y in -1..1, y pointing down; `field` maps them to pixels with the patient's
 * zoom, turn and shift.
 */

struct field {
    int size;       /* px, square */
    float *v;       /* size*size grey levels */
    float *texture; /* size*size, mean 0, deviation about 1 */
    float *clip;    /* size*size in 0..1: where `clipped` blobs may draw */
    double zoom, cs, sn, shift_x, shift_y;
};

/* An ellipse with a wavy outline. */
struct blob {
    double x, y, rx, ry;
    double angle;   /* radians, of the x axis towards y */
    double wave[3]; /* relative amplitude of the 2nd, 3rd and 5th harmonic of the outline */
    double phase[3];
    double value;   /* grey level inside */
    double texture; /* grey levels per unit of field texture added inside */
    double edge;    /* width of the soft border; at least one pixel is used */
    double alpha;   /* opacity; 0 counts as 1 */
    int clipped;    /* draw inside field.clip only */
};

/* Allocates; release with field_release. */
void field_init(struct field *f, int size);
void field_release(struct field *f);

void field_blob(struct field *f, const struct blob *b);
/* Sets clip to the inside of `b` (0 elsewhere). */
void field_clip_to(struct field *f, const struct blob *b);
/* A band of width `width` along y = y0 + bend * x^2, |x| <= half: the patient table. */
void field_band(struct field *f, double y0, double bend, double half, double width, double value);
/* Fills texture with value noise of three octaves; cells of the first have side `cell`. */
void field_texture(struct field *f, struct rng *r, double cell);
/* 3x3 binomial blur, `times` times. */
void field_blur(struct field *f, int times);
/* Gaussian noise of standard deviation `sd` grey levels, correlated over neighbours as after CT
 * reconstruction. */
void field_noise(struct field *f, struct rng *r, double sd);
/* v * gain + offset, rounded and clamped, to grey RGB. */
void field_to_rgb(const struct field *f, double gain, double offset, uint8_t *rgb);

#endif
