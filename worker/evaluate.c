/* The stage evaluation; see evaluate.h. */
#include "evaluate.h"

#include "comm.h"
#include "evaluate_pictures.h"
#include "imageset.h"
#include "ranks_agree.h"
#include "settings.h"

#include "arena.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "model.h"
#include "modelfile.h"
#include "modelshare.h"
#include "par.h"
#include "path.h"
#include "run.h"
#include "score.h"
#include "str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct evaluation {
    const struct evaluate_options *opt;
    const struct settings *s;
    struct arena arena;
    struct modelfile_info info;
    struct model *model;
    struct imageset set;
    struct score score;
    struct score_report report;
    struct run run;
};

/* VALIDATION_SPLIT: 0 leaves nothing to score but what was trained on. */
static void score_everything(struct evaluation *v)
{
    struct split *p = &v->set.split;
    if (p->valid_count > 0) {
        return;
    }
    size_t *valid = p->valid;
    p->valid = p->train;
    p->valid_count = p->train_count;
    p->train = valid;
    p->train_count = 0;
    log_warn("evaluate", "VALIDATION_SPLIT is 0: these are the pictures that were trained on");
}

static int set_up(struct evaluation *v, struct err *e)
{
    const struct settings *s = v->s;
    const char *path = v->opt->model ? v->opt->model : s->trained_model;
    /* Nothing learns here: what is frozen matters to the heat maps of mistakes alone. */
    v->model = modelshare_open(v->opt->comm, path, MODEL_FREEZE_BUT_LAST, v->opt->par, &v->arena,
                               &v->info, e);
    if (!v->model) {
        return err_wrap(e, "cannot evaluate %s (made by 'nephron train')", path);
    }
    struct imageset_options want = {.settings = s,
                                    .comm = v->opt->comm,
                                    .height = v->info.image_height,
                                    .width = v->info.image_width,
                                    .class_names = v->info.classes,
                                    .classes = v->info.class_count};
    if (imageset_open(&v->set, &want, e) < 0) {
        return -1;
    }
    v->set.stop = v->opt->stop;
    score_everything(v);
    score_init(&v->score, v->info.class_count);
    size_t world = (size_t)v->opt->comm->size;
    return model_plan(
        v->model, &(struct model_plan){.batch = (s->batch + world - 1) / world, .inference = true},
        e);
}

static int write_csv(struct evaluation *v, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    score_confusion_csv(&v->score, (const char *const *)v->set.data.classes, &text);
    int rc = fs_write_atomic(path_join(&v->arena, v->s->evaluation_dir, "confusion.csv"), text.p,
                             text.n, 0, e);
    strbuf_release(&text);
    return rc;
}

static int write_files(struct evaluation *v, struct err *e)
{
    struct strbuf json;
    struct evaluate_pictures pictures = {v->s, &v->set, &v->score, &v->report, v->model};
    strbuf_init(&json);
    score_report_json(&v->report, &json);
    int rc = fs_mkdirs_for(v->s->scores, e);
    rc = rc == 0 ? fs_mkdirs(v->s->evaluation_dir, e) : rc;
    rc = rc == 0 ? write_csv(v, e) : rc;
    rc = rc == 0 ? evaluate_pictures_write(&v->arena, &pictures, e) : rc;
    rc = rc == 0 ? fs_write_atomic(v->s->scores, json.p, json.n, 0, e) : rc;
    strbuf_release(&json);
    return rc;
}

static void tell(const struct evaluation *v)
{
    const struct score_report *r = &v->report;
    const struct {
        const char *name;
        double value;
    } metrics[] = {{"test_loss", r->loss},
                   {"test_accuracy", r->accuracy},
                   {"test_precision", r->precision},
                   {"test_recall", r->recall},
                   {"test_f1", r->f1},
                   {"test_auc", r->auc}};
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        if (!isnan(metrics[i].value)) {
            run_metric(&v->run, metrics[i].name, 0, metrics[i].value);
        }
    }
}

static int conclude(struct evaluation *v, struct strbuf *out, struct err *e)
{
    if (score_report(&v->score, &v->report, e) < 0 || write_files(v, e) < 0) {
        return -1;
    }
    tell(v);
    split_describe(&v->set.split, &v->set.data, out);
    strbuf_addch(out, '\n');
    score_report_table(&v->report, (const char *const *)v->set.data.classes, out);
    return 0;
}

static void begin_run(struct evaluation *v)
{
    if (v->opt->comm->rank == 0) {
        run_begin(&v->run, v->opt->sink,
                  &(struct run_options){.kind = "evaluate",
                                        .name = "evaluation",
                                        .experiment = v->s->experiment,
                                        .argc = v->opt->argc,
                                        .argv = v->opt->argv,
                                        .world_size = v->opt->comm->size});
        run_params(&v->run, v->s->params);
    }
}

static int validate(struct evaluation *v, struct err *e)
{
    int rc = imageset_validate(&v->set, v->opt->comm, v->model, v->s->batch, &v->score, e);
    if (rc > 0) {
        err_set(e, ERR_INTERRUPTED, "evaluation stopped by signal %d", rc);
        e->detail = rc;
    }
    return rc == 0 ? 0 : -1;
}

static void end_run(struct evaluation *v, int rc, const struct err *e)
{
    bool killed = rc < 0 && e->code == ERR_INTERRUPTED;
    if (v->opt->comm->rank == 0) {
        run_finish(&v->run,
                   rc == 0  ? RUN_FINISHED
                   : killed ? RUN_KILLED
                            : RUN_FAILED,
                   rc == 0 ? 0 : 1, rc < 0 ? e->text : NULL);
    }
}

int evaluate_run(const struct evaluate_options *opt, struct strbuf *out, struct err *e)
{
    struct evaluation v = {.opt = opt, .s = opt->settings};
    struct err local = ERR_INIT;
    e = e ? e : &local;
    arena_init(&v.arena);
    begin_run(&v);
    int rc = ranks_agree(opt->comm, set_up(&v, e), e);
    if (rc == 0) {
        rc = validate(&v, e);
    }
    if (rc == 0) {
        rc = ranks_agree(opt->comm, opt->comm->rank == 0 ? conclude(&v, out, e) : 0, e);
    }
    end_run(&v, rc, e);
    score_report_release(&v.report);
    score_release(&v.score);
    imageset_release(&v.set);
    model_free(v.model);
    arena_release(&v.arena);
    return rc;
}
