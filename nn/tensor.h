#ifndef NEPHRON_TENSOR_H
#define NEPHRON_TENSOR_H

#include <stddef.h>

struct err;

/*
 * The memory of the network. A tensor is a view, it owns nothing: N images of C channels of H rows
 * of W columns, fp32, contiguous in that order (NCHW). What it looks at lies in a `tensor_arena`:
 * one zeroed block a purpose (parameters, gradients, activations, workspace), mapped before step 0.
 */

struct tensor {
    float *data;
    size_t n, c, h, w;
};

/* Elements of one image, and of all of them. */
static inline size_t tensor_image_size(struct tensor t)
{
    return t.c * t.h * t.w;
}
static inline size_t tensor_size(struct tensor t)
{
    return t.n * tensor_image_size(t);
}

#define TENSOR_ALIGN 64 /* bytes: a cache line, and the widest vector */

/* count rounded up so that what follows it is aligned again, in floats. */
static inline size_t tensor_round(size_t count)
{
    const size_t step = TENSOR_ALIGN / sizeof(float);
    return (count + step - 1) / step * step;
}

/*
 * Zeroed memory, aligned to TENSOR_ALIGN; pages appear when they are first touched, so the parts
 * of frozen layers cost nothing. Big arenas ask for huge pages. A zeroed struct is an empty arena.
 */
struct tensor_arena {
    float *data; /* NULL when count is 0 */
    size_t count;
    size_t mapped_bytes; /* private to tensor.c */
};

int tensor_arena_init(struct tensor_arena *a, size_t count, struct err *e);
void tensor_arena_release(struct tensor_arena *a);

#endif
