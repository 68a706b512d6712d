/* Choice and timing of the peak kernels; see peak.h. */
#include "peak_kernel.h"

#include "par.h"

#include <time.h>

#define ITEM_S 0.002
#define PEAK_THREADS_MAX 1024

size_t peak_kernels(const struct peak_kernel *out[3])
{
    size_t n = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        out[n++] = &peak_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        out[n++] = &peak_avx2;
    }
#endif
    out[n++] = &peak_generic;
    return n;
}

struct peak_job {
    const struct peak_kernel *kernel;
    size_t rounds;
    double rate[PEAK_THREADS_MAX]; /* the best of each thread */
    volatile float sink;           /* its value is of no use, that it was formed is */
};

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The thread's own time counts: what other programs take of the core is not the core's fault. */
static void run_item(void *ctx, size_t item, int thread)
{
    struct peak_job *j = ctx;
    double t = thread_seconds();
    float result = j->kernel->run(j->rounds);
    t = thread_seconds() - t;
    double rate = j->kernel->flop_a_round * (double)j->rounds / t / 1e9;
    if (thread < PEAK_THREADS_MAX && rate > j->rate[thread]) {
        j->rate[thread] = rate;
    }
    if (thread == 0) {
        j->sink = result;
    }
}

double peak_gflops(const struct peak_kernel *k, struct par *par, int repeats)
{
    struct peak_job j = {.kernel = k, .rounds = 1000};
    int threads = par_threads(par), counted = 0;
    double sum = 0;
    for (double t = 0; t < ITEM_S; j.rounds *= t < ITEM_S ? 2 : 1) {
        t = thread_seconds();
        j.sink = k->run(j.rounds);
        t = thread_seconds() - t;
    }
    par_for(par, (size_t)(threads * repeats), run_item, &j);
    for (int i = 0; i < threads && i < PEAK_THREADS_MAX; i++) {
        counted += j.rate[i] > 0; /* one that woke too late found nothing to do */
        sum += j.rate[i];
    }
    return sum / counted * threads;
}
