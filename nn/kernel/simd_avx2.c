/* The table of simd.h for AVX2; the build gives this file the flags. */

#if defined(__x86_64__)
#define SIMD_LANES 8
#define SIMD_ROWS 6
#define SIMD_TABLE simd_avx2
#define SIMD_NAME "avx2"

#include "simd_table.h"
#else
typedef int simd_avx2_is_for_x86_64; /* an empty file is not C */
#endif
