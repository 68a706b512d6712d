#ifndef NEPHRON_PEAK_H
#define NEPHRON_PEAK_H

#include <stddef.h>

struct par;

/*
 * What this machine could do at best: fused multiply-adds on registers, no memory. The yardstick
 * of `nephron bench`. Measured, since clocks under AVX-512 load and what a hypervisor leaves are in
 * no table.
 */

struct peak_kernel {
    const char *name; /* instruction set: "avx512", "avx2", "generic" */
    /* `rounds` times `flop_a_round` operations; the result is of no use but must be looked at. */
    float (*run)(size_t rounds);
    double flop_a_round;
};

/* The kernels that this CPU can run, best first. */
size_t peak_kernels(const struct peak_kernel *out[3]);
/* fp32 GFLOP/s of all threads of par together (NULL: one): the best of about `repeats` runs of
 * each, by the threads' CPU time. */
double peak_gflops(const struct peak_kernel *k, struct par *par, int repeats);

#endif
