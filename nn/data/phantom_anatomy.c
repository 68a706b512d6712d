/*
 * What an axial slice through the kidneys looks like, as far as a small network and a reader of the
 * README can tell. Nothing is measured from real patients; proportions follow any atlas of
 * sectional anatomy. Drawn back to front: table, skin, fat, muscle, cavity, spine and ribs, liver,
 * spleen, bowel, vessels, kidneys, lesions; then the scanner's blur, noise and window.
 *
 * What makes it hard: patients differ in size, pose, fat, contrast phase, noise and bowel far more
 * than the classes do, so whole-picture distance finds look-alike patients, not lesions
 * (phantom_test.c holds nearest-neighbour under 75 %). Cysts in both classes keep "a dark spot"
 * from being enough. What makes it possible: each slice of class Tumor cuts a lesion of visible
 * size.
 */
#include "phantom_anatomy.h"

#include "phantom_draw.h"
#include "rng.h"

#include <math.h>

static const double tau = 6.283185307179586;

/* Grey levels of tissue in the window. */
enum {
    GREY_AIR = 3,
    GREY_FAT = 58,
    GREY_WATER = 96,
    GREY_MUSCLE = 122,
    GREY_CANCELLOUS = 178,
    GREY_CORTICAL = 240,
};

static double between(struct rng *r, double low, double high)
{
    return rng_range(r, low, high);
}

static void draw_phases(struct rng *r, double phase[3])
{
    for (int k = 0; k < 3; k++) {
        phase[k] = between(r, 0, tau);
    }
}

static void draw_kidneys(struct anatomy *a, struct rng *r)
{
    double common = between(r, 0.9, 1.12);

    for (int side = 0; side < 2; side++) {
        struct kidney *k = &a->kidney[side];
        double out = side == 0 ? -1 : 1;

        k->x = out * a->body_rx * between(r, 0.47, 0.56);
        k->y = a->body_ry * between(r, 0.24, 0.40);
        k->rx = common * between(r, 0.135, 0.165);
        k->ry = common * between(r, 0.185, 0.225);
        k->tilt = out * between(r, -0.15, 0.55);
        k->lean = between(r, -0.04, 0.06);
        k->sinus = between(r, 0.75, 1.15);
        draw_phases(r, k->phase);
    }
}

static void draw_bowel(struct anatomy *a, struct rng *r)
{
    for (int i = 0; i < ANATOMY_BOWEL_LOOPS; i++) {
        struct bowel_loop *l = &a->loop[i];

        l->x = a->body_rx * between(r, -0.72, 0.78);
        l->y = a->body_ry * between(r, -0.72, -0.08);
        l->r = between(r, 0.05, 0.11);
        l->angle = between(r, 0, tau);
        l->wander = between(r, -0.12, 0.12);
        l->filling = rng_uniform(r) < 0.35f ? 1 : rng_uniform(r) < 0.3f ? 2 : 0;
    }
}

static void draw_lesion(struct anatomy *a, struct rng *r, bool is_cyst)
{
    struct lesion *l = &a->lesion[a->lesions++];
    double pick = rng_uniform(r);

    l->side = (int)rng_below(r, 2);
    l->around = between(r, 0, tau);
    l->depth = is_cyst ? between(r, 0.5, 1.0) : between(r, 0.3, 1.05);
    l->radius = is_cyst ? between(r, 0.022, 0.042) : between(r, 0.15, 0.25);
    l->z = between(r, -0.4, 0.4);
    l->kind = is_cyst       ? LESION_CYST
              : pick < 0.4  ? LESION_HYPODENSE
              : pick < 0.65 ? LESION_HYPERDENSE
                            : LESION_HETEROGENEOUS;
    l->contrast = l->kind == LESION_HYPERDENSE ? between(r, 40, 64) : between(r, 52, 80);
    draw_phases(r, l->phase);
}

static void draw_lesions(struct anatomy *a, struct rng *r)
{
    int tumors = 1 + (rng_uniform(r) < 0.2f) + (rng_uniform(r) < 0.08f);
    int cysts = (rng_uniform(r) < 0.3f) + (rng_uniform(r) < 0.12f);

    for (int i = 0; i < cysts; i++) {
        draw_lesion(a, r, true);
    }
    for (int i = 0; a->has_tumor && i < tumors; i++) {
        draw_lesion(a, r, false);
        if (i == 0) {
            /* The first one reaches through all slices, so that the label is true of each. */
            a->lesion[a->lesions - 1].z *= 0.3;
        }
    }
}

