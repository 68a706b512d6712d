/*
 * How fast a training goes, and who holds it up: the progress line (or, where stderr is no
 * terminal, a line now and then), each rank's own step time, the vote before each step in which
 * those times travel, and the warning that names a straggler.
 */
#include "train_private.h"

#include "alloc.h"
#include "clock.h"
#include "loader.h"
#include "log.h"
#include "num.h"
#include "progress.h"
#include "ranks_agree.h"
#include "straggler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_SIZE 64
#define TELL_S 2.0 /* between two records of a rank's step time */
/* Lines of a log: the first after LINE_S, then ever rarer (a twentieth of what has passed). */
#define LINE_S 10.0
#define LINE_MAX_S 300.0

/* What each rank says before a step. */
struct vote {
    int64_t failed, signal;
    double own_s; /* of the step before: without waiting for others */
};

struct pace {
    struct progress *bar;
    bool lines;             /* no terminal: lines instead of a bar */
    double begin_s, line_s; /* clock: start of training, last line */
    uint64_t first_step;

    struct vote *votes; /* [world] */
    size_t *offsets, *bytes;
    double *seconds;
    double mark_s, waited_s; /* clock and comm->waited_s at the last vote */
    double told_s;
    struct straggler *straggler;
    char (*hosts)[HOST_SIZE];
    bool is_slow; /* this rank was named */
};

static double now(void)
{
    return clock_seconds(&clock_system);
}

/* --- life ------------------------------------------------------------------------------------ */

static int gather_hosts(struct trainer *t, struct pace *p, struct err *e)
{
    char mine[HOST_SIZE] = "";
    size_t total = 0;
    gethostname(mine, sizeof(mine) - 1);
    void *all = comm_collect(t->comm, mine, sizeof(mine), &total, e);
    if (!all) {
        return -1;
    }
    p->hosts = all;
    return 0;
}

int train_pace_begin(struct trainer *t, struct err *e)
{
    size_t world = (size_t)t->comm->size, steps = t->s->epochs * loader_batches(t->loader);
    struct pace *p = t->pace = xcalloc(1, sizeof(*p));
    bool silent = t->opt->quiet || t->comm->rank > 0;
    p->bar = progress_new("Training", steps, PROGRESS_ITEMS, NULL, silent);
    progress_start(p->bar, t->step);
    p->lines = !silent && (!isatty(STDERR_FILENO) || getenv("NO_PROGRESS"));
    p->begin_s = p->line_s = now();
    p->first_step = t->step;
    p->votes = xcalloc(world, sizeof(*p->votes));
    p->offsets = xcalloc(world, sizeof(size_t));
    p->bytes = xcalloc(world, sizeof(size_t));
    p->seconds = xcalloc(world, sizeof(double));
    p->straggler = straggler_new(world);
    for (size_t i = 0; i < world; i++) {
        p->offsets[i] = i * sizeof(struct vote);
        p->bytes[i] = sizeof(struct vote);
    }
    train_pace_restart(t);
    return gather_hosts(t, p, e);
}

void train_pace_end(struct trainer *t)
{
    struct pace *p = t->pace;
    if (!p) {
        return;
    }
    progress_free(p->bar);
    straggler_free(p->straggler);
    free(p->votes);
    free(p->offsets);
    free(p->bytes);
    free(p->seconds);
    free(p->hosts);
    free(p);
    t->pace = NULL;
}

void train_pace_restart(struct trainer *t)
{
    t->pace->mark_s = now();
    t->pace->waited_s = t->comm->waited_s;
}

/* --- the vote -------------------------------------------------------------------------------- */

static void tell_step_time(struct trainer *t, bool at_once)
{
    struct pace *p = t->pace;
    double at = now();
    if (!at_once && at - p->told_s < TELL_S) {
        return;
    }
    p->told_s = at;
    run_rank(&t->run, &(struct run_rank){
                          .rank = t->comm->rank,
                          .state = p->is_slow ? "slow" : "running",
                          .img_per_s = -1,
                          .step_ms = 1000 * straggler_seconds(p->straggler, (size_t)t->comm->rank),
                      });
}

static void name_straggler(struct trainer *t, size_t rank)
{
    struct pace *p = t->pace;
    char text[256];
    snprintf(text, sizeof(text),
             "rank %zu on host %s holds the others up: %.3g s a step of its own, the median of the "
             "other ranks is %.3g s",
             rank, p->hosts[rank], straggler_seconds(p->straggler, rank),
             straggler_others(p->straggler, rank));
    progress_clear(p->bar);
    log_warn("train", "%s", text);
    run_log_line(&t->run, (int)rank, text);
    run_tag(&t->run, "straggler", text);
}

