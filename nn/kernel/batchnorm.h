#ifndef NEPHRON_BATCHNORM_H
#define NEPHRON_BATCHNORM_H

#include <stdbool.h>
#include <stddef.h>

struct par;
struct shard_split;

/*
 * Batch normalisation over the channels of x (n,area,c), area = h w, as PyTorch's BatchNorm2d:
 *   y = gamma (x - mean) / sqrt(var + eps) + beta
 * In training mean and (biased) var are those of the GLOBAL batch: each rank forms its part of the
 * sums in double by the rules of shard.h, the caller adds the parts of the ranks, and all
 * ranks go on with the same numbers. In evaluation they are the running statistics.
 */

#define BATCHNORM_EPS 1e-5
#define BATCHNORM_MOMENTUM 0.1 /* weight of the new statistics */

struct batchnorm_shape {
    size_t c, area;
};

/* Doubles of workspace for the two functions that take `ws`; rows: largest local batch. */
size_t batchnorm_workspace(const struct batchnorm_shape *s, size_t rows, size_t shards);

/* sums (2,c): this rank's part of sum x and sum x^2 over its rows. */
void batchnorm_sums(const struct batchnorm_shape *s, const struct shard_split *split,
                    const float *x, double *sums, double *ws, struct par *par);
/* From the global sums over `count` = B area elements: mean (c), inv_std (c); when running_* are
 * not NULL they take in the new mean and the unbiased variance (biased when count is 1). */
void batchnorm_statistics(size_t c, double count, const double *sums, float *mean, float *inv_std,
                          float *running_mean, float *running_var);
/* From running statistics (evaluation). */
void batchnorm_from_running(size_t c, const float *running_mean, const float *running_var,
                            float *mean, float *inv_std);
/* y may be x. relu: y = max(y, 0). */
void batchnorm_apply(const struct batchnorm_shape *s, size_t n, const float *x, const float *mean,
                     const float *inv_std, const float *gamma, const float *beta, bool relu,
                     float *y, struct par *par);

/* sums (2,c): this rank's part of sum dy and sum dy xhat; dgamma, dbeta (c): the same as
 * gradients, shards rounded to float and added as other gradients are. */
void batchnorm_backward_sums(const struct batchnorm_shape *s, const struct shard_split *split,
                             const float *x, const float *dy, const float *mean,
                             const float *inv_std, double *sums, float *dgamma, float *dbeta,
                             double *ws, struct par *par);
/* From the global sums: dx; may be dy. */
void batchnorm_backward_data(const struct batchnorm_shape *s, size_t n, double count,
                             const float *x, const float *dy, const float *mean,
                             const float *inv_std, const float *gamma, const double *sums,
                             float *dx, struct par *par);

#endif