void anatomy_draw_patient(struct anatomy *a, uint64_t seed, int class_index, int patient)
{
    struct rng stream, *r = &stream;

    *a = (struct anatomy){.seed = seed,
                          .stream = (uint64_t)patient * 2 + (uint64_t)class_index,
                          .has_tumor = class_index == 1};
    rng_init(r, seed, RNG_PHANTOM, a->stream, 0);
    a->zoom = between(r, 1.06, 1.2);
    a->turn = between(r, -0.12, 0.12);
    a->shift_x = between(r, -0.05, 0.05);
    a->shift_y = between(r, -0.06, 0.05);
    a->body_rx = between(r, 0.70, 0.84);
    a->body_ry = a->body_rx * between(r, 0.66, 0.80);
    a->fat = between(r, 0.03, 0.13);
    a->wall = between(r, 0.035, 0.06);
    draw_phases(r, a->wave_phase);
    a->gain = between(r, 0.92, 1.08);
    a->offset = between(r, -8, 8);
    a->noise = between(r, 3, 7);
    a->blur = 1 + (int)rng_below(r, 2);
    a->enhancement = between(r, 0.7, 1);
    a->liver_size = between(r, 0.75, 1.15);
    a->liver_grey = between(r, 126, 152);
    a->spleen_size = between(r, 0.6, 1.2);
    a->texture_cell = between(r, 0.10, 0.2);
    a->spine_y = a->body_ry * between(r, 0.44, 0.52);
    a->spine_r = between(r, 0.115, 0.145);
    a->has_gallbladder = rng_uniform(r) < 0.4f;
    a->has_excretion = rng_uniform(r) < 0.3f;
    draw_kidneys(a, r);
    draw_bowel(a, r);
    draw_lesions(a, r);
}

/* ---- rendering ---- */

struct slice {
    const struct anatomy *a;
    struct field *f;
    double z;       /* -1..1 */
    struct rng rng; /* of this slice */
};

/* The body's outline, `inset` inside it: skin, fat, wall and cavity are nested copies. */
static struct blob body(const struct anatomy *a, double inset, double value)
{
    struct blob b = {.rx = a->body_rx - inset,
                     .ry = a->body_ry - inset,
                     .wave = {-0.02, 0.012, 0.008},
                     .value = value,
                     .texture = 3};

    for (int k = 0; k < 3; k++) {
        b.phase[k] = a->wave_phase[k];
    }
    return b;
}

static void render_trunk(struct slice *s)
{
    const struct anatomy *a = s->a;
    double cavity = a->fat + a->wall;
    struct blob skin = body(a, 0, 118), fat = body(a, 0.016, GREY_FAT),
                wall = body(a, a->fat, GREY_MUSCLE), inner = body(a, cavity, GREY_FAT + 6);

    field_band(s->f, a->body_ry + 0.05, -0.16, 0.75, 0.022, 92);
    field_blob(s->f, &skin);
    field_blob(s->f, &fat);
    wall.texture = 8;
    field_blob(s->f, &wall);
    field_blob(s->f, &inner);
    field_clip_to(s->f, &inner);
}

/* Two cords of muscle on each side of the spine: behind it, and the psoas before it. */
static void render_muscles(struct slice *s)
{
    const struct anatomy *a = s->a;

    for (int side = -1; side <= 1; side += 2) {
        struct blob back = {.x = side * a->spine_r * 1.55,
                            .y = a->spine_y + a->spine_r * 1.5,
                            .rx = 0.15,
                            .ry = 0.085,
                            .angle = side * -0.25,
                            .value = GREY_MUSCLE - 2,
                            .texture = 11,
                            .edge = 0.02};
        struct blob psoas = {.x = side * a->spine_r * 1.45,
                             .y = a->spine_y + 0.01,
                             .rx = 0.055 + 0.025 * s->z,
                             .ry = 0.09 + 0.02 * s->z,
                             .angle = side * 0.3,
                             .value = GREY_MUSCLE,
                             .texture = 6};

        field_blob(s->f, &back);
        field_blob(s->f, &psoas);
    }
}

