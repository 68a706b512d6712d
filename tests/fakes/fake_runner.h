#ifndef NEPHRON_FAKE_RUNNER_H
#define NEPHRON_FAKE_RUNNER_H

#include "runner.h"

#include <stddef.h>

/*
 * A runner without processes: jobs "run" until the test ends them, or by themselves through `act`,
 * which does what the stage's command would do (write a file) and says its exit status.
 */
struct fake_job {
    uint64_t id;
    char stage[128];
    int slot, slots, ranks, attempt, threads;
    double timeout_s;
    int status;
    char env[1024]; /* "K=V\n" lines */
};

struct fake_runner {
    struct runner base;
    int slots;
    int (*act)(void *ctx, const struct job *j); /* NULL: success */
    void *ctx;
    struct fake_job running[64];
    size_t running_count, most_running;
    struct fake_job started[512]; /* every job, in order of start */
    size_t started_count;
    int lifo; /* the job started last ends first */
    int killed_with;
};

/* The runner lives in the test, close does nothing to it. */
void fake_runner_init(struct fake_runner *f, int slots);

#endif
