/* The table of simd.h for any CPU that the compiler knows. */

#define SIMD_LANES 4
#if defined(__aarch64__)
#define SIMD_ROWS 12 /* 32 registers */
#else
#define SIMD_ROWS 6
#endif
#define SIMD_TABLE simd_generic
#define SIMD_NAME "generic"

#include "simd_table.h"
