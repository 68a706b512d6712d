#ifndef NEPHRON_CANVAS_H
#define NEPHRON_CANVAS_H

#include <stddef.h>
#include <stdint.h>

struct image;

/*
 * Drawing on RGB8 pictures for charts. Coordinates are pixels, x to the right, y down; pixel (0,0)
 * covers 0..1. Everything is clipped at the borders and anti-aliased where it is not axis-parallel.
 */

struct rgb {
    uint8_t r, g, b;
};
#define RGB(hex) ((struct rgb){(hex) >> 16 & 255, (hex) >> 8 & 255, (hex)&255})

struct point {
    double x, y;
};

enum canvas_anchor { CANVAS_LEFT, CANVAS_CENTRE, CANVAS_RIGHT };

struct text_style {
    double cap_px; /* height of capitals */
    struct rgb colour;
    enum canvas_anchor anchor;
    int bold;
    int upwards;      /* turned a quarter, to be read from below */
    double max_width; /* px; longer text is cut with ".."; 0: any */
};

/* Allocates; release with image_release. */
void canvas_init(struct image *im, int width, int height, struct rgb ground);
void canvas_rect(struct image *im, double x, double y, double width, double height,
                 struct rgb colour);
void canvas_frame(struct image *im, double x, double y, double width, double height,
                  struct rgb colour);
/* A polyline with round joints. */
void canvas_stroke(struct image *im, const struct point *points, size_t count, double width,
                   struct rgb colour);
void canvas_disc(struct image *im, double x, double y, double radius, struct rgb colour);
/* y is the baseline (x for upwards text). */
void canvas_text(struct image *im, double x, double y, const struct text_style *style,
                 const char *text);
double canvas_text_width(const struct text_style *style, const char *text);
/* Pastes RGB8 pixels at whole-pixel (x, y). */
void canvas_paste(struct image *im, int x, int y, const uint8_t *px, int width, int height);
struct rgb canvas_mix(struct rgb a, struct rgb b, double t); /* t 0: a, 1: b */

#endif
