/* Philox 4x32-10; see rng.h. Constants: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011, table 2; test vectors in tests/unit/base/rng_test.c are of that paper's
 * reference code. */

#include "rng.h"

#include <math.h>

#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

void rng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* splitmix64's finaliser: spreads the bits of seed and purpose over the key. */
static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

void rng_init(struct rng *r, uint64_t seed, enum rng_purpose purpose, uint64_t a, uint64_t b)
{
    uint64_t key = mix(mix(mix(seed) ^ (uint64_t)purpose) ^ a);
    *r = (struct rng){.key = {(uint32_t)key, (uint32_t)(key >> 32)},
                      .counter = {0, 0, (uint32_t)b, (uint32_t)(b >> 32)}};
}

uint32_t rng_u32(struct rng *r)
{
    if (r->left == 0) {
        rng_block(r->key, r->counter, r->out);
        if (++r->counter[0] == 0) {
            r->counter[1]++;
        }
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t high = rng_u32(r);
    return high << 32 | rng_u32(r);
}

float rng_uniform(struct rng *r)
{
    return (float)(rng_u32(r) >> 8) * 0x1p-24f;
}

double rng_range(struct rng *r, double low, double high)
{
    return low + (high - low) * (double)(rng_u64(r) >> 11) * 0x1p-53;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    uint32_t reject = (0u - n) % n; /* 2^32 mod n: values below it would favour small results */
    uint32_t v;
    do {
        v = rng_u32(r);
    } while (v < reject);
    return v % n;
}

double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_range(r, 0.0, 1.0); /* (0, 1] */
    double v = rng_range(r, 0.0, 1.0);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void rng_shuffle(struct rng *r, size_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = i <= UINT32_MAX ? rng_below(r, (uint32_t)i) : (size_t)(rng_u64(r) % i);
        size_t t = items[i - 1];
        items[i - 1] = items[j];
        items[j] = t;
    }
}
