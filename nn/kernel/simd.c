/* The choice of an instruction set; see simd.h. */

#include "simd.h"

const struct simd *simd_at(size_t i)
{
    const struct simd *found[4] = {0};
    size_t n = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        found[n++] = &simd_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        found[n++] = &simd_avx2;
    }
#endif
    found[n] = &simd_generic;
    return i <= n ? found[i] : NULL;
}

const struct simd *simd_best(void)
{
    return simd_at(0);
}
