#ifndef NEPHRON_GEMM_H
#define NEPHRON_GEMM_H

#include <stddef.h>

struct strbuf;

/*
 * Matrix products on OpenBLAS, row-major. The only file that sees cblas.h. OpenBLAS is set to one
 * thread for good: parallel loops are ours (par.h), each thread calls with matrices of its own.
 * The bits of a product depend on m, n, k and the kernels that OpenBLAS picked for this CPU, not
 * on threads; callers that promise equal bits keep m, n, k independent of the batch.
 */

/* Sets OpenBLAS to one thread. May be called again; model_new does. */
void gemm_init(void);

/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ... MAX_THREADS=64, kernels Zen". Returns borrowed text
 * for the configuration, in `out`, for -v and run records. */
void gemm_describe(struct strbuf *out);

/* C (m,n) = A (m,k) . B (k,n) + beta C; ld*: floats between rows. */
void gemm_nn(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
             float beta, float *c, size_t ldc);
/* C (m,n) = A (m,k) . B (n,k)^T + beta C */
void gemm_nt(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
             float beta, float *c, size_t ldc);

#endif
