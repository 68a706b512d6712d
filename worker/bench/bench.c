/* The command: options, kinds, printing. See bench.h. */
#include "bench.h"

#include "bench_command.h"
#include "comm.h"
#include "ranks_agree.h"

#include "alloc.h"
#include "err.h"
#include "json.h"
#include "opt.h"
#include "par.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

static const struct kind {
    const char *name;
    int (*run)(struct bench *b, struct err *e);
} kinds[] = {
    {"train", bench_train},         {"infer", bench_train}, {"layers", bench_layers},
    {"allreduce", bench_allreduce}, {"model", bench_model},
};

static const struct kind *find_kind(const char *name, struct err *e)
{
    const char *names[ARRAY_SIZE(kinds)];
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        names[i] = kinds[i].name;
        if (strcmp(name, kinds[i].name) == 0) {
            return &kinds[i];
        }
    }
    const char *near = opt_nearest(name, names, ARRAY_SIZE(kinds));
    err_set(e, ERR_USAGE,
            "nothing to measure is called '%s'%s%s%s; there are train, infer, layers, "
            "allreduce and model",
            name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

static int check(const struct bench_options *o, long batch, long size, long divisor, struct err *e)
{
    const struct {
        const char *name;
        long value, least, most;
    } limits[] = {{"batch", batch, 1, 65536},        {"size", size, 32, 4096},
                  {"divisor", divisor, 1, 64},       {"threads", o->threads, 0, 4096},
                  {"steps", o->steps, 0, 1000000},   {"rounds", o->rounds, 1, 1000},
                  {"max-mb", o->max_mb, 1, 1 << 20}, {"per-host", o->per_host, 1, 4096}};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        if (limits[i].value < limits[i].least || limits[i].value > limits[i].most) {
            return err_set(e, ERR_USAGE, "--%s %ld: expected %ld to %ld", limits[i].name,
                           limits[i].value, limits[i].least, limits[i].most);
        }
    }
    if (!(o->gbit > 0) || !(o->latency_us >= 0)) {
        return err_set(e, ERR_USAGE, "--gbit must be above 0 and --latency-us not below it");
    }
    return 0;
}

static int print(const struct bench *b, struct err *e)
{
    struct strbuf json;
    strbuf_init(&json);
    if (b->opt.json) {
        json_write(&json, b->report, &(struct json_style){.utf8 = true});
        strbuf_addch(&json, '\n');
    }
    const struct strbuf *out = b->opt.json ? &json : b->text;
    if (b->comm->rank == 0) {
        fwrite(out->p, 1, out->n, stdout);
    }
    strbuf_release(&json);
    return fflush(stdout) != 0 || ferror(stdout) ? err_sys(e, "cannot write to stdout") : 0;
}

static int measure(const struct kind *kind, const struct bench_options *opt, struct comm *comm,
                   struct err *e)
{
    struct arena arena;
    struct strbuf text;
    struct bench b = {.opt = *opt, .comm = comm, .arena = &arena, .text = &text};
    if (machine_share(comm, true, &b.share, e) < 0) {
        return -1;
    }
    arena_init(&arena);
    strbuf_init(&text);
    b.par = par_new(opt->threads > 0 ? (int)opt->threads : b.share.threads);
    b.report = value_map(&arena);
    value_set(&arena, b.report, "schema", value_int(&arena, 1));
    value_set(&arena, b.report, "what", value_cstr(&arena, kind->name));
    int rc = bench_machine_measure(&b, e);
    rc = rc == 0 ? kind->run(&b, e) : rc;
    if (rc == 0) {
        bench_machine_report(&b);
        rc = print(&b, e);
    }
    par_free(b.par);
    strbuf_release(&text);
    arena_release(&arena);
    return rc;
}

int bench_command(const struct mpi_context *x, int argc, char **argv, struct err *e)
{
    struct bench_options o = {.rig = {.model = "vgg16", .classes = 2},
                              .rounds = 2,
                              .max_mb = 512,
                              .gbit = 1,
                              .latency_us = 100,
                              .per_host = 1};
    long batch = 16, size = 224, divisor = 1;
    const struct opt options[] = {
        {OPT_STR, 'm', "model", "NAME", "network (vgg16)", &o.rig.model, NULL},
        {OPT_INT, 'b', "batch", "N", "images of a rank and step (16)", &batch, NULL},
        {OPT_INT, 0, "size", "PX", "side of the images (224)", &size, NULL},
        {OPT_INT, 't', "threads", "N", "threads of a rank (its share of the cores)", &o.threads,
         NULL},
        {OPT_INT, 'n', "steps", "N", "steps measured, after one to warm up (3)", &o.steps, NULL},
        {OPT_FLAG, 0, "frozen", NULL, "convolutions do not learn", &o.rig.frozen, NULL},
        {OPT_FLAG, 0, "any-order", NULL,
         "sums in an order that depends on the ranks: what equal bits cost", &o.rig.any_order,
         NULL},
        {OPT_INT, 0, "divisor", "N", "divides all widths of the network: a quick trial", &divisor,
         NULL},
        {OPT_INT, 0, "rounds", "N", "ranks: turns of alone and together (2)", &o.rounds, NULL},
        {OPT_INT, 0, "max-mb", "MB", "allreduce: largest size (512)", &o.max_mb, NULL},
        {OPT_DOUBLE, 0, "gbit", "N", "model: Gbit/s of a host's link (1)", &o.gbit, NULL},
        {OPT_DOUBLE, 0, "latency-us", "N", "model: microseconds of a message (100)", &o.latency_us,
         NULL},
        {OPT_INT, 0, "per-host", "N", "model: ranks that share a link (1)", &o.per_host, NULL},
        {OPT_FLAG, 0, "json", NULL, "one object", &o.json, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron bench train|infer|layers|allreduce|model [OPTION]…",
        .about =
            "Measures this machine or cluster on synthetic images. train, infer: images a second, "
            "share of the FMA peak, memory; under mpirun also what the network costs. layers: each "
            "pass of each layer. allreduce: sums between ranks by size. model: measures one rank "
            "and forecasts a training on up to 1,024. Says what looks wrong with the machine.",
        .examples = "nephron bench train\n"
                    "nephron bench train --frozen --batch 8 --threads 1 --json\n"
                    "nephron bench layers --batch 1\n"
                    "mpirun -n 4 nephron bench train --batch 8\n"
                    "mpirun -n 2 nephron bench allreduce --max-mb 64\n"
                    "nephron bench model --gbit 10 --latency-us 30 --per-host 2",
        .options = options,
        .min_args = 1,
        .max_args = 1,
    };
    struct opt_list args = {0};
    int code = 0;
    if (mpi_parse(&spec, x, argc, argv, &args, &code, e)) {
        const struct kind *kind = find_kind(args.items[0], e);
        o.rig.train = kind && strcmp(kind->name, "infer") != 0;
        int rc = kind && check(&o, batch, size, divisor, e) == 0 ? 0 : -1;
        o.rig.batch = (size_t)batch;
        o.rig.size = (size_t)size;
        o.rig.divisor = (size_t)divisor;
        rc = rc == 0 ? measure(kind, &o, x->comm, e) : rc;
        code = rc == 0 ? 0 : e->code == ERR_USAGE || e->code == ERR_CONFIG ? 2 : 1;
    }
    opt_list_release(&args);
    return code;
}
