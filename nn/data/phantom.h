#ifndef NEPHRON_PHANTOM_H
#define NEPHRON_PHANTOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strbuf;

/*
 * `phantom:` data: seeded, CT-like axial slices through the kidneys, so that the main job runs
 * without a download. Drawn per slice: body outline with fat, muscle wall, spine and ribs, two
 * kidneys (cortex, medulla, sinus fat, pelvis), liver, spleen, bowel with gas, aorta, vena cava,
 * table, smooth texture and noise. Anatomy varies by patient, position by slice. Class Tumor has
 * one to three lesions in or at a kidney, of varied size, place and contrast (hypo-, iso- with a
 * rim, hyperdense, heterogeneous). Class Normal has simple cysts now and then, so that "a dark
 * spot" alone does not tell a tumor.
 *
 *     phantom:?patients=80&slices=3&size=256&seed=1     every key optional; patients is per class
 *
 * File names: "<Class>/<Class>- p012 s03.jpg" below one top folder; patient numbers are unique over
 * both classes. SPLIT_BY: group finds the patient by the pattern PHANTOM_GROUP_PATTERN (built in).
 * What a slice shows depends on (seed, class, patient, slice, size) only. Not for diagnosis of
 * anything.
 */

#define PHANTOM_SCHEME "phantom:"
#define PHANTOM_CLASSES 2
#define PHANTOM_TOP_FOLDER "kidney-ct-scan-image"
#define PHANTOM_GROUP_PATTERN " p([0-9]+) s[0-9]+"
#define PHANTOM_JPEG_QUALITY 90

struct phantom_options {
    uint64_t seed;
    int patients; /* per class, 2..10000 */
    int slices;   /* per patient, 1..200 */
    int size;     /* px, square, 32..1024 */
};

void phantom_defaults(struct phantom_options *opt);
/* Does this source URL begin with "phantom:"? */
bool phantom_is_source(const char *url);
/* Parses "phantom:", "phantom:?key=value&...". Errors name the key and the value's range. */
int phantom_parse(const char *url, struct phantom_options *opt, struct err *e);

const char *phantom_class_name(int class_index);         /* 0 "Normal", 1 "Tumor" */
size_t phantom_count(const struct phantom_options *opt); /* pictures in all */

/* The i-th picture of phantom_count(): class after class, patient after patient, slice after slice.
 */
struct phantom_id {
    int class_index;
    int patient; /* 0-based within its class */
    int slice;   /* 0-based */
};
struct phantom_id phantom_id_at(const struct phantom_options *opt, size_t i);
/* "Tumor/Tumor- p031 s03.jpg" (below PHANTOM_TOP_FOLDER). */
#define PHANTOM_NAME_SIZE 64
void phantom_name(const struct phantom_options *opt, struct phantom_id id,
                  char out[PHANTOM_NAME_SIZE]);

/* rgb: size*size*3 bytes, grey content, rows top down. Allocates scratch of a few MB at most. */
void phantom_slice(const struct phantom_options *opt, struct phantom_id id, uint8_t *rgb);
/* The same as a JPEG file, appended to `out`. */
int phantom_jpeg(const struct phantom_options *opt, struct phantom_id id, struct strbuf *out,
                 struct err *e);

#endif
