/* Samples of /proc; see system_metrics.h. What cannot be read is zero. */

#include "system_metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double cpu_seconds(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) < 0) {
        return 0;
    }
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 +
           (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

static uint64_t resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) {
        return 0;
    }
    if (fscanf(f, "%lu %lu", &total, &resident) != 2) {
        resident = 0;
    }
    fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Lines of /proc/net/dev: "  eth0: received-bytes 7 more columns transmitted-bytes …". */
static void net_bytes(uint64_t *received, uint64_t *sent)
{
    char line[512];
    FILE *f = fopen("/proc/net/dev", "re");

    *received = *sent = 0;
    if (!f) {
        return;
    }
    while (fgets(line, sizeof(line), f)) {
        unsigned long long rx, tx;
        char name[64];
        if (sscanf(line, " %63[^:]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", name, &rx, &tx) == 3 &&
            strcmp(name, "lo") != 0) {
            *received += rx;
            *sent += tx;
        }
    }
    fclose(f);
}

void system_sampler_init(struct system_sampler *s, double mono_s)
{
    s->cpu_s = cpu_seconds();
    s->time_s = mono_s;
    net_bytes(&s->received, &s->sent);
}

void system_sampler_take(struct system_sampler *s, double mono_s, struct system_sample *out)
{
    struct system_sampler now;
    system_sampler_init(&now, mono_s);
    double elapsed = mono_s - s->time_s > 1e-3 ? mono_s - s->time_s : 1e-3;
    out->cpu_percent = 100 * (now.cpu_s - s->cpu_s) / elapsed;
    out->memory_bytes = resident_bytes();
    /* An interface that went away makes the sums fall. */
    out->net_receive_bytes_per_s =
        now.received > s->received ? (double)(now.received - s->received) / elapsed : 0;
    out->net_transmit_bytes_per_s = now.sent > s->sent ? (double)(now.sent - s->sent) / elapsed : 0;
    *s = now;
}
