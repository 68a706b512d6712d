#ifndef NEPHRON_PEAK_KERNEL_H
#define NEPHRON_PEAK_KERNEL_H

#include "peak.h"

/* Shared by peak*.c only. */
extern const struct peak_kernel peak_generic;
#if defined(__x86_64__)
extern const struct peak_kernel peak_avx2, peak_avx512;
#endif

#endif
