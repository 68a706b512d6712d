/*
 * Speed of the convolutions of VGG16, layer by layer and pass by pass.
 *
 *   conv_bench [--batch 16] [--threads 2] [--steps 3] [--shards 4] [--size 224] [--simd NAME]
 *              [--layer NAME] [--pass 0|1|2]
 *
 * A line a layer: GFLOP/s of the direct method's count (so Winograd may pass the peak) for forward,
 * backward-data and backward-weights, best of `steps` by CPU time, each as a multiple of the peak of
 * fused multiply-adds measured in the same run; then seconds of all layers together.
 */

#include "conv.h"
#include "peak.h"
#include "shard.h"
#include "simd.h"

#include "alloc.h"
#include "par.h"
#include "rng.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static const struct layer {
    const char *name;
    size_t c, k, divide;
    bool image, pool;
} layers[] = {
    {"conv1_1", 3, 64, 1, true, false},      {"conv1_2", 64, 64, 1, false, true},
    {"conv2_1", 64, 128, 2, false, false},   {"conv2_2", 128, 128, 2, false, true},
    {"conv3_1", 128, 256, 4, false, false},  {"conv3_2", 256, 256, 4, false, false},
    {"conv3_3", 256, 256, 4, false, true},   {"conv4_1", 256, 512, 8, false, false},
    {"conv4_2", 512, 512, 8, false, false},  {"conv4_3", 512, 512, 8, false, true},
    {"conv5_1", 512, 512, 16, false, false}, {"conv5_3", 512, 512, 16, false, true},
};

struct bench {
    size_t batch, size, shards;
    int threads, steps;
    const char *only;
    int pass; /* -1: all */
    const struct simd *simd;
    struct par *par;
    double peak, seconds[3];
};

/* CPU seconds of a thread: on a shared machine wall time measures the neighbours. */
static double now(const struct bench *b)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) / b->threads;
}

static float *numbers(size_t n, uint64_t stream)
{
    const size_t huge = (size_t)2 << 20; /* as the arenas of a model */
    size_t bytes = (n * sizeof(float) + huge - 1) / huge * huge;
    float *p = aligned_alloc(huge, bytes);
    (void)madvise(p, bytes, MADV_HUGEPAGE);
    struct rng r;
    rng_init(&r, 3, RNG_TEST, stream, 0);
    for (size_t i = 0; i < n; i++) {
        p[i] = i < 4096 ? 2 * rng_uniform(&r) - 1 : p[i - 4093];
    }
    return p;
}

/* Of the instruction set at hand, in GFLOP/s of all threads. */
static double measure_peak(const struct bench *b)
{
    const struct peak_kernel *kernels[3];
    size_t count = peak_kernels(kernels);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(kernels[i]->name, b->simd->name) == 0) {
            return peak_gflops(kernels[i], b->par, 20);
        }
    }
    return 1;
}

/* --- layers ----------------------------------------------------------------------------------- */

static void report(struct bench *b, const struct conv_shape *s, int pass, double t)
{
    double rate = conv_flop(s) * (double)b->batch / t / 1e9;
    b->seconds[pass] += t;
    printf("  %7.1f %5.2fx", rate, rate / b->peak);
    fflush(stdout);
}

