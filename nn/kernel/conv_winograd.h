#ifndef NEPHRON_CONV_WINOGRAD_H
#define NEPHRON_CONV_WINOGRAD_H

#include "conv.h"
#include "simd.h"

#include "tensor.h"

/*
 * Winograd's minimal filtering F(4x4,3x3) for convolutions: Lavin & Gray 2015 (arXiv:1509.09308),
 * sections 4 and 5. A tile of 4x4 outputs takes 6x6 inputs and 36 multiplications a pair of
 * channels instead of 144:
 *
 *     y = A^T [ (G g G^T) . (B^T d B) ] A           . element by element, g 3x3, d 6x6, y 4x4
 *
 * The filter is polynomial interpolation at five points and infinity. With points 0, +-a, +-b:
 *
 *           a2b2  0   -(a2+b2)    0     1  0           1/a2b2    0      0
 *            0  -ab2    -b2       a     1  0            na      a na  a2 na
 *     B^T =  0   ab2    -b2      -a     1  0       G =  na     -a na  a2 na     na = 1/(2a2(a2-b2))
 *            0  -a2b    -a2       b     1  0            nb      b nb  b2 nb     nb = 1/(2b2(b2-a2))
 *            0   a2b    -a2      -b     1  0            nb     -b nb  b2 nb
 *            0  a2b2     0    -(a2+b2)  0  1             0       0      1
 *
 *            1  1   1   1   1  0
 *     A^T =  0  a  -a   b  -b  0       Lavin & Gray have a = 1, b = 2. Here a = 3/4, b = 3/2: as
 *            0  a2  a2  b2  b2 0       few operations, A and B still exact in fp32, and a mean
 *            0  a3 -a3  b3 -b3 1       square error 4.5 times smaller (256 channels: 2.3e-12 of the
 *                                      outputs' square instead of 1.0e-11; the best of those tried)
 *
 * Summed over input channels, element xi of the 36 is a matrix product M_xi (tiles,k) =
 * V_xi (tiles,c) . U_xi (c,k) of transformed inputs V = B^T d B and transformed filters U = G g
 * G^T.
 *
 *   forward            V -> 36 products -> A^T M A, + bias, ReLU, max-pooling
 *   backward, data     the same with channels swapped and filters turned by 180 degrees; reads dy
 *                      un-pooled, writes dx masked by x > 0
 *   backward, weights  the adjoint: dU_xi (k,c) = sum over tiles Z_xi (tiles,k)^T . V_xi (tiles,c)
 *                      with Z = A dy A^T, then dg = G^T dU G
 *
 * Tiles are worked off in groups, a group by one thread: transform, 36 products, transform back,
 * in memory of the thread. With 64 channels a group of 28 tiles keeps V, M and U (0.6 MB) in an L2
 * of 1.25 MB. With 512 channels U_xi is 1 MB and is read for each group: groups of about 100 tiles
 * make that 1.3 bytes a cycle and core.
 *
 * Each output is one sum over channels in order, whatever group and thread.
 */

#define WINOGRAD_XI 36

/* Tiles across, down and in an image. */
struct winograd_grid {
    size_t th, tw, per_image;
};

static inline struct winograd_grid winograd_grid(const struct conv_shape *s)
{
    size_t th = (s->h + 3) / 4, tw = (s->w + 3) / 4;
    return (struct winograd_grid){th, tw, th * tw};
}

static inline const struct simd *winograd_simd(const struct conv_shape *s)
{
    return s->simd ? s->simd : simd_best();
}

static inline size_t winograd_panels(const struct simd *simd, size_t channels)
{
    return (channels + simd->panel - 1) / simd->panel;
}

/* count rounded up to an odd number of cache lines: rows a power of two apart would share a few
 * sets of the L1 cache. */
static inline size_t winograd_odd(size_t count)
{
    size_t lines = tensor_round(count) / 16;
    return (lines | 1) * 16;
}

/* The number of whole columns that `channels` are in, 2^bits each. */
static inline size_t winograd_columns(size_t channels, unsigned bits)
{
    return (channels + ((size_t)1 << bits) - 1) >> bits;
}

/* backward_weights and its workspace: conv_winograd_weights.c */
size_t winograd_weights_workspace(const struct conv_shape *s, int threads, size_t rows,
                                  size_t shards);
void winograd_weights(const struct conv_shape *s, const struct conv_call *call);

#endif
