/*
 * simd.product, the loop that convolutions spend their time in: SIMD_ROWS x 2 sums stay in
 * registers while the terms go by; each term costs 2 loads of b and SIMD_ROWS broadcasts of a for
 * twice as many fused multiply-adds. Rows are shared out evenly, since a block of few rows waits
 * for the latency of its own sums: 16 rows are 8 + 8 and not 14 + 2.
 * Before including, define what simd_vector.h asks for.
 */

/* ahead: fetched a little at each term, `step` bytes on. */
INLINE void product_block(int rows, const struct simd_product *t, const float *a, float *c,
                          const char *ahead, size_t step)
{
    vec sum[SIMD_ROWS][SIMD_VECS];
    const float *b = t->b;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < SIMD_VECS; v++) {
            const float *p = c + (size_t)i * t->ldc + (size_t)v * SIMD_LANES;
            sum[i][v] = t->add ? load(p) : (vec){0};
        }
    }
    for (size_t j = t->terms; j > 0; j--) {
        vec bv[SIMD_VECS];
#pragma GCC unroll 2
        for (int v = 0; v < SIMD_VECS; v++) {
            bv[v] = load(b + (size_t)v * SIMD_LANES);
        }
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            float f = a[(size_t)i * t->a_row];
#pragma GCC unroll 2
            for (int v = 0; v < SIMD_VECS; v++) {
                sum[i][v] += f * bv[v];
            }
        }
        __builtin_prefetch(ahead, 0, 3);
        ahead += step;
        a += t->a_term;
        b += t->ldb;
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < SIMD_VECS; v++) {
            store(c + (size_t)i * t->ldc + (size_t)v * SIMD_LANES, sum[i][v]);
        }
    }
}

#define PRODUCT_CASE(n)                                                                            \
    case n:                                                                                        \
        product_block((n) <= SIMD_ROWS ? (n) : SIMD_ROWS, t, a, c, ahead, step);                   \
        break;

static void product(const struct simd_product *t)
{
    size_t blocks = (t->m + SIMD_ROWS - 1) / SIMD_ROWS;
    size_t step =
        t->ahead && t->terms > 0 ? t->ahead_count * sizeof(float) / (blocks * t->terms) : 0;
    const char *ahead = (const char *)(t->ahead ? t->ahead : t->b);
    for (size_t k = 0, i = 0, next; k < blocks; k++, i = next, ahead += step * t->terms) {
        next = (k + 1) * t->m / blocks;
        const float *a = t->a + i * t->a_row;
        float *c = t->c + i * t->ldc;
        switch (next - i) {
            PRODUCT_CASE(1)
            PRODUCT_CASE(2)
            PRODUCT_CASE(3)
            PRODUCT_CASE(4)
            PRODUCT_CASE(5)
            PRODUCT_CASE(6)
            PRODUCT_CASE(7)
            PRODUCT_CASE(8)
            PRODUCT_CASE(9)
            PRODUCT_CASE(10)
            PRODUCT_CASE(11)
            PRODUCT_CASE(12)
        }
    }
}
