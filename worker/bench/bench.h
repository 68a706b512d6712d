#ifndef NEPHRON_BENCH_H
#define NEPHRON_BENCH_H

#include "rig.h"

#include "machine.h"

#include "arena.h"
#include "str.h"

/*
 * `nephron bench`: how fast this machine, or this cluster, is. Private to bench*.c; mpi_commands.c
 * knows bench_command. Each kind of measurement fills a document (--json) and text for people; rank
 * 0 prints one of them.
 */

struct value;

struct bench_options {
    struct rig_options rig;
    long threads, steps; /* 0: this rank's share of cores; by kind */
    long rounds;         /* A B A B: how often both sides are measured */
    long max_mb;         /* allreduce: largest size */
    double gbit, latency_us;
    long per_host; /* model: ranks that share a link */
    bool json;
};

#define BENCH_PEAKS 3
struct bench_peak {
    const char *isa;
    double one, all; /* GFLOP/s by fused multiply-adds of one thread, of all together */
};

/* What stands in every report. */
struct bench_machine {
    char cpu[96], host[64], governor[32];
    int cores, online, threads;
    struct bench_peak peaks[BENCH_PEAKS]; /* best first */
    size_t peak_count;
    double peak; /* the first's `all`: what speeds are compared with */
    double load; /* runnable processes at the start, of everybody */
};

struct bench {
    struct bench_options opt;
    struct comm *comm;
    struct par *par;
    struct machine_share share;
    struct bench_machine machine;
    struct arena *arena;
    struct value *report;
    struct strbuf *text;
};

/* bench_machine.c: fills b->machine, measures the peak; collective. */
int bench_machine_measure(struct bench *b, struct err *e);
/* "machine" of the report, the lines below a table, and hints when something looks wrong. */
void bench_machine_report(struct bench *b);
double bench_peak_rss(void); /* bytes, of this process */

/* The kinds. Collective. */
int bench_train(struct bench *b, struct err *e); /* and infer */
int bench_layers(struct bench *b, struct err *e);
int bench_allreduce(struct bench *b, struct err *e);
int bench_model(struct bench *b, struct err *e);

/* --- help for the kinds ---------------------------------------------------------------------- */

/* Passes and their times, gathered by model_set_watch over some steps. */
#define BENCH_LAPS 160
struct bench_lap {
    struct model_lap lap;
    double *ms; /* [steps] */
};
struct bench_laps {
    struct bench_lap items[BENCH_LAPS];
    size_t count, step, steps;
    double since_s;
};
/* Runs one step to warm up and `steps` watched ones, each rank by itself. */
int bench_laps_run(struct bench_laps *l, struct rig *r, size_t steps, struct err *e);
void bench_laps_release(struct bench_laps *l);
/* "conv winograd im2col, dense avx512": kinds with the methods they use. Appends. */
void bench_laps_methods(const struct bench_laps *l, struct strbuf *out);
const char *bench_pass_name(enum model_pass pass);

#endif
