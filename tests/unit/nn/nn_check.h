#ifndef NEPHRON_NN_CHECK_H
#define NEPHRON_NN_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the kernel tests share: reproducible inputs, distances, bits, numerical derivatives. */

static inline float *check_floats(size_t n)
{
    float *p = calloc(n ? n : 1, sizeof(*p));
    assert_non_null(p);
    return p;
}

/* n numbers in [-1, 1), the same for the same stream. */
static inline float *check_random(size_t n, uint64_t stream)
{
    float *p = check_floats(n);
    struct rng r;
    rng_init(&r, 7, RNG_TEST, stream, 0);
    for (size_t i = 0; i < n; i++) {
        p[i] = 2 * rng_uniform(&r) - 1;
    }
    return p;
}

/* Normalised mean square error: sum (a - b)^2 / sum b^2, b being the reference. */
static inline double check_nmse(const float *a, const float *b, size_t n)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - b[i];
        error += d * d;
        power += (double)b[i] * b[i];
    }
    return power > 0 ? error / power : error;
}

#define CHECK_NEAR(what, a, b, n, bound)                                                           \
    do {                                                                                           \
        double nmse_ = check_nmse(a, b, n);                                                        \
        if (!(nmse_ <= (bound))) {                                                                 \
            fail_msg("%s: NMSE %.3g, bound %.3g", what, nmse_, (double)(bound));                   \
        }                                                                                          \
    } while (0)

#define CHECK_BITS(what, a, b, n)                                                                  \
    do {                                                                                           \
        for (size_t i_ = 0; i_ < (n); i_++) {                                                      \
            if (memcmp(&(a)[i_], &(b)[i_], sizeof((a)[0])) != 0) {                                 \
                fail_msg("%s: element %zu of %zu: %.9g is not %.9g", what, i_, (size_t)(n),        \
                         (double)(a)[i_], (double)(b)[i_]);                                        \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* x (n,c,area) -> returns new (n,area,c): the order of activations inside a model. And back, with c
 * and area exchanged. */
static inline float *check_swap(const float *x, size_t n, size_t c, size_t area)
{
    float *to = check_floats(n * c * area);
    for (size_t i = 0; i < n * c * area; i++) {
        size_t image = i / (c * area), ch = i / area % c, at = i % area;
        to[(image * area + at) * c + ch] = x[i];
    }
    return to;
}

/* A scalar function of the numbers that the caller moves. */
typedef double check_fn(void *ctx);

/*
 * Compares gradient g with central differences of fn at up to `samples` elements of x. Where steps
 * of h and h / 2 disagree the function has a kink in between (ReLU, max) and the element says
 * nothing; more than half of them must speak.
 */
static inline void check_gradient(const char *what, check_fn *fn, void *ctx, float *x,
                                  const float *g, size_t n, size_t samples, float h, double bound)
{
    struct rng r;
    rng_init(&r, 7, RNG_TEST, 99, n);
    size_t tried = 0, compared = 0;
    double scale = 1e-6;
    for (size_t i = 0; i < n; i++) {
        scale = fmax(scale, fabs((double)g[i]));
    }
    for (; tried < samples && tried < n; tried++) {
        size_t i = n <= samples ? tried : rng_below(&r, (uint32_t)n);
        double slope[2];
        for (int half = 0; half < 2; half++) {
            float step = half ? h / 2 : h, at = x[i];
            x[i] = at + step;
            double up = fn(ctx), wide = x[i];
            x[i] = at - step;
            wide -= x[i];
            slope[half] = (up - fn(ctx)) / wide;
            x[i] = at;
        }
        if (fabs(slope[0] - slope[1]) > bound * scale) {
            continue;
        }
        compared++;
        if (!(fabs(slope[1] - g[i]) <= 2 * bound * scale)) {
            fail_msg("%s: element %zu: gradient %.7g, difference quotient %.7g (scale %.3g)", what,
                     i, (double)g[i], slope[1], scale);
        }
    }
    if (compared * 2 <= tried) {
        fail_msg("%s: only %zu of %zu difference quotients can be used", what, compared, tried);
    }
}

static inline double check_dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * b[i];
    }
    return sum;
}

#endif
