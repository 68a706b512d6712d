/* Commands of nephron-mpi; see mpi_commands.h. */
#include "mpi_commands.h"

#include "bench_command.h"
#include "chart_command.h"
#include "comm.h"
#include "evaluate.h"
#include "machine.h"
#include "predict.h"
#include "prepare.h"
#include "ranks_agree.h"
#include "settings.h"
#include "train.h"

#include "alloc.h"
#include "arena.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "log.h"
#include "num.h"
#include "opt.h"
#include "par.h"
#include "path.h"
#include "sink.h"
#include "str.h"
#include "tracking.h"
#include "value.h"
#include "weights_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int exit_code(const struct err *e)
{
    if (e->code == ERR_INTERRUPTED && e->detail > 0) {
        return e->detail == SIGUSR1 ? TRAIN_EXIT_REQUEUE : 128 + e->detail;
    }
    return e->code == ERR_USAGE || e->code == ERR_CONFIG ? 2 : 1;
}

/* --- what the stages share ------------------------------------------------------------------- */

struct stage_options {
    const char *config, *params;
    struct opt_list set;
    bool quiet;
    int verbose;
};

#define STAGE_OPTIONS(o)                                                                           \
    {OPT_STR, 0, "config", "FILE", "where things are (config/config.yaml)", &(o).config, NULL},    \
        {OPT_STR, 0, "params", "FILE", "hyper-parameters (params.yaml)", &(o).params, NULL},       \
        {OPT_LIST,                                                                                 \
         'S',                                                                                      \
         "set",                                                                                    \
         "KEY=VALUE",                                                                              \
         "instead of what params.yaml has; may be given several times",                            \
         &(o).set,                                                                                 \
         NULL},                                                                                    \
        {OPT_FLAG, 'q', "quiet", NULL, "errors and warnings only", &(o).quiet, NULL},              \
    {                                                                                              \
        OPT_COUNT, 'v', "verbose", NULL, "say more; -v -v: everything", &(o).verbose, NULL         \
    }

/* Settings, threads, tracking: what a stage needs, on every rank. */
struct stage {
    struct settings settings;
    struct par *par;
    struct tracking tracking;
    bool has_tracking;
    struct sink *sink;
    struct machine_share share;
};

static void stage_close(struct stage *s)
{
    sink_close(s->sink);
    if (s->has_tracking) {
        tracking_release(&s->tracking);
    }
    par_free(s->par);
    settings_release(&s->settings);
}

static void set_level(const struct stage_options *o)
{
    log_set_level(o->quiet          ? LOG_WARN
                  : o->verbose >= 2 ? LOG_DEBUG
                  : o->verbose == 1 ? LOG_INFO
                                    : LOG_WARN);
}

static int stage_open(struct stage *s, const struct mpi_context *x, const struct stage_options *o,
                      struct err *e)
{
    memset(s, 0, sizeof(*s));
    set_level(o);
    int rc = settings_load(&s->settings,
                           &(struct settings_source){.config = o->config,
                                                     .params = o->params,
                                                     .set = o->set.items,
                                                     .set_count = o->set.count},
                           e);
    if (rc == 0) {
        rc = tracking_load(&s->tracking, NULL, e);
        s->has_tracking = rc == 0;
    }
    if (ranks_agree(x->comm, rc, e) < 0 ||
        machine_share(x->comm, s->settings.rebind, &s->share, e) < 0) {
        stage_close(s);
        return -1;
    }
    if (s->share.widened && x->comm->rank == 0 && !o->quiet) {
        fprintf(stderr, "bound to %d core%s by the launcher, widened to %d (core.rebind)\n",
                s->share.before, s->share.before > 1 ? "s" : "", s->share.threads);
    }
    fs_set_sync(s->settings.fsync);
    s->par = par_new(s->share.threads);
    return 0;
}

/* Recording never stops the work: without threads for it, a warning. */
static const struct event_sink *stage_sink(struct stage *s, const struct mpi_context *x)
{
    struct err e = ERR_INIT;
    s->sink = sink_open(&(struct sink_options){.tracking = &s->tracking,
                                               .rank = x->comm->rank,
                                               .world = x->comm->size},
                        &e);
    if (!s->sink) {
        log_warn("track", "this run is not recorded: %s", e.text);
    }
    return sink_events(s->sink);
}

