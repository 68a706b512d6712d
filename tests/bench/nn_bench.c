/*
 * Speed of training or inference on synthetic images, without data or communication.
 *
 *   nn_bench train|infer [--model vgg16] [--batch 16] [--size 224] [--threads 2] [--steps 3]
 *            [--freeze features] [--head classifier] [--classes 2] [--divisor 1] [--layers]
 *
 * Prints one JSON line: best step of `steps` after one warm-up. A training step is forward, loss,
 * backward and SGD with momentum. GFLOP/s counts multiply-adds of the direct method twice.
 * Peer: tests/bench/torch_bench.py with the same words.
 */

#include "dense.h"
#include "model.h"
#include "optim.h"

#include "clock.h"
#include "err.h"
#include "par.h"
#include "rng.h"
#include "str.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct model_config config;
    size_t batch;
    int threads, steps;
    bool train, layers;
};

static int usage(void)
{
    fprintf(stderr, "usage: nn_bench train|infer [--model NAME] [--batch N] [--size N] "
                    "[--threads N] [--steps N] [--freeze WHAT] [--head WHAT] [--classes N] "
                    "[--divisor N] [--layers]\n");
    return 2;
}

static int read_options(int argc, char **argv, struct bench *b, struct err *e)
{
    static const struct option options[] = {{"model", 1, NULL, 'm'},
                                            {"batch", 1, NULL, 'b'},
                                            {"size", 1, NULL, 's'},
                                            {"threads", 1, NULL, 't'},
                                            {"steps", 1, NULL, 'n'},
                                            {"freeze", 1, NULL, 'f'},
                                            {"head", 1, NULL, 'h'},
                                            {"classes", 1, NULL, 'c'},
                                            {"divisor", 1, NULL, 'd'},
                                            {"layers", 0, NULL, 'l'},
                                            {0}};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        size_t n = optarg ? strtoul(optarg, NULL, 10) : 0;
        switch (c) {
        case 'm':
            b->config.name = optarg;
            break;
        case 'b':
            b->batch = n;
            break;
        case 's':
            b->config.height = b->config.width = n;
            break;
        case 't':
            b->threads = (int)n;
            break;
        case 'n':
            b->steps = n > 0 ? (int)n : 1;
            break;
        case 'c':
            b->config.classes = n;
            break;
        case 'd':
            b->config.width_divisor = n;
            break;
        case 'l':
            b->layers = true;
            break;
        case 'f':
            if (model_parse_freeze(optarg, &b->config.freeze, e) < 0) {
                return -1;
            }
            break;
        case 'h':
            if (model_parse_head(optarg, &b->config.head, e) < 0) {
                return -1;
            }
            break;
        default:
            return err_set(e, ERR_USAGE, "unknown option");
        }
    }
    if (optind + 1 != argc ||
        (strcmp(argv[optind], "train") != 0 && strcmp(argv[optind], "infer") != 0)) {
        return err_set(e, ERR_USAGE, "expected train or infer");
    }
    b->train = strcmp(argv[optind], "train") == 0;
    return 0;
}

static void one_step(const struct bench *b, struct model *m, struct optim *o, const float *x,
                     const int32_t *labels, uint64_t step)
{
    struct model_loss loss;
    model_forward(m, &(struct model_batch){.x = x,
                                           .count = b->batch,
                                           .step = step,
                                           .mode = b->train ? MODEL_TRAIN : MODEL_EVAL});
    if (b->train) {
        model_loss(m, labels, &loss);
        model_backward(m, NULL);
        optim_step(o, 1e-4);
    }
}

static double best_step(const struct bench *b, struct model *m, struct optim *o, const float *x,
                        const int32_t *labels)
{
    double best = 0;
    for (int i = 0; i <= b->steps; i++) {
        double t = clock_seconds(&clock_system);
        one_step(b, m, o, x, labels, (uint64_t)i);
        t = clock_seconds(&clock_system) - t;
        best = i == 1 || (i > 1 && t < best) ? t : best; /* step 0 touches the memory */
    }
    return best;
}

static void print_result(const struct bench *b, const struct model *m, double seconds)
{
    double flop = b->train ? model_flop_train(m) : model_flop_forward(m);
    printf("{\"what\": \"%s\", \"model\": \"%s\", \"batch\": %zu, \"size\": %zu, \"threads\": %d, "
           "\"freeze\": %d, \"seconds\": %.4f, \"images_per_s\": %.3f, \"gflop_per_s\": %.1f, "
           "\"kernels\": \"%s\"}\n",
           b->train ? "train" : "infer", b->config.name, b->batch, b->config.height, b->threads,
           b->config.freeze, seconds, (double)b->batch / seconds,
           flop * (double)b->batch / seconds / 1e9, dense_kernel_name());
}

static int run(struct bench *b, struct err *e)
{
    int rc = -1;
    struct par *par = par_new(b->threads);
    b->config.par = par;
    struct optim *o = NULL;
    float *x = NULL;
    int32_t *labels = NULL;
    struct model *m = model_new(&b->config, e);
    if (!m ||
        model_plan(m, &(struct model_plan){.batch = b->batch, .inference = !b->train}, e) < 0) {
        goto out;
    }
    o = optim_new(&(struct optim_config){.momentum = 0.9}, m, e);
    size_t size = b->batch * 3 * b->config.height * b->config.width;
    x = malloc(size * sizeof(*x));
    labels = calloc(b->batch, sizeof(*labels));
    if (!o || !x || !labels) {
        goto out;
    }
    struct rng r;
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < size; i++) {
        x[i] = 2 * rng_uniform(&r) - 1;
    }
    if (b->layers) {
        struct strbuf text;
        strbuf_init(&text);
        model_describe(m, &text);
        fputs(text.p, stderr);
        strbuf_release(&text);
    }
    print_result(b, m, best_step(b, m, o, x, labels));
    rc = 0;
out:
    free(x);
    free(labels);
    optim_free(o);
    model_free(m);
    par_free(par);
    return rc;
}

int main(int argc, char **argv)
{
    struct bench b = {
        .config = {.name = "vgg16", .classes = 2, .height = 224, .width = 224, .seed = 1},
        .batch = 16,
        .threads = 2,
        .steps = 3};
    struct err e = ERR_INIT;
    if (read_options(argc, argv, &b, &e) < 0) {
        fprintf(stderr, "nn_bench: %s\n", e.text);
        return usage();
    }
    if (run(&b, &e) < 0) {
        fprintf(stderr, "nn_bench: %s\n", e.text);
        return 1;
    }
    return 0;
}
