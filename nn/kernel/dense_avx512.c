/* The loops of dense_simd.h for AVX512; the build gives this file the flags.
 */

#if defined(__x86_64__)
#define DENSE_LANES 16
#define DENSE_TABLE dense_kernel_avx512
#define DENSE_NAME "avx512"

#include "dense_simd.h"
#else
typedef int dense_avx512_is_for_x86_64; /* an empty file is not C */
#endif
