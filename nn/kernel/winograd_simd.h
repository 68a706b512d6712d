/*
 * The transforms of Winograd's F(4x4,3x3), a vector of channels at a time; conv_winograd.h has the
 * matrices. Memory-bound, so what can be done on the way is done here: padding, un-pooling, bias,
 * ReLU and its mask, max-pooling.
 * Before including, define what simd_vector.h asks for.
 */

/* --- the one-dimensional transforms, with the sums that they share ---------------------------- */

#define A1 0.75f /* the points: 0, +-A1, +-B1, infinity */
#define A2 (A1 * A1)
#define A3 (A1 * A2)
#define B1 1.5f
#define B2 (B1 * B1)
#define B3 (B1 * B2)
#define NA (1 / (2 * A2 * (A2 - B2)))
#define NB (1 / (2 * B2 * (B2 - A2)))

/* B^T d: 6 -> 6 */
INLINE void bt(const vec d[6], vec o[6])
{
    vec even = d[4] - B2 * d[2], odd = A1 * (d[3] - B2 * d[1]);
    vec even2 = d[4] - A2 * d[2], odd2 = B1 * (d[3] - A2 * d[1]);
    o[0] = A2 * B2 * d[0] - (A2 + B2) * d[2] + d[4];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = even2 + odd2;
    o[4] = even2 - odd2;
    o[5] = A2 * B2 * d[1] - (A2 + B2) * d[3] + d[5];
}

/* A^T m: 6 -> 4 */
INLINE void at(const vec m[6], vec o[4])
{
    vec sum = m[1] + m[2], difference = m[1] - m[2];
    vec sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    o[0] = m[0] + sum + sum2;
    o[1] = A1 * difference + B1 * difference2;
    o[2] = A2 * sum + B2 * sum2;
    o[3] = A3 * difference + B3 * difference2 + m[5];
}

/* A y: 4 -> 6 */
INLINE void a_times(const vec y[4], vec o[6])
{
    vec even = y[0] + A2 * y[2], odd = A1 * y[1] + A3 * y[3];
    vec even2 = y[0] + B2 * y[2], odd2 = B1 * y[1] + B3 * y[3];
    o[0] = y[0];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = even2 + odd2;
    o[4] = even2 - odd2;
    o[5] = y[3];
}

/* G g: 3 -> 6 */
INLINE void g_times(const vec g[3], vec o[6])
{
    vec outer = NA * g[0] + A2 * NA * g[2], middle = A1 * NA * g[1];
    vec outer2 = NB * g[0] + B2 * NB * g[2], middle2 = B1 * NB * g[1];
    o[0] = 1 / (A2 * B2) * g[0];
    o[1] = outer + middle;
    o[2] = outer - middle;
    o[3] = outer2 + middle2;
    o[4] = outer2 - middle2;
    o[5] = g[2];
}

/* G^T u: 6 -> 3 */
INLINE void gt(const vec u[6], vec o[3])
{
    vec sum = NA * (u[1] + u[2]), sum2 = NB * (u[3] + u[4]);
    o[0] = 1 / (A2 * B2) * u[0] + sum + sum2;
    o[1] = A1 * NA * (u[1] - u[2]) + B1 * NB * (u[3] - u[4]);
    o[2] = A2 * sum + B2 * sum2 + u[5];
}

/* --- reading tiles ---------------------------------------------------------------------------- */

/* Where the top left pixel of a tile lies. */
struct tile_at {
    size_t image, row, column;
};

INLINE struct tile_at tile_at(size_t tile, size_t th, size_t tw)
{
    size_t in_image = tile % (th * tw);
    return (struct tile_at){tile / (th * tw), in_image / tw * 4, in_image % tw * 4};
}

/* Pointers to side x side pixels from (row, column) on, which may lie outside. `offset`: the
 * element of x, or SIZE_MAX outside. */
INLINE void find_pixels(size_t side, size_t h, size_t w, size_t c, size_t image, ptrdiff_t row,
                        ptrdiff_t column, size_t *offset)
{
    for (size_t i = 0; i < side; i++) {
        size_t r = (size_t)(row + (ptrdiff_t)i); /* negative: huge */
        for (size_t j = 0; j < side; j++) {
            size_t k = (size_t)(column + (ptrdiff_t)j);
            offset[i * side + j] = r < h && k < w ? ((image * h + r) * w + k) * c : SIZE_MAX;
        }
    }
}

/* The pixels of one tile: plain ones, or the cells of 2x2 that they are un-pooled from. */
struct tile_source {
    const float *value[36];
    const uint8_t *argmax[16];
};

