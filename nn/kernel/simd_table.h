/* The table of one instruction set. Before including, define SIMD_LANES and SIMD_ROWS
 * (simd_vector.h), SIMD_TABLE, the name of the table, and SIMD_NAME, its text. */

#include "simd_vector.h"

#include "dense_simd.h"
#include "product_simd.h"
#include "rows_simd.h"
#include "winograd_simd.h"

const struct simd SIMD_TABLE = {
    .name = SIMD_NAME,
    .lanes = SIMD_LANES,
    .panel = SIMD_PANEL,
    .rows = SIMD_ROWS,
    .dot = dot,
    .blend = blend,
    .product = product,
    .finish = finish,
    .input = input,
    .gradient = gradient,
    .output = output,
    .filters = filters,
    .weights = weights,
};
