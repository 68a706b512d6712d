/* Compiled with -mavx512f -mfma; see peak_simd.h. */

#if defined(__x86_64__)
#define PEAK_LANES 16
#define PEAK_SUMS 20
#define PEAK_TABLE peak_avx512
#define PEAK_NAME "avx512"

#include "peak_simd.h"
#else
typedef int peak_avx512_is_for_x86_64; /* an empty file is not C */
#endif
