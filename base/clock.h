#ifndef NEPHRON_CLOCK_H
#define NEPHRON_CLOCK_H

#include <stdint.h>

/* Time as a parameter: schedulers, retries and progress lines take a clock, tests give a fake. */

struct clock {
    int64_t (*wall_ms)(void *ctx); /* since 1970 UTC: for people and records, never for order */
    int64_t (*mono_us)(void *ctx); /* monotonic: for durations and time-outs */
    void *ctx;
};

extern const struct clock clock_system;

static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c->ctx);
}
static inline int64_t clock_mono_us(const struct clock *c)
{
    return c->mono_us(c->ctx);
}
static inline double clock_seconds(const struct clock *c)
{
    return (double)c->mono_us(c->ctx) / 1e6;
}

/* "2026-11-23T18:30:50Z" */
#define CLOCK_TEXT_SIZE 32
void clock_rfc3339(int64_t wall_ms, char out[CLOCK_TEXT_SIZE]);
void clock_sleep_us(int64_t us);

#endif
