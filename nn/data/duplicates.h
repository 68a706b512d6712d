#ifndef NEPHRON_DUPLICATES_H
#define NEPHRON_DUPLICATES_H

#include <stddef.h>
#include <stdint.h>

struct dataset;
struct err;
struct par;
struct pixels;
struct split;
struct strbuf;

/*
 * Near copies across a split: slices of one scan differ by a few grey levels, so a random split
 * puts near copies of training pictures into validation and its accuracy says nothing of unseen
 * patients. Each picture becomes a 16x16 grey thumbnail (area mean of the resized picture); the
 * distance of two is the root mean square difference in grey levels.
 */

#define DUPLICATES_SIDE 16
#define DUPLICATES_BYTES (DUPLICATES_SIDE * DUPLICATES_SIDE)

struct thumbs {
    size_t count;  /* = dataset's */
    uint8_t *grey; /* count * DUPLICATES_BYTES */
};

/* Decodes (through the cache of `p`) samples [first, last) in parallel; the thumbnails of the
 * others are black, for the caller to fill in. */
int thumbs_make(struct thumbs *t, struct pixels *p, size_t first, size_t last, struct par *par,
                struct err *e);
void thumbs_release(struct thumbs *t);
double thumbs_distance(const struct thumbs *t, size_t a, size_t b); /* grey levels RMS, 0..255 */

struct duplicates {
    size_t valid_count;                  /* validation samples looked at */
    size_t near_count;                   /* of these, with a near copy in training */
    size_t valid_example, train_example; /* sample indices of the nearest pair, if near_count > 0 */
    double example_distance;             /* grey levels RMS */
    double threshold;
};

/* threshold 0: DUPLICATES_THRESHOLD, measured on 465 real kidney slices of 16 scans: the nearest
 * slice of the same scan is 3.5 away (median; 99 % below 11), the nearest of any other scan 15.8.
 */
#define DUPLICATES_THRESHOLD 12.0
void duplicates_find(const struct thumbs *t, const struct split *s, double threshold,
                     struct par *par, struct duplicates *out);

/*
 * Groups of near copies: connected components of "closer than threshold", numbered by their first
 * sample. group_of: count entries. Returns the number of groups. For SPLIT_BY: group where the file
 * names do not tell the scan.
 */
size_t duplicates_groups(const struct thumbs *t, double threshold, size_t *group_of);

/* The warning's text: "91 of 93 validation pictures have a near copy in training (e.g. …)". */
void duplicates_describe(const struct duplicates *r, const struct dataset *d, struct strbuf *out);

#endif
