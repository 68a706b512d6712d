#ifndef NEPHRON_SYSTEM_METRICS_H
#define NEPHRON_SYSTEM_METRICS_H

#include <stdint.h>

/*
 * What this process and its host use, from /proc and getrusage. Rates are means since the previous
 * sample.
 */

struct system_sampler {
    double cpu_s, time_s;
    uint64_t received, sent;
};

struct system_sample {
    double cpu_percent;    /* of this process, user and system; 100 is one core */
    uint64_t memory_bytes; /* resident set of this process */
    double net_receive_bytes_per_s, net_transmit_bytes_per_s; /* of the host, all but lo */
};

void system_sampler_init(struct system_sampler *s, double mono_s);
void system_sampler_take(struct system_sampler *s, double mono_s, struct system_sample *out);

#endif
