/*
 * The inner loops of dense.c, on simd_vector.h. Blocks at the edges run the same code with fewer
 * rows, and a last part vector is filled up with zeros: each result is formed by the same
 * operations whatever block it falls into. That is what the promise of dense.h rests on.
 * Before including, define what simd_vector.h asks for.
 */

INLINE float add_lanes(vec v)
{
    float l[SIMD_LANES];
    memcpy(l, &v, sizeof(l));
    for (size_t half = SIMD_LANES / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            l[i] += l[i + half];
        }
    }
    return l[0];
}

/* --- dot: y (R,O) += x (R,k) . w (O,k)^T ------------------------------------------------------ */

#define DOT_ROWS 4
#define DOT_OUTS 3    /* 4 x 3 sums, 3 of w and 1 of x: the 16 vector registers of AVX2 */
#define DOT_AHEAD 512 /* floats */

/* w comes from memory, a page of each row at a time, and at the ends of pages the processor's own
 * prefetching starts anew: the first rows of x fetch w ahead. What lies beyond these k is read soon
 * after. */
INLINE void dot_tile(int rows, int outs, size_t k, const float *x, size_t ldx, const float *w,
                     size_t ldw, float *y, size_t ldy, bool first)
{
    vec sum[DOT_ROWS][DOT_OUTS] = {0};
    size_t i = 0;
    for (; i + SIMD_LANES <= k; i += SIMD_LANES) {
        vec wv[DOT_OUTS];
        for (int o = 0; o < outs; o++) {
            wv[o] = load(w + (size_t)o * ldw + i);
            if (first) {
                __builtin_prefetch(w + (size_t)o * ldw + i + DOT_AHEAD, 0, 3);
            }
        }
        for (int r = 0; r < rows; r++) {
            vec xv = load(x + (size_t)r * ldx + i);
            for (int o = 0; o < outs; o++) {
                sum[r][o] += xv * wv[o];
            }
        }
    }
    if (i < k) {
        for (int r = 0; r < rows; r++) {
            vec xv = load_part(x + (size_t)r * ldx + i, k - i);
            for (int o = 0; o < outs; o++) {
                sum[r][o] += xv * load_part(w + (size_t)o * ldw + i, k - i);
            }
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int o = 0; o < outs; o++) {
            y[(size_t)r * ldy + (size_t)o] += add_lanes(sum[r][o]);
        }
    }
}

INLINE void dot_strip(int rows, size_t outs, size_t k, const float *x, size_t ldx, const float *w,
                      size_t ldw, float *y, size_t ldy, bool first)
{
    size_t o = 0;
    for (; o + DOT_OUTS <= outs; o += DOT_OUTS) {
        dot_tile(rows, DOT_OUTS, k, x, ldx, w + o * ldw, ldw, y + o, ldy, first);
    }
    if (outs - o == 2) {
        dot_tile(rows, 2, k, x, ldx, w + o * ldw, ldw, y + o, ldy, first);
    } else if (outs - o == 1) {
        dot_tile(rows, 1, k, x, ldx, w + o * ldw, ldw, y + o, ldy, first);
    }
}

static void dot(size_t rows, size_t outs, size_t k, const float *x, size_t ldx, const float *w,
                size_t ldw, float *y, size_t ldy)
{
    size_t r = 0;
    for (; r + DOT_ROWS <= rows; r += DOT_ROWS) {
        dot_strip(DOT_ROWS, outs, k, x + r * ldx, ldx, w, ldw, y + r * ldy, ldy, r == 0);
    }
    for (; r + 2 <= rows; r += 2) {
        dot_strip(2, outs, k, x + r * ldx, ldx, w, ldw, y + r * ldy, ldy, r == 0);
    }
    if (r < rows) {
        dot_strip(1, outs, k, x + r * ldx, ldx, w, ldw, y + r * ldy, ldy, r == 0);
    }
}

/* --- blend: c (M,n) = or += sum over j of a[i,j] b (j,n) ----------------------------------------
 */

#define BLEND_ROWS 4
#define BLEND_VECS 2

/* `part` > 0: one vector of which only `part` floats exist. */
INLINE void blend_tile(int rows, int vecs, size_t part, const struct simd_blend *t, const float *a,
                       const float *b, float *c)
{
    vec sum[BLEND_ROWS][BLEND_VECS];
    for (int i = 0; i < rows; i++) {
        for (int v = 0; v < vecs; v++) {
            const float *p = c + (size_t)i * t->ldc + (size_t)v * SIMD_LANES;
            sum[i][v] = !t->add ? (vec){0} : part ? load_part(p, part) : load(p);
        }
    }
    for (size_t j = 0; j < t->terms; j++) {
        vec bv[BLEND_VECS];
        for (int v = 0; v < vecs; v++) {
            const float *p = b + j * t->ldb + (size_t)v * SIMD_LANES;
            bv[v] = part ? load_part(p, part) : load(p);
        }
        for (int i = 0; i < rows; i++) {
            float f = a[(size_t)i * t->a_row + j * t->a_term];
            for (int v = 0; v < vecs; v++) {
                sum[i][v] += f * bv[v];
            }
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int v = 0; v < vecs; v++) {
            float *p = c + (size_t)i * t->ldc + (size_t)v * SIMD_LANES;
            if (part) {
                memcpy(p, &sum[i][v], part * sizeof(float));
            } else {
                store(p, sum[i][v]);
            }
        }
    }
}

INLINE void blend_strip(int rows, const struct simd_blend *t, const float *a, float *c)
{
    size_t k = 0;
    for (; k + BLEND_VECS * SIMD_LANES <= t->n; k += BLEND_VECS * SIMD_LANES) {
        blend_tile(rows, BLEND_VECS, 0, t, a, t->b + k, c + k);
    }
    if (k + SIMD_LANES <= t->n) {
        blend_tile(rows, 1, 0, t, a, t->b + k, c + k);
        k += SIMD_LANES;
    }
    if (k < t->n) {
        blend_tile(rows, 1, t->n - k, t, a, t->b + k, c + k);
    }
}

static void blend(const struct simd_blend *t)
{
    size_t i = 0;
    for (; i + BLEND_ROWS <= t->m; i += BLEND_ROWS) {
        blend_strip(BLEND_ROWS, t, t->a + i * t->a_row, t->c + i * t->ldc);
    }
    for (; i < t->m; i++) {
        blend_strip(1, t, t->a + i * t->a_row, t->c + i * t->ldc);
    }
}
