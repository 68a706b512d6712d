/* The system's clocks; see clock.h. */

#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static int64_t system_wall_ms(void *ctx)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_mono_us(void *ctx)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

const struct clock clock_system = {system_wall_ms, system_mono_us, NULL};

void clock_rfc3339(int64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
    struct tm t;
    if (gmtime_r(&seconds, &t) == NULL) {
        snprintf(out, CLOCK_TEXT_SIZE, "invalid time");
        return;
    }
    strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &t);
}

void clock_sleep_us(int64_t us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (us > 0 && nanosleep(&t, &t) < 0 && errno == EINTR) {
    }
}
