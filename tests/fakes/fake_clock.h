#ifndef NEPHRON_FAKE_CLOCK_H
#define NEPHRON_FAKE_CLOCK_H

#include "clock.h"

/* A clock that stands still until it is told to move. */
struct fake_clock {
    struct clock clock;
    int64_t us;
};

static inline int64_t fake_clock_wall(void *ctx)
{
    return 1700000000000 + ((struct fake_clock *)ctx)->us / 1000;
}

static inline int64_t fake_clock_mono(void *ctx)
{
    return ((struct fake_clock *)ctx)->us;
}

static inline void fake_clock_init(struct fake_clock *f)
{
    f->us = 1000000;
    f->clock = (struct clock){fake_clock_wall, fake_clock_mono, f};
}

static inline void fake_clock_advance(struct fake_clock *f, double seconds)
{
    f->us += (int64_t)(seconds * 1e6);
}

#endif
