/* The table of simd.h for AVX-512; the build gives this file the flags. */

#if defined(__x86_64__)
#define SIMD_LANES 16
#define SIMD_ROWS 12
#define SIMD_TABLE simd_avx512
#define SIMD_NAME "avx512"

#include "simd_table.h"
#else
typedef int simd_avx512_is_for_x86_64; /* an empty file is not C */
#endif
