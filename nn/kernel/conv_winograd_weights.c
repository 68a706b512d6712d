/*
 * Winograd backward-weights; see conv_winograd.h. Sums are formed in units that depend on the shape
 * alone, each in the order of its tiles, and added by the rules of shard.h. Two ways, by the size
 * of dU:
 *   own      up to 128 x 128 channels: dU fits the L2 of a thread. A unit is a band of rows of
 *            tiles of one image, done by one thread from beginning to end.
 *   shared   dU is up to 38 MB. A unit is a shard, in chunks of tiles: all threads transform a
 *            chunk, then each takes blocks of 64 x 64 channels of dU through all 36 xi. When the
 *            last chunk is in, the block is still in L2 and is transformed at once.
 */

#include "conv_winograd.h"

#include "par.h"
#include "shard.h"

#include <string.h>

#define OWN_MAX ((size_t)128 * 128) /* channels in x channels out */
#define OWN_BYTES ((size_t)1 << 20) /* of V and Z */
#define CHUNK_BYTES ((size_t)32 << 20)
#define BLOCK_CHANNELS ((size_t)128)
#define BAND_ROWS ((size_t)14) /* of tiles; at most BANDS_MAX of them */
#define BANDS_MAX ((size_t)4)
#define TRANSFORM_TILES ((size_t)14)
#define TERMS ((size_t)72) /* tiles of a product: three panels are 27 KiB of L1 */

struct job {
    const struct simd *simd;
    const struct conv_shape *s;
    struct winograd_grid grid;
    const struct shard_split *split;
    struct simd_tiles x, dy;
    size_t c_panels, k_panels;
    size_t block; /* panels of dU in a block, either way */
    size_t c_blocks, k_blocks;
    size_t bands; /* units of an image; 0: units are shards */
    size_t most;  /* tiles of a chunk */
    float *parts; /* (units, part) */
    size_t part;
    float *chunk, *du; /* own: each for every thread, as large as chunk_floats and block_floats */
    float *sums;       /* shared: (transform_items, k), of dy */
    float *dw, *db;
    /* The chunk at hand (shared). */
    size_t unit, first, count;
    bool add, last;
};

static void lay_out(struct job *j, const struct conv_shape *s)
{
    *j = (struct job){.simd = winograd_simd(s), .s = s, .grid = winograd_grid(s)};
    j->c_panels = winograd_panels(j->simd, s->c);
    j->k_panels = winograd_panels(j->simd, s->k);
    size_t tile_bytes = WINOGRAD_XI * (j->c_panels + j->k_panels) * j->simd->panel * sizeof(float);
    if (s->c * s->k <= OWN_MAX) {
        size_t bands = j->grid.th / BAND_ROWS;
        j->bands = bands < 1 ? 1 : bands > BANDS_MAX ? BANDS_MAX : bands;
        j->block = j->c_panels > j->k_panels ? j->c_panels : j->k_panels;
        j->most = OWN_BYTES / tile_bytes;
    } else {
        j->block = BLOCK_CHANNELS / j->simd->panel;
        j->most = CHUNK_BYTES / tile_bytes;
    }
    j->most = j->most < 16 ? 16 : j->most;
    j->c_blocks = (j->c_panels + j->block - 1) / j->block;
    j->k_blocks = (j->k_panels + j->block - 1) / j->block;
    /* A part: (k, c / lanes, 9, lanes), then db (k). */
    size_t vectors = (s->c + j->simd->lanes - 1) / j->simd->lanes;
    j->part = tensor_round(s->k * vectors * 9 * j->simd->lanes + s->k);
}

static size_t part_row(const struct job *j)
{
    return (j->s->c + j->simd->lanes - 1) / j->simd->lanes * 9 * j->simd->lanes;
}

/* V and Z of `count` tiles at `chunk`: (36, panels, count, panel), so that a product reads both its
 * factors from end to end. */