INLINE void find_tile(const struct simd_tiles *s, bool pooled, size_t side, ptrdiff_t before,
                      size_t tile, struct tile_source *from)
{
    struct tile_at t = tile_at(tile, s->th, s->tw);
    ptrdiff_t row = (ptrdiff_t)t.row - before, column = (ptrdiff_t)t.column - before;
    size_t offset[36];
    if (!pooled) {
        find_pixels(side, s->h, s->w, s->c, t.image, row, column, offset);
        for (size_t i = 0; i < side * side; i++) {
            from->value[i] = offset[i] == SIZE_MAX ? s->zeros : s->x + offset[i];
        }
        return;
    }
    size_t cells = side / 2 + (size_t)before;
    find_pixels(cells, s->h / 2, s->w / 2, s->c, t.image, (row - before) / 2, (column - before) / 2,
                offset);
    for (size_t i = 0; i < cells * cells; i++) {
        bool outside = offset[i] == SIZE_MAX;
        from->value[i] = outside ? s->zeros : s->x + offset[i];
        from->argmax[i] = outside ? (const uint8_t *)s->zeros : s->argmax + offset[i];
    }
}

INLINE ivec load_argmax(const uint8_t *p, size_t part)
{
    bvec b = {0};
    memcpy(&b, p, part ? part : SIMD_LANES);
    return __builtin_convertvector(b, ivec);
}

/* Channels [ch, ch + SIMD_LANES) of the tile, side x side. */
INLINE void load_tile(const struct tile_source *from, bool pooled, size_t side, size_t before,
                      size_t ch, size_t part, vec *d)
{
    if (!pooled) {
#pragma GCC unroll 36
        for (size_t i = 0; i < side * side; i++) {
            d[i] = load_some(from->value[i] + ch, part);
        }
        return;
    }
    size_t cells = side / 2 + before;
#pragma GCC unroll 4
    for (size_t r = 0; r < cells; r++) {
#pragma GCC unroll 4
        for (size_t c = 0; c < cells; c++) {
            vec v = load_some(from->value[r * cells + c] + ch, part);
            ivec won = load_argmax(from->argmax[r * cells + c] + ch, part);
#pragma GCC unroll 4
            for (size_t q = 0; q < 4; q++) {
                size_t i = 2 * r + q / 2 - before, j = 2 * c + q % 2 - before;
                if (i < side && j < side) {
                    d[i * side + j] = keep_where(won == (int32_t)q, v);
                }
            }
        }
    }
}

INLINE size_t channel_offset(const struct simd_transformed *t, size_t ch)
{
    return (ch >> t->bits) * t->column + (ch & (((size_t)1 << t->bits) - 1));
}

/* Rows of six transformed columns -> all 36, written. */
INLINE void store_tile(vec columns[6][6], const struct simd_transformed *to, size_t tile, size_t ch)
{
    float *v = to->v + tile * to->row + channel_offset(to, ch);
#pragma GCC unroll 6
    for (size_t i = 0; i < 6; i++) {
        vec o[6];
        bt(columns[i], o);
#pragma GCC unroll 6
        for (size_t j = 0; j < 6; j++) {
            store(v + (6 * i + j) * to->plane, o[j]);
        }
    }
}

/* --- input: V = B^T d B ------------------------------------------------------------------------
 */

INLINE void input_vector(const struct tile_source *from, bool pooled, size_t ch, size_t part,
                         const struct simd_transformed *to, size_t tile)
{
    vec d[36], rows[6][6];
    load_tile(from, pooled, 6, 1, ch, part, d);
#pragma GCC unroll 6
    for (size_t j = 0; j < 6; j++) {
        vec column[6] = {d[j], d[6 + j], d[12 + j], d[18 + j], d[24 + j], d[30 + j]}, o[6];
        bt(column, o);
#pragma GCC unroll 6
        for (size_t i = 0; i < 6; i++) {
            rows[i][j] = o[i];
        }
    }
    store_tile(rows, to, tile, ch);
}

INLINE void input_tiles(const struct simd_tiles *s, bool pooled, size_t first, size_t count,
                        const struct simd_transformed *to)
{
    for (size_t t = 0; t < count; t++) {
        struct tile_source from;
        find_tile(s, pooled, 6, 1, first + t, &from);
        size_t ch = 0;
        for (; ch + SIMD_LANES <= s->c; ch += SIMD_LANES) {
            input_vector(&from, pooled, ch, 0, to, t);
        }
        if (ch < s->c) {
            input_vector(&from, pooled, ch, s->c - ch, to, t);
        }
    }
}

static void input(const struct simd_tiles *s, size_t first, size_t count,
                  const struct simd_transformed *to)
{
    if (s->argmax) {
        input_tiles(s, true, first, count, to);
    } else {
        input_tiles(s, false, first, count, to);
    }
}

/* --- gradient of the output: Z = A dy A^T ------------------------------------------------------
 */

