/*
 * Speed of oneDNN on the convolutions of VGG16: the peer of conv_bench, with the same columns.
 *
 *   onednn_bench [BATCH [STEPS [SIZE]]]        threads: OMP_NUM_THREADS
 *
 * A line a layer: GFLOP/s of the direct method's count for forward (with bias and ReLU),
 * backward-data and backward-weights, best of STEPS by CPU time, and the algorithm that was best of
 * those that oneDNN has here. Layouts are oneDNN's own choice, and reordering into them is not
 * counted. Run it with OMP_WAIT_POLICY=passive, so that waiting threads use no CPU time.
 */
#include <dnnl.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum pass { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, PASSES };

static const struct layer {
    const char *name;
    dnnl_dim_t c, k, divide;
} layers[] = {
    {"conv1_1", 3, 64, 1},    {"conv1_2", 64, 64, 1},    {"conv2_1", 64, 128, 2},
    {"conv2_2", 128, 128, 2}, {"conv3_1", 128, 256, 4},  {"conv3_2", 256, 256, 4},
    {"conv3_3", 256, 256, 4}, {"conv4_1", 256, 512, 8},  {"conv4_2", 512, 512, 8},
    {"conv4_3", 512, 512, 8}, {"conv5_1", 512, 512, 16}, {"conv5_3", 512, 512, 16},
};

static const struct algorithm {
    const char *name;
    dnnl_alg_kind_t kind;
} algorithms[] = {{"direct", dnnl_convolution_direct}, {"wino", dnnl_convolution_winograd}};

/* The memory of one convolution as descriptors without a layout: oneDNN chooses. */
struct shapes {
    dnnl_memory_desc_t x, w, b, y;
};

static void check(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) {
        fprintf(stderr, "onednn_bench: %s failed with status %d\n", what, (int)status);
        exit(1);
    }
}

static double now(int threads)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) / threads;
}

static struct shapes shapes_of(const struct layer *l, dnnl_dim_t batch, dnnl_dim_t side)
{
    struct shapes s;
    const dnnl_dims_t x = {batch, l->c, side, side}, w = {l->k, l->c, 3, 3}, b = {l->k},
                      y = {batch, l->k, side, side};
    check(dnnl_memory_desc_init_by_tag(&s.x, 4, x, dnnl_f32, dnnl_format_tag_any), "x");
    check(dnnl_memory_desc_init_by_tag(&s.w, 4, w, dnnl_f32, dnnl_format_tag_any), "w");
    check(dnnl_memory_desc_init_by_tag(&s.b, 1, b, dnnl_f32, dnnl_a), "b");
    check(dnnl_memory_desc_init_by_tag(&s.y, 4, y, dnnl_f32, dnnl_format_tag_any), "y");
    return s;
}

static dnnl_status_t forward_desc(dnnl_primitive_desc_t *pd, const struct shapes *s,
                                  dnnl_alg_kind_t kind, dnnl_engine_t engine)
{
    const dnnl_dims_t one = {1, 1};
    dnnl_convolution_desc_t desc;
    check(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_training, kind, &s->x, &s->w,
                                             &s->b, &s->y, one, one, one),
          "forward description");
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t ops;
    check(dnnl_primitive_attr_create(&attr), "attributes");
    check(dnnl_post_ops_create(&ops), "post operations");
    check(dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0), "ReLU");
    check(dnnl_primitive_attr_set_post_ops(attr, ops), "post operations");
    dnnl_status_t status = dnnl_primitive_desc_create(pd, &desc, attr, engine, NULL);
    dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

static dnnl_status_t backward_desc(dnnl_primitive_desc_t *pd, const struct shapes *s,
                                   dnnl_alg_kind_t kind, enum pass pass, dnnl_engine_t engine)
{
    const dnnl_dims_t one = {1, 1};
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t hint;
    dnnl_status_t status = forward_desc(&hint, s, kind, engine);
    if (status != dnnl_success) {
        return status;
    }
    if (pass == BACKWARD_DATA) {
        check(dnnl_convolution_backward_data_desc_init(&desc, kind, &s->x, &s->w, &s->y, one, one,
                                                       one),
              "backward-data description");
    } else {
        check(dnnl_convolution_backward_weights_desc_init(&desc, kind, &s->x, &s->w, &s->b, &s->y,
                                                          one, one, one),
              "backward-weights description");
    }
    status = dnnl_primitive_desc_create(pd, &desc, NULL, engine, hint);
    dnnl_primitive_desc_destroy(hint);
    return status;
}

