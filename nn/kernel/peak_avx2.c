/* Compiled with -mavx2 -mfma; see peak_simd.h. */

#if defined(__x86_64__)
#define PEAK_LANES 8
#define PEAK_SUMS 12
#define PEAK_TABLE peak_avx2
#define PEAK_NAME "avx2"

#include "peak_simd.h"
#else
typedef int peak_avx2_is_for_x86_64; /* an empty file is not C */
#endif
