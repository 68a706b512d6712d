#ifndef NEPHRON_WEIGHTS_SHOW_H
#define NEPHRON_WEIGHTS_SHOW_H

#include <stdbool.h>
#include <stdio.h>

struct err;

/* Bodies of `nephron weights show` and `nephron weights convert`. */

/*
 * One line for each tensor: name, dtype, shape, sum, first value, md5 of the values as
 * little-endian row-major bytes; then totals and the metadata. With `json` one object:
 *   {"schema": 1, "path", "format", "count", "elements", "bytes", "metadata": {…},
 *    "tensors": [{"name", "dtype", "shape": […], "contiguous", "sum", "first", "md5"}]}
 * Not-a-number sums and firsts are null in JSON.
 */
int weights_show(const char *path, bool json, FILE *out, struct err *e);

/* Writes IN's tensors and metadata to OUT in the format of OUT's extension; dtypes are kept. Views
 * become plain tensors. OUT may be IN: the file is replaced when all is written. */
int weights_convert(const char *in, const char *out, struct err *e);

#endif
