/* The loops of dense_simd.h for any CPU that the compiler knows.
 */

#define DENSE_LANES 4
#define DENSE_TABLE dense_kernel_generic
#define DENSE_NAME "generic"

#include "dense_simd.h"