INLINE void gradient_vector(const struct tile_source *from, bool pooled, size_t ch, size_t part,
                            const struct simd_transformed *to, size_t tile, float *sum)
{
    vec d[16], rows[6][4], all = load_some(sum + ch, part);
    load_tile(from, pooled, 4, 0, ch, part, d);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        all += (d[4 * i] + d[4 * i + 1]) + (d[4 * i + 2] + d[4 * i + 3]);
    }
    store_some(sum + ch, all, part);
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) {
        vec column[4] = {d[j], d[4 + j], d[8 + j], d[12 + j]}, o[6];
        a_times(column, o);
#pragma GCC unroll 6
        for (size_t i = 0; i < 6; i++) {
            rows[i][j] = o[i];
        }
    }
    float *z = to->v + tile * to->row + channel_offset(to, ch);
#pragma GCC unroll 6
    for (size_t i = 0; i < 6; i++) {
        vec o[6];
        a_times(rows[i], o);
#pragma GCC unroll 6
        for (size_t j = 0; j < 6; j++) {
            store(z + (6 * i + j) * to->plane, o[j]);
        }
    }
}

INLINE void gradient_tiles(const struct simd_tiles *s, bool pooled, size_t first, size_t count,
                           const struct simd_transformed *to, float *sum)
{
    for (size_t t = 0; t < count; t++) {
        struct tile_source from;
        find_tile(s, pooled, 4, 0, first + t, &from);
        size_t ch = 0;
        for (; ch + SIMD_LANES <= s->c; ch += SIMD_LANES) {
            gradient_vector(&from, pooled, ch, 0, to, t, sum);
        }
        if (ch < s->c) {
            gradient_vector(&from, pooled, ch, s->c - ch, to, t, sum);
        }
    }
}

static void gradient(const struct simd_tiles *s, size_t first, size_t count,
                     const struct simd_transformed *to, float *sum)
{
    if (s->argmax) {
        gradient_tiles(s, true, first, count, to, sum);
    } else {
        gradient_tiles(s, false, first, count, to, sum);
    }
}

/* --- output: y = A^T m A ---------------------------------------------------------------------- */

INLINE void output_transform(const struct simd_transformed *from, size_t tile, size_t ch,
                             vec y[4][4])
{
    const float *m = from->v + tile * from->row + channel_offset(from, ch);
    vec rows[4][6];
#pragma GCC unroll 6
    for (size_t j = 0; j < 6; j++) {
        vec column[6], o[4];
#pragma GCC unroll 6
        for (size_t i = 0; i < 6; i++) {
            column[i] = load(m + (6 * i + j) * from->plane);
        }
        at(column, o);
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) {
            rows[i][j] = o[i];
        }
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        at(rows[i], y[i]);
    }
}

INLINE void output_pixels(const struct simd_output *o, struct tile_at t, size_t ch, size_t part,
                          vec y[4][4])
{
    size_t rows = o->h - t.row, columns = o->w - t.column;
    size_t at = ((t.image * o->h + t.row) * o->w + t.column) * o->c + ch;
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            if (i < rows && j < columns) {
                size_t p = at + (i * o->w + j) * o->c;
                vec v = y[i][j];
                if (o->mask) {
                    v = keep_where(load_some(o->mask + p, part) > 0, v);
                }
                store_some(o->y + p, v, part);
            }
        }
    }
}

/* v takes the place of best if it is larger, or not a number. */
INLINE void output_contest(vec v, int32_t number, vec *best, ivec *won)
{
    ivec wins = (v > *best) | (v != v);
    *best = choose(wins, v, *best);
    *won = (*won & ~wins) | (wins & number);
}

INLINE void output_pooled(const struct simd_output *o, struct tile_at t, size_t ch, size_t part,
                          vec y[4][4])
{
    size_t h = o->h / 2, w = o->w / 2;
#pragma GCC unroll 2
    for (size_t i = 0; i < 2; i++) {
#pragma GCC unroll 2
        for (size_t j = 0; j < 2; j++) {
            size_t r = t.row / 2 + i, c = t.column / 2 + j;
            if (r >= h || c >= w) {
                continue;
            }
            vec best = y[2 * i][2 * j];
            ivec won = {0};
            output_contest(y[2 * i][2 * j + 1], 1, &best, &won);
            output_contest(y[2 * i + 1][2 * j], 2, &best, &won);
            output_contest(y[2 * i + 1][2 * j + 1], 3, &best, &won);
            size_t p = ((t.image * h + r) * w + c) * o->c + ch;
            store_some(o->y + p, best, part);
            if (o->argmax) {
                bvec number = __builtin_convertvector(won, bvec);
                memcpy(o->argmax + p, &number, part ? part : SIMD_LANES);
            }
        }
    }
}

