/* SSE2 or NEON: what every CPU of the kind has; see peak_simd.h. */
#define PEAK_LANES 4
#define PEAK_SUMS 12
#define PEAK_TABLE peak_generic
#define PEAK_NAME "generic"
#include "peak_simd.h"