static void render_ribs(struct slice *s)
{
    const struct anatomy *a = s->a;
    double depth = a->fat + a->wall * 0.5;

    for (int i = 0; i < 6; i++) {
        double side = i % 2 ? 1 : -1, t = 0.35 + 0.62 * (i / 2) + 0.22 * s->z;
        double x = side * (a->body_rx - depth) * cos(t - 0.55);
        double y = (a->body_ry - depth) * sin(t - 0.55);
        struct blob rib = {.x = x,
                           .y = y,
                           .rx = 0.075,
                           .ry = 0.02,
                           .angle = atan2((a->body_ry - depth) * cos(t - 0.55),
                                          -side * (a->body_rx - depth) * sin(t - 0.55)),
                           .value = 205,
                           .texture = 8};
        struct blob marrow = rib;

        marrow.rx -= 0.02;
        marrow.ry -= 0.011;
        marrow.value = 160;
        field_blob(s->f, &rib);
        field_blob(s->f, &marrow);
    }
}

static void render_spine(struct slice *s)
{
    const struct anatomy *a = s->a;
    double r = a->spine_r, y = a->spine_y;
    struct blob shell = {.y = y, .rx = r * 1.08, .ry = r * 0.86, .value = GREY_CORTICAL};
    struct blob inside = {
        .y = y, .rx = r * 0.96, .ry = r * 0.74, .value = GREY_CANCELLOUS, .texture = 13};
    struct blob arch = {.y = y + r * 1.15, .rx = r * 0.62, .ry = r * 0.5, .value = 215};
    struct blob canal = {.y = y + r * 1.1, .rx = r * 0.42, .ry = r * 0.34, .value = 105};
    struct blob thorn = {.y = y + r * 2.0, .rx = r * 0.16, .ry = r * 0.52, .value = 212};

    for (int side = -1; side <= 1; side += 2) {
        struct blob wing = {.x = side * r * 1.25,
                            .y = y + r * (0.95 - 0.15 * s->z),
                            .rx = r * 0.62,
                            .ry = r * 0.16,
                            .angle = side * 0.28,
                            .value = 206};
        field_blob(s->f, &wing);
    }
    field_blob(s->f, &thorn);
    field_blob(s->f, &arch);
    field_blob(s->f, &canal);
    field_blob(s->f, &shell);
    field_blob(s->f, &inside);
}

static void render_liver_and_spleen(struct slice *s)
{
    const struct anatomy *a = s->a;
    double high = fmax(0, 1 - 0.33 * (s->z + 1)); /* both shrink downwards */
    struct blob liver = {.x = -a->body_rx * 0.58,
                         .y = -a->body_ry * (0.22 + 0.06 * s->z),
                         .rx = 0.34 * a->liver_size * (0.55 + 0.45 * high),
                         .ry = 0.30 * a->liver_size * (0.5 + 0.5 * high),
                         .angle = 0.5,
                         .wave = {0.06, 0.05, 0.02},
                         .value = a->liver_grey + 10 * a->enhancement,
                         .texture = 4,
                         .clipped = 1};
    struct blob spleen = {.x = a->body_rx * 0.76,
                          .y = a->body_ry * 0.02,
                          .rx = 0.10 * a->spleen_size * high,
                          .ry = 0.2 * a->spleen_size * high,
                          .angle = -0.25,
                          .wave = {0.05, 0.05, 0.02},
                          .value = 136 + 14 * a->enhancement,
                          .texture = 4,
                          .clipped = 1};

    for (int k = 0; k < 3; k++) {
        liver.phase[k] = a->wave_phase[k] + 1 + 0.3 * s->z;
        spleen.phase[k] = a->wave_phase[k] + 2 - 0.3 * s->z;
    }
    field_blob(s->f, &liver);
    field_blob(s->f, &spleen);
    if (a->has_gallbladder) {
        struct blob gall = {.x = -a->body_rx * 0.3,
                            .y = -a->body_ry * 0.42,
                            .rx = 0.07 * (1 - 0.3 * s->z * s->z),
                            .ry = 0.055,
                            .angle = 0.6,
                            .value = GREY_WATER + 4};
        field_blob(s->f, &gall);
    }
}

static void render_bowel(struct slice *s)
{
    for (int i = 0; i < ANATOMY_BOWEL_LOOPS; i++) {
        const struct bowel_loop *l = &s->a->loop[i];
        struct blob wall = {.x = l->x + l->wander * s->z,
                            .y = l->y + 0.6 * l->wander * s->z * s->z,
                            .rx = l->r * (1 + 0.25 * sin(3 * s->z + l->angle)),
                            .ry = l->r * 0.8,
                            .angle = l->angle + 0.5 * s->z,
                            .wave = {0.1, 0.07, 0.04},
                            .value = 120,
                            .texture = 9,
                            .clipped = 1};
        struct blob lumen = wall;

        field_blob(s->f, &wall);
        lumen.rx -= 0.022;
        lumen.ry -= 0.022;
        lumen.value = l->filling == 1 ? GREY_AIR + 4 : l->filling == 2 ? 214 : 108;
        lumen.texture = l->filling ? 2 : 10;
        field_blob(s->f, &lumen);
    }
}