INLINE void output_vector(const struct simd_output *o, struct tile_at t, size_t tile, size_t ch,
                          size_t part, const struct simd_transformed *from)
{
    vec y[4][4];
    output_transform(from, tile, ch, y);
    vec bias = o->bias ? load_some(o->bias + ch, part) : (vec){0};
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++) {
        vec v = y[i / 4][i % 4] + bias;
        y[i / 4][i % 4] = o->relu ? keep_where(~(v < 0), v) : v;
    }
    if (o->pool) {
        output_pooled(o, t, ch, part, y);
    } else {
        output_pixels(o, t, ch, part, y);
    }
}

static void output(const struct simd_output *o, size_t first, size_t count,
                   const struct simd_transformed *from)
{
    for (size_t t = 0; t < count; t++) {
        struct tile_at at = tile_at(first + t, o->th, o->tw);
        size_t ch = o->begin;
        for (; ch + SIMD_LANES <= o->end; ch += SIMD_LANES) {
            output_vector(o, at, t, ch, 0, from);
        }
        if (ch < o->end) {
            output_vector(o, at, t, ch, o->end - ch, from);
        }
    }
}

/* --- filters: U = G g G^T, and back: dg = G^T dU G ---------------------------------------------
 */

#define FILTER_BLOCK 8 /* filters of a panel turned into vectors at a time: 9 KiB */

/* Gathers filters (v0.., j0..) as t (j, 9, panel). */
INLINE void gather_filters(const struct simd_filters *f, size_t v0, size_t vs, size_t j0, size_t js,
                           float t[FILTER_BLOCK][9][SIMD_PANEL])
{
    for (size_t v = 0; v < SIMD_PANEL; v++) {
        for (size_t j = 0; j < js; j++) {
            const float *w = f->w + (j0 + j) * f->j_stride + (v0 + v) * f->v_stride;
            for (size_t i = 0; i < 9; i++) {
                t[j][i][v] = v < vs ? w[f->turned ? 8 - i : i] : 0;
            }
        }
    }
}

INLINE void filter_vector(float t[9][SIMD_PANEL], size_t at, size_t plane, float *u)
{
    vec rows[6][3];
#pragma GCC unroll 3
    for (size_t j = 0; j < 3; j++) {
        vec column[3] = {load(t[j] + at), load(t[3 + j] + at), load(t[6 + j] + at)}, o[6];
        g_times(column, o);
#pragma GCC unroll 6
        for (size_t i = 0; i < 6; i++) {
            rows[i][j] = o[i];
        }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < 6; i++) {
        vec o[6];
        g_times(rows[i], o);
#pragma GCC unroll 6
        for (size_t j = 0; j < 6; j++) {
            store(u + (6 * i + j) * plane, o[j]);
        }
    }
}

static void filters(const struct simd_filters *f, size_t p, size_t panels, float *u)
{
    float t[FILTER_BLOCK][9][SIMD_PANEL];
    size_t plane = panels * f->js * SIMD_PANEL, v0 = p * SIMD_PANEL;
    size_t vs = f->vs - v0 < SIMD_PANEL ? f->vs - v0 : SIMD_PANEL;
    for (size_t j0 = 0; j0 < f->js; j0 += FILTER_BLOCK) {
        size_t js = f->js - j0 < FILTER_BLOCK ? f->js - j0 : FILTER_BLOCK;
        gather_filters(f, v0, vs, j0, js, t);
        for (size_t j = 0; j < js; j++) {
            float *to = u + (p * f->js + j0 + j) * SIMD_PANEL;
            for (size_t v = 0; v < SIMD_PANEL; v += SIMD_LANES) {
                filter_vector(t[j], v, plane, to + v);
            }
        }
    }
}

INLINE void weights_vector(const float *du, size_t plane, float *dw)
{
    vec rows[3][6];
#pragma GCC unroll 6
    for (size_t j = 0; j < 6; j++) {
        vec column[6], o[3];
#pragma GCC unroll 6
        for (size_t i = 0; i < 6; i++) {
            column[i] = load(du + (6 * i + j) * plane);
        }
        gt(column, o);
#pragma GCC unroll 3
        for (size_t i = 0; i < 3; i++) {
            rows[i][j] = o[i];
        }
    }
#pragma GCC unroll 3
    for (size_t i = 0; i < 3; i++) {
        vec o[3];
        gt(rows[i], o);
#pragma GCC unroll 3
        for (size_t j = 0; j < 3; j++) {
            store(dw + (3 * i + j) * SIMD_LANES, o[j]);
        }
    }
}

static void weights(const float *du, size_t rows, size_t columns, size_t plane, size_t ldu,
                    float *dw, size_t row)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c += SIMD_LANES) {
            weights_vector(du + r * ldu + c, plane, dw + r * row + c * 9);
        }
    }
}
