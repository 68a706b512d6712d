/* OpenBLAS calls; see gemm.h. */

#include "gemm.h"

#include "str.h"

#include <cblas.h>

void gemm_init(void)
{
    openblas_set_num_threads(1);
}

void gemm_describe(struct strbuf *out)
{
    strbuf_addf(out, "%s, kernels %s, %d thread a call", openblas_get_config(),
                openblas_get_corename(), openblas_get_num_threads());
}

void gemm_nn(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
             float beta, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1.0f,
                a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

void gemm_nt(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
             float beta, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)m, (blasint)n, (blasint)k, 1.0f,
                a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}