static void render_vessels(struct slice *s)
{
    const struct anatomy *a = s->a;
    double y = a->spine_y - a->spine_r * 1.12, blood = 132 + 76 * a->enhancement;
    struct blob aorta = {.x = 0.045, .y = y, .rx = 0.046, .ry = 0.046, .value = blood};
    struct blob cava = {.x = -0.075,
                        .y = y - 0.01,
                        .rx = 0.056,
                        .ry = 0.042,
                        .angle = 0.2 * s->z,
                        .value = 128 + 52 * a->enhancement,
                        .texture = 4};
    struct blob pancreas = {.x = 0.1,
                            .y = y - 0.16,
                            .rx = 0.2 * fmax(0.2, 0.8 - 0.5 * s->z),
                            .ry = 0.04,
                            .angle = -0.3,
                            .wave = {0.1, 0.1, 0.1},
                            .value = 126,
                            .texture = 10,
                            .clipped = 1};

    field_blob(s->f, &pancreas);
    field_blob(s->f, &aorta);
    field_blob(s->f, &cava);
}

/* Where a kidney is in this slice and how large: it tapers towards its poles. */
struct cut {
    double x, y, rx, ry, tilt;
    double hilum; /* 0 at the poles .. 1 where the vessels enter */
};

static struct cut kidney_cut(const struct kidney *k, double z)
{
    double taper = sqrt(1 - 0.42 * z * z);

    return (struct cut){.x = k->x * (1 + 0.6 * k->lean * z),
                        .y = k->y + k->lean * z,
                        .rx = k->rx * taper,
                        .ry = k->ry * taper,
                        .tilt = k->tilt,
                        .hilum = fmax(0, 1 - 1.3 * z * z)};
}

/* A point of the kidney's own frame (u across, v along, in radii) in patient coordinates. */
static void cut_point(const struct cut *c, double u, double v, double *x, double *y)
{
    double cs = cos(c->tilt), sn = sin(c->tilt);

    *x = c->x + cs * u * c->rx - sn * v * c->ry;
    *y = c->y + sn * u * c->rx + cs * v * c->ry;
}

static struct blob cut_blob(const struct cut *c, double u, double v, double rx, double ry,
                            double value)
{
    struct blob b = {.rx = rx * c->rx, .ry = ry * c->ry, .angle = c->tilt, .value = value};

    cut_point(c, u, v, &b.x, &b.y);
    return b;
}

static double cortex_grey(const struct anatomy *a)
{
    return 126 + 62 * a->enhancement;
}

/* The sinus: fat and vessels (or bright urine) that open towards the middle of the body. */
static void render_sinus(struct slice *s, const struct kidney *k, const struct cut *c,
                         double inward)
{
    double size = k->sinus * (0.35 + 0.65 * c->hilum);
    struct blob fat = cut_blob(c, inward * 0.42, 0, 0.52 * size, 0.40 * size, GREY_FAT + 14);
    struct blob gap = cut_blob(c, inward * 0.9, 0, 0.4 * c->hilum, 0.24 * c->hilum, GREY_FAT + 10);
    struct blob pelvis = cut_blob(c, inward * 0.45, 0.02, 0.24 * size, 0.17 * size,
                                  s->a->has_excretion ? 232 : GREY_WATER + 22);
    struct blob vein =
        cut_blob(c, inward * 1.25, -0.1, 0.6 * c->hilum, 0.1, 126 + 46 * s->a->enhancement);

    fat.texture = 7;
    field_blob(s->f, &fat);
    if (c->hilum > 0.1) {
        field_blob(s->f, &gap);
        field_blob(s->f, &vein);
    }
    field_blob(s->f, &pelvis);
}

