#include "fake_runner.h"

#include <stdio.h>
#include <string.h>

static int capacity(struct runner *r)
{
    return ((struct fake_runner *)r)->slots;
}

static int start(struct runner *r, const struct job *j, struct err *e)
{
    struct fake_runner *f = (struct fake_runner *)r;
    struct fake_job *k = &f->running[f->running_count++];
    *k = (struct fake_job){.id = j->id,
                           .slot = j->slot,
                           .slots = j->slots,
                           .ranks = j->ranks,
                           .attempt = j->attempt,
                           .threads = j->threads,
                           .timeout_s = j->timeout_s};
    snprintf(k->stage, sizeof k->stage, "%s", j->stage);
    size_t n = 0;
    for (size_t i = 0; i < j->env_count; i++) {
        n += (size_t)snprintf(k->env + n, sizeof k->env - n, "%s\n", j->env[i]);
    }
    k->status = f->act != NULL ? f->act(f->ctx, j) : 0;
    f->started[f->started_count++] = *k;
    if (f->running_count > f->most_running) {
        f->most_running = f->running_count;
    }
    return 0;
}

static int wait_one(struct runner *r, int timeout_ms, struct arena *a, struct job_result *out,
                    struct err *e)
{
    struct fake_runner *f = (struct fake_runner *)r;
    if (f->running_count == 0) {
        return 0;
    }
    size_t i = f->lifo ? f->running_count - 1 : 0;
    struct fake_job k = f->running[i];
    memmove(&f->running[i], &f->running[i + 1], (f->running_count - i - 1) * sizeof k);
    f->running_count--;
    *out = (struct job_result){.id = k.id,
                               .status = k.status,
                               .failed_cmd = k.status != 0 ? "the command" : NULL,
                               .host = "fake",
                               .rank = k.slot,
                               .output = "",
                               .killed = f->killed_with != 0};
    return 1;
}

static void kill_all(struct runner *r, uint64_t id, int sig)
{
    ((struct fake_runner *)r)->killed_with = sig;
}

static void wake(struct runner *r) {}

static void close_it(struct runner *r) {}

static const struct runner_ops ops = {
    .name = "fake",
    .capacity = capacity,
    .start = start,
    .wait = wait_one,
    .kill = kill_all,
    .wake = wake,
    .close = close_it,
};

void fake_runner_init(struct fake_runner *f, int slots)
{
    *f = (struct fake_runner){.base = {&ops}, .slots = slots};
}
