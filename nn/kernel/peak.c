/* Choice and timing of the peak kernels; see peak.h. */
#include "peak_kernel.h"

#include "clock.h"
#include "par.h"

#define RUN_S 0.02

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
    volatile float sink; /* its value is of no use, that it was formed is */
};

static void run_thread(void *ctx, size_t item, int thread)
{
    struct peak_job *j = ctx;
    float result = j->kernel->run(j->rounds);
    if (thread == 0) {
        j->sink = result;
    }
}

/* One item a thread would not do: a thread that wakes late would leave two to another. */
#define ITEMS_A_THREAD 8

static double timed(struct peak_job *j, struct par *par, size_t items)
{
    double t = clock_seconds(&clock_system);
    par_for(par, items, run_thread, j);
    return clock_seconds(&clock_system) - t;
}

double peak_gflops(const struct peak_kernel *k, struct par *par, int repeats)
{
    struct peak_job j = {.kernel = k, .rounds = 1000};
    size_t threads = (size_t)par_threads(par), items = threads * ITEMS_A_THREAD;
    double best = 0;
    while (timed(&j, NULL, 1) < RUN_S / ITEMS_A_THREAD && j.rounds < (size_t)1 << 40) {
        j.rounds *= 2;
    }
    for (int i = 0; i < repeats; i++) {
        double seconds = timed(&j, par, items);
        double rate = k->flop_a_round * (double)j.rounds * (double)items / seconds / 1e9;
        best = rate > best ? rate : best;
    }
    return best;
}
