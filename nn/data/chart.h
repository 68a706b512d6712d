#ifndef NEPHRON_CHART_H
#define NEPHRON_CHART_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct image;

/*
 * Pictures for reports: drawn here pixel by pixel with anti-aliased lines and a stroke font of our
 * own (ASCII; other characters show as '?'), no library but stb_image_write for the file. White
 * ground, one palette that is told apart in grey too. Text that is too long is cut with "..".
 * Every function makes a new picture: save it with chart_save, release it with image_release.
 */

struct chart_confusion {
    const char *title; /* NULL: "Confusion matrix" */
    const char *const *class_names;
    size_t classes;       /* 2..64 */
    const size_t *counts; /* [true * classes + predicted] */
    const char *note;     /* line below: "validation, random split, accuracy 98.9 %" or NULL */
};
int chart_confusion(const struct chart_confusion *c, struct image *out, struct err *e);

struct chart_series {
    const char *name;
    const double *x, *y; /* NaN in y: a gap */
    size_t count;
};
struct chart_lines {
    const char *title;
    const char *x_label, *y_label; /* NULL: none */
    const struct chart_series *series;
    size_t series_count;  /* 1..8 */
    double y_low, y_high; /* both 0: from the data */
    int width, height;    /* px; 0: 720 x 480 */
};
int chart_lines(const struct chart_lines *c, struct image *out, struct err *e);

/* Two panels beside each other (loss and accuracy of one run). Takes neither. */
int chart_beside(const struct image *left, const struct image *right, struct image *out,
                 struct err *e);

/* The same, one above the other. */
int chart_above(const struct image *top, const struct image *below, struct image *out,
                struct err *e);

struct chart_cell {
    const uint8_t *px; /* RGB8, width x height */
    int width, height;
    const char *caption[3]; /* lines below the thumbnail; NULL: none */
    const uint8_t *beside;  /* a second picture of that size to its right; NULL: none */
};
struct chart_sheet {
    const char *title;
    const char *note;
    const struct chart_cell *cells;
    size_t count; /* 0: the sheet says "none" */
    int columns;  /* 0: 6, or 3 of two pictures each */
    int thumb_px; /* 0: 128 */
};
int chart_sheet(const struct chart_sheet *c, struct image *out, struct err *e);

/* A picture and where in it the network sees what speaks for a class (gradcam.h). */
struct chart_explained {
    const struct image *picture;
    const float *heat; /* (heat_height, heat_width), >= 0 */
    size_t heat_height, heat_width;
    const char *says; /* "Tumor, 98.3 %" */
    const char *name; /* of the picture */
};
struct chart_explain {
    const char *title, *note; /* may be NULL */
    const struct chart_explained *rows;
    size_t count; /* 1..CHART_EXPLAIN_MAX */
};
#define CHART_EXPLAIN_MAX 40
int chart_explain(const struct chart_explain *c, struct image *out, struct err *e);

/* PNG (or JPEG by extension), atomically. */
int chart_save(const struct image *im, const char *path, struct err *e);

#endif