/* A tensor as the primitive wants it, filled with small numbers. */
static dnnl_memory_t tensor(const_dnnl_primitive_desc_t pd, dnnl_query_t what, dnnl_engine_t engine)
{
    dnnl_memory_t m;
    void *data;
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, what, 0);
    check(dnnl_memory_create(&m, md, engine, DNNL_MEMORY_ALLOCATE), "tensor");
    check(dnnl_memory_get_data_handle(m, &data), "tensor");
    size_t n = dnnl_memory_desc_get_size(md) / sizeof(float);
    for (size_t i = 0; i < n; i++) {
        ((float *)data)[i] = (float)(i * 2654435761U % 1024) / 512 - 1;
    }
    return m;
}

/* Best seconds of `steps` runs. */
static double measure(dnnl_primitive_desc_t pd, enum pass pass, int steps, int threads,
                      dnnl_engine_t engine, dnnl_stream_t stream)
{
    static const struct {
        int arg;
        dnnl_query_t query;
    } wanted[PASSES][4] = {
        {{DNNL_ARG_SRC, dnnl_query_src_md},
         {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
         {DNNL_ARG_DST, dnnl_query_dst_md}},
        {{DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md},
         {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
         {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md}},
        {{DNNL_ARG_SRC, dnnl_query_src_md},
         {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md},
         {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md}},
    };
    dnnl_exec_arg_t args[4];
    int count = 0;
    for (int i = 0; i < 3; i++) {
        args[count++] =
            (dnnl_exec_arg_t){wanted[pass][i].arg, tensor(pd, wanted[pass][i].query, engine)};
    }
    if (pass != BACKWARD_DATA) { /* the bias is the second of the weights */
        const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(
            pd, pass == FORWARD ? dnnl_query_weights_md : dnnl_query_diff_weights_md, 1);
        dnnl_memory_t bias;
        check(dnnl_memory_create(&bias, md, engine, DNNL_MEMORY_ALLOCATE), "bias");
        args[count++] =
            (dnnl_exec_arg_t){pass == FORWARD ? DNNL_ARG_BIAS : DNNL_ARG_DIFF_BIAS, bias};
    }
    dnnl_primitive_t p;
    check(dnnl_primitive_create(&p, pd), "primitive");
    double best = 0;
    for (int i = 0; i <= steps; i++) { /* the first is a warm-up */
        double t = now(threads);
        check(dnnl_primitive_execute(p, stream, count, args), "convolution");
        check(dnnl_stream_wait(stream), "convolution");
        t = now(threads) - t;
        best = i == 1 || (i > 1 && t < best) ? t : best;
    }
    dnnl_primitive_destroy(p);
    for (int i = 0; i < count; i++) {
        dnnl_memory_destroy(args[i].memory);
    }
    return best;
}

int main(int argc, char **argv)
{
    const char *text = getenv("OMP_NUM_THREADS");
    int threads = text ? atoi(text) : 1, steps = argc > 2 ? atoi(argv[2]) : 3;
    dnnl_dim_t batch = argc > 1 ? atol(argv[1]) : 16, size = argc > 3 ? atol(argv[3]) : 224;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    const dnnl_version_t *v = dnnl_version();
    printf("oneDNN %d.%d.%d, %d threads, batch %ld\n", v->major, v->minor, v->patch, threads,
           (long)batch);
    for (size_t i = 0; i < COUNT(layers); i++) {
        const struct layer *l = &layers[i];
        dnnl_dim_t side = size / l->divide;
        struct shapes s = shapes_of(l, batch, side);
        double flop = 18.0 * (double)(batch * l->c * l->k * side * side);
        printf("%-8s %4ld %4ld %4ld", l->name, (long)l->c, (long)l->k, (long)side);
        for (int pass = 0; pass < PASSES; pass++) {
            const char *name = "-";
            double best = 0;
            for (size_t j = 0; j < COUNT(algorithms); j++) {
                dnnl_primitive_desc_t pd;
                if ((pass == FORWARD ? forward_desc(&pd, &s, algorithms[j].kind, engine)
                                     : backward_desc(&pd, &s, algorithms[j].kind, pass, engine)) !=
                    dnnl_success) {
                    continue; /* not for this shape or CPU */
                }
                double t = measure(pd, pass, steps, threads, engine, stream);
                if (best == 0 || t < best) {
                    best = t, name = algorithms[j].name;
                }
                dnnl_primitive_desc_destroy(pd);
            }
            printf("  %7.1f %6s", best > 0 ? flop / best / 1e9 : 0, name);
            fflush(stdout);
        }
        printf("\n");
    }
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return 0;
}
