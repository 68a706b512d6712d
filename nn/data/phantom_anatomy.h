#ifndef NEPHRON_PHANTOM_ANATOMY_H
#define NEPHRON_PHANTOM_ANATOMY_H

#include <stdbool.h>
#include <stdint.h>

struct field;

/*
 * One made-up patient, as numbers: drawn once from (seed, class, patient), rendered slice by slice.
 * Lengths are in units of half the field of view, grey levels in 0..255 of a soft-tissue
 * window, z runs from -1 (top of the kidneys) to 1 over a patient's slices.
 */

#define ANATOMY_MAX_LESIONS 3
#define ANATOMY_BOWEL_LOOPS 9

enum lesion_kind {
    LESION_CYST,          /* round, sharp, water: harmless, in both classes */
    LESION_HYPODENSE,     /* solid, darker than enhanced cortex */
    LESION_HYPERDENSE,    /* brighter */
    LESION_HETEROGENEOUS, /* bright ragged shell around a dark necrotic core */
};

struct lesion {
    enum lesion_kind kind;
    int side;      /* 0 image left, 1 image right */
    double around; /* angle on the kidney's outline, radians */
    double depth;  /* 0 centre of the kidney .. 1 on its outline */
    double radius;
    double contrast; /* grey levels */
    double z;        /* its middle */
    double phase[3];
};

struct kidney {
    double x, y, rx, ry, tilt;
    double lean;  /* how far x and y wander over z */
    double sinus; /* relative size of the fat in the middle */
    double phase[3];
};

struct bowel_loop {
    double x, y, r, angle, wander;
    int filling; /* 0 collapsed, 1 gas, 2 oral contrast */
};

struct anatomy {
    uint64_t seed, stream;
    bool has_tumor;
    double zoom, turn, shift_x, shift_y; /* how the patient lies */
    double body_rx, body_ry, fat, wall, wave_phase[3];
    double gain, offset, noise; /* scanner */
    int blur;
    double enhancement; /* 0 none .. 1 full contrast phase */
    double liver_size, liver_grey, spleen_size, texture_cell, spine_y, spine_r;
    bool has_gallbladder, has_excretion;
    struct kidney kidney[2];
    struct bowel_loop loop[ANATOMY_BOWEL_LOOPS];
    struct lesion lesion[ANATOMY_MAX_LESIONS + 2];
    int lesions;
};

void anatomy_draw_patient(struct anatomy *a, uint64_t seed, int class_index, int patient);
/* Draws slice `slice` of `slices` into *f (field_init'ed) and as grey RGB into size*size*3 bytes.
 */
void anatomy_render(const struct anatomy *a, int slices, int slice, struct field *f, uint8_t *rgb);

#endif