static struct simd_transformed place(const struct job *j, size_t panels, size_t count, float *v)
{
    size_t column = winograd_odd(count * j->simd->panel);
    return (struct simd_transformed){.v = v,
                                     .row = j->simd->panel,
                                     .column = column,
                                     .plane = panels * column,
                                     .bits = (unsigned)__builtin_ctzl(j->simd->panel)};
}

static struct simd_transformed place_v(const struct job *j, float *chunk, size_t count)
{
    return place(j, j->c_panels, count, chunk);
}

static struct simd_transformed place_z(const struct job *j, float *chunk, size_t count)
{
    return place(j, j->k_panels, count, chunk + WINOGRAD_XI * place_v(j, chunk, count).plane);
}

static size_t chunk_floats(const struct job *j)
{
    return WINOGRAD_XI *
           (place_v(j, NULL, j->most).plane + place(j, j->k_panels, j->most, NULL).plane);
}

static size_t block_floats(const struct job *j)
{
    size_t side = j->block * j->simd->panel;
    return WINOGRAD_XI * side * side;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A block of dU: (36, block, block) channels of (k, c). */
struct block {
    size_t k, k_end, c, c_end; /* panels */
    float *du;
};

static struct block block_of(const struct job *j, size_t number, float *du)
{
    size_t k = number / j->c_blocks * j->block, c = number % j->c_blocks * j->block;
    return (struct block){.k = k,
                          .k_end = min_size(k + j->block, j->k_panels),
                          .c = c,
                          .c_end = min_size(c + j->block, j->c_panels),
                          .du = du};
}

/* du (xi) += Z (xi)^T . V (xi) of tiles [t, t + n). */
static void multiply_xi(const struct job *j, const struct block *b, const float *v,
                        const struct simd_transformed *vs, const float *z,
                        const struct simd_transformed *zs, size_t t, size_t n, bool add, float *du)
{
    size_t panel = j->simd->panel, ld = j->block * panel;
    size_t ks = b->k_end - b->k, cs = b->c_end - b->c;
    for (size_t k = b->k; k < b->k_end; k++) {
        for (size_t c = b->c; c < b->c_end; c++) {
            /* Meanwhile the tiles of the next call come closer: all columns of V, then of Z. */
            size_t at = ((k - b->k) * cs + (c - b->c)) * (ks + cs) * n * panel / (ks * cs);
            size_t column = at / (n * panel);
            const float *ahead = column < cs ? v + (b->c + column) * vs->column
                                             : z + (b->k + column - cs) * zs->column;
            j->simd->product(
                &(struct simd_product){.m = min_size(panel, j->s->k - k * panel),
                                       .terms = n,
                                       .a = z + k * zs->column + t * panel,
                                       .a_row = 1,
                                       .a_term = panel,
                                       .b = v + c * vs->column + t * panel,
                                       .ldb = panel,
                                       .c = du + (k - b->k) * panel * ld + (c - b->c) * panel,
                                       .ldc = ld,
                                       .add = add || t > 0,
                                       .ahead = ahead + (t + n) * panel + at % (n * panel),
                                       .ahead_count = (ks + cs) * n * panel / (ks * cs)});
        }
    }
}

static void multiply(const struct job *j, const struct block *b, float *chunk, size_t count,
                     bool add)
{
    struct simd_transformed v = place_v(j, chunk, count), z = place_z(j, chunk, count);
    size_t ld = j->block * j->simd->panel, parts = (count + TERMS - 1) / TERMS;
    for (size_t xi = 0; xi < WINOGRAD_XI; xi++) {
        for (size_t i = 0; i < parts; i++) {
            size_t t = i * count / parts, n = (i + 1) * count / parts - t;
            multiply_xi(j, b, v.v + xi * v.plane, &v, z.v + xi * z.plane, &z, t, n, add,
                        b->du + xi * ld * ld);
        }
    }
}

static void transform_back(const struct job *j, const struct block *b, float *part)
{
    size_t panel = j->simd->panel, lanes = j->simd->lanes, ld = j->block * panel;
    size_t rows = min_size(b->k_end * panel, j->s->k) - b->k * panel;
    size_t columns = min_size(b->c_end * panel, part_row(j) / 9) - b->c * panel;
    j->simd->weights(b->du, rows, columns / lanes * lanes, ld * ld, ld,
                     part + b->k * panel * part_row(j) + b->c * panel * 9, part_row(j));
}

static float *part_bias(const struct job *j, float *part)
{
    return part + j->s->k * part_row(j);
}

/* --- own ------------------------------------------------------------------------------------- */

static void own_item(void *ctx, size_t unit, int thread)
{
    const struct job *j = ctx;
    size_t image = unit / j->bands, band = unit % j->bands;
    size_t at = image * j->grid.per_image;
    size_t first = at + band * j->grid.th / j->bands * j->grid.tw;
    size_t end = at + (band + 1) * j->grid.th / j->bands * j->grid.tw;
    float *chunk = j->chunk + (size_t)thread * chunk_floats(j), *part = j->parts + unit * j->part;
    struct block b = block_of(j, 0, j->du + (size_t)thread * block_floats(j));
    memset(part_bias(j, part), 0, j->s->k * sizeof(float));
    for (size_t t = first; t < end; t += j->most) {
        size_t count = min_size(j->most, end - t);
        struct simd_transformed v = place_v(j, chunk, count), z = place_z(j, chunk, count);
        j->simd->input(&j->x, t, count, &v);
        j->simd->gradient(&j->dy, t, count, &z, part_bias(j, part));
        multiply(j, &b, chunk, count, t > first);
    }
    transform_back(j, &b, part);
}

/* --- shared ---------------------------------------------------------------------------------- */

static void transform_item(void *ctx, size_t item, int thread)
{
    const struct job *j = ctx;
    size_t t = item / 2 * TRANSFORM_TILES, n = min_size(TRANSFORM_TILES, j->count - t);
    struct simd_transformed to =
        item % 2 ? place_z(j, j->chunk, j->count) : place_v(j, j->chunk, j->count);
    to.v += t * to.row;
    if (item % 2) {
        float *sum = j->sums + item / 2 * tensor_round(j->s->k);
        memset(sum, 0, j->s->k * sizeof(float));
        j->simd->gradient(&j->dy, j->first + t, n, &to, sum);
    } else {
        j->simd->input(&j->x, j->first + t, n, &to);
    }
}

static void block_item(void *ctx, size_t number, int thread)
{
    const struct job *j = ctx;
    /* A shard in one chunk needs no place of its own for each block. */
    size_t place = !j->add && j->last ? (size_t)thread : number;
    struct block b = block_of(j, number, j->du + place * block_floats(j));
    float *part = j->parts + j->unit * j->part;
    multiply(j, &b, j->chunk, j->count, j->add);
    if (j->last) {
        transform_back(j, &b, part);
    }
}

static size_t transform_items(size_t tiles)
{
    return (tiles + TRANSFORM_TILES - 1) / TRANSFORM_TILES;
}

/* The sums of dy that transform_item left, in the order of tiles. */
static void add_bias(const struct job *j, float *db)
{
    if (!j->add) {
        memset(db, 0, j->s->k * sizeof(float));
    }
    for (size_t i = 0; i < transform_items(j->count); i++) {
        const float *sum = j->sums + i * tensor_round(j->s->k);
        for (size_t k = 0; k < j->s->k; k++) {
            db[k] += sum[k];
        }
    }
}

static void shared_shard(struct job *j, size_t shard, struct par *par)
{
    size_t begin = j->split->begin[shard] * j->grid.per_image;
    size_t end = j->split->begin[shard + 1] * j->grid.per_image;
    j->unit = shard;
    if (begin == end) {
        memset(j->parts + shard * j->part, 0, j->part * sizeof(float));
        return;
    }
    size_t chunks = (end - begin + j->most - 1) / j->most;
    for (size_t i = 0; i < chunks; i++) {
        j->first = begin + i * (end - begin) / chunks;
        j->count = begin + (i + 1) * (end - begin) / chunks - j->first;
        j->add = i > 0;
        j->last = i + 1 == chunks;
        par_for(par, 2 * transform_items(j->count), transform_item, j);
        add_bias(j, part_bias(j, j->parts + shard * j->part));
        par_for(par, j->c_blocks * j->k_blocks, block_item, j);
    }
}

/* --- the sum --------------------------------------------------------------------------------- */

/* One output channel: units are added, and vectors of channels become (c,3,3). */
static void sum_item(void *ctx, size_t k, int thread)
{
    const struct job *j = ctx;
    size_t lanes = j->simd->lanes, c = j->s->c;
    float sum[SHARD_BLOCK];
    for (size_t c0 = 0; c0 < c; c0 += lanes) {
        shard_sum_block(j->split, j->bands, j->parts + k * part_row(j) + c0 * 9, j->part, 9 * lanes,
                        sum);
        float *to = j->dw + (k * c + c0) * 9;
        for (size_t l = 0; l < min_size(lanes, c - c0); l++) {
            for (size_t i = 0; i < 9; i++) {
                to[9 * l + i] = sum[i * lanes + l];
            }
        }
    }
    shard_sum_block(j->split, j->bands, j->parts + j->s->k * part_row(j) + k, j->part, 1,
                    j->db + k);
}

/* --- together -------------------------------------------------------------------------------- */

static size_t units_of(const struct job *j, size_t rows, size_t shards)
{
    return j->bands ? rows * j->bands : shards;
}

static size_t zeros_floats(const struct conv_shape *s)
{
    return tensor_round(s->c > s->k ? s->c : s->k);
}

static size_t sums_floats(const struct job *j)
{
    return transform_items(j->most) * tensor_round(j->s->k);
}

size_t winograd_weights_workspace(const struct conv_shape *s, int threads, size_t rows,
                                  size_t shards)
{
    struct job j;
    lay_out(&j, s);
    size_t copies = j.bands ? (size_t)threads : 1, blocks = j.c_blocks * j.k_blocks;
    blocks = blocks < (size_t)threads ? (size_t)threads : blocks;
    return zeros_floats(s) + sums_floats(&j) + units_of(&j, rows, shards) * j.part +
           copies * chunk_floats(&j) + blocks * block_floats(&j);
}

void winograd_weights(const struct conv_shape *s, const struct conv_call *call)
{
    struct job j;
    lay_out(&j, s);
    j.split = call->split;
    j.x = (struct simd_tiles){.h = s->h,
                              .w = s->w,
                              .c = s->c,
                              .th = j.grid.th,
                              .tw = j.grid.tw,
                              .x = call->x,
                              .zeros = call->ws};
    j.dy = j.x;
    j.dy.c = s->k;
    j.dy.x = call->dy;
    j.dy.argmax = s->pool ? call->argmax : NULL;
    j.dw = call->dw;
    j.db = call->db;
    memset(call->ws, 0, zeros_floats(s) * sizeof(float));
    j.sums = call->ws + zeros_floats(s);
    j.parts = j.sums + sums_floats(&j);
    j.chunk = j.parts + units_of(&j, call->split->rows, call->split->count) * j.part;
    j.du = j.chunk + (j.bands ? (size_t)par_threads(call->par) : 1) * chunk_floats(&j);
    if (j.bands) {
        par_for(call->par, call->split->rows * j.bands, own_item, &j);
    } else {
        for (size_t i = 0; i < call->split->count; i++) {
            shared_shard(&j, i, call->par);
        }
    }
    par_for(call->par, s->k, sum_item, &j);
}
