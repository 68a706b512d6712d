#ifndef NEPHRON_SAFETENSORS_H
#define NEPHRON_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct weights;

/*
 * safetensors 0.4: u64 header length, JSON header, then the tensors' bytes.
 *   {"__metadata__": {str: str}, NAME: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
 * Rules checked: header ≤ 100 MB and ≤ file, known dtypes, byte range = product of shape, ranges
 * without hole or overlap that end at the end of the file. Alignment is not assumed.
 */

#define SAFETENSORS_MAX_HEADER ((size_t)100 * 1000 * 1000)

/* Fills a struct weights whose arena and name are set; `data` must outlive it. */
int safetensors_read(struct weights *w, const void *data, size_t n, struct err *e);
bool safetensors_looks_like(const void *data, size_t n);

#endif