bool mpi_parse(const struct opt_spec *spec, const struct mpi_context *x, int argc, char **argv,
               struct opt_list *args, int *code, struct err *e)
{
    enum opt_result r = opt_parse(spec, argc, argv, args, e);
    *code = r == OPT_HELP ? 0 : 2;
    return r == OPT_OK;
}

static int print(const struct strbuf *text, struct err *e)
{
    fwrite(text->p, 1, text->n, stdout);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return err_sys(e, "cannot write to stdout");
    }
    return 0;
}

/* --- train ----------------------------------------------------------------------------------- */

/* One folder of checkpoints for each folder of results of the project. */
static char *checkpoint_dir(const struct stage *s, struct arena *a, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    char *dir = tracking_dir(&s->tracking, "checkpoints", true, e);
    if (!dir) {
        return NULL;
    }
    const char *where = path_absolute(a, path_cwd(a), s->settings.trained_model);
    const char *base = path_relative(a, s->tracking.project, where);
    digest_buffer(DIGEST_MD5, base, strlen(base), hex);
    char *full = path_join(a, dir, arena_printf(a, "train-%.12s", hex));
    free(dir);
    return full;
}

static void watch_run(void *ctx, const char *run)
{
    struct sink *sink = ctx;
    if (sink) {
        sink_watch(sink, run);
    }
}

static void print_trained(const struct train_result *r, const struct settings *s)
{
    char time[NUM_TEXT_SIZE];
    num_duration(time, r->seconds);
    fprintf(stderr, "%s: %zu epochs, %zu steps, %s, %.1f img/s\n", s->trained_model, r->epochs,
            r->steps, time, r->img_per_s);
    if (r->skipped > 0) {
        fprintf(stderr, "%zu steps were left out: loss or gradient not finite\n", r->skipped);
    }
}

struct train_words {
    bool fresh;
    const char *into, *order;
};

static int do_train(const struct mpi_context *x, const struct stage_options *o,
                    const struct train_words *words, int argc, char **argv, struct err *e)
{
    struct stage s;
    struct train_result r = {0};
    struct arena a;
    if (stage_open(&s, x, o, e) < 0) {
        return exit_code(e);
    }
    arena_init(&a);
    if (words->into) {
        s.settings.training_dir = words->into;
        s.settings.trained_model = path_join(&a, words->into, "model.pth");
    }
    char *dir = checkpoint_dir(&s, &a, e);
    char *features = tracking_dir(&s.tracking, "features", false, NULL);
    int rc = ranks_agree(x->comm, dir ? 0 : -1, e);
    if (rc < 0) {
        r.exit_code = 1;
    } else {
        const struct event_sink *events = stage_sink(&s, x);
        rc = train_run(&(struct train_options){.settings = &s.settings,
                                               .comm = x->comm,
                                               .par = s.par,
                                               .sink = events,
                                               .checkpoint_dir = dir,
                                               .features_dir = features,
                                               .order_file = words->order,
                                               .fresh = words->fresh,
                                               .quiet = o->quiet,
                                               .stop = x->stop,
                                               .joined = x->comm->rank > 0 ? watch_run : NULL,
                                               .joined_ctx = s.sink,
                                               .argc = argc,
                                               .argv = argv},
                       &r, e);
    }
    if (rc == 0 && x->comm->rank == 0 && !o->quiet) {
        print_trained(&r, &s.settings);
    }
    free(features);
    stage_close(&s);
    arena_release(&a);
    return r.exit_code;
}

