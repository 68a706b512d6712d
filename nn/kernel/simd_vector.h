/*
 * Vectors of SIMD_LANES floats by GCC's vector_size, for the *_simd.h files. Before including,
 * define
 *   SIMD_LANES  floats in a vector
 *   SIMD_ROWS   rows of a product: SIMD_ROWS x 2 sums, 2 vectors and 1 factor fill the registers
 */

#include "simd.h"

#include <stdint.h>
#include <string.h>

#define SIMD_VECS 2
#define SIMD_PANEL (SIMD_VECS * SIMD_LANES)

typedef float vec __attribute__((vector_size(SIMD_LANES * sizeof(float))));
typedef int32_t ivec __attribute__((vector_size(SIMD_LANES * sizeof(int32_t))));
typedef uint8_t bvec __attribute__((vector_size(SIMD_LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof(v));
    return v;
}

INLINE void store(float *p, vec v)
{
    memcpy(p, &v, sizeof(v));
}

INLINE vec load_part(const float *p, size_t n)
{
    vec v = {0};
    memcpy(&v, p, n * sizeof(float));
    return v;
}

/* part 0: a whole vector. */
INLINE vec load_some(const float *p, size_t part)
{
    return part ? load_part(p, part) : load(p);
}

INLINE void store_some(float *p, vec v, size_t part)
{
    memcpy(p, &v, part ? part * sizeof(float) : sizeof(v));
}

/* a where the mask (-1 or 0) is set, else b. */
INLINE vec choose(ivec mask, vec a, vec b)
{
    return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

INLINE vec keep_where(ivec mask, vec a)
{
    return (vec)((ivec)a & mask);
}