static void render_kidney(struct slice *s, int side)
{
    const struct kidney *k = &s->a->kidney[side];
    struct cut c = kidney_cut(k, s->z);
    double cortex = cortex_grey(s->a), inward = side == 0 ? 1 : -1;
    struct blob bed = cut_blob(&c, 0, 0, 1.32, 1.28, GREY_FAT);
    struct blob rind = cut_blob(&c, 0, 0, 1, 1, cortex);

    bed.edge = 0.05;
    bed.clipped = 1;
    field_blob(s->f, &bed);
    for (int i = 0; i < 3; i++) {
        rind.wave[i] = 0.02;
        rind.phase[i] = k->phase[i] + 0.5 * s->z;
    }
    rind.texture = 3;
    field_blob(s->f, &rind);
    for (int i = 0; i < 7; i++) { /* pyramids of the medulla */
        double t = tau * i / 7 + k->phase[0];
        struct blob pyramid =
            cut_blob(&c, 0.56 * cos(t), 0.60 * sin(t), 0.2, 0.15, cortex - 20 * s->a->enhancement);
        pyramid.edge = 0.03;
        field_blob(s->f, &pyramid);
    }
    render_sinus(s, k, &c, inward);
}

static void render_mass(struct slice *s, const struct lesion *l, struct blob *b, double cortex)
{
    b->edge = 0.03;
    b->texture = 9;
    if (l->kind == LESION_HYPODENSE) {
        b->value = cortex - l->contrast;
    } else if (l->kind == LESION_HYPERDENSE) {
        b->value = cortex + l->contrast;
    } else {
        b->value = cortex + 0.35 * l->contrast;
        b->texture = 14;
    }
    field_blob(s->f, b);
    if (l->kind == LESION_HETEROGENEOUS) {
        struct blob core = *b;

        core.rx *= 0.6;
        core.ry *= 0.55;
        core.x += 0.15 * b->rx * cos(l->phase[0]);
        core.y += 0.15 * b->ry * sin(l->phase[0]);
        core.value = cortex - 1.25 * l->contrast;
        core.edge = 0.04;
        field_blob(s->f, &core);
    }
}

static void render_lesion(struct slice *s, const struct lesion *l)
{
    struct cut c = kidney_cut(&s->a->kidney[l->side], s->z);
    /* A ball cut at distance dz from its middle; masses are long enough for every slice to cut
     * them. */
    double dz = (s->z - l->z) / (l->kind == LESION_CYST ? 0.7 : 1.9);
    double shrink = 1 - dz * dz;
    struct blob b = {.value = GREY_WATER + 6};

    if (shrink <= 0.05) {
        return;
    }
    cut_point(&c, l->depth * cos(l->around), l->depth * sin(l->around), &b.x, &b.y);
    b.rx = b.ry = l->radius * sqrt(shrink);
    if (l->kind == LESION_CYST) {
        field_blob(s->f, &b);
        return;
    }
    b.ry *= 0.88;
    b.angle = l->around;
    for (int i = 0; i < 3; i++) {
        b.wave[i] = 0.05;
        b.phase[i] = l->phase[i] + 0.6 * s->z;
    }
    render_mass(s, l, &b, cortex_grey(s->a));
}

static void place_patient(struct slice *s)
{
    const struct anatomy *a = s->a;
    double turn = a->turn + between(&s->rng, -0.01, 0.01);

    s->f->zoom = a->zoom;
    s->f->cs = cos(turn);
    s->f->sn = sin(turn);
    s->f->shift_x = a->shift_x + between(&s->rng, -0.006, 0.006);
    s->f->shift_y = a->shift_y + between(&s->rng, -0.006, 0.006);
}

void anatomy_render(const struct anatomy *a, int slices, int slice, struct field *f, uint8_t *rgb)
{
    struct slice s = {.a = a, .f = f};

    rng_init(&s.rng, a->seed, RNG_PHANTOM, a->stream, (uint64_t)slice + 1);
    s.z = slices > 1 ? -1 + 2.0 * slice / (slices - 1) : 0;
    s.z = 0.9 * s.z + between(&s.rng, -0.1, 0.1);
    place_patient(&s);
    for (size_t i = 0; i < (size_t)f->size * (size_t)f->size; i++) {
        f->v[i] = GREY_AIR;
    }
    field_texture(f, &s.rng, a->texture_cell);
    render_trunk(&s);
    render_ribs(&s);
    render_muscles(&s);
    render_spine(&s);
    render_liver_and_spleen(&s);
    render_bowel(&s);
    render_vessels(&s);
    render_kidney(&s, 0);
    render_kidney(&s, 1);
    for (int i = 0; i < a->lesions; i++) {
        render_lesion(&s, &a->lesion[i]);
    }
    field_blur(f, a->blur * f->size / 256 > 0 ? a->blur * f->size / 256 : 1);
    field_noise(f, &s.rng, a->noise);
    field_to_rgb(f, a->gain, a->offset, rgb);
}