static int run_train(const struct mpi_context *x, int argc, char **argv, struct err *e)
{
    struct stage_options o = {0};
    struct train_words words = {0};
    int code = 0;
    const struct opt options[] = {
        STAGE_OPTIONS(o),
        {OPT_FLAG, 0, "fresh", NULL, "do not go on from a checkpoint", &words.fresh, NULL},
        {OPT_STR, 0, "into", "DIR", "write model and history there (artifacts/training)",
         &words.into, NULL},
        {OPT_STR, 0, "order", "FILE", "also write which pictures each step sees, as CSV",
         &words.order, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron train [OPTION]…",
        .about = "Trains the prepared model on the data, over all ranks of mpirun, and writes "
                 "artifacts/training/model.pth. An interrupted training goes on from its last "
                 "checkpoint. Exit: 0 done, 1 failed, 2 wrong settings, 3 loss not finite, 85 "
                 "after SIGUSR1, 128+N after signal N.",
        .examples = "nephron train\nmpirun -n 4 nephron train\n"
                    "nephron train --set LEARNING_RATE=0.1 --into artifacts/sweep/0.1",
        .options = options,
    };
    struct opt_list args = {0};
    if (mpi_parse(&spec, x, argc, argv, &args, &code, e)) {
        code = do_train(x, &o, &words, argc, argv, e);
    }
    opt_list_release(&args);
    opt_list_release(&o.set);
    return code;
}

/* --- evaluate -------------------------------------------------------------------------------- */

static int do_evaluate(const struct mpi_context *x, const struct stage_options *o,
                       const char *model, const char *into, int argc, char **argv, struct err *e)
{
    struct stage s;
    struct strbuf out;
    if (stage_open(&s, x, o, e) < 0) {
        return exit_code(e);
    }
    if (into) {
        s.settings.evaluation_dir = into;
        s.settings.scores = path_join(&s.settings.arena, into, "scores.json");
    }
    if (model) { /* its history lies beside it */
        s.settings.training_dir = path_dirname(&s.settings.arena, model);
    }
    strbuf_init(&out);
    int rc = evaluate_run(&(struct evaluate_options){.settings = &s.settings,
                                                     .comm = x->comm,
                                                     .par = s.par,
                                                     .sink = stage_sink(&s, x),
                                                     .model = model,
                                                     .stop = x->stop,
                                                     .argc = argc,
                                                     .argv = argv},
                          &out, e);
    if (rc == 0 && x->comm->rank == 0 && !o->quiet) {
        rc = print(&out, e);
    }
    strbuf_release(&out);
    stage_close(&s);
    return rc < 0 ? exit_code(e) : 0;
}

static int run_evaluate(const struct mpi_context *x, int argc, char **argv, struct err *e)
{
    struct stage_options o = {0};
    const char *model = NULL, *into = NULL;
    int code = 0;
    const struct opt options[] = {
        STAGE_OPTIONS(o),
        {OPT_STR, 0, "model", "FILE", "evaluate this model file", &model, NULL},
        {OPT_STR, 0, "into", "DIR", "write scores.json and pictures there", &into, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron evaluate [OPTION]…",
        .about = "Scores the trained model on the validation part: scores.json, the table of "
                 "classes, confusion matrix, mistakes and curves as pictures.",
        .examples = "nephron evaluate\nmpirun -n 2 nephron evaluate --model other.safetensors",
        .options = options,
    };
    struct opt_list args = {0};
    if (mpi_parse(&spec, x, argc, argv, &args, &code, e)) {
        code = do_evaluate(x, &o, model, into, argc, argv, e);
    }
    opt_list_release(&args);
    opt_list_release(&o.set);
    return code;
}

/* --- prepare --------------------------------------------------------------------------------- */

static int do_prepare(const struct mpi_context *x, const struct stage_options *o, struct err *e)
{
    struct stage s;
    struct strbuf out;
    if (stage_open(&s, x, o, e) < 0) {
        return exit_code(e);
    }
    strbuf_init(&out);
    int rc = 0;
    if (x->comm->rank == 0) {
        rc = prepare_run(&s.settings, s.par, o->quiet, x->stop, &out, e);
        rc = rc == 0 && !o->quiet ? print(&out, e) : rc;
    }
    rc = ranks_agree(x->comm, rc, e);
    strbuf_release(&out);
    stage_close(&s);
    return rc < 0 ? exit_code(e) : 0;
}

static int run_prepare(const struct mpi_context *x, int argc, char **argv, struct err *e)
{
    struct stage_options o = {0};
    int code = 0;
    const struct opt options[] = {STAGE_OPTIONS(o), OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron prepare [OPTION]…",
        .about = "Builds the network of params.yaml, with random, ImageNet or given weights, and "
                 "writes base_model.pth and base_model_updated.pth. Prints the table of layers.",
        .examples = "nephron prepare",
        .options = options,
    };
    struct opt_list args = {0};
    if (mpi_parse(&spec, x, argc, argv, &args, &code, e)) {
        code = do_prepare(x, &o, e);
    }
    opt_list_release(&args);
    opt_list_release(&o.set);
    return code;
}

/* --- predict --------------------------------------------------------------------------------- */

static void prediction_text(const struct value *list, struct strbuf *out)
{
    for (size_t i = 0; i < list->list.count; i++) {
        const struct value *one = list->list.items[i], *bad = value_get(one, "error");
        if (bad) {
            fprintf(stderr, "nephron: error: %s\n", bad->s.p);
            continue;
        }
        strbuf_addf(out, "%s\t%s\t%.4f\n", value_get(one, "path")->s.p,
                    value_get(one, "image")->s.p, value_get(one, "confidence")->f);
    }
}

struct predict_words {
    struct predict_options opt;
    bool json;
};

static int predict_alone(struct predict_words *w, struct err *e)
{
    struct arena a;
    struct strbuf out;
    size_t failed = 0;
    int code = 0;
    w->opt.par = par_new(0);
    arena_init(&a);
    strbuf_init(&out);
    struct value *list = predict_run(&a, &w->opt, &failed, e);
    if (!list) {
        code = exit_code(e);
        goto out;
    }
    if (w->json) {
        json_write(&out, list, &(struct json_style){.utf8 = true});
        strbuf_addch(&out, '\n');
    } else {
        prediction_text(list, &out);
    }
    code = print(&out, e) < 0 || failed > 0 ? 1 : 0;
out:
    strbuf_release(&out);
    arena_release(&a);
    par_free(w->opt.par);
    return code;
}

/* The model: told, or what the settings of this folder name. */
static int do_predict(struct predict_words *w, struct err *e)
{
    struct settings s;
    if ((w->opt.label || w->opt.heat) && !w->opt.explain) {
        err_set(e, ERR_USAGE, "--class and --heat are for --explain");
        return 2;
    }
    if (w->opt.model) {
        return predict_alone(w, e);
    }
    if (settings_load(&s, NULL, e) < 0) {
        err_append(e, "; or give --model FILE");
        return exit_code(e);
    }
    w->opt.model = s.trained_model;
    int code = predict_alone(w, e);
    settings_release(&s);
    return code;
}

static int run_predict(const struct mpi_context *x, int argc, char **argv, struct err *e)
{
    struct predict_words w = {0};
    int code = 0;
    const struct opt options[] = {
        {OPT_STR, 'm', "model", "FILE", "model file (that of config/config.yaml)", &w.opt.model,
         NULL},
        {OPT_FLAG, 0, "json", NULL, "one list of objects", &w.json, NULL},
        {OPT_STR, 0, "explain", "OUT.png",
         "draw where in the pictures the class is seen (Grad-CAM)", &w.opt.explain, NULL},
        {OPT_STR, 0, "class", "NAME", "with --explain: of this class, not the predicted one",
         &w.opt.label, NULL},
        {OPT_STR, 0, "heat", "FILE.json", "with --explain: also the numbers of the maps",
         &w.opt.heat, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron predict [OPTION]… PICTURE|FOLDER…",
        .about = "Tells the class of pictures: path, class, confidence. How a picture is resized "
                 "and normalised stands in the model file.",
        .examples = "nephron predict scan.jpg\nnephron predict --json --model model.pth scans/\n"
                    "nephron predict --explain why.png --class Tumor scan.jpg",
        .options = options,
        .min_args = 1,
        .max_args = OPT_ANY,
    };
    struct opt_list args = {0};
    if (mpi_parse(&spec, x, argc, argv, &args, &code, e)) {
        w.opt.paths = (const char *const *)args.items;
        w.opt.count = args.count;
        code = x->comm->rank == 0 ? do_predict(&w, e) : 0;
    }
    opt_list_release(&args);
    return code;
}

/* --- weights --------------------------------------------------------------------------------- */

static int weights_words(const struct opt_list *args, bool json, struct err *e)
{
    const char *verb = args->items[0];
    if (strcmp(verb, "show") == 0 && args->count == 2) {
        return weights_show(args->items[1], json, stdout, e);
    }
    if (strcmp(verb, "convert") == 0 && args->count == 3 && !json) {
        return weights_convert(args->items[1], args->items[2], e);
    }
    return err_set(e, ERR_USAGE,
                   "expected 'weights show [--json] FILE' or 'weights convert IN OUT'");
}

static int run_weights(const struct mpi_context *x, int argc, char **argv, struct err *e)
{
    bool json = false;
    int code = 0;
    const struct opt options[] = {
        {OPT_FLAG, 0, "json", NULL, "show: one object", &json, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron weights show [--json] FILE | nephron weights convert IN OUT",
        .about = "Shows the tensors of a .pth or .safetensors file (name, type, shape, sum, md5), "
                 "or rewrites it in the format of OUT's ending.",
        .examples = "nephron weights show artifacts/training/model.pth\n"
                    "nephron weights convert model.pth model.safetensors",
        .options = options,
        .min_args = 1,
        .max_args = 3,
    };
    struct opt_list args = {0};
    if (mpi_parse(&spec, x, argc, argv, &args, &code, e)) {
        code = x->comm->rank == 0 && weights_words(&args, json, e) < 0 ? exit_code(e) : 0;
        if (code == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
            err_sys(e, "cannot write to stdout");
            code = 1;
        }
    }
    opt_list_release(&args);
    return code;
}

/* --- chart ----------------------------------------------------------------------------------- */

/* For the light program, not for people: see chart_command.h. */
static int run_chart(const struct mpi_context *x, int argc, char **argv, struct err *e)
{
    int code = 0;
    const struct opt options[] = {OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron-mpi chart FILE.png",
        .about = "Draws curves that are described in JSON on stdin; 'nephron runs compare --plot' "
                 "calls it.",
        .options = options,
        .min_args = 1,
        .max_args = 1,
    };
    struct opt_list args = {0};
    if (mpi_parse(&spec, x, argc, argv, &args, &code, e)) {
        struct strbuf json;
        strbuf_init(&json);
        int rc = fs_read("/dev/stdin", (size_t)64 << 20, &json, e);
        rc = rc == 0 ? chart_draw(strbuf_str(&json), args.items[0], e) : rc;
        code = rc < 0 ? exit_code(e) : 0;
        strbuf_release(&json);
    }
    opt_list_release(&args);
    return code;
}

const struct mpi_command mpi_commands[] = {
    {"train", run_train, "train the prepared model"},
    {"evaluate", run_evaluate, "score the trained model"},
    {"prepare", run_prepare, "build the model to train"},
    {"predict", run_predict, "tell the class of pictures"},
    {"weights", run_weights, "show or convert model files"},
    {"bench", bench_command, "speed of this machine or cluster"},
    {"chart", run_chart, "draw curves described on stdin"},
    {NULL, NULL, NULL},
};

/* --- running them ---------------------------------------------------------------------------- */

const struct mpi_command *mpi_command_find(const char *name)
{
    for (const struct mpi_command *c = mpi_commands; c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

/* What fails on every rank for the same reason is said once, by rank 0. */
static bool should_say(const struct err *e, int rank)
{
    return e->text[0] && !ranks_is_foreign(e) &&
           (rank == 0 ||
            (e->code != ERR_USAGE && e->code != ERR_INTERRUPTED && e->code != ERR_LIMIT));
}

int mpi_command_run(const struct mpi_command *c, const struct mpi_context *x, int argc, char **argv)
{
    struct err e = ERR_INIT;
    int rank = x->comm->rank;
    int code = c->run(x, argc, argv, &e);
    if (code != 0 && should_say(&e, rank)) {
        char mark[32] = "";
        if (rank > 0) {
            snprintf(mark, sizeof(mark), "rank %d: ", rank);
        }
        fprintf(stderr, "nephron: error: %s%s\n", mark, e.text);
    }
    if (code != 0 && e.code == ERR_REMOTE && strncmp(e.text, "MPI:", 4) == 0) {
        comm_fail(x->comm, code);
    }
    return code;
}