static void run_layer(struct bench *b, const struct layer *l)
{
    size_t side = b->size / l->divide, area = side * side;
    struct conv_shape s = {.c = l->c,
                           .k = l->k,
                           .h = side,
                           .w = side,
                           .image = l->image,
                           .relu = true,
                           .simd = b->simd};
    const struct conv_ops *ops = conv_choose(&s);
    s.pool = l->pool && conv_pools(&s);
    size_t xs = b->batch * l->c * area, ys = b->batch * l->k * area;
    struct shard_split split;
    shard_split_init(&split, b->batch, b->shards, 0, b->shards);
    struct conv_call call = {.n = b->batch, .split = &split, .rectified = true, .par = b->par};
    float *x = numbers(xs, 1), *w = numbers(9 * l->c * l->k, 2), *bias = numbers(l->k, 3),
          *y = numbers(ys, 4), *dx = numbers(xs, 5), *dw = numbers(9 * l->c * l->k, 6),
          *db = numbers(l->k, 7),
          *ws = numbers(ops->workspace(&s, b->threads, b->batch, b->shards, true), 8);
    uint8_t *argmax = xcalloc(ys, 1);
    call.x = x, call.w = w, call.b = bias, call.y = y, call.dy = y, call.dx = dx, call.dw = dw;
    call.db = db, call.ws = ws, call.argmax = s.pool ? argmax : NULL;
    printf("%-8s %4zu %4zu %4zu", l->name, l->c, l->k, side);
    for (int pass = 0; pass < 3; pass++) {
        if ((b->pass >= 0 && pass != b->pass) || (pass == 1 && l->image)) {
            printf("  %7s %5s ", "-", "-");
            continue;
        }
        double best = 0;
        for (int i = 0; i <= b->steps; i++) {
            double t = now(b);
            (pass == 0   ? ops->forward
             : pass == 1 ? ops->backward_data
                         : ops->backward_weights)(&s, &call);
            t = now(b) - t;
            best = i == 1 || (i > 1 && t < best) ? t : best;
        }
        report(b, &s, pass, best);
    }
    printf("  %s\n", ops->name);
    float *all[] = {x, w, bias, y, dx, dw, db, ws};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        free(all[i]);
    }
    free(argmax);
}

static int read_options(int argc, char **argv, struct bench *b)
{
    static const struct option options[] = {
        {"batch", 1, NULL, 'b'},  {"threads", 1, NULL, 't'}, {"steps", 1, NULL, 'n'},
        {"shards", 1, NULL, 's'}, {"size", 1, NULL, 'z'},    {"simd", 1, NULL, 'i'},
        {"layer", 1, NULL, 'l'},  {"pass", 1, NULL, 'p'},    {0}};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        size_t n = optarg ? strtoul(optarg, NULL, 10) : 0;
        switch (c) {
        case 'b':
            b->batch = n;
            break;
        case 't':
            b->threads = (int)n;
            break;
        case 'n':
            b->steps = n > 0 ? (int)n : 1;
            break;
        case 's':
            b->shards = n;
            break;
        case 'z':
            b->size = n;
            break;
        case 'p':
            b->pass = (int)n;
            break;
        case 'l':
            b->only = optarg;
            break;
        case 'i':
            b->simd = NULL;
            for (size_t i = 0; simd_at(i) && !b->simd; i++) {
                b->simd = strcmp(simd_at(i)->name, optarg) == 0 ? simd_at(i) : NULL;
            }
            if (!b->simd) {
                fprintf(stderr, "conv_bench: this CPU does not run '%s'\n", optarg);
                return 2;
            }
            break;
        default:
            return 2;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.batch = 16,
                      .size = 224,
                      .shards = 4,
                      .threads = 2,
                      .steps = 3,
                      .pass = -1,
                      .simd = simd_best()};
    int rc = read_options(argc, argv, &b);
    if (rc != 0) {
        return rc;
    }
    b.par = par_new(b.threads);
    b.peak = measure_peak(&b);
    printf("%s, %d threads: peak %.0f GFLOP/s; batch %zu, %zu shards\n", b.simd->name, b.threads,
           b.peak, b.batch, b.shards);
    printf("%-8s %4s %4s %4s  %14s %16s %16s\n", "layer", "c", "k", "side", "forward", "data",
           "weights");
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
        if (!b.only || strcmp(b.only, layers[i].name) == 0) {
            run_layer(&b, &layers[i]);
        }
    }
    printf("seconds: forward %.4f, data %.4f, weights %.4f\n", b.seconds[0], b.seconds[1],
           b.seconds[2]);
    par_free(b.par);
    return 0;
}