static void look_at_times(struct trainer *t, bool first_of_epoch)
{
    struct pace *p = t->pace;
    size_t mine = (size_t)t->comm->rank;
    if (first_of_epoch) { /* no step lies behind this vote */
        return;
    }
    for (int i = 0; i < t->comm->size; i++) {
        p->seconds[i] = p->votes[i].own_s;
    }
    int slow = straggler_step(p->straggler, p->seconds);
    bool was = p->is_slow;
    p->is_slow = slow == (int)mine || (was && straggler_seconds(p->straggler, mine) >
                                                  1.5 * straggler_others(p->straggler, mine));
    if (slow >= 0 && t->comm->rank == 0) {
        name_straggler(t, (size_t)slow);
    }
    tell_step_time(t, was != p->is_slow);
}

enum train_vote train_vote(struct trainer *t, int got, bool first_of_epoch, int *sig, struct err *e)
{
    struct pace *p = t->pace;
    bool anyone_failed = false;
    p->votes[t->comm->rank] = (struct vote){
        .failed = got < 0,
        .signal = t->opt->stop ? *t->opt->stop : 0,
        .own_s = now() - p->mark_s - (t->comm->waited_s - p->waited_s),
    };
    if (comm_allgatherv(t->comm, p->votes, p->offsets, p->bytes, e) < 0) {
        return TRAIN_FAILED;
    }
    train_pace_restart(t);
    *sig = 0;
    for (int i = 0; i < t->comm->size; i++) {
        anyone_failed = anyone_failed || p->votes[i].failed;
        *sig = p->votes[i].signal > *sig ? (int)p->votes[i].signal : *sig;
    }
    if (anyone_failed) {
        ranks_agree(t->comm, got < 0 ? -1 : 0, e);
        return TRAIN_FAILED;
    }
    look_at_times(t, first_of_epoch);
    return *sig ? TRAIN_STOPPED : TRAIN_GO_ON;
}

/* --- lines for people ------------------------------------------------------------------------ */

static double speed(const struct trainer *t)
{
    return t->busy_s > 0 ? t->samples_done / t->busy_s : 0;
}

static uint64_t steps_left(const struct trainer *t)
{
    uint64_t all = t->s->epochs * loader_batches(t->loader);
    return all > t->step ? all - t->step : 0;
}

/* From the steps of this process, validation included. */
static void time_left(const struct trainer *t, char out[NUM_TEXT_SIZE])
{
    const struct pace *p = t->pace;
    uint64_t done = t->step - p->first_step;
    num_duration(out, done > 0 ? (now() - p->begin_s) / (double)done * (double)steps_left(t) : 0);
}

static void print_line(struct trainer *t, const struct step_row *row)
{
    struct pace *p = t->pace;
    double at = now(), gap = (at - p->begin_s) / 20;
    gap = gap < LINE_S ? LINE_S : gap > LINE_MAX_S ? LINE_MAX_S : gap;
    if (!p->lines || at - p->line_s < gap) {
        return;
    }
    char left[NUM_TEXT_SIZE];
    size_t all = loader_batches(t->loader);
    time_left(t, left);
    fprintf(stderr, "epoch %zu/%zu  step %zu/%zu  loss %.4f  accuracy %.3f  %.1f img/s  %s left\n",
            (size_t)row->epoch + 1, t->s->epochs, (size_t)t->step - (size_t)row->epoch * all, all,
            row->loss, row->accuracy, speed(t), left);
    p->line_s = at;
}

void train_pace_step(struct trainer *t, const struct step_row *row)
{
    struct pace *p = t->pace;
    char note[160];
    snprintf(note, sizeof(note), "epoch %zu/%zu  loss %.4f  accuracy %.3f  %.1f img/s",
             (size_t)row->epoch + 1, t->s->epochs, row->loss, row->accuracy, speed(t));
    progress_note(p->bar, note);
    progress_set(p->bar, t->step);
    print_line(t, row);
}

void train_pace_epoch(struct trainer *t, const struct epoch_row *row)
{
    struct pace *p = t->pace;
    struct strbuf line;
    char left[NUM_TEXT_SIZE];
    if (t->comm->rank > 0 || t->opt->quiet) {
        return;
    }
    strbuf_init(&line);
    strbuf_addf(&line, "epoch %.0f/%zu  train loss %.4f accuracy %.4f", row->epoch, t->s->epochs,
                row->train_loss, row->train_accuracy);
    if (row->valid_loss == row->valid_loss) {
        strbuf_addf(&line, "  val loss %.4f accuracy %.4f", row->valid_loss, row->valid_accuracy);
    }
    strbuf_addf(&line, "  lr %.4g  %.1f img/s", row->rate, speed(t));
    if (steps_left(t) > 0) {
        time_left(t, left);
        strbuf_addf(&line, "  %s left", left);
    }
    progress_clear(p->bar);
    fprintf(stderr, "%s\n", line.p);
    p->line_s = now();
    strbuf_release(&line);
}
